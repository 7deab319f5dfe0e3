/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of matrix layers: weights as stored, biases and factors by output channel. */
#include <math.h>

#include "mapper/quant_parts.h"
#include "sim/base/error.h"
#include "workloads/ops/neural.h"

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
    const struct node *n = plan_layer_node(p, l, "batch_norm");
    if (!n)
        return (struct affine){0};
    const int *in = n->in + n->n_data;
    return (struct affine){params->at[in[0]].data, params->at[in[1]].data, params->at[in[2]].data,
                           params->at[in[3]].data, ((const struct norm_attr *)n->attr)->epsilon};
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
        ql->requant[i] = requant_make(MIN(s_in * s_w / s_out, 0x1p29));
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

bool quant_matrix_params(struct quant *q, const struct plan *p, const struct plan_layer *l,
                         const struct values *params, GError **error)
{
    if (l->from_buffer) {
        batched_params(q, l);
        return true;
    }
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    const int i_bias = n->n_in > n->n_data + 1 ? n->in[n->n_data + 1] : -1;
    struct matrix m = {.l = l,
                       .weight = params->at[n->in[n->n_data]].data,
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
    }
    m.row = g_new(float, m.k);
    matrix_numbers(q, &m);
    g_free(m.row);
    return true;
}
