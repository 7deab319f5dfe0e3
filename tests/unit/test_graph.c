/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of three operators made here, so that nothing depends on the real ones: `pass` keeps its
 * input's shape, `dense` makes N features of it, `sum` adds what has equal shapes. */
#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/graph.h"

static bool same_infer(const struct op_infer *c, GError **error)
{
    for (int i = 1; i < c->n_in; i++)
        if (!shape_equal(&c->in[0]->shape, &c->in[i]->shape))
            return error_set(error, ERROR_INPUT, "shapes differ");
    c->out[0].shape = c->in[0]->shape;
    return true;
}

struct dense_attr {
    int64_t features;
    const char *note;
};

static const struct cfg_field dense_fields[] = {
    {"features", CFG_INT, offsetof(struct dense_attr, features), 1, 1e9, NULL, NULL, "", NULL},
    {"note", CFG_STRING, offsetof(struct dense_attr, note), 0, 0, "", NULL, "", NULL},
    {0},
};

static bool dense_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].shape =
        (struct shape){2, {c->in[0]->shape.dim[0], ((struct dense_attr *)c->attr)->features}};
    return true;
}

static int dense_params(const struct op_infer *c, struct op_param *out)
{
    int64_t n = ((const struct dense_attr *)c->attr)->features, k = c->in[0]->shape.dim[1];
    out[0] = (struct op_param){"weight", {2, {n, k}}, k, false, 0, 0};
    out[1] = (struct op_param){"bias", {1, {n}}, 0, false, 0, 0};
    return 2;
}

static uint64_t dense_macs(const struct op_infer *c)
{
    return op_product(2, (int64_t[]){shape_count(&c->out[0].shape), c->in[0]->shape.dim[1]});
}

static const struct op op_pass = {
    .name = "pass", .min_data = 1, .max_data = 1, .infer = same_infer};
static const struct op op_sum = {.name = "sum", .min_data = 2, .max_data = 3, .infer = same_infer};
static const struct op op_dense = {
    .name = "dense",
    .fields = dense_fields,
    .attr_size = sizeof(struct dense_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = dense_infer,
    .params = dense_params,
    .macs = dense_macs,
};

static struct graph *graph_with_input(int64_t batch, int64_t features)
{
    GError *error = NULL;
    struct graph *g = graph_new("test", "test.net", batch);
    ck_ok(graph_add_input(g, "data", 1, &features, &error) == 0, error);
    return g;
}

/* A node that reads up to three values, as the tests need it. */
static bool try_add(struct graph *g, const char *name, const struct op *op, const char *a,
                    const char *b, const char *c, GError **error)
{
    const char *const in[] = {a, b, c};
    struct dense_attr attr = {.features = 5, .note = "kept"};
    char *origin = g_strdup_printf("test.net:%s", name);
    bool ok = graph_add_node(g, name, op, op->attr_size ? &attr : NULL, in,
                             (a != NULL) + (b != NULL) + (c != NULL), origin, error);
    g_free(origin);
    return ok;
}

static void add(struct graph *g, const char *name, const struct op *op, const char *a,
                const char *b, const char *c)
{
    GError *error = NULL;
    ck_ok(try_add(g, name, op, a, b, c, &error), error);
}

static void finish(struct graph *g)
{
    GError *error = NULL;
    ck_ok(graph_finish(g, NULL, 0, &error), error);
}

static void ck_order(const struct graph *g, const char *names)
{
    GString *order = g_string_new(NULL);
    for (int i = 0; i < g->n_node; i++) {
        ck_assert_int_eq(g->nodes[i].index, i);
        g_string_append_printf(order, "%s%s", i > 0 ? " " : "", g->nodes[i].name);
    }
    ck_assert_str_eq(order->str, names);
    g_string_free(order, TRUE);
}

START_TEST(test_node_gets_shape_parameters_and_macs)
{
    struct graph *g = graph_with_input(3, 7);
    add(g, "fc", &op_dense, "data", NULL, NULL);
    finish(g);
    const struct node *n = &g->nodes[0];
    ck_assert_int_eq(n->n_data, 1);
    ck_assert_int_eq(n->n_in, 3);
    const struct value *weight = graph_find_value(g, "fc.weight");
    ck_assert_int_eq(n->in[1], weight->index);
    ck_assert_int_eq(weight->kind, VALUE_PARAM);
    ck_assert_int_eq(weight->node, 0);
    ck_assert_int_eq(weight->fan_in, 7);
    ck_assert_int_eq(graph_find_value(g, "fc.bias")->fan_in, 0);
    ck_assert_int_eq(g->values[n->out[0]].shape.dim[0], 3);
    ck_assert_int_eq(g->values[n->out[0]].shape.dim[1], 5);
    ck_assert_uint_eq(graph_macs(g), 3 * 5 * 7);
    ck_assert_uint_eq(graph_parameters(g), 5 * 7 + 5);
    ck_assert_ptr_null(graph_find_value(g, "fc.none"));
    graph_free(g);
}
END_TEST

START_TEST(test_legal_order_is_kept)
{
    struct graph *g = graph_with_input(1, 4);
    add(g, "z", &op_pass, "data", NULL, NULL);
    add(g, "b", &op_pass, "data", NULL, NULL);
    add(g, "a", &op_sum, "b", "z", NULL);
    finish(g);
    ck_order(g, "z b a");
    graph_free(g);
}
END_TEST

START_TEST(test_forward_reference_is_moved_ahead)
{
    struct graph *g = graph_with_input(1, 4);
    add(g, "last", &op_sum, "first", "second", NULL);
    add(g, "side", &op_pass, "data", NULL, NULL);
    add(g, "second", &op_pass, "first", NULL, NULL);
    add(g, "first", &op_pass, "data", NULL, NULL);
    finish(g);
    ck_order(g, "first second last side");
    graph_free(g);
}
END_TEST

START_TEST(test_long_chain_given_backwards_is_sorted)
{
    enum { N = 50000 };
    struct graph *g = graph_with_input(1, 4);
    char name[16], before[16];
    for (int i = N; i-- > 0;) {
        g_snprintf(name, sizeof(name), "n%d", i);
        g_snprintf(before, sizeof(before), "n%d", i - 1);
        add(g, name, &op_pass, i > 0 ? before : "data", NULL, NULL);
    }
    finish(g);
    ck_assert_str_eq(g->nodes[N - 1].name, "n49999");
    ck_assert_int_eq(g->n_output, 1);
    graph_free(g);
}
END_TEST

START_TEST(test_cycle_names_its_layers)
{
    GError *error = NULL;
    struct graph *g = graph_with_input(1, 4);
    add(g, "before", &op_pass, "data", NULL, NULL);
    add(g, "a", &op_sum, "before", "c", NULL);
    add(g, "b", &op_pass, "a", NULL, NULL);
    add(g, "c", &op_pass, "b", NULL, NULL);
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT, "cycle: b -> c -> a -> b");
    graph_free(g);

    g = graph_with_input(1, 4);
    add(g, "self", &op_pass, "self", NULL, NULL);
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "test.net:self: layer 'self': layers wait for each other in a cycle: self -> self");
    graph_free(g);
}
END_TEST

START_TEST(test_unknown_input_is_suggested)
{
    GError *error = NULL;
    struct graph *g = graph_with_input(1, 4);
    add(g, "conv1", &op_pass, "dtaa", NULL, NULL);
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT,
             "test.net:conv1: layer 'conv1': unknown input 'dtaa'");
    graph_free(g);
    g = graph_with_input(1, 4);
    add(g, "conv_1", &op_pass, "data", NULL, NULL);
    add(g, "relu", &op_pass, "conv-1", NULL, NULL);
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT, "did you mean 'conv_1'?");
    graph_free(g);
}
END_TEST

START_TEST(test_name_is_used_once)
{
    GError *error = NULL;
    const char *in = "data";
    int64_t dim = 4;
    struct graph *g = graph_with_input(1, 4);
    ck_error(graph_add_input(g, "data", 1, &dim, &error) >= 0, error, ERROR_INPUT, "'data'");
    ck_error(graph_add_node(g, "data", &op_pass, NULL, &in, 1, "f:1", &error), error, ERROR_INPUT,
             "f:1: layer 'data': the name is already in use by an input");
    add(g, "a", &op_pass, "data", NULL, NULL);
    ck_error(graph_add_node(g, "a", &op_pass, NULL, &in, 1, "f:2", &error), error, ERROR_INPUT,
             "f:2: layer 'a': the name is already in use by test.net:a");
    ck_error(graph_add_node(g, "", &op_pass, NULL, &in, 1, "f:3", &error), error, ERROR_INPUT,
             "f:3: layer: the name is empty");
    ck_error(graph_add_node(g, "a\n", &op_pass, NULL, &in, 1, NULL, &error), error, ERROR_INPUT,
             "control character");
    add(g, "fc.weight", &op_pass, "data", NULL, NULL);
    ck_error(try_add(g, "fc", &op_dense, "data", NULL, NULL, &error), error, ERROR_INPUT,
             "'fc.weight' is the name of");
    graph_free(g);
}
END_TEST

START_TEST(test_number_of_inputs_is_checked)
{
    GError *error = NULL;
    const char *const in[] = {"data", "data", "data", "data"};
    struct graph *g = graph_with_input(1, 4);
    ck_error(graph_add_node(g, "a", &op_pass, NULL, in, 2, "f:1", &error), error, ERROR_INPUT,
             "f:1: layer 'a': 2 inputs, operator 'pass' takes 1");
    ck_error(graph_add_node(g, "a", &op_sum, NULL, in, 4, "f:1", &error), error, ERROR_INPUT,
             "4 inputs, operator 'sum' takes 2 to 3");
    ck_error(graph_finish(g, NULL, 0, &error), error, ERROR_INPUT, "test.net: no layers");
    graph_free(g);
}
END_TEST

START_TEST(test_shapes_that_do_not_fit_name_the_layer)
{
    GError *error = NULL;
    struct graph *g = graph_with_input(1, 4);
    add(g, "fc", &op_dense, "data", NULL, NULL);
    ck_error(try_add(g, "s", &op_sum, "fc", "data", NULL, &error), error, ERROR_INPUT,
             "test.net:s: layer 's': shapes differ");
    graph_free(g);
}
END_TEST

START_TEST(test_sizes_are_bounded)
{
    GError *error = NULL;
    int64_t dims[SHAPE_MAX_DIM] = {1, 1, 1, 1, 1, 1, 1, 1}, most = INT64_C(1) << 40;
    struct graph *g = graph_new("test", NULL, 2);
    ck_error(graph_add_input(g, "a", 1, &most, &error) >= 0, error, ERROR_INPUT, "input 'a'");
    ck_error(graph_add_input(g, "a", SHAPE_MAX_DIM, dims, &error) >= 0, error, ERROR_INPUT,
             "8 dimensions");
    most /= 2;
    ck_ok(graph_add_input(g, "a", 1, &most, &error) == 0, error);
    ck_error(try_add(g, "fc", &op_dense, "a", NULL, NULL, &error), error, ERROR_INPUT,
             "layer 'fc': weight: ");
    graph_free(g);
}
END_TEST

START_TEST(test_macs_beyond_63_bits_are_refused)
{
    GError *error = NULL;
    int64_t dim = INT64_C(1) << 20;
    struct graph *g = graph_new("test", NULL, INT64_C(1) << 20);
    ck_ok(graph_add_input(g, "a", 1, &dim, &error) == 0, error);
    struct dense_attr attr = {.features = INT64_C(1) << 20};
    for (int i = 0; i < 8; i++) { /* 8 x 2^60 is the first sum that does not fit */
        const char *in = "a";
        char name[2] = {(char)('s' + i), 0};
        bool ok = graph_add_node(g, name, &op_dense, &attr, &in, 1, "f:1", &error);
        if (i < 7)
            ck_ok(ok, error);
        else
            ck_error(ok, error, ERROR_INPUT,
                     "f:1: layer 'z': more than 2^63 - 1 multiply-accumulates");
    }
    graph_free(g);
}
END_TEST

START_TEST(test_outputs_are_what_nothing_reads)
{
    struct graph *g = graph_with_input(1, 4);
    add(g, "a", &op_pass, "data", NULL, NULL);
    add(g, "b", &op_pass, "a", NULL, NULL);
    add(g, "c", &op_sum, "a", "a", NULL);
    finish(g);
    ck_assert_int_eq(g->n_output, 2);
    ck_assert_str_eq(g->values[g->outputs[0]].name, "b");
    ck_assert_str_eq(g->values[g->outputs[1]].name, "c");
    ck_assert_int_eq(graph_n_reader(g, graph_find_value(g, "a")->index), 2);
    ck_assert_int_eq(graph_n_reader(g, g->outputs[0]), 1);
    graph_free(g);
}
END_TEST

START_TEST(test_named_outputs)
{
    GError *error = NULL;
    const char *const good[] = {"b", "a"}, *const twice[] = {"a", "a"}, *const none[] = {"dat"};
    for (int i = 0; i < 3; i++) {
        struct graph *g = graph_with_input(1, 4);
        add(g, "a", &op_pass, "data", NULL, NULL);
        add(g, "b", &op_pass, "a", NULL, NULL);
        if (i == 0) {
            ck_ok(graph_finish(g, good, 2, &error), error);
            ck_assert_str_eq(g->values[g->outputs[0]].name, "b");
            ck_assert_int_eq(graph_n_reader(g, g->outputs[1]), 2);
        } else if (i == 1) {
            ck_error(graph_finish(g, twice, 2, &error), error, ERROR_INPUT, "named twice");
        } else {
            ck_error(graph_finish(g, none, 1, &error), error, ERROR_INPUT, "'dat' is no layer");
        }
        graph_free(g);
    }
}
END_TEST

/* data -> a -> b -> c, and a -> c */
static struct graph *diamond(void)
{
    struct graph *g = graph_with_input(2, 5);
    add(g, "a", &op_dense, "data", NULL, NULL);
    graph_set_precision(g, NUMBER_int8, -1);
    add(g, "b", &op_dense, "a", NULL, NULL);
    add(g, "c", &op_sum, "a", "b", NULL);
    finish(g);
    return g;
}

START_TEST(test_selection_reads_and_gives_what_it_is_cut_from)
{
    GError *error = NULL;
    struct graph *g = diamond();
    struct graph *s = graph_select(g, (bool[]){false, true, false}, &error);
    ck_ok(s != NULL, error);
    ck_order(s, "b");
    ck_assert_int_eq(s->n_input, 1);
    ck_assert_str_eq(s->values[s->inputs[0]].name, "a");
    ck_assert_int_eq(s->values[s->inputs[0]].shape.dim[0], 2);
    ck_assert_int_eq(s->n_output, 1);
    graph_free(s);
    s = graph_select(g, (bool[]){true, true, false}, &error);
    ck_assert_str_eq(s->values[s->inputs[0]].name, "data");
    ck_assert_int_eq(s->n_output, 2);
    graph_free(g);
    const struct dense_attr *attr = s->nodes[0].attr;
    ck_assert_int_eq(attr->features, 5);
    ck_assert_str_eq(attr->note, "kept");
    ck_assert_int_eq(s->nodes[0].precision, NUMBER_int8);
    ck_assert_int_eq(s->nodes[1].precision, -1);
    ck_assert_str_eq(s->nodes[0].origin, "test.net:a");
    graph_free(s);
}
END_TEST

START_TEST(test_empty_selection_is_an_error)
{
    GError *error = NULL;
    struct graph *g = diamond();
    ck_error(graph_select(g, (bool[]){false, false, false}, &error), error, ERROR_INPUT,
             "no layers");
    graph_free(g);
}
END_TEST

START_TEST(test_rebatch_scales_leading_dimensions)
{
    GError *error = NULL;
    struct graph *g = graph_new("test", NULL, 2);
    struct shape rows = {2, {6, 5}}; /* three rows an image */
    ck_ok(graph_add_input_shape(g, "data", &rows, &error) == 0, error);
    add(g, "a", &op_dense, "data", NULL, NULL);
    finish(g);
    struct graph *r = graph_rebatch(g, 7, &error);
    ck_ok(r != NULL, error);
    ck_assert_int_eq(r->batch, 7);
    ck_assert_int_eq(r->values[r->inputs[0]].shape.dim[0], 21);
    ck_assert_int_eq(r->values[r->outputs[0]].shape.dim[0], 21);
    ck_assert_uint_eq(graph_macs(r), graph_macs(g) / 2 * 7);
    ck_assert_uint_eq(graph_parameters(r), graph_parameters(g));
    graph_free(r);
    ck_error(graph_rebatch(g, INT64_MAX / 2, &error), error, ERROR_INPUT, "too large");
    graph_free(g);
}
END_TEST

TEST_MAIN("graph", test_node_gets_shape_parameters_and_macs, test_legal_order_is_kept,
          test_forward_reference_is_moved_ahead, test_long_chain_given_backwards_is_sorted,
          test_cycle_names_its_layers, test_unknown_input_is_suggested, test_name_is_used_once,
          test_number_of_inputs_is_checked, test_shapes_that_do_not_fit_name_the_layer,
          test_sizes_are_bounded, test_macs_beyond_63_bits_are_refused,
          test_outputs_are_what_nothing_reads, test_named_outputs,
          test_selection_reads_and_gives_what_it_is_cut_from, test_empty_selection_is_an_error,
          test_rebatch_scales_leading_dimensions)
