/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/executor.h"
#include "workloads/message.h"
#include "workloads/tensor/npy.h"

struct values *values_new(const struct graph *g)
{
    struct values *v = g_new(struct values, 1);
    v->graph = g;
    v->at = g_new0(struct tensor, g->n_value);
    for (int i = 0; i < g->n_value; i++)
        if (g->values[i].data)
            v->at[i] = (struct tensor){g->values[i].type, g->values[i].shape,
                                       (void *)g_bytes_get_data(g->values[i].data, NULL)};
    return v;
}

/* Data of constants are the graph's. */
void values_clear(struct values *v, int i)
{
    GBytes *lent = v->graph->values[i].data;
    if (lent && v->at[i].data == g_bytes_get_data(lent, NULL))
        v->at[i].data = NULL;
    tensor_clear(&v->at[i]);
}

void values_free(struct values *v)
{
    if (!v)
        return;
    for (int i = 0; i < v->graph->n_value; i++)
        values_clear(v, i);
    g_free(v->at);
    g_free(v);
}

bool values_set(struct values *v, const char *name, const void *data, GError **error)
{
    const struct value *value = graph_find_value(v->graph, name);
    if (!value || value->kind == VALUE_NODE)
        return error_set(error, ERROR_INPUT, "network '%s' has no input, parameter or state '%s'",
                         v->graph->name, name);
    struct tensor *t = &v->at[value->index];
    values_clear(v, value->index);
    if (!tensor_alloc(t, value->type, &value->shape, error))
        return false;
    memcpy(t->data, data, tensor_bytes(t));
    return true;
}

static const char *kind_of(const struct value *v)
{
    return v->kind == VALUE_PARAM ? "parameter" : v->kind == VALUE_STATE ? "state" : "input";
}

bool value_takes(const struct value *v, const struct tensor *t, GError **error)
{
    if (!t->data)
        return error_set(error, ERROR_INPUT, "%s '%s' has no value", kind_of(v), v->name);
    if (t->type == v->type && shape_equal(&t->shape, &v->shape))
        return true;
    struct arena *a = arena_new();
    error_set(error, ERROR_INPUT, "%s '%s' is %s of shape %s, not %s of shape %s", kind_of(v),
              v->name, number_names[t->type], shape_text(&t->shape, 0, a), number_names[v->type],
              shape_text(&v->shape, 0, a));
    arena_free(a);
    return false;
}

void executor_free(struct executor *e)
{
    if (e)
        e->free(e->self);
}

const struct tensor *values_get(const struct values *v, const char *name)
{
    const struct value *value = graph_find_value(v->graph, name);
    return value && v->at[value->index].data ? &v->at[value->index] : NULL;
}

/* Of the parameter that a bias is added to the sum of; 1 where there is none. */
static int64_t weight_fan_in(const struct graph *g, int node)
{
    const struct node *n = node < 0 ? NULL : &g->nodes[node];
    for (int i = n ? n->n_data : 0; n && i < n->n_in; i++)
        if (g->values[n->in[i]].fan_in > 0)
            return g->values[n->in[i]].fan_in;
    return 1;
}

static double amplitude(const struct graph *g, const struct value *v)
{
    if (v->kind == VALUE_INPUT)
        return 1.0;
    if (v->spread > 0)
        return (double)v->spread;
    if (v->fan_in > 0)
        return sqrt(6.0 / (double)v->fan_in); /* uniform in +-a has the variance a^2 / 3 */
    return 1.0 / sqrt((double)weight_fan_in(g, v->node));
}

/* Integers are indices below value->below. */
static bool seed_value(struct tensor *t, const struct value *value, float amplitude, uint64_t seed,
                       GError **error)
{
    size_t n = (size_t)shape_count(&value->shape);
    struct tensor uniform;
    if (!tensor_alloc(&uniform, NUMBER_fp32, &value->shape, error))
        return false;
    float *x = uniform.data;
    tensor_fill_uniform(x, n, amplitude, seed, tensor_stream(value->name));
    for (size_t i = 0; i < n && value->center != 0; i++)
        x[i] += value->center;
    if (value->type == NUMBER_fp32) {
        *t = uniform;
        return true;
    }
    for (size_t i = 0; i < n && !number_is_float(value->type); i++)
        x[i] = floorf((x[i] + 1) / 2 * (float)value->below);
    bool ok = tensor_alloc(t, value->type, &value->shape, error);
    if (ok)
        number_cast(t->data, value->type, x, NUMBER_fp32, n);
    tensor_clear(&uniform);
    return ok;
}

static bool first_content(struct tensor *t, const struct graph *g, const struct value *value,
                          GError **error)
{
    if (!tensor_alloc(t, value->type, &value->shape, error))
        return false;
    graph_first_content(g, value->index, t->data);
    return true;
}

bool values_seed(struct values *v, uint64_t seed, GError **error)
{
    const struct graph *g = v->graph;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *value = &g->values[i];
        struct tensor *t = &v->at[i];
        if (value->kind == VALUE_NODE || t->data)
            continue;
        if (value->kind == VALUE_STATE
                ? !first_content(t, g, value, error)
                : !seed_value(t, value, (float)amplitude(g, value), seed, error)) {
            g_prefix_error(error, "value '%s': ", value->name);
            return false;
        }
    }
    return true;
}

static const char *kind_name(enum value_kind kind)
{
    return kind == VALUE_INPUT ? "input" : kind == VALUE_PARAM ? "parameter" : "layer";
}

/* States are kept and loaded with the parameters. */
static bool is_of_kind(const struct value *v, enum value_kind kind)
{
    return v->kind == kind || (kind == VALUE_PARAM && v->kind == VALUE_STATE);
}

/* Names of the values of a kind; the array alone is the caller's. */
static GPtrArray *list_names(const struct graph *g, enum value_kind kind)
{
    GPtrArray *names = g_ptr_array_new();
    for (int i = 0; i < g->n_value; i++)
        if (is_of_kind(&g->values[i], kind))
            g_ptr_array_add(names, (void *)g->values[i].name);
    return names;
}

static bool take(struct values *v, const struct value *value, const struct tensor *from,
                 const char *file, GError **error)
{
    if (!shape_equal(&from->shape, &value->shape)) {
        struct arena *a = arena_new();
        error_set(error, ERROR_INPUT, "%s: '%s' is %s, the network needs %s", file, value->name,
                  shape_text(&from->shape, 0, a), shape_text(&value->shape, 0, a));
        arena_free(a);
        return false;
    }
    struct tensor *to = &v->at[value->index];
    values_clear(v, value->index);
    if (!tensor_alloc(to, value->type, &value->shape, error)) {
        g_prefix_error(error, "%s: '%s': ", file, value->name);
        return false;
    }
    number_convert(to->data, value->type, from->data, from->type,
                   (size_t)shape_count(&value->shape));
    return true;
}

static bool unknown(const struct graph *g, const char *file, const char *name, enum value_kind kind,
                    GError **error)
{
    g_autoptr(GPtrArray) names = list_names(g, kind);
    g_autofree char *suggestion =
        message_suggest(name, (const char *const *)names->pdata, names->len);
    return error_set(error, ERROR_INPUT, "%s: '%s' is no %s of network '%s'%s", file, name,
                     kind_name(kind), g->name, suggestion);
}

/* The name of the value that a file of one unnamed tensor can only mean, or NULL. */
static const char *sole_name(const struct graph *g, enum value_kind kind, const char *file)
{
    g_autoptr(GPtrArray) names = list_names(g, kind);
    bool is_sole = g_str_has_suffix(file, ".npy") && names->len == 1;
    return is_sole ? g_ptr_array_index(names, 0) : NULL;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(a, b);
}

bool values_load(struct values *v, enum value_kind kind, const char *file, GError **error)
{
    g_autoptr(GHashTable) table = npy_read(file, error);
    if (!table)
        return false;
    const char *sole = sole_name(v->graph, kind, file);
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(table), compare_names);
    for (GList *l = names; l; l = l->next) {
        const char *name = sole ? sole : l->data;
        const struct value *value = graph_find_value(v->graph, name);
        if (!value || !is_of_kind(value, kind))
            return unknown(v->graph, file, name, kind, error);
        if (!take(v, value, g_hash_table_lookup(table, l->data), file, error))
            return false;
    }
    return true;
}
