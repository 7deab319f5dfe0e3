/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/plan.h"

#include <inttypes.h>

#include "sim/base/error.h"

int64_t plan_element_bytes(const struct plan *p, int value)
{
    return (int64_t)number_bytes(p->formats[value]);
}

int64_t plan_row_bytes(const struct plan *p, int value)
{
    const struct dims d = dims_of(&p->graph->values[value].shape);
    return d.w * d.c * plan_element_bytes(p, value);
}

int64_t plan_image_bytes(const struct plan *p, int value)
{
    const struct dims d = dims_of(&p->graph->values[value].shape);
    return d.h * plan_row_bytes(p, value);
}

bool plan_is_local(const struct plan *p, int value)
{
    const struct home *h = &p->homes[value];
    return !h->resident && !h->loaded && !h->stored &&
           p->layers[h->first_layer].group == p->layers[h->last_layer].group &&
           !plan_is_alone(p, &p->layers[h->first_layer]);
}

bool plan_is_alone(const struct plan *p, const struct plan_layer *l)
{
    return p->groups[l->group].first == p->groups[l->group].last;
}

bool plan_within_limit(const struct plan *p, double n, size_t size_bytes, const char *what,
                       GError **error)
{
    if (p->memory_limit_bytes == 0 || n * (double)size_bytes <= (double)p->memory_limit_bytes)
        return true;
    return error_set(error, ERROR_LIMIT,
                     "%s at batch %" PRId64
                     " becomes about %.3g %s for %s, %.0f MiB of memory; the "
                     "limit is %.0f MiB",
                     p->graph->name, p->graph->batch, n, what, p->machine->name,
                     n * (double)size_bytes / 0x1p20, (double)p->memory_limit_bytes / 0x1p20);
}

void plan_free(struct plan *p)
{
    if (p)
        arena_free(p->arena);
}
