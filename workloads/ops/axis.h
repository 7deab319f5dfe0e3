/* SPDX-License-Identifier: Apache-2.0 */
/* The `axis` attribute: one dimension of a value, counted from the end when negative. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/base/error.h"
#include "workloads/tensor/tensor.h"

/* Makes *axis count from 0. */
static inline bool axis_normalise(int64_t *axis, const struct shape *s, GError **error)
{
    int64_t from_start = *axis < 0 ? *axis + s->n_dim : *axis;
    if (from_start < 0 || from_start >= s->n_dim)
        return error_set(error, ERROR_INPUT,
                         "axis %" G_GINT64_FORMAT
                         " is none of an input of %d dimensions",
                         *axis, s->n_dim);
    *axis = from_start;
    return true;
}
