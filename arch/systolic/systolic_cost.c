/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: what the processes do, worked out a layer at a time by the recurrence of
 * systolic_units.c (docs/systolic-analytic.md). */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic_units.h"
#include "mapper/values/lookup.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

/* `size` rows, or where inputs stay columns, in n_block blocks of block_m; in each group
 * `tiles` of `across` columns, or rows, with n_block blocks each. */
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
    const bool again =
        !u->l->stationary_is_activation && nest_one_tile(u, b) && u->ahead.tile == b->tile + 1;
    b->reuse = u->s->cfg.dataflow == FLOW_WS && again;
    b->reuse_weights = u->s->cfg.dataflow != FLOW_WS && again;
}

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
    const int64_t entries = units_part(n->size, block_m, at->block),
                  across = units_part(n->across, cols, at->tile);
    const int64_t n0 = n->first_n + (n->is ? at->block * block_m : at->tile * cols);
    const int64_t columns = n->is ? entries : across;
    const int64_t tile_n = n->is ? n0 / cols : n->first_n / cols + at->tile;
    return (struct block){
        .entries = entries,
        .n0 = n0,
        .n = columns,
        .m = n->is ? across : entries,
        .tile_n = tile_n,
        .n_tile = n->is ? (n0 + columns - 1) / cols - tile_n + 1 : 1,
        /* looked at where the block has no other */
        .tile = u->tiles_k > 1 ? 0 : systolic_tile_address(u->s, u->l, at->group, tile_n, 0)};
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
    systolic_units_block(u, &b);
    u->ahead.tile = nest_one_tile(u, &b) ? b.tile + 1 : 0;
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

static int64_t nest_chunks_alike(const struct units *u, const struct region *r)
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

/* Weights that a block needs: which tile is the first, and columns of all that are fetched, each
 * with all of K. */
struct need {
    int64_t first, columns;
    bool read; /* its array has them not */
};

static struct need need_of(const struct units *u, const struct nest *n, const struct place *at)
{
    const int64_t cols = u->s->cfg.cols, block_m = systolic_choice(u->l)->block_m;
    const bool trimmed = u->s->cfg.edge == EDGE_TRIMMED;
    if (!n->is) {
        const int64_t columns = trimmed ? units_part(n->across, cols, at->tile) : cols;
        const int64_t rows = units_part(n->size, block_m, at->block);
        const bool anew = u->s->cfg.dataflow == FLOW_OS && u->tiles_k > 1;
        return (struct need){.first = at->group * n->tiles + at->tile,
                             .columns =
                                 anew ? columns * int64_div_up(rows, u->s->cfg.rows) : columns};
    }
    const int64_t begin = at->block * block_m / cols;
    const int64_t end = int64_div_up(MIN((at->block + 1) * block_m, n->size), cols);
    const int64_t columns = (trimmed ? MIN(end * cols, n->size) : end * cols) - begin * cols;
    return (struct need){.first = at->group * int64_div_up(n->size, cols) + begin,
                         .columns = columns};
}

/* The block that the array had before its block t. */
static int64_t block_before(const struct deals *w, int64_t t)
{
    return t >= w->n_array ? t - w->n_array
                           : t + (n_all(w->nest) - 1 - t) / w->n_array * w->n_array;
}

/* What is read for block `before` of a deal, if there is one, is what block i needs. */
static bool serves(const struct need *needs, int64_t before, int64_t i)
{
    return before >= 0 && needs[before].read && needs[before].first == needs[i].first &&
           needs[before].columns == needs[i].columns;
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
    const bool may_find = u->tiles_k == 1 && (t >= w->n_array || nest->keeps);
    struct need needs[MAX_ARRAY];
    int64_t columns = 0;
    struct place at = place_at(w, t), was = place_at(w, block_before(w, t));
    if (!may_find && !finds && tiles_read(u, w, &at, n) > 0)
        return tiles_read(u, w, &at, n) * u->s->cfg.cols;
    for (int64_t i = 0; i < n; i++) {
        needs[i] = need_of(u, nest, &at);
        needs[i].read = may_find || !finds;
        if (may_find && needs[i].columns <= u->s->cfg.cols) {
            const struct need last = need_of(u, nest, &was);
            needs[i].read = last.first != needs[i].first || last.columns > u->s->cfg.cols;
        }
        const bool shared =
            u->s->cfg.broadcast && (serves(needs, i - 1, i) || serves(needs, i - w->n_inner, i));
        columns += needs[i].read && !shared ? needs[i].columns : 0;
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
static void share(struct units *u, const struct deals *w, int64_t first, int64_t t,
                  const struct block *b)
{
    const struct nest *n = w->nest;
    const int64_t busy = MIN(w->n_array, n_all(n) - first);
    const bool finds = b->reuse_weights || (b->reuse && !n->is);
    u->crowd = (double)busy / (double)systolic_core_ports(u->s);
    if (systolic_from_buffer(u->l))
        return;
    const struct place at = place_at(w, t);
    const int64_t all = deal_columns(u, w, first, busy, finds);
    u->late = finds ? u->late : 0;
    if (!finds)
        u->reads = (double)all / (double)need_of(u, n, &at).columns;
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
    if (first > 0 || w->nest->keeps) {
        const struct place was = place_at(w, block_before(w, t));
        const struct block before = nest_block(u, w->nest, &was);
        nest_find(u, &b, &before, first > 0 && at.group == was.group && at.tile == was.tile);
    } else {
        nest_find_first(u, &b);
    }
    share(u, w, first, t, &b);
    systolic_units_block(u, &b);
    u->ahead.tile = nest_one_tile(u, &b) ? b.tile + 1 : 0;
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
        rows[array] += units_part(n->size, systolic_choice(u->l)->block_m, at.block);
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
    const bool stays = u->tiles_k == 1 && (n->groups * n->tiles == 1 || n->is);
    if (!units_shares_bus(u) || stays)
        return;
    if (u->n_array > 1) {
        const struct place at = place_at(w, w->coupled ? largest(w, 0) : w->array);
        const int64_t all = deal_columns(u, w, 0, MIN(w->n_array, n_all(n)), false);
        u->reads = (double)all / (double)need_of(u, n, &at).columns;
        u->abreast = true;
    }
    systolic_units_fetch_ahead(u, u->block_tiles);
}

/* Waits for the inputs of a chunk. */
static uint64_t wait_inputs(struct units *u, enum unit unit, uint64_t block)
{
    const uint64_t loaded = systolic_units_arrival(u, block);
    if (loaded > u->free[unit]) {
        u->work.input += (double)(loaded - u->free[unit]);
        units_wait(u, unit, loaded);
    }
    return loaded;
}

/* What the outputs of a chunk overwrite has been stored. */
static void wait_stored(struct units *u, uint64_t block)
{
    if (block > 0)
        u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], systolic_units_arrival(u, block));
}

static void nest_run(struct units *u, const struct region *r, uint64_t block, uint64_t stored,
                     bool is_first)
{
    struct nest n = nest_of(u, r);
    n.keeps =
        !is_first && !u->l->stationary_is_activation && plan_n_chunk_of_pixels(u->p, u->l) == 1;
    struct deals w = {.nest = &n};
    if (u->n_array > 1)
        w = deals_of(u, &n);
    fetch_ahead(u, &n, &w);
    wait_stored(u, stored);
    const uint64_t loaded = wait_inputs(u, UNIT_MATRIX, block);
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

/* The analytic model: what the processes do, worked out a layer at a time by the recurrence of
 * systolic_units.c (docs/systolic-analytic.md). A layer is a row of chunks, behind a barrier. */

G_STATIC_ASSERT(sizeof(struct ahead) <= sizeof(((struct cost_state *)NULL)->family));

/* What the DMA engine moves for a chunk: cycles of each bus, and from the last of them to the
 * arrival. Start-up of the link and set-up for it take time of the link, as nothing else uses it
 * meanwhile. */
struct moves {
    double cyc[N_BUS], tail_cyc[N_BUS];
};

static void add_move(struct moves *moves, const struct systolic *s, const struct plan *p, int value,
                     double bytes, bool is_write)
{
    const double setup_cyc = s->cfg.dma_setup_ns * 1e-9 * s->clock_hz;
    if (bytes <= 0)
        return;
    if (systolic_crosses_link(s, p, value)) {
        moves->cyc[BUS_LINK] += bytes / machine_memory(s->machine, ROLE_INPUTS)->bytes_per_cyc +
                                s->cfg.host_latency_ns * 1e-9 * s->clock_hz + setup_cyc;
        return;
    }
    if (s->stream_bytes_per_cyc > 0)
        moves->cyc[BUS_MEMORY] += bytes / s->stream_bytes_per_cyc;
    moves->tail_cyc[BUS_MEMORY] += setup_cyc + (is_write ? 0 : s->first_byte_cyc);
}

static double moves_cyc(const struct moves *m)
{
    double cycles = 0;
    for (int i = 0; i < N_BUS; i++)
        cycles += m->cyc[i] + m->tail_cyc[i];
    return cycles;
}

/* Of input j of a chunk; plan_load_region() without its regions, where there is no need of them. */
static double input_bytes(const struct plan *p, const struct plan_layer *l, int j,
                          const struct region *r)
{
    const int v = l->in[j];
    struct region load = *r;
    if (!plan_is_mapped(p, l, j) && r->n_row == plan_dims(p, l->out).h &&
        plan_n_chunk_of_image(p, l) == 1)
        return (double)(r->n_image * plan_image_bytes(p, v));
    return plan_load_region(p, l, j, r, &load) ? (double)plan_region_bytes(p, v, &load) : 0;
}

static struct moves loads_of(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l, const struct region *r)
{
    struct moves moves = {0};
    for (int j = 0; j < l->n_in && l->loads >> j; j++)
        if (l->loads >> j & 1)
            add_move(&moves, s, p, l->in[j], input_bytes(p, l, j, r), false);
    return moves;
}

static double output_bytes(const struct plan *p, const struct plan_layer *l, int k,
                           const struct region *r)
{
    const struct region part = plan_output_region(p, l, k, r);
    return (double)plan_region_bytes(p, l->outs[k], &part);
}

static struct moves stores_of(const struct systolic *s, const struct plan *p,
                              const struct plan_layer *l, const struct region *r)
{
    struct moves moves = {0};
    for (int k = 0; k < l->n_out; k++)
        if (l->stores >> k & 1)
            add_move(&moves, s, p, l->outs[k], output_bytes(p, l, k, r), true);
    return moves;
}

/* The DMA engine moves a chunk in n_copy copies, when what was there before is done with; the
 * number of its last block. */
static uint64_t transfer(struct units *u, const struct moves *m, int n_copy, uint64_t after)
{
    enum { WAIT_COPY_SET = 3 };
    uint64_t block = 0, n_insn = (uint64_t)n_copy * (after > 0 ? WAIT_COPY_SET : WAIT_COPY_SET - 1);
    for (int i = 0; i < N_BUS; i++) {
        if (m->cyc[i] + m->tail_cyc[i] <= 0)
            continue;
        block = systolic_units_block_begin(u, i, ceil(m->cyc[i]), m->tail_cyc[i], n_insn, after);
        n_insn = 0;
    }
    return block;
}

/* Weights that are to stay come as a block before the layer's first tile is asked for. */
static void load_weights(struct units *u, uint64_t now_cyc)
{
    const struct systolic *s = u->s;
    const double bytes = (double)u->l->stored_bytes;
    struct moves moves = {0};
    if (!u->l->resident || u->l->weights_of != u->l->index)
        return;
    if (s->stream_bytes_per_cyc > 0)
        moves.cyc[BUS_MEMORY] = bytes / s->stream_bytes_per_cyc;
    moves.tail_cyc[BUS_MEMORY] = s->first_byte_cyc + s->cfg.dma_setup_ns * 1e-9 * s->clock_hz;
    u->weights = transfer(u, &moves, 1, now_cyc);
    u->work.bytes += bytes;
}

/* The DMA sends an address a cycle for each row of a table, and waits for the last one; meanwhile
 * the memory that it lies in, or the link to it, does nothing else. */
static void look_up(struct units *u, const struct region *r)
{
    const struct systolic *s = u->s;
    const double n = (double)r->n_image, bytes = (double)lookup_row_bytes(u->p, u->l);
    const double row = u->bus.bytes_per_cyc > 0 ? units_bus_cyc(u, 1, bytes) : 0;
    const double cycles = s->cfg.dma_setup_ns * 1e-9 * s->clock_hz + MAX(n * row, n - 1 + row) +
                          u->bus.first_byte_cyc;
    struct ahead *a = &u->ahead;
    const uint64_t before = systolic_units_arrival(u, a->blocks.n_block);
    double *bus = &a->blocks.bus[u->bus.index];
    a->host = MAX(MAX(a->host, before), units_issue(u, UNIT_HOST));
    a->host = MAX(a->host, u->begin);
    *bus = MAX(*bus, (double)a->host) + n * row;
    a->host += cycles_ceil(cycles);
    u->work.blocks += cycles;
    units_issue(u, UNIT_HOST);
    u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], a->host); /* the barrier */
}

/* A chunk of the layer, whose inputs come with the block of number `loaded`, and what its outputs
 * overwrite has left with that of number `stored`; 0: there is none. Where chunks share their
 * inputs, tiles were asked for before that. */
static void compute(struct units *u, const struct region *r, uint64_t loaded, uint64_t stored,
                    bool is_first)
{
    const struct systolic *s = u->s;
    const bool ahead = u->l->kind == LAYER_MATRIX && plan_n_chunk_of_pixels(u->p, u->l) > 1;
    if (!ahead)
        wait_stored(u, stored);
    if (u->l->kind == LAYER_MATRIX) {
        nest_run(u, r, loaded, ahead ? stored : 0, is_first);
        return;
    }
    wait_inputs(u, UNIT_ACTIVATION, loaded);
    if (u->l->kind == LAYER_LOOKUP) {
        look_up(u, r);
        return;
    }
    const struct plan_step step = {.layer = u->l->index, .region = *r};
    const uint64_t cycles = systolic_share_cyc(s, systolic_vector_cyc(s, u->p, &step));
    if (u->n_array > 1 && is_first)
        units_next(u, UNIT_ACTIVATION); /* Sync wait for those of the others */
    units_next(u, UNIT_ACTIVATION);
    u->free[UNIT_ACTIVATION] += cycles;
    u->work.activation += (double)cycles;
    units_next(u, UNIT_ACTIVATION);
}

/* Of an image as many rows of chunks, of each of these columns, and of each of these channels. */
struct chunks {
    int64_t n, n_row, n_col, n_channel;
    int64_t alike; /* those that are so only together */
    int n_load;
    int64_t first; /* of the image, the row, the pixels */
};

/* The next chunk is loaded ahead of computing this one, whose results are then stored. */
static void run_chunk(struct units *u, const void *arg, int64_t i)
{
    const struct chunks *c = arg;
    const int64_t at = c->first + i;
    const struct region r = plan_chunk(u->p, u->l, at);
    const uint64_t loaded = u->loaded;
    const bool resident = plan_is_resident(u->p, u->l);
    if (at + 1 < c->n && c->n_load > 0) {
        const struct region next = plan_chunk(u->p, u->l, at + 1);
        const struct moves loads = loads_of(u->s, u->p, u->l, &next);
        u->loaded = transfer(u, &loads, c->n_load, u->done);
    }
    const uint64_t stored = resident ? u->ahead.stored : u->stored[1];
    compute(u, &r, loaded, stored, at == 0);
    u->done = u->free[UNIT_ACTIVATION];
    if (!u->l->stores)
        return;
    const struct moves stores = stores_of(u->s, u->p, u->l, &r);
    u->stored[1] = u->stored[0];
    u->stored[0] = transfer(u, &stores, __builtin_popcount(u->l->stores), u->done);
}

/* During the last but one of each dimension the last one is loaded, which may be smaller. */
static void run_inner(struct units *u, const struct chunks *c, int64_t n, int64_t size,
                      void (*step)(struct units *u, const void *arg, int64_t i))
{
    systolic_units_repeat(u, n - 1, size % c->alike ? c->alike : 1, step, c);
    step(u, c, n - 1);
}

static void run_pixels(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first += i * c.n_channel;
    run_inner(u, &c, c.n_channel, 1, run_chunk);
}

static void run_row(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first += i * c.n_col * c.n_channel;
    run_inner(u, &c, c.n_col, c.n_channel, run_pixels);
}

static void run_image(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first = i * c.n_row * c.n_col * c.n_channel;
    run_inner(u, &c, c.n_row, c.n_col * c.n_channel, run_row);
}

static void run_layer(struct units *u, uint64_t now_cyc)
{
    const struct region first = plan_chunk(u->p, u->l, 0);
    const struct dims o = plan_dims(u->p, u->l->out);
    const int64_t in_image = plan_n_chunk_of_image(u->p, u->l);
    struct chunks c = {.n = plan_n_chunk(u->p, u->l),
                       .n_row = int64_div_up(o.h, u->l->chunk_row),
                       .n_channel = plan_n_chunk_of_pixels(u->p, u->l),
                       .alike = 1,
                       .n_load = __builtin_popcount(u->l->loads)};
    c.n_col = in_image / c.n_row / c.n_channel;
    if (c.n > 3 && u->l->kind == LAYER_MATRIX) /* else all are worked off */
        c.alike = nest_chunks_alike(u, &first);
    load_weights(u, now_cyc);
    if (c.n_load > 0) {
        const struct moves loads = loads_of(u->s, u->p, u->l, &first);
        u->loaded = transfer(u, &loads, c.n_load, now_cyc);
    }
    run_inner(u, &c, c.n / in_image, in_image, run_image);
}

static bool reads(const struct plan_layer *l, int value)
{
    for (int j = 0; j < l->n_in; j++)
        if (l->in[j] == value)
            return true;
    return false;
}

/* A layer on the host before this one has had its input stored, or is one of the inputs before. */
static bool is_stored(const struct plan *p, const struct plan_layer *l, int i_in)
{
    for (int j = 0; j < i_in; j++)
        if (l->in[j] == l->in[i_in])
            return true;
    for (int i = 0; i < l->index; i++)
        if (p->layers[i].kind == LAYER_HOST && reads(&p->layers[i], l->in[i_in]))
            return true;
    return false;
}

/* What a layer on the host makes leave the chip: what it reads and nobody stored before. */
static struct moves host_stores_of(const struct systolic *s, const struct plan *p,
                                   const struct plan_layer *l)
{
    struct moves moves = {0};
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (!h->loaded && h->resident && !h->stored && !is_stored(p, l, j))
            add_move(&moves, s, p, l->in[j],
                     (double)(shape_count(&p->graph->values[l->in[j]].shape) *
                              plan_element_bytes(p, l->in[j])),
                     true);
    }
    return moves;
}

static void finish(struct cost_state *state, double cycles, struct cost_behind *out)
{
    out->cycles = (uint64_t)(cycles + 0.5);
    out->start_cycle = state->now_cyc;
    state->now_cyc += out->cycles;
    out->end_cycle = state->now_cyc;
}

/* Zero before the first layer. */
static struct ahead ahead_of(const struct cost_state *state)
{
    struct ahead a;
    memcpy(&a, state->family, sizeof a);
    if (a.blocks.n_arrived == a.blocks.n_block)
        a.blocks.due = INFINITY;
    return a;
}

/* What the units do over the layer's end, which comes `later` than they have it. */
static void keep_ahead(struct cost_state *state, const struct units *u, uint64_t later)
{
    struct ahead a = u->ahead;
    const struct queue *q = &u->queues[UNIT_ACTIVATION];
    a.taken = q->taken[q->i] + q->moved + later;
    a.request = u->free[UNIT_WEIGHTS] + later;
    systolic_blocks_delay(&a.blocks, (double)later);
    for (int i = 0; i < N_BUS; i++)
        a.blocks.bus[i] += (double)later;
    for (int i = 0; i < u->n_slot; i++)
        a.slots[i] += later;
    a.shadow += later;
    a.issue += later;
    a.next_read += later;
    a.before.end_cyc += later;
    a.stored = u->l->stores ? u->stored[0] : a.stored;
    state->end_cyc = MAX(state->now_cyc, cycles_ceil(systolic_blocks_end(&a.blocks)));
    memcpy(state->family, &a, sizeof a);
}

/* What the next layer on the machine loads comes behind what the host does; if it loads nothing it
 * does not wait. */
static bool is_waited_for(const struct plan *p, const struct plan_layer *l)
{
    for (int i = l->index + 1; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST)
            return p->layers[i].loads != 0;
    return true;
}

static void cost_host(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                      struct cost_state *state, struct cost_behind *out)
{
    struct ahead a = ahead_of(state);
    const struct moves stores = host_stores_of(s, p, l);
    const double begin = (double)MAX(state->now_cyc, a.host);
    for (int i = 0; i < N_BUS; i++) {
        const struct blocks_waiting w = {i, begin, stores.cyc[i], stores.tail_cyc[i]};
        if (w.left_cyc + w.tail_cyc > 0)
            a.stored = systolic_blocks_add(&a.blocks, s->burst_cyc, &w);
    }
    const double arrived = systolic_blocks_arrival(&a.blocks, s->burst_cyc, a.blocks.n_block);
    a.host = cycles_ceil(MAX(begin, arrived)) + systolic_host_cyc(s, p, l);
    finish(state, is_waited_for(p, l) ? (double)(a.host - state->now_cyc) : 0, out);
    state->end_cyc = a.host;
    memcpy(state->family, &a, sizeof a);
}

/* The array's stalls are those of its cycles in which it does not work. */
static void put_work(const struct work *w, struct cost_behind *out)
{
    const double idle = MAX((double)out->cycles - ceil(w->busy), 0);
    const double stall = MIN(w->stall, idle), shift = MIN(w->shift, idle - stall);
    out->parameter_bytes = (uint64_t)(w->bytes + 0.5);
    if (!out->stall_cyc)
        return;
    out->stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)stall;
    out->stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)MIN(w->input, idle);
}

/* A pass of a layer that shares its group: cycles from now on, its inputs there after `load`. */
static uint64_t run_turn(struct units *u, const struct systolic *s, const struct plan *p,
                         const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc,
                         int64_t i_chunk, double load, bool is_first)
{
    const struct region r = plan_chunk(p, l, i_chunk);
    systolic_units_begin(u, s, p, l, ahead, now_cyc);
    u->begin = now_cyc + cycles_ceil(load);
    if (is_first)
        load_weights(u, now_cyc);
    compute(u, &r, 0, 0, true);
    return u->free[UNIT_ACTIVATION] - now_cyc;
}

/* Its tiles come over the bus of its transfers. */
static bool shares_bus(const struct systolic *s, const struct plan_layer *l)
{
    return l->streamed || (systolic_has_dram(s) && !systolic_from_buffer(l));
}

/* A layer that shares its group: a pass a chunk, each behind a barrier, while the host link moves
 * what the chunks before and behind need. The group's last layer bears what the link takes longer
 * than all computing. */
static void cost_turns(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       struct cost_state *state, struct cost_behind *out)
{
    const struct plan_group *g = &p->groups[l->group];
    const bool is_first = l->index == g->first, is_last = l->index == g->last;
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, l->n_turn - 1);
    const double n = (double)MIN(plan_n_full_turn(p, l), l->n_turn - 1);
    const double n_z = (double)l->n_turn - n; /* the last one, or all shorter ones */
    const struct moves loads_a = loads_of(s, p, l, &first), loads_z = loads_of(s, p, l, &last);
    const struct moves stores_a = stores_of(s, p, l, &first), stores_z = stores_of(s, p, l, &last);
    const double load_a = moves_cyc(&loads_a), load_z = moves_cyc(&loads_z);
    const double store_a = moves_cyc(&stores_a), store_z = moves_cyc(&stores_z);
    struct ahead ahead = ahead_of(state);
    struct units u;
    uint64_t now = state->now_cyc;
    const uint64_t begin = run_turn(&u, s, p, l, &ahead, now, 0, is_first ? load_a : 0, true);
    const struct work none = {0};
    struct work work = none;
    systolic_units_add_work(&work, &u.work, &none, 1);
    if (now == 0) { /* later passes come behind one, as that of the run's first layer does not */
        ahead = u.ahead;
        now = begin;
    }
    ahead.tile = 0;
    ahead.blocks.n_block = ahead.blocks.n_arrived; /* what the first one found has moved */
    ahead.blocks.due = INFINITY;
    const uint64_t again = run_turn(&u, s, p, l, &ahead, now, 0, 0, false);
    systolic_units_add_work(&work, &u.work, &none, n - 1);
    const uint64_t end = run_turn(&u, s, p, l, &ahead, now, l->n_turn - 1, 0, false);
    systolic_units_add_work(&work, &u.work, &none, n_z);
    if (is_first)
        state->group_cyc = state->link_cyc = state->tile_cyc = 0;
    double cycles =
        (double)begin + (n - 1) * (double)again + n_z * (double)end + (is_last ? store_z : 0);
    state->group_cyc += cycles;
    state->link_cyc += n * (load_a + store_a) + n_z * (load_z + store_z);
    state->tile_cyc += shares_bus(s, l) ? work.bus : 0;
    if (is_last) {
        const double other = MAX(state->group_cyc - state->tile_cyc, 0);
        const double by_link = state->link_cyc + state->tile_cyc + other / (double)l->n_turn;
        cycles += MAX(by_link - state->group_cyc, 0);
    }
    finish(state, cycles, out);
    put_work(&work, out);
    keep_ahead(state, &u, state->now_cyc - (now + end));
}

/* A layer that is alone in its group. */
static void cost_alone(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       struct cost_state *state, struct cost_behind *out)
{
    const struct ahead ahead = ahead_of(state);
    struct units u;
    systolic_units_begin(&u, s, p, l, &ahead, state->now_cyc);
    run_layer(&u, state->now_cyc);
    const bool ends = l->index == p->n_layer - 1; /* the run, once all is stored */
    const uint64_t n_block = u.ahead.blocks.n_block;
    const uint64_t stored = ends && n_block > 0 ? systolic_units_arrival(&u, n_block) : 0;
    const uint64_t end = MAX(MAX(u.free[UNIT_ACTIVATION], stored), ends ? u.ahead.host : 0);
    finish(state, (double)(end - state->now_cyc), out);
    keep_ahead(state, &u, 0);
    put_work(&u.work, out);
}

void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct cost_behind *out)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    if (s->cfg.timing == TIMING_SCALESIM) {
        finish(state, (double)systolic_scalesim_layer_cyc(s, l), out);
    } else if (l->kind == LAYER_HOST) {
        cost_host(s, p, l, state, out);
    } else if (l->n_turn > 1) {
        cost_turns(s, p, l, state, out);
    } else {
        cost_alone(s, p, l, state, out);
    }
}

/* What follows other layers finds its first tiles there, and the controller as far ahead as a queue
 * is long. Turns of one that shares its group come behind one another, and find the bus and the
 * FIFO as those leave them. */
struct cost systolic_rank(const void *self, const struct plan *p, const struct plan_layer *l,
                          bool follows)
{
    const struct systolic *s = self;
    const uint64_t begin_cyc = follows && l->n_turn == 1 ? UINT64_C(1) << 24 : 0;
    struct cost_state state = {.now_cyc = begin_cyc};
    struct cost_behind out = {0};
    if (begin_cyc > 0) {
        struct ahead ahead = {0};
        ahead.issue = ahead.taken = begin_cyc - (uint64_t)MIN(s->cfg.queue_depth, MOST_QUEUED);
        memcpy(state.family, &ahead, sizeof ahead);
    }
    systolic_cost(self, p, l->index, &state, &out);
    return (struct cost){.cycles = (double)out.cycles,
                         .end_cyc = (double)(MAX(state.end_cyc, state.now_cyc) - begin_cyc),
                         .parameter_bytes = (double)out.parameter_bytes};
}
