/* SPDX-License-Identifier: Apache-2.0 */
/* The instructions of the systolic family and the program that they make. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct plan_step;

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

/* Numbers in a row, small ones in few bytes: seven bits a byte, the lowest first (LEB128). */
struct varints {
    uint8_t *bytes;
    size_t n_byte, n_room;
};
enum { VARINTS_AT_ONCE = 8 };
void systolic_varints_append(struct varints *v, uint64_t number);
/* Eight bytes at once, without a loop whose end is hard to predict: groups of seven bits are moved
 * together in pairs, then pairs of these, and these. Bytes beyond the last number can be read. */
static inline uint64_t systolic_varints_next(const struct varints *v, size_t *at)
{
    uint64_t b;
    memcpy(&b, v->bytes + *at, VARINTS_AT_ONCE);
    b = GUINT64_FROM_LE(b);
    const uint64_t last = ~b & UINT64_C(0x8080808080808080); /* bytes that a number may end with */
    if (last) {
        const uint64_t end = last & -last;
        *at += (size_t)__builtin_ctzll(end) / 8 + 1;
        b &= end - 1;
        b = (b & UINT64_C(0x007f007f007f007f)) | (b & UINT64_C(0x7f007f007f007f00)) >> 1;
        b = (b & UINT64_C(0x00003fff00003fff)) | (b & UINT64_C(0x3fff00003fff0000)) >> 2;
        return (b & UINT64_C(0x000000000fffffff)) | (b & UINT64_C(0x0fffffff00000000)) >> 4;
    }
    uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
        const uint8_t byte = v->bytes[(*at)++];
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return number;
    }
}

/* Instructions that a piece of a block takes: wait and product for its first tile of k; product and
 * set for its last; then, at the activation unit, wait, Activate and set. A block in one piece
 * takes as many, with Read_Weights in the place of a product. */
enum { INSN_PER_PIECE = 7, INSN_AT_ACTIVATION = 3 };

/* Instructions in program order, told in as few bytes as they take (systolic_program.c): most of
 * them wait or set, the numbers of most are small, and a run has millions. */
struct program {
    const struct plan_step *steps;
    struct varints code;
    uint32_t n_meeting;
    uint64_t *done; /* by step and array: what the counter of the unit that ends the step has
                     * reached when it is complete */
};
/* What is known of an instruction later than the instruction itself. */
enum insn_mark { MARK_LAST_OF_CHUNK = 1, MARK_KEEP = 2, MARK_KEEP_WEIGHTS = 4 };

/* Its layer is its step's; where it is for several arrays they get a meeting. Returns its place. */
size_t systolic_program_append(struct program *p, const struct insn *in);
/* The first instruction from a place on that is one of `ops`, a bit each; the place becomes the one
 * behind it. false: there is none.
 *     for (size_t at = 0; systolic_program_next(program, &at, ALL_OPS, &in);) */
bool systolic_program_next(const struct program *p, size_t *at, uint32_t ops, struct insn *in);
enum {
    SYNC_OPS = 1 << INSN_SYNC_SET | 1 << INSN_SYNC_WAIT,
    ALL_OPS = (1 << N_INSN) - 1,
    WORK_OPS = ALL_OPS & ~SYNC_OPS
};
/* Of the instruction at a place, without the others of its fields. */
enum opcode systolic_program_op(const struct program *p, size_t at);
enum unit systolic_program_unit(const struct program *p, size_t at);
uint64_t systolic_program_arrays(const struct program *p, size_t at);
size_t systolic_program_bytes(const struct program *p, size_t at);
void systolic_program_mark(struct program *p, size_t at, enum insn_mark mark);
/* Read_Weights before what it need not wait for; places change. */
void systolic_program_read_ahead(struct program *p);
