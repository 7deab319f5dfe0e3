/* SPDX-License-Identifier: Apache-2.0 */
/* Fold and fuse: nodes that change no value (flatten, dropout) become views; an operator that the
 * machine applies on the way out of another joins its layer. */
#include <string.h>

#include "mapper/layers.h"
#include "workloads/ops/elementwise.h"

bool layers_is_view(const struct node *n)
{
    return !n->op->forward;
}

void layers_find_roots(struct layers_builder *b)
{
    const struct graph *g = b->plan->graph;
    int *roots = b->plan->roots;
    for (int i = 0; i < g->n_value; i++)
        roots[i] = i;
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        if (layers_is_view(n))
            roots[n->out[0]] = roots[n->in[0]];
    }
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        for (int j = 0; j < n->n_data && !layers_is_view(n); j++) {
            if (n->in[j] < 0)
                continue;
            b->n_reader[roots[n->in[j]]]++;
            b->reader[roots[n->in[j]]] = i;
        }
    }
    for (int i = 0; i < g->n_output; i++)
        b->n_reader[roots[g->outputs[i]]]++;
}

static bool fusible(const struct machine *m, const struct plan *p, const struct plan_layer *l,
                    const char *tail)
{
    if (plan_layer_pool(p, l) && strstr(tail, "pool"))
        return false;
    if (!strcmp(tail, "batch_norm") && l->n_node > 1)
        return false; /* it is folded into the weights: nothing may come between */
    for (const struct machine_fusion *f = m->fusions; f && f->head; f++)
        if (!strcmp(f->tail, tail) && plan_layer_node(p, l, f->head))
            return true;
    return false;
}

/* Cutting off above is fused where the machine can, and from 0 on: as a ReLU with a ceiling. */
static bool cuts_as_fused(const struct layers_builder *b, const struct node *n)
{
    if (strcmp(n->op->name, "clip"))
        return true;
    g_autoptr(GString) why = g_string_new(NULL);
    const struct clip_attr *a = n->attr;
    return n->n_in == 1 && a->min == 0 && a->max >= 0 &&
           b->target->supports(b->target->self, b->plan->graph, n, b->plan->machine->precision,
                               why);
}

void layers_fuse_tails(struct layers_builder *b, struct plan_layer *l)
{
    const struct plan *p = b->plan;
    const struct graph *g = p->graph;
    while (l->n_node < PLAN_MAX_FUSED && b->n_reader[l->out] == 1) {
        int i = b->reader[l->out];
        if (i < 0)
            return; /* the one reader is an output of the graph */
        const struct node *n = &g->nodes[i];
        if (b->no_fuse[i] || n->n_data != 1 || n->n_out != 1 || n->in[0] != l->out ||
            g->values[n->out[0]].shape.n_dim != g->values[l->out].shape.n_dim ||
            !fusible(p->machine, p, l, n->op->name) || !cuts_as_fused(b, n))
            return;
        l->nodes[l->n_node++] = i;
        l->out = n->out[0];
        b->taken[i] = true;
    }
}
