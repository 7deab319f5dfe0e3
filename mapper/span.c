/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "mapper/mapping.h"
#include "mapper/passes.h"
#include "mapper/span.h"
#include "sim/base/size.h"

/* A value that is alive during a layer, */
struct alive {
    int value;
    bool touched; /* which reads or writes it, */
    int before;   /* as the last one before did; -1: none */
};

static bool touches(const struct plan_layer *l, int value)
{
    if (l->out == value)
        return true;
    for (int j = 0; j < l->n_in; j++)
        if (l->in[j] == value)
            return true;
    return false;
}

void lifetimes_find(struct lifetimes *t, const struct plan *p)
{
    *t = (struct lifetimes){.plan = p,
                            .alive = g_new(GArray *, (gsize)p->n_layer),
                            .image_bytes = g_new0(double, (gsize)p->graph->n_value)};
    for (int i = 0; i < p->n_layer; i++)
        t->alive[i] = g_array_new(FALSE, FALSE, sizeof(struct alive));
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        if (!h->used)
            continue;
        t->image_bytes[v] = (double)plan_image_bytes(p, v);
        struct alive a = {.value = v, .before = -1};
        for (int i = h->first_layer; i <= h->last_layer; i++) {
            a.touched = touches(&p->layers[i], v);
            g_array_append_val(t->alive[i], a);
            a.before = a.touched ? i : a.before;
        }
    }
}

void lifetimes_free(struct lifetimes *t)
{
    for (int i = 0; i < t->plan->n_layer; i++)
        g_array_unref(t->alive[i]);
    g_free(t->alive);
    g_free(t->image_bytes);
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
        return (struct need){.whole_bytes = whole, .link_bytes = h->loaded && !in ? whole : 0};
    if (in || out || h->loaded || h->stored) {
        /* Two copies for as long as the group runs, once a layer touches it. */
        const bool made = h->first_layer >= s->first && !h->loaded;
        if (!touched)
            return (struct need){0};
        return (struct need){.whole_bytes = 2 * PLACE_ALIGN_BYTES,
                             .image_bytes = 2 * image,
                             .link_bytes = made && !out && !h->stored ? 0 : whole};
    }
    *live = image;
    return (struct need){.whole_bytes = asked == MAPPING_HOST ? INFINITY : PLACE_ALIGN_BYTES};
}

static void add_need(struct need *n, const struct need *part, double times)
{
    n->whole_bytes += times * part->whole_bytes;
    n->image_bytes += times * part->image_bytes;
    n->link_bytes += times * part->link_bytes;
}

/* Another layer. Of what it finds alive most needs what it did before. */
void span_extend(const struct lifetimes *t, struct span *s)
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
