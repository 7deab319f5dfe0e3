/* SPDX-License-Identifier: Apache-2.0 */
/* array.timing = "scalesim": on random layers and arrays each of the three dataflows takes the
 * cycles of SCALE-Sim v3's closed forms, worked out here by walking the folds. */
#include "app/run/accsim.h"
#include "tests/unit/random_net.h"
#include "tests/unit/test.h"

enum { N_LAYER = 300, MAX_SET = 8 };

static const char *const dataflows[] = {"ws", "os", "is"};

struct shape_case {
    char *net;
    int64_t m, n, k, groups;
};

static struct shape_case gemm_case(GRand *rand)
{
    struct shape_case c = {
        .m = pick(rand, 1, 600), .n = pick(rand, 1, 300), .k = pick(rand, 1, 700)};
    c.groups = 1;
    c.net = g_strdup_printf("gemm:%dx%dx%d", (int)c.m, (int)c.n, (int)c.k);
    return c;
}

/* A convolution is the product of its patches and its filters, a group at a time. */
static struct shape_case conv_case(GRand *rand)
{
    const int64_t groups = pick(rand, 0, 2) ? 1 : pick(rand, 2, 6);
    const int64_t channels = groups * pick(rand, 1, 20), filters = groups * pick(rand, 1, 40);
    const int64_t r = pick(rand, 1, 4), s = pick(rand, 1, 4), stride = pick(rand, 1, 2);
    const int64_t pad = pick(rand, 0, MIN(r, s) - 1), batch = pick(rand, 1, 2);
    const int64_t h = pick(rand, 4, 16), w = pick(rand, 4, 16);
    const int64_t out_h = (h + 2 * pad - r) / stride + 1, out_w = (w + 2 * pad - s) / stride + 1;
    struct shape_case c = {.m = batch * out_h * out_w,
                           .n = filters / groups,
                           .k = channels / groups * r * s,
                           .groups = groups};
    c.net =
        g_strdup_printf("conv:%dx%dx%dx%dx%d,%dx%d,%d,%d,%d", (int)batch, (int)channels, (int)h,
                        (int)w, (int)filters, (int)r, (int)s, (int)stride, (int)pad, (int)groups);
    return c;
}

/* Fold after fold, each with what it loads, fills, streams and drains. */
static uint64_t expected(const struct shape_case *c, int64_t rows, int64_t cols, int dataflow)
{
    const int64_t down[] = {c->k, c->m, c->k}, across[] = {c->n, c->n, c->m};
    const int64_t streamed[] = {c->m, c->k, c->n};
    uint64_t cycles = 0;
    for (int64_t g = 0; g < c->groups; g++) {
        for (int64_t i = 0; i < down[dataflow]; i += rows)
            for (int64_t j = 0; j < across[dataflow]; j += cols)
                cycles +=
                    (uint64_t)((dataflow == 1 ? 1 : 2) * rows + cols + streamed[dataflow] - 2);
        cycles--; /* each group is a layer of its own, the first of whose cycles is number 0 */
    }
    return cycles;
}

static uint64_t simulated(const struct shape_case *c, const char *const *set,
                          enum accsim_fidelity fidelity)
{
    GError *error = NULL;
    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.net = c->net;
    o.set = set;
    o.mode = ACCSIM_TIMING;
    o.fidelity = fidelity;
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    ck_ok(accsim_run(a, &error), error);
    const struct record *r = accsim_record(a);
    const uint64_t cycles = r->total_cyc;
    ck_assert_uint_eq(r->layers[0].cycles, cycles);
    ck_assert_uint_eq(r->layers[0].bound_cyc, cycles);
    uint64_t sum = r->units[0].busy_cyc;
    for (int i = 0; i < r->n_cause; i++)
        sum += r->causes[i].overlaps ? 0 : r->units[0].stall_cyc[i];
    ck_assert_uint_eq(sum, cycles);
    accsim_free(a);
    return cycles;
}

static void check_layer(GRand *rand)
{
    struct shape_case c = pick(rand, 0, 1) ? gemm_case(rand) : conv_case(rand);
    const int64_t rows = pick(rand, 2, 70), cols = pick(rand, 1, 70);
    g_autofree char *r = g_strdup_printf("array.rows=%d", (int)rows);
    g_autofree char *n = g_strdup_printf("array.cols=%d", (int)cols);
    for (int i = 0; i < (int)G_N_ELEMENTS(dataflows); i++) {
        g_autofree char *flow = g_strdup_printf("array.dataflow=%s", dataflows[i]);
        const char *set[] = {r, n, flow, "array.timing=scalesim", "mapper.search=heuristic", NULL};
        const uint64_t want = expected(&c, rows, cols, i);
        const uint64_t event = simulated(&c, set, ACCSIM_EVENT);
        const uint64_t analytic = simulated(&c, set, ACCSIM_ANALYTIC);
        ck_assert_msg(event == want && analytic == want,
                      "%s on %s, %s, %s: %" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT
                      " cycles, not %" G_GUINT64_FORMAT,
                      c.net, r, n, flow, event, analytic, want);
    }
    g_free(c.net);
}

START_TEST(test_random_layers_take_what_scale_sim_counts)
{
    GRand *rand = g_rand_new_with_seed(6);
    for (int i = 0; i < N_LAYER; i++)
        check_layer(rand);
    g_rand_free(rand);
}
END_TEST

/* Values go through the machine all the same, and only matrix layers take time. */
START_TEST(test_a_network_has_its_values_and_the_sum_of_its_layers)
{
    for (int i = 0; i < (int)G_N_ELEMENTS(dataflows); i++) {
        g_autofree char *flow = g_strdup_printf("array.dataflow=%s", dataflows[i]);
        GError *error = NULL;
        struct accsim_options o = accsim_options_default();
        o.arch = "tpu";
        o.net = "lenet5";
        o.set =
            (const char *[]){"array.rows=16", "array.cols=8", flow, "array.timing=scalesim", NULL};
        struct accsim *a = accsim_new(&o, &error);
        ck_ok(a != NULL, error);
        ck_ok(accsim_run(a, &error), error);
        const struct record *r = accsim_record(a);
        ck_assert(r->check.exact && r->check.pass);
        uint64_t sum = 0;
        for (int j = 0; j < r->n_layer; j++) {
            ck_assert_int_eq(r->layers[j].cycles > 0, r->layers[j].peak_macs_per_cycle > 0);
            sum += r->layers[j].cycles;
        }
        ck_assert_uint_eq(sum, r->total_cyc);
        accsim_free(a);
    }
}
END_TEST

/* A product counts as one in every format, so that no format is faster than its peak. */
START_TEST(test_wider_operands_have_the_same_peak)
{
    for (int i = 0; i < 2; i++) {
        GError *error = NULL;
        struct accsim_options o = accsim_options_default();
        o.arch = "tpu";
        o.net = "gemm:4000x256x256";
        o.precision = i == 0 ? "int8" : "int16";
        o.mode = ACCSIM_TIMING;
        o.set = (const char *[]){"array.timing=scalesim", NULL};
        struct accsim *a = accsim_new(&o, &error);
        ck_ok(a != NULL, error);
        ck_ok(accsim_run(a, &error), error);
        const struct record_layer *l = &accsim_record(a)->layers[0];
        ck_assert_double_eq(l->peak_macs_per_cycle, 256.0 * 256.0);
        ck_assert_uint_eq(l->cycles, 3 * 256 + 4000 - 3);
        accsim_free(a);
    }
}
END_TEST

/* Memory is ideal: nothing is bound by bytes or waits for another layer, however slow it were. */
START_TEST(test_no_bandwidth_bounds_what_scale_sim_counts)
{
    GError *error = NULL;
    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.net = "mlp-mnist";
    o.mode = ACCSIM_TIMING;
    o.set = (const char *[]){"array.timing=scalesim", "memory.weights.bandwidth_gb_s=0.01",
                             "host.bandwidth_gb_s=0.01", NULL};
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    ck_ok(accsim_run(a, &error), error);
    const struct record *r = accsim_record(a);
    ck_assert_uint_eq(record_bound_cyc(r), r->total_cyc);
    for (int i = 0; i < r->n_memory; i++)
        ck_assert_double_eq(r->memory_bytes_per_cyc[i], 0);
    for (int i = 0; i < r->n_layer; i++)
        ck_assert_int_eq(r->layers[i].bound, r->layers[i].cycles > 0 ? BOUND_LATENCY : BOUND_NONE);
    accsim_free(a);
}
END_TEST

TEST_MAIN("scalesim", test_random_layers_take_what_scale_sim_counts,
          test_a_network_has_its_values_and_the_sum_of_its_layers,
          test_wider_operands_have_the_same_peak, test_no_bandwidth_bounds_what_scale_sim_counts)
