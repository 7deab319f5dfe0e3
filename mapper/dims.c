/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/dims.h"

#include <glib.h>

bool dims_possible(const struct shape *s)
{
    return shape_count(s) > 0;
}

struct dims dims_of(const struct shape *s)
{
    g_assert(dims_possible(s));
    const int64_t last = s->n_dim > 0 ? s->dim[s->n_dim - 1] : 1;
    if (s->n_dim != 4)
        return (struct dims){.n = shape_count(s) / last, .h = 1, .w = 1, .c = last};
    return (struct dims){.n = s->dim[0], .c = s->dim[1], .h = s->dim[2], .w = s->dim[3]};
}

int64_t dims_image(const struct dims *d)
{
    return d->h * d->w * d->c;
}
