/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "mapper/tiled/groups.h"
#include "mapper/plan_input.h"
#include "mapper/tiled/homes.h"
#include "mapper/tiled/mapping_asked.h"
#include "mapper/tiled/rooms.h"
#include "mapper/tiled/search.h"
#include "sim/base/size.h"

/* Which values are alive during which layers. */
struct lifetimes {
    const struct plan *plan;
    GArray **alive;      /* by layer */
    double *image_bytes; /* by value */
    double *link_cyc;    /* the same: to or from where it is while not on the chip */
};

struct need {
    double whole_bytes; /* of values that stay as a whole */
    double image_bytes; /* an image's, of what crosses the ends of the span or the host link */
    double link_cyc;    /* that all images of it take to cross */
};

/* What layers [first, end) need, where what crosses each end is resident or not. */
struct span {
    int first, end;
    bool resident[2];
    struct need need;
    double *live; /* by layer, the caller's: bytes of an image of what only these layers know, */
    double peak;  /* and the most of them at a time */
};

/* Whether a value is needed on both sides of a cut, before layer `cut`. */
static inline bool span_crosses(const struct home *h, int cut)
{
    return h->first_layer < cut && cut <= h->last_layer;
}

/* A value that is alive during a layer, */
struct alive {
    int value;
    bool touched; /* which reads or writes it, */
    int before;   /* as the last one before did; -1: none */
};

static bool touches(const struct plan_layer *l, int value)
{
    if (plan_output_of(l, value) >= 0)
        return true;
    for (int j = 0; j < l->n_in; j++)
        if (l->in[j] == value)
            return true;
    return false;
}

static void lifetimes_find(struct lifetimes *t, const struct plan *p)
{
    *t = (struct lifetimes){.plan = p,
                            .alive = g_new(GArray *, (gsize)p->n_layer),
                            .image_bytes = g_new0(double, (gsize)p->graph->n_value),
                            .link_cyc = g_new0(double, (gsize)p->graph->n_value)};
    for (int i = 0; i < p->n_layer; i++)
        t->alive[i] = g_array_new(FALSE, FALSE, sizeof(struct alive));
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        if (!h->used)
            continue;
        t->image_bytes[v] = (double)plan_image_bytes(p, v);
        t->link_cyc[v] = plan_outside_cyc(p, v);
        struct alive a = {.value = v, .before = -1};
        for (int i = h->first_layer; i <= h->last_layer; i++) {
            a.touched = touches(&p->layers[i], v);
            g_array_append_val(t->alive[i], a);
            a.before = a.touched ? i : a.before;
        }
    }
}

static void lifetimes_free(struct lifetimes *t)
{
    for (int i = 0; i < t->plan->n_layer; i++)
        g_array_unref(t->alive[i]);
    g_free(t->alive);
    g_free(t->image_bytes);
    g_free(t->link_cyc);
}

/* One value's part of the need; *live: of what is alive for a while an image. touched: by a layer
 * of the span. */
static struct need part_of(const struct lifetimes *t, const struct span *s, int end, int value,
                           bool touched, double *live)
{
    const struct plan *p = t->plan;
    const struct home *h = &p->homes[value];
    const double image = t->image_bytes[value], whole = (double)h->size_bytes;
    const bool in = span_crosses(h, s->first), out = span_crosses(h, end);
    const enum mapping_home asked = mapping_home(p->mapping, value);
    const bool may_stay = (in || out) && (!in || s->resident[0]) && (!out || s->resident[1]);
    *live = 0;
    if (asked == MAPPING_FREE ? may_stay : asked == MAPPING_CHIP)
        return (struct need){.whole_bytes = whole,
                             .link_cyc = h->loaded && !in ? t->link_cyc[value] : 0};
    if (in || out || h->loaded || h->stored) {
        /* Two copies for as long as the group runs, once a layer touches it. */
        const bool made = h->first_layer >= s->first && !h->loaded;
        if (!touched)
            return (struct need){0};
        return (struct need){.whole_bytes = 2 * ROOMS_ALIGN_BYTES,
                             .image_bytes = 2 * image,
                             .link_cyc = made && !out && !h->stored ? 0 : t->link_cyc[value]};
    }
    *live = image;
    return (struct need){.whole_bytes = asked == MAPPING_HOST ? INFINITY : ROOMS_ALIGN_BYTES};
}

static void add_need(struct need *n, const struct need *part, double times)
{
    n->whole_bytes += times * part->whole_bytes;
    n->image_bytes += times * part->image_bytes;
    n->link_cyc += times * part->link_cyc;
}

/* Another layer. Of what it finds alive most needs what it did before. */
static void span_extend(const struct lifetimes *t, struct span *s)
{
    const int at = s->end++;
    s->live[at] = 0;
    for (guint i = 0; i < t->alive[at]->len; i++) {
        const struct alive *a = &g_array_index(t->alive[at], struct alive, i);
        const struct home *h = &t->plan->homes[a->value];
        const int from = MAX(h->first_layer, s->first);
        const bool touched_before = a->before >= s->first, last = at == h->last_layer;
        double live;
        if (from < at && !last && (touched_before || !a->touched))
            continue;
        if (from < at) {
            const struct need was = part_of(t, s, at, a->value, touched_before, &live);
            add_need(&s->need, &was, -1);
        }
        const struct need is = part_of(t, s, s->end, a->value, touched_before || a->touched, &live);
        add_need(&s->need, &is, 1);
        for (int k = from; live > 0 && k <= at; k++) {
            s->live[k] += live;
            s->peak = MAX(s->peak, s->live[k]);
        }
    }
}

/* Groups of layers that take turns on some images at a time: what one hands to the next then needs
 * room for these images alone, and need not go to the host and back. The price is that each layer's
 * weights are read anew for every chunk.
 *
 * Where to cut the row of layers, into how many chunks, and whether what crosses a cut stays on the
 * chip is found by dynamic programming over the cuts: the best way up to a cut, once with what
 * crosses it on the chip and once without. The cycles of a layer in n chunks are the analytic
 * ones; the link's are bytes / bandwidth. The winner is then laid out for real and kept if the
 * analytic model says that it takes fewer cycles than the layout it is to replace. */

enum {
    MAX_LAYERS = 64,   /* in a group */
    MAX_CHUNKS = 1024, /* of a group */
    TRIES = 3,         /* the fewest chunks that fit, and as many more as halve them, twice */
};

/* The best way to a cut: the group that ends there. */
struct way {
    double score; /* infinite: none */
    int from;     /* the cut at which the group begins */
    bool from_resident;
    int64_t n_chunk;
};

struct cuts {
    struct plan *plan;
    const struct target *target;
    struct way (*best)[2]; /* by cut and residency of what crosses it */
    double (*scores)[2]; /* by layer and number of chunks, in a group and alone; 0: not known yet */
    int64_t most_chunks;
    struct lifetimes lifetimes;
    double *live; /* by layer: a span's */
};

static int64_t batch_of(const struct plan *p, const struct plan_layer *l)
{
    return plan_dims(p, l->out).n;
}

static double layer_score(struct cuts *c, int layer, int64_t n_chunk, bool alone)
{
    double *known = &c->scores[layer * (c->most_chunks + 1) + n_chunk][alone];
    if (*known == 0)
        *known = MAX(search_layer_score(c->plan, c->target, layer, n_chunk, alone), 1e-9);
    return *known;
}

/* The link moves what the next chunk needs while one is computed; the first load and the last store
 * show. */
static double group_score(struct cuts *c, int first, int end, const struct need *need,
                          int64_t n_chunk)
{
    const struct machine *m = c->plan->machine;
    const double link = need->link_cyc;
    double layers = 0;
    for (int i = first; i < end; i++)
        layers += layer_score(c, i, n_chunk, end - first == 1);
    if (m->objective == OBJECTIVE_TRAFFIC)
        return layers + search_score(m, 0, link);
    return MAX(layers, link) + MIN(layers, link) / (double)n_chunk + search_score(m, 0, link);
}

/* The largest number of images that makes a chunk more; 0: none. */
static int64_t next_smaller(int64_t batch, int64_t image)
{
    return image == 1 ? 0 : MIN(image - 1, int64_div_up(batch, int64_div_up(batch, image) + 1));
}

static void try_group(struct cuts *c, const struct span *s)
{
    const struct plan *p = c->plan;
    const int first = s->first, end = s->end;
    const struct way *from = &c->best[first][s->resident[0]];
    struct way *to = &c->best[end][s->resident[1]];
    const int64_t batch = batch_of(p, &p->layers[first]);
    const double capacity = (double)homes_capacity(p);
    const double room = capacity - s->need.whole_bytes;
    const double image_bytes = s->need.image_bytes + s->peak;
    if (room < image_bytes)
        return;
    int64_t image = image_bytes > 0 ? (int64_t)MIN((double)batch, room / image_bytes) : batch;
    if (end - first > 1 && image == batch)
        image = int64_div_up(batch, 2);
    const bool all = p->machine->search == SEARCH_EXHAUSTIVE;
    for (int i = 0; i < (all ? MAX_CHUNKS : TRIES) && image > 0;
         i++, image = all ? next_smaller(batch, image) : int64_div_up(image, 2)) {
        const int64_t n_chunk = int64_div_up(batch, image);
        if (n_chunk > MAX_CHUNKS || (end - first > 1 && n_chunk == 1))
            return;
        const double score = from->score + group_score(c, first, end, &s->need, n_chunk);
        if (score < to->score)
            *to = (struct way){score, first, s->resident[0], n_chunk};
    }
}

bool groups_joins(const struct plan *p, const struct plan_layer *l, int64_t batch)
{
    bool same = l->kind != LAYER_HOST && batch_of(p, l) == batch && !l->stationary_is_activation;
    for (int j = 0; same && j < l->n_in; j++)
        same = plan_dims(p, l->in[j]).n == batch && !plan_is_mapped(p, l, j);
    return same;
}

/* Ways to all cuts behind a group that begins at `first`, with what crosses the cuts at its ends on
 * the chip or not. */
static void extend_ways(struct cuts *c, int first, bool resident, bool end_resident)
{
    const struct plan *p = c->plan;
    const int64_t batch = batch_of(p, &p->layers[first]);
    struct span s = {
        .first = first, .end = first, .resident = {resident, end_resident}, .live = c->live};
    while (s.end < MIN(p->n_layer, first + MAX_LAYERS)) {
        if (s.end > first && (!groups_joins(p, &p->layers[first], batch) ||
                              !groups_joins(p, &p->layers[s.end], batch)))
            return;
        span_extend(&c->lifetimes, &s);
        try_group(c, &s);
    }
}

/* A layer on the host is its own group. */
static void pass_host(struct cuts *c, int layer)
{
    for (int r = 0; r < 2; r++)
        if (c->best[layer][r].score < c->best[layer + 1][r].score)
            c->best[layer + 1][r] = (struct way){c->best[layer][r].score, layer, r, 1};
}

/* From the last cut back: groups and chunks into the layers; a value stays on the chip where every
 * cut that it crosses says so. */
static void apply(struct cuts *c)
{
    struct plan *p = c->plan;
    int end = p->n_layer;
    bool resident = c->best[end][0].score > c->best[end][1].score;
    for (int v = 0; v < p->graph->n_value; v++)
        p->homes[v].resident = p->homes[v].used;
    int *firsts = g_new(int, (gsize)p->n_layer), n = 0;
    while (end > 0) {
        const struct way w = c->best[end][resident];
        firsts[n++] = w.from;
        const bool alone = w.from + 1 == end;
        for (int i = w.from; i < end && p->layers[i].kind != LAYER_HOST; i++) {
            struct plan_layer *l = &p->layers[i];
            homes_take_turns(p, l, int64_div_up(batch_of(p, l), w.n_chunk));
            l->n_turn = alone ? 1 : l->n_turn;
        }
        for (int v = 0; v < p->graph->n_value; v++) {
            struct home *h = &p->homes[v];
            const bool within = h->used && h->first_layer >= w.from && h->last_layer < end;
            if ((h->used && span_crosses(h, end) && !resident) || (within && !alone))
                h->resident = false;
            if (h->used && mapping_home(p->mapping, v) != MAPPING_FREE)
                h->resident = mapping_home(p->mapping, v) == MAPPING_CHIP;
        }
        end = w.from;
        resident = w.from_resident;
    }
    p->n_group = 0;
    for (int i = n - 1; i >= 0; i--) {
        const int last = i > 0 ? firsts[i - 1] - 1 : p->n_layer - 1;
        for (int j = firsts[i]; j <= last; j++)
            p->layers[j].group = p->n_group;
        p->groups[p->n_group++] = (struct plan_group){.first = firsts[i], .last = last};
    }
    g_free(firsts);
}

static void find_ways(struct cuts *c)
{
    const struct plan *p = c->plan;
    for (int i = 0; i <= p->n_layer; i++)
        for (int r = 0; r < 2; r++)
            c->best[i][r].score = i == 0 && r == 1 ? 0 : INFINITY;
    for (int i = 0; i < p->n_layer; i++) {
        if (p->layers[i].kind == LAYER_HOST)
            pass_host(c, i);
        for (int r = 0; r < 4 && p->layers[i].kind != LAYER_HOST; r++)
            if (!isinf(c->best[i][r & 1].score))
                extend_ways(c, i, r & 1, r >> 1);
    }
}

static void cuts_free(struct cuts *c)
{
    lifetimes_free(&c->lifetimes);
    g_free(c->best);
    g_free(c->scores);
    g_free(c->live);
}

struct search_result groups_improve(struct plan *p, const struct target *t,
                                    struct search_result present)
{
    const struct mapping *m = p->mapping;
    if (!p->machine->interleaves || p->n_slot == 0 || (m && m->has_groups))
        return present;
    struct homes_layout *before = homes_keep(p);
    struct cuts c = {.plan = p,
                     .target = t,
                     .best = g_malloc_n((gsize)p->n_layer + 1, sizeof(*c.best)),
                     .live = g_new(double, (gsize)p->n_layer)};
    for (int i = 0; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST)
            c.most_chunks = CLAMP(batch_of(p, &p->layers[i]), c.most_chunks, MAX_CHUNKS);
    c.scores = g_malloc0_n((gsize)p->n_layer * (gsize)(c.most_chunks + 1), sizeof(*c.scores));
    lifetimes_find(&c.lifetimes, p);
    find_ways(&c);
    const bool found = !isinf(MIN(c.best[p->n_layer][0].score, c.best[p->n_layer][1].score));
    if (found)
        apply(&c);
    int unfuse;
    const bool fits = found && homes_fit(p, &unfuse, NULL) && (!m || mapping_kept(m, p, NULL));
    const struct search_result better =
        fits ? search_layers(p, t) : (struct search_result){.score = INFINITY};
    if (better.score >= present.score)
        homes_restore(p, before);
    homes_layout_free(before);
    cuts_free(&c);
    return better.score < present.score ? better : present;
}
