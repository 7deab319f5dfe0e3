/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a chunk in order: what of each is where the block before has left it. */
#include "arch/systolic/systolic_nest.h"

#include "sim/base/size.h"

struct block nest_block(const struct units *u, const struct nest *n, const struct place *at)
{
    const int64_t block_m = u->l->tiling.block_m, cols = u->s->cfg.cols;
    const int64_t entries = units_part(n->size, block_m, at->block),
                  across = units_part(n->across, cols, at->tile);
    const int64_t n0 = n->is ? at->block * block_m : at->tile * cols;
    const int64_t columns = n->is ? entries : across;
    const int64_t tile_n = n->is ? n0 / cols : at->tile;
    return (struct block){
        .entries = entries,
        .n0 = n0,
        .n = columns,
        .m = n->is ? across : entries,
        .tile_n = tile_n,
        .n_tile = n->is ? (n0 + columns - 1) / cols - tile_n + 1 : 1,
        /* looked at where the block has no other */
        .tile = u->tiles_k > 1 ? 0 : core_tile_address(u->s, u->l, at->group, tile_n, 0)};
}

struct at {
    const struct nest *nest;
    int64_t group, outer;
};

static void run_at(struct units *u, const void *arg, int64_t i)
{
    const struct at *at = arg;
    const struct nest *n = at->nest;
    const int64_t n_inner = n->inner ? n->n_block : n->tiles;
    const int64_t n_outer = n->inner ? n->tiles : n->n_block;
    const struct place place = {at->group, n->inner ? at->outer : i, n->inner ? i : at->outer};
    struct block b = nest_block(u, n, &place);
    if (i > 0 || at->outer > 0 || at->group > 0 || n->keeps) { /* the block before */
        const bool same_group = i > 0 || at->outer > 0;
        const int64_t outer = i > 0 ? at->outer : at->outer > 0 ? at->outer - 1 : n_outer - 1;
        const int64_t inner = i > 0 ? i - 1 : n_inner - 1;
        const int64_t group = same_group ? at->group : (at->group > 0 ? at->group : n->groups) - 1;
        const struct place was = {group, n->inner ? outer : inner, n->inner ? inner : outer};
        const struct block before = nest_block(u, n, &was);
        nest_find(u, &b, &before, same_group && place.tile == was.tile);
    } else {
        nest_find_first(u, &b);
    }
    units_block(u, &b);
    u->ahead.tile = nest_one_tile(u, &b) ? b.tile + 1 : 0;
}

static void run_outer(struct units *u, const void *arg, int64_t i)
{
    struct at at = *(const struct at *)arg;
    const struct nest *n = at.nest;
    const int64_t period = n->is && n->inner ? nest_aligned(u, 1) : 1;
    at.outer = i;
    units_repeat(u, n->inner ? n->n_block : n->tiles, period * nest_alike(u, period), run_at, &at);
}

static void run_group(struct units *u, const void *arg, int64_t i)
{
    const struct nest *n = arg;
    const struct at at = {.nest = n, .group = i};
    const int64_t period = n->is && !n->inner ? nest_aligned(u, 1) : 1;
    if (n->inner)
        units_repeat(u, n->tiles, nest_alike(u, n->n_block), run_outer, &at);
    else
        units_repeat(u, n->n_block, period * nest_alike(u, period * n->tiles), run_outer, &at);
}

static struct nest nest_of(const struct units *u, const struct region *r)
{
    const struct plan_layer *l = u->l;
    const bool is = u->s->cfg.dataflow == FLOW_IS;
    const int64_t rows = plan_gemm_rows(u->p, l, r);
    struct nest n = {.groups = plan_groups(l, r),
                     .size = is ? l->gemm.n : rows,
                     .across = is ? rows : l->gemm.n,
                     .inner = l->tiling.order == (is ? ORDER_MN : ORDER_NM),
                     .is = is};
    n.tiles = int64_div_up(n.across, u->s->cfg.cols);
    n.n_block = int64_div_up(n.size, l->tiling.block_m);
    return n;
}

int64_t nest_chunks_alike(const struct units *u, const struct region *r)
{
    if (!u->l->tiling.double_buffer)
        return 1;
    const struct nest n = nest_of(u, r);
    const int64_t n_block = int64_div_up(n.groups * n.tiles * n.n_block, u->n_array);
    return n_block == 1 ? 2 : 1; /* where they are more the halves have met within the chunk */
}

void nest_run(struct units *u, const struct region *r, bool is_first)
{
    struct nest n = nest_of(u, r);
    n.keeps = !is_first && !u->l->from_buffer;
    if (u->n_array > 1)
        wave_run(u, &n);
    else
        units_repeat(u, n.groups, nest_alike(u, n.tiles * n.n_block), run_group, &n);
}
