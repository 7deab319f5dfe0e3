/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/tiled/residency.h"

#include <math.h>

#include "mapper/tiled/homes.h"
#include "mapper/tiled/search.h"

/* Weights that stay spare traffic and energy, which may cost so much time. */
#define MOST_SLOWER 0.005

/* Weights that are fetched more than once may stay. */
static bool is_read_again(const struct plan *p, const struct target *t, int i_layer)
{
    double bytes = 0;
    for (int i = i_layer; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_MATRIX && l->weights_of == i_layer)
            bytes += t->cost(t->self, p, l, true).parameter_bytes;
    }
    return bytes > (double)p->layers[i_layer].stored_bytes;
}

static bool may_stay(const struct plan *p, const struct plan_layer *l)
{
    return l->kind == LAYER_MATRIX && l->weights_of == l->index && !l->stationary_is_activation &&
           !l->streamed && l->stored_bytes <= homes_capacity(p);
}

/* Of the layers that share the weights of i_layer, as they rank now. */
static double score_users(struct plan *p, const struct target *t, int i_layer)
{
    double score = 0;
    for (int i = i_layer; i < p->n_layer; i++)
        if (p->layers[i].kind == LAYER_MATRIX && p->layers[i].weights_of == i_layer)
            score += search_present_score(p, t, i);
    return score;
}

/* Lays all out anew with these weights to stay, as far as there is room. Returns the score;
 * infinite where nothing is found. */
static struct search_result lay_out(struct plan *p, const struct target *t, const bool *stays)
{
    int unfuse;
    for (int i = 0; i < p->n_layer; i++)
        if (p->layers[i].kind == LAYER_MATRIX && p->layers[i].weights_of == i)
            homes_set_resident(p, i, stays[i]);
    return homes_fit(p, &unfuse, NULL) ? search_layers(p, t)
                                       : (struct search_result){.score = INFINITY};
}

void residency_improve(struct plan *p, const struct target *t, struct search_result present)
{
    if (!p->machine->keeps_weights || p->machine->search == SEARCH_HEURISTIC)
        return;
    g_autofree bool *stays = g_new0(bool, (gsize)p->n_layer);
    g_autofree double *before = g_new0(double, (gsize)p->n_layer);
    int n = 0;
    for (int i = 0; i < p->n_layer; i++) {
        stays[i] = may_stay(p, &p->layers[i]) && is_read_again(p, t, i);
        before[i] = stays[i] ? score_users(p, t, i) : 0;
        n += stays[i];
    }
    if (n == 0)
        return;
    struct homes_layout *kept = homes_keep(p);
    struct search_result better = lay_out(p, t, stays);
    bool changed = false;
    for (int i = 0; i < p->n_layer && !isinf(better.score); i++) {
        const bool helps = stays[i] && p->layers[i].resident && score_users(p, t, i) < before[i];
        changed |= helps != stays[i];
        stays[i] = helps;
    }
    if (changed) {
        homes_restore(p, kept);
        better = lay_out(p, t, stays);
    }
    if (better.score >= present.score || better.cycles > present.cycles * (1 + MOST_SLOWER))
        homes_restore(p, kept);
    homes_layout_free(kept);
}
