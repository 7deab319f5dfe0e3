/* SPDX-License-Identifier: Apache-2.0 */
/* The search over chunks, block sizes, loop orders and accumulator halves, one layer after the
 * other, driven by the family's analytic cost. */
#include "mapper/passes.h"
#include "sim/base/size.h"

/* How many block counts beyond the fewest possible are tried, by enum machine_search. */
static const int64_t extra_blocks[] = {0, 3, 4096};

struct search {
    struct plan *plan;
    const struct target *target;
    struct plan_layer *layer;
    struct cost_state state; /* before the layer */
    struct cost_state after; /* of the best mapping */
    struct plan_layer best;
    uint64_t best_cyc, best_bytes;
};

static void try_mapping(struct search *s)
{
    struct cost_state state = s->state;
    struct record_layer out = {0};
    s->target->cost(s->target->self, s->plan, s->layer->index, &state, &out);
    const struct record_bytes *w = &out.bytes[s->plan->machine->weight_memory];
    if (out.cycles < s->best_cyc || (out.cycles == s->best_cyc && w->read < s->best_bytes)) {
        s->best_cyc = out.cycles;
        s->best_bytes = w->read;
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
    return block_m > unit ? cap / unit * unit : block_m;
}

/* Equal blocks, as few as the accumulators allow and a few more: small blocks drain sooner. */
static void try_blocks(struct search *s)
{
    const struct machine *m = s->plan->machine;
    struct plan_layer *l = s->layer;
    const struct region chunk = plan_chunk(s->plan, l, 0);
    const int64_t rows = plan_block_rows(s->plan, l, &chunk);
    for (int half = 1; half >= 0; half--) {
        const int64_t entries = m->max_tile_m / plan_sum_words(s->plan, l);
        const int64_t cap = half ? entries / 2 : entries;
        if (cap < 1)
            continue;
        const int64_t fewest = int64_div_up(rows, cap);
        const int64_t most = MIN(rows, fewest + extra_blocks[m->search]);
        for (int64_t n = fewest; n <= most; n++) {
            l->tiling.double_buffer = half;
            l->tiling.block_m = MIN(whole_units(m, int64_div_up(rows, n), cap), rows);
            for (int order = ORDER_NM; order <= ORDER_MN; order++) {
                l->tiling.order = order;
                try_mapping(s);
                if (m->search == SEARCH_HEURISTIC)
                    return;
            }
        }
    }
}

bool chunk_fits(const struct plan *p, const struct plan_layer *l)
{
    const struct plan_group *g = &p->groups[l->group];
    for (int i = g->first_slot; i < g->first_slot + g->n_slot; i++) {
        const struct plan_slot *slot = &p->slots[i];
        if (slot_bytes(p, l, slot) * (uint64_t)slot_n_copy(p, l, slot) > slot->room_bytes)
            return false;
    }
    return true;
}

/* Chunks of n images; false where their slots do not fit. */
static bool try_chunk(struct search *s, int64_t n)
{
    struct plan_layer *l = s->layer;
    const int64_t most = l->chunk_image;
    l->chunk_image = n;
    const bool fits = n == most || chunk_fits(s->plan, l);
    if (fits && l->kind == LAYER_MATRIX)
        try_blocks(s);
    else if (fits)
        try_mapping(s);
    l->chunk_image = most;
    return fits;
}

/* Chunks that share a transfer with the next one overlap: fewer images load sooner. */
static void try_chunks(struct search *s)
{
    const int64_t most = s->layer->chunk_image;
    const bool is_heuristic = s->plan->machine->search == SEARCH_HEURISTIC;
    const bool overlap = (s->layer->loads || s->layer->stores) && s->layer->n_pass == 1;
    for (int64_t n = 1; overlap && !is_heuristic && n < most; n *= 2)
        try_chunk(s, n);
    for (int64_t n = overlap ? int64_div_up(most, 4) : most;; n = MIN(2 * n, most))
        if ((try_chunk(s, n) && is_heuristic) || n == most)
            return;
}

static uint64_t choose_layer(struct search *s)
{
    s->best_cyc = s->best_bytes = UINT64_MAX;
    if (s->layer->kind == LAYER_HOST)
        try_mapping(s);
    else
        try_chunks(s);
    *s->layer = s->best;
    return s->best_cyc;
}

uint64_t tiles_choose(struct plan *p, const struct target *t)
{
    struct cost_state state = {0};
    uint64_t cycles = 0;
    for (int i = 0; i < p->n_layer; i++) {
        struct search s = {.plan = p, .target = t, .layer = &p->layers[i], .state = state};
        cycles += choose_layer(&s);
        state = s.after;
    }
    return cycles;
}

uint64_t tiles_layer_cyc(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk)
{
    struct plan_layer *l = &p->layers[i_layer], kept = *l;
    struct search s = {.plan = p, .target = t, .layer = l};
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    l->loads = 0;
    l->stores = false;
    l->chunk_row = o.h;
    l->chunk_image = int64_div_up(o.n, n_chunk);
    l->n_pass = int64_div_up(o.n, l->chunk_image);
    const uint64_t cycles = choose_layer(&s);
    *l = kept;
    return cycles;
}
