/* SPDX-License-Identifier: Apache-2.0 */
/* What every machine family must hold, on its sample machines, for every operator of op_table that
 * they run: those of arch/ and the examples of docs/add-a-family.md. A new family or operator is
 * tested here as soon as it is listed. What a record has decides what is asked of it. */
#include <math.h>

#include "sim/base/error.h"
#include "tests/contract/subjects.h"

static void load_sample(const struct subject *s)
{
    GError *error = NULL;
    struct accsim_machine *m = accsim_machine_load(s->arch, NULL, &error);
    ck_ok(m != NULL, error);
    const struct machine *view = accsim_machine_view(m);
    ck_assert_str_eq(view->family, s->family);
    ck_assert(view->clock_hz > 0 && view->n_memory > 0);
    ck_assert(view->peak_macs_per_cyc[view->precision] > 0);
    accsim_machine_free(m);
}

START_TEST(test_sample_machines_load)
{
    for_machines(load_sample);
}
END_TEST

static void refuse_unknown(const struct subject *s)
{
    GError *error = NULL;
    ck_error(accsim_machine_load(s->arch, (const char *[]){"clock_mzh=1", NULL}, &error), error,
             ERROR_INPUT, "did you mean 'clock_mhz'?");
}

START_TEST(test_an_unknown_setting_is_refused)
{
    for_machines(refuse_unknown);
}
END_TEST

/* Elements, a byte at least each, that the machine must read from outside: weights of what it
 * computes, and the network's inputs, or the operator's output where the host computes that. Biases
 * are no operands of the array. */
static uint64_t compulsory_bytes(const struct accsim *a)
{
    const struct record *r = accsim_record(a);
    const struct graph *g = accsim_graph(a);
    int n_host = 0, n_machine = 0; /* layers that the operator became */
    bool last_on_host = false;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        const bool is_it = !strcmp(l->name, "it") || g_str_has_prefix(l->name, "it.");
        n_host += is_it && l->on_host;
        n_machine += is_it && !l->on_host;
        last_on_host |= !strcmp(l->name, "last") && l->on_host;
    }
    uint64_t bytes = 0;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = &g->values[i];
        const bool is_its = v->kind == VALUE_PARAM && !strcmp(g->nodes[v->node].name, "it");
        const bool is_read = v->kind == VALUE_PARAM ? v->fan_in > 0 && !(is_its && n_host > 0)
                                                    : v->kind == VALUE_INPUT && n_host == 0;
        bytes += is_read ? (uint64_t)shape_count(&v->shape) : 0;
    }
    if (last_on_host)
        return 0;
    /* Where both compute parts of it, which of them reads the input is not told. */
    if (n_host > 0 && n_machine == 0)
        bytes += (uint64_t)shape_count(&graph_find_value(g, "it")->shape);
    return bytes;
}

/* From all memories but that of activations on the machine, unless weights lie there too. */
static uint64_t outside_bytes(const struct subject *s, const struct record *r)
{
    GError *error = NULL;
    struct accsim_machine *m = accsim_machine_load(s->arch, s->set, &error);
    ck_ok(m != NULL, error);
    const struct machine *view = accsim_machine_view(m);
    const int own = machine_shares_weights(view) ? -1 : machine_index(view, ROLE_ACTIVATIONS);
    uint64_t read = 0;
    for (int i = 0; i < r->n_memory; i++)
        read += i == own ? 0 : record_memory_bytes(r, i).read;
    accsim_machine_free(m);
    return read;
}

/* Nothing is faster than its MACs over the peak, no parameter is left unread. */
static void check_bounds(const struct subject *s, const struct accsim *a)
{
    const struct record *r = accsim_record(a);
    uint64_t cycles = 0, macs = 0;
    bool on_host = false; /* whose products are not the machine's */
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        cycles += l->cycles;
        macs += l->macs;
        on_host |= l->on_host;
        if (l->peak_macs_per_cycle > 0)
            ck_assert_msg((double)l->macs <= (double)l->cycles * l->peak_macs_per_cycle, "%s, %s",
                          s->arch, l->name);
    }
    ck_assert_uint_eq(cycles, r->total_cyc);
    if (arch_find(s->family)->plan)
        return; /* what it skips, and how often it steps, is its own */
    if (!on_host)
        ck_assert_uint_eq(macs, graph_macs(accsim_graph(a)));
    const uint64_t read = outside_bytes(s, r), least = compulsory_bytes(a);
    ck_assert_msg(read >= least, "%s, %s: read %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT,
                  s->arch, s->op->name, read, least);
}

static void check_values(const struct subject *s)
{
    const struct accsim_options o = options(s, s->set);
    struct accsim *a = run(s, &o);
    const struct record *r = accsim_record(a);
    for (int i = 0; i < r->n_layer; i++)
        ck_assert_msg(r->layers[i].check.exact, "%s: layer %s of %s", s->arch, r->layers[i].name,
                      s->op->name);
    ck_assert(r->check.pass);
    /* 8 bit twice over: far less says that values are not where they belong. Some functions of
     * negative numbers are none (a power, a logarithm). */
    const bool has_pole =
        !strcmp(s->op->name, "reciprocal"); /* of a rounded number near 0: anything */
    ck_assert_msg(has_pole || isnan(r->snr_db) || r->snr_db > 20, "%s, %s: %g dB", s->arch,
                  s->op->name, r->snr_db);
    check_bounds(s, a);
    accsim_free(a);
}

static void check_all_values(const struct subject *s)
{
    for_ops(s, check_values);
}

START_TEST(test_every_operator_is_exact_and_within_its_bounds)
{
    for_machines(check_all_values);
}
END_TEST

static uint64_t timed(const struct subject *s, enum accsim_fidelity fidelity,
                      const char *const *set)
{
    struct accsim_options o = options(s, set);
    o.mode = ACCSIM_TIMING;
    o.fidelity = fidelity;
    struct accsim *a = run(s, &o);
    const uint64_t cycles = accsim_record(a)->total_cyc;
    accsim_free(a);
    return cycles;
}

/* As far as the family says that its analytic model is off. */
static void compare_fidelities(const struct subject *s)
{
    const struct arch_family *f = arch_find(s->family);
    const double event = (double)timed(s, ACCSIM_EVENT, s->set);
    const double analytic = (double)timed(s, ACCSIM_ANALYTIC, s->set);
    const double share = f->analytic == ANALYTIC_ESTIMATE ? f->analytic_share : 0;
    const double rounding = f->analytic == ANALYTIC_ESTIMATE ? 1 : 0;
    const bool is_over = analytic > (1 + share) * (event + rounding);
    const bool is_under = analytic < (1 - share) * (event - rounding);
    ck_assert_msg(!is_under && (!is_over || f->analytic == ANALYTIC_BOUND), "%s, %s: %g against %g",
                  s->arch, s->op->name, analytic, event);
}

static void compare_all_fidelities(const struct subject *s)
{
    for_ops(s, compare_fidelities);
}

START_TEST(test_analytic_and_event_cycles_agree)
{
    for_machines(compare_all_fidelities);
}
END_TEST

/* Values, bounds and both fidelities, as with one array. */
static void count_arrays(const struct subject *s)
{
    for (int n = 2; has_setting(s->family, "array.count") && n <= 4; n += 2) {
        g_autofree char *count = g_strdup_printf("array.count=%d", n);
        struct subject several = *s;
        several.set = (const char *[]){count, NULL};
        check_values(&several);
        compare_fidelities(&several);
    }
}

static void count_all_arrays(const struct subject *s)
{
    if (is_sample(s))
        for_ops(s, count_arrays);
}

START_TEST(test_several_arrays_hold_the_same)
{
    for_machines(count_all_arrays);
}
END_TEST

/* The setting's number times `factor`, as an assignment; NULL where it is no bandwidth, or of a
 * memory that the machine has not. */
static char *scaled_bandwidth(const struct record_setting *setting, double factor)
{
    const double value = g_ascii_strtod(setting->value, NULL);
    if ((!g_str_has_suffix(setting->path, "bandwidth_gb_s") &&
         !g_str_has_suffix(setting->path, "bytes_per_cyc")) ||
        value <= 0)
        return NULL;
    return g_strdup_printf("%s=%.17g", setting->path, factor * value);
}

/* The heuristic asks no cost: the plan stays the same. */
static void double_bandwidths(const struct subject *s)
{
    GError *error = NULL;
    struct accsim_machine *m = accsim_machine_load(s->arch, NULL, &error);
    ck_ok(m != NULL, error);
    int n_setting;
    const struct record_setting *settings = accsim_machine_settings(m, &n_setting);
    const char *set[] = {NULL, NULL, NULL};
    const int n_set = has_setting(s->family, "mapper.search");
    set[0] = n_set ? "mapper.search=heuristic" : NULL;
    const uint64_t before = timed(s, ACCSIM_EVENT, set);
    for (int i = 0; i < n_setting; i++) {
        g_autofree char *doubled = scaled_bandwidth(&settings[i], 2);
        set[n_set] = doubled;
        if (doubled)
            ck_assert_msg(timed(s, ACCSIM_EVENT, set) <= before, "%s, %s: slower with %s", s->arch,
                          s->op->name, doubled);
    }
    accsim_machine_free(m);
}

static void double_all_bandwidths(const struct subject *s)
{
    for_ops(s, double_bandwidths);
}

START_TEST(test_twice_a_bandwidth_never_slows)
{
    for_machines(double_all_bandwidths);
}
END_TEST

/* A run's numbers, those of the host's clock left out. */
static GByteArray *record_bytes_of(const struct subject *s)
{
    const struct accsim_options o = options(s, NULL);
    struct accsim *a = run(s, &o);
    const struct record *r = accsim_record(a);
    GByteArray *all = g_byte_array_new();
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        g_byte_array_append(all, (const guint8 *)&l->cycles, sizeof(l->cycles));
        g_byte_array_append(all, (const guint8 *)l->stall_cyc, sizeof(l->stall_cyc));
        g_byte_array_append(all, (const guint8 *)l->bytes, sizeof(l->bytes));
        g_byte_array_append(all, (const guint8 *)l->energy_pj, sizeof(l->energy_pj));
        g_byte_array_append(all, (const guint8 *)&l->check.max_abs_error, sizeof(double));
    }
    g_byte_array_append(all, (const guint8 *)&r->n_event, sizeof(r->n_event));
    g_byte_array_append(all, (const guint8 *)&r->snr_db, sizeof(r->snr_db));
    accsim_free(a);
    return all;
}

static void repeat(const struct subject *s)
{
    g_autoptr(GByteArray) first = record_bytes_of(s), second = record_bytes_of(s);
    ck_assert_msg(first->len == second->len && !memcmp(first->data, second->data, first->len),
                  "%s, %s", s->arch, s->op->name);
}

static void repeat_all(const struct subject *s)
{
    for_ops(s, repeat);
}

START_TEST(test_the_same_seed_gives_the_same_bytes)
{
    for_machines(repeat_all);
}
END_TEST

static bool runs_on_host(const struct accsim *a)
{
    const struct record *r = accsim_record(a);
    for (int i = 0; i < r->n_layer; i++)
        if (r->layers[i].on_host)
            return true;
    return false;
}

/* What a machine lacks runs on the host where that is allowed, and is refused by name where not. */
static void refuse_or_fall_back(const struct subject *s)
{
    GError *error = NULL;
    if (!has_setting(s->family, "host.fallback"))
        return; /* for_ops() has seen what it refuses */
    struct accsim_options o = options(s, (const char *[]){"host.fallback=true", NULL});
    struct accsim *a = run(s, &o);
    const bool on_host = runs_on_host(a);
    ck_assert(accsim_record(a)->check.pass);
    accsim_free(a);
    o.set = (const char *[]){"host.fallback=false", NULL};
    a = accsim_new(&o, &error);
    if (on_host)
        ck_error(a != NULL, error, ERROR_UNSUPPORTED, "layer 'it'");
    else
        ck_ok(a != NULL, error);
    accsim_free(a);
}

static void refuse_or_fall_back_all(const struct subject *s)
{
    for_ops(s, refuse_or_fall_back);
}

START_TEST(test_a_missing_operator_is_refused_or_falls_back)
{
    for_machines(refuse_or_fall_back_all);
}
END_TEST

static void refuse_precisions(const struct subject *s)
{
    GError *error = NULL;
    struct accsim_machine *m = accsim_machine_load(s->arch, NULL, &error);
    ck_ok(m != NULL, error);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        struct accsim_options o = options(s, NULL);
        o.net = "gemm:4x8x8";
        o.precision = number_names[i];
        struct accsim *a = accsim_new(&o, &error);
        if (accsim_machine_view(m)->peak_macs_per_cyc[i] > 0)
            ck_ok(a != NULL, error);
        else
            ck_error(a != NULL, error, ERROR_UNSUPPORTED, number_names[i]);
        accsim_free(a);
    }
    accsim_machine_free(m);
}

START_TEST(test_a_missing_precision_is_refused)
{
    for_machines(refuse_precisions);
}
END_TEST

/* The count of spikes on a machine that steps by itself, and stepped from outside. */
static void count_spikes(const struct subject *s)
{
    GError *error = NULL;
    struct accsim_options o = options(s, NULL);
    o.net = SOURCE_DIR "/docs/examples/spike-counter.net";
    if (!arch_find(s->family)->plan)
        return;
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    for (int i = 0; i < 2; i++) { /* each run begins with the first states */
        ck_ok(accsim_run(a, &error), error);
        ck_assert(accsim_record(a)->check.exact);
        ck_assert_uint_gt(record_macs(accsim_record(a)), 0);
    }
    const uint64_t all_cyc = accsim_record(a)->total_cyc;
    uint64_t cycles = 0;
    const struct graph *g = accsim_graph(a);
    struct values *v = values_new(g), *out = values_new(g);
    struct executor *e = accsim_executor(a, &error);
    ck_ok(e && values_seed(v, o.seed, &error) && e->load(e->self, v, &error), error);
    for (int i = 0; i < 16; i++) { /* as the machine's file has it */
        accsim_time_step(e);
        ck_ok(e->step(e->self, v, out, NULL, NULL, NULL, &error), error);
        cycles += accsim_record(a)->total_cyc;
    }
    ck_assert_uint_eq(cycles, all_cyc);
    const float *count = values_get(out, "count")->data;
    float most = 0;
    for (int i = 0; i < 10; i++)
        most = MAX(most, count[i]);
    ck_assert(most > 0 && most <= 16 && most == floorf(most));
    executor_free(e);
    values_free(v);
    values_free(out);
    accsim_free(a);
}

START_TEST(test_a_plan_of_its_own_steps)
{
    for_machines(count_spikes);
}
END_TEST

TEST_MAIN("families", test_a_plan_of_its_own_steps, test_sample_machines_load,
          test_an_unknown_setting_is_refused, test_every_operator_is_exact_and_within_its_bounds,
          test_analytic_and_event_cycles_agree, test_several_arrays_hold_the_same,
          test_twice_a_bandwidth_never_slows, test_the_same_seed_gives_the_same_bytes,
          test_a_missing_operator_is_refused_or_falls_back, test_a_missing_precision_is_refused)
