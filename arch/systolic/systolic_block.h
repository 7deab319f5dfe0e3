/* SPDX-License-Identifier: Apache-2.0 */
/* What systolic_block.c, a block's streams, and systolic_pieces.c, those of a block that drains in
 * pieces, share. */
#pragma once

#include "arch/systolic/systolic_cost.h"

/* A stream of a block, as run_stream() has it. */
struct pass {
    int64_t rows, cols; /* of the array that are paid for */
    uint64_t stream_cyc;
    double bytes;         /* of its tile, if one is fetched for it */
    uint64_t latency_cyc; /* until the last sum leaves */
    bool begins, ends, takes, fetches;
};

/* Rows of a block, or the stay of what is in the array meanwhile. */
struct rows {
    const struct block *block;
    int64_t m;
    int64_t i_stay;
};

void block_stream(struct units *u, const struct pass *p);
/* Its last row has entered at end_cyc. */
void block_leave(struct units *u, const struct pass *p, uint64_t end_cyc);

/* ws: m rows past tile i of k; and those of struct rows, for units_repeat(). */
struct pass block_pass_ws(const struct units *u, const struct block *b, int64_t m, int64_t i);
void block_stream_ws(struct units *u, const void *rows, int64_t i);

/* When the array has read from the buffer for so many cycles, as others do from now on. */
uint64_t block_read_buffer(struct units *u, uint64_t cycles, uint64_t now);

static inline uint64_t block_stream_cyc(const struct units *u, int64_t m)
{
    return (uint64_t)(int64_t)((double)m * u->row_cyc + 0.5);
}

/* The matrix unit waits until what lies in the next place has left. */
static inline void block_wait_place(struct units *u)
{
    if (u->n_placed >= u->n_place)
        units_wait(u, UNIT_MATRIX, u->drained[u->i_place]);
}

static inline int block_next_place(const struct units *u, int place)
{
    return place + 1 < u->n_place ? place + 1 : 0;
}

/* systolic_pieces.c */
void block_run_pieces(struct units *u, const struct block *b);
