/* SPDX-License-Identifier: Apache-2.0 */
/* The machine `tpu` with a test's settings. */
#pragma once

#include "app/run/accsim.h"
#include "tests/unit/test.h"

/* The settings of `base` and then those of `more` (NULL: none), each up to NULL. */
static inline struct accsim *tpu_new(const char *net, enum accsim_mode mode,
                                     const char *const *base, const char *const *more,
                                     GError **error)
{
    const char *set[32] = {NULL};
    size_t n = 0;
    for (int i = 0; base[i]; i++)
        set[n++] = base[i];
    for (int i = 0; more && more[i]; i++)
        set[n++] = more[i];
    g_assert(n < G_N_ELEMENTS(set));
    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.net = net;
    o.set = set;
    o.mode = mode;
    o.time_limit_s = 60;
    return accsim_new(&o, error);
}

/* It has run, or the test fails. */
static inline struct accsim *tpu_run(const char *net, enum accsim_mode mode,
                                     const char *const *base, const char *const *more)
{
    GError *error = NULL;
    struct accsim *a = tpu_new(net, mode, base, more, &error);
    ck_ok(a != NULL, error);
    ck_ok(accsim_run(a, &error), error);
    return a;
}

static inline uint64_t tpu_cycles(const char *net, const char *const *base, const char *const *more)
{
    struct accsim *a = tpu_run(net, ACCSIM_TIMING, base, more);
    const uint64_t cycles = accsim_record(a)->total_cyc;
    accsim_free(a);
    return cycles;
}
