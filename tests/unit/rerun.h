/* SPDX-License-Identifier: Apache-2.0 */
/* A machine that has run is run again, its plan changed or not, and its values compared. */
#pragma once

#include <string.h>

#include "app/run/internal.h"
#include "arch/systolic/systolic.h"
#include "sim/kernel/sk.h"
#include "tests/unit/test.h"

/* Values of every layer, one after the other. */
static inline GByteArray *outputs(const struct accsim *a)
{
    GByteArray *all = g_byte_array_new();
    for (int i = 0; i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        const guint n = (guint)shape_count(&a->graph->values[l->out].shape);
        if (l->kind == LAYER_HOST)
            g_byte_array_append(all, a->io.host[l->out].data, n * 4);
        else
            g_byte_array_append(all, (const guint8 *)a->io.out[l->out], n);
    }
    return all;
}

static inline void forget_outputs(struct accsim *a)
{
    for (int v = 0; v < a->graph->n_value; v++)
        if (a->io.out[v])
            memset(a->io.out[v], 0x55, (size_t)shape_count(&a->graph->values[v].shape));
}

static inline bool equal(const GByteArray *a, const GByteArray *b)
{
    return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* Run as the machine runs it; the plan may have been changed since. */
static inline bool run_again(void *arg, GError **error)
{
    struct accsim *a = arg;
    if (!sk_begin(1000, NULL, error))
        return false;
    return systolic_build(a->run, 0, 1, error) && sk_run(0, 20, error);
}

static inline GByteArray *values_again(struct accsim *a)
{
    GError *error = NULL;
    forget_outputs(a);
    ck_ok(sk_run_forked(run_again, a, 0, 60, &error), error);
    return outputs(a);
}
