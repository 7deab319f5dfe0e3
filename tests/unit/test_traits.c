/* SPDX-License-Identifier: Apache-2.0 */
/* What operators say of themselves, against their own inference and computation. */
#include "tests/unit/test.h"
#include "workloads/graph.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"

/* A node with attributes (NULL: as they are by default); NULL ends its inputs. */
static void add(struct graph *g, const char *name, const char *op, const void *attr,
                const char *const *inputs)
{
    GError *error = NULL;
    int n = 0;
    while (inputs[n])
        n++;
    ck_ok(graph_add_node(g, name, op_find(op), attr, inputs, n, NULL, &error), error);
}

#define ADD(g, name, op, attr, ...) add(g, name, op, attr, (const char *const[]){__VA_ARGS__, NULL})

static struct graph *graph_of(void)
{
    GError *error = NULL;
    struct graph *g = graph_new("test", NULL, 2);
    const int64_t image[] = {4, 8, 9}, row[] = {5, 6};
    ck_ok(graph_add_input(g, "image", 3, image, &error) >= 0, error);
    ck_ok(graph_add_input(g, "rows", 2, row, &error) >= 0, error);
    return g;
}

static const struct node *node_of(const struct graph *g, const char *value)
{
    return &g->nodes[graph_find_value(g, value)->node];
}

START_TEST(test_products_have_as_many_terms_as_multiplications)
{
    GError *error = NULL;
    struct graph *g = graph_of();
    const struct conv2d_attr conv = {
        .channels = 6, .kernel = {1, {3}}, .stride = {1, {2}}, .groups = 2, .bias = true};
    const struct transpose_attr turned = {{3, {0, 2, 1}}};
    const struct fc_attr all = {.features = 7, .bias = false, .axis = 1};
    const struct fc_attr last = {.features = 3, .bias = true, .axis = -1};
    ADD(g, "conv", "conv2d", &conv, "image");
    ADD(g, "all", "fc", &all, "rows");
    ADD(g, "last", "fc", &last, "rows");
    ADD(g, "stack", "batched_product", NULL, "last", "last_turned");
    ADD(g, "last_turned", "transpose", &turned, "last");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        const struct traits_product *p = &n->traits->product;
        if (n->traits->kind != TRAITS_PRODUCT)
            continue;
        ck_assert_uint_eq((uint64_t)(p->m * p->n * p->k * p->groups), n->macs);
        ck_assert_int_eq(p->bias >= 0, n->n_in > 2);
        ck_assert_int_eq(p->has_weights, g->values[n->in[p->stationary]].kind == VALUE_PARAM);
    }
    ck_assert(traits_convolves(node_of(g, "conv")->traits));
    ck_assert_int_eq(node_of(g, "conv")->traits->window.stride[1], 2);
    ck_assert_int_eq(node_of(g, "all")->traits->product.axis, 1);
    ck_assert_int_eq(node_of(g, "last")->traits->product.axis, 2);
    ck_assert_int_eq(node_of(g, "stack")->traits->product.groups, 2);
    ck_assert(!traits_has_weights(node_of(g, "stack")->traits));
    graph_free(g);
}
END_TEST

/* What a list of functions may name is computed by lanes, moved, or looked up; and all that lanes
 * compute, but for what every such unit has, may be named. */
START_TEST(test_functions_are_what_lanes_compute_move_or_look_up)
{
    ck_assert_str_eq(op_function_names[0], "all");
    for (const struct op *const *o = op_table; *o; o++) {
        bool is_listed = false;
        for (int i = 1; op_function_names[i]; i++)
            is_listed |= !strcmp(op_function_names[i], (*o)->name);
        const enum traits_kind kind = (*o)->kind;
        const bool is_function =
            kind == TRAITS_ELEMENT || kind == TRAITS_ROW || kind == TRAITS_IMAGE;
        const bool is_everywhere = *o == &op_relu || *o == &op_add;
        const bool is_moved = kind == TRAITS_MOVE || kind == TRAITS_LOOKUP || kind == TRAITS_JOIN;
        const bool expected = is_moved || (is_function && (*o)->reads > 0 && !is_everywhere);
        ck_assert_msg(is_listed == expected, "operator '%s'", (*o)->name);
    }
}
END_TEST

/* A kind is told with the numbers that depend on a node's attributes. */
START_TEST(test_attributes_decide_what_a_node_is)
{
    GError *error = NULL;
    struct graph *g = graph_of();
    const struct concat_attr channels = {1}, across = {2};
    const struct clip_attr clip = {0, 6};
    ADD(g, "channels", "concat", &channels, "image", "image");
    ADD(g, "across", "concat", &across, "image", "image");
    ADD(g, "cut", "clip", &clip, "image");
    ADD(g, "relu", "relu", NULL, "image");
    ADD(g, "flat", "flatten", NULL, "image");
    ADD(g, "turned", "transpose", NULL, "rows");
    ck_ok(graph_finish(g, NULL, 0, &error), error);
    ck_assert_int_eq(node_of(g, "channels")->traits->kind, TRAITS_JOIN);
    ck_assert_int_eq(node_of(g, "across")->traits->kind, TRAITS_MOVE);
    ck_assert_int_eq(node_of(g, "flat")->traits->kind, TRAITS_VIEW);
    const struct traits *cut = node_of(g, "cut")->traits;
    ck_assert(cut->element.clamps && cut->element.lo == 0 && cut->element.hi == 6);
    ck_assert(!traits_rectifies(cut));
    ck_assert(traits_rectifies(node_of(g, "relu")->traits));
    const struct traits_move *turned = &node_of(g, "turned")->traits->move;
    ck_assert(turned->transposes && turned->perm[0] == 2 && turned->perm[2] == 0);
    graph_free(g);
}
END_TEST

TEST_MAIN("traits", test_products_have_as_many_terms_as_multiplications,
          test_functions_are_what_lanes_compute_move_or_look_up,
          test_attributes_decide_what_a_node_is)
