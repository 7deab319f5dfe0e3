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

/* Equal blocks, as few as the accumulators allow and a few more: small blocks drain sooner. */
static void try_blocks(struct search *s)
{
    const struct machine *m = s->plan->machine;
    struct plan_layer *l = s->layer;
    const struct region chunk = plan_chunk(s->plan, l, 0);
    const int64_t rows = plan_gemm_rows(s->plan, l, &chunk);
    for (int half = 1; half >= 0; half--) {
        const int64_t cap = half ? m->max_tile_m / 2 : m->max_tile_m;
        if (cap < 1)
            continue;
        const int64_t fewest = int64_div_up(rows, cap);
        const int64_t most = MIN(rows, fewest + extra_blocks[m->search]);
        for (int64_t n = fewest; n <= most; n++) {
            l->tiling.double_buffer = half;
            l->tiling.block_m = int64_div_up(rows, n);
            for (int order = ORDER_NM; order <= ORDER_MN; order++) {
                l->tiling.order = order;
                try_mapping(s);
                if (m->search == SEARCH_HEURISTIC)
                    return;
            }
        }
    }
}

/* Chunks of n images; false where their staging slots do not fit. */
static bool try_chunk(struct search *s, int64_t n)
{
    struct plan_layer *l = s->layer;
    const int64_t most = l->chunk_image;
    l->chunk_image = n;
    /* Chunks that take turns have two slots each, and may need more room than one chunk has. */
    const bool fits = n == most || layer_stage_bytes(s->plan, l) <= l->stage_bytes;
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
    const bool overlap = layer_has_transfers(s->plan, s->layer);
    for (int64_t n = 1; overlap && !is_heuristic && n < most; n *= 2)
        try_chunk(s, n);
    for (int64_t n = overlap ? int64_div_up(most, 4) : most;; n = MIN(2 * n, most))
        if ((try_chunk(s, n) && is_heuristic) || n == most)
            return;
}

void tiles_choose(struct plan *p, const struct target *t)
{
    struct cost_state state = {0};
    for (int i = 0; i < p->n_layer; i++) {
        struct search s = {.plan = p,
                           .target = t,
                           .layer = &p->layers[i],
                           .state = state,
                           .best_cyc = UINT64_MAX,
                           .best_bytes = UINT64_MAX};
        if (p->layers[i].kind == LAYER_HOST)
            try_mapping(&s);
        else
            try_chunks(&s);
        p->layers[i] = s.best;
        state = s.after;
    }
}
