/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a chunk in order: what of each is where the block before has left it, and which of
 * them the first of several arrays is dealt. */
#include <math.h>

#include "arch/systolic/systolic_cost.h"
#include "sim/base/size.h"

/* How the blocks of a nest are dealt to several arrays, one after the other. */
struct dealt {
    struct {
        double n_block; /* of the first array */
        double read;    /* blocks whose weights are read meanwhile, for whatever arrays */
    } kinds[8];         /* see kind_of() */
};

/* Blocks are alike that are the last of their tile, or find what stays, or their weights. */
static int kind_of(bool last, bool reuse, bool reuse_weights)
{
    return last << 2 | reuse << 1 | reuse_weights;
}

enum { MOST_DEALT = 1 << 8 }; /* blocks of a nest that are looked at; more are as these */

/* What block t of a nest needs: which weights, which inputs (of `is`); whether they are where the
 * array's block before has left them. */
struct place {
    int64_t weights, inputs;
    bool last, finds_weights, finds_inputs;
};

/* A nest of `tiles` in each of the groups, each with n_block blocks. */
struct nest {
    int64_t groups, tiles, n_block;
    double tiles_a_block;       /* of weights, where inputs stay */
    bool inner, is;             /* the blocks of a tile follow one another; inputs stay */
    bool fits, one_tile, keeps; /* one tile of K; of weights; the chunk before ended so as well */
    int64_t n_array;
    bool broadcast;
};

static struct place place_of(const struct nest *n, int64_t group, int64_t tile, int64_t block)
{
    const int64_t first = group * n->tiles * n->n_block;
    const int64_t weights = n->is ? (int64_t)((double)block * n->tiles_a_block) : tile;
    return (struct place){.weights = first + weights,
                          .inputs = first + (n->is ? tile : block),
                          .last = block == n->n_block - 1};
}

static struct place place_at(const struct nest *n, int64_t t)
{
    const int64_t in_group = n->tiles * n->n_block, i = t % in_group;
    return place_of(n, t / in_group, n->inner ? i / n->n_block : i % n->tiles,
                    n->inner ? i % n->n_block : i / n->tiles);
}

/* The first `some` of n_all blocks, in order. */
static void lay_places(const struct nest *n, int64_t some, int64_t n_all, struct place *places)
{
    int64_t group = 0, tile = 0, block = 0;
    for (int64_t t = 0; t < some; t++) {
        int64_t *fast = n->inner ? &block : &tile, *slow = n->inner ? &tile : &block;
        places[t] = place_of(n, group, tile, block);
        if (++*fast == (n->inner ? n->n_block : n->tiles)) {
            *fast = 0;
            ++*slow;
        }
        if (*slow == (n->inner ? n->tiles : n->n_block)) {
            *slow = 0;
            group++;
        }
        if (t >= n->n_array) {
            const struct place *was = &places[t - n->n_array];
            places[t].finds_weights = n->one_tile && places[t].weights == was->weights;
            places[t].finds_inputs = n->fits && places[t].inputs == was->inputs;
        } else if (n->keeps && n->one_tile) {
            const int64_t before = t + (n_all - 1 - t) / n->n_array * n->n_array;
            places[t].finds_weights = place_at(n, before).weights == places[t].weights;
        }
    }
}

/* Whether weights are read for the block `before` of the wave that begins with `first`, which block
 * t needs as well. */
static bool are_read(const struct place *places, int64_t before, int64_t first, int64_t t)
{
    return before >= first && places[before].weights == places[t].weights &&
           !places[before].finds_weights;
}

/* A block's weights are read for it, but where another array of its wave has them read, as the
 * block before or that of the tile, or range, before. */
static struct dealt deal(const struct nest *n)
{
    struct dealt d = {0};
    struct place places[MOST_DEALT];
    const int64_t n_all = n->groups * n->tiles * n->n_block;
    const int64_t some = MIN(n_all, MOST_DEALT / n->n_array * n->n_array);
    const int64_t period = n->inner == n->is ? (n->is ? n->n_block : n->tiles) : 1;
    const double times = (double)n_all / (double)some;
    int kind = 0;
    lay_places(n, some, n_all, places);
    for (int64_t t = 0, first = 0; t < some; t++) {
        const struct place *at = &places[t];
        if (t == first + n->n_array)
            first = t;
        if (t == first) {
            const bool reuse = n->is ? at->finds_inputs : at->finds_weights;
            const int now = kind_of(at->last, reuse, at->finds_weights);
            d.kinds[now].n_block += times;
            /* What others read counts for what this array read last. */
            kind = t == 0 || !at->finds_weights ? now : kind;
        }
        const bool shared = n->broadcast && (are_read(places, t - 1, first, t) ||
                                             are_read(places, t - period, first, t));
        d.kinds[kind].read += at->finds_weights || shared ? 0 : times;
    }
    return d;
}

/* The blocks of a chunk: `size` rows, or where inputs stay columns, in blocks of tiling.block_m; in
 * each group `tiles` of `across` columns, or rows. */
struct blocks {
    struct nest nest;
    int64_t size, across;
};

static struct block block_of(const struct units *u, const struct blocks *b, int64_t group,
                             int64_t tile, int64_t block)
{
    const int64_t block_m = u->l->tiling.block_m, cols = u->s->cfg.cols;
    const int64_t entries = units_part(b->size, block_m, block),
                  across = units_part(b->across, cols, tile);
    const int64_t n0 = b->nest.is ? block * block_m : tile * cols;
    return (struct block){
        .entries = entries,
        .n0 = n0,
        .n = b->nest.is ? entries : across,
        .m = b->nest.is ? across : entries,
        /* looked at where the block has no other */
        .tile = u->tiles_k > 1 ? 0 : core_tile_address(u->s, u->l, group, n0 / cols, 0)};
}

/* All of its streams are against one tile of weights. */
static bool one_tile(const struct units *u, const struct block *b)
{
    const int64_t cols = u->s->cfg.cols;
    return u->tiles_k == 1 && b->n0 / cols == (b->n0 + b->n - 1) / cols;
}

struct at {
    const struct blocks *blocks;
    int64_t group, outer;
};

/* What the array has of the block that comes behind another one. */
static void find(const struct units *u, struct block *b, const struct block *before,
                 bool same_inputs)
{
    const bool again = one_tile(u, b) && one_tile(u, before) && b->tile == before->tile;
    const bool is = u->s->cfg.dataflow == FLOW_IS, ws = u->s->cfg.dataflow == FLOW_WS;
    b->reuse = ws ? again : is && u->tiles_k == 1 && same_inputs;
    b->reuse_weights = !ws && again;
}

static void run_at(struct units *u, const void *arg, int64_t i)
{
    const struct at *at = arg;
    const struct nest *n = &at->blocks->nest;
    const int64_t n_inner = n->inner ? n->n_block : n->tiles;
    const int64_t n_outer = n->inner ? n->tiles : n->n_block;
    const int64_t tile = n->inner ? at->outer : i, block = n->inner ? i : at->outer;
    struct block b = block_of(u, at->blocks, at->group, tile, block);
    if (i > 0 || at->outer > 0 || at->group > 0 || n->keeps) { /* the block before */
        const bool same_group = i > 0 || at->outer > 0;
        const int64_t outer = i > 0 ? at->outer : at->outer > 0 ? at->outer - 1 : n_outer - 1;
        const int64_t inner = i > 0 ? i - 1 : n_inner - 1;
        const int64_t group = same_group ? at->group : (at->group > 0 ? at->group : n->groups) - 1;
        const int64_t was_tile = n->inner ? outer : inner;
        const struct block before =
            block_of(u, at->blocks, group, was_tile, n->inner ? inner : outer);
        find(u, &b, &before, same_group && tile == was_tile);
    } else { /* the layer before */
        const bool again = one_tile(u, &b) && u->ahead.tile == b.tile + 1;
        b.reuse = u->s->cfg.dataflow == FLOW_WS && again;
        b.reuse_weights = u->s->cfg.dataflow != FLOW_WS && again;
    }
    units_block(u, &b);
    u->ahead.tile = one_tile(u, &b) ? b.tile + 1 : 0;
}

/* Of steps that have so many blocks: halves take turns, so that after an odd number of them it is
 * the second next that is as this one. */
static int64_t alike(const struct units *u, int64_t n_block)
{
    return u->l->tiling.double_buffer && n_block % 2 ? 2 : 1;
}

static void run_outer(struct units *u, const void *arg, int64_t i)
{
    struct at at = *(const struct at *)arg;
    const struct nest *n = &at.blocks->nest;
    at.outer = i;
    units_repeat(u, n->inner ? n->n_block : n->tiles, alike(u, 1), run_at, &at);
}

static void run_group(struct units *u, const void *arg, int64_t i)
{
    const struct blocks *b = arg;
    const struct at at = {.blocks = b, .group = i};
    const struct nest *n = &b->nest;
    if (n->inner)
        units_repeat(u, n->tiles, alike(u, n->n_block), run_outer, &at);
    else
        units_repeat(u, n->n_block, alike(u, n->tiles), run_outer, &at);
}

static void run_kind(struct units *u, const void *arg, int64_t i)
{
    (void)i;
    units_block(u, arg);
}

/* The first of several arrays, kind by kind of its blocks. */
static void run_dealt(struct units *u, const struct blocks *b)
{
    const struct nest *n = &b->nest;
    const struct dealt d = deal(n);
    const double busy = (double)MIN(n->n_array, n->groups * n->tiles * n->n_block);
    const double crowd = MAX(1.0, busy / (double)core_ports(u->s));
    if (n->is)
        u->shift_cyc = crowd * (double)core_shift_cyc(u->s, u->p, u->l, 1);
    else
        u->row_cyc = crowd * (double)core_rows_cyc(u->s, u->p, u->l, 1);
    for (int i = 0; i < (int)G_N_ELEMENTS(d.kinds); i++) {
        if (d.kinds[i].n_block <= 0)
            continue;
        struct block block = block_of(u, b, 0, 0, i >> 2 ? n->n_block - 1 : 0);
        block.reuse = i >> 1 & 1;
        block.reuse_weights = i & 1;
        u->reads = d.kinds[i].read / d.kinds[i].n_block;
        units_repeat(u, (int64_t)ceil(d.kinds[i].n_block), alike(u, 1), run_kind, &block);
    }
}

void nest_run(struct units *u, const struct region *r, bool is_first)
{
    const struct plan_layer *l = u->l;
    const bool is = u->s->cfg.dataflow == FLOW_IS;
    const int64_t rows = plan_gemm_rows(u->p, l, r), cols = u->s->cfg.cols;
    struct blocks b = {.size = is ? l->gemm.n : rows, .across = is ? rows : l->gemm.n};
    b.nest = (struct nest){.groups = plan_groups(l, r),
                           .tiles = int64_div_up(b.across, cols),
                           .n_block = int64_div_up(b.size, l->tiling.block_m),
                           .tiles_a_block = (double)l->tiling.block_m / (double)cols,
                           .inner = l->tiling.order == (is ? ORDER_MN : ORDER_NM),
                           .is = is,
                           .fits = u->tiles_k == 1,
                           .one_tile = u->tiles_k == 1 && (!is || l->tiling.block_m <= cols),
                           .keeps = !is_first && !l->from_buffer,
                           .n_array = u->s->cfg.n_array,
                           .broadcast = u->s->cfg.broadcast};
    if (b.nest.n_array > 1)
        run_dealt(u, &b);
    else
        units_repeat(u, b.nest.groups, alike(u, b.nest.tiles * b.nest.n_block), run_group, &b);
}
