/* SPDX-License-Identifier: Apache-2.0 */
/* The second half: order, shapes, parameters, outputs. */
#include "sim/base/error.h"
#include "workloads/graph.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"

struct finish {
    struct graph *g;
    const struct graph_draft *draft;
    GArray *values;  /* struct value */
    int *node_value; /* by the node's index in the draft */
    uint64_t macs;   /* of the nodes so far */
};

/* Returns the index, or -1 where the name is taken: "a.weight" may name a layer and a parameter. */
static int add_value(struct finish *f, struct value v)
{
    v.index = (int)f->values->len;
    if (g_hash_table_contains(f->g->by_name, v.name))
        return -1;
    g_hash_table_insert(f->g->by_name, (void *)v.name, GINT_TO_POINTER(v.index + 1));
    g_array_append_val(f->values, v);
    return v.index;
}

static void make_inputs(struct finish *f)
{
    struct graph *g = f->g;
    g->n_input = (int)f->draft->inputs->len;
    g->inputs = ARENA_ARRAY(g->arena, int, (size_t)g->n_input);
    for (int i = 0; i < g->n_input; i++) {
        const struct draft_input *in = DRAFT_INPUT(f->draft, i);
        g->inputs[i] = add_value(
            f,
            (struct value){.name = in->name, .kind = VALUE_INPUT, .shape = in->shape, .node = -1});
    }
}

static bool name_error(const struct node *n, const char *name, GError **error)
{
    return message_layer(error, n->origin, n->name,
                         "'%s' is the name of both a layer or input and a parameter", name);
}

/* Appends the parameters to n->in[], which has room for them. */
static bool make_params(struct finish *f, struct node *n, const struct shape *const *in,
                        int64_t *fan_in, GError **error)
{
    struct op_param params[OP_MAX_PARAM];
    int n_param = n->op->params ? n->op->params(n->attr, in, params) : 0;
    g_assert(n_param <= OP_MAX_PARAM);
    *fan_in = 0;
    for (int i = 0; i < n_param; i++) {
        const struct op_param *p = &params[i];
        const char *name = arena_printf(f->g->arena, "%s.%s", n->name, p->suffix), *why;
        if (!shape_check(&p->shape, &why))
            return message_layer(error, n->origin, n->name, "%s: %s", p->suffix, why);
        int value = add_value(f, (struct value){.name = name,
                                                .kind = VALUE_PARAM,
                                                .shape = p->shape,
                                                .node = n->index,
                                                .fan_in = p->fan_in});
        if (value < 0)
            return name_error(n, name, error);
        n->in[n->n_in++] = value;
        *fan_in = MAX(*fan_in, p->fan_in);
    }
    return true;
}

/* Each output sums `fan_in` products, so that bounding both first keeps op->macs() from wrapping.
 */
static bool count_macs(struct finish *f, struct node *n, const struct shape *const *in,
                       const struct shape *out, int64_t fan_in, GError **error)
{
    if (!n->op->macs)
        return true;
    int64_t bound;
    if (!__builtin_mul_overflow(shape_count(out), fan_in, &bound)) {
        n->macs = n->op->macs(n->attr, in, out);
        f->macs += n->macs; /* each is below 2^63, so the sum of two cannot wrap */
        if (n->macs <= INT64_MAX && f->macs <= INT64_MAX)
            return true;
    }
    return message_layer(error, n->origin, n->name, "more than 2^63 - 1 multiply-accumulates");
}

static bool infer_node(struct finish *f, struct node *n, const struct draft_node *d, GError **error)
{
    struct shape data[OP_MAX_IN], out = {0};
    const struct shape *in[OP_MAX_IN];
    n->n_in = n->n_data = d->n_input;
    n->in = ARENA_ARRAY(f->g->arena, int, (size_t)d->n_input + OP_MAX_PARAM);
    for (int i = 0; i < d->n_input; i++) {
        int ref = d->refs[i];
        n->in[i] = ref < 0 ? f->g->inputs[~ref] : f->node_value[ref];
        data[i] = g_array_index(f->values, struct value, n->in[i]).shape;
        in[i] = &data[i];
    }
    GError *why = NULL;
    if (!n->op->shape(n->attr, in, n->n_data, &out, &why)) {
        message_layer(error, n->origin, n->name, "%s", why->message);
        g_error_free(why);
        return false;
    }
    const char *fault;
    if (!shape_check(&out, &fault))
        return message_layer(error, n->origin, n->name, "output: %s", fault);
    int64_t fan_in;
    if (!make_params(f, n, in, &fan_in, error) || !count_macs(f, n, in, &out, fan_in, error))
        return false;
    n->out = add_value(
        f, (struct value){.name = n->name, .kind = VALUE_NODE, .shape = out, .node = n->index});
    return n->out >= 0 || name_error(n, n->name, error);
}

static bool make_nodes(struct finish *f, const int *order, GError **error)
{
    struct graph *g = f->g;
    g->n_node = (int)f->draft->nodes->len;
    g->nodes = ARENA_ARRAY(g->arena, struct node, (size_t)g->n_node);
    for (int i = 0; i < g->n_node; i++) {
        const struct draft_node *d = DRAFT_NODE(f->draft, order[i]);
        g->nodes[i] = (struct node){
            .index = i,
            .name = d->name,
            .op = d->op,
            .attr = d->attr,
            .precision = d->precision,
            .origin = d->origin,
        };
        if (!infer_node(f, &g->nodes[i], d, error))
            return false;
        f->node_value[order[i]] = g->nodes[i].out;
    }
    return true;
}

/* A node that reads a value twice is one reader. */
static void count_readers(struct graph *g)
{
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            bool is_first = true;
            for (int before = 0; before < k; before++)
                is_first &= n->in[before] != n->in[k];
            g->values[n->in[k]].n_reader += is_first;
        }
    }
}

static bool named_outputs(struct finish *f, const char *const *outputs, int n_output,
                          GError **error)
{
    struct graph *g = f->g;
    for (int i = 0; i < n_output; i++) {
        const struct value *v = graph_find_value(g, outputs[i]);
        const char *file = g->file ? g->file : g->name;
        if (!v || v->kind != VALUE_NODE) {
            g_autofree char *suggestion = draft_suggest(f->draft, outputs[i], false);
            return error_set(error, ERROR_INPUT, "%s: output '%s' is no layer%s", file, outputs[i],
                             suggestion);
        }
        for (int k = 0; k < g->n_output; k++)
            if (g->outputs[k] == v->index)
                return error_set(error, ERROR_INPUT, "%s: output '%s' is named twice", file,
                                 outputs[i]);
        g->outputs[g->n_output++] = v->index;
    }
    return true;
}

static bool make_outputs(struct finish *f, const char *const *outputs, int n_output, GError **error)
{
    struct graph *g = f->g;
    g->outputs = ARENA_ARRAY(g->arena, int, (size_t)MAX(g->n_node, n_output));
    if (!named_outputs(f, outputs, n_output, error))
        return false;
    for (int i = 0; n_output == 0 && i < g->n_node; i++)
        if (g->values[g->nodes[i].out].n_reader == 0)
            g->outputs[g->n_output++] = g->nodes[i].out;
    for (int i = 0; i < g->n_output; i++)
        g->values[g->outputs[i]].n_reader++;
    return true;
}

bool graph_finish(struct graph *g, const char *const *outputs, int n_output, GError **error)
{
    g_assert(g->draft);
    size_t n = g->draft->nodes->len;
    if (n == 0)
        return error_set(error, ERROR_INPUT, "%s: no layers", g->file ? g->file : g->name);
    int *order = ARENA_ARRAY(g->arena, int, n);
    if (!draft_resolve(g, error) || !draft_sort(g->draft, order, error))
        return false;
    struct finish f = {.g = g, .draft = g->draft};
    f.values = g_array_new(FALSE, TRUE, sizeof(struct value));
    f.node_value = ARENA_ARRAY(g->arena, int, n);
    make_inputs(&f);
    bool ok = make_nodes(&f, order, error);
    g->n_value = (int)f.values->len;
    g->values = arena_own(g->arena, g_array_free(f.values, FALSE), g_free);
    if (!ok)
        return false;
    count_readers(g);
    if (!make_outputs(&f, outputs, n_output, error))
        return false;
    g->draft = NULL;
    return true;
}
