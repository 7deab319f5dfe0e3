/* SPDX-License-Identifier: Apache-2.0 */
/* plan_tiled(): the passes in their order. */
#include <time.h>

#include "mapper/tiled/mapping.h"
#include "mapper/graph/layers.h"
#include "mapper/tiled/groups.h"
#include "mapper/tiled/homes.h"
#include "mapper/tiled/steps.h"
#include "mapper/tiled/residency.h"
#include "mapper/tiled/search.h"
#include "mapper/tiled/weights.h"
#include "sim/base/error.h"

/* no_fuse: nodes that are kept apart, as far as known; m: what a file says, or NULL. */
static bool layout(struct plan *p, const struct target *t, bool *no_fuse, struct mapping *m,
                   GError **error)
{
    const bool weights_last = machine_shares_weights(t->machine) && t->machine->streams_weights;
    for (;;) {
        int unfuse = -1;
        p->weight_bytes = 0;
        if (!layers_make(p, t, no_fuse, error))
            return false;
        if (!weights_last)
            weights_place(p);
        homes_find(p);
        if (m && !mapping_layout(m, p, error))
            return false;
        if (homes_fit(p, &unfuse, error)) {
            if (weights_last)
                weights_place(p);
            return !m || mapping_kept(m, p, error);
        }
        if (unfuse < 0)
            return false;
        no_fuse[unfuse] = true;
    }
}

/* A state is stored as its next is, by no scale that was found ahead of the run. */
static bool states_fit(const struct plan *p, GError **error)
{
    const struct graph *g = p->graph;
    for (int i = 0; g->n_state > 0 && i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind != LAYER_HOST && !number_is_float(l->format))
            return error_set(error, ERROR_UNSUPPORTED,
                             "%s keeps state ('%s') from step to step, and %s computes layer '%s' "
                             "in %s, by scales that are found ahead of the run: they do not follow "
                             "a state; a floating-point format has none",
                             g->name, g->values[g->states[0]].name, p->machine->name, l->name,
                             number_names[l->format]);
    }
    for (int i = 0; i < g->n_state; i++) {
        const int state = g->states[i], next = p->roots[g->values[state].next];
        if (p->homes[state].used && p->homes[next].used && p->formats[state] != p->formats[next])
            return error_set(error, ERROR_UNSUPPORTED,
                             "%s: state '%s' is read in %s, its next '%s' is made in %s: both are "
                             "to be of one format",
                             g->name, g->values[state].name, number_names[p->formats[state]],
                             g->values[next].name, number_names[p->formats[next]]);
    }
    return true;
}

/* What the file says is of the layers that the mapper makes without it. */
static bool find(struct plan *p, const struct target *t, struct mapping *m, GError **error)
{
    bool *no_fuse = ARENA_ARRAY(p->arena, bool, p->graph->n_node);
    if (!layout(p, t, no_fuse, NULL, error) || !states_fit(p, error) ||
        (m && !layout(p, t, no_fuse, m, error)))
        return false;
    if (p->n_layer == 0)
        return true; /* nothing is computed: all of it are views */
    const struct search_result present = groups_improve(p, t, search_layers(p, t));
    if (!m)
        residency_improve(p, t, present);
    return homes_place_outside(p, error);
}

/* Of this thread: the mapper has one. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct plan *plan_tiled(const struct graph *g, const struct target *t, GError **error)
{
    struct plan *p = plan_begin(g, t->machine);
    p->is_tiled = true;
    p->memory_limit_bytes = t->memory_limit_bytes;
    p->dims = ARENA_ARRAY(p->arena, struct dims, (size_t)g->n_value);
    for (int v = 0; v < g->n_value; v++)
        if (dims_possible(&g->values[v].shape))
            p->dims[v] = dims_of(&g->values[v].shape);
    struct mapping *m = t->mapping ? mapping_new(t->mapping, error) : NULL;
    const double start_s = cpu_seconds();
    struct target own = *t;
    if (!t->memo)
        own.memo = search_memo_new();
    bool ok = (m || !t->mapping) && find(p, &own, m, error);
    if (!t->memo)
        search_memo_free(own.memo);
    p->map_seconds = cpu_seconds() - start_s;
    ok = ok && (!m || mapping_apply(m, p, t, error)) && steps_make(p, error);
    p->mapping = NULL;
    mapping_free(m);
    if (ok)
        return p;
    plan_free(p);
    return NULL;
}
