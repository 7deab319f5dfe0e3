/* SPDX-License-Identifier: Apache-2.0 */
/* The search over chunks, block sizes, loop orders and ways to share the accumulators, one layer
 * after the other, driven by the family's analytic cost. */
#include <math.h>
#include <string.h>

#include "mapper/tiled/homes.h"
#include "mapper/tiled/tiles.h"
#include "sim/base/size.h"

#define NEGLIGIBLE 1e-6 /* what decides between equals counts */

/* `share`: what a cycle of transfers counts beside a cycle. */
static double score_of(const struct machine *m, double cycles, double traffic_cyc, double share)
{
    if (m->objective == OBJECTIVE_TRAFFIC)
        return traffic_cyc + NEGLIGIBLE * cycles;
    return cycles + share * traffic_cyc;
}

double tiles_score(const struct machine *m, double cycles, double traffic_cyc)
{
    return score_of(m, cycles, traffic_cyc, TILES_TRAFFIC_SHARE);
}

/* How many block counts beyond the fewest possible are tried, by enum machine_search. */
static const int64_t extra_blocks[] = {0, 3, INT64_MAX / 2};

struct search {
    struct plan *plan;
    const struct target *target;
    struct plan_layer *layer;
    struct cost_state state; /* before the layer */
    struct cost_state after; /* of the best mapping */
    struct plan_layer best;
    double share;         /* what a cycle of transfers counts */
    int64_t rows, n_tile; /* of a chunk: to be cut into blocks, each of so many tiles across */
    double best_score, best_cyc, best_traffic_cyc;
};

/* Of all chunks of a layer over the host link; rows that two chunks need are counted once. */
static double link_bytes(const struct plan *p, const struct plan_layer *l)
{
    double bytes = l->stores ? (double)p->homes[l->out].size_bytes : 0;
    for (int j = 0; j < l->n_in && l->loads >> j; j++)
        if (l->loads >> j & 1)
            bytes += (double)p->homes[l->in[j]].size_bytes;
    return bytes;
}

/* Cycles that the weight memory and the link need for a layer's bytes. */
static double traffic_of(const struct search *s, const struct record_layer *out)
{
    const struct machine *m = s->plan->machine;
    const double weights_rate = m->memories[m->weight_memory].bytes_per_cyc;
    const double link_rate = m->memories[m->host_memory].bytes_per_cyc;
    double cycles = 0, link = s->layer->streamed ? (double)out->bytes[m->host_memory].read : 0;
    if (s->layer->loads || s->layer->stores)
        link += link_bytes(s->plan, s->layer);
    if (weights_rate > 0)
        cycles += (double)out->bytes[m->weight_memory].read / weights_rate;
    if (link_rate > 0)
        cycles += link / link_rate;
    return cycles;
}

static void try_mapping(struct search *s)
{
    struct cost_state state = s->state;
    struct record_layer out = {0};
    s->plan->n_tried++;
    s->target->cost(s->target->self, s->plan, s->layer->index, &state, &out);
    const double cycles = (double)out.cycles, traffic = traffic_of(s, &out);
    /* Nobody knows yet whether a store that goes on will hide behind the next layer. */
    const double end = (double)(MAX(state.end_cyc, state.now_cyc) - s->state.now_cyc);
    const double score = score_of(s->plan->machine, end, traffic, s->share);
    if (score < s->best_score) {
        s->best_score = score;
        s->best_cyc = cycles;
        s->best_traffic_cyc = traffic;
        s->best = *s->layer;
        s->after = state;
    }
}

/* A block in whole units, as far as they fit. */
static int64_t whole_units(const struct machine *m, int64_t block_m, int64_t cap)
{
    const int64_t unit = MAX(m->block_unit, 1), whole = int64_div_up(block_m, unit) * unit;
    if (whole <= cap)
        return whole;
    if (cap < unit)
        return MIN(block_m, cap);
    return block_m > unit ? cap / unit * unit : block_m;
}

/* How blocks share the accumulators. The heuristic takes the first ones that are possible. */
static const struct {
    int parts;
    bool double_buffer;
} sharings[] = {{1, true},   {4, false},  {16, false}, {1, false},  {2, false},
                {3, false},  {5, false},  {6, false},  {8, false},  {12, false},
                {20, false}, {24, false}, {32, false}, {48, false}, {64, false}};
enum { HEURISTIC_SHARINGS = 3 };

/* Both loop orders, where there are two loops. */
static void try_orders(struct search *s)
{
    const bool one = s->plan->machine->search == SEARCH_HEURISTIC || s->n_tile == 1 ||
                     s->layer->tiling.block_m >= s->rows;
    for (int order = ORDER_NM; order <= (one ? ORDER_NM : ORDER_MN); order++) {
        s->layer->tiling.order = order;
        try_mapping(s);
    }
}

bool tiles_possible(const struct plan *p, const struct plan_layer *l)
{
    const struct machine *m = p->machine;
    const struct tiling *t = &l->tiling;
    const int64_t entries = m->max_tile_m / plan_sum_words(p, l);
    if (t->parts == 1)
        return t->block_m <= (t->double_buffer ? entries / 2 : entries);
    const int64_t rows = int64_div_up(t->block_m, t->parts);
    return !t->double_buffer && t->parts <= m->block_parts && l->gemm.k > m->tile_k &&
           rows >= m->piece_rows && int64_div_up(t->block_m, rows) * rows <= entries;
}

/* Blocks of so many rows, if they are other than those before and possible. */
static bool try_block(struct search *s, int64_t rows, int64_t *before)
{
    struct plan_layer *l = s->layer;
    l->tiling.block_m = rows;
    if (rows == *before || !tiles_possible(s->plan, l))
        return false;
    *before = rows;
    try_orders(s);
    return true;
}

/* Blocks of an n-th of the rows. */
static bool try_block_count(struct search *s, int64_t rows, int64_t n, int64_t cap, int64_t *before)
{
    const int64_t block_m = whole_units(s->plan->machine, int64_div_up(rows, n), cap);
    return try_block(s, MIN(block_m, rows), before);
}

/* The least count above n whose blocks, rounded as above, are smaller than those of block_m rows.
 */
static int64_t next_count(const struct machine *m, int64_t rows, int64_t n, int64_t block_m)
{
    const int64_t unit = MAX(m->block_unit, 1);
    const int64_t next = block_m > unit && block_m % unit == 0 ? block_m - unit : block_m - 1;
    return next < 1 ? INT64_MAX : MAX(n + 1, int64_div_up(rows, next));
}

/* Several arrays: the fewest blocks of which each array has as many as any other. */
static int64_t even_blocks(const struct search *s, int64_t fewest)
{
    const struct machine *m = s->plan->machine;
    const int64_t tiles = s->layer->gemm.groups * s->n_tile;
    const int64_t unit = m->n_array / int64_gcd(m->n_array, tiles);
    return int64_div_up(fewest, unit) * unit;
}

/* Block counts around those that keep all arrays busy. Blocks shorter than the array is high are
 * left out: a tile is shifted in no faster than that. */
static bool try_even_blocks(struct search *s, int64_t rows, int64_t fewest, int64_t cap)
{
    const struct machine *m = s->plan->machine;
    const int64_t even = even_blocks(s, fewest), most = MAX(fewest, rows / m->tile_k);
    int64_t before = 0;
    bool any = 2 * even <= most && try_block_count(s, rows, 2 * even, cap, &before);
    for (int64_t n = MIN(even, most); n > fewest; n = int64_div_up(n, 2))
        any = try_block_count(s, rows, n, cap, &before) || any;
    return any;
}

/* Equal blocks, as few as the accumulators allow and a few more: small blocks drain sooner. Whether
 * any was possible. */
static bool try_blocks_in(struct search *s, int parts, bool double_buffer)
{
    const struct machine *m = s->plan->machine;
    struct plan_layer *l = s->layer;
    const struct region chunk = plan_chunk(s->plan, l, 0);
    const int64_t rows = plan_block_rows(s->plan, l, &chunk);
    const int64_t across = m->block_of_n ? plan_gemm_rows(s->plan, l, &chunk) : l->gemm.n;
    const int64_t entries = m->max_tile_m / plan_sum_words(s->plan, l);
    const int64_t cap = double_buffer ? entries / 2 : entries / parts * parts;
    if (cap < 1)
        return false;
    const int64_t fewest = int64_div_up(rows, cap);
    const int64_t most = MIN(rows, fewest + extra_blocks[m->search]);
    s->rows = rows;
    s->n_tile = int64_div_up(across, m->tile_n);
    l->tiling.double_buffer = double_buffer;
    l->tiling.parts = parts;
    bool any = m->n_array > 1 && try_even_blocks(s, rows, fewest, cap);
    int64_t before = 0;
    /* All full but for the last one, which drains the sooner; or no longer than a tile takes to be
     * shifted in. */
    if (m->search != SEARCH_HEURISTIC) {
        const int64_t tile = whole_units(m, m->tile_k, cap);
        any = try_block(s, MIN(whole_units(m, cap, cap), rows), &before) || any;
        any = (fewest == 1 && tile < rows && try_block(s, tile, &before)) || any;
    }
    for (int64_t n = fewest; n <= most; n = next_count(m, rows, n, l->tiling.block_m))
        any = try_block_count(s, rows, n, cap, &before) || any;
    /* The last chunk may be smaller, and have a block less where they are cut for it. */
    const struct region last = plan_chunk(s->plan, l, plan_n_chunk(s->plan, l) - 1);
    const int64_t fewer = int64_div_up(plan_block_rows(s->plan, l, &last), cap);
    if (fewer < fewest)
        any = try_block_count(s, plan_block_rows(s->plan, l, &last), fewer, cap, &before) || any;
    return any;
}

static void try_blocks(struct search *s)
{
    int n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(sharings); i++) {
        n += try_blocks_in(s, sharings[i].parts, sharings[i].double_buffer);
        if (s->plan->machine->search == SEARCH_HEURISTIC && n == HEURISTIC_SHARINGS)
            return;
    }
}

/* Chunks of n images, where their slots fit. */
static void try_chunk(struct search *s, int64_t n)
{
    struct plan_layer *l = s->layer;
    const int64_t most = l->chunk_image;
    if (n % plan_chunk_unit(l) != 0)
        return;
    l->chunk_image = n;
    const bool fits = n == most || homes_chunk_fits(s->plan, l);
    if (fits && l->kind == LAYER_MATRIX)
        try_blocks(s);
    else if (fits)
        try_mapping(s);
    l->chunk_image = most;
}

/* Chunks of as many images as fill whole blocks of so many rows: what is left for the last one is
 * soon computed and stored. */
static void try_whole_blocks(struct search *s, int64_t block_m)
{
    const struct plan_layer *l = s->layer;
    const int64_t n = plan_dims(s->plan, l->out).n;
    const int64_t rows = l->gemm.m / n, most = l->chunk_image;
    if (l->stationary_is_activation || s->plan->machine->block_of_n || block_m < 1 || rows < 1)
        return;
    const int64_t images = most * rows / block_m * block_m / rows;
    if (images > 0 && images < most)
        try_chunk(s, images);
}

/* Chunks that share a transfer with the next one overlap: fewer images load sooner. */
static void try_chunks(struct search *s)
{
    const struct machine *m = s->plan->machine;
    const int64_t most = s->layer->chunk_image;
    const bool is_heuristic = m->search == SEARCH_HEURISTIC;
    const bool is_exhaustive = m->search == SEARCH_EXHAUSTIVE;
    const bool overlap = (s->layer->loads || s->layer->stores) && s->layer->n_turn == 1;
    for (int64_t n = 1; overlap && !is_heuristic && n < most; n = is_exhaustive ? n + 1 : 2 * n)
        try_chunk(s, n);
    if (overlap && !is_heuristic && !is_exhaustive && s->layer->kind == LAYER_MATRIX) {
        const int64_t entries = m->max_tile_m / plan_sum_words(s->plan, s->layer);
        try_whole_blocks(s, entries / 2);
        try_whole_blocks(s, entries);
    }
    for (int64_t n = overlap ? int64_div_up(most, 4) : most;; n = MIN(2 * n, most)) {
        try_chunk(s, n);
        if (n == most)
            return;
    }
}

static void choose_layer(struct search *s)
{
    s->best_score = INFINITY;
    if (s->layer->kind == LAYER_HOST)
        try_mapping(s);
    else
        try_chunks(s);
    *s->layer = s->best;
}

/* Of all layers, one after the other, where transfers count so much. */
struct total {
    double cycles, traffic_cyc;
};

static struct total choose_all(struct plan *p, const struct target *t, struct plan_layer *layers,
                               double share)
{
    struct cost_state state = {0};
    struct total sum = {0};
    memcpy(p->layers, layers, (size_t)p->n_layer * sizeof(*layers));
    for (int i = 0; i < p->n_layer; i++) {
        struct search s = {
            .plan = p, .target = t, .layer = &p->layers[i], .state = state, .share = share};
        choose_layer(&s);
        state = s.after;
        sum.cycles += s.best_cyc;
        sum.traffic_cyc += s.best_traffic_cyc;
    }
    return sum;
}

/* The cycles that a transfer's count beside, the largest first that leaves all layers together fast
 * enough: of few, by halves, since more weight makes them slower. */
static struct total weigh(struct plan *p, const struct target *t, struct plan_layer *before,
                          struct total fastest)
{
    static const double shares[] = {1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 1.0 / 16, 1.0 / 64};
    const size_t size = (size_t)p->n_layer * sizeof(*p->layers);
    const double limit = fastest.cycles * (1 + TILES_SLOWER);
    struct plan_layer *best = g_memdup2(p->layers, size);
    struct total sum = fastest;
    int from = 0, to = (int)G_N_ELEMENTS(shares); /* the first that is fast enough */
    for (int i = 0; from < to; i = (from + to) / 2) {
        const struct total now = choose_all(p, t, before, shares[i]);
        if (now.cycles > limit) {
            from = i + 1;
            continue;
        }
        to = i;
        sum = now;
        memcpy(best, p->layers, size);
    }
    memcpy(p->layers, best, size);
    g_free(best);
    return sum;
}

double tiles_choose(struct plan *p, const struct target *t)
{
    struct plan_layer *before = g_memdup2(p->layers, (size_t)p->n_layer * sizeof(*p->layers));
    struct total sum = choose_all(p, t, before, NEGLIGIBLE);
    if (p->machine->objective == OBJECTIVE_CYCLES && p->machine->search != SEARCH_HEURISTIC)
        sum = weigh(p, t, before, sum);
    g_free(before);
    return tiles_score(p->machine, sum.cycles, sum.traffic_cyc);
}

double tiles_layer_score(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk,
                         bool alone)
{
    struct plan_layer *l = &p->layers[i_layer], kept = *l;
    struct search s = {.plan = p, .target = t, .layer = l, .share = TILES_TRAFFIC_SHARE};
    const struct dims o = plan_dims(p, l->out);
    l->loads = 0;
    l->stores = false;
    l->chunk_row = o.h;
    l->chunk_image = int64_div_up(o.n, n_chunk);
    l->n_turn = alone ? 1 : int64_div_up(o.n, l->chunk_image);
    choose_layer(&s);
    *l = kept;
    return tiles_score(p->machine, s.best_cyc, s.best_traffic_cyc);
}
