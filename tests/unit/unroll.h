/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a graph with state as one graph without: each step's nodes once more. A state is before
 * the first step an input, and then what the step before made of it; parameters are shared. What an
 * executor does step by step is held against it. */
#pragma once

#include "workloads/executor.h"

/* The name of a value in step `step`: "2.sum". The caller frees it. */
static inline char *unroll_name(const struct graph *g, int value, int step)
{
    const struct value *v = &g->values[value];
    while (v->next >= 0 && step > 0) {
        v = &g->values[v->next];
        step--;
    }
    return v->kind == VALUE_PARAM && v->next < 0 ? g_strdup(v->name)
                                                 : g_strdup_printf("%d.%s", step, v->name);
}

static inline bool unroll_add_node(struct graph *to, const struct graph *g, const struct node *n,
                                   int step, GError **error)
{
    g_autofree char *name = g_strdup_printf("%d.%s", step, n->name);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < n->n_in; i++)
        g_ptr_array_add(names, n->in[i] < 0 ? g_strdup("") : unroll_name(g, n->in[i], step));
    for (int i = 0; i < n->n_out; i++)
        g_ptr_array_add(names, n->out[i] < 0 ? g_strdup("") : unroll_name(g, n->out[i], step));
    const char *const *all = (const char *const *)names->pdata;
    return graph_add_node_outputs(to, name, n->op, n->attr, all, n->n_in, all + n->n_in, n->n_out,
                                  NULL, error);
}

static inline bool unroll_add_given(struct graph *to, const struct graph *g, int n_step,
                                    GError **error)
{
    bool ok = true;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = &g->values[i];
        const int n = v->kind == VALUE_INPUT ? n_step : v->next >= 0 ? 1 : 0;
        for (int step = 0; ok && step < n; step++) {
            g_autofree char *name = g_strdup_printf("%d.%s", step, v->name);
            ok = graph_add_input_typed(to, name, v->type, &v->shape, v->below, error) >= 0;
        }
        if (v->kind == VALUE_PARAM && n == 0)
            ok =
                ok && (v->data ? graph_add_constant(to, v->name, v->type, &v->shape, v->data, error)
                               : graph_add_variable(to, v->name, &v->shape, 1, error));
    }
    return ok;
}

/* Its outputs are all values of all nodes; NULL on error. */
static inline struct graph *unroll(const struct graph *g, int n_step, GError **error)
{
    struct graph *to = graph_new("unrolled", NULL, g->batch);
    g_autoptr(GPtrArray) outputs = g_ptr_array_new_with_free_func(g_free);
    bool ok = unroll_add_given(to, g, n_step, error);
    for (int step = 0; step < n_step; step++) {
        for (int i = 0; ok && i < g->n_node; i++)
            ok = unroll_add_node(to, g, &g->nodes[i], step, error);
        for (int i = 0; i < g->n_value; i++)
            if (g->values[i].kind == VALUE_NODE)
                g_ptr_array_add(outputs, unroll_name(g, i, step));
    }
    if (ok && graph_finish(to, (const char *const *)outputs->pdata, (int)outputs->len, error))
        return to;
    graph_free(to);
    return NULL;
}

/* Values of the unrolled graph: `given` has parameters and states before the first step, inputs[i]
 * the inputs of step i. */
static inline struct values *unroll_values(const struct graph *to, const struct values *given,
                                           struct values *const *inputs, int n_step, GError **error)
{
    const struct graph *g = given->graph;
    struct values *v = values_new(to);
    bool ok = true;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *value = &g->values[i];
        const bool is_input = value->kind == VALUE_INPUT;
        for (int step = 0; ok && value->kind != VALUE_NODE && step < (is_input ? n_step : 1);
             step++) {
            g_autofree char *name =
                is_input ? g_strdup_printf("%d.%s", step, value->name) : unroll_name(g, i, 0);
            const struct tensor *t = is_input ? &inputs[step]->at[i] : &given->at[i];
            ok = value->data || !graph_find_value(to, name) || values_set(v, name, t->data, error);
        }
    }
    if (ok)
        return v;
    values_free(v);
    return NULL;
}
