/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/tiled/search.h"

#include <math.h>
#include <string.h>

#include "mapper/tiled/homes.h"
#include "sim/base/size.h"

#define NEGLIGIBLE 1e-6 /* what decides between equals counts */

/* A mapping of a layer. */
struct option {
    double cycles, end_cyc, traffic_cyc; /* as in struct cost */
    int64_t chunk_image;
    struct choice choice;
};

/* Those of which none other is as soon at its end with as little traffic, in the order of trying.
 */
struct front {
    GArray *options; /* struct option */
};

struct search_memo {
    GHashTable *kinds;  /* GBytes: all that a layer is -> its number, from 1 on */
    GHashTable *fronts; /* GBytes: a kind in given chunks -> struct front */
};

static void front_free(void *front)
{
    g_array_unref(((struct front *)front)->options);
    g_free(front);
}

struct search_memo *search_memo_new(void)
{
    struct search_memo *m = g_new(struct search_memo, 1);
    m->kinds =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    m->fronts = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                      front_free);
    return m;
}

void search_memo_free(struct search_memo *m)
{
    if (!m)
        return;
    g_hash_table_unref(m->kinds);
    g_hash_table_unref(m->fronts);
    g_free(m);
}

/* `share`: what a cycle of transfers counts beside a cycle. */
static double score_of(const struct machine *m, double cycles, double traffic_cyc, double share)
{
    if (m->objective == OBJECTIVE_TRAFFIC)
        return traffic_cyc + NEGLIGIBLE * cycles;
    return cycles + share * traffic_cyc;
}

double search_score(const struct machine *m, double cycles, double traffic_cyc)
{
    return score_of(m, cycles, traffic_cyc, SEARCH_TRAFFIC_SHARE);
}

struct search {
    struct plan *plan;
    const struct target *target;
    struct plan_layer *layer;
    struct front *front;
    bool follows; /* other layers come before it */
};

/* Of all chunks of a layer to and from the chip; rows that two chunks need are counted once. */
static double transfer_cyc(const struct plan *p, const struct plan_layer *l)
{
    double cycles = 0;
    for (int k = 0; k < l->n_out; k++)
        cycles += l->stores >> k & 1 ? plan_outside_cyc(p, l->outs[k]) : 0;
    for (int j = 0; j < l->n_in && l->loads >> j; j++)
        cycles += l->loads >> j & 1 ? plan_outside_cyc(p, l->in[j]) : 0;
    return cycles;
}

/* Cycles that memories need for a layer's weights and transfers. */
static double traffic_of(const struct plan *p, const struct plan_layer *l, double parameter_bytes)
{
    const struct machine *m = p->machine;
    const double rate = machine_memory(m, l->streamed ? ROLE_INPUTS : ROLE_WEIGHTS)->bytes_per_cyc;
    double cycles = rate > 0 ? parameter_bytes / rate : 0;
    if (l->loads || l->stores)
        cycles += transfer_cyc(p, l);
    return cycles;
}

static bool is_dominated(const struct option *o, const struct option *by)
{
    return by->end_cyc <= o->end_cyc && by->traffic_cyc <= o->traffic_cyc;
}

static void keep_option(struct front *f, const struct option *o)
{
    guint n = 0;
    for (guint i = 0; i < f->options->len; i++)
        if (is_dominated(o, &g_array_index(f->options, struct option, i)))
            return;
    for (guint i = 0; i < f->options->len; i++) {
        const struct option old = g_array_index(f->options, struct option, i);
        if (!is_dominated(&old, o))
            g_array_index(f->options, struct option, n++) = old;
    }
    g_array_set_size(f->options, n);
    g_array_append_vals(f->options, o, 1);
}

static void try_choice(const struct choice *choice, void *user)
{
    struct search *s = user;
    s->layer->choice = *choice;
    s->plan->n_tried++;
    const struct cost c = s->target->cost(s->target->self, s->plan, s->layer, s->follows);
    const struct option o = {.cycles = c.cycles,
                             .end_cyc = c.end_cyc,
                             .traffic_cyc = traffic_of(s->plan, s->layer, c.parameter_bytes),
                             .chunk_image = s->layer->chunk_image,
                             .choice = *choice};
    keep_option(s->front, &o);
}

/* Chunks of n images, where their slots fit. */
static void try_chunk(struct search *s, int64_t n)
{
    static const struct choice none;
    struct plan_layer *l = s->layer;
    const int64_t most = l->chunk_image;
    if (n % plan_chunk_unit(l) != 0)
        return;
    l->chunk_image = n;
    const bool fits = n == most || homes_chunk_fits(s->plan, l);
    if (fits && l->kind == LAYER_MATRIX && s->target->candidates)
        s->target->candidates(s->target->self, s->plan, l, try_choice, s);
    else if (fits)
        try_choice(&none, s);
    l->chunk_image = most;
}

/* Chunks of as many images as fill whole blocks of so many rows: what is left for the last one is
 * soon computed and stored. */
static void try_whole_blocks(struct search *s, int64_t block_m)
{
    const struct plan_layer *l = s->layer;
    const int64_t rows = l->gemm.m / plan_dims(s->plan, l->out).n, most = l->chunk_image;
    if (l->stationary_is_activation || block_m < 1 || rows < 1)
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
        try_whole_blocks(s, s->layer->rows_at_once / 2);
        try_whole_blocks(s, s->layer->rows_at_once);
    }
    for (int64_t n = overlap ? int64_div_up(most, 4) : most;; n = MIN(2 * n, most)) {
        try_chunk(s, n);
        if (n == most)
            return;
    }
}

static void put(GByteArray *key, const void *data, size_t n)
{
    g_byte_array_append(key, data, (guint)n);
}

static void put_value(GByteArray *key, const struct plan *p, int value, int root)
{
    const struct value *v = &p->graph->values[value];
    const void *data = v->data;
    put(key, &v->shape, sizeof(v->shape));
    put(key, &p->graph->values[root].shape, sizeof(v->shape));
    put(key, &p->formats[root], sizeof(p->formats[root]));
    put(key, &data, sizeof(data));
}

/* All that a layer is, but for where its operands lie and its chunks: its number. */
static int kind_of(struct search_memo *m, const struct plan *p, const struct plan_layer *l)
{
    GByteArray *key = g_byte_array_new();
    put(key, &l->kind, sizeof(l->kind));
    put(key, &l->format, sizeof(l->format));
    put(key, &l->weight_format, sizeof(l->weight_format));
    for (int i = 0; i < l->n_node; i++) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        put(key, &n->op, sizeof(n->op));
        put(key, n->attr, n->op->attr_size);
        for (int j = 0; j < n->n_in; j++)
            if (n->in[j] >= 0)
                put_value(key, p, n->in[j], p->roots[n->in[j]]);
    }
    for (int j = 0; j < l->n_in; j++) { /* an operand that is read twice has one slot */
        int first = 0;
        while (l->in[first] != l->in[j])
            first++;
        put(key, &first, sizeof(first));
    }
    for (int k = 0; k < l->n_out; k++)
        put_value(key, p, l->outs[k], l->outs[k]);
    GBytes *bytes = g_byte_array_free_to_bytes(key);
    int kind = GPOINTER_TO_INT(g_hash_table_lookup(m->kinds, bytes));
    if (kind > 0) {
        g_bytes_unref(bytes);
        return kind;
    }
    kind = (int)g_hash_table_size(m->kinds) + 1;
    g_hash_table_insert(m->kinds, bytes, GINT_TO_POINTER(kind));
    return kind;
}

static void put_home(GByteArray *key, const struct home *h)
{
    put(key, &h->resident, sizeof(h->resident));
    put(key, &h->outside, sizeof(h->outside));
}

/* With it, where operands lie, the chunks that they allow, and the layer's place in its group. */
static GBytes *key_of(const struct plan *p, const struct plan_layer *l, bool in_place, bool follows)
{
    const struct plan_group *g = &p->groups[l->group];
    GByteArray *key = g_byte_array_new();
    const int64_t facts[] = {l->resident,
                             l->weights_of == l->index,
                             l->alike,
                             l->chunk_image,
                             l->chunk_row,
                             l->chunk_col,
                             l->chunk_channel,
                             l->n_turn,
                             l->loads,
                             l->stores,
                             l->streamed,
                             in_place,
                             follows,
                             l->n_turn > 1 ? l->index == g->first : 0,
                             l->n_turn > 1 ? l->index == g->last : 0};
    put(key, facts, sizeof(facts));
    for (int j = 0; j < l->n_in; j++)
        put_home(key, &p->homes[l->in[j]]);
    for (int k = 0; k < l->n_out; k++)
        put_home(key, &p->homes[l->outs[k]]);
    for (int i = g->first_slot; in_place && i < g->first_slot + g->n_slot; i++) {
        put(key, &p->slots[i].room_bytes, sizeof(p->slots[i].room_bytes));
        put(key, &p->slots[i].crosses, sizeof(p->slots[i].crosses));
    }
    return g_byte_array_free_to_bytes(key);
}

/* On the machine. */
static bool is_first(const struct plan *p, const struct plan_layer *l)
{
    for (int i = 0; i < l->index; i++)
        if (p->layers[i].kind != LAYER_HOST)
            return false;
    return true;
}

/* The mappings of a layer that are worth having. in_place: its slots have their room. */
static const struct front *find_front(struct plan *p, const struct target *t, struct plan_layer *l,
                                      bool in_place)
{
    struct search_memo *m = t->memo;
    const bool follows = in_place && !is_first(p, l);
    GBytes *key = key_of(p, l, in_place, follows);
    struct front *f = g_hash_table_lookup(m->fronts, key);
    if (f) {
        g_bytes_unref(key);
        return f;
    }
    const struct choice kept = l->choice;
    f = g_new(struct front, 1);
    f->options = g_array_new(FALSE, FALSE, sizeof(struct option));
    struct search s = {.plan = p, .target = t, .layer = l, .front = f, .follows = follows};
    try_chunks(&s);
    l->choice = kept;
    g_hash_table_insert(m->fronts, key, f);
    return f;
}

static const struct option *best_of(const struct front *f, const struct machine *m, double share)
{
    const struct option *best = NULL;
    double least = INFINITY;
    for (guint i = 0; i < f->options->len; i++) {
        const struct option *o = &g_array_index(f->options, struct option, i);
        const double score = score_of(m, o->end_cyc, o->traffic_cyc, share);
        if (score < least) {
            least = score;
            best = o;
        }
    }
    return best;
}

/* Of all layers, one after the other. */
struct total {
    double cycles, traffic_cyc;
};

/* The best mapping of each layer, transfers counting so much. */
static struct total choose_all(struct plan *p, const struct target *t,
                               const struct front *const *fronts, double share)
{
    struct total sum = {0};
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        if (!fronts[i]) { /* on the host */
            sum.cycles += t->cost(t->self, p, l, i > 0).cycles;
            continue;
        }
        const struct option *best = best_of(fronts[i], p->machine, share);
        l->choice = best->choice;
        l->chunk_image = best->chunk_image;
        sum.cycles += best->cycles;
        sum.traffic_cyc += best->traffic_cyc;
    }
    return sum;
}

/* The cycles that a transfer's count beside, the largest first that leaves all layers together fast
 * enough: of few, by halves, since more weight makes them slower. */
static struct total weigh(struct plan *p, const struct target *t, const struct front *const *fronts,
                          struct total fastest)
{
    static const double shares[] = {1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09, 1.0 / 16, 1.0 / 64};
    const size_t size = (size_t)p->n_layer * sizeof(*p->layers);
    const double limit = fastest.cycles * (1 + SEARCH_SLOWER);
    struct plan_layer *best = g_memdup2(p->layers, size);
    struct total sum = fastest;
    int from = 0, to = (int)G_N_ELEMENTS(shares); /* the first that is fast enough */
    for (int i = 0; from < to; i = (from + to) / 2) {
        const struct total now = choose_all(p, t, fronts, shares[i]);
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

/* Numbers of what layers are; layers that are alike have the same. */
static void find_alike(struct plan *p, const struct target *t)
{
    for (int i = 0; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST && p->layers[i].alike == 0)
            p->layers[i].alike = kind_of(t->memo, p, &p->layers[i]);
}

struct search_result search_layers(struct plan *p, const struct target *t)
{
    const struct front **fronts = g_new0(const struct front *, (gsize)p->n_layer);
    find_alike(p, t);
    for (int i = 0; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST)
            fronts[i] = find_front(p, t, &p->layers[i], true);
    struct total sum = choose_all(p, t, fronts, NEGLIGIBLE);
    if (p->machine->objective == OBJECTIVE_CYCLES && p->machine->search != SEARCH_HEURISTIC)
        sum = weigh(p, t, fronts, sum);
    g_free(fronts);
    return (struct search_result){search_score(p->machine, sum.cycles, sum.traffic_cyc),
                                  sum.cycles};
}

double search_layer_score(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk,
                          bool alone)
{
    struct plan_layer *l = &p->layers[i_layer], kept = *l;
    const struct dims o = plan_dims(p, l->out);
    l->loads = 0;
    l->stores = 0;
    plan_chunk_whole(p, l);
    const int64_t unit = plan_chunk_unit(l);
    l->chunk_image = MAX(int64_div_up(o.n, n_chunk) / unit, 1) * unit;
    l->n_turn = alone ? 1 : int64_div_up(o.n, l->chunk_image);
    const struct option *best =
        best_of(find_front(p, t, l, false), p->machine, SEARCH_TRAFFIC_SHARE);
    *l = kept;
    return search_score(p->machine, best->cycles, best->traffic_cyc);
}

double search_present_score(const struct plan *p, const struct target *t, int i_layer)
{
    const struct plan_layer *l = &p->layers[i_layer];
    const struct cost c = t->cost(t->self, p, l, true);
    return search_score(p->machine, c.end_cyc, traffic_of(p, l, c.parameter_bytes));
}
