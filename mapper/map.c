/* SPDX-License-Identifier: Apache-2.0 */
/* plan_new(): the passes in their order. */
#include "mapper/passes.h"

struct plan *plan_new(const struct graph *g, const struct target *t, GError **error)
{
    struct arena *arena = arena_new();
    struct plan *p = ARENA_NEW(arena, struct plan);
    p->arena = arena;
    p->graph = g;
    p->machine = t->machine;
    p->memory_limit_bytes = t->memory_limit_bytes;
    bool *no_fuse = ARENA_ARRAY(arena, bool, g->n_node);
    for (;;) {
        int unfuse = -1;
        if (!layers_make(p, t, no_fuse, error))
            break;
        if (homes_place(p, &unfuse, error)) {
            tiles_choose(p, t);
            if (!steps_make(p, error))
                break;
            return p;
        }
        if (unfuse < 0)
            break;
        no_fuse[unfuse] = true;
    }
    plan_free(p);
    return NULL;
}
