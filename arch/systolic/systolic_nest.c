/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_nest.h"

#include "arch/systolic/systolic_choice.h"

/* A chunk's blocks. `size` rows, or where inputs stay columns, in n_block blocks of block_m; in
 * each group `tiles` of `across` columns, or rows, with n_block blocks each. */
struct nest {
    int64_t groups, tiles, n_block, size, across;
    int64_t first_n; /* column of the product, the first of a tile */
    bool inner, is;  /* the blocks of a tile follow one another; inputs stay */
    bool keeps;      /* a chunk before it ended as this one */
};

/* A block of it. */
struct place {
    int64_t group, tile, block;
};

/* Of steps that have so many blocks: halves take turns, so that after an odd number of them it is
 * the second next that is as this one; and so do slots of the FIFO. */
static inline int64_t nest_alike(const struct units *u, int64_t n_block)
{
    const int64_t halves = systolic_choice(u->l)->double_buffer && n_block % 2 ? 2 : 1;
    const int64_t slots = units_alike(u, n_block * u->block_tiles);
    return slots == 1 ? halves : halves * slots / int64_gcd(halves, slots);
}

/* Where inputs stay: of steps so many blocks of columns apart, the one after which a block begins
 * again where a tile does. */
static inline int64_t nest_aligned(const struct units *u, int64_t n_block)
{
    const int64_t cols = u->s->cfg.cols;
    return cols / int64_gcd(cols, n_block * systolic_choice(u->l)->block_m);
}

/* The blocks of a chunk in order: what of each is where the block before has left it. */

static struct block nest_block(const struct units *u, const struct nest *n, const struct place *at)
{
    const int64_t block_m = systolic_choice(u->l)->block_m, cols = u->s->cfg.cols;
    const int64_t entries = systolic_part(n->size, block_m, at->block),
                  across = systolic_part(n->across, cols, at->tile);
    const int64_t n0 = n->first_n + (n->is ? at->block * block_m : at->tile * cols);
    const int64_t columns = n->is ? entries : across;
    const int64_t tile_n = n->is ? n0 / cols : n->first_n / cols + at->tile;
    return (struct block){
        .chunk = 1,
        .group = at->group,
        .m0 = n->is ? at->tile * cols : at->block * block_m,
        .m = n->is ? across : entries,
        .n0 = n0,
        .n = columns,
        .tile_n = tile_n,
        .n_tile = n->is ? (n0 + columns - 1) / cols - tile_n + 1 : 1,
        /* looked at where the block has no other */
        .tile = u->cut.tiles_k > 1 ? 0 : systolic_tile_address(u->s, u->l, at->group, tile_n, 0)};
}

/* What the array has of a block of this chunk, or of the one before, */
static struct held held_of(const struct units *u, const struct nest *n, const struct place *at,
                           bool same_chunk)
{
    const struct block b = nest_block(u, n, at);
    struct held held = systolic_held(&u->cut, &b);
    held.chunk = same_chunk;
    return held;
}

/* and of the layer before. Tiles of other layers' values are numbered anew in each chunk. */
static struct held held_first(const struct units *u)
{
    return (struct held){.tile = u->l->stationary_is_activation ? 0 : u->ahead.tile};
}

static void run_block(struct units *u, const struct block *b)
{
    systolic_units_block(u, b);
    u->ahead.tile = systolic_held(&u->cut, b).tile;
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
    struct held held = held_first(u);
    if (i > 0 || at->outer > 0 || at->group > 0 || n->keeps) { /* the block before */
        const bool same_group = i > 0 || at->outer > 0;
        const int64_t outer = i > 0 ? at->outer : at->outer > 0 ? at->outer - 1 : n_outer - 1;
        const int64_t inner = i > 0 ? i - 1 : n_inner - 1;
        const int64_t group = same_group ? at->group : (at->group > 0 ? at->group : n->groups) - 1;
        const struct place was = {group, n->inner ? outer : inner, n->inner ? inner : outer};
        held = held_of(u, n, &was, i > 0 || at->outer > 0 || at->group > 0);
    }
    systolic_reuse(&u->cut, &b, &held);
    run_block(u, &b);
}

static void run_outer(struct units *u, const void *arg, int64_t i)
{
    struct at at = *(const struct at *)arg;
    const struct nest *n = at.nest;
    const int64_t period = n->is && n->inner ? nest_aligned(u, 1) : 1;
    at.outer = i;
    systolic_units_repeat(u, n->inner ? n->n_block : n->tiles, period * nest_alike(u, period),
                          run_at, &at);
}

static void run_group(struct units *u, const void *arg, int64_t i)
{
    const struct nest *n = arg;
    const struct at at = {.nest = n, .group = i};
    const int64_t period = n->is && !n->inner ? nest_aligned(u, 1) : 1;
    if (n->inner)
        systolic_units_repeat(u, n->tiles, nest_alike(u, n->n_block), run_outer, &at);
    else
        systolic_units_repeat(u, n->n_block, period * nest_alike(u, period * n->tiles), run_outer,
                              &at);
}

static struct nest nest_of(const struct units *u, const struct region *r)
{
    const struct plan_layer *l = u->l;
    const bool is = u->s->cfg.dataflow == FLOW_IS;
    const int64_t rows = plan_gemm_rows(u->p, l, r), columns = plan_gemm_columns(u->p, l, r);
    struct nest n = {.groups = plan_groups(l, r),
                     .size = is ? columns : rows,
                     .across = is ? rows : columns,
                     .first_n = r->channel,
                     .inner = systolic_choice(l)->order == (is ? ORDER_MN : ORDER_NM),
                     .is = is};
    n.tiles = int64_div_up(n.across, u->s->cfg.cols);
    n.n_block = int64_div_up(n.size, systolic_choice(l)->block_m);
    return n;
}

int64_t systolic_nest_alike(const struct units *u, const struct region *r)
{
    if (!systolic_choice(u->l)->double_buffer)
        return 1;
    const struct nest n = nest_of(u, r);
    const int64_t n_block = int64_div_up(n.groups * n.tiles * n.n_block, u->n_array);
    return n_block == 1 ? 2 : 1; /* where they are more the halves have met within the chunk */
}

/* Blocks that are dealt to several arrays, deal by deal. The array that has the most to do is
 * followed; of the others, what they take from the memory and the buffer at the same time. */

/* Deals of a nest, of n_array blocks each; they begin at the first of them. */
struct deals {
    const struct nest *nest;
    int64_t n_array, array;   /* the one that is followed, */
    bool coupled;             /* or of each deal the slowest: they wait for one another's reads */
    int64_t n_inner, n_outer; /* blocks that follow one another; how often they do */
    int64_t begin;            /* of the group, in blocks */
    int64_t first;            /* deal of those that are repeated */
};

static int64_t in_group(const struct nest *n)
{
    return n->tiles * n->n_block;
}

static int64_t n_all(const struct nest *n)
{
    return n->groups * in_group(n);
}

static struct place place_at(const struct deals *w, int64_t t)
{
    const struct nest *n = w->nest;
    const int64_t group = t / in_group(n), i = t - group * in_group(n);
    const int64_t outer = i / w->n_inner, inner = i - outer * w->n_inner;
    return (struct place){group, n->inner ? outer : inner, n->inner ? inner : outer};
}

static void next_place(const struct nest *n, struct place *at)
{
    int64_t *fast = n->inner ? &at->block : &at->tile, *slow = n->inner ? &at->tile : &at->block;
    if (++*fast < (n->inner ? n->n_block : n->tiles))
        return;
    *fast = 0;
    if (++*slow < (n->inner ? n->tiles : n->n_block))
        return;
    *slow = 0;
    at->group++;
}

/* Columns of weights, each with all of K, that are fetched for a block. */
static int64_t columns_of(const struct cut *c, const struct block *b)
{
    const int64_t end = (b->tile_n + b->n_tile) * c->cols;
    const int64_t columns = (c->trimmed ? MIN(end, c->n) : end) - b->tile_n * c->cols;
    return c->flow == FLOW_OS ? columns * (systolic_n_fetched(c, b) / c->tiles_k) : columns;
}

/* The block that the array had before its block t. */
static int64_t block_before(const struct deals *w, int64_t t)
{
    return t >= w->n_array ? t - w->n_array
                           : t + (n_all(w->nest) - 1 - t) / w->n_array * w->n_array;
}

/* A block of a deal, and whether its array lacks its weights. */
struct dealt {
    struct block block;
    bool reads;
};

/* What is read for block `before` of a deal, if there is one, is what block i needs. */
static bool serves(const struct cut *c, const struct dealt *deal, int64_t before, int64_t i)
{
    return before >= 0 && deal[before].reads &&
           systolic_same_weights(c, &deal[before].block, &deal[i].block);
}

/* Where all n blocks from `at` on read whole tiles, one each for all of K: how many are different,
 * 0 where they have to be looked at. */
static int64_t tiles_read(const struct units *u, const struct deals *w, const struct place *at,
                          int64_t n)
{
    const struct nest *nest = w->nest;
    if (u->s->cfg.edge != EDGE_FULL || u->s->cfg.dataflow != FLOW_WS)
        return 0;
    if (!u->s->cfg.broadcast || (!nest->inner && nest->tiles > 1 && n <= nest->tiles))
        return n;
    return nest->inner ? (at->block + n - 1) / nest->n_block + 1 : 0;
}

/* Columns of weights that are read for n blocks from the t-th on: for each, but where its array has
 * them, or another one of the deal that has them read as well, the block before or that of the tile
 * before. */
static int64_t deal_columns(const struct units *u, const struct deals *w, int64_t t, int64_t n,
                            bool finds)
{
    const struct nest *nest = w->nest;
    const bool may_find = u->cut.tiles_k == 1 && (t >= w->n_array || nest->keeps);
    const struct cut *c = &u->cut;
    struct dealt deal[MAX_ARRAY];
    int64_t columns = 0;
    struct place at = place_at(w, t), was = place_at(w, block_before(w, t));
    if (!may_find && !finds && tiles_read(u, w, &at, n) > 0)
        return tiles_read(u, w, &at, n) * u->s->cfg.cols;
    for (int64_t i = 0; i < n; i++) {
        struct block b = nest_block(u, nest, &at);
        if (may_find) {
            const struct held held = held_of(u, nest, &was, true);
            systolic_reuse(c, &b, &held);
        }
        deal[i] = (struct dealt){b, may_find ? systolic_reads_weights(c, &b) : !finds};
        const bool shared = u->s->cfg.broadcast &&
                            (serves(c, deal, i - 1, i) || serves(c, deal, i - w->n_inner, i));
        columns += deal[i].reads && !shared ? columns_of(c, &b) : 0;
        next_place(nest, &at);
        next_place(nest, &was);
        if (was.group == nest->groups) /* arrays beyond have one block less */
            was = place_at(w, MAX(n_all(nest) - w->n_array, 0));
    }
    return columns;
}

/* Others wait for tiles while this array has its own: they are late until it waits for its next. */
static void others_read(struct units *u, double columns)
{
    const uint64_t there = systolic_units_others_read(u, columns), now = u->free[UNIT_MATRIX];
    u->late = MAX(u->late, there > now ? there - now : 0);
}

/* What all arrays of the deal that begins with block `first` take at once, by what the one does
 * that is followed. */
static void share(struct units *u, const struct deals *w, int64_t first, const struct block *b)
{
    const struct nest *n = w->nest;
    const int64_t busy = MIN(w->n_array, n_all(n) - first);
    const bool finds = !systolic_reads_weights(&u->cut, b);
    u->crowd = (double)busy / (double)systolic_core_ports(u->s);
    if (systolic_from_buffer(u->l))
        return;
    const int64_t all = deal_columns(u, w, first, busy, finds);
    u->late = finds ? u->late : 0;
    if (!finds)
        u->reads = (double)all / (double)columns_of(&u->cut, b);
    else if (all > 0)
        others_read(u, (double)all);
}

/* The first block of a deal that is no smaller than others. */
static int64_t largest(const struct deals *w, int64_t first)
{
    const struct nest *n = w->nest;
    const int64_t busy = MIN(w->n_array, n_all(n) - first);
    struct place at = place_at(w, first);
    for (int64_t i = 0; i < busy; i++) {
        if (at.block < n->n_block - 1)
            return i;
        next_place(n, &at);
    }
    return 0;
}

static void run_deal(struct units *u, const void *arg, int64_t i)
{
    const struct deals *w = arg;
    const int64_t first = (w->first + i) * w->n_array;
    const int64_t t = first + (w->coupled ? largest(w, first) : w->array);
    if (t >= n_all(w->nest))
        return;
    const struct place at = place_at(w, t);
    struct block b = nest_block(u, w->nest, &at);
    struct held held = held_first(u);
    if (first > 0 || w->nest->keeps) {
        const struct place was = place_at(w, block_before(w, t));
        held = held_of(u, w->nest, &was, first > 0);
    }
    systolic_reuse(&u->cut, &b, &held);
    share(u, w, first, &b);
    run_block(u, &b);
}

/* After so many times `a` it comes out nearest to a multiple of b. */
static int64_t period_of(int64_t a, int64_t b)
{
    enum { MOST = 16 };
    int64_t best = 1;
    double least = 1;
    for (int64_t p = 1; p <= MOST && least > 0; p++) {
        const int64_t over = p * a % b;
        const double off = (double)MIN(over, b - over) / (double)(p * a);
        if (off < least) {
            least = off;
            best = p;
        }
    }
    return best;
}

/* Those that begin in blocks [from, to). */
static void run_deals(struct units *u, const struct deals *w, int64_t from, int64_t to,
                      int64_t period)
{
    struct deals some = *w;
    some.first = int64_div_up(from, w->n_array);
    const int64_t n = int64_div_up(to, w->n_array) - some.first;
    systolic_units_repeat(u, n, nest_alike(u, period) * period, run_deal, &some);
}

/* Deals that are larger than what is repeated in them. */
static void run_large_deals(struct units *u, const struct deals *w, int64_t from, int64_t to,
                            int64_t size)
{
    int64_t period = period_of(w->n_array, size);
    if (w->nest->is && !w->nest->inner)
        period *= nest_aligned(u, period * w->n_array / w->n_inner);
    run_deals(u, w, from, to, period);
}

static int64_t period_of_items(const struct units *u, const struct deals *w, int64_t size)
{
    const int64_t p = period_of(size, w->n_array);
    return p * nest_alike(u, (p * size + w->n_array / 2) / w->n_array);
}

static void run_outer_deals(struct units *u, const void *arg, int64_t i)
{
    const struct deals *w = arg;
    const int64_t from = w->begin + i * w->n_inner;
    const bool across = w->nest->is && w->nest->inner;
    run_deals(u, w, from, from + w->n_inner, across ? nest_aligned(u, w->n_array) : 1);
}

static void run_group_deals(struct units *u, const void *arg, int64_t i)
{
    struct deals w = *(const struct deals *)arg;
    w.begin = i * in_group(w.nest);
    const bool across = w.nest->is && !w.nest->inner;
    if (w.n_inner >= w.n_array)
        systolic_units_repeat(u, w.n_outer,
                              period_of_items(u, &w, w.n_inner) * (across ? nest_aligned(u, 1) : 1),
                              run_outer_deals, &w);
    else
        run_large_deals(u, &w, w.begin, w.begin + in_group(w.nest), w.n_inner);
}

/* The array that has the most rows of sums to make. Of many deals it is the first: blocks at the
 * edges, which are smaller, come to it no more often than to others. */
static int64_t busiest(const struct units *u, const struct deals *w)
{
    enum { MANY = 8 };
    const struct nest *n = w->nest;
    const int64_t n_block = n_all(n);
    int64_t rows[MAX_ARRAY] = {0}, most = 0;
    struct place at = {0};
    if (n->size % systolic_choice(u->l)->block_m == 0 || n_block > MANY * w->n_array)
        return 0;
    for (int64_t t = 0, array = 0; t < n_block; t++) {
        rows[array] += systolic_part(n->size, systolic_choice(u->l)->block_m, at.block);
        array = array + 1 < w->n_array ? array + 1 : 0;
        next_place(n, &at);
    }
    for (int64_t i = 1; i < w->n_array; i++)
        most = rows[i] > rows[most] ? i : most;
    return most;
}

static struct deals deals_of(const struct units *u, const struct nest *n)
{
    struct deals w = {.nest = n,
                      .n_array = u->s->cfg.n_array,
                      .n_inner = n->inner ? n->n_block : n->tiles,
                      .n_outer = n->inner ? n->tiles : n->n_block};
    w.coupled = u->s->cfg.broadcast && n->inner != n->is;
    w.array = w.coupled ? 0 : busiest(u, &w);
    return w;
}

static void deal_blocks(struct units *u, struct deals *w)
{
    const struct nest *n = w->nest;
    const int64_t size = in_group(n);
    u->abreast = u->abreast_ports = true;
    u->late = 0;
    if (size >= w->n_array)
        systolic_units_repeat(u, n->groups, period_of_items(u, w, size), run_group_deals, w);
    else
        run_large_deals(u, w, 0, n_all(n), size);
    u->free[UNIT_ACTIVATION] += u->late;
}

/* The FIFO takes tiles of the first block, if it needs any, while its inputs are on their way:
 * where both come over one bus each is later for the other. */
static void fetch_ahead(struct units *u, const struct nest *n, const struct deals *w)
{
    const bool stays = u->cut.tiles_k == 1 && (n->groups * n->tiles == 1 || n->is);
    if (!units_shares_bus(u) || stays)
        return;
    if (u->n_array > 1) {
        const struct place at = place_at(w, w->coupled ? largest(w, 0) : w->array);
        const int64_t all = deal_columns(u, w, 0, MIN(w->n_array, n_all(n)), false);
        const struct block b = nest_block(u, n, &at);
        if (all == 0)
            return; /* every array has its own */
        u->reads = (double)all / (double)columns_of(&u->cut, &b);
        u->abreast = true;
    }
    systolic_units_fetch_ahead(u, u->block_tiles);
}

void systolic_nest_run(struct units *u, const struct region *r, uint64_t block, uint64_t stored,
                       bool is_first)
{
    struct nest n = nest_of(u, r);
    n.keeps =
        !is_first && !u->l->stationary_is_activation && plan_n_chunk_of_pixels(u->p, u->l) == 1;
    struct deals w = {.nest = &n};
    if (u->n_array > 1)
        w = deals_of(u, &n);
    fetch_ahead(u, &n, &w);
    systolic_units_wait_stored(u, stored);
    const uint64_t loaded = systolic_units_wait_inputs(u, UNIT_MATRIX, block);
    u->free[UNIT_INPUTS] = MAX(u->free[UNIT_INPUTS], loaded);
    if (u->l->stationary_is_activation)
        u->free[UNIT_WEIGHTS] = MAX(u->free[UNIT_WEIGHTS], loaded);
    if (u->weights > 0)
        u->free[UNIT_WEIGHTS] = MAX(u->free[UNIT_WEIGHTS], systolic_units_arrival(u, u->weights));
    if (u->n_array > 1)
        deal_blocks(u, &w);
    else
        systolic_units_repeat(u, n.groups, nest_alike(u, n.tiles * n.n_block), run_group, &n);
}
