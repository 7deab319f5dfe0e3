/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <math.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/net.h"
#include "workloads/ops/ops.h"
#include "workloads/ref/lifetimes.h"
#include "workloads/ref/ref.h"

#define NETS SOURCE_DIR "/workloads/nets"

static void node(struct graph *g, const char *name, const struct op *op, const void *attr,
                 const char *a, const char *b)
{
    GError *error = NULL;
    const char *inputs[] = {a, b};
    ck_ok(graph_add_node(g, name, op, attr, inputs, b ? 2 : 1, NULL, &error), error);
}

static int at(const struct graph *g, const char *name)
{
    const struct value *v = graph_find_value(g, name);
    ck_assert_msg(v != NULL, "no value '%s'", name);
    return v->index;
}

static float *data(const struct values *v, const char *name)
{
    return v->at[at(v->graph, name)].data;
}

/* x -> pool -> relu -> sum -> drop -> flat, sum = relu + pool: pool has two readers. */
static struct graph *branching(int64_t batch)
{
    GError *error = NULL;
    struct graph *g = graph_new("branching", NULL, batch);
    ck_assert_int_ge(graph_add_input(g, "x", 3, (int64_t[]){1, 2, 2}, &error), 0);
    const struct pool_attr pool = {.kernel = {1, {1}}};
    const struct dropout_attr drop = {.rate = 0.5};
    node(g, "pool", &op_maxpool, &pool, "x", NULL);
    node(g, "relu", &op_relu, NULL, "pool", NULL);
    node(g, "sum", &op_add, NULL, "relu", "pool");
    node(g, "drop", &op_dropout, &drop, "sum", NULL);
    node(g, "flat", &op_flatten, NULL, "drop", NULL);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    return g;
}

static void feed(struct values *v, const char *name, const float *x)
{
    GError *error = NULL;
    int i = at(v->graph, name);
    ck_ok(tensor_alloc(&v->at[i], NUMBER_fp32, &v->graph->values[i].shape, &error), error);
    memcpy(v->at[i].data, x, tensor_bytes(&v->at[i]));
}

static bool run(const struct graph *g, const struct values *feeds, struct values *fetches,
                const bool *want, executor_visit_fn visit, void *user, GError **error)
{
    return ref_run(g, 2, feeds, fetches, want, visit, user, error);
}

static const float minus_to_plus[] = {-2, -1, 1, 2};

START_TEST(test_outputs_are_fetched)
{
    GError *error = NULL;
    struct graph *g = branching(1);
    struct values *feeds = values_new(g), *fetches = values_new(g);
    feed(feeds, "x", minus_to_plus);
    ck_ok(run(g, feeds, fetches, NULL, NULL, NULL, &error), error);
    ck_assert_mem_eq(data(fetches, "flat"), ((float[]){-2, -1, 2, 4}), 16);
    ck_assert_int_eq(fetches->at[at(g, "flat")].shape.n_dim, 2);
    ck_assert_ptr_null(data(fetches, "sum"));
    values_free(fetches);
    values_free(feeds);
    graph_free(g);
}
END_TEST

START_TEST(test_every_value_can_be_fetched)
{
    GError *error = NULL;
    struct graph *g = branching(1);
    struct values *feeds = values_new(g), *fetches = values_new(g);
    feed(feeds, "x", minus_to_plus);
    bool *want = g_new(bool, g->n_value);
    memset(want, true, (size_t)g->n_value * sizeof(bool));
    for (int again = 0; again < 2; again++)
        ck_ok(run(g, feeds, fetches, want, NULL, NULL, &error), error);
    ck_assert_mem_eq(data(fetches, "x"), minus_to_plus, 16);
    ck_assert_mem_eq(data(fetches, "pool"), minus_to_plus, 16);
    ck_assert_mem_eq(data(fetches, "relu"), ((float[]){0, 0, 1, 2}), 16);
    ck_assert_mem_eq(data(fetches, "sum"), ((float[]){-2, -1, 2, 4}), 16);
    for (int i = 0; i < g->n_value; i++)
        for (int k = 0; k < i; k++)
            ck_assert_ptr_ne(fetches->at[i].data, fetches->at[k].data);
    g_free(want);
    values_free(fetches);
    values_free(feeds);
    graph_free(g);
}
END_TEST

struct visits {
    GString *names;
    const void *data[8];
    float first[8];
    int n, stop_at;
};

static bool note_visit(const struct graph *g, int value, const struct tensor *t, void *user,
                       GError **error)
{
    struct visits *v = user;
    g_string_append_printf(v->names, "%s ", g->values[value].name);
    ck_assert(shape_equal(&t->shape, &g->values[value].shape));
    v->data[v->n] = t->data;
    v->first[v->n++] = *(const float *)t->data;
    return v->n != v->stop_at || error_set(error, ERROR_CHECK, "stopped");
}

START_TEST(test_visits_come_in_order_with_values)
{
    GError *error = NULL;
    struct graph *g = branching(1);
    struct values *feeds = values_new(g);
    feed(feeds, "x", minus_to_plus);
    struct visits v = {.names = g_string_new(NULL)};
    ck_ok(run(g, feeds, NULL, NULL, note_visit, &v, &error), error);
    ck_assert_str_eq(v.names->str, "pool relu sum drop flat ");
    ck_assert_float_eq(v.first[0], -2);
    ck_assert_float_eq(v.first[1], 0);
    ck_assert_ptr_ne(v.data[1], v.data[0]); /* pool is still to be read */
    ck_assert_ptr_eq(v.data[2], v.data[1]); /* the sum takes relu's place */
    ck_assert_ptr_eq(v.data[3], v.data[2]);
    ck_assert_ptr_eq(v.data[4], v.data[2]);

    v.n = 0;
    v.stop_at = 3;
    ck_error(run(g, feeds, NULL, NULL, note_visit, &v, &error), error, ERROR_CHECK, "stopped");
    ck_assert_int_eq(v.n, 3);
    g_string_free(v.names, TRUE);
    values_free(feeds);
    graph_free(g);
}
END_TEST

START_TEST(test_missing_or_misshapen_feed_is_named)
{
    GError *error = NULL;
    struct graph *g = branching(1);
    struct values *feeds = values_new(g);
    ck_error(run(g, feeds, NULL, NULL, NULL, NULL, &error), error, ERROR_INPUT,
             "input 'x' has no value");
    const struct shape wrong = {2, {1, 4}};
    ck_ok(tensor_alloc(&feeds->at[at(g, "x")], NUMBER_int8, &wrong, &error), error);
    ck_error(run(g, feeds, NULL, NULL, NULL, NULL, &error), error, ERROR_INPUT,
             "input 'x' is int8 of shape 1x4, not fp32 of shape 1x1x2x2");
    values_free(feeds);
    graph_free(g);
}
END_TEST

/* An input that passes through dropout and relu is the caller's and stays as it is. */
START_TEST(test_feeds_are_not_overwritten)
{
    GError *error = NULL;
    struct graph *g = graph_new("feeds", NULL, 1);
    ck_assert_int_ge(graph_add_input(g, "x", 1, (int64_t[]){4}, &error), 0);
    const struct dropout_attr drop = {.rate = 0.5};
    node(g, "drop", &op_dropout, &drop, "x", NULL);
    node(g, "relu", &op_relu, NULL, "drop", NULL);
    node(g, "tail", &op_dropout, &drop, "x", NULL);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    struct values *feeds = values_new(g), *fetches = values_new(g);
    feed(feeds, "x", minus_to_plus);
    ck_ok(run(g, feeds, fetches, NULL, NULL, NULL, &error), error);
    ck_assert_mem_eq(data(feeds, "x"), minus_to_plus, 16);
    ck_assert_mem_eq(data(fetches, "relu"), ((float[]){0, 0, 1, 2}), 16);
    ck_assert_mem_eq(data(fetches, "tail"), minus_to_plus, 16);
    values_free(fetches);
    values_free(feeds);
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

/* A chain that never computes in place holds two values at a time, however long it is. */
START_TEST(test_a_value_dies_after_its_last_reader)
{
    enum { N_NODE = 20, SIDE = 512 };
    const size_t value_bytes = (size_t)SIDE * SIDE * sizeof(float);
    GError *error = NULL;
    struct graph *g = graph_new("chain", NULL, 1);
    ck_assert_int_ge(graph_add_input(g, "n0", 3, (int64_t[]){1, SIDE, SIDE}, &error), 0);
    const struct lrn_attr lrn = {.size = 1, .alpha = 1, .beta = 0.75, .k = 1};
    for (int i = 0; i < N_NODE; i++) {
        char *from = g_strdup_printf("n%d", i), *to = g_strdup_printf("n%d", i + 1);
        node(g, to, &op_lrn, &lrn, from, NULL);
        g_free(from);
        g_free(to);
    }
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    struct values *feeds = values_new(g);
    ck_ok(values_seed(feeds, 1, &error), error);
    size_t before = heap_bytes(), peak = 0;
    ck_ok(run(g, feeds, NULL, NULL, note_heap, &peak, &error), error);
    ck_assert_uint_le(peak - MIN(before, peak), 3 * value_bytes);
    values_free(feeds);
    graph_free(g);
}
END_TEST

START_TEST(test_bits_do_not_depend_on_threads)
{
    GError *error = NULL;
    struct graph *g = graph_new("small", NULL, 3);
    ck_assert_int_ge(graph_add_input(g, "x", 3, (int64_t[]){3, 40, 40}, &error), 0);
    const struct conv2d_attr conv = {
        .channels = 32, .kernel = {1, {3}}, .pad = {1, {1}}, .groups = 1, .bias = true};
    const struct pool_attr pool = {.kernel = {1, {2}}};
    const struct fc_attr fc = {.features = 700, .bias = true};
    node(g, "conv", &op_conv2d, &conv, "x", NULL);
    node(g, "relu", &op_relu, NULL, "conv", NULL);
    node(g, "pool", &op_maxpool, &pool, "relu", NULL);
    node(g, "fc", &op_fc, &fc, "pool", NULL);
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    struct values *feeds = values_new(g), *results[3];
    ck_ok(values_seed(feeds, 7, &error), error);
    for (int i = 0; i < 3; i++) {
        results[i] = values_new(g);
        ck_ok(ref_run(g, 1 + i, feeds, results[i], NULL, NULL, NULL, &error), error);
        const struct tensor *t = &results[i]->at[at(g, "fc")];
        ck_assert_mem_eq(t->data, data(results[0], "fc"), tensor_bytes(t));
    }
    for (int i = 0; i < 3; i++)
        values_free(results[i]);
    values_free(feeds);
    graph_free(g);
}
END_TEST

/* The nodes that make a value and read it last, found anew. */
static void find_span(const struct graph *g, int value, int *first, int *last)
{
    *first = *last = -1;
    for (int i = 0; i < g->n_node; i++) {
        for (int k = 0; k < g->nodes[i].n_out; k++)
            if (g->nodes[i].out[k] == value)
                *first = *last = i;
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == value)
                *last = i;
    }
}

static int64_t bytes_of(const struct value *v)
{
    return shape_count(&v->shape) * (int64_t)number_bytes(v->type);
}

/* Values that are needed at the same time have no byte in common unless they share their owner;
 * the block holds all, and less than all beside each other. */
static void check_places(const char *file)
{
    GError *error = NULL;
    struct graph *g = net_load(file, NULL, &(struct net_options){.batch = 2}, &error);
    ck_ok(g != NULL, error);
    struct arena *arena = arena_new();
    const bool *want = ARENA_ARRAY(arena, bool, (size_t)g->n_value);
    const struct lifetimes l = lifetimes_of(g, want, arena);
    int *first = ARENA_ARRAY(arena, int, (size_t)g->n_value);
    int *last = ARENA_ARRAY(arena, int, (size_t)g->n_value);
    int64_t all_bytes = 0, n_pair = 0;
    for (int i = 0; i < g->n_value; i++) {
        const int owner = l.owner[i];
        find_span(g, i, &first[i], &last[i]);
        if (owner == LIFETIME_FED || l.offset[owner] < 0)
            continue;
        ck_assert_int_ge(l.last[owner], last[i]);
        ck_assert_int_le(bytes_of(&g->values[i]), bytes_of(&g->values[owner]));
        ck_assert_int_le(l.offset[owner] + bytes_of(&g->values[owner]), l.block_bytes);
        all_bytes += i == owner ? bytes_of(&g->values[i]) : 0;
        for (int k = 0; k < i; k++) {
            const int other = l.owner[k];
            if (other == LIFETIME_FED || l.offset[other] < 0 || other == owner ||
                last[k] < first[i] || last[i] < first[k])
                continue;
            n_pair++;
            ck_assert(l.offset[owner] + bytes_of(&g->values[i]) <= l.offset[other] ||
                      l.offset[other] + bytes_of(&g->values[k]) <= l.offset[owner]);
        }
    }
#ifndef __SANITIZE_ADDRESS__ /* there each has memory of its own */
    ck_assert_int_gt(n_pair, 0);
    ck_assert_int_lt(l.block_bytes, all_bytes);
#endif
    arena_free(arena);
    graph_free(g);
}

START_TEST(test_places_of_the_living_are_apart)
{
    check_places(NETS "/googlenet.net");
    check_places(NETS "/densenet121.net");
    check_places(NETS "/bert-base.net");
}
END_TEST

TEST_MAIN("ref", test_outputs_are_fetched, test_every_value_can_be_fetched,
          test_visits_come_in_order_with_values, test_missing_or_misshapen_feed_is_named,
          test_feeds_are_not_overwritten, test_a_value_dies_after_its_last_reader,
          test_places_of_the_living_are_apart, test_bits_do_not_depend_on_threads)
