/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a machine can run a node at all, its values, shapes and formats being what they are. */
#include <inttypes.h>
#include <string.h>

#include "mapper/layers.h"
#include "mapper/move.h"
#include "mapper/vector.h"
#include "sim/base/error.h"
#include "workloads/ops/ops.h"

bool layers_is_batched(const struct node *n)
{
    return !strcmp(n->op->name, "batched_product");
}

/* Sums of products of int8 fill 32 bits; those of other formats are kept wider, or in fp32. */
bool layers_sums_fit(const struct plan *p, const struct plan_layer *l, const struct node *n,
                     GError **error)
{
    if (p->machine->max_tile_m < plan_sum_words(p, l))
        return error_set(
            error, ERROR_UNSUPPORTED,
            "%s: layer '%s': a sum of %s products takes two entries of the accumulators; "
            "%s has one",
            n->origin, n->name, number_names[l->format], p->machine->name);
    const bool is_int8 = p->formats[l->in[0]] == NUMBER_int8 && l->weight_format == NUMBER_int8;
    if (!is_int8 || l->gemm.k <= p->machine->max_k)
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: layer '%s': sums of %" PRId64 " products could overflow the accumulators "
                     "of %s; at most %" PRId64 " are safe",
                     n->origin, n->name, l->gemm.k, p->machine->name, p->machine->max_k);
}

/* What the machine works on is fp32 in the graph, and made by it or fed to it; weights are known
 * before the run. A parameter that is an operand of a sum or the like is fed as well. */
static bool values_possible(const struct plan *p, const struct node *n, const char **why)
{
    const struct value *values = p->graph->values;
    const bool takes_params = vector_broadcasts(n->op->name);
    const int n_read = move_is(p->graph, n) ? move_n_in(p->graph, n) : n->n_in;
    bool ok = n->n_out == 1 && n->n_data <= PLAN_MAX_IN && n->n_data > 0 &&
              values[n->out[0]].type == NUMBER_fp32;
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
    return n->n_out == 1 && dims_possible(&values[n->out[0]].shape);
}

/* A flattened image keeps its channels innermost: only the order of fc's weights can follow it.
 * Rows of features lie one behind the other, however they are cut. */
static bool order_kept(const struct plan *p, const struct node *n)
{
    const bool is_fc = !strcmp(n->op->name, "fc");
    for (int i = 0; i < n->n_data && n->in[i] >= 0; i++) {
        const struct shape *own = &p->graph->values[n->in[i]].shape;
        if (own->n_dim != 4 && p->graph->values[p->roots[n->in[i]]].shape.n_dim != 4)
            continue;
        const struct dims seen = dims_of(own);
        const struct dims root = dims_of(&p->graph->values[p->roots[n->in[i]]].shape);
        const bool is_row = is_fc && own->n_dim > 2; /* of which dimension on is the weight's? */
        const int64_t axis = is_fc ? ((const struct fc_attr *)n->attr)->axis : 0;
        if (seen.n != root.n || (!is_fc && seen.c != root.c) ||
            (is_row && (own->n_dim == 4 ? axis != 1 : axis != own->n_dim - 1)))
            return false;
    }
    return true;
}

uint32_t layers_broadcast(const struct graph *g, const struct node *n)
{
    uint32_t found = 0;
    for (int i = 0; vector_broadcasts(n->op->name) && i < n->n_data; i++)
        if (!shape_equal(&g->values[n->in[i]].shape, &g->values[n->out[0]].shape))
            found |= UINT32_C(1) << i;
    return found;
}

bool layers_multiplies(const struct machine *m, const struct node *n, enum number format,
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
    return move_is(g, n) || layers_is_batched(n) || layers_broadcast(g, n);
}

bool layers_can_run(const struct layers_builder *b, const struct plan_layer *l,
                    const struct node *n, GString *why)
{
    const struct plan *p = b->plan;
    const char *fault = NULL;
    if (!values_possible(p, n, &fault))
        g_string_assign(why, fault);
    else if (!shapes_possible(p, n))
        g_string_assign(why, "a tensor of it is empty or absent");
    else if (!move_is(p->graph, n) && !order_kept(p, n))
        g_string_assign(why, LAYERS_REORDERED);
    else if (fails_whole(p->graph, n) && b->no_fuse[n->index])
        g_string_assign(why, "it does not fit into the activation memory");
    else
        return b->target->supports(b->target->self, p->graph, n, l->format, why);
    return false;
}
