/* SPDX-License-Identifier: Apache-2.0 */
/* layers_make(): nodes to layers, in the graph's order. */
#include <inttypes.h>
#include <string.h>

#include "mapper/graph/formats.h"
#include "mapper/graph/layers.h"
#include "mapper/values/lookup.h"
#include "mapper/values/permute.h"
#include "mapper/values/vector.h"
#include "sim/base/error.h"

/* Why a layer with a view of an image is not the machine's. */
#define LAYERS_REORDERED "the values of a flattened image lie in another order"

struct layers_builder {
    struct plan *plan;
    const struct target *target;
    const bool *no_fuse; /* by node: it is to stay a layer of its own */
    bool *taken;         /* by node: already in a layer */
    int *n_reader;       /* by root value: layers' nodes that read it, and outputs of the graph */
    int *reader;         /* by root value: the node that reads it last; -1: none */
};

/* Whether a machine can run a node at all, its values, shapes and formats being what they are. */

/* A product of two activations. */
static bool is_batched(const struct node *n)
{
    return n->traits->kind == TRAITS_PRODUCT && !n->traits->product.has_weights;
}

bool layers_outputs_fit(const struct graph *g, const struct node *n)
{
    const struct value *first = &g->values[n->out[0]];
    int n_wanted = 0;
    for (int i = 0; i < n->n_out; i++) {
        const struct value *v = n->out[i] < 0 ? NULL : &g->values[n->out[i]];
        if (!v)
            continue;
        n_wanted++;
        if (v->type != NUMBER_fp32 || (n_wanted > 1 && !dims_possible(&v->shape)))
            return false;
        if (n_wanted > 1 &&
            (!dims_possible(&first->shape) || dims_of(&v->shape).n != dims_of(&first->shape).n ||
             dims_of(&v->shape).h != dims_of(&first->shape).h))
            return false;
    }
    return n->n_out == 1 || (n->traits->kind == TRAITS_MOVE && n_wanted <= PLAN_MAX_OUT);
}

/* What the machine works on is fp32 in the graph, and made by it or fed to it; weights are known
 * before the run. A parameter that is an operand of a sum or the like is fed as well. */
static bool values_possible(const struct plan *p, const struct node *n, const char **why)
{
    const struct value *values = p->graph->values;
    const bool takes_params = vector_broadcasts(n->traits);
    const int n_read = permute_is(p->graph, n) ? permute_n_in(p->graph, n) : n->n_in;
    bool ok = n->n_data <= PLAN_MAX_IN && n->n_data > 0 && layers_outputs_fit(p->graph, n);
    for (int i = 0; ok && i < n_read; i++) {
        const struct value *v = n->in[i] < 0 ? NULL : &values[p->roots[n->in[i]]];
        if (v)
            ok = v->type == NUMBER_fp32 &&
                 (i >= n->n_data ? v->kind == VALUE_PARAM : v->kind != VALUE_PARAM || takes_params);
    }
    *why = "its operands are no activations and weights in fp32";
    return ok;
}

static bool shapes_possible(const struct plan *p, const struct node *n)
{
    const struct value *values = p->graph->values;
    for (int i = 0; i < n->n_data; i++) {
        if (n->in[i] < 0 && n->op->known >> i & 1)
            continue; /* an attribute by now */
        if (n->in[i] < 0 || !dims_possible(&values[p->roots[n->in[i]]].shape) ||
            !dims_possible(&values[n->in[i]].shape))
            return false;
    }
    return dims_possible(&values[n->out[0]].shape);
}

/* A flattened image keeps its channels innermost: only the order of a product's weights can follow
 * it. Rows of features lie one behind the other, however they are cut. */
static bool order_kept(const struct plan *p, const struct node *n)
{
    const int axis = traits_has_weights(n->traits) ? n->traits->product.axis : 0;
    for (int i = 0; i < n->n_data && n->in[i] >= 0; i++) {
        const struct shape *own = &p->graph->values[n->in[i]].shape;
        if (own->n_dim != 4 && p->graph->values[p->roots[n->in[i]]].shape.n_dim != 4)
            continue;
        const struct dims seen = dims_of(own);
        const struct dims root = dims_of(&p->graph->values[p->roots[n->in[i]]].shape);
        const bool is_row = axis && own->n_dim > 2; /* of which dimension on is the weight's? */
        if (seen.n != root.n || (!axis && seen.c != root.c) ||
            (is_row && (own->n_dim == 4 ? axis != 1 : axis != own->n_dim - 1)))
            return false;
    }
    return true;
}

static uint32_t broadcast(const struct graph *g, const struct node *n)
{
    uint32_t found = 0;
    for (int i = 0; vector_broadcasts(n->traits) && i < n->n_data; i++)
        if (!shape_equal(&g->values[n->in[i]].shape, &g->values[n->out[0]].shape))
            found |= UINT32_C(1) << i;
    return found;
}

static bool multiplies(const struct machine *m, const struct node *n, enum number format,
                       GError **error)
{
    if (m->peak_macs_per_cyc[format] > 0)
        return true;
    g_autoptr(GString) known = g_string_new(NULL);
    for (int i = 0; i < NUMBER_COUNT; i++)
        if (m->peak_macs_per_cyc[i] > 0)
            g_string_append_printf(known, "%s%s", known->len ? ", " : "", number_names[i]);
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: layer '%s': %s multiplies no %s operands; its formats are: %s", n->origin,
                     n->name, m->name, number_names[format], known->str);
}

/* Whether the host is left a layer that needs more of an operand at once than there is room for. */
static bool fails_whole(const struct graph *g, const struct node *n)
{
    return permute_is(g, n) || is_batched(n) || broadcast(g, n);
}

/* Whether the machine runs the layer's nodes together. */
static bool supported(const struct layers_builder *b, const struct plan_layer *l, GString *why)
{
    const struct graph *g = b->plan->graph;
    const int weights = g->nodes[l->nodes[0]].weight_precision;
    const struct target_formats formats = {l->format,
                                           weights < 0 ? l->format : (enum number)weights};
    return b->target->supports(b->target->self, g, l->nodes, l->n_node, &formats, why);
}

static bool can_run(const struct layers_builder *b, const struct plan_layer *l,
                    const struct node *n, GString *why)
{
    const struct plan *p = b->plan;
    const char *fault = NULL;
    if (!values_possible(p, n, &fault))
        g_string_assign(why, fault);
    else if (!shapes_possible(p, n))
        g_string_assign(why, "a tensor of it is empty or absent");
    else if (!permute_is(p->graph, n) && !order_kept(p, n))
        g_string_assign(why, LAYERS_REORDERED);
    else if (fails_whole(p->graph, n) && b->no_fuse[n->index])
        g_string_assign(why, "it does not fit into the activation memory");
    else
        return supported(b, l, why);
    return false;
}

/* Fold and fuse: nodes that change no value (flatten, dropout) become views; an operator that the
 * machine applies on the way out of another joins its layer. */

static bool is_view(const struct node *n)
{
    return n->traits->kind == TRAITS_VIEW;
}

static void find_roots(struct layers_builder *b)
{
    const struct graph *g = b->plan->graph;
    int *roots = b->plan->roots;
    for (int i = 0; i < g->n_value; i++)
        roots[i] = i;
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        if (is_view(n))
            roots[n->out[0]] = roots[n->in[0]];
    }
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        for (int j = 0; j < n->n_data && !is_view(n); j++) {
            if (n->in[j] < 0)
                continue;
            b->n_reader[roots[n->in[j]]]++;
            b->reader[roots[n->in[j]]] = i;
        }
    }
    for (int i = 0; i < g->n_output; i++)
        b->n_reader[roots[g->outputs[i]]]++;
    for (int i = 0; i < g->n_state; i++)
        b->n_reader[roots[g->values[g->states[i]].next]]++;
}

/* Whether elements of two values of as many lie at the same places: rows of features may be cut
 * into dimensions otherwise. */
static bool lie_alike(const struct shape *a, const struct shape *b)
{
    if (!dims_possible(a) || a->n_dim == 4 || b->n_dim == 4)
        return shape_equal(a, b);
    return dims_of(a).n == dims_of(b).n && dims_of(a).c == dims_of(b).c;
}

/* What a sum of two takes besides the layer's own output, if it is there before the layer, as it
 * lies there and in the same arithmetic; else -1. What the layer reads already has one slot. */
static int other_operand(const struct plan *p, const struct plan_layer *l, const struct node *n)
{
    const struct value *values = p->graph->values;
    const int other = n->n_data == 2 ? p->roots[n->in[n->in[0] == l->out]] : -1;
    if (other < 0 || other == l->in[0] || other == l->out ||
        (values[other].kind != VALUE_INPUT && values[other].kind != VALUE_NODE) ||
        values[other].type != NUMBER_fp32 || values[other].node >= l->nodes[0] ||
        !lie_alike(&values[other].shape, &values[l->out].shape) ||
        !shape_equal(&values[n->in[n->in[0] == l->out]].shape, &values[l->out].shape) ||
        !shape_equal(&values[n->out[0]].shape, &values[l->out].shape) ||
        !formats_meet(p->formats[other], l->format))
        return -1;
    return other;
}

/* Only folded into its weights came anything between. */
static bool is_bare_product(const struct plan *p, const struct plan_layer *l)
{
    return traits_has_weights(plan_layer_traits(p, l)) &&
           l->n_node == 1 + (plan_layer_affine(p, l) != NULL);
}

/* Whether a layer can have a node on its way out at all: a normalisation is folded into weights, so
 * that nothing may come between; what is added is so before values are cut off; they are from 0 on,
 * and go through one window. */
static bool can_follow(const struct plan *p, const struct plan_layer *l, const struct node *n)
{
    const struct traits *tail = n->traits;
    if (n->n_data > 1 && !(tail->kind == TRAITS_ELEMENT && tail->element.adds))
        return false;
    switch (tail->kind) {
    case TRAITS_IMAGE:
        return tail->image.is_affine && l->n_node == 1 &&
               traits_has_weights(plan_layer_traits(p, l));
    case TRAITS_ELEMENT:
        if (tail->element.adds)
            return is_bare_product(p, l) && other_operand(p, l, n) >= 0;
        return tail->element.clamps && tail->element.lo == 0 && tail->element.hi >= 0;
    case TRAITS_WINDOW:
        return traits_is_largest(tail) && !plan_layer_pool(p, l) && !l->added;
    default:
        return false;
    }
}

/* The node becomes the layer's last, where the machine runs it with those so far. */
static bool fuse(const struct layers_builder *b, struct plan_layer *l, const struct node *n)
{
    g_autoptr(GString) why = g_string_new(NULL);
    if (!can_follow(b->plan, l, n))
        return false;
    const int other = n->n_data > 1 ? other_operand(b->plan, l, n) : -1;
    l->nodes[l->n_node++] = n->index;
    if (!supported(b, l, why)) {
        l->n_node--;
        return false;
    }
    if (other >= 0) {
        l->added = l->n_in;
        l->in[l->n_in++] = other;
        formats_take(b->plan, other, l->format);
    }
    return true;
}

/* Parameters that change from step to step are folded into no others. */
static bool changes_params(const struct graph *g, const struct node *n)
{
    for (int i = n->n_data; i < n->n_in; i++)
        if (n->in[i] >= 0 && g->values[n->in[i]].next >= 0)
            return true;
    return false;
}

static void fuse_tails(struct layers_builder *b, struct plan_layer *l)
{
    const struct plan *p = b->plan;
    const struct graph *g = p->graph;
    while (l->n_node < PLAN_MAX_FUSED && l->n_out == 1 && b->n_reader[l->out] == 1) {
        int i = b->reader[l->out];
        if (i < 0)
            return; /* the one reader is an output of the graph */
        const struct node *n = &g->nodes[i];
        const bool reads = n->in[0] == l->out || (n->n_data == 2 && n->in[1] == l->out);
        if (b->no_fuse[i] || n->n_data > 2 || n->n_out != 1 || !reads ||
            g->values[n->out[0]].shape.n_dim != g->values[l->out].shape.n_dim ||
            changes_params(g, n) || !fuse(b, l, n))
            return;
        l->out = n->out[0];
        b->taken[i] = true;
    }
}

/* layers_make(): nodes to layers, in the graph's order. */

/* A layer that finds rows of a table: its one input are the indices. false: it is none, or, where
 * *why says so, the machine cannot. */
static bool try_lookup(struct layers_builder *b, struct plan_layer *l, const struct node *n,
                       GString *why)
{
    struct plan *p = b->plan;
    struct plan_lookup lookup;
    if (!lookup_of(p->graph, n, &lookup, why) || !supported(b, l, why))
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
    l->kind = n->traits->kind == TRAITS_PRODUCT ? LAYER_MATRIX : LAYER_VECTOR;
    if (permute_is(p->graph, n))
        l->n_in = MIN(l->n_in, permute_n_in(p->graph, n));
    if (!formats_set(p, l, n, error))
        return false;
    if (permute_is(p->graph, n))
        return (l->permute = permute_make(p, l, error)) != NULL;
    l->broadcast = broadcast(p->graph, n);
    if (l->kind == LAYER_VECTOR)
        return true;
    l->stationary_is_activation = is_batched(n);
    if (l->stationary_is_activation) {
        l->weight_format = p->formats[l->in[1]];
        l->turned = n->traits->product.transposed;
    }
    const struct traits_product *product = &n->traits->product;
    l->gemm = (struct gemm){product->m, product->n, product->k, product->groups};
    l->packed = 1;
    l->channels =
        l->stationary_is_activation ? l->gemm.k : plan_dims(p, l->in[0]).c / l->gemm.groups;
    l->stored_bytes =
        (uint64_t)(l->gemm.groups * l->gemm.k * l->gemm.n) * number_bytes(l->weight_format);
    l->macs = n->macs;
    return !b->target->prepare || b->target->prepare(b->target->self, p, l, error);
}

/* Matrix, vector, look-up or host; an error where the machine cannot and the host may not. */
static bool choose_kind(struct layers_builder *b, struct plan_layer *l, const struct node *n,
                        GError **error)
{
    const struct plan *p = b->plan;
    const struct machine *m = p->machine;
    l->format = l->weight_format = formats_of_node(p, l, n);
    if (n->traits->kind == TRAITS_PRODUCT && !multiplies(m, n, l->format, error))
        return false;
    if (n->weight_precision >= 0 && !multiplies(m, n, (enum number)n->weight_precision, error))
        return false;
    g_autoptr(GString) why = g_string_new(NULL);
    if (try_lookup(b, l, n, why))
        return true;
    if (why->len == 0 && can_run(b, l, n, why))
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
    find_roots(&b);
    formats_init(p);
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        if (b.taken[i] || is_view(n))
            continue;
        struct plan_layer *l = &p->layers[p->n_layer];
        *l = (struct plan_layer){.index = p->n_layer, .nodes = {i}, .n_node = 1};
        for (int k = 0; k < n->n_out && l->n_out < PLAN_MAX_OUT; k++)
            if (n->out[k] >= 0)
                l->outs[l->n_out++] = n->out[k];
        for (int j = 0; j < n->n_data; j++)
            if (n->in[j] >= 0)
                l->in[l->n_in++] = p->roots[n->in[j]];
        if (!choose_kind(&b, l, n, error))
            return false;
        if (l->kind == LAYER_HOST) {
            l->n_out = 1; /* the node has the others */
        } else {
            fuse_tails(&b, l);
            for (int k = 0; k < l->n_out; k++)
                p->formats[l->outs[k]] = l->format;
        }
        name_layer(p, l);
        p->n_layer++;
    }
    formats_finish(p);
    return true;
}
