/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/graph/expand.h"

#include <string.h>

#include "mapper/graph/layers.h"
#include "sim/base/error.h"
#include "workloads/expand_draft.h"

struct expansion {
    struct arena *arena;
    struct graph *graph;
    GArray *parts;     /* struct expand_part */
    GHashTable *maker; /* name of a node of `graph` -> 1 + index of the node written out */
};

static bool expand_all(struct expansion *e, const struct graph *g, const bool *expand,
                       GError **error)
{
    e->graph = graph_new(g->name, g->file, g->batch);
    e->graph->source = arena_strdup(e->graph->arena, g->source);
    g_autofree const char **outputs = g_new(const char *, g->n_output);
    for (int i = 0; i < g->n_output; i++)
        outputs[i] = g->values[g->outputs[i]].name;
    g_autofree bool *keep = g_new(bool, g->n_node);
    for (int i = 0; i < g->n_node; i++)
        keep[i] = !expand[i];
    bool ok = graph_copy_inputs(e->graph, g, NULL, error) &&
              graph_copy_states(e->graph, g, NULL, error) &&
              graph_copy_params(e->graph, g, keep, true, error);
    for (int i = 0; ok && i < g->n_node; i++) {
        struct expand_draft d = {.to = e->graph,
                                 .from = g,
                                 .node = &g->nodes[i],
                                 .max_joined = PLAN_MAX_IN,
                                 .parts = e->parts,
                                 .maker = e->maker,
                                 .arena = e->arena,
                                 .error = error,
                                 .ok = true};
        if (keep[i]) {
            ok = graph_copy_node(e->graph, g, &g->nodes[i], error);
            continue;
        }
        g->nodes[i].op->expand(&d);
        ok = d.ok;
    }
    return ok && graph_copy_nexts(e->graph, g, NULL, error) &&
           graph_finish(e->graph, outputs, g->n_output, error);
}

static struct expansion *expand_try(const struct graph *g, const bool *expand, GError **error)
{
    struct arena *arena = arena_new();
    struct expansion *e = ARENA_NEW(arena, struct expansion);
    e->arena = arena;
    e->parts = g_array_new(FALSE, TRUE, sizeof(struct expand_part));
    e->maker = g_hash_table_new(g_str_hash, g_str_equal);
    if (expand_all(e, g, expand, error))
        return e;
    expand_free(e);
    return NULL;
}

/* Whether others read what this node asked for: then it has to stay. */
static bool shares_params(const struct graph *g, const struct node *n)
{
    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; i != n->index && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] >= 0 && g->values[g->nodes[i].in[k]].node == n->index &&
                g->values[g->nodes[i].in[k]].kind == VALUE_PARAM)
                return true;
    return false;
}

/* Parameters that change from step to step cannot be cut into parts ahead. */
static bool changes_params(const struct graph *g, const struct node *n)
{
    for (int i = n->n_data; i < n->n_in; i++)
        if (n->in[i] >= 0 && g->values[n->in[i]].next >= 0)
            return true;
    return false;
}

/* Takes back nodes that became one that the machine does not run. Returns whether there were any.
 */
static bool take_back(const struct expansion *e, const struct target *t, bool *expand)
{
    bool any = false;
    g_autoptr(GString) why = g_string_new(NULL);
    const enum number format = t ? t->machine->precision : NUMBER_fp32;
    const struct target_formats formats = {format, format};
    for (int i = 0; t && i < e->graph->n_node; i++) {
        const struct node *n = &e->graph->nodes[i];
        const int maker = GPOINTER_TO_INT(g_hash_table_lookup(e->maker, n->name)) - 1;
        const bool runs = maker < 0 || n->traits->kind == TRAITS_VIEW ||
                          t->supports(t->self, e->graph, &n->index, 1, &formats, why);
        if (runs || !expand[maker])
            continue;
        expand[maker] = false;
        any = true;
    }
    return any;
}

/* Whether the machine runs a node as it is. */
static bool runs_whole(const struct graph *g, const struct node *n, const struct target *t,
                       GString *why)
{
    if (!t || !layers_outputs_fit(g, n))
        return false;
    const struct target_formats formats = {t->machine->precision, t->machine->precision};
    return t->supports(t->self, g, &n->index, 1, &formats, why);
}

struct expansion *expand_new(const struct graph *g, const struct target *t, GError **error)
{
    g_autofree bool *expand = g_new0(bool, MAX(g->n_node, 1));
    g_autoptr(GString) fault = g_string_new(NULL);
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        const char *why;
        expand[i] = n->op->expands && n->op->expands(g, n, &why) && !shares_params(g, n) &&
                    !changes_params(g, n) && !runs_whole(g, n, t, fault);
    }
    while (memchr(expand, true, (size_t)g->n_node * sizeof(bool))) {
        struct expansion *e = expand_try(g, expand, error);
        if (!e || !take_back(e, t, expand))
            return e;
        expand_free(e);
    }
    return NULL;
}

void expand_free(struct expansion *e)
{
    if (!e)
        return;
    graph_free(e->graph);
    g_array_unref(e->parts);
    g_hash_table_unref(e->maker);
    arena_free(e->arena);
}

const struct graph *expand_graph(const struct expansion *e)
{
    return e->graph;
}

static bool make_part(const struct expand_part *part, const struct values *from, struct values *to,
                      GError **error)
{
    const struct tensor *t = values_get(from, part->from);
    const struct value *v = graph_find_value(to->graph, part->name);
    if (!v)
        return true; /* nothing reads it */
    struct tensor *own = &to->at[v->index];
    if (!t || !tensor_alloc(own, NUMBER_fp32, &v->shape, error))
        return t == NULL;
    const float *x = t->data;
    float *y = own->data;
    for (int64_t i = 0; i < part->n; i++)
        y[i] = x[part->first + i] + (i < part->n_added ? x[part->added + i] : 0);
    return true;
}

bool expand_values(const struct expansion *e, struct values *from, struct values *to,
                   GError **error)
{
    for (guint i = 0; i < e->parts->len; i++)
        if (!make_part(&g_array_index(e->parts, struct expand_part, i), from, to, error))
            return false;
    for (int i = 0; i < to->graph->n_value; i++) {
        const struct value *v = &to->graph->values[i];
        const struct value *own = graph_find_value(from->graph, v->name);
        if (v->kind == VALUE_NODE || to->at[i].data || !own)
            continue;
        to->at[i] = from->at[own->index];
        from->at[own->index] = (struct tensor){0};
    }
    return true;
}
