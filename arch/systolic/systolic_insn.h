/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of the systolic family and the program that they make. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Kinds of units that instructions are queued at: one host, and of the others one for each array.
 */
enum unit { UNIT_HOST, UNIT_WEIGHTS, UNIT_MATRIX, UNIT_ACTIVATION, UNIT_INPUTS, N_UNIT };
enum { MAX_ARRAY = 64 }; /* bits of insn.arrays */
extern const char *const systolic_unit_names[N_UNIT];

/* The instructions of Jouppi et al. (ISCA 2017), section 2; `repeat` fields as the CISC
 * instructions there have. Sync comes as set (raise the counter of the unit it is queued at) and
 * wait (until the counter of another unit has reached a value). */
enum opcode {
    INSN_READ_HOST, /* from host memory or, where a machine has its own for all, the DRAM */
    INSN_WRITE_HOST,
    INSN_READ_PARAMETERS, /* weights that are to stay: weight memory to unified buffer */
    INSN_READ_ROWS,       /* of a table in the weight memory, by indices: to the unified buffer */
    INSN_HOST_OPERATOR,   /* not the machine's: marks a layer that the host computes */
    INSN_READ_WEIGHTS,
    INSN_SHIFT_INPUTS, /* input-stationary: tiles from the unified buffer into the array */
    INSN_MATRIX_MULTIPLY,
    INSN_CONVOLVE,
    INSN_ACTIVATE,
    INSN_NORMALIZE_POOL, /* the activation unit from unified buffer to unified buffer */
    INSN_SYNC_SET,
    INSN_SYNC_WAIT,
    N_INSN
};

struct insn {
    uint8_t op, unit;
    uint8_t on;         /* SYNC_WAIT: the unit waited for */
    int8_t on_array;    /* and of which array; ALL_ARRAYS: of each, until it is done with a step */
    bool last_of_chunk; /* after it the step's part of the layer's output is where it goes */
    uint64_t arrays;    /* whose units it is for, a bit each; bit 0 alone for the host */
    int32_t layer;
    int32_t step;          /* of the plan: addresses and region */
    int32_t group, tile_n; /* matrix, ACTIVATE: which columns of the output */
    int32_t k0;            /* matrix, ws: the first tile of k */
    uint32_t repeat; /* READ_WEIGHTS, SHIFT_INPUTS: tiles; matrix: streams, see systolic_stream() */
    bool reuse;      /* matrix: the tile already in the array is used again */
    bool keep;       /* matrix: the next product uses this tile again */
    bool reuse_weights, keep_weights; /* matrix: the same of the weights at the FIFO's head */
    uint32_t
        meeting;    /* for several arrays, which wait for each other here: number of the meeting */
    int64_t m0, m;  /* matrix, READ_WEIGHTS, ACTIVATE: rows of the step's product */
    int64_t n0, n;  /* the same: output columns of the group */
    int64_t first;  /* READ_WEIGHTS: address; transfers: address outside the chip; matrix,
                     * ACTIVATE: first accumulator entry */
    uint64_t count; /* SYNC_WAIT: value, or the step; transfers, ACTIVATE: bytes; READ_ROWS: rows;
                     * NORMALIZE_POOL: cycles, in equal shares for the units that it is for */
};
enum { ALL_ARRAYS = -1 };

static inline int insn_n_array(const struct insn *in)
{
    return __builtin_popcountll(in->arrays);
}

/* The array that it is for, or the first of several. */
static inline int insn_array(const struct insn *in)
{
    return __builtin_ctzll(in->arrays);
}

/* Instructions that a piece of a block takes: wait and product for its first tile of k; product and
 * set for its last; then, at the activation unit, wait, Activate and set. A block in one piece
 * takes as many, with Read_Weights in the place of a product. */
enum { INSN_PER_PIECE = 7, INSN_AT_ACTIVATION = 3 };

struct program {
    GArray *insns; /* struct insn, in program order */
    uint32_t n_meeting;
    uint64_t *done; /* by step and array: what the counter of the unit that ends the step has
                     * reached when it is complete */
};
