/* SPDX-License-Identifier: Apache-2.0 */
/* quant_new(): scales, then the numbers of each layer. */
#include <math.h>

#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "mapper/plan.h"
#include "mapper/values/quant.h"
#include "mapper/values/vector.h"
#include "sim/base/error.h"

/* Ranges of values, and the scales that follow from them. */

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
    if (l->permute && l->n_in == 1)
        return l->in[0];
    for (int i = l->n_node - 1; i >= 0; i--) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        if (!traits_is_largest(n->traits))
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

static void set_scales(struct quant *q, const struct plan *p, const struct values *params,
                       const struct quant_ranges *r)
{
    for (int i = 0; i < p->graph->n_input; i++) {
        const int v = p->graph->inputs[i];
        q->scale[v] = scale_from(r, v, p->formats[v]);
    }
    for (int i = 0; i < p->graph->n_state; i++)
        q->scale[p->graph->states[i]] = 1; /* of a floating-point format: mapper/map.c */
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
        const float scale = v == l->in[0] ? q->scale[v] : scale_from(r, v, p->formats[l->out]);
        for (int k = 0; k < l->n_out; k++)
            q->scale[l->outs[k]] = scale;
    }
}

/* Numbers of matrix layers: weights as stored, biases and factors by output channel. */

/* A row of weights from the graph's order (channel, row, column) to the machine's (row, column,
 * channel). */
static void reorder_row(float *out, const float *w, int64_t k, int64_t channels)
{
    const int64_t pixels = k / channels;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            out[i * channels + c] = w[c * pixels + i];
}

static float row_max(const float *w, int64_t k)
{
    float max = 0;
    for (int64_t i = 0; i < k; i++)
        max = fabsf(w[i]) > max ? fabsf(w[i]) : max;
    return max;
}

/* y = factor x + shift, channel by channel: a batch normalisation behind a product. */
struct affine {
    const float *scale, *bias, *mean, *variance; /* NULL: none */
    double epsilon;
};

static struct affine affine_of(const struct plan *p, const struct plan_layer *l,
                               const struct values *params)
{
    const struct node *n = plan_layer_affine(p, l);
    if (!n)
        return (struct affine){0};
    const struct traits_image *t = &n->traits->image;
    return (struct affine){params->at[n->in[t->scale]].data, params->at[n->in[t->bias]].data,
                           params->at[n->in[t->mean]].data, params->at[n->in[t->variance]].data,
                           t->epsilon};
}

/* The normalisation folded into one channel's weights, in `folded`, and its bias. */
static void fold(const struct affine *a, int64_t channel, const float *w, int64_t k, float *folded,
                 float *bias)
{
    const double factor = a->scale[channel] / sqrt(a->variance[channel] + a->epsilon);
    for (int64_t i = 0; i < k; i++)
        folded[i] = (float)(w[i] * factor);
    *bias = (float)((*bias - a->mean[channel]) * factor + a->bias[channel]);
}

/* A product's parameters on their way into a layer's numbers. */
struct matrix {
    const struct plan_layer *l;
    const float *weight, *bias; /* fp32, as the graph has them; bias NULL: none */
    struct affine affine;
    int64_t rows, k, channels;
    bool is_wide; /* sums of more than 32 bits */
    float *row;   /* scratch: one output channel in the machine's order, normalisation folded in */
};

/* One output channel's weights and bias in fp32. */
static float matrix_row(const struct matrix *m, int64_t i)
{
    const int64_t k = m->k;
    const float *w = m->weight + i * k;
    float bias = m->bias ? m->bias[i] : 0;
    g_autofree float *folded = m->affine.scale ? g_new(float, k) : NULL;
    if (folded) {
        fold(&m->affine, i, w, k, folded, &bias);
        w = folded;
    }
    reorder_row(m->row, w, k, m->channels);
    return bias;
}

/* Flexpoint: one exponent for all weights of a layer. */
static float shared_scale(const struct matrix *m)
{
    float max = 0;
    for (int64_t i = 0; i < m->rows; i++) {
        matrix_row(m, i);
        max = MAX(max, row_max(m->row, m->k));
    }
    return storage_scale(max, NUMBER_flex16);
}

static int64_t rounded(double x)
{
    return (int64_t)rint(CLAMP(x, -0x1p62, 0x1p62));
}

static void matrix_numbers(struct quant *q, const struct matrix *m)
{
    struct quant_layer *ql = &q->layers[m->l->index];
    const enum number format = m->l->weight_format;
    const bool is_float = number_is_float(format);
    const int64_t k = m->k, row_bytes = k * (int64_t)number_bytes(format);
    const double s_in = q->scale[m->l->in[0]], s_out = q->scale[m->l->out];
    const float shared = format == NUMBER_flex16 ? shared_scale(m) : 0;
    for (int64_t i = 0; i < m->rows; i++) {
        const float bias = matrix_row(m, i);
        const float s_w = shared > 0 ? shared : storage_scale(row_max(m->row, k), format);
        storage_encode((struct storage){format, s_w}, (char *)ql->weight + i * row_bytes, m->row,
                       k);
        if (is_float) {
            ql->float_bias[i] = bias;
            continue;
        }
        const double steps = bias / (s_in * s_w); /* of the sums */
        ql->bias[i] = m->is_wide ? rounded(steps) : int32_from_fp32((float)steps);
        if (ql->added) {
            struct requant both[2];
            requant_make_two(s_in * s_w / s_out, q->scale[m->l->in[m->l->added]] / s_out, both);
            ql->requant[i] = both[0];
            ql->added[i] = both[1];
        } else {
            ql->requant[i] = requant_make(MIN(s_in * s_w / s_out, 0x1p29));
        }
    }
}

/* A product of two activations: no bias, one factor for all columns. */
static void batched_params(struct quant *q, const struct plan_layer *l)
{
    struct quant_layer *ql = &q->layers[l->index];
    const size_t n = (size_t)l->gemm.n;
    ql->float_bias = ARENA_ARRAY(q->arena, float, n);
    if (number_is_float(l->weight_format))
        return;
    ql->bias = ARENA_ARRAY(q->arena, int64_t, n);
    ql->requant = ARENA_ARRAY(q->arena, struct requant, n);
    const double scale = (double)q->scale[l->in[0]] * q->scale[l->in[1]] / q->scale[l->out];
    for (size_t i = 0; i < n; i++)
        ql->requant[i] = requant_make(MIN(scale, 0x1p29));
}

static bool matrix_params(struct quant *q, const struct plan *p, const struct plan_layer *l,
                          const struct values *params, GError **error)
{
    if (l->stationary_is_activation) {
        batched_params(q, l);
        return true;
    }
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    const struct traits_product *product = &n->traits->product;
    const int i_bias = product->bias < 0 ? -1 : n->in[product->bias];
    struct matrix m = {.l = l,
                       .weight = params->at[n->in[product->stationary]].data,
                       .bias = i_bias < 0 ? NULL : params->at[i_bias].data,
                       .affine = affine_of(p, l, params),
                       .rows = l->gemm.n * l->gemm.groups,
                       .k = plan_operator_gemm(l).k,
                       .is_wide = plan_sum_words(p, l) > 1};
    m.channels = plan_in_dims(p, l, 0).c / plan_operator_gemm(l).groups;
    struct quant_layer *ql = &q->layers[l->index];
    ql->weight =
        l->weights_of == l->index
            ? arena_try_alloc(q->arena, (size_t)(m.rows * m.k) * number_bytes(l->weight_format))
            : q->layers[l->weights_of].weight; /* written anew with the same numbers */
    if (!ql->weight)
        return error_set(error, ERROR_LIMIT, "no memory for the weights of layer '%s'", l->name);
    if (number_is_float(l->weight_format)) {
        ql->float_bias = ARENA_ARRAY(q->arena, float, (size_t)m.rows);
    } else {
        ql->bias = ARENA_ARRAY(q->arena, int64_t, (size_t)m.rows);
        ql->requant = ARENA_ARRAY(q->arena, struct requant, (size_t)m.rows);
        if (l->added)
            ql->added = ARENA_ARRAY(q->arena, struct requant, (size_t)m.rows);
    }
    m.row = g_new(float, m.k);
    matrix_numbers(q, &m);
    g_free(m.row);
    return true;
}

/* Numbers of vector layers: a factor an input, or the table of a local response normalisation. */

int64_t quant_lrn_factor(const struct quant_layer *q, int64_t sum_of_squares)
{
    const int64_t i = MIN(sum_of_squares >> q->lrn_step_shift, QUANT_LRN_NODES - 2);
    const int64_t rest = sum_of_squares - (i << q->lrn_step_shift);
    const int64_t a = q->lrn_table[i], b = q->lrn_table[i + 1];
    return a + (((b - a) * rest) >> q->lrn_step_shift);
}

static void lrn_params(struct quant *q, const struct plan *p, const struct plan_layer *l)
{
    const struct traits_norm *a = &plan_layer_traits(p, l)->norm;
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
    requant_make_two((double)q->scale[l->in[0]] / q->scale[l->out],
                     (double)q->scale[l->in[1]] / q->scale[l->out], r);
}

static void vector_params(struct quant *q, const struct plan *p, const struct plan_layer *l)
{
    const struct traits *t = plan_layer_traits(p, l);
    struct quant_layer *ql = &q->layers[l->index];
    const double s_out = q->scale[l->out];
    if (l->permute || number_is_float(l->format) || vector_is_function(t))
        return; /* moved, or computed in fp32 */
    if (t->kind == TRAITS_NORM) {
        lrn_params(q, p, l);
        return;
    }
    if (t->kind == TRAITS_ELEMENT && t->element.adds) {
        add_params(q, l);
        return;
    }
    int64_t area = 1; /* a mean has a factor for each number of elements a window can have */
    if (t->kind == TRAITS_WINDOW && t->pool.is_mean)
        area = t->window.kernel[0] * t->window.kernel[1];
    ql->requant = ARENA_ARRAY(q->arena, struct requant, (size_t)MAX(area, l->n_in));
    for (int64_t i = 0; i < MAX(area, l->n_in); i++) {
        const double s_in = q->scale[l->in[area > 1 ? 0 : i]];
        ql->requant[i] = requant_make(MIN(s_in / s_out / (area > 1 ? (double)(i + 1) : 1), 0x1p29));
    }
}

/* quant_new(): scales, then the numbers of each layer. */

struct storage quant_storage(const struct plan *p, const struct quant *q, int value)
{
    return (struct storage){p->formats[value], q->scale[value]};
}

/* Rows of the table as the layer's output has them. */
static bool table_params(struct quant *q, const struct plan *p, const struct plan_layer *l,
                         const struct values *params, GError **error)
{
    struct quant_layer *ql = &q->layers[l->index];
    const struct tensor *table = &params->at[l->lookup->table];
    if (l->weights_of != l->index) {
        ql->weight = q->layers[l->weights_of].weight;
        return true;
    }
    ql->weight = arena_try_alloc(q->arena, (size_t)(l->lookup->rows * lookup_row_bytes(p, l)));
    if (!ql->weight)
        return error_set(error, ERROR_LIMIT, "no memory for the table of layer '%s'", l->name);
    storage_encode(quant_storage(p, q, l->out), ql->weight, table->data,
                   shape_count(&table->shape));
    return true;
}

struct quant *quant_new(const struct plan *p, const struct values *params,
                        const struct quant_ranges *ranges, GError **error)
{
    struct arena *arena = arena_new();
    struct quant *q = ARENA_NEW(arena, struct quant);
    q->arena = arena;
    q->scale = ARENA_ARRAY(arena, float, (size_t)p->graph->n_value);
    q->layers = ARENA_ARRAY(arena, struct quant_layer, (size_t)p->n_layer);
    set_scales(q, p, params, ranges);
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_VECTOR)
            vector_params(q, p, l);
        if ((l->kind == LAYER_MATRIX && !matrix_params(q, p, l, params, error)) ||
            (l->kind == LAYER_LOOKUP && !table_params(q, p, l, params, error))) {
            quant_free(q);
            return NULL;
        }
    }
    return q;
}

void quant_free(struct quant *q)
{
    if (q)
        arena_free(q->arena);
}
