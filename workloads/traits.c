/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/traits.h"

#include <math.h>

const char *const traits_kind_names[] = {
#define TRAITS(kind, name, text) name,
    TRAITS_KINDS(TRAITS)
#undef TRAITS
        NULL,
};

bool traits_rectifies(const struct traits *t)
{
    const struct traits_element *e = &t->element;
    return t->kind == TRAITS_ELEMENT && e->clamps && e->lo == 0 && isinf(e->hi);
}

bool traits_is_largest(const struct traits *t)
{
    return t->kind == TRAITS_WINDOW && !t->pool.is_mean;
}

bool traits_convolves(const struct traits *t)
{
    return t->kind == TRAITS_PRODUCT && t->product.axis == 0 && !t->product.stacked;
}

bool traits_has_weights(const struct traits *t)
{
    return t->kind == TRAITS_PRODUCT && t->product.has_weights;
}
