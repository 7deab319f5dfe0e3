/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/shares.h"

#include <glib.h>

/* When a turn was worked on. */
struct turn {
    uint64_t start_cyc, end_cyc;
    uint64_t compute_cyc; /* when it began to compute; UINT64_MAX: it did not */
    bool started;
};

struct shares {
    const int *layer; /* by turn */
    int n;
    struct turn *turns;
    uint64_t *end_cyc; /* of the turns' shares, once collected */
};

struct shares *shares_new(struct arena *arena, const int *turn_layer, int n_turn)
{
    struct shares *s = ARENA_NEW(arena, struct shares);
    s->layer = turn_layer;
    s->n = n_turn;
    s->turns = ARENA_ARRAY(arena, struct turn, (size_t)n_turn);
    s->end_cyc = ARENA_ARRAY(arena, uint64_t, (size_t)n_turn);
    for (int i = 0; i < n_turn; i++)
        s->turns[i].compute_cyc = UINT64_MAX;
    return s;
}

void shares_note(struct shares *s, int turn, uint64_t start_cyc, uint64_t end_cyc, bool computes)
{
    g_assert(turn >= 0 && turn < s->n);
    struct turn *t = &s->turns[turn];
    if (computes)
        t->compute_cyc = MIN(t->compute_cyc, start_cyc);
    if (!t->started || start_cyc < t->start_cyc)
        t->start_cyc = start_cyc;
    t->started = true;
    t->end_cyc = MAX(t->end_cyc, end_cyc);
}

/* From the first of a layer's turns to the end of its last one. */
static void collect_spans(const struct shares *s, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++)
        r->layers[i].start_cycle = r->layers[i].end_cycle = 0;
    for (int i = 0; i < s->n; i++) {
        const struct turn *t = &s->turns[i];
        struct record_layer *l = &r->layers[s->layer[i]];
        const bool is_first = l->end_cycle == 0 || t->start_cyc < l->start_cycle;
        l->start_cycle = is_first ? t->start_cyc : l->start_cycle;
        l->end_cycle = MAX(l->end_cycle, t->end_cyc);
    }
}

void shares_collect(struct shares *s, struct record *r)
{
    collect_spans(s, r);
    r->total_cyc = 0;
    for (int i = 0; i < r->n_layer; i++) {
        r->total_cyc = MAX(r->total_cyc, r->layers[i].end_cycle);
        r->layers[i].cycles = 0;
    }
    uint64_t next_cyc = UINT64_MAX; /* when the next turn that computes begins to */
    for (int i = s->n - 1; i >= 0; i--) {
        s->end_cyc[i] = MIN(s->turns[i].end_cyc, next_cyc);
        if (s->turns[i].compute_cyc != UINT64_MAX)
            next_cyc = s->turns[i].compute_cyc;
    }
    uint64_t before = 0;
    for (int i = 0; i < s->n; i++) {
        s->end_cyc[i] = i + 1 < s->n ? MAX(before, s->end_cyc[i]) : r->total_cyc;
        r->layers[s->layer[i]].cycles += s->end_cyc[i] - before;
        before = s->end_cyc[i];
    }
}

void shares_add_waits(const struct shares *s, const struct shares_wait *waits, size_t n,
                      struct record *r)
{
    int begins = 0; /* the turn in whose share the wait begins */
    for (size_t j = 0; j < n; j++) {
        const struct shares_wait *w = &waits[j];
        while (w->start_cyc >= s->end_cyc[begins] && begins + 1 < s->n)
            begins++;
        uint64_t at = w->start_cyc;
        for (int i = begins; at < w->end_cyc; i++) {
            const uint64_t until = i + 1 < s->n ? CLAMP(s->end_cyc[i], at, w->end_cyc) : w->end_cyc;
            r->layers[s->layer[i]].stall_cyc[w->cause] += until - at;
            at = until;
        }
    }
}
