/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs with constants, several outputs and absent inputs: what is computed while they are built.
 */
#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/graph.h"

static struct graph *graph_with_rows(int64_t n)
{
    GError *error = NULL;
    struct graph *g = graph_new("test", "test.net", 2);
    ck_ok(graph_add_input(g, "data", 1, &n, &error) == 0, error);
    return g;
}

static void add_ints(struct graph *g, const char *name, const int64_t *v, int64_t n)
{
    GError *error = NULL;
    GBytes *data = g_bytes_new(v, (gsize)n * sizeof(*v));
    ck_ok(graph_add_constant(g, name, NUMBER_int64, &(struct shape){1, {n}}, data, &error), error);
    g_bytes_unref(data);
}

static bool try_add(struct graph *g, const char *name, const char *op, const char *const *in,
                    int n_in, const char *const *out, int n_out, GError **error)
{
    return graph_add_node_outputs(g, name, op_find(op), NULL, in, n_in, out, n_out, "test.net:1",
                                  error);
}

static void add(struct graph *g, const char *op, const char *a, const char *b, const char *out)
{
    GError *error = NULL;
    const char *const in[] = {a, b};
    ck_ok(try_add(g, out, op, in, b ? 2 : 1, &out, 1, &error), error);
}

START_TEST(test_what_follows_from_constants_is_a_constant)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    add_ints(g, "a", (int64_t[]){1, -4}, 2);
    add_ints(g, "b", (int64_t[]){1, 7}, 2);
    add(g, "add", "a", "b", "to"); /* 2, 3: with the batch of 2 two elements short */
    struct operand to;
    ck_assert(graph_peek(g, "to", &to));
    ck_assert_int_eq(((const int64_t *)to.known)[0], 2);
    ck_assert_int_eq(((const int64_t *)to.known)[1], 3);
    const char *const in[] = {"data", "to"}, *const out[] = {"y"};
    ck_error(try_add(g, "y", "reshape", in, 2, out, 1, &error), error, ERROR_INPUT, "layer 'y'");
    graph_free(g);
}
END_TEST

START_TEST(test_folded_nodes_are_left_out)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    add_ints(g, "a", (int64_t[]){3, -2}, 2);
    add_ints(g, "b", (int64_t[]){5, 1}, 2);
    add(g, "add", "a", "b", "to"); /* 8, -1 */
    add(g, "reshape", "data", "to", "y");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    ck_assert_int_eq(g->n_node, 1);
    ck_assert_str_eq(g->nodes[0].name, "y");
    ck_assert_int_eq(g->values[g->outputs[0]].shape.dim[1], 3);
    ck_assert_uint_eq(graph_parameters(g), 0);
    graph_free(g);
}
END_TEST

START_TEST(test_a_node_with_several_outputs)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    const char *const in[] = {"data"}, *const out[] = {"values", "places"};
    ck_ok(try_add(g, "best", "top_k", in, 1, out, 2, &error), error);
    add(g, "relu", "values", NULL, "r");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    ck_assert_int_eq(g->nodes[0].n_out, 2);
    const struct value *places = graph_find_value(g, "places");
    ck_assert_int_eq(places->type, NUMBER_int64);
    ck_assert_int_eq(g->values[g->nodes[0].out[0]].type, NUMBER_fp32);
    ck_assert_int_eq(g->n_output, 1); /* a node that is read for one output is no end */
    graph_free(g);
}
END_TEST

START_TEST(test_outputs_of_one_name_are_refused)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    const char *const in[] = {"data"}, *const out[] = {"same", "same"};
    ck_error(try_add(g, "best", "top_k", in, 1, out, 2, &error), error, ERROR_INPUT,
             "another output of the layer");
    graph_free(g);
}
END_TEST

START_TEST(test_an_absent_input_is_absent)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    add_ints(g, "unused", (int64_t[]){1}, 1);
    const char *const in[] = {"data", ""}, *const out[] = {"y"};
    ck_ok(try_add(g, "y", "clip", in, 2, out, 1, &error), error);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    ck_assert_int_eq(g->n_node, 1);
    ck_assert(g->nodes[0].n_in < 2 || g->nodes[0].in[1] < 0);
    graph_free(g);
}
END_TEST

START_TEST(test_a_shape_that_only_the_run_tells_is_refused_by_name)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    ck_ok(graph_add_input_typed(g, "to", NUMBER_int64, &(struct shape){1, {2}}, 0, &error) == 1,
          error);
    const char *const in[] = {"data", "to"}, *const out[] = {"y"};
    ck_error(try_add(g, "y", "reshape", in, 2, out, 1, &error), error, ERROR_UNSUPPORTED,
             "'to', which are not known before the run");
    graph_free(g);
}
END_TEST

START_TEST(test_elements_of_an_input_can_be_told_ahead)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    ck_ok(graph_add_input_typed(g, "to", NUMBER_int64, &(struct shape){1, {2}}, 0, &error) == 1,
          error);
    GBytes *data = g_bytes_new((int64_t[]){3, 8}, 16);
    graph_know_input(g, "to", data);
    g_bytes_unref(data);
    add(g, "reshape", "data", "to", "y");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    const struct shape want = {2, {3, 8}};
    ck_assert(shape_equal(&g->values[g->outputs[0]].shape, &want));
    ck_assert_int_eq(g->n_input, 2);
    graph_free(g);
}
END_TEST

START_TEST(test_what_a_node_was_told_is_not_read)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    add_ints(g, "to", (int64_t[]){8, 3}, 2);
    add(g, "reshape", "data", "to", "y");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    ck_assert_int_eq(g->nodes[0].in[1], -1);
    ck_assert_ptr_null(graph_find_value(g, "to"));
    graph_free(g);
}
END_TEST

START_TEST(test_random_nodes_are_not_folded)
{
    GError *error = NULL;
    struct graph *g = graph_with_rows(12);
    add_ints(g, "slices", (int64_t[]){5, 6, 7}, 3);
    add(g, "shuffle", "slices", NULL, "y");
    struct operand y;
    ck_assert(graph_peek(g, "y", &y));
    ck_assert_ptr_null(y.known);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    graph_free(g);
}
END_TEST

TEST_MAIN("graph_values", test_what_follows_from_constants_is_a_constant,
          test_folded_nodes_are_left_out, test_a_node_with_several_outputs,
          test_outputs_of_one_name_are_refused, test_an_absent_input_is_absent,
          test_a_shape_that_only_the_run_tells_is_refused_by_name,
          test_elements_of_an_input_can_be_told_ahead, test_what_a_node_was_told_is_not_read,
          test_random_nodes_are_not_folded)
