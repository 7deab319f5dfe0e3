/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of vector layers: a factor an input, or the table of a local response normalisation. */
#include <math.h>
#include <string.h>

#include "mapper/quant_parts.h"
#include "mapper/vector.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/ops.h"

int64_t quant_lrn_factor(const struct quant_layer *q, int64_t sum_of_squares)
{
    const int64_t i = MIN(sum_of_squares >> q->lrn_step_shift, QUANT_LRN_NODES - 2);
    const int64_t rest = sum_of_squares - (i << q->lrn_step_shift);
    const int64_t a = q->lrn_table[i], b = q->lrn_table[i + 1];
    return a + (((b - a) * rest) >> q->lrn_step_shift);
}

static void lrn_params(struct quant *q, const struct plan *p, const struct plan_layer *l)
{
    const struct lrn_attr *a = p->graph->nodes[l->nodes[0]].attr;
    struct quant_layer *ql = &q->layers[l->index];
    const double s_in = q->scale[l->in[0]], s_out = q->scale[l->out];
    const int64_t limit = storage_limit(p->formats[l->in[0]]);
    const int64_t max_sum = MIN(a->size, p->graph->values[l->in[0]].shape.dim[1]) * limit * limit;
    while (((int64_t)(QUANT_LRN_NODES - 1) << ql->lrn_step_shift) < max_sum)
        ql->lrn_step_shift++;
    ql->lrn_table = ARENA_ARRAY(q->arena, int32_t, QUANT_LRN_NODES);
    double factors[QUANT_LRN_NODES], largest = 0;
    for (int i = 0; i < QUANT_LRN_NODES; i++) {
        const double sum = (double)((int64_t)i << ql->lrn_step_shift) * s_in * s_in;
        factors[i] = s_in / s_out * pow(a->k + a->alpha / (double)a->size * sum, -a->beta);
        largest = MAX(largest, factors[i]);
    }
    ql->lrn_bits = QUANT_LRN_MOST_BITS;
    while (ql->lrn_bits > 1 && ldexp(largest, ql->lrn_bits) > INT32_MAX)
        ql->lrn_bits--;
    for (int i = 0; i < QUANT_LRN_NODES; i++)
        ql->lrn_table[i] = (int32_t)MIN(rint(ldexp(factors[i], ql->lrn_bits)), INT32_MAX);
}

/* Operands of a sum share one shift, so that they are added before they are rounded. */
static void add_params(struct quant *q, const struct plan_layer *l)
{
    struct requant *r = q->layers[l->index].requant = ARENA_ARRAY(q->arena, struct requant, 2);
    const double a = MIN((double)q->scale[l->in[0]] / q->scale[l->out], 0x1p28);
    const double b = MIN((double)q->scale[l->in[1]] / q->scale[l->out], 0x1p28);
    const int shift = requant_make(MAX(MAX(a, b), 0x1p-30)).shift;
    r[0] = (struct requant){(int32_t)llrint(ldexp(a, shift) * 0.5), shift - 1};
    r[1] = (struct requant){(int32_t)llrint(ldexp(b, shift) * 0.5), shift - 1};
}

void quant_vector_params(struct quant *q, const struct plan *p, const struct plan_layer *l)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    struct quant_layer *ql = &q->layers[l->index];
    const double s_out = q->scale[l->out];
    if (l->move || number_is_float(l->format) || vector_reads(n->op->name) > 0)
        return; /* moved, or computed in fp32 */
    if (!strcmp(n->op->name, "lrn")) {
        lrn_params(q, p, l);
        return;
    }
    if (!strcmp(n->op->name, "add")) {
        add_params(q, l);
        return;
    }
    int64_t area = 1; /* a mean has a factor for each number of elements a window can have */
    if (!strcmp(n->op->name, "avgpool")) {
        const struct pool_attr *a = n->attr;
        area = a->kernel.v[0] * a->kernel.v[1];
    }
    ql->requant = ARENA_ARRAY(q->arena, struct requant, (size_t)MAX(area, l->n_in));
    for (int64_t i = 0; i < MAX(area, l->n_in); i++) {
        const double s_in = q->scale[l->in[area > 1 ? 0 : i]];
        ql->requant[i] = requant_make(MIN(s_in / s_out / (area > 1 ? (double)(i + 1) : 1), 0x1p29));
    }
}
