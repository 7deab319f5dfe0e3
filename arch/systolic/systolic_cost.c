/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: closed forms of what the processes do, a layer at a time
 * (docs/systolic-analytic.md). A layer is a row of chunks, a chunk a row of blocks, a block a row of tiles;
 * each level's period is that of its slowest stage. */
#include "arch/systolic/systolic.h"
#include "sim/base/size.h"

/* What a chunk of a layer costs each resource, in cycles. */
struct chunk_cost {
    double array;   /* the array computing */
    double fetch;   /* the weight memory */
    double n_tile;  /* tiles fetched */
    double compute; /* array and activation unit in turn, weights always there */
    double mixed;   /* the same with every tile at least its fetch time apart */
    double drain;   /* of its last block */
    double load, store;
};

static double link_cyc(const struct systolic *s, double bytes)
{
    return bytes / s->machine->memories[MEM_HOST].bytes_per_cyc +
           (s->cfg.host_latency_ns + s->cfg.dma_setup_ns) * 1e-9 * s->clock_hz;
}

/* Cycles from one tile to the next when only weights are waited for: the memory's bandwidth sets
 * them (of `bank`: what a stream gets of it), or its latency where the FIFO is too shallow: each
 * tile holds a slot from its request until it is shifted in. */
static double tile_fetch_cyc(const struct systolic *s, const struct plan_layer *l)
{
    if (s->stream_bytes_per_cyc == 0)
        return 0;
    const double by_bus = (double)core_tile_bytes(s, l) / s->stream_bytes_per_cyc;
    const double in_slot = s->first_byte_cyc + by_bus + (double)core_shift_cyc(s, l);
    return MAX(by_bus, in_slot / (double)s->cfg.fifo_tiles);
}

static double region_bytes(const struct plan *p, int value, const struct region *r, int64_t n_row)
{
    return (double)(r->n_image * n_row * plan_row_bytes(p, value));
}

static void cost_transfers(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, const struct region *r, struct chunk_cost *c)
{
    for (int j = 0; j < l->n_in && l->loads >> j; j++) {
        if (!(l->loads >> j & 1))
            continue;
        int64_t row, n_row;
        plan_input_rows(p, l, j, r, &row, &n_row);
        c->load += link_cyc(s, region_bytes(p, l->in[j], r, n_row));
    }
    if (l->stores)
        c->store = link_cyc(s, region_bytes(p, l->out, r, r->n_row));
}

/* Cycles between the starts of blocks of m rows, tiles of which take tile_cyc: the array, the
 * activation unit, or, where one half of the accumulators waits for the other, both in turn. */
static double block_period(const struct systolic *s, const struct plan_layer *l, double m,
                           double n_tile, double tile_cyc)
{
    const double product = n_tile * tile_cyc;
    const double both = product + (double)s->latency_cyc + m;
    return l->tiling.double_buffer ? MAX(MAX(product, m), both / 2) : both;
}

static void cost_blocks(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        double m, double n_block, bool reuse, struct chunk_cost *c)
{
    const double tiles_k = (double)int64_div_up(l->gemm.k, s->cfg.rows);
    const double shift = (double)core_shift_cyc(s, l), fetch = reuse ? 0 : tile_fetch_cyc(s, l);
    const double product = m * (double)core_row_cyc(s, p->formats[l->in[0]], l->weight_format);
    double alone = reuse ? product : MAX(product, shift), with_fetch = MAX(alone, fetch);
    if (!s->cfg.double_buffer && !reuse) {
        alone = product + shift;
        with_fetch = MAX(alone, fetch);
    }
    c->array += n_block * tiles_k * product;
    c->fetch += n_block * tiles_k * fetch;
    c->n_tile += reuse ? 0 : n_block * tiles_k;
    c->compute += n_block * block_period(s, l, m, tiles_k, alone);
    c->mixed += n_block * block_period(s, l, m, tiles_k, with_fetch);
    c->drain = l->tiling.double_buffer ? (double)s->latency_cyc + m : 0;
}

/* is_first: of the layer; later chunks find the tile of a layer that has one alone. */
static struct chunk_cost cost_chunk(const struct systolic *s, const struct plan *p,
                                    const struct plan_layer *l, const struct region *r,
                                    bool is_first)
{
    struct chunk_cost c = {0};
    cost_transfers(s, p, l, r, &c);
    if (l->kind == LAYER_VECTOR) {
        const struct plan_step step = {.layer = l->index, .region = *r};
        c.compute = c.mixed = (double)core_vector_cyc(s, p, &step);
        return c;
    }
    const int64_t rows = plan_gemm_rows(p, l, r);
    const int64_t n_m = int64_div_up(rows, l->tiling.block_m);
    const int64_t last_m = rows - (n_m - 1) * l->tiling.block_m;
    const double n_n = (double)(l->gemm.groups * int64_div_up(l->gemm.n, s->cfg.cols));
    /* With the output tile outside and one tile in k, row blocks share the tile in the array. */
    const bool fits = l->gemm.k <= s->cfg.rows;
    const bool reuse = fits && (l->tiling.order == ORDER_NM || n_n == 1);
    const bool held = fits && n_n == 1 && !is_first;
    const double m = (double)l->tiling.block_m;
    cost_blocks(s, p, l, n_m > 1 ? m : (double)last_m, n_n, held, &c);
    if (n_m > 2)
        cost_blocks(s, p, l, m, (double)(n_m - 2) * n_n, reuse, &c);
    if (n_m > 1)
        cost_blocks(s, p, l, (double)last_m, n_n, reuse, &c);
    return c;
}

static void add_chunk(struct chunk_cost *sum, const struct chunk_cost *c, double n)
{
    sum->array += n * c->array;
    sum->fetch += n * c->fetch;
    sum->n_tile += n * c->n_tile;
    sum->compute += n * c->compute;
    sum->mixed += n * c->mixed;
    sum->load += n * c->load;
    sum->store += n * c->store;
    sum->drain = c->drain;
}

/* The layer's cycles by resource, and the parts at its ends that have nothing to hide behind. */
struct layer_cost {
    struct chunk_cost sum;
    double first_load, last_store;
    double by_link; /* cycles when the link sets the pace: computing shows for one chunk */
};

static struct layer_cost cost_layer(const struct systolic *s, const struct plan *p,
                                    const struct plan_layer *l)
{
    struct layer_cost cost = {0};
    const int64_t n = plan_n_chunk(p, l);
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, n - 1);
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    const int64_t n_last = l->chunk_row < o.h ? o.n : 1; /* each image ends with a short one */
    const struct chunk_cost a = cost_chunk(s, p, l, &first, true);
    const struct chunk_cost i = cost_chunk(s, p, l, &first, false);
    const struct chunk_cost z = cost_chunk(s, p, l, &last, n == 1);
    cost.first_load = a.load;
    cost.last_store = z.store;
    if (n > 1)
        add_chunk(&cost.sum, &a, 1);
    add_chunk(&cost.sum, &i, (double)MAX(n - n_last - 1, 0));
    add_chunk(&cost.sum, &z, (double)n_last);
    /* After the last load the last chunk is computed while the one before it is stored. No store
     * begins before the first chunk is computed. */
    const double last_shown = MAX(z.mixed - a.store, 0);
    if (n > 1)
        cost.by_link =
            MAX(cost.sum.load + cost.sum.store + last_shown, a.load + a.mixed + cost.sum.store) +
            cost.sum.drain;
    return cost;
}

/* Bytes that a layer on the host makes cross the link: what it reads and nobody stored before. */
static double host_store_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l)
{
    double cycles = 0;
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (!h->loaded && h->resident && !h->stored)
            cycles += link_cyc(s, (double)(shape_count(&p->graph->values[l->in[j]].shape) *
                                           plan_element_bytes(p, l->in[j])));
    }
    return cycles;
}

static void finish(struct cost_state *state, double cycles, struct record_layer *out)
{
    out->cycles = (uint64_t)(cycles + 0.5);
    out->start_cycle = state->now_cyc;
    state->now_cyc += out->cycles;
    out->end_cycle = state->now_cyc;
}

/* The FIFO and the shadow registers are what can be filled ahead of a layer. */
static double ahead_cyc(const struct systolic *s, const struct plan_layer *l)
{
    return (double)(s->cfg.fifo_tiles + (s->cfg.double_buffer ? 1 : 0)) * tile_fetch_cyc(s, l);
}

/* From the first product to the last sum drained, with so much of the weights there already. */
static double body_cyc(const struct chunk_cost *c, double prefetched)
{
    const double stalls = c->mixed - c->compute;
    return MAX(c->mixed - MIN(prefetched, stalls), c->fetch - prefetched);
}

/* While the last tile is shifted in, used and drained, tiles of what comes next arrive. */
static double prefetch_after(const struct systolic *s, const struct plan_layer *l,
                             const struct chunk_cost *c, double cycles, double before)
{
    const double tail = l->kind == LAYER_MATRIX ? (double)core_shift_cyc(s, l) + c->drain : cycles;
    const double slack = cycles - MAX(c->fetch - before, 0);
    return MIN(ahead_cyc(s, l), MAX(slack, tail) + MAX(before - c->fetch, 0));
}

/* Of the stalls for weights, each tile's shift is the part that ends them. */
static void put_weights(const struct systolic *s, const struct plan_layer *l, double n_tile,
                        double exposed, struct record_layer *out)
{
    out->bytes[MEM_WEIGHTS].read = (uint64_t)(n_tile + 0.5) * core_tile_bytes(s, l);
    const double shift = MIN(exposed, n_tile * (double)core_shift_cyc(s, l));
    out->stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    out->stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)(exposed - shift);
}

/* A layer that shares its group: a pass a chunk, each behind a barrier, while the host link moves
 * what the chunks before and behind need. The group's last layer bears what the link takes longer
 * than all computing. */
static void cost_passes(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        struct cost_state *state, struct record_layer *out)
{
    const struct plan_group *g = &p->groups[l->group];
    const bool is_first = l->index == g->first, is_last = l->index == g->last;
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, l->n_pass - 1);
    const struct chunk_cost a = cost_chunk(s, p, l, &first, true);
    const struct chunk_cost z = cost_chunk(s, p, l, &last, true);
    const double n = (double)(l->n_pass - 1), before = state->prefetch_cyc;
    if (is_first)
        state->group_cyc = state->link_cyc = 0;
    const double load = is_first ? a.load : 0, store = is_last ? z.store : 0;
    const double begin = body_cyc(&a, MIN(ahead_cyc(s, l), before + load)) + a.drain;
    const double again = body_cyc(&a, before) + a.drain, end = body_cyc(&z, before) + z.drain;
    double cycles = load + begin + (n - 1) * again + end + store;
    const double exposed = cycles - load - store - n * (a.compute + a.drain) - z.compute - z.drain;
    state->group_cyc += cycles;
    state->link_cyc += n * (a.load + a.store) + z.load + z.store;
    if (is_last) {
        const double by_link = state->link_cyc + state->group_cyc / (double)l->n_pass;
        cycles += MAX(by_link - state->group_cyc, 0);
    }
    finish(state, cycles, out);
    state->prefetch_cyc = prefetch_after(s, l, &z, end, before);
    put_weights(s, l, n * a.n_tile + z.n_tile, MAX(exposed, 0), out);
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)load;
}

/* A layer that is alone in its group. */
static void cost_alone(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       struct cost_state *state, struct record_layer *out)
{
    const struct layer_cost c = cost_layer(s, p, l);
    const double prefetched = MIN(ahead_cyc(s, l), state->prefetch_cyc + c.first_load);
    const double body = body_cyc(&c.sum, prefetched);
    /* Either the array sets the pace, or the host link does. */
    const double by_array = c.first_load + body + c.sum.drain + c.last_store;
    const double cycles = MAX(by_array, c.by_link);
    finish(state, cycles, out);
    state->prefetch_cyc = prefetch_after(s, l, &c.sum, cycles, state->prefetch_cyc);
    put_weights(s, l, c.sum.n_tile, MAX(body - c.sum.compute, 0), out);
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)(cycles - body - c.sum.drain - c.last_store);
}

void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    if (l->kind == LAYER_HOST) {
        const double cycles = host_store_cyc(s, p, l);
        finish(state, cycles, out);
        state->prefetch_cyc = MIN(ahead_cyc(s, l), state->prefetch_cyc + cycles);
    } else if (l->n_pass > 1) {
        cost_passes(s, p, l, state, out);
    } else {
        cost_alone(s, p, l, state, out);
    }
}
