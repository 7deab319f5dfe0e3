/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of values, and the scales that follow from them. */
#include <math.h>
#include <string.h>

#include "mapper/lookup.h"
#include "mapper/quant_parts.h"

float quant_max_abs(const struct tensor *t)
{
    const float *x = t->data;
    const int64_t n = t->type == NUMBER_fp32 ? shape_count(&t->shape) : 0;
    float max = 0;
    for (int64_t i = 0; i < n; i++)
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
    return max;
}

bool quant_observe(const struct graph *g, int value, const struct tensor *t, void *max_abs,
                   GError **error)
{
    (void)g;
    (void)error;
    ((float *)max_abs)[value] = quant_max_abs(t);
    return true;
}

bool quant_needs_ranges(const struct plan *p)
{
    for (int i = 0; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST && !number_is_float(p->layers[i].format))
            return true;
    return false;
}

/* The value whose range a layer's output has: pooling for maxima after another operator does not
 * change it, and neither does a move. */
static int ranged_value(const struct plan *p, const struct plan_layer *l)
{
    if (l->move && l->n_in == 1)
        return l->in[0];
    for (int i = l->n_node - 1; i >= 0; i--) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        if (strcmp(n->op->name, "maxpool"))
            return n->out[0];
    }
    return l->in[0];
}

static float scale_from(const struct quant_ranges *r, int value, enum number format)
{
    if (format == NUMBER_flex16 && r->flex_scale)
        return r->flex_scale[value];
    return storage_scale(r->max_abs[value], format);
}

static void host_scales(struct quant *q, const struct plan *p, const struct plan_layer *l,
                        const struct quant_ranges *r)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0)
            q->scale[n->out[i]] = scale_from(r, n->out[i], p->formats[n->out[i]]);
}

/* A parameter that is an operand has the range of its elements. */
static void operand_scales(struct quant *q, const struct plan *p, const struct plan_layer *l,
                           const struct values *params)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (p->graph->values[v].kind == VALUE_PARAM)
            q->scale[v] = storage_scale(quant_max_abs(&params->at[v]), p->formats[v]);
    }
}

void quant_set_scales(struct quant *q, const struct plan *p, const struct values *params,
                      const struct quant_ranges *r)
{
    for (int i = 0; i < p->graph->n_input; i++) {
        const int v = p->graph->inputs[i];
        q->scale[v] = scale_from(r, v, p->formats[v]);
    }
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_HOST) {
            host_scales(q, p, l, r);
            continue;
        }
        operand_scales(q, p, l, params);
        if (l->lookup) { /* what is in the table is known */
            q->scale[l->out] =
                storage_scale(quant_max_abs(&params->at[l->lookup->table]), l->format);
            continue;
        }
        const int v = ranged_value(p, l);
        q->scale[l->out] = v == l->in[0] ? q->scale[v] : scale_from(r, v, p->formats[l->out]);
    }
}
