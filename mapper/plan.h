/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: how a graph is laid onto a machine.
 *
 * Layers are fused nodes in execution order. Each has steps: transfers between the host and the
 * activation memory, and computations of a region of its output; groups of layers interleave
 * theirs. A family's lower() turns the steps into its own program, opaque to others. plan_new()
 * makes all of it; plan_free() ends it. A plan is not changed once made and can be run many times.
 *
 * Activations are laid out NHWC in the activation memory and in the host's copies, each in the
 * number format of the layer that makes it (docs/quantisation.md). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mapper/machine.h"
#include "mapper/quant.h"
#include "mapper/target.h"
#include "workloads/graph.h"

#define PLAN_MAX_FUSED 4
#define PLAN_MAX_IN    32 /* inputs of a layer on the machine */

/* An activation as a machine sees it: batch, height, width, channels. Four dimensions are NCHW;
 * any other number are rows of features, 1 x 1 images, as many as the leading dimensions say. One
 * dimension is a row, a scalar a row of one feature. */
struct dims {
    int64_t n, h, w, c;
};

enum layer_kind { LAYER_MATRIX, LAYER_VECTOR, LAYER_LOOKUP, LAYER_HOST };

/* C[m, n] = A[m, k] B[k, n], `groups` times side by side. m counts the whole batch. */
struct gemm {
    int64_t m, n, k, groups;
};

enum loop_order { ORDER_NM, ORDER_MN }; /* which loop is outer: output tiles or row blocks */
extern const char *const loop_order_names[];

/* How a matrix layer is cut. From the outside: chunks, groups, then n tiles and m blocks in
 * `order`, then k tiles, whose partial sums stay in the accumulators. */
struct tiling {
    int64_t block_m; /* rows of a block of partial sums; see plan_block_rows() */
    enum loop_order order;
    bool double_buffer; /* two blocks take turns in the accumulators */
    /* Without it, where k has several tiles: the block's first and last tile of k are worked off in
     * so many pieces, each drained as soon as it is complete, and overwritten as soon as that is.
     */
    int parts;
};

/* A region of a layer's output that is computed in one go: whole images, or rows of one image. */
struct region {
    int64_t image, n_image, row, n_row;
};

struct plan_layer {
    int index;
    const char *name;  /* of the first node */
    const char *op;    /* "conv2d+relu" */
    const char *shape; /* of the output, without the batch */
    enum layer_kind kind;
    int nodes[PLAN_MAX_FUSED], n_node;
    int in[OP_MAX_IN], n_in; /* values, seen through flatten and dropout */
    bool from_buffer; /* LAYER_MATRIX: what stays in the array is input 1, of another layer's making
                       */
    bool turned;      /* from_buffer: its matrices lie transposed */
    uint64_t *stationary_address; /* from_buffer: by chunk, of input 1 in the activation memory */
    const struct plan_move *move; /* LAYER_VECTOR: it moves values (mapper/move.h); else NULL */
    uint32_t broadcast; /* LAYER_VECTOR, bit j: input j is of another shape (mapper/broadcast.h) */
    const struct plan_lookup *lookup; /* LAYER_LOOKUP (mapper/lookup.h); its one input: indices */
    int out;                          /* value */
    struct gemm gemm;                 /* LAYER_MATRIX: as the machine multiplies it */
    int64_t channels;                 /* of an operator's group */
    int64_t packed; /* groups of the operator that make one of gemm's: block-diagonal weights */
    uint64_t macs;
    enum number format, weight_format; /* of its output and of its weights */
    struct tiling tiling;              /* LAYER_MATRIX */
    int64_t chunk_image,
        chunk_row; /* size of a chunk: images, and rows of one image (chunk_image 1) */
    int group;
    int64_t n_pass; /* how often its group comes back to it: once a chunk where it shares the group,
                     * else once in all */
    uint32_t loads; /* bit j: input j comes over the host link for this layer */
    bool stores;    /* its output goes back over it */
    uint64_t weight_address; /* of its first tile, or of its table, in the weight memory */
    int weights_of; /* the first layer with these weights, or this table: itself or another */
};

/* Consecutive layers on the machine that are computed chunk by chunk: all of them on some images,
 * then all of them on the next. What they hand on needs room for the images of a chunk alone, at
 * the price of reading the weights anew for each. Most groups are one layer. */
struct plan_group {
    int first, last; /* layers */
    int first_slot, n_slot;
};

/* Room for chunks of a value that is not resident, while its group runs. Chunks that cross the host
 * link take turns in two copies of it, so that the next one moves while this one is computed. */
struct plan_slot {
    int value;
    bool crosses; /* the host link */
    uint64_t address, room_bytes;
};

/* Where an activation lives between layers. */
struct home {
    bool used;     /* by a layer on the machine */
    bool loaded;   /* an input of the graph, or made on the host: comes over the host link */
    bool stored;   /* an output of the graph made on the machine: goes back over it */
    bool resident; /* in the activation memory, at `address`; else in host memory, or, where one
                    * group makes it and reads it, nowhere as a whole */
    uint64_t address, size_bytes;
    int first_layer, last_layer; /* that write or read it */
};

enum step_kind { STEP_LOAD, STEP_STORE, STEP_COMPUTE, STEP_HOST };

/* STEP_LOAD: rows of value -> activation memory. STEP_STORE: back. STEP_COMPUTE: a region of the
 * layer's output. STEP_HOST: the layer on the host. Steps of a layer run in the order given as far
 * as one unit is concerned; across units what must come first is said by the `after_*` indices
 * (-1: nothing). */
struct plan_step {
    enum step_kind kind;
    int layer;
    int pass;             /* of plan->pass_layer */
    int device;           /* 0 */
    int value;            /* LOAD, STORE: what is moved */
    struct region region; /* of the output (COMPUTE) or of the value moved */
    uint64_t address;     /* LOAD, STORE: of the region; COMPUTE: of the output region */
    uint64_t in_address[PLAN_MAX_IN]; /* COMPUTE: of each input's first image and row needed */
    int64_t in_row[PLAN_MAX_IN];      /* COMPUTE: the input row that lies at in_address */
    int after_load, after_compute, after_store; /* last step of that kind to wait for */
};

struct plan {
    struct arena *arena;
    const struct graph *graph;
    const struct machine *machine;
    const struct quant *quant;     /* NULL in timing mode */
    const struct mapping *mapping; /* what a file says of its layout (mapper/mapping.h), or NULL */
    struct plan_layer *layers;
    int n_layer;
    struct home *homes;        /* by value */
    int *roots;                /* by value: the value it is a view of, itself where it is none */
    enum number *formats;      /* by value: of the roots, how a machine stores them */
    struct plan_group *groups; /* a partition of the layers, in order */
    int n_group;
    struct plan_slot *slots;
    int n_slot;
    struct plan_step *steps;
    int n_step;
    int *pass_layer; /* in order of computation: what layer each pass is of */
    int n_pass;
    uint64_t n_tried;            /* mappings of layers evaluated */
    double map_seconds;          /* that the search took */
    uint64_t weight_bytes;       /* of all weight tiles, whole ones of tile_k x tile_n */
    uint64_t memory_limit_bytes; /* of steps and program; 0: none */
    void *program;               /* the family's */
};

struct dims dims_of(const struct shape *s); /* asserts dims_possible() */
bool dims_possible(const struct shape *s);
int64_t dims_image(const struct dims *d); /* elements of an image */
/* Bytes of an element, of a row of pixels and of an image of a value as a machine stores it. */
int64_t plan_element_bytes(const struct plan *p, int value);
int64_t plan_row_bytes(const struct plan *p, int value);
int64_t plan_image_bytes(const struct plan *p, int value);

/* Layers, tilings, homes and steps of a graph on a machine. Errors: ERROR_UNSUPPORTED names the
 * layer and what would be needed. graph and target must outlive the plan. The family's lower() is
 * called by the caller, once plan->quant is set. */
struct plan *plan_new(const struct graph *g, const struct target *t, GError **error);
/* Whether `n` things of `size` bytes stay within the plan's limit; else ERROR_LIMIT says what they
 * are ("instructions"). Asked before they are made. */
bool plan_within_limit(const struct plan *p, double n, size_t size_bytes, const char *what,
                       GError **error);
/* What any mapping must move and the cycles that none goes below, into bound_cyc and compulsory of
 * the record of each layer. */
void plan_bound(const struct plan *p, const struct target *t, struct record_layer *layers);
void plan_free(struct plan *p); /* NULL is ignored */

/* The product as the operator has it: what lies beside the blocks of packed groups is not in it. */
struct gemm plan_operator_gemm(const struct plan_layer *l);
/* Entries of the accumulators that a sum of the layer takes: two where a product of integers is
 * wider than 16 bits, since 32 bits overflow after few of them. */
int64_t plan_sum_words(const struct plan *p, const struct plan_layer *l);
/* The last node of a layer's group for which `op` is the operator's name, or NULL. */
const struct node *plan_layer_node(const struct plan *p, const struct plan_layer *l,
                                   const char *op);
/* What a layer's values are cut to on their way out: a ReLU or a clip from 0 on is fused into it.
 */
struct plan_cut {
    bool at_zero;
    double upper; /* INFINITY: nowhere */
};
struct plan_cut plan_layer_cut(const struct plan *p, const struct plan_layer *l);
/* The pooling that a layer's values go through on their way out, or NULL: a group has one at most,
 * and a ReLU behind it commutes with it. */
const struct node *plan_layer_pool(const struct plan *p, const struct plan_layer *l);
/* from_buffer: matrices behind a region of the output, from which one on. */
int64_t plan_first_matrix(const struct plan_layer *l, const struct region *out);
/* Products that are computed side by side for a region: matrices, or groups of a convolution. */
int64_t plan_groups(const struct plan_layer *l, const struct region *out);
/* Images that a chunk may have: multiples of this, whole matrices of a stack. */
int64_t plan_chunk_unit(const struct plan_layer *l);
/* Rows of the matrix product behind a region of a layer's output (fused pooling shrinks it). */
int64_t plan_gemm_rows(const struct plan *p, const struct plan_layer *l, const struct region *out);
/* What tiling.block_m cuts: these rows, or the columns where the machine keeps inputs in place. */
int64_t plan_block_rows(const struct plan *p, const struct plan_layer *l, const struct region *out);
/* The i-th chunk of a layer, image by image, rows within. */
struct region plan_chunk(const struct plan *p, const struct plan_layer *l, int64_t i_chunk);
/* Turns of a layer that shares its group are as equal as can be: so many have chunk_image images,
 * those behind them one less. */
int64_t plan_n_full_turn(const struct plan *p, const struct plan_layer *l);
/* Whether one group makes the value and reads it, and nothing of it leaves the chip. */
bool plan_is_local(const struct plan *p, int value);
bool plan_is_alone(const struct plan *p, const struct plan_layer *l); /* in its group */
int64_t plan_n_chunk(const struct plan *p, const struct plan_layer *l);
/* Input i_in as the layer computes with it: rows of features may be cut otherwise than the value
 * that they are a view of. */
struct dims plan_in_dims(const struct plan *p, const struct plan_layer *l, int i_in);
/* Whether the layer needs other images of input i_in than those of its own that it computes: of a
 * view that is cut otherwise, of a move, or of an operand that is broadcast to all images. */
bool plan_is_mapped(const struct plan *p, const struct plan_layer *l, int i_in);
/* What a region of the output needs of the value that input i_in is. *skip: elements before the
 * first that is needed. */
struct region plan_input_region(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out, int64_t *skip);
/* What of it comes over the host link for a region, if all that comes is input i_in, and whether
 * anything does: what stays as a whole comes once. */
bool plan_load_region(const struct plan *p, const struct plan_layer *l, int i_in,
                      const struct region *out, struct region *load);
/* Input rows [*row, *row + *n_row) needed for output rows of the layer's first node. */
void plan_input_rows(const struct plan *p, const struct plan_layer *l, int i_in,
                     const struct region *out, int64_t *row, int64_t *n_row);
/* Elements of input i_in before the first that a region needs. */
int64_t plan_first_needed(const struct plan *p, const struct plan_layer *l, int i_in,
                          const struct region *out);
/* Pixels of input i_in that pass the lanes for a region, and channels of each: a broadcast operand
 * is read again for each pixel of the output. */
int64_t plan_pixels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                         const struct region *out);
int64_t plan_channels_read(const struct plan *p, const struct plan_layer *l, int i_in);
/* Rows of an image of input i_in that some output row needs: where windows lie apart, or the last
 * one ends before the image does, a layer cut into rows leaves some out. */
int64_t plan_rows_needed(const struct plan *p, const struct plan_layer *l, int i_in);
