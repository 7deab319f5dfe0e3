/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs made of graphs: a part of one, or one for another batch. */
#include "sim/base/error.h"
#include "workloads/graph.h"

/* What crosses the edge of the nodes that are kept, by value. */
struct border {
    bool *enters; /* read inside, made outside; no parameter */
    bool *leaves; /* made inside, read outside or an output */
    bool *stays;  /* a state that is read inside, and whose next is not made outside */
};

static bool is_kept(const bool *keep, int node)
{
    return node >= 0 && (!keep || keep[node]);
}

static bool is_made_by(const struct value *v, const bool *keep, bool kept)
{
    return v->kind == VALUE_NODE && is_kept(keep, v->node) == kept;
}

/* A value is read inside; with a state that stays one, so is its next. */
static void enter(struct border *b, const struct graph *g, const bool *keep, int i)
{
    const struct value *v = &g->values[i];
    while (v->next >= 0 && !b->stays[i] && !is_made_by(&g->values[v->next], keep, false)) {
        b->stays[i] = true;
        i = v->next;
        v = &g->values[i];
    }
    b->enters[i] = !b->stays[i] && v->kind != VALUE_PARAM && !is_made_by(v, keep, true);
}

static struct border find_border(const struct graph *g, const bool *keep)
{
    struct border b = {g_new0(bool, g->n_value), g_new0(bool, g->n_value),
                       g_new0(bool, g->n_value)};
    for (int i = 0; i < g->n_node; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            const int v = g->nodes[i].in[k];
            if (v >= 0 && is_kept(keep, i))
                enter(&b, g, keep, v);
            else if (v >= 0 && is_made_by(&g->values[v], keep, true))
                b.leaves[v] = true;
        }
    }
    for (int i = 0; i < g->n_output; i++)
        b.leaves[g->outputs[i]] = !keep || is_kept(keep, g->values[g->outputs[i]].node);
    for (int i = 0; !keep && i < g->n_input; i++)
        b.enters[g->inputs[i]] = true; /* a whole graph keeps inputs that nothing reads */
    for (int i = 0; !keep && i < g->n_state; i++)
        enter(&b, g, keep, g->states[i]); /* and states */
    for (int i = 0; i < g->n_state; i++) {
        const int next = g->values[g->states[i]].next;
        if (!b.stays[g->states[i]] && is_made_by(&g->values[next], keep, true))
            b.leaves[next] = true;
    }
    return b;
}

/* The leading dimension of a shape at another batch. */
static bool rebatch(const struct graph *to, const struct graph *g, const char *kind,
                    const char *name, struct shape *shape, GError **error)
{
    if (to->batch == g->batch)
        return true;
    if (shape->n_dim == 0 || shape->dim[0] % g->batch != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: the batch of %s '%s' is not its leading dimension", g->name, kind,
                         name);
    return !__builtin_mul_overflow(shape->dim[0] / g->batch, to->batch, &shape->dim[0]) ||
           error_set(error, ERROR_INPUT, "%s: batch %" G_GINT64_FORMAT " is too large", g->name,
                     to->batch);
}

bool graph_copy_inputs(struct graph *to, const struct graph *from, const bool *which,
                       GError **error)
{
    for (int i = 0; i < from->n_value; i++) {
        const struct value *v = &from->values[i];
        struct shape shape = v->shape;
        if (which ? !which[i] : v->kind != VALUE_INPUT)
            continue;
        if (!rebatch(to, from, "input", v->name, &shape, error) ||
            graph_add_input_typed(to, v->name, v->type, &shape, v->below, error) < 0)
            return false;
        if (v->known && shape_equal(&shape, &v->shape))
            graph_know_input(to, v->name, v->known);
    }
    return true;
}

bool graph_copy_states(struct graph *to, const struct graph *from, const bool *which,
                       GError **error)
{
    for (int i = 0; i < from->n_state; i++) {
        const struct value *v = &from->values[from->states[i]];
        struct shape shape = v->shape;
        if (v->kind != VALUE_STATE || (which && !which[v->index]))
            continue;
        if ((v->is_batched && !rebatch(to, from, "state", v->name, &shape, error)) ||
            !graph_add_state(to, v->name, v->type, &shape, v->is_batched, v->first, error))
            return false;
    }
    return true;
}

bool graph_copy_nexts(struct graph *to, const struct graph *from, const bool *which, GError **error)
{
    for (int i = 0; i < from->n_state; i++) {
        const struct value *v = &from->values[from->states[i]];
        if ((!which || which[v->index]) &&
            !graph_set_next(to, v->name, from->values[v->next].name, NULL, error))
            return false;
    }
    return true;
}

bool graph_copy_params(struct graph *to, const struct graph *from, const bool *keep, bool is_whole,
                       GError **error)
{
    g_autofree bool *is_read = g_new0(bool, from->n_value);
    for (int i = 0; i < from->n_node; i++) {
        const struct node *n = &from->nodes[i];
        const int n_in = is_kept(keep, i) ? n->n_in : is_whole ? n->n_data : 0;
        for (int k = 0; k < n_in; k++)
            if (n->in[k] >= 0)
                is_read[n->in[k]] = true;
    }
    for (int i = 0; i < from->n_output; i++)
        is_read[from->outputs[i]] |= is_whole;
    for (int i = 0; i < from->n_state; i++)
        is_read[from->states[i]] = is_read[from->values[from->states[i]].next] = true;
    for (int i = 0; i < from->n_value; i++) {
        const struct value *v = &from->values[i];
        if (!is_read[i] || v->kind != VALUE_PARAM || is_kept(keep, v->node))
            continue;
        if (v->data ? !graph_add_constant(to, v->name, v->type, &v->shape, v->data, error)
                    : !graph_add_variable(to, v->name, &v->shape, v->fan_in, error))
            return false;
    }
    return true;
}

bool graph_copy_node(struct graph *to, const struct graph *from, const struct node *n,
                     GError **error)
{
    const char *inputs[OP_MAX_IN], *outputs[OP_MAX_OUT];
    int n_input = 0;
    for (int k = 0; k < n->n_in; k++) {
        const struct value *v = n->in[k] < 0 ? NULL : &from->values[n->in[k]];
        if (v && v->kind == VALUE_PARAM && v->node == n->index)
            break; /* it and what follows is made by the operator */
        inputs[n_input++] = v ? v->name : "";
    }
    for (int k = 0; k < n->n_out; k++)
        outputs[k] = n->out[k] < 0 ? "" : from->values[n->out[k]].name;
    if (!graph_add_node_outputs(to, n->name, n->op, n->attr, inputs, n_input, outputs, n->n_out,
                                n->origin, error))
        return false;
    graph_set_precision(to, n->precision, n->weight_precision);
    return true;
}

static bool copy_nodes(struct graph *to, const struct graph *g, const bool *keep, GError **error)
{
    for (int i = 0; i < g->n_node; i++)
        if (is_kept(keep, i) && !graph_copy_node(to, g, &g->nodes[i], error))
            return false;
    return true;
}

/* In the order of g's outputs, which is the order of the output file, then the others. */
static int list_outputs(const struct graph *g, bool *leaves, const char **names)
{
    int n = 0;
    for (int i = 0; i < g->n_output; i++) {
        if (leaves[g->outputs[i]])
            names[n++] = g->values[g->outputs[i]].name;
        leaves[g->outputs[i]] = false;
    }
    for (int i = 0; i < g->n_value; i++)
        if (leaves[i])
            names[n++] = g->values[i].name;
    return n;
}

/* keep NULL: all nodes. */
static struct graph *copy_graph(const struct graph *g, const bool *keep, int64_t batch,
                                GError **error)
{
    struct graph *to = graph_new(g->name, g->file, batch);
    to->source = arena_strdup(to->arena, g->source);
    to->warning = arena_strdup(to->arena, g->warning);
    struct border b = find_border(g, keep);
    const char **outputs = g_new(const char *, g->n_value);
    int n_output = list_outputs(g, b.leaves, outputs);
    bool ok = graph_copy_inputs(to, g, b.enters, error) &&
              graph_copy_states(to, g, b.stays, error) &&
              graph_copy_params(to, g, keep, !keep, error) && copy_nodes(to, g, keep, error) &&
              graph_copy_nexts(to, g, b.stays, error) && graph_finish(to, outputs, n_output, error);
    g_free(outputs);
    g_free(b.enters);
    g_free(b.leaves);
    g_free(b.stays);
    if (!ok) {
        graph_free(to);
        return NULL;
    }
    return to;
}

struct graph *graph_select(const struct graph *g, const bool *keep, GError **error)
{
    return copy_graph(g, keep, g->batch, error);
}

struct graph *graph_rebatch(const struct graph *g, int64_t batch, GError **error)
{
    return copy_graph(g, NULL, batch, error);
}
