/* SPDX-License-Identifier: Apache-2.0 */
/* A network on a machine, run more than once. */
#include <malloc.h>

#include "app/run/internal.h"
#include "tests/unit/test.h"

static struct accsim *open_net(const char *arch, const char *net, enum accsim_mode mode,
                               enum accsim_fidelity fidelity)
{
    GError *error = NULL;
    struct accsim_options o = accsim_options_default();
    o.arch = arch;
    o.net = net;
    o.mode = mode;
    o.fidelity = fidelity;
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    return a;
}

static void put(GByteArray *to, const void *x, size_t n_byte)
{
    g_byte_array_append(to, x, (guint)n_byte);
}

/* What a run tells, without the clock of the host. */
static GByteArray *told(struct accsim *a)
{
    GError *error = NULL;
    ck_ok(accsim_run(a, &error), error);
    const struct record *r = accsim_record(a);
    GByteArray *all = g_byte_array_new();
    put(all, &r->total_cyc, sizeof(r->total_cyc));
    put(all, &r->n_event, sizeof(r->n_event));
    put(all, &r->n_unit, sizeof(r->n_unit));
    put(all, &r->snr_db, sizeof(r->snr_db));
    for (int i = 0; i < r->n_unit; i++)
        put(all, &r->units[i].busy_cyc, sizeof(r->units[i].busy_cyc));
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        put(all, &l->cycles, sizeof(l->cycles));
        put(all, &l->saturated, sizeof(l->saturated));
        put(all, &l->check.max_abs_error, sizeof(double));
        put(all, l->stall_cyc, (size_t)r->n_cause * sizeof(*l->stall_cyc));
        put(all, l->bytes, (size_t)r->n_memory * sizeof(*l->bytes));
        put(all, l->energy_pj, (size_t)r->n_component * sizeof(*l->energy_pj));
    }
    return all;
}

/* What malloc() has handed out and not been given back. */
static size_t held_bytes(void)
{
    const struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

START_TEST(test_a_second_run_tells_the_same)
{
    for (int i = 0; i < 4; i++) {
        struct accsim *a = open_net("tpu", "lenet5", i & 1 ? ACCSIM_TIMING : ACCSIM_FUNCTIONAL,
                                    i & 2 ? ACCSIM_ANALYTIC : ACCSIM_EVENT);
        GByteArray *first = told(a), *second = told(a);
        ck_assert_uint_eq(first->len, second->len);
        ck_assert_mem_eq(first->data, second->data, first->len);
        ck_assert(i & 1 || accsim_record(a)->check.exact);
        g_byte_array_unref(first);
        g_byte_array_unref(second);
        accsim_free(a);
    }
}
END_TEST

START_TEST(test_runs_after_the_first_hold_no_more_memory)
{
    GError *error = NULL;
    for (int i = 0; i < 4; i++) {
        struct accsim *a =
            open_net("tpu-v2", "mlp-mnist", i & 1 ? ACCSIM_TIMING : ACCSIM_FUNCTIONAL,
                     i & 2 ? ACCSIM_ANALYTIC : ACCSIM_EVENT);
        ck_ok(accsim_run(a, &error), error);
        ck_ok(accsim_run(a, &error), error);
        const size_t before = held_bytes();
        for (int k = 0; k < 5; k++)
            ck_ok(accsim_run(a, &error), error);
        ck_assert_uint_le(held_bytes(), before + 4096); /* blocks are cut as they come */
        accsim_free(a);
    }
}
END_TEST

TEST_MAIN("run", test_a_second_run_tells_the_same, test_runs_after_the_first_hold_no_more_memory)
