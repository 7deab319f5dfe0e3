/* SPDX-License-Identifier: Apache-2.0 */
/* A layer of a plan: one node of the graph and what is fused to it, how it is cut, and where its
 * weights lie. mapper/plan.h says how layers make a plan. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mapper/dims.h"
#include "mapper/region.h"
#include "workloads/graph.h"

struct plan;

#define PLAN_MAX_FUSED 4
#define PLAN_MAX_IN    32 /* inputs of a layer on the machine */
#define PLAN_MAX_OUT   8

enum layer_kind {
    LAYER_MATRIX, /* a product: gemm and choice say how */
    LAYER_VECTOR, /* element by element, a window of elements, or a move of them */
    LAYER_LOOKUP, /* rows of a table */
    LAYER_HOST,   /* what the machine cannot run, on the host */
    LAYER_OWN,    /* of a plan that is not tiled: its family knows */
};

/* C[m, n] = A[m, k] B[k, n], `groups` times side by side. m counts the whole batch. */
struct gemm {
    int64_t m, n, k, groups;
};

/* What a family decides of a layer: a struct of its own of at most a dozen integers, which it lays
 * over this one. */
struct choice {
    int64_t of_family[12];
};

struct plan_layer {
    int index;
    const char *name;  /* of the first node */
    const char *op;    /* "conv2d+relu" */
    const char *shape; /* of the output, without the batch */
    enum layer_kind kind;
    int nodes[PLAN_MAX_FUSED], n_node;
    int in[OP_MAX_IN], n_in; /* values, seen through flatten and dropout */
    union {                  /* values */
        int out;             /* the first, which alone most layers have */
        int outs[PLAN_MAX_OUT];
    };
    int n_out; /* all of as many images and rows of them */
    uint64_t macs;
    enum number format, weight_format; /* of its outputs and of its weights */

    /* LAYER_MATRIX */
    struct gemm gemm; /* as the machine multiplies it */
    struct choice choice;
    uint64_t stored_bytes; /* of its weights */
    int64_t sum_k;        /* products summed before the sum joins the accumulator; 0: all of them */
    int64_t rows_at_once; /* of the product, that the machine can finish at a time; 0: any number */
    int64_t channel_unit; /* a chunk's channels are a multiple of so many; 0: they are not cut */
    int64_t channels;     /* of the input, in one group of the operator */
    int64_t packed;       /* groups of the operator in one of gemm's: block-diagonal weights */
    bool stationary_is_activation; /* what stays in the array is no parameter: input 1, which a
                                      layer makes */
    int added;   /* input that is added to the sums on their way out, before they are cut off, image
                  * by   image and pixel by pixel of the output's; 0: none */
    bool turned; /* stationary_is_activation: its matrices lie transposed */
    uint64_t *stationary_address; /* stationary_is_activation: by chunk, of input 1 in the
                                     activation memory */

    /* LAYER_VECTOR */
    const struct plan_permute *permute; /* it moves values (mapper/values/permute.h); else NULL */
    uint32_t broadcast; /* bit j: input j is of another shape (mapper/values/broadcast.h) */

    const struct plan_lookup
        *lookup; /* LAYER_LOOKUP (mapper/values/lookup.h); its one input: indices */

    /* Chunks, and what crosses the host link for them. */
    int64_t chunk_image; /* images of a chunk */
    int64_t chunk_row;   /* rows of a chunk: all of them, or fewer of one image */
    int64_t chunk_col;   /* columns and channels of these: all of them, or, where not even a row */
    int64_t chunk_channel; /* would fit, fewer (plan_cuts_columns(), plan_cuts_channels()) */
    int group;
    int alike;         /* number of what the search takes for the same; 0: not known yet */
    int first_operand; /* its inputs' and its outputs' number among those of all layers */
    int64_t n_turn;    /* how often its group comes to it: once a chunk where other layers share the
                        * group, else once for all chunks */
    uint32_t loads;    /* bit j: input j comes over the host link for this layer */
    uint32_t stores;   /* bit k: output k goes back over it */

    uint64_t weight_address; /* of its first tile, or of its table, in the weight memory */
    int weights_of; /* the first layer with these weights, or this table: itself or another */
    bool resident;  /* they stay in the activation memory, loaded once, from the first layer that
                     * reads them to the last; `resident_address` there */
    uint64_t resident_address;
    bool streamed; /* they lie in the host's memory, and come over its link each time anew */
};

/* The product as the operator has it: without the zeros beside the blocks of packed groups. */
struct gemm plan_operator_gemm(const struct plan_layer *l);
/* Entries of the accumulators that a sum of the layer takes: two where a product of integers is
 * wider than 16 bits, since 32 bits overflow after few of them. */
int64_t plan_sum_words(const struct plan *p, const struct plan_layer *l);
/* Bytes of the layer's weights, or table, as stored, if they are streamed; else 0. */
uint64_t plan_streamed_bytes(const struct plan_layer *l);
/* Which of a layer's outputs a value is; -1: none. */
int plan_output_of(const struct plan_layer *l, int value);
/* Bytes of a row of pixels of all outputs together. */
int64_t plan_out_row_bytes(const struct plan *p, const struct plan_layer *l);
/* Whether all outputs live in the activation memory. */
bool plan_is_resident(const struct plan *p, const struct plan_layer *l);
/* What a layer's first node is. */
const struct traits *plan_layer_traits(const struct plan *p, const struct plan_layer *l);
/* The normalisation that is folded into a layer's weights, an affine function of each channel, or
 * NULL. */
const struct node *plan_layer_affine(const struct plan *p, const struct plan_layer *l);
/* The pooling that a layer's values go through on their way out, or NULL: a layer has one at most,
 * and a ReLU behind it commutes with it. */
const struct node *plan_layer_pool(const struct plan *p, const struct plan_layer *l);

/* The sum of two that a layer ends in, one of them an input (plan_layer.added), or NULL. */
const struct node *plan_layer_sum(const struct plan *p, const struct plan_layer *l);

/* What a layer's values are clamped to on their way out, by a ReLU or a clip that is fused. */
struct plan_cut {
    bool at_zero; /* from below */
    double upper; /* INFINITY: nowhere */
};
struct plan_cut plan_layer_cut(const struct plan *p, const struct plan_layer *l);

/* Products that are computed side by side for a region of the output: matrices of a stack
 * (stationary_is_activation), or groups of a convolution. */
int64_t plan_groups(const struct plan_layer *l, const struct region *out);
/* stationary_is_activation: the first of these matrices in its stack; 0 of other layers. */
int64_t plan_first_matrix(const struct plan_layer *l, const struct region *out);
/* Chunks are whole images, as many as there are. */
void plan_chunk_whole(const struct plan *p, struct plan_layer *l);
/* The chunks that a layer on the machine is computed in. */
int64_t plan_n_chunk(const struct plan *p, const struct plan_layer *l);
/* Of a chunk's images; and of these the ones that follow one another with the same pixels. */
int64_t plan_n_chunk_of_image(const struct plan *p, const struct plan_layer *l);
int64_t plan_n_chunk_of_pixels(const struct plan *p, const struct plan_layer *l);
/* The i-th chunk of a layer: image by image, within these rows, columns and then channels. */
struct region plan_chunk(const struct plan *p, const struct plan_layer *l, int64_t i_chunk);
/* A chunk has a multiple of so many images: those of a whole matrix of a stack, else one. */
int64_t plan_chunk_unit(const struct plan_layer *l);
/* Chunks of a layer that shares its group are as equal as can be: so many have chunk_image images,
 * those behind them one less. */
int64_t plan_n_full_turn(const struct plan *p, const struct plan_layer *l);

/* Rows of the matrix product behind a region of a layer's output, of one matrix where it is a
 * stack. Where pooling is fused they are more than the region's pixels. */
int64_t plan_gemm_rows(const struct plan *p, const struct plan_layer *l, const struct region *out);
/* Columns of it, of each of plan_groups(); the first one is out->channel. */
int64_t plan_gemm_columns(const struct plan *p, const struct plan_layer *l,
                          const struct region *out);
