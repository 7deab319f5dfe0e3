/* SPDX-License-Identifier: Apache-2.0 */
/* A plan: how a graph is laid onto a machine. Most are tiled; a machine whose layers are no tiles
 * makes its own: layers and a program, and nothing of what is said here of tiled ones.
 *
 * Layers are fused nodes in execution order. Of a tiled plan each has steps: transfers between the
 * host and the activation memory, and computations of a region of its output; groups of layers
 * interleave theirs. A family's lower() turns the steps into its own program, opaque to others.
 * plan_tiled() makes all of it; plan_free() ends it. A plan is not changed once lowered and can be
 * run many times; values are no part of it.
 *
 * Activations are laid out NHWC in the activation memory and in the host's copies, each in the
 * number format of the layer that makes it (docs/quantisation.md). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mapper/machine.h"
#include "mapper/plan_layer.h"
#include "mapper/target.h"
#include "workloads/graph.h"

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
    bool used;       /* by a layer on the machine */
    bool loaded;     /* an input of the graph, or made on the host: comes over the host link */
    bool stored;     /* an output of the graph made on the machine: goes back over it */
    bool host_reads; /* by a layer on the host */
    bool resident;   /* in the activation memory, at `address`; else in host memory, or, where one
                      * group makes it and reads it, nowhere as a whole */
    uint64_t address, size_bytes;
    int first_layer, last_layer; /* that write or read it */
    /* While it is not on the chip: that of inputs where the network's user or the host knows it,
     * else that of spilled activations; and its address there, if it ever is. */
    int outside;
    uint64_t outside_address;
};

enum step_kind { STEP_LOAD, STEP_STORE, STEP_COMPUTE, STEP_HOST, STEP_WEIGHTS };

/* STEP_LOAD: rows of value -> activation memory. STEP_STORE: back. STEP_COMPUTE: a region of the
 * layer's output. STEP_HOST: the layer on the host. STEP_WEIGHTS: the layer's weights, which stay
 * in the activation memory. Steps of a layer run in the order given as far as one unit is
 * concerned; across units what must come first is said by the `after_*` indices
 * (-1: nothing). */
struct plan_step {
    enum step_kind kind;
    int layer;
    int turn;             /* of plan->turn_layer */
    int device;           /* 0 */
    int value;            /* LOAD, STORE: what is moved */
    struct region region; /* of the output (COMPUTE) or of the value moved */
    union {
        uint64_t address; /* LOAD, STORE: of the region; COMPUTE: of the first output's */
        uint64_t out_address[PLAN_MAX_OUT]; /* COMPUTE: of each output's */
    };
    uint64_t *in_address; /* COMPUTE: of the first element needed of each input */
    int after_load, after_compute, after_store; /* last step of that kind to wait for */
    int after_weights; /* COMPUTE: the step that loads its resident weights; -1: none */
};

struct slot_need;

struct plan {
    struct arena *arena;
    const struct graph *graph;
    const struct machine *machine;
    const struct mapping
        *mapping;      /* what a file says of its layout (mapper/tiled/mapping.h), or NULL */
    struct dims *dims; /* by value, of those that have an element: see plan_dims() */
    struct plan_layer *layers;
    int n_layer;
    bool is_tiled;
    bool times_by_value; /* cycles depend on values: timing mode computes them, too */
    int64_t n_run_step;  /* a run executes the graph so many times, one step after the other */
    /* Of a tiled plan: */
    struct home *homes; /* by value */
    /* What slots of layers have been found to need, kept while they are tried: private to
     * mapper/tiled/homes.c. */
    struct slot_need *slot_needs;
    int *roots;                /* by value: the value it is a view of, itself where it is none */
    enum number *formats;      /* by value: of the roots, how a machine stores them */
    struct plan_group *groups; /* a partition of the layers, in order */
    int n_group;
    struct plan_slot *slots;
    int n_slot;
    struct plan_step *steps;
    int n_step;
    int *turn_layer; /* in order of computation: what layer each turn is of */
    int n_turn;
    uint64_t n_tried;            /* mappings of layers evaluated */
    double map_seconds;          /* that the search took */
    uint64_t activation_bytes;   /* what homes and slots take of the activation memory */
    uint64_t weight_bytes;       /* of all tiles and tables in the weight memory */
    uint64_t streamed_bytes;     /* of those that are streamed: their addresses are behind them */
    uint64_t memory_limit_bytes; /* of steps and program; 0: none */
    GHashTable *permutes;        /* private to mapper/values/permute.c */
    void *program;               /* the family's */
};

/* Layers, tilings, homes and steps of a graph on a machine. ERROR_UNSUPPORTED names the layer and
 * what would be needed; ERROR_LIMIT says what there would be too much of; ERROR_INPUT is of the
 * mapping's file. graph and target must outlive the plan. The caller then calls the family's
 * lower(). */
struct plan *plan_tiled(const struct graph *g, const struct target *t, GError **error);
/* An empty plan of one step a run, for a family that makes its own: then layers, and in lower() the
 * program. What is allocated for it goes to its arena. */
struct plan *plan_begin(const struct graph *g, const struct machine *m);
/* A layer for each node, in order. */
void plan_add_layers(struct plan *p);
/* Whether n things of size_bytes each, which are about to be made, stay within the plan's limit of
 * memory; else ERROR_LIMIT names them by `what` ("instructions"). */
bool plan_within_limit(const struct plan *p, double n, size_t size_bytes, const char *what,
                       GError **error);
/* Fills bound_cyc and `compulsory` of each layer's record: the cycles that no mapping goes below,
 * and what any must move. */
void plan_bound(const struct plan *p, const struct target *t, struct record_layer *layers);
void plan_free(struct plan *p); /* NULL is ignored */

/* A value as a machine sees it; it has an element. */
static inline struct dims plan_dims(const struct plan *p, int value)
{
    return p->dims[value];
}

/* Bytes of an element, of a row of pixels and of an image of a value as a machine stores it. */
int64_t plan_element_bytes(const struct plan *p, int value);
int64_t plan_row_bytes(const struct plan *p, int value);
int64_t plan_image_bytes(const struct plan *p, int value);
uint64_t plan_region_bytes(const struct plan *p, int value, const struct region *r);
/* How a value lies where all of it does; and how a region of it lies in the activation memory: so
 * if it is resident, else by itself. */
struct pitch plan_pitch_whole(const struct plan *p, int value);
struct pitch plan_pitch(const struct plan *p, int value, const struct region *r);
/* Where a region of a value begins in its memory outside; cycles in which all of it crosses. */
uint64_t plan_outside_address(const struct plan *p, int value, const struct region *r);
double plan_outside_cyc(const struct plan *p, int value);
/* Whether one group makes the value and reads it, and nothing of it leaves the chip. */
bool plan_is_local(const struct plan *p, int value);
bool plan_is_alone(const struct plan *p, const struct plan_layer *l); /* in its group */
