/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/tiled/mapping_asked.h"

#include <inttypes.h>

#include "sim/base/error.h"
#include "sim/base/size.h"

const char *const mapping_home_names[] = {"chip", "host", "turn", NULL};

bool mapping_kept(const struct mapping *m, const struct plan *p, GError **error)
{
    const struct machine_memory *memory = machine_memory(p->machine, ROLE_ACTIVATIONS);
    for (int i = 0; i < m->n_group; i++) {
        const struct mapping_group *g = &m->groups[i];
        const struct plan_layer *l = &p->layers[g->first];
        const int64_t images = l->chunk_image, batch = plan_dims(p, l->out).n;
        if (l->n_turn != int64_div_up(batch, g->images))
            return error_set(error, ERROR_INPUT,
                             "%s: '%s' to '%s': images = %" PRId64 ": %s has room for %" PRId64,
                             g->origin, p->layers[g->first].name, p->layers[g->last].name,
                             g->images, memory->name, images);
    }
    for (int v = 0; v < p->graph->n_value; v++)
        if (m->homes[v] == MAPPING_CHIP && !p->homes[v].resident)
            return error_set(error, ERROR_INPUT,
                             "%s: value '%s': home = \"chip\": %s has no room for its %" PRIu64
                             " KiB beside what else is on the chip then, so \"%s\" is right",
                             m->origins[v], p->graph->values[v].name, memory->name,
                             p->homes[v].size_bytes / 1024,
                             mapping_home_names[plan_is_local(p, v) ? MAPPING_TURN : MAPPING_HOST]);
    return true;
}

bool mapping_no_room(const struct mapping *m, const struct plan *p, int first, int last,
                     GError **error)
{
    const struct machine_memory *memory = machine_memory(p->machine, ROLE_ACTIVATIONS);
    for (int i = 0; i < m->n_group; i++) {
        const struct mapping_group *g = &m->groups[i];
        if (g->first <= last && first <= g->last)
            return error_set(error, ERROR_INPUT,
                             "%s: '%s' to '%s': %s has no room for one image of them all: fewer "
                             "layers, or a group each",
                             g->origin, p->layers[g->first].name, p->layers[g->last].name,
                             memory->name);
    }
    return error_set(error, ERROR_INPUT, "%s: %s has no room for its homes", m->file, memory->name);
}
