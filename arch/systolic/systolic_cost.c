/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: closed forms of what the processes do, a layer at a time (docs/systolic.md,
 * "Analytic model"). A layer is a row of chunks, a chunk a row of blocks, a block a row of tiles;
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
 * them, or its latency where the FIFO is too shallow: each tile holds a slot from its request until
 * it is shifted in. */
static double tile_fetch_cyc(const struct systolic *s)
{
    const struct dram_cfg *d = &s->cfg.weights;
    if (d->model == DRAM_IDEAL)
        return 0;
    const double by_bus = (double)s->tile_bytes / s->machine->memories[MEM_WEIGHTS].bytes_per_cyc;
    const double in_slot = d->latency_ns * 1e-9 * s->clock_hz + by_bus + (double)s->shift_cyc;
    return MAX(by_bus, in_slot / (double)s->cfg.fifo_tiles);
}

static double region_bytes(const struct plan *p, int value, const struct region *r, int64_t n_row)
{
    return (double)(r->n_image * n_row * plan_row_bytes(p, value));
}

static void cost_transfers(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, const struct region *r, struct chunk_cost *c)
{
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (h->resident && (!h->loaded || h->first_layer != l->index))
            continue;
        int64_t row, n_row;
        plan_input_rows(p, l, j, r, &row, &n_row);
        c->load += link_cyc(s, region_bytes(p, l->in[j], r, n_row));
    }
    const struct home *h = &p->homes[l->out];
    if (!h->resident || h->stored)
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

static void cost_blocks(const struct systolic *s, const struct plan_layer *l, double m,
                        double n_block, bool reuse, struct chunk_cost *c)
{
    const double tiles_k = (double)int64_div_up(l->gemm.k, s->cfg.rows);
    const double shift = (double)s->shift_cyc, fetch = reuse ? 0 : tile_fetch_cyc(s);
    double alone = reuse ? m : MAX(m, shift), with_fetch = MAX(alone, fetch);
    if (!s->cfg.double_buffer && !reuse) {
        alone = m + shift;
        with_fetch = MAX(alone, fetch);
    }
    c->array += n_block * tiles_k * m;
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
    cost_blocks(s, l, n_m > 1 ? m : (double)last_m, n_n, held, &c);
    if (n_m > 2)
        cost_blocks(s, l, m, (double)(n_m - 2) * n_n, reuse, &c);
    if (n_m > 1)
        cost_blocks(s, l, (double)last_m, n_n, reuse, &c);
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

void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    const double fetch = tile_fetch_cyc(s);
    /* The FIFO and the shadow registers are what can be filled ahead of a layer. */
    const double ahead = (double)(s->cfg.fifo_tiles + (s->cfg.double_buffer ? 1 : 0)) * fetch;
    if (l->kind == LAYER_HOST) {
        const double cycles = host_store_cyc(s, p, l);
        finish(state, cycles, out);
        state->prefetch_cyc = MIN(ahead, state->prefetch_cyc + cycles);
        return;
    }
    const struct layer_cost c = cost_layer(s, p, l);
    const double prefetched = MIN(ahead, state->prefetch_cyc + c.first_load);
    const double stalls = c.sum.mixed - c.sum.compute;
    const double body = MAX(c.sum.mixed - MIN(prefetched, stalls), c.sum.fetch - prefetched);
    /* Either the array sets the pace, or the host link does. */
    const double by_array = c.first_load + body + c.sum.drain + c.last_store;
    const double cycles = MAX(by_array, c.by_link);
    finish(state, cycles, out);
    /* While the last tile is shifted in, used and drained, tiles of the next layer arrive. */
    const double tail = l->kind == LAYER_MATRIX ? (double)s->shift_cyc + c.sum.drain : cycles;
    const double slack = cycles - MAX(c.sum.fetch - state->prefetch_cyc, 0);
    state->prefetch_cyc = MIN(ahead, MAX(slack, tail) + MAX(state->prefetch_cyc - c.sum.fetch, 0));
    out->bytes[MEM_WEIGHTS].read = (uint64_t)(c.sum.n_tile + 0.5) * s->tile_bytes;
    /* Of the stalls for weights, each tile's shift is the part that ends them. */
    const double exposed = MAX(body - c.sum.compute, 0);
    const double shift = MIN(exposed, c.sum.n_tile * (double)s->shift_cyc);
    out->stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    out->stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)(exposed - shift);
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)(cycles - body - c.sum.drain - c.last_store);
}
