/* SPDX-License-Identifier: Apache-2.0 */
/* plan_new(): the passes in their order. */
#include <time.h>

#include "mapper/mapping.h"
#include "mapper/passes.h"

static bool layout(struct plan *p, const struct target *t, GError **error)
{
    bool *no_fuse = ARENA_ARRAY(p->arena, bool, p->graph->n_node);
    for (;;) {
        int unfuse = -1;
        if (!layers_make(p, t, no_fuse, error))
            return false;
        homes_find(p);
        if (homes_fit(p, &unfuse, error))
            return true;
        if (unfuse < 0)
            return false;
        no_fuse[unfuse] = true;
    }
}

/* Of this thread: the mapper has one. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct plan *plan_new(const struct graph *g, const struct target *t, GError **error)
{
    struct arena *arena = arena_new();
    struct plan *p = ARENA_NEW(arena, struct plan);
    p->arena = arena;
    p->graph = g;
    p->machine = t->machine;
    p->memory_limit_bytes = t->memory_limit_bytes;
    const double start_s = cpu_seconds();
    if (layout(p, t, error)) {
        groups_improve(p, t, tiles_choose(p, t));
        p->map_seconds = cpu_seconds() - start_s;
        if ((!t->mapping || mapping_apply(p, t->mapping, error)) && steps_make(p, error))
            return p;
    }
    plan_free(p);
    return NULL;
}
