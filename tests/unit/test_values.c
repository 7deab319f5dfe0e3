/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>
#include <math.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/executor.h"
#include "workloads/ops/ops.h"
#include "workloads/tensor/npy.h"

/* data [batch, k] -> fc -> [batch, 5] */
static struct graph *small_graph(int64_t batch, int64_t k)
{
    GError *error = NULL;
    struct graph *g = graph_new("small", NULL, batch);
    struct fc_attr attr = {.features = 5, .bias = true};
    const char *in = "data";
    ck_ok(graph_add_input(g, "data", 1, &k, &error) == 0, error);
    ck_ok(graph_add_node(g, "fc", op_find("fc"), &attr, &in, 1, NULL, &error), error);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    return g;
}

static const struct tensor *find(const struct values *v, const char *name)
{
    return &v->at[graph_find_value(v->graph, name)->index];
}

static struct values *seeded(const struct graph *g, uint64_t seed)
{
    GError *error = NULL;
    struct values *v = values_new(g);
    ck_ok(values_seed(v, seed, &error), error);
    return v;
}

START_TEST(test_larger_batch_begins_with_the_same_values)
{
    struct graph *g = small_graph(2, 9), *larger = small_graph(3, 9);
    struct values *v = seeded(g, 1), *w = seeded(larger, 1), *other = seeded(g, 2);
    const char *const names[] = {"data", "fc.weight", "fc.bias"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t n = tensor_bytes(find(v, names[i]));
        ck_assert_mem_eq(find(v, names[i])->data, find(w, names[i])->data, n);
        ck_assert_mem_ne(find(v, names[i])->data, find(other, names[i])->data, n);
    }
    ck_assert_ptr_null(find(v, "fc")->data);
    values_free(v);
    values_free(w);
    values_free(other);
    graph_free(larger);
    graph_free(g);
}
END_TEST

static double mean_square(const struct tensor *t, double *largest)
{
    const float *x = t->data;
    int64_t n = shape_count(&t->shape);
    double sum = 0;
    *largest = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i] * x[i];
        *largest = MAX(*largest, ABS((double)x[i]));
    }
    return sum / (double)n;
}

/* Of n uniform values the mean square has a standard error of 0.9 / sqrt(n), here 0.3 %, so that
 * 2 % is beyond six of them. */
START_TEST(test_weights_have_the_variance_of_he)
{
    struct graph *g = small_graph(1, 20000);
    struct values *v = seeded(g, 1);
    double largest, expected = 2.0 / 20000;
    double variance = mean_square(find(v, "fc.weight"), &largest);
    ck_assert_double_lt(ABS(variance - expected), 0.02 * expected);
    mean_square(find(v, "fc.bias"), &largest);
    ck_assert_double_le(largest, 0.00707107); /* 1 / sqrt(20000), rounded up */
    ck_assert_double_gt(largest, 0.0);
    mean_square(find(v, "data"), &largest);
    ck_assert_double_le(largest, 1.0);
    ck_assert_double_gt(largest, 0.99);
    values_free(v);
    graph_free(g);
}
END_TEST

/* A file of one int32 tensor [n] or [m, n] that counts from 0, in the present directory. */
static void write_counting(const char *file, const char *name, int n_dim, const int64_t *dim)
{
    GError *error = NULL;
    struct tensor t;
    struct shape shape = shape_make(n_dim, dim);
    ck_ok(tensor_alloc(&t, NUMBER_int32, &shape, &error), error);
    for (int64_t i = 0; i < shape_count(&shape); i++)
        ((int32_t *)t.data)[i] = (int32_t)i;
    const struct tensor *const tensors = &t;
    ck_ok(npy_write_npz(file, &name, &tensors, 1, &error), error);
    tensor_clear(&t);
}

START_TEST(test_loaded_values_are_kept_by_the_seeding)
{
    GError *error = NULL;
    struct graph *g = small_graph(1, 3);
    struct values *v = values_new(g);
    write_counting("test_values.npz", "fc.weight", 2, (int64_t[]){5, 3});
    ck_ok(values_load(v, VALUE_PARAM, "test_values.npz", &error), error);
    ck_ok(values_seed(v, 1, &error), error);
    const struct tensor *t = find(v, "fc.weight");
    ck_assert_int_eq(t->type, NUMBER_fp32);
    for (int i = 0; i < 15; i++)
        ck_assert_float_eq(((const float *)t->data)[i], (float)i);
    ck_assert_ptr_nonnull(find(v, "fc.bias")->data);
    g_unlink("test_values.npz");
    values_free(v);
    graph_free(g);
}
END_TEST

START_TEST(test_values_that_do_not_fit_are_refused)
{
    GError *error = NULL;
    const char *file = "test_values_bad.npz";
    struct graph *g = small_graph(1, 3);
    struct values *v = values_new(g);
    write_counting(file, "fc.weight", 2, (int64_t[]){3, 5});
    ck_error(values_load(v, VALUE_PARAM, file, &error), error, ERROR_INPUT,
             "test_values_bad.npz: 'fc.weight' is 3x5, the network needs 5x3");
    ck_error(values_load(v, VALUE_INPUT, file, &error), error, ERROR_INPUT,
             "'fc.weight' is no input of network 'small'");
    write_counting(file, "fc.wieght", 2, (int64_t[]){5, 3});
    ck_error(values_load(v, VALUE_PARAM, file, &error), error, ERROR_INPUT,
             "did you mean 'fc.weight'?");
    g_unlink(file);
    ck_error(values_load(v, VALUE_PARAM, file, &error), error, ERROR_INPUT, file);
    values_free(v);
    graph_free(g);
}
END_TEST

START_TEST(test_states_are_loaded_with_parameters_and_else_begin_at_first)
{
    GError *error = NULL;
    const char *in[] = {"data", "memory"};
    const struct shape row = {2, {1, 3}};
    struct graph *g = graph_new("stateful", NULL, 1);
    ck_ok(graph_add_input_shape(g, "data", &row, &error) == 0 &&
              graph_add_state(g, "memory", NUMBER_fp32, &row, true, NULL, &error) &&
              graph_add_variable(g, "bias", &row, 0, &error) &&
              graph_add_node(g, "sum", op_find("add"), NULL, in, 2, NULL, &error) &&
              graph_set_next(g, "memory", "sum", NULL, &error) &&
              graph_set_next(g, "bias", "bias", NULL, &error) && graph_finish(g, NULL, 0, &error),
          error);
    struct values *v = seeded(g, 1);
    ck_assert_mem_eq(find(v, "memory")->data, ((float[]){0, 0, 0}), 12);
    for (int i = 0; i < 3; i++) /* a bias of no layer: inputs are one */
        ck_assert_float_le(fabsf(((const float *)find(v, "bias")->data)[i]), 1);
    write_counting("test_states.npz", "memory", 2, (int64_t[]){1, 3});
    ck_ok(values_load(v, VALUE_PARAM, "test_states.npz", &error), error);
    ck_assert_mem_eq(find(v, "memory")->data, ((float[]){0, 1, 2}), 12);
    ck_error(values_load(v, VALUE_INPUT, "test_states.npz", &error), error, ERROR_INPUT,
             "'memory' is no input of network 'stateful'");
    ck_error(values_set(v, "sum", NULL, &error), error, ERROR_INPUT,
             "network 'stateful' has no input, parameter or state 'sum'");
    g_unlink("test_states.npz");
    values_free(v);
    graph_free(g);
}
END_TEST

/* Version 1 of the format: a header of 118 bytes behind the length, padded with spaces. */
START_TEST(test_single_tensor_needs_no_name)
{
    GError *error = NULL;
    const char *file = "test_values_image.npy";
    GString *npy = g_string_new_len("\x93NUMPY\x01\x00\x76\x00", 10);
    g_string_append(npy, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }");
    while (npy->len < 127)
        g_string_append_c(npy, ' ');
    g_string_append_c(npy, '\n');
    const float x[] = {1.5F, -2.0F};
    g_string_append_len(npy, (const char *)x, sizeof(x));
    ck_ok(g_file_set_contents(file, npy->str, (gssize)npy->len, &error), error);
    g_string_free(npy, TRUE);
    struct graph *g = small_graph(1, 2);
    struct values *v = values_new(g);
    ck_ok(values_load(v, VALUE_INPUT, file, &error), error);
    ck_assert_mem_eq(find(v, "data")->data, x, sizeof(x));
    g_unlink(file);
    values_free(v);
    graph_free(g);
}
END_TEST

TEST_MAIN("values", test_larger_batch_begins_with_the_same_values,
          test_weights_have_the_variance_of_he, test_loaded_values_are_kept_by_the_seeding,
          test_values_that_do_not_fit_are_refused,
          test_states_are_loaded_with_parameters_and_else_begin_at_first,
          test_single_tensor_needs_no_name)
