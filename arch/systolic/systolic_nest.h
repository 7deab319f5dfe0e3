/* SPDX-License-Identifier: Apache-2.0 */
/* The nest of a chunk's blocks, as one array works it off alone and several of them together. */
#pragma once

#include "arch/systolic/systolic_cost.h"

/* `size` rows, or where inputs stay columns, in n_block blocks of tiling.block_m; in each group
 * `tiles` of `across` columns, or rows, with n_block blocks each. */
struct nest {
    int64_t groups, tiles, n_block, size, across;
    bool inner, is; /* the blocks of a tile follow one another; inputs stay */
    bool keeps;     /* a chunk before it ended as this one */
};

/* A block of it. */
struct place {
    int64_t group, tile, block;
};

/* All of its streams are against one tile of weights. */
static inline bool nest_one_tile(const struct units *u, const struct block *b)
{
    return u->tiles_k == 1 && b->n_tile == 1;
}

/* What the array has of a block from the one before, */
static inline void nest_find(const struct units *u, struct block *b, const struct block *before,
                             bool same_inputs)
{
    const bool again = nest_one_tile(u, b) && nest_one_tile(u, before) && b->tile == before->tile;
    const bool is = u->s->cfg.dataflow == FLOW_IS, ws = u->s->cfg.dataflow == FLOW_WS;
    b->reuse = ws ? again : is && u->tiles_k == 1 && same_inputs;
    b->reuse_weights = !ws && again;
}

/* and of a layer's first block from the layer before. */
static inline void nest_find_first(const struct units *u, struct block *b)
{
    const bool again = !u->l->from_buffer && nest_one_tile(u, b) && u->ahead.tile == b->tile + 1;
    b->reuse = u->s->cfg.dataflow == FLOW_WS && again;
    b->reuse_weights = u->s->cfg.dataflow != FLOW_WS && again;
}

/* Of steps that have so many blocks: halves take turns, so that after an odd number of them it is
 * the second next that is as this one; and so do slots of the FIFO. */
static inline int64_t nest_alike(const struct units *u, int64_t n_block)
{
    const int64_t halves = u->l->tiling.double_buffer && n_block % 2 ? 2 : 1;
    const int64_t slots = units_alike(u, n_block * u->block_tiles);
    return slots == 1 ? halves : halves * slots / int64_gcd(halves, slots);
}

/* Where inputs stay: of steps so many blocks of columns apart, the one after which a block begins
 * again where a tile does. */
static inline int64_t nest_aligned(const struct units *u, int64_t n_block)
{
    const int64_t cols = u->s->cfg.cols;
    return cols / int64_gcd(cols, n_block * u->l->tiling.block_m);
}

/* systolic_nest.c */
struct block nest_block(const struct units *u, const struct nest *n, const struct place *at);

/* systolic_wave.c: of several arrays. */
void wave_run(struct units *u, const struct nest *n);
