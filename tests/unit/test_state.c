/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs with state, and the reference stepping through them. */
#include <malloc.h>
#include <math.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "tests/unit/unroll.h"
#include "workloads/net.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"
#include "workloads/ref/ref.h"

#define EXAMPLES SOURCE_DIR "/docs/examples"

enum { WIDTH = 4 };

static const struct shape row = {2, {1, WIDTH}};

static struct graph *graph_with(const char *input, const char *const *states)
{
    GError *error = NULL;
    struct graph *g = graph_new("test", "test.net", 1);
    if (input)
        ck_assert_int_ge(graph_add_input_shape(g, input, &row, &error), 0);
    for (int i = 0; states && states[i]; i++)
        ck_ok(graph_add_state(g, states[i], NUMBER_fp32, &row, true, NULL, &error), error);
    return g;
}

static void node(struct graph *g, const char *name, const char *op, const char *a, const char *b)
{
    GError *error = NULL;
    const char *const in[] = {a, b};
    g_autofree char *origin = g_strdup_printf("test.net:%s", name);
    ck_ok(graph_add_node(g, name, op_find(op), NULL, in, b ? 2 : 1, origin, &error), error);
}

static void next(struct graph *g, const char *state, const char *value)
{
    GError *error = NULL;
    ck_ok(graph_set_next(g, state, value, "test.net:7", &error), error);
}

static void finish(struct graph *g, const char *output)
{
    GError *error = NULL;
    ck_ok(graph_finish(g, &output, output ? 1 : 0, &error), error);
}

static GBytes *floats(const float *x, int n)
{
    return g_bytes_new(x, (gsize)n * sizeof(*x));
}

/* sum' = sum + x, and a second reader of the old content. */
static struct graph *accumulator(void)
{
    struct graph *g = graph_with("x", (const char *[]){"sum", NULL});
    node(g, "total", "add", "sum", "x");
    node(g, "seen", "neg", "sum", NULL);
    next(g, "sum", "total");
    finish(g, NULL);
    return g;
}

START_TEST(test_a_cycle_through_a_state_is_a_loop_with_a_delay)
{
    GError *error = NULL;
    struct graph *g = accumulator();
    ck_assert_int_eq(g->n_state, 1);
    const struct value *sum = &g->values[g->states[0]];
    ck_assert_str_eq(sum->name, "sum");
    ck_assert_int_eq(sum->kind, VALUE_STATE);
    ck_assert_str_eq(g->values[sum->next].name, "total");
    ck_assert_int_eq(graph_n_reader(g, sum->index), 2);
    ck_assert_int_eq(graph_n_reader(g, sum->next), 2); /* an output and the state */
    ck_assert_int_eq(graph_find_value(g, "seen")->next, -1);
    ck_assert_int_eq(g->n_output, 2);
    graph_free(g);

    g = graph_with("x", NULL);
    node(g, "total", "add", "seen", "x");
    node(g, "seen", "neg", "total", NULL);
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "test.net:seen: layer 'seen': layers wait for each other in a cycle: seen -> total -> "
             "seen; a state among them would make a delay of one step");
    graph_free(g);
}
END_TEST

START_TEST(test_a_state_and_its_next_are_of_one_format_and_shape)
{
    GError *error = NULL;
    const int64_t width = WIDTH + 1;
    struct graph *g = graph_with("x", (const char *[]){"sum", NULL});
    ck_assert_int_ge(graph_add_input(g, "wide", 1, &width, &error), 0);
    node(g, "y", "add", "sum", "x");
    next(g, "sum", "wide");
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "test.net:7: state 'sum': it is fp32 of shape 1x4, its next 'wide' is fp32 of shape "
             "1x5");
    graph_free(g);

    g = graph_with("x", (const char *[]){"sum", NULL});
    ck_assert_int_ge(graph_add_input_typed(g, "half", NUMBER_fp16, &row, 0, &error), 0);
    node(g, "y", "add", "sum", "x");
    next(g, "sum", "half");
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "it is fp32 of shape 1x4, its next 'half' is fp16 of shape 1x4");
    graph_free(g);
}
END_TEST

START_TEST(test_a_state_has_one_next)
{
    GError *error = NULL;
    const float zeros[WIDTH] = {0};
    g_autoptr(GBytes) data = floats(zeros, WIDTH);
    struct graph *g = graph_with("x", (const char *[]){"a", "b", NULL});
    ck_ok(graph_add_constant(g, "zero", NUMBER_fp32, &row, data, &error), error);
    node(g, "y", "add", "a", "b");
    const struct {
        const char *state, *why;
    } wrong[] = {
        {"c", "test.net:7: state 'c': there is no such state or parameter"},
        {"x", "test.net:7: state 'x': it is an input"},
        {"zero", "state 'zero': it is a constant"},
        {"y", "state 'y': it is made by a layer"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        ck_error(graph_set_next(g, wrong[i].state, "y", "test.net:7", &error), error, ERROR_INPUT,
                 wrong[i].why);
    next(g, "a", "y");
    ck_error(graph_set_next(g, "a", "x", NULL, &error), error, ERROR_INPUT,
             "state 'a': it has a next already");
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT, "state 'b': it has no next");
    graph_free(g);

    g = graph_with("x", (const char *[]){"sum", NULL});
    node(g, "total2", "add", "sum", "x");
    next(g, "sum", "total3");
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "test.net:7: state 'sum': its next 'total3' is no layer, input or state, did you "
             "mean 'total2'?");
    graph_free(g);
}
END_TEST

START_TEST(test_first_contents_are_checked)
{
    GError *error = NULL;
    const float x[WIDTH] = {1, 2, 3, 4};
    g_autoptr(GBytes) three = floats(x, 3);
    struct graph *g = graph_new("test", NULL, 2);
    const struct shape two = {2, {2, WIDTH}}, odd = {2, {3, WIDTH}}, none = {2, {2, 0}};
    ck_error(graph_add_state(g, "a", NUMBER_fp32, &two, true, three, &error), error, ERROR_INPUT,
             "state 'a': its first content has 3 elements, not 4 or one for all");
    ck_error(graph_add_state(g, "b", NUMBER_fp32, &odd, true, NULL, &error), error, ERROR_INPUT,
             "state 'b': the batch of 2 is not its leading dimension");
    ck_error(graph_add_state(g, "c", NUMBER_fp32, &none, true, NULL, &error), error, ERROR_INPUT,
             "state 'c': ");
    ck_error(graph_add_state(g, "", NUMBER_fp32, &two, true, NULL, &error), error, ERROR_INPUT,
             "state: the name is empty");
    graph_free(g);
}
END_TEST

START_TEST(test_nothing_that_follows_from_a_state_is_folded)
{
    GError *error = NULL;
    const float ones[WIDTH] = {1, 1, 1, 1};
    g_autoptr(GBytes) data = floats(ones, WIDTH);
    struct graph *g = graph_with(NULL, NULL);
    ck_ok(graph_add_state(g, "s", NUMBER_fp32, &row, true, data, &error), error);
    ck_ok(graph_add_constant(g, "one", NUMBER_fp32, &row, data, &error), error);
    node(g, "two", "add", "one", "one");
    node(g, "y", "add", "s", "two");
    next(g, "s", "y");
    finish(g, NULL);
    ck_assert_int_eq(g->n_node, 1);
    ck_assert_str_eq(g->nodes[0].name, "y");
    ck_assert_ptr_nonnull(graph_find_value(g, "two")->data);
    ck_assert_ptr_null(graph_find_value(g, "s")->data);
    graph_free(g);

    /* What must be known before the run cannot be a state's. */
    g = graph_with("x", NULL);
    ck_ok(graph_add_state(g, "to", NUMBER_int64, &(struct shape){1, {2}}, false, NULL, &error),
          error);
    const char *const in[] = {"x", "to"};
    ck_error(graph_add_node(g, "y", op_find("reshape"), NULL, in, 2, NULL, &error), error,
             ERROR_UNSUPPORTED, "depends on the elements of 'to'");
    graph_free(g);
}
END_TEST

START_TEST(test_what_a_state_becomes_is_needed)
{
    struct graph *g = graph_with("x", (const char *[]){"sum", NULL});
    node(g, "scaled", "neg", "x", NULL);
    node(g, "total", "add", "sum", "scaled");
    node(g, "dead", "relu", "total", NULL);
    node(g, "y", "relu", "x", NULL);
    next(g, "sum", "total");
    finish(g, "y");
    ck_assert_int_eq(g->n_node, 3);
    ck_assert_ptr_null(graph_find_value(g, "dead"));
    ck_assert_int_eq(g->n_output, 1);
    graph_free(g);
}
END_TEST

START_TEST(test_only_what_is_trained_counts_as_a_parameter)
{
    GError *error = NULL;
    struct graph *g = graph_with("x", (const char *[]){"moment", NULL});
    const struct fc_attr fc = {.features = WIDTH, .axis = 1};
    const char *x = "x";
    ck_ok(graph_add_node(g, "fc", &op_fc, &fc, &x, 1, NULL, &error), error);
    node(g, "update", "neg", "fc.weight", NULL);
    next(g, "fc.weight", "update");
    next(g, "moment", "x");
    finish(g, NULL);
    ck_assert_uint_eq(graph_parameters(g), WIDTH * WIDTH);
    ck_assert_int_eq(graph_find_value(g, "fc.weight")->kind, VALUE_PARAM);
    ck_assert_str_eq(g->values[graph_find_value(g, "fc.weight")->next].name, "update");
    ck_assert_int_eq(g->n_state, 2);
    graph_free(g);
}
END_TEST

/* The layer that asked for a weight is dead, the weight lives on in the next of a state. */
START_TEST(test_a_weight_outlives_its_layer)
{
    GError *error = NULL;
    const struct fc_attr fc = {.features = WIDTH, .axis = 1};
    const char *x = "x", *output = "y";
    struct graph *g = graph_with("x", NULL);
    ck_ok(graph_add_node(g, "dead", &op_fc, &fc, &x, 1, NULL, &error), error);
    node(g, "y", "relu", "x", NULL);
    node(g, "update", "neg", "dead.weight", NULL);
    next(g, "dead.weight", "update");
    finish(g, output);
    struct graph *copy = graph_rebatch(g, 1, &error);
    ck_ok(copy != NULL, error);
    ck_assert_ptr_null(graph_find_value(g, "dead"));
    for (const struct graph *it = g; it; it = it == g ? copy : NULL) {
        ck_assert_int_eq(it->n_state, 1);
        ck_assert_str_eq(it->values[it->states[0]].name, "dead.weight");
        ck_assert_int_eq(it->values[it->states[0]].node, -1);
        ck_assert_uint_eq(graph_parameters(it), WIDTH * WIDTH);
    }
    graph_free(copy);
    graph_free(g);
}
END_TEST

START_TEST(test_a_larger_batch_begins_each_sample_alike)
{
    GError *error = NULL;
    const float begin[WIDTH] = {1, 2, 3, 4};
    g_autoptr(GBytes) data = floats(begin, WIDTH);
    struct graph *g = graph_with("x", NULL);
    ck_ok(graph_add_state(g, "own", NUMBER_fp32, &row, true, data, &error), error);
    ck_ok(graph_add_state(g, "one", NUMBER_fp32, &row, false, data, &error), error);
    node(g, "y", "add", "x", "own");
    node(g, "twice", "add", "one", "one");
    next(g, "own", "y");
    next(g, "one", "twice");
    finish(g, NULL);
    struct graph *large = graph_rebatch(g, 3, &error);
    ck_ok(large != NULL, error);
    ck_assert_int_eq(large->n_state, 2);
    const struct value *own = graph_find_value(large, "own"), *one = graph_find_value(large, "one");
    ck_assert_int_eq(own->shape.dim[0], 3);
    ck_assert_int_eq(one->shape.dim[0], 1);
    struct values *v = values_new(large);
    ck_ok(values_seed(v, 1, &error), error);
    const float *x = v->at[own->index].data;
    for (int i = 0; i < 3 * WIDTH; i++)
        ck_assert_float_eq(x[i], begin[i % WIDTH]);
    ck_assert_mem_eq(v->at[one->index].data, begin, sizeof(begin));
    values_free(v);
    graph_free(large);
    graph_free(g);
}
END_TEST

static bool *keep_only(const struct graph *g, const char *names)
{
    bool *keep = g_new0(bool, g->n_node);
    g_auto(GStrv) words = g_strsplit(names, " ", -1);
    for (int i = 0; i < g->n_node; i++)
        keep[i] = g_strv_contains((const char *const *)words, g->nodes[i].name);
    return keep;
}

/* before <- x; sum <- total = sum + before; y = relu(sum); fc.weight <- update */
START_TEST(test_a_selection_keeps_a_state_with_its_next_and_cuts_others)
{
    GError *error = NULL;
    const struct fc_attr fc = {.features = WIDTH, .axis = 1};
    const char *y = "y";
    struct graph *g = graph_with("x", (const char *[]){"before", "sum", NULL});
    node(g, "total", "add", "sum", "before");
    node(g, "y", "relu", "sum", NULL);
    ck_ok(graph_add_node(g, "fc", &op_fc, &fc, &y, 1, NULL, &error), error);
    node(g, "update", "neg", "fc.weight", NULL);
    next(g, "before", "x");
    next(g, "sum", "total");
    next(g, "fc.weight", "update");
    finish(g, "fc");
    const struct {
        const char *keep, *states, *inputs, *outputs;
    } cuts[] = {
        {"total y fc update", "before sum fc.weight ", "x ", "fc "},
        {"total", "before sum ", "x ", "total "},
        {"y", "", "sum ", "y "},
        {"total y", "before sum ", "x ", "y "},
        {"fc", "", "y ", "fc "},
        {"fc update", "fc.weight ", "y ", "fc "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        g_autofree bool *keep = keep_only(g, cuts[i].keep);
        struct graph *part = graph_select(g, keep, &error);
        ck_ok(part != NULL, error);
        g_autoptr(GString) states = g_string_new(NULL);
        g_autoptr(GString) inputs = g_string_new(NULL);
        g_autoptr(GString) outputs = g_string_new(NULL);
        for (int k = 0; k < part->n_state; k++)
            g_string_append_printf(states, "%s ", part->values[part->states[k]].name);
        for (int k = 0; k < part->n_input; k++)
            g_string_append_printf(inputs, "%s ", part->values[part->inputs[k]].name);
        for (int k = 0; k < part->n_output; k++)
            g_string_append_printf(outputs, "%s ", part->values[part->outputs[k]].name);
        ck_assert_str_eq(states->str, cuts[i].states);
        ck_assert_str_eq(inputs->str, cuts[i].inputs);
        ck_assert_str_eq(outputs->str, cuts[i].outputs);
        graph_free(part);
    }
    graph_free(g);
}
END_TEST

/* An executor with what it reads; inputs are 1, 2, 3 ... in step 0, 10 more in each step after. */
struct rig {
    struct graph *g;
    struct executor *e;
    struct values *given, *inputs, *out;
    int step;
};

static struct rig rig_new(struct graph *g)
{
    GError *error = NULL;
    struct rig r = {.g = g, .given = values_new(g), .inputs = values_new(g), .out = values_new(g)};
    ck_ok(values_seed(r.given, 1, &error) && values_seed(r.inputs, 1, &error), error);
    r.e = ref_new(g, 2, &error);
    ck_ok(r.e != NULL, error);
    ck_ok(r.e->load(r.e->self, r.given, &error), error);
    return r;
}

static void rig_feed(struct rig *r)
{
    for (int i = 0; i < r->g->n_input; i++) {
        struct tensor *t = &r->inputs->at[r->g->inputs[i]];
        for (int64_t k = 0; k < shape_count(&t->shape); k++)
            ((float *)t->data)[k] = (float)(10 * r->step + k + 1);
    }
    r->step++;
}

static void rig_step(struct rig *r)
{
    GError *error = NULL;
    rig_feed(r);
    ck_ok(r->e->step(r->e->self, r->inputs, r->out, NULL, NULL, NULL, &error), error);
}

static float rig_first(const struct rig *r, const char *name)
{
    const struct tensor *t = values_get(r->out, name);
    ck_assert_msg(t != NULL, "no value '%s'", name);
    return *(const float *)t->data;
}

/* The first element of a state between two steps. */
static float rig_state(const struct rig *r, const char *name)
{
    GError *error = NULL;
    struct values *v = values_new(r->g);
    ck_ok(r->e->save(r->e->self, v, &error), error);
    const float x = *(const float *)values_get(v, name)->data;
    values_free(v);
    return x;
}

static void rig_free(struct rig *r)
{
    executor_free(r->e);
    values_free(r->given);
    values_free(r->inputs);
    values_free(r->out);
    graph_free(r->g);
}

START_TEST(test_a_state_keeps_its_content_and_readers_see_the_old_one)
{
    struct rig r = rig_new(accumulator());
    const float sums[] = {0, 1, 12, 33}; /* of 1, 11, 21 */
    for (int step = 0; step < 3; step++) {
        ck_assert_float_eq(rig_state(&r, "sum"), sums[step]);
        rig_step(&r);
        ck_assert_float_eq(rig_first(&r, "seen"), -sums[step]); /* behind the writer */
        ck_assert_float_eq(rig_first(&r, "total"), sums[step + 1]);
    }
    ck_assert_float_eq(rig_state(&r, "sum"), 33);
    rig_free(&r);
}
END_TEST

START_TEST(test_a_first_content_is_there_before_the_first_step)
{
    GError *error = NULL;
    const float begin[WIDTH] = {5, 6, 7, 8};
    g_autoptr(GBytes) all = floats(begin, WIDTH);
    g_autoptr(GBytes) one = floats(begin, 1);
    struct graph *g = graph_with("x", NULL);
    ck_ok(graph_add_state(g, "a", NUMBER_fp32, &row, true, all, &error) &&
              graph_add_state(g, "b", NUMBER_fp32, &row, true, one, &error),
          error);
    node(g, "y", "add", "a", "b");
    next(g, "a", "x");
    next(g, "b", "x");
    finish(g, NULL);
    struct values *inputs = values_new(g), *out = values_new(g);
    ck_ok(values_seed(inputs, 1, &error), error);
    struct executor *e = ref_new(g, 1, &error);
    ck_ok(e->step(e->self, inputs, out, NULL, NULL, NULL, &error), error);
    const float want[WIDTH] = {10, 11, 12, 13};
    ck_assert_mem_eq(values_get(out, "y")->data, want, sizeof(want));
    executor_free(e);
    values_free(inputs);
    values_free(out);
    graph_free(g);
}
END_TEST

/* a <- b, b <- a, so that one copy after the other would lose one. */
START_TEST(test_two_states_swap)
{
    struct graph *g = graph_with("x", (const char *[]){"a", "b", "same", NULL});
    node(g, "y", "sub", "a", "b");
    next(g, "a", "b");
    next(g, "b", "a");
    next(g, "same", "same");
    finish(g, NULL);
    GError *error = NULL;
    struct rig r = rig_new(g);
    const float a[WIDTH] = {7, 7, 7, 7}, b[WIDTH] = {2, 2, 2, 2}, c[WIDTH] = {3, 3, 3, 3};
    ck_ok(values_set(r.given, "a", a, &error) && values_set(r.given, "b", b, &error) &&
              values_set(r.given, "same", c, &error) && r.e->load(r.e->self, r.given, &error),
          error);
    for (int step = 0; step < 3; step++) {
        rig_step(&r);
        ck_assert_float_eq(rig_first(&r, "y"), step % 2 ? -5 : 5);
        ck_assert_float_eq(rig_state(&r, "same"), 3);
    }
    rig_free(&r);
}
END_TEST

/* x(t - 1) and x(t - 2), each read where the other is written. */
START_TEST(test_states_in_a_row_are_a_delay_line)
{
    struct graph *g = graph_with("x", (const char *[]){"d1", "d2", NULL});
    node(g, "y", "sub", "d1", "d2");
    node(g, "copy", "flatten", "d2", NULL);
    next(g, "d1", "x");
    next(g, "d2", "d1");
    finish(g, NULL);
    struct rig r = rig_new(g);
    const float d1[] = {0, 1, 11, 21}, d2[] = {0, 0, 1, 11};
    for (int step = 0; step < 4; step++) {
        rig_step(&r);
        ck_assert_float_eq(rig_first(&r, "y"), d1[step] - d2[step]);
        ck_assert_float_eq(rig_first(&r, "copy"), d2[step]);
    }
    rig_free(&r);
}
END_TEST

/* One value that two states become, that a view and an operator in place follow, and that is
 * fetched. */
START_TEST(test_one_value_may_become_several_states_and_be_fetched)
{
    struct graph *g = graph_with("x", (const char *[]){"a", "b", "c", "d", NULL});
    node(g, "sum", "add", "a", "x");
    node(g, "view", "flatten", "sum", NULL);
    node(g, "positive", "relu", "view", NULL);
    node(g, "all", "add", "b", "c");
    next(g, "a", "sum");
    next(g, "b", "sum");
    next(g, "c", "view");
    next(g, "d", "positive");
    finish(g, NULL);
    bool want[64];
    memset(want, true, sizeof(want));
    GError *error = NULL;
    struct rig r = rig_new(g);
    const float sums[] = {0, 1, 12, 33};
    for (int step = 0; step < 3; step++) {
        rig_feed(&r);
        ck_ok(r.e->step(r.e->self, r.inputs, r.out, step == 1 ? NULL : want, NULL, NULL, &error),
              error);
        ck_assert_float_eq(rig_first(&r, "all"), 2 * sums[step]);
        ck_assert_float_eq(rig_first(&r, "positive"), sums[step + 1]);
        if (step != 1)
            ck_assert_float_eq(rig_first(&r, "a"), sums[step]); /* a fetched state is the old one */
        for (const char *const *s = (const char *[]){"a", "b", "c", "d", NULL}; *s; s++)
            ck_assert_float_eq(rig_state(&r, *s), sums[step + 1]);
    }
    rig_free(&r);
}
END_TEST

static bool stop(const struct graph *g, int value, const struct tensor *t, void *user,
                 GError **error)
{
    (void)t, (void)user;
    return value != g->values[g->states[0]].next || error_set(error, ERROR_CHECK, "stopped");
}

START_TEST(test_a_step_that_fails_changes_no_state)
{
    GError *error = NULL;
    struct rig r = rig_new(accumulator());
    rig_step(&r);
    rig_feed(&r);
    ck_error(r.e->step(r.e->self, r.inputs, NULL, NULL, stop, NULL, &error), error, ERROR_CHECK,
             "stopped");
    ck_error(r.e->step(r.e->self, NULL, NULL, NULL, NULL, NULL, &error), error, ERROR_INPUT,
             "input 'x' has no value");
    ck_assert_float_eq(rig_state(&r, "sum"), 1);
    ck_ok(r.e->step(r.e->self, r.inputs, NULL, NULL, NULL, NULL, &error), error);
    ck_assert_float_eq(rig_state(&r, "sum"), 12);
    rig_free(&r);
}
END_TEST

START_TEST(test_what_does_not_fit_is_not_loaded)
{
    GError *error = NULL;
    const struct fc_attr fc = {.features = WIDTH, .axis = 1};
    struct graph *g = graph_with("x", (const char *[]){"sum", NULL});
    const char *x = "x";
    ck_ok(graph_add_node(g, "fc", &op_fc, &fc, &x, 1, NULL, &error), error);
    node(g, "total", "add", "sum", "fc");
    next(g, "sum", "total");
    next(g, "fc.weight", "fc.weight");
    finish(g, NULL);
    struct executor *e = ref_new(g, 1, &error);
    struct values *v = values_new(g);
    ck_ok(values_seed(v, 1, &error), error);
    struct tensor *sum = &v->at[g->states[0]];
    *(float *)sum->data = 9;
    values_clear(v, graph_find_value(g, "fc.weight")->index);
    ck_ok(tensor_alloc(&v->at[graph_find_value(g, "fc.weight")->index], NUMBER_int8, &row, &error),
          error);
    ck_error(e->load(e->self, v, &error), error, ERROR_INPUT,
             "parameter 'fc.weight' is int8 of shape 1x4, not fp32 of shape 4x4");
    struct values *saved = values_new(g);
    ck_ok(e->save(e->self, saved, &error), error);
    ck_assert_float_eq(*(const float *)values_get(saved, "sum")->data, 0);
    ck_assert_ptr_null(values_get(saved, "fc.weight")); /* a weight has no content of its own */
    ck_error(e->step(e->self, v, NULL, NULL, NULL, NULL, &error), error, ERROR_INPUT,
             "parameter 'fc.weight' has no value");
    values_free(saved);
    values_free(v);
    executor_free(e);
    graph_free(g);
}
END_TEST

/* Least squares by gradient descent: w' = w - rate x (w x - y), y = 3 x. */
START_TEST(test_a_weight_with_a_next_is_trained)
{
    GError *error = NULL;
    const struct shape one = {2, {1, 1}};
    const float rate = 0.1f;
    g_autoptr(GBytes) data = floats(&rate, 1);
    struct graph *g = graph_new("descent", NULL, 1);
    ck_assert_int_ge(graph_add_input_shape(g, "x", &one, &error), 0);
    ck_assert_int_ge(graph_add_input_shape(g, "y", &one, &error), 0);
    ck_ok(graph_add_variable(g, "w", &one, 1, &error) &&
              graph_add_constant(g, "rate", NUMBER_fp32, &one, data, &error),
          error);
    node(g, "guess", "mul", "w", "x");
    node(g, "miss", "sub", "guess", "y");
    node(g, "gradient", "mul", "miss", "x");
    node(g, "change", "mul", "gradient", "rate");
    node(g, "w_new", "sub", "w", "change");
    next(g, "w", "w_new");
    finish(g, "miss");
    struct values *v = values_new(g), *saved = values_new(g);
    const float x = 1, y = 3, w = -1;
    ck_ok(values_set(v, "x", &x, &error) && values_set(v, "y", &y, &error) &&
              values_set(v, "w", &w, &error),
          error);
    struct executor *e = ref_new(g, 1, &error);
    ck_ok(e->load(e->self, v, &error), error);
    float expected = w;
    for (int step = 0; step < 100; step++) {
        ck_ok(e->step(e->self, v, NULL, NULL, NULL, NULL, &error), error);
        expected = expected - (expected * x - y) * x * rate;
    }
    ck_ok(e->save(e->self, saved, &error), error);
    const float found = *(const float *)values_get(saved, "w")->data;
    ck_assert_float_eq(found, expected);
    ck_assert_float_eq_tol(found, 3, 1e-3f);                         /* 0.9^100 of the first miss */
    ck_assert_float_eq(*(const float *)values_get(v, "w")->data, w); /* the caller's stays */
    executor_free(e);
    values_free(v);
    values_free(saved);
    graph_free(g);
}
END_TEST

/* Inputs of `n_step` steps, each seeded anew. */
static struct values **step_inputs(const struct graph *g, int n_step)
{
    GError *error = NULL;
    struct values **inputs = g_new(struct values *, n_step);
    for (int step = 0; step < n_step; step++) {
        inputs[step] = values_new(g);
        ck_ok(values_seed(inputs[step], 100 + (uint64_t)step, &error), error);
    }
    return inputs;
}

static void free_inputs(struct values **inputs, int n_step)
{
    for (int step = 0; step < n_step; step++)
        values_free(inputs[step]);
    g_free(inputs);
}

/* Parameters, and states that begin with random contents. */
static struct values *random_given(const struct graph *g)
{
    GError *error = NULL;
    struct values *v = values_new(g);
    ck_ok(values_seed(v, 5, &error), error);
    for (int i = 0; i < g->n_state; i++)
        if (g->values[g->states[i]].type == NUMBER_fp32)
            tensor_fill_uniform(v->at[g->states[i]].data,
                                (size_t)shape_count(&g->values[g->states[i]].shape), 1, 6,
                                (uint64_t)i);
    return v;
}

/* Every value of every step has the bits that the unrolled graph gives it: the same operators on
 * the same shapes. */
static void ck_unrolled(const struct graph *g, int n_step, int n_thread)
{
    GError *error = NULL;
    struct values **inputs = step_inputs(g, n_step);
    struct values *given = random_given(g);
    struct graph *whole = unroll(g, n_step, &error);
    ck_ok(whole != NULL, error);
    struct values *all = unroll_values(whole, given, inputs, n_step, &error);
    ck_ok(all != NULL, error);
    struct values *expected = values_new(whole), *out = values_new(g);
    ck_ok(ref_run(whole, 1, all, expected, NULL, NULL, NULL, &error), error);
    g_autofree bool *want = g_new(bool, g->n_value);
    for (int i = 0; i < g->n_value; i++)
        want[i] = g->values[i].kind == VALUE_NODE;
    struct executor *e = ref_new(g, n_thread, &error);
    ck_ok(e && e->load(e->self, given, &error), error);
    for (int step = 0; step < n_step; step++) {
        ck_ok(e->step(e->self, inputs[step], out, want, NULL, NULL, &error), error);
        for (int i = 0; i < g->n_value; i++) {
            if (!want[i])
                continue;
            g_autofree char *name = unroll_name(g, i, step);
            const struct tensor *x = &out->at[i], *y = values_get(expected, name);
            ck_assert_msg(y && !memcmp(x->data, y->data, tensor_bytes(x)), "value '%s' differs",
                          name);
        }
    }
    executor_free(e);
    values_free(out);
    values_free(expected);
    values_free(all);
    graph_free(whole);
    values_free(given);
    free_inputs(inputs, n_step);
}

static struct graph *example(const char *name, int64_t batch)
{
    GError *error = NULL;
    g_autofree char *file = g_strdup_printf(EXAMPLES "/%s.net", name);
    struct graph *g = net_read(file, batch, &error);
    ck_ok(g != NULL, error);
    return g;
}

START_TEST(test_the_examples_equal_their_unrolled_forms)
{
    const char *const names[] = {"accumulator", "fir", "lstm-step"};
    for (int i = 0; i < 3; i++)
        for (int64_t batch = 1; batch <= 3; batch += 2) {
            struct graph *g = example(names[i], batch);
            ck_assert_int_gt(g->n_state, 0);
            ck_unrolled(g, 7, 2);
            graph_free(g);
        }
}
END_TEST

/* Of small graphs: functions of elements in any order, and states that become any value. */
START_TEST(test_random_graphs_equal_their_unrolled_forms)
{
    enum { N_GRAPH = 200, N_GIVEN = 5, N_NODE = 9 };
    static const char *const unary[] = {"relu", "tanh", "flatten", "neg", "dropout"};
    static const char *const binary[] = {"add", "mul", "sub", "max"};
    GRand *rand = g_rand_new_with_seed(11);
    for (int k = 0; k < N_GRAPH; k++) {
        GError *error = NULL;
        const char *names[] = {"x",  "w",  "s0", "s1", "s2", "n0", "n1",
                               "n2", "n3", "n4", "n5", "n6", "n7", "n8"};
        struct graph *g = graph_with("x", (const char *[]){"s0", "s1", "s2", NULL});
        ck_ok(graph_add_variable(g, "w", &row, 1, &error), error);
        for (int i = N_GIVEN; i < N_GIVEN + N_NODE; i++) {
            const bool is_unary = g_rand_boolean(rand);
            const char *a = names[g_rand_int_range(rand, 0, i)];
            const char *b = names[g_rand_int_range(rand, 0, i)];
            node(g, names[i],
                 is_unary ? unary[g_rand_int_range(rand, 0, G_N_ELEMENTS(unary))]
                          : binary[g_rand_int_range(rand, 0, G_N_ELEMENTS(binary))],
                 a, is_unary ? NULL : b);
        }
        for (int i = 1; i < N_GIVEN; i++)
            if (i > 1 || g_rand_boolean(rand))
                next(g, names[i], names[g_rand_int_range(rand, 0, N_GIVEN + N_NODE)]);
        finish(g, NULL);
        ck_unrolled(g, 5, 1 + k % 3);
        graph_free(g);
    }
    g_rand_free(rand);
}
END_TEST

/* Rows of [gates, width] one behind the other are the weight of the operator lstm. */
START_TEST(test_a_stepped_lstm_equals_the_operator)
{
    enum { STEPS = 12, WORD = 8, HIDDEN = 16, GATES = 4 * HIDDEN };
    GError *error = NULL;
    struct graph *g = example("lstm-step", 1), *all = graph_new("all", NULL, 1);
    const struct shape words = {3, {STEPS, 1, WORD}};
    struct recurrent_attr attr = {.hidden = HIDDEN, .bias = true};
    const char *x = "x";
    ck_assert_int_ge(graph_add_input_shape(all, "x", &words, &error), 0);
    ck_ok(graph_add_node(all, "lstm", op_find("lstm"), &attr, &x, 1, NULL, &error) &&
              graph_finish(all, NULL, 0, &error),
          error);
    struct values *given = values_new(g), *whole = values_new(all), *out = values_new(g);
    struct values *expected = values_new(all), **inputs = step_inputs(g, STEPS);
    ck_ok(values_seed(given, 5, &error), error);
    float sequence[STEPS][WORD], bias[2 * GATES] = {0};
    for (int step = 0; step < STEPS; step++)
        memcpy(sequence[step], values_get(inputs[step], "x")->data, sizeof(sequence[step]));
    memcpy(bias, values_get(given, "of_x.bias")->data, GATES * sizeof(float));
    ck_ok(values_set(whole, "x", sequence, &error) &&
              values_set(whole, "lstm.weight", values_get(given, "of_x.weight")->data, &error) &&
              values_set(whole, "lstm.recurrent", values_get(given, "of_h.weight")->data, &error) &&
              values_set(whole, "lstm.bias", bias, &error) &&
              ref_run(all, 1, whole, expected, NULL, NULL, NULL, &error),
          error);
    const float(*y)[HIDDEN] = expected->at[all->outputs[0]].data;
    struct executor *e = ref_new(g, 1, &error);
    ck_ok(e && e->load(e->self, given, &error), error);
    for (int step = 0; step < STEPS; step++) {
        ck_ok(e->step(e->self, inputs[step], out, NULL, NULL, NULL, &error), error);
        const float *h = values_get(out, "h_new")->data;
        /* Both sum some tens of products in fp32, in another order. */
        for (int i = 0; i < HIDDEN; i++)
            ck_assert_float_eq_tol(h[i], y[step][i], 2e-6f);
    }
    executor_free(e);
    free_inputs(inputs, STEPS);
    values_free(given);
    values_free(whole);
    values_free(expected);
    values_free(out);
    graph_free(all);
    graph_free(g);
}
END_TEST

START_TEST(test_a_saved_run_goes_on_with_the_same_bits)
{
    enum { STEPS = 9, SAVED = 4 };
    GError *error = NULL;
    struct graph *g = example("lstm-step", 2);
    struct values **inputs = step_inputs(g, STEPS), *given = random_given(g);
    struct values *saved = values_new(g), *first = values_new(g), *second = values_new(g);
    struct executor *e = ref_new(g, 1, &error), *other = ref_new(g, 2, &error);
    ck_ok(e->load(e->self, given, &error) && other->load(other->self, given, &error), error);
    for (int step = 0; step < STEPS; step++) {
        if (step == SAVED)
            ck_ok(e->save(e->self, saved, &error) && other->load(other->self, saved, &error),
                  error);
        ck_ok(e->step(e->self, inputs[step], first, NULL, NULL, NULL, &error), error);
        if (step < SAVED)
            continue;
        ck_ok(other->step(other->self, inputs[step], second, NULL, NULL, NULL, &error), error);
        const struct tensor *a = values_get(first, "h_new"), *b = values_get(second, "h_new");
        ck_assert_mem_eq(a->data, b->data, tensor_bytes(a));
    }
    executor_free(e);
    executor_free(other);
    values_free(saved);
    values_free(first);
    values_free(second);
    values_free(given);
    free_inputs(inputs, STEPS);
    graph_free(g);
}
END_TEST

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static bool note_heap(const struct graph *g, int value, const struct tensor *t, void *user,
                      GError **error)
{
    (void)g, (void)value, (void)t, (void)error;
    size_t *peak = user;
    *peak = MAX(*peak, heap_bytes());
    return true;
}

/* As much during the thousandth step as during the second, and as much behind it. */
START_TEST(test_a_thousand_steps_take_constant_memory)
{
    /* malloc() counts what a thread keeps for itself as handed out, which varies by some hundred
     * bytes; it hands out no less than 32 bytes, so that one allocation a step would be 32 kB. */
    enum { STEPS = 1000, KEPT = 4096 };
    GError *error = NULL;
    const char *const nets[] = {EXAMPLES "/lstm-step.net", SOURCE_DIR "/workloads/nets/lenet5.net"};
    for (size_t k = 0; k < G_N_ELEMENTS(nets); k++) {
        struct graph *g = net_read(nets[k], 1, &error);
        ck_ok(g != NULL, error);
        struct values *v = values_new(g), *out = values_new(g);
        ck_ok(values_seed(v, 1, &error), error);
        struct executor *e = ref_new(g, 1, &error);
        ck_ok(e && e->load(e->self, v, &error), error);
        size_t peak = 0, early_peak = 0, early = 0;
        for (int step = 0; step < STEPS; step++) {
            ck_ok(e->step(e->self, v, out, NULL, note_heap, &peak, &error), error);
            if (step == 1) {
                early = heap_bytes();
                early_peak = peak;
            }
        }
        ck_assert_uint_lt(heap_bytes(), early + KEPT);
        ck_assert_uint_lt(peak, early_peak + KEPT);
        executor_free(e);
        values_free(v);
        values_free(out);
        graph_free(g);
    }
}
END_TEST

TEST_MAIN("state", test_a_cycle_through_a_state_is_a_loop_with_a_delay,
          test_a_state_and_its_next_are_of_one_format_and_shape, test_a_state_has_one_next,
          test_first_contents_are_checked, test_nothing_that_follows_from_a_state_is_folded,
          test_what_a_state_becomes_is_needed, test_only_what_is_trained_counts_as_a_parameter,
          test_a_weight_outlives_its_layer, test_a_larger_batch_begins_each_sample_alike,
          test_a_selection_keeps_a_state_with_its_next_and_cuts_others,
          test_a_state_keeps_its_content_and_readers_see_the_old_one,
          test_a_first_content_is_there_before_the_first_step, test_two_states_swap,
          test_states_in_a_row_are_a_delay_line,
          test_one_value_may_become_several_states_and_be_fetched,
          test_a_step_that_fails_changes_no_state, test_what_does_not_fit_is_not_loaded,
          test_a_weight_with_a_next_is_trained, test_the_examples_equal_their_unrolled_forms,
          test_random_graphs_equal_their_unrolled_forms, test_a_stepped_lstm_equals_the_operator,
          test_a_saved_run_goes_on_with_the_same_bits, test_a_thousand_steps_take_constant_memory)
