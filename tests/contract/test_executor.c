/* SPDX-License-Identifier: Apache-2.0 */
/* The machine as an executor: against the reference, against the same steps written out as one
 * network, against its own events; and what a thousand steps take. */
#include <string.h>

#include <malloc.h>
#include <math.h>

#include "app/run/accsim.h"
#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "tests/unit/unroll.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"
#include "workloads/ref/ref.h"

#ifndef SOURCE_DIR /* the build gives it: the top of the tree */
#define SOURCE_DIR "."
#endif

#define EXAMPLES SOURCE_DIR "/docs/examples"

enum { STEPS = 6 };

static const char *const nets[] = {EXAMPLES "/accumulator.net", EXAMPLES "/fir.net",
                                   EXAMPLES "/lstm-step.net"};

/* Where an addition joins the product before it, the product is not rounded between them; which
 * additions do follows from who else reads a value, and that differs once steps are written out: so
 * they stay apart here. */
static const char *const apart[] = {"activation.adds=false", NULL};

static struct accsim *open_graph(const char *arch, const char *net, const struct graph *g)
{
    GError *error = NULL;
    struct accsim_options o = accsim_options_default();
    o.set = strcmp(arch, "tpu-v2") ? NULL : apart;
    o.arch = arch;
    o.net = net;
    o.graph = g;
    struct accsim *a = accsim_new(&o, &error);
    ck_ok(a != NULL, error);
    return a;
}

/* Parameters, inputs and states, the inputs other ones in each step. */
static struct values *values_of(const struct graph *g, uint64_t seed)
{
    GError *error = NULL;
    struct values *v = values_new(g);
    ck_ok(values_seed(v, seed, &error), error);
    return v;
}

static struct executor *loaded(struct executor *e, const struct values *v, GError **error)
{
    ck_ok(e && e->load(e->self, v, error), *error);
    return e;
}

static void step(struct executor *e, const struct values *inputs, struct values *out)
{
    GError *error = NULL;
    ck_ok(e->step(e->self, inputs, out, NULL, NULL, NULL, &error), error);
}

static void same_bits(const char *net, int i_step, const char *name, const struct tensor *a,
                      const struct tensor *b)
{
    ck_assert_msg(a && b, "%s, step %d: no '%s'", net, i_step, name);
    ck_assert_msg(tensor_bytes(a) == tensor_bytes(b) && !memcmp(a->data, b->data, tensor_bytes(a)),
                  "%s, step %d: '%s'", net, i_step, name);
}

/* bf16 has 8 bits, and errors come back in the next step. */
static void near(const char *net, int i_step, const struct value *v, const struct tensor *a,
                 const struct tensor *b)
{
    const float *x = a->data, *y = b->data;
    for (int64_t i = 0; i < shape_count(&v->shape); i++)
        ck_assert_msg(fabsf(x[i] - y[i]) <= 0.02f + 0.02f * fabsf(y[i]), "%s, step %d: %s: %g, %g",
                      net, i_step, v->name, x[i], y[i]);
}

struct written {
    struct accsim *machine; /* owns the graph of the values */
    struct values *values;
};

/* All values of all steps in one network on the same machine. */
static struct written written_out(const struct accsim *a, const struct values *given,
                                  struct values *const *inputs)
{
    GError *error = NULL;
    struct graph *g = unroll(accsim_graph(a), STEPS, &error);
    ck_ok(g != NULL, error);
    struct accsim *whole = open_graph("tpu-v2", NULL, g);
    struct values *v = unroll_values(accsim_graph(whole), given, inputs, STEPS, &error);
    ck_ok(v != NULL, error);
    struct executor *e = loaded(accsim_executor(whole, &error), v, &error);
    struct values *out = values_new(accsim_graph(whole));
    struct values *fetched = values_new(accsim_graph(whole));
    step(e, v, fetched);
    for (int i = 0; i < g->n_value; i++) {
        const struct tensor *t = values_get(fetched, g->values[i].name);
        if (g->values[i].kind != VALUE_NODE || !t)
            continue;
        ck_ok(tensor_alloc(&out->at[i], t->type, &t->shape, &error), error);
        memcpy(out->at[i].data, t->data, tensor_bytes(t));
    }
    values_free(fetched);
    values_free(v);
    executor_free(e);
    return (struct written){whole, out};
}

START_TEST(test_steps_are_those_of_the_network_written_out)
{
    for (size_t n = 0; n < G_N_ELEMENTS(nets); n++) {
        GError *error = NULL;
        struct accsim *a = open_graph("tpu-v2", nets[n], NULL);
        const struct graph *g = accsim_graph(a);
        struct values *given = values_of(g, 1), *inputs[STEPS];
        for (int i = 0; i < STEPS; i++)
            inputs[i] = values_of(g, 10 + (uint64_t)i);
        struct written whole = written_out(a, given, inputs);
        struct executor *machine = loaded(accsim_executor(a, &error), given, &error);
        struct executor *ref = loaded(ref_new(g, 1, &error), given, &error);
        struct values *out = values_new(g), *expected = values_new(g);
        for (int i = 0; i < STEPS; i++) {
            step(machine, inputs[i], out);
            step(ref, inputs[i], expected);
            for (int k = 0; k < g->n_output; k++) {
                const int v = g->outputs[k];
                g_autofree char *name = unroll_name(g, v, i);
                same_bits(nets[n], i, name, &out->at[v], values_get(whole.values, name));
                near(nets[n], i, &g->values[v], &out->at[v], &expected->at[v]);
            }
        }
        ck_ok(machine->save(machine->self, out, &error), error);
        for (int k = 0; k < g->n_state; k++) {
            const int v = g->states[k];
            g_autofree char *name = unroll_name(g, v, STEPS);
            const struct tensor *t = values_get(whole.values, name);
            same_bits(nets[n], STEPS, name, &out->at[v],
                      t ? t : &inputs[STEPS - 1]->at[g->values[v].next]);
        }
        values_free(out);
        values_free(expected);
        executor_free(machine);
        executor_free(ref);
        for (int i = 0; i < STEPS; i++)
            values_free(inputs[i]);
        values_free(given);
        values_free(whole.values);
        accsim_free(whole.machine);
        accsim_free(a);
    }
}
END_TEST

/* One goes on, another takes over from what it saved; in between a step is run by events. */
START_TEST(test_a_step_of_events_leaves_the_same_state)
{
    for (size_t n = 0; n < G_N_ELEMENTS(nets); n++) {
        GError *error = NULL;
        struct accsim *a = open_graph("tpu-v2", nets[n], NULL);
        const struct graph *g = accsim_graph(a);
        struct values *given = values_of(g, 1), *out = values_new(g), *other = values_new(g);
        struct executor *plain = loaded(accsim_executor(a, &error), given, &error);
        struct executor *timed = loaded(accsim_executor(a, &error), given, &error);
        for (int i = 0; i < STEPS; i++) {
            struct values *inputs = values_of(g, 20 + (uint64_t)i);
            if (i == 2)
                accsim_time_step(timed);
            step(plain, inputs, out);
            step(timed, inputs, other);
            for (int k = 0; k < g->n_output; k++)
                same_bits(nets[n], i, "output", &out->at[g->outputs[k]], &other->at[g->outputs[k]]);
            values_free(inputs);
            if (i != 2)
                continue;
            ck_assert_uint_gt(accsim_record(a)->total_cyc, 0);
            ck_assert_uint_gt(accsim_record(a)->n_event, 0);
            ck_ok(timed->save(timed->self, given, &error), error);
            executor_free(timed);
            timed = loaded(accsim_executor(a, &error), given, &error);
        }
        executor_free(plain);
        executor_free(timed);
        values_free(given);
        values_free(out);
        values_free(other);
        accsim_free(a);
    }
}
END_TEST

static void put_node(struct graph *g, const char *name, const char *op, const void *attr,
                     const char *a, const char *b)
{
    GError *error = NULL;
    const char *const in[] = {a, b};
    ck_ok(graph_add_node(g, name, op_find(op), attr, in, b ? 2 : 1, NULL, &error), error);
}

/* y = fc(x); its weight becomes a half of itself. */
static struct graph *shrinking(void)
{
    GError *error = NULL;
    const int64_t width = 8;
    const float half = 0.5f;
    const struct fc_attr fc = {.features = 4, .axis = 1};
    const struct shape one = {2, {1, 1}};
    g_autoptr(GBytes) data = g_bytes_new(&half, sizeof(half));
    struct graph *g = graph_new("shrinking", NULL, 1);
    ck_assert_int_ge(graph_add_input(g, "x", 1, &width, &error), 0);
    ck_ok(graph_add_constant(g, "half", NUMBER_fp32, &one, data, &error), error);
    put_node(g, "y", "fc", &fc, "x", NULL);
    put_node(g, "smaller", "mul", NULL, "y.weight", "half");
    ck_ok(graph_set_next(g, "y.weight", "smaller", NULL, &error), error);
    const char *output = "y";
    ck_ok(graph_finish(g, &output, 1, &error), error);
    return g;
}

START_TEST(test_a_weight_that_is_state_is_the_present_one)
{
    GError *error = NULL;
    struct graph *own = shrinking();
    struct accsim *a = open_graph("tpu-v2", NULL, own);
    const struct graph *g = accsim_graph(a);
    struct values *given = values_of(g, 1), *out = values_new(g), *expected = values_new(g);
    struct executor *machine = loaded(accsim_executor(a, &error), given, &error);
    struct executor *ref = loaded(ref_new(g, 1, &error), given, &error);
    const int y = graph_find_value(g, "y")->index;
    float first = 0;
    for (int i = 0; i < 4; i++) {
        step(machine, given, out);
        step(ref, given, expected);
        near("shrinking", i, &g->values[y], &out->at[y], &expected->at[y]);
        const float now = *(const float *)out->at[y].data;
        first = i == 0 ? now : first;
        ck_assert_float_eq(now, ldexpf(first, -i)); /* halves are exact */
    }
    values_free(given);
    values_free(out);
    values_free(expected);
    executor_free(machine);
    executor_free(ref);
    accsim_free(a);

    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.graph = own;
    a = accsim_new(&o, &error);
    ck_error(a != NULL, error, ERROR_UNSUPPORTED, "by scales that are found ahead of the run");
    graph_free(own);
}
END_TEST

static bool stop(const struct graph *g, int value, const struct tensor *t, void *user,
                 GError **error)
{
    (void)g, (void)value, (void)t, (void)user;
    return error_set(error, ERROR_INPUT, "seen enough");
}

START_TEST(test_a_step_that_is_stopped_changes_no_state)
{
    GError *error = NULL;
    struct accsim *a = open_graph("tpu-v2", nets[0], NULL);
    const struct graph *g = accsim_graph(a);
    struct values *given = values_of(g, 1), *out = values_new(g), *again = values_new(g);
    struct executor *e = loaded(accsim_executor(a, &error), given, &error);
    step(e, given, out);
    ck_error(e->step(e->self, given, NULL, NULL, stop, NULL, &error), error, ERROR_INPUT, "enough");
    ck_error(e->step(e->self, NULL, NULL, NULL, NULL, NULL, &error), error, ERROR_INPUT,
             "input 'x' has no value");
    ck_ok(e->save(e->self, again, &error), error);
    same_bits("accumulator", 1, "sum", &out->at[g->outputs[0]], &again->at[g->states[0]]);
    values_free(given);
    values_free(out);
    values_free(again);
    executor_free(e);
    accsim_free(a);
}
END_TEST

static size_t held_bytes(void)
{
    const struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Pages that this process has in memory, and those of its shared arenas. */
static size_t resident_bytes(void)
{
    g_autofree char *text = NULL;
    ck_assert(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    return (size_t)g_ascii_strtoull(strchr(text, ' '), NULL, 10) * 4096;
}

START_TEST(test_a_thousand_steps_take_the_memory_of_one)
{
    GError *error = NULL;
    struct accsim *a = open_graph("tpu-v2", "mlp-mnist", NULL);
    const struct graph *g = accsim_graph(a);
    struct values *v = values_of(g, 1), *out = values_new(g);
    struct executor *e = loaded(accsim_executor(a, &error), v, &error);
    for (int i = 0; i < 3; i++)
        step(e, v, out);
    const size_t held = held_bytes(), resident = resident_bytes();
    const gint64 start = g_get_monotonic_time();
    for (int i = 0; i < 1000; i++)
        step(e, v, out);
    const double ms = (double)(g_get_monotonic_time() - start) / 1e6;
    g_print("a step takes %.2f ms; 1,000 more of them hold %zd bytes more, %zd resident\n", ms,
            (ssize_t)(held_bytes() - held), (ssize_t)(resident_bytes() - resident));
    ck_assert_uint_le(held_bytes(), held + 4096);
#ifndef __SANITIZE_ADDRESS__
    ck_assert_uint_le(resident_bytes(), resident + (1 << 20));
#endif
    values_free(v);
    values_free(out);
    executor_free(e);
    accsim_free(a);
}
END_TEST

TEST_MAIN("executor", test_steps_are_those_of_the_network_written_out,
          test_a_step_of_events_leaves_the_same_state,
          test_a_weight_that_is_state_is_the_present_one,
          test_a_step_that_is_stopped_changes_no_state,
          test_a_thousand_steps_take_the_memory_of_one)
