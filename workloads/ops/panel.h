/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting cheap work into panels by its shape alone (workloads/threads.h says why). */
#pragma once

#include <glib.h>
#include <limits.h>
#include <stdint.h>

#include "sim/base/size.h"

#define PANEL_ELEMENTS 32768 /* long beside the cost of handing a panel to a thread */

/* How many items of `n_elem` elements each one panel takes. */
static inline int64_t panel_items(int64_t n_elem)
{
    return n_elem < PANEL_ELEMENTS ? PANEL_ELEMENTS / n_elem : 1;
}

/* Always fits for panel_items() panels of one tensor: a shape has at most 2^40 elements. */
static inline int panel_count(int64_t n_item, int64_t per_panel)
{
    int64_t n = int64_div_up(n_item, per_panel);
    g_assert(n <= INT_MAX);
    return (int)n;
}

/* Items [begin, end) of a panel. */
struct panel {
    int64_t begin, end;
};

static inline struct panel panel_at(int64_t n_item, int64_t per_panel, int64_t i_panel)
{
    int64_t begin = i_panel * per_panel;
    return (struct panel){begin, MIN(begin + per_panel, n_item)};
}
