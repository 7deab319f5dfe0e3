/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ref/lifetimes.h"

#include <stdlib.h>

#include "sim/base/size.h"

/* Smaller tensors are left to malloc(), which keeps them together; placing takes time with the
 * square of what is placed. Under AddressSanitizer each tensor keeps its own fences. */
#ifdef __SANITIZE_ADDRESS__
#define PLACED_BYTES INT64_MAX
#else
#define PLACED_BYTES 16384
#endif
#define ALIGN_BYTES 64 /* a cache line */

struct walk {
    const struct graph *g;
    struct lifetimes l;
    int *first;  /* by owner: the node that makes it */
    int *n_due;  /* reads still to come */
    int *n_live; /* by owner: values that are not yet dead and share its memory */
};

static void count_reads(struct walk *w, const bool *want)
{
    const struct graph *g = w->g;
    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] >= 0)
                w->n_due[g->nodes[i].in[k]]++;
    for (int i = 0; i < g->n_state; i++)
        w->n_due[g->values[g->states[i]].next]++;
    for (int i = 0; i < g->n_value; i++) {
        w->n_due[i] += want[i];
        w->l.n_due[i] = w->n_due[i];
        w->l.owner[i] = LIFETIME_FED;
        w->l.offset[i] = -1;
        w->l.last[i] = g->n_node;
    }
}

/* An operator that computes in place takes its first input's memory where nobody else reads it. */
static bool may_overwrite(const struct walk *w, const struct node *n, const struct value *out)
{
    const int first = n->n_in > 0 ? n->in[0] : -1;
    if (!n->op->in_place || first < 0)
        return false;
    const int owner = w->l.owner[first];
    const struct value *in = &w->g->values[first];
    return owner != LIFETIME_FED && w->n_due[first] == 1 && w->n_live[owner] == 1 &&
           in->type == out->type && shape_equal(&in->shape, &out->shape);
}

static void make(struct walk *w, int i_node)
{
    const struct node *n = &w->g->nodes[i_node];
    for (int i = 0; i < n->n_out; i++) {
        const int value = n->out[i];
        if (value < 0)
            continue;
        const bool is_shared =
            i == 0 && (!n->op->forward || may_overwrite(w, n, &w->g->values[value]));
        w->l.owner[value] = is_shared ? w->l.owner[n->in[0]] : value;
        if (!is_shared)
            w->first[value] = i_node;
        if (w->l.owner[value] != LIFETIME_FED)
            w->n_live[w->l.owner[value]]++;
    }
}

static void drop(struct walk *w, int value, int i_node)
{
    const int owner = w->l.owner[value];
    if (owner != LIFETIME_FED && --w->n_live[owner] == 0)
        w->l.last[owner] = i_node;
}

static void release(struct walk *w, int i_node)
{
    const struct node *n = &w->g->nodes[i_node];
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && --w->n_due[n->in[i]] == 0)
            drop(w, n->in[i], i_node);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && w->n_due[n->out[i]] == 0)
            drop(w, n->out[i], i_node);
}

struct piece {
    int value, first, last; /* needed from node `first` to node `last`, both included */
    int64_t bytes, offset;
};

static int by_bytes(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->value - y->value;
}

/* The pieces that are placed and needed at the same time as `p`, by offset. */
static int conflicts(const struct piece *p, const struct piece *placed, int n_placed,
                     const struct piece **out)
{
    int n = 0;
    for (int i = 0; i < n_placed; i++) {
        const struct piece *q = &placed[i];
        if (q->last < p->first || p->last < q->first)
            continue;
        int k = n++;
        for (; k > 0 && out[k - 1]->offset > q->offset; k--)
            out[k] = out[k - 1];
        out[k] = q;
    }
    return n;
}

/* Into the smallest gap that holds it, else behind everything. */
static int64_t choose_offset(const struct piece *p, const struct piece **others, int n)
{
    int64_t end = 0, best = -1, best_bytes = INT64_MAX;
    for (int i = 0; i < n; i++) {
        const int64_t gap = others[i]->offset - end;
        if (gap >= p->bytes && gap < best_bytes) {
            best = end;
            best_bytes = gap;
        }
        end = MAX(end, others[i]->offset + others[i]->bytes);
    }
    return best >= 0 ? best : end;
}

/* The largest first, which leaves gaps for the small ones (Pisarchyk and Lee 2020: greedy by
 * size). */
static void place(struct walk *w, struct arena *arena)
{
    const struct graph *g = w->g;
    struct piece *pieces = ARENA_ARRAY(arena, struct piece, (size_t)g->n_value);
    const struct piece **others = ARENA_ARRAY(arena, const struct piece *, (size_t)g->n_value);
    int n = 0;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = &g->values[i];
        if (w->l.owner[i] != i || w->l.last[i] == g->n_node)
            continue;
        const int64_t bytes = shape_count(&v->shape) * (int64_t)number_bytes(v->type);
        if (bytes >= PLACED_BYTES)
            pieces[n++] = (struct piece){i, w->first[i], w->l.last[i],
                                         int64_div_up(bytes, ALIGN_BYTES) * ALIGN_BYTES, 0};
    }
    qsort(pieces, (size_t)n, sizeof(*pieces), by_bytes);
    for (int i = 0; i < n; i++) {
        struct piece *p = &pieces[i];
        p->offset = choose_offset(p, others, conflicts(p, pieces, i, others));
        w->l.offset[p->value] = p->offset;
        w->l.block_bytes = MAX(w->l.block_bytes, p->offset + p->bytes);
        if (w->l.block_bytes > INT64_MAX / 2) {
            w->l.block_bytes = INT64_MAX;
            return;
        }
    }
}

struct lifetimes lifetimes_of(const struct graph *g, const bool *want, struct arena *arena)
{
    const size_t n = (size_t)g->n_value;
    struct walk w = {.g = g,
                     .l = {ARENA_ARRAY(arena, int, n), ARENA_ARRAY(arena, int, n),
                           ARENA_ARRAY(arena, int64_t, n), ARENA_ARRAY(arena, int, n), 0},
                     .first = ARENA_ARRAY(arena, int, n),
                     .n_due = ARENA_ARRAY(arena, int, n),
                     .n_live = ARENA_ARRAY(arena, int, n)};
    count_reads(&w, want);
    for (int i = 0; i < g->n_node; i++) {
        make(&w, i);
        release(&w, i);
    }
    place(&w, arena);
    return w.l;
}
