/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a graph, in the order of the file, which ONNX says is an order of execution. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/onnx/import.h"

struct onnx_scope *onnx_push_scope(struct onnx *o, const char *prefix)
{
    struct onnx_scope *s = ARENA_NEW(o->arena, struct onnx_scope);
    s->outer = o->scope;
    s->prefix = arena_strdup(o->arena, prefix);
    s->names = g_hash_table_new(g_str_hash, g_str_equal);
    s->sequences =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
    arena_own(o->arena, s->names, (GDestroyNotify)g_hash_table_unref);
    arena_own(o->arena, s->sequences, (GDestroyNotify)g_hash_table_unref);
    o->scope = s;
    return s;
}

void onnx_pop_scope(struct onnx *o)
{
    o->scope = o->scope->outer;
}

const char *onnx_value(const struct onnx *o, const char *name)
{
    for (const struct onnx_scope *s = o->scope; s; s = s->outer) {
        const char *value = g_hash_table_lookup(s->names, name);
        if (value)
            return value;
    }
    return NULL;
}

GPtrArray *onnx_sequence(const struct onnx *o, const char *name)
{
    for (const struct onnx_scope *s = o->scope; s; s = s->outer) {
        GPtrArray *sequence = g_hash_table_lookup(s->sequences, name);
        if (sequence)
            return sequence;
    }
    return NULL;
}

void onnx_set_value(struct onnx *o, const char *name, const char *value)
{
    g_hash_table_insert(o->scope->names, arena_strdup(o->arena, name),
                        arena_strdup(o->arena, value));
}

void onnx_set_sequence(struct onnx *o, const char *name, GPtrArray *sequence)
{
    g_hash_table_insert(o->scope->sequences, arena_strdup(o->arena, name), sequence);
}

static bool fault(const struct onnx_node *n, GError **error, const char *what, const char *name)
{
    g_autofree char *origin = g_strdup(n->o->file);
    return message_layer(error, origin, n->name, "%s '%s'", what, name);
}

static bool resolve_inputs(struct onnx_node *n, GError **error)
{
    if (n->p->n_input > OP_MAX_IN || n->p->n_output > OP_MAX_OUT)
        return onnx_refuse(n, error, "a node of %zu inputs and %zu outputs", n->p->n_input,
                           n->p->n_output);
    for (n->n_in = 0; n->n_in < (int)n->p->n_input; n->n_in++) {
        const char *name = n->p->input[n->n_in];
        const char *value = name[0] ? onnx_value(n->o, name) : "";
        if (!value && !onnx_sequence(n->o, name))
            return fault(n, error, "it reads what nothing before it makes,", name);
        n->in[n->n_in] = value ? value : "";
    }
    while (n->n_in > 0 && n->p->input[n->n_in - 1][0] == '\0')
        n->n_in--;
    return true;
}

static bool has_needed(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    for (int i = 0; i < row->n_needed; i++)
        if (!onnx_has(n, i))
            return onnx_refuse(n, error, "no tensor for input %d", i);
    return true;
}

/* Names of what it makes, in the graph. Converters of sequences and identities do not use them. */
static bool name_outputs(struct onnx_node *n, GError **error)
{
    for (n->n_out = 0; n->n_out < (int)n->p->n_output; n->n_out++) {
        const char *name = n->p->output[n->n_out];
        if (name[0] && (g_hash_table_contains(n->o->scope->names, name) ||
                        g_hash_table_contains(n->o->scope->sequences, name)))
            return fault(n, error, "it makes what is already there,", name);
        n->out[n->n_out] =
            name[0] ? arena_printf(n->o->arena, "%s%s", n->o->scope->prefix, name) : "";
    }
    while (n->n_out > 0 && n->out[n->n_out - 1][0] == '\0')
        n->n_out--;
    if (n->n_out == 0)
        return fault(n, error, "it makes nothing,", n->p->op_type);
    return true;
}

/* The model's name where it has one, and nobody else has it; else the name of its output. */
static void name_node(struct onnx_node *n)
{
    struct onnx *o = n->o;
    const char *given = n->p->name && n->p->name[0] ? n->p->name
                        : n->p->n_output > 0        ? n->p->output[0]
                                                    : n->p->op_type;
    n->name = arena_printf(o->arena, "%s%s", o->scope->prefix, given);
    for (int i = 2; graph_has_node(o->g, n->name); i++)
        n->name = arena_printf(o->arena, "%s%s#%d", o->scope->prefix, given, i);
}

static bool publish(struct onnx_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i][0] && !onnx_value(n->o, n->p->output[i]) &&
            !onnx_sequence(n->o, n->p->output[i]))
            onnx_set_value(n->o, n->p->output[i], n->out[i]);
    return true;
}

static bool import_node(struct onnx *o, Onnx__NodeProto *p, GError **error)
{
    struct onnx_node n = {.o = o, .p = p};
    if (!p->op_type)
        return error_set(error, ERROR_INPUT, "%s: a node has no operator", o->file);
    name_node(&n);
    if (p->domain && p->domain[0] && strcmp(p->domain, "ai.onnx") != 0)
        return onnx_refuse(&n, error, "domain '%s'", p->domain);
    const struct onnx_op *row = onnx_find_op(p->op_type);
    if (!row)
        return onnx_refuse(&n, error, "this operator");
    return resolve_inputs(&n, error) && has_needed(&n, row, error) && name_outputs(&n, error) &&
           row->convert(&n, row, error) && publish(&n);
}

static bool import_initialiser(struct onnx *o, Onnx__TensorProto *t, GError **error)
{
    enum number type;
    struct shape shape;
    GBytes *data;
    const char *name = arena_printf(o->arena, "%s%s", o->scope->prefix, t->name ? t->name : "");
    if (!onnx_tensor(o->file, t, &type, &shape, &data, error))
        return false;
    bool ok = graph_add_constant(o->g, name, type, &shape, data, error);
    g_bytes_unref(data);
    if (!ok) {
        g_prefix_error(error, "%s: ", o->file);
        return false;
    }
    onnx_set_value(o, t->name, name);
    return true;
}

bool onnx_import_nodes(struct onnx *o, Onnx__GraphProto *p, GError **error)
{
    if (p->n_sparse_initializer > 0)
        return error_set(error, ERROR_UNSUPPORTED, "%s: sparse tensors are not supported", o->file);
    for (size_t i = 0; i < p->n_initializer; i++)
        if (!import_initialiser(o, p->initializer[i], error))
            return false;
    for (size_t i = 0; i < p->n_node; i++)
        if (!import_node(o, p->node[i], error))
            return false;
    return true;
}
