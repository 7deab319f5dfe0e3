/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/expand_draft.h"

#include <string.h>

#include "workloads/ops/layout.h"
#include "workloads/ops/ops.h"

const char *expand_name(struct expand_draft *d, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    g_autofree char *own = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_autofree char *name = g_strconcat(d->node->name, ".", own, NULL);
    return arena_strdup(d->arena, name);
}

const char *expand_node_to(struct expand_draft *d, const char *name, const char *output,
                           const struct op *op, const void *attr, const char *const *inputs,
                           int n_input)
{
    const char *outputs[] = {output ? output : name};
    d->ok = d->ok && graph_add_node_outputs(d->to, name, op, attr, inputs, n_input, outputs, 1,
                                            d->node->origin, d->error);
    if (!d->ok)
        return outputs[0];
    graph_set_precision(d->to, d->node->precision, d->node->weight_precision);
    g_hash_table_insert(d->maker, arena_strdup(d->arena, name),
                        GINT_TO_POINTER(d->node->index + 1));
    return outputs[0];
}

const char *expand_node(struct expand_draft *d, const char *name, const struct op *op,
                        const void *attr, const char *const *inputs, int n_input)
{
    return expand_node_to(d, name, NULL, op, attr, inputs, n_input);
}

const char *expand_param(struct expand_draft *d, const char *name, const struct shape *shape,
                         struct expand_run run, int64_t fan_in)
{
    const int value = d->node->in[d->node->n_data + run.i_param];
    const struct expand_part part = {.name = arena_strdup(d->arena, name),
                                     .from = d->from->values[value].name,
                                     .first = run.first,
                                     .n = shape_count(shape),
                                     .added = run.added,
                                     .n_added = run.n_added};
    g_array_append_val(d->parts, part);
    d->ok = d->ok && graph_add_variable(d->to, name, shape, fan_in, d->error);
    return part.name;
}

const char *expand_reshape(struct expand_draft *d, const char *name, const char *output,
                           const char *input, int n_dim, const int64_t *dim)
{
    struct reshape_attr a = {.shape = {.n = n_dim}};
    memcpy(a.shape.v, dim, (size_t)n_dim * sizeof(*dim));
    return expand_node_to(d, name, output, &op_reshape, &a, &input, 1);
}

const char *expand_slice(struct expand_draft *d, const char *name, const char *input, int64_t axis,
                         int64_t first, int64_t n)
{
    const struct slice_attr a = {
        .starts = {1, {first}}, .ends = {1, {first + n}}, .axes = {1, {axis}}, .steps = {1, {1}}};
    return expand_node(d, name, &op_slice, &a, &input, 1);
}

/* More than a layer can read are joined by groups first. */
const char *expand_concat(struct expand_draft *d, const char *name, const char *output,
                          const char *const *inputs, int n_input, int64_t axis)
{
    const struct concat_attr a = {.axis = axis};
    if (n_input <= d->max_joined)
        return expand_node_to(d, name, output, &op_concat, &a, inputs, n_input);
    const int n_group = (n_input + d->max_joined - 1) / d->max_joined;
    g_autofree const char **parts = g_new(const char *, n_group);
    for (int i = 0; i < n_group; i++) {
        g_autofree char *own = g_strdup_printf("%s.%d", name, i);
        const int first = i * d->max_joined, n = MIN(d->max_joined, n_input - first);
        parts[i] = expand_node(d, arena_strdup(d->arena, own), &op_concat, &a, inputs + first, n);
    }
    return expand_concat(d, name, output, parts, n_group, axis);
}
