/* SPDX-License-Identifier: Apache-2.0 */
/* How a block of partial sums is cut into streams of rows, how long each of them takes, and what of
 * a block the array has from the one before: the rules that lowering, the processes and the
 * analytic model share. Pure functions of small structs; docs/systolic.md, "Dataflows". */
#pragma once

#include "arch/systolic/systolic_machine.h"
#include "sim/base/size.h"

/* What the rules look at, of a machine and one of its layers. */
struct cut {
    enum dataflow flow;
    bool trimmed;               /* array.edge */
    bool sideways;              /* what stays is shifted in by columns */
    int64_t rows, cols;         /* of the array */
    int64_t k, n, tiles_k;      /* of a group's product; tiles that k is cut into */
    uint64_t row_cyc, line_cyc; /* of a row that streams; of a row, or column, of what stays */
    uint64_t value_bytes, tile_bytes; /* of a weight, and of a whole tile of them */
};

/* A block of partial sums, or some rows of one. */
struct block {
    int64_t chunk;          /* of the layer, or a number that no other has; from 1 on */
    int64_t group;          /* of its product */
    int64_t m0, m, n0, n;   /* rows and columns of that */
    int64_t tile_n, n_tile; /* the first column of tiles that it lies in, and how many */
    uint64_t tile;          /* address of its first tile of weights */
    bool reuse;             /* what stays is in the array already */
    bool reuse_weights;     /* the weights are at the FIFO's head */
};

/* Of a size cut into tiles, the i-th. */
static inline int64_t systolic_part(int64_t size, int64_t tile, int64_t i)
{
    return MIN(tile, size - i * tile);
}

/* Rows of sums: rows of the product, or its columns where inputs stay. */
static inline int64_t systolic_entries(enum dataflow flow, int64_t m, int64_t n)
{
    return flow == FLOW_IS ? n : m;
}

/* While something stays in the array streams pass it: ws a tile of weights, past which all rows
 * come in one stream; os the sums of R rows, past which all tiles of k come; is a tile of inputs,
 * past which come the columns of weights, tile by tile. */
static inline int64_t systolic_n_stay(const struct cut *c, const struct block *b)
{
    return c->flow == FLOW_OS ? int64_div_up(b->m, c->rows) : c->tiles_k;
}

static inline int64_t systolic_n_passing(const struct cut *c, const struct block *b)
{
    return c->flow == FLOW_WS ? 1 : c->flow == FLOW_OS ? c->tiles_k : b->n_tile;
}

/* All streams are against one tile of weights. */
static inline bool systolic_one_tile(const struct cut *c, const struct block *b)
{
    return c->tiles_k == 1 && b->n_tile == 1;
}

/* Tiles of weights that are fetched for it. */
static inline int64_t systolic_n_fetched(const struct cut *c, const struct block *b)
{
    return systolic_one_tile(c, b) ? 1 : systolic_n_stay(c, b) * systolic_n_passing(c, b);
}

/* Cycles in which so many rows enter. */
static inline uint64_t systolic_enter_cyc(const struct cut *c, int64_t rows)
{
    return (uint64_t)rows * c->row_cyc;
}

/* A stream: rows that enter back to back against one tile of weights. */
struct pass {
    int64_t i_k, tile_n;  /* the tile */
    int64_t m0, m, n0, n; /* rows and columns of the product whose sums it adds to */
    int64_t rows, cols;   /* of the array that are paid for */
    uint64_t stream_cyc;  /* in which rows enter */
    uint64_t shift_cyc;   /* in which what stays was shifted in */
    uint64_t latency_cyc; /* from the end of it to its last sum in the accumulators */
    bool begins, ends;    /* what stays comes with this stream; leaves behind it */
    bool takes;           /* it waits for what is to stay, in the shadow registers */
    bool fetches;         /* it waits for weights at the FIFO's head, which stream from there */
};

/* Where sums stay they leave one after the other, once the lowest row has its last. */
static inline uint64_t systolic_latency_cyc(enum dataflow flow, int64_t rows, int64_t cols)
{
    return (uint64_t)(rows + cols - 1 + (flow == FLOW_OS ? rows - 1 : 0));
}

/* The i-th stream past the i_stay-th of what stays. */
static inline struct pass systolic_pass(const struct cut *c, const struct block *b, int64_t i_stay,
                                        int64_t i)
{
    const bool os = c->flow == FLOW_OS, is = c->flow == FLOW_IS;
    struct pass t = {.i_k = os ? i : i_stay, .tile_n = b->tile_n, .m0 = b->m0, .m = b->m};
    t.n0 = b->n0;
    t.n = b->n;
    if (os) {
        t.m0 += i_stay * c->rows;
        t.m = systolic_part(b->m, c->rows, i_stay);
    } else if (is) {
        t.tile_n += i;
        t.n0 = MAX(b->n0, t.tile_n * c->cols);
        t.n = MIN(b->n0 + b->n, (t.tile_n + 1) * c->cols) - t.n0;
    }
    const int64_t used_k = os || c->trimmed ? systolic_part(c->k, c->rows, t.i_k) : c->rows;
    t.rows = !os ? used_k : c->trimmed ? t.m : c->rows;
    t.cols = !c->trimmed ? c->cols : is ? t.m : t.n;
    t.stream_cyc = systolic_enter_cyc(c, os ? used_k : is ? t.n : t.m);
    t.shift_cyc = (uint64_t)(c->sideways && !is ? t.cols : t.rows) * c->line_cyc;
    t.latency_cyc = systolic_latency_cyc(c->flow, t.rows, t.cols);
    t.begins = c->flow == FLOW_WS || i == 0;
    t.ends = i == systolic_n_passing(c, b) - 1;
    t.takes = !os && t.begins && !b->reuse;
    t.fetches = c->flow != FLOW_WS &&
                (!systolic_one_tile(c, b) || (i_stay == 0 && i == 0 && !b->reuse_weights));
    return t;
}

/* What is fetched of a tile: with array.edge = "full" all of it. */
static inline uint64_t systolic_part_bytes(const struct cut *c, int64_t i_k, int64_t tile_n)
{
    return c->trimmed ? (uint64_t)(systolic_part(c->k, c->rows, i_k) *
                                   systolic_part(c->n, c->cols, tile_n)) *
                            c->value_bytes
                      : c->tile_bytes;
}

/* What an array has when it is through with a block. Zero: nothing that is used again. */
struct held {
    uint64_t tile;            /* address of its only tile of weights, and 1; 0: it had several */
    int64_t chunk, group, m0; /* whose inputs it had */
};

static inline struct held systolic_held(const struct cut *c, const struct block *b)
{
    return (struct held){.tile = systolic_one_tile(c, b) ? b->tile + 1 : 0,
                         .chunk = b->chunk,
                         .group = b->group,
                         .m0 = b->m0};
}

/* Whether a block uses that again: the only tile of weights, in the array or, where something else
 * stays, at the FIFO's head; and a tile of inputs that has all of K. */
static inline void systolic_reuse(const struct cut *c, struct block *b, const struct held *held)
{
    const bool weights = systolic_one_tile(c, b) && held->tile == b->tile + 1;
    const bool inputs =
        c->tiles_k == 1 && held->chunk == b->chunk && held->group == b->group && held->m0 == b->m0;
    b->reuse = c->flow == FLOW_WS ? weights : c->flow == FLOW_IS && inputs;
    b->reuse_weights = c->flow != FLOW_WS && weights;
}

/* Tiles of weights have to be read for it. */
static inline bool systolic_reads_weights(const struct cut *c, const struct block *b)
{
    return !b->reuse_weights && !(b->reuse && c->flow == FLOW_WS);
}

/* All that two blocks take of the weights is the same, tile by tile: with os each R rows need all
 * of it anew. */
static inline bool systolic_same_weights(const struct cut *c, const struct block *a,
                                         const struct block *b)
{
    return a->group == b->group && a->tile_n == b->tile_n && a->n_tile == b->n_tile &&
           (c->flow != FLOW_OS || systolic_n_stay(c, a) == systolic_n_stay(c, b));
}
