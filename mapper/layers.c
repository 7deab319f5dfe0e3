/* SPDX-License-Identifier: Apache-2.0 */
/* layers_make(): nodes to layers, in the graph's order. */
#include <string.h>

#include "mapper/layers.h"
#include "mapper/lookup.h"
#include "mapper/move.h"
#include "sim/base/error.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"

static struct gemm gemm_of(const struct graph *g, const struct node *n)
{
    const struct shape *out = &g->values[n->out[0]].shape;
    if (layers_is_batched(n))
        return (struct gemm){.m = out->dim[1],
                             .n = out->dim[2],
                             .k = g->values[n->in[0]].shape.dim[2],
                             .groups = out->dim[0]};
    const struct shape *w = &g->values[n->in[n->n_data]].shape;
    struct gemm gemm = {.n = w->dim[0], .k = shape_count_from(w, 1), .groups = 1};
    gemm.m = shape_count(out) / gemm.n;
    if (!strcmp(n->op->name, "conv2d")) {
        const struct conv2d_attr *a = n->attr;
        gemm.groups = a->groups;
        gemm.n /= a->groups;
    }
    return gemm;
}

/* A group of a depthwise convolution has a kernel's few products: as many groups as fit share a
 * tile, their weights block by block on its diagonal, zeros elsewhere. */
static void pack_groups(const struct machine *m, const struct shape *in, struct plan_layer *l)
{
    struct gemm *g = &l->gemm;
    l->packed = 1;
    l->channels = l->from_buffer ? g->k : dims_of(in).c / g->groups;
    for (int64_t n = 2; m->packs_groups && !l->from_buffer && n <= g->groups; n++)
        if (g->groups % n == 0 && n * g->k <= m->tile_k && n * g->n <= m->tile_n)
            l->packed = n;
    g->groups /= l->packed;
    g->n *= l->packed;
    g->k *= l->packed;
}

/* A layer that finds rows of a table: its one input are the indices. false: it is none, or, where
 * *why says so, the machine cannot. */
static bool try_lookup(struct layers_builder *b, struct plan_layer *l, const struct node *n,
                       GString *why)
{
    struct plan *p = b->plan;
    struct plan_lookup lookup;
    if (!lookup_of(p->graph, n, &lookup, why) ||
        !b->target->supports(b->target->self, p->graph, n, l->format, why))
        return false;
    const int indices = p->roots[n->in[lookup.i_indices]];
    if (p->graph->values[indices].shape.n_dim == 4) {
        g_string_assign(why, LAYERS_REORDERED);
        return false;
    }
    struct plan_lookup *kept = ARENA_NEW(p->arena, struct plan_lookup);
    *kept = lookup;
    l->kind = LAYER_LOOKUP;
    l->lookup = kept;
    l->in[0] = indices;
    l->n_in = 1;
    l->format = n->precision < 0 ? p->machine->precision : (enum number)n->precision;
    p->formats[indices] = p->graph->values[indices].type;
    return true;
}

/* A layer of the machine's units, in the formats that they compute in. */
static bool make_unit_layer(struct layers_builder *b, struct plan_layer *l, const struct node *n,
                            GError **error)
{
    struct plan *p = b->plan;
    l->kind = n->op->is_matrix ? LAYER_MATRIX : LAYER_VECTOR;
    if (move_is(p->graph, n))
        l->n_in = MIN(l->n_in, move_n_in(p->graph, n));
    if (!formats_set(p, l, n, error))
        return false;
    if (move_is(p->graph, n))
        return (l->move = move_make(p, l, error)) != NULL;
    l->broadcast = layers_broadcast(p->graph, n);
    if (l->kind == LAYER_VECTOR)
        return true;
    l->from_buffer = layers_is_batched(n);
    if (l->from_buffer) {
        l->weight_format = p->formats[l->in[1]];
        l->turned = ((const struct batched_product_attr *)n->attr)->transpose;
    }
    l->gemm = gemm_of(p->graph, n);
    pack_groups(p->machine, &p->graph->values[l->in[0]].shape, l);
    l->macs = n->macs;
    return layers_sums_fit(p, l, n, error);
}

/* Matrix, vector, look-up or host; an error where the machine cannot and the host may not. */
static bool choose_kind(struct layers_builder *b, struct plan_layer *l, const struct node *n,
                        GError **error)
{
    const struct plan *p = b->plan;
    const struct machine *m = p->machine;
    l->format = l->weight_format = formats_of_node(p, l, n);
    if (n->op->is_matrix && !layers_multiplies(m, n, l->format, error))
        return false;
    if (n->weight_precision >= 0 &&
        !layers_multiplies(m, n, (enum number)n->weight_precision, error))
        return false;
    g_autoptr(GString) why = g_string_new(NULL);
    if (try_lookup(b, l, n, why))
        return true;
    if (why->len == 0 && layers_can_run(b, l, n, why))
        return make_unit_layer(b, l, n, error);
    if (!m->host_fallback)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: layer '%s': %s cannot run operator '%s': %s; with host.fallback = "
                         "true it would run on the host",
                         n->origin, n->name, m->name, n->op->name, why->str);
    l->kind = LAYER_HOST;
    l->macs = n->macs;
    return true;
}

static void name_layer(struct plan *p, struct plan_layer *l)
{
    const struct graph *g = p->graph;
    g_autoptr(GString) op = g_string_new(NULL);
    for (int i = 0; i < l->n_node; i++)
        g_string_append_printf(op, "%s%s", i ? "+" : "", g->nodes[l->nodes[i]].op->name);
    l->name = g->nodes[l->nodes[0]].name;
    l->op = arena_strdup(p->arena, op->str);
    l->shape = shape_text(&g->values[l->out].shape, 1, p->arena);
}

bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error)
{
    const struct graph *g = p->graph;
    struct layers_builder b = {
        .plan = p,
        .target = t,
        .no_fuse = no_fuse,
        .taken = ARENA_ARRAY(p->arena, bool, g->n_node),
        .n_reader = ARENA_ARRAY(p->arena, int, g->n_value),
        .reader = ARENA_ARRAY(p->arena, int, g->n_value),
    };
    memset(b.reader, -1, (size_t)g->n_value * sizeof(int));
    p->roots = ARENA_ARRAY(p->arena, int, g->n_value);
    p->layers = ARENA_ARRAY(p->arena, struct plan_layer, g->n_node);
    p->n_layer = 0;
    layers_find_roots(&b);
    formats_init(p);
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        if (b.taken[i] || layers_is_view(n))
            continue;
        struct plan_layer *l = &p->layers[p->n_layer];
        *l = (struct plan_layer){.index = p->n_layer, .nodes = {i}, .n_node = 1, .out = n->out[0]};
        for (int j = 0; j < n->n_data; j++)
            if (n->in[j] >= 0)
                l->in[l->n_in++] = p->roots[n->in[j]];
        if (!choose_kind(&b, l, n, error))
            return false;
        if (l->kind != LAYER_HOST) {
            layers_fuse_tails(&b, l);
            p->formats[l->out] = l->format;
        }
        name_layer(p, l);
        p->n_layer++;
    }
    formats_finish(p);
    if (p->n_layer == 0)
        return error_set(error, ERROR_INPUT, "%s: no layer computes anything", g->name);
    return true;
}
