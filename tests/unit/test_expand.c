/* SPDX-License-Identifier: Apache-2.0 */
/* Operators written out against themselves, on the reference. */
#include <math.h>

#include "mapper/graph/expand.h"
#include "tests/unit/test.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"
#include "workloads/ref/ref.h"

/* Sums of some tens of products of numbers near 1, then functions that make nothing larger: a few
 * roundings of fp32 and their propagation over the steps. */
static const double TOLERANCE = 2e-5;

static struct values *evaluate(const struct graph *g, struct values *feeds)
{
    g_autoptr(GError) error = NULL;
    struct values *out = values_new(g);
    const bool ok = ref_run(g, 1, feeds, out, NULL, NULL, NULL, &error);
    ck_assert_msg(ok, "%s", error ? error->message : "");
    return out;
}

static void assert_same(const struct graph *g, const char *what)
{
    g_autoptr(GError) error = NULL;
    struct values *feeds = values_new(g);
    ck_assert(values_seed(feeds, 3, &error));
    struct values *want = evaluate(g, feeds);
    struct expansion *e = expand_new(g, NULL, &error);
    ck_assert_msg(e != NULL, "%s: %s", what, error ? error->message : "not written out");
    const struct graph *own = expand_graph(e);
    struct values *own_feeds = values_new(own);
    ck_assert(expand_values(e, feeds, own_feeds, &error));
    struct values *got = evaluate(own, own_feeds);
    ck_assert_int_eq(own->n_output, g->n_output);
    for (int i = 0; i < g->n_output; i++) {
        const struct tensor *a = &want->at[g->outputs[i]], *b = &got->at[own->outputs[i]];
        ck_assert(shape_equal(&a->shape, &b->shape));
        for (int64_t k = 0; k < shape_count(&a->shape); k++) {
            const double x = ((const float *)a->data)[k], y = ((const float *)b->data)[k];
            ck_assert_msg(fabs(x - y) <= TOLERANCE, "%s: output %d, element %d: %g, %g expected",
                          what, i, (int)k, y, x);
        }
    }
    for (int i = 0; i < own->n_node; i++)
        ck_assert_str_ne(own->nodes[i].op->name, g->nodes[0].op->name);
    values_free(got);
    values_free(own_feeds);
    values_free(want);
    values_free(feeds);
    expand_free(e);
}

struct layer {
    const struct op *op;
    struct recurrent_attr attr;
    int64_t steps, batch, depth;
    bool states;
};

static struct graph *graph_of(const struct layer *l)
{
    g_autoptr(GError) error = NULL;
    struct graph *g = graph_new("one", NULL, l->batch);
    const bool first = l->attr.layout == 1;
    const int64_t d = l->attr.direction == DIRECTION_BIDIRECTIONAL ? 2 : 1, h = l->attr.hidden;
    const struct shape x = first ? (struct shape){3, {l->batch, l->steps, l->depth}}
                                 : (struct shape){3, {l->steps, l->batch, l->depth}};
    const struct shape s =
        first ? (struct shape){3, {l->batch, d, h}} : (struct shape){3, {d, l->batch, h}};
    const bool is_lstm = l->op == &op_lstm;
    ck_assert_int_ge(graph_add_input_typed(g, "x", NUMBER_fp32, &x, 0, &error), 0);
    if (l->states) {
        ck_assert_int_ge(graph_add_input_typed(g, "h0", NUMBER_fp32, &s, 0, &error), 0);
        ck_assert_int_ge(graph_add_input_typed(g, "c0", NUMBER_fp32, &s, 0, &error), 0);
    }
    const char *in[] = {"x", "", "h0", "c0"}, *out[] = {"y", "y_h", "y_c"};
    bool ok = graph_add_node_outputs(g, "layer", l->op, &l->attr, in,
                                     !l->states ? 1
                                     : is_lstm  ? 4
                                                : 3,
                                     out, is_lstm ? 3 : 2, "test", &error);
    ok = ok && graph_finish(g, out, is_lstm ? 3 : 2, &error);
    ck_assert_msg(ok, "%s", error ? error->message : "");
    return g;
}

static struct layer random_layer(GRand *r)
{
    const struct op *const ops[] = {&op_rnn, &op_gru, &op_lstm};
    struct layer l = {.op = ops[g_rand_int_range(r, 0, 3)],
                      .steps = g_rand_int_range(r, 1, 7),
                      .batch = g_rand_int_range(r, 1, 5),
                      .depth = g_rand_int_range(r, 1, 20),
                      .states = g_rand_boolean(r)};
    l.attr = (struct recurrent_attr){.hidden = g_rand_int_range(r, 1, 20),
                                     .direction = g_rand_int_range(r, 0, 3),
                                     .clip = g_rand_int_range(r, 0, 4) ? 0 : 0.3,
                                     .bias = g_rand_int_range(r, 0, 4) > 0,
                                     .layout = g_rand_int_range(r, 0, 2)};
    l.attr.linear_before_reset = l.op == &op_gru && (l.states || !l.attr.bias) && g_rand_boolean(r);
    return l;
}

START_TEST(test_recurrent_layers_by_steps_are_the_layers)
{
    GRand *r = g_rand_new_with_seed(11);
    for (int i = 0; i < 300; i++) {
        const struct layer l = random_layer(r);
        g_autofree char *what = g_strdup_printf(
            "%d: %s direction %d layout %d steps %d batch %d hidden %d states %d clip %g", i,
            l.op->name, l.attr.direction, (int)l.attr.layout, (int)l.steps, (int)l.batch,
            (int)l.attr.hidden, l.states, l.attr.clip);
        struct graph *g = graph_of(&l);
        assert_same(g, what);
        graph_free(g);
    }
    g_rand_free(r);
}
END_TEST

START_TEST(test_more_steps_than_a_layer_reads_are_joined_by_groups)
{
    struct layer l = {&op_lstm, {.hidden = 3, .bias = true}, 70, 2, 4, false};
    for (l.attr.layout = 0; l.attr.layout < 2; l.attr.layout++) {
        struct graph *g = graph_of(&l);
        assert_same(g, "70 steps");
        graph_free(g);
    }
}
END_TEST

static void add(struct graph *g, const char *name, const struct shape *s)
{
    g_autoptr(GError) error = NULL;
    ck_ok(graph_add_input_typed(g, name, NUMBER_fp32, s, 0, &error) >= 0, error);
}

static void add_mask(struct graph *g, GRand *r, int64_t n_query, int64_t n_key)
{
    g_autoptr(GError) error = NULL;
    float *mask = g_new(float, n_query *n_key);
    for (int64_t i = 0; i < n_query * n_key; i++)
        mask[i] = (float)g_rand_double_range(r, -2, 2);
    g_autoptr(GBytes) data = g_bytes_new_take(mask, (gsize)(n_query * n_key) * sizeof(float));
    ck_ok(graph_add_constant(g, "mask", NUMBER_fp32, &(struct shape){2, {n_query, n_key}}, data,
                             &error),
          error);
}

START_TEST(test_attention_by_parts_is_attention)
{
    GRand *r = g_rand_new_with_seed(5);
    for (int i = 0; i < 200; i++) {
        g_autoptr(GError) error = NULL;
        const int64_t batch = g_rand_int_range(r, 1, 4), n_query = g_rand_int_range(r, 1, 8);
        const int64_t n_key = g_rand_int_range(r, 1, 8), heads = g_rand_int_range(r, 1, 5);
        const int64_t depth = heads * g_rand_int_range(r, 1, 6);
        const int64_t width = heads * g_rand_int_range(r, 1, 6);
        const struct attention_attr a = {
            .heads = heads, .scale = g_rand_boolean(r) ? 0 : 0.7, .causal = g_rand_boolean(r)};
        const char *in[] = {"q", "k", "v", "mask"}, *out = "y";
        struct graph *g = graph_new("one", NULL, batch);
        const bool masked = g_rand_boolean(r);
        add(g, "q", &(struct shape){3, {batch, n_query, depth}});
        add(g, "k", &(struct shape){3, {batch, n_key, depth}});
        add(g, "v", &(struct shape){3, {batch, n_key, width}});
        if (masked)
            add_mask(g, r, n_query, n_key);
        ck_ok(graph_add_node(g, "y", &op_attention, &a, in, masked ? 4 : 3, "test", &error) &&
                  graph_finish(g, &out, 1, &error),
              error);
        assert_same(g, "attention");
        graph_free(g);
    }
    g_rand_free(r);
}
END_TEST

START_TEST(test_parts_of_a_split_are_slices)
{
    g_autoptr(GError) error = NULL;
    const struct split_attr a = {.axis = -1, .split = {3, {2, 4, 1}}};
    const char *in = "x", *made[] = {"a", "", "c"}, *out[] = {"c", "a"};
    struct graph *g = graph_new("one", NULL, 3);
    add(g, "x", &(struct shape){3, {3, 5, 7}});
    ck_ok(graph_add_node_outputs(g, "split", &op_split, &a, &in, 1, made, 3, "test", &error) &&
              graph_finish(g, out, 2, &error),
          error);
    assert_same(g, "split");
    graph_free(g);
}
END_TEST

static struct graph *product_of(int n_dim, const int64_t *lead, bool same_lead)
{
    g_autoptr(GError) error = NULL;
    const char *in[] = {"x", "y"}, *out = "z";
    struct shape x = {.n_dim = n_dim}, y = {.n_dim = n_dim};
    for (int i = 0; i < n_dim - 2; i++) {
        x.dim[i] = lead[i];
        y.dim[i] = same_lead ? lead[i] : 1;
    }
    x.dim[n_dim - 2] = 5;
    x.dim[n_dim - 1] = y.dim[n_dim - 2] = 7;
    y.dim[n_dim - 1] = 6;
    struct graph *g = graph_new("one", NULL, lead[0]);
    add(g, "x", &x);
    add(g, "y", &y);
    ck_ok(graph_add_node(g, "z", &op_matmul, NULL, in, 2, "test", &error) &&
              graph_finish(g, &out, 1, &error),
          error);
    return g;
}

START_TEST(test_products_of_stacks_are_pairs_of_matrices)
{
    const int ranks[] = {2, 3, 5};
    for (size_t i = 0; i < G_N_ELEMENTS(ranks); i++) {
        struct graph *g = product_of(ranks[i], (int64_t[]){2, 3, 2}, true);
        assert_same(g, "matmul");
        graph_free(g);
    }
}
END_TEST

START_TEST(test_products_that_are_broadcast_or_of_images_stay)
{
    g_autoptr(GError) error = NULL;
    struct graph *broadcast = product_of(3, (int64_t[]){2}, false);
    struct graph *images = product_of(4, (int64_t[]){2, 3}, true);
    ck_assert_ptr_null(expand_new(broadcast, NULL, &error));
    ck_assert_ptr_null(expand_new(images, NULL, &error));
    ck_assert_ptr_null(error);
    graph_free(broadcast);
    graph_free(images);
}
END_TEST

START_TEST(test_what_cannot_be_written_out_stays)
{
    struct layer layers[] = {
        {&op_lstm, {.hidden = 3, .bias = true, .peephole = true}, 2, 2, 4, false},
        {&op_lstm, {.hidden = 3, .bias = true, .input_forget = true}, 2, 2, 4, false},
        {&op_gru, {.hidden = 3, .bias = true, .linear_before_reset = true}, 2, 2, 4, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(layers); i++) {
        g_autoptr(GError) error = NULL;
        struct graph *g = graph_of(&layers[i]);
        ck_assert_ptr_null(expand_new(g, NULL, &error));
        ck_assert_ptr_null(error);
        graph_free(g);
    }
}
END_TEST

/* An lstm over a sequence that begins where the sequence before it ended. */
static struct graph *chained(bool is_trained)
{
    g_autoptr(GError) error = NULL;
    const struct shape x = {3, {2, 1, 4}}, s = {3, {1, 1, 3}}, w = {3, {1, 12, 4}};
    const struct recurrent_attr a = {.hidden = 3, .bias = true};
    const char *in[] = {"x", "", "h"}, *made[] = {"y", "y_h"}, *weight = "layer.weight";
    struct graph *g = graph_new("chained", NULL, 1);
    add(g, "x", &x);
    ck_ok(graph_add_state(g, "h", NUMBER_fp32, &s, false, NULL, &error) &&
              graph_add_node_outputs(g, "layer", &op_lstm, &a, in, 3, made, 2, "test", &error) &&
              graph_add_node(g, "update", &op_neg, NULL, &weight, 1, "test", &error) &&
              graph_set_next(g, "h", "y_h", NULL, &error) &&
              (!is_trained || graph_set_next(g, weight, "update", NULL, &error)) &&
              graph_finish(g, made, 1, &error),
          error);
    ck_assert(shape_equal(&graph_find_value(g, weight)->shape, &w));
    return g;
}

START_TEST(test_states_stay_and_weights_that_are_states_are_not_cut)
{
    g_autoptr(GError) error = NULL;
    struct graph *g = chained(false), *trained = chained(true);
    struct expansion *e = expand_new(g, NULL, &error);
    ck_ok(e != NULL, error);
    const struct graph *own = expand_graph(e);
    ck_assert_int_eq(own->n_state, 1);
    ck_assert_str_eq(own->values[own->states[0]].name, "h");
    ck_assert_str_eq(own->values[own->values[own->states[0]].next].name, "y_h");
    ck_assert_ptr_null(expand_new(trained, NULL, &error));
    ck_assert_ptr_null(error);
    expand_free(e);
    graph_free(trained);
    graph_free(g);
}
END_TEST

TEST_MAIN("expand", test_recurrent_layers_by_steps_are_the_layers,
          test_more_steps_than_a_layer_reads_are_joined_by_groups,
          test_attention_by_parts_is_attention, test_parts_of_a_split_are_slices,
          test_products_of_stacks_are_pairs_of_matrices,
          test_products_that_are_broadcast_or_of_images_stay, test_what_cannot_be_written_out_stays,
          test_states_stay_and_weights_that_are_states_are_not_cut)
