/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/graph.h"

#include <string.h>

#include "workloads/graph_draft.h"

struct graph *graph_new(const char *name, const char *file, int64_t batch)
{
    struct arena *a = arena_new();
    struct graph *g = ARENA_NEW(a, struct graph);
    g->arena = a;
    g->name = arena_strdup(a, name);
    g->file = arena_strdup(a, file);
    g->batch = batch;
    g->draft = draft_new(a);
    g->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    arena_own(a, g->by_name, (GDestroyNotify)g_hash_table_unref);
    return g;
}

void graph_warn(struct graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g->warning = arena_strdup(g->arena, text);
}

void graph_free(struct graph *g)
{
    if (g)
        arena_free(g->arena);
}

const struct value *graph_find_value(const struct graph *g, const char *name)
{
    int found = GPOINTER_TO_INT(g_hash_table_lookup(g->by_name, name));
    return found ? &g->values[found - 1] : NULL;
}

uint64_t graph_macs(const struct graph *g)
{
    uint64_t macs = 0;
    for (int i = 0; i < g->n_node; i++)
        macs += g->nodes[i].macs;
    return macs;
}

/* Indices and shapes are constants, but nothing that was trained. */
bool value_is_parameter(const struct value *v)
{
    return v->kind == VALUE_PARAM && !v->is_statistic && v->type != NUMBER_int64 &&
           v->type != NUMBER_int32 && v->type != NUMBER_bool;
}

uint64_t graph_parameters(const struct graph *g)
{
    uint64_t n = 0;
    for (int i = 0; i < g->n_value; i++)
        if (value_is_parameter(&g->values[i]))
            n += (uint64_t)shape_count(&g->values[i].shape);
    return n;
}

void graph_first_content(const struct graph *g, int value, void *data)
{
    const struct value *v = &g->values[value];
    const size_t n = (size_t)shape_count(&v->shape) * number_bytes(v->type);
    gsize size = 0;
    const void *first = v->first ? g_bytes_get_data(v->first, &size) : NULL;
    if (!first)
        memset(data, 0, n);
    for (size_t at = 0; first && at < n; at += size)
        memcpy((char *)data + at, first, size);
}

int graph_n_reader(const struct graph *g, int value)
{
    return g->values[value].n_reader;
}
