/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point layers of the twin, on whole tensors widened to fp32. A sum of products is made as
 * the machine documents it: over sum_k products from 0, each rounded and then each sum; such sums
 * are added one after the other, and the bias last. */
#include <math.h>
#include <string.h>

#include "mapper/twin.h"
#include "sim/base/clones.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"

VECTOR_CLONES static void add_products(float *sum, float x, const float *w, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x * w[i];
}

VECTOR_CLONES static void add(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i];
}

/* One group's weights in fp32, [k][n]. */
static float *turned_weights(const struct job *j, int64_t group)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const size_t size = number_bytes(j->l->weight_format);
    const char *stored = j->t->quant->layers[j->l->index].weight;
    float *w = g_new(float, g->k * g->n);
    g_autofree float *row = g_new(float, g->k);
    for (int64_t c = 0; c < g->n; c++) {
        number_convert(row, NUMBER_fp32, stored + (size_t)((group * g->n + c) * g->k) * size,
                       j->l->weight_format, (size_t)g->k);
        for (int64_t k = 0; k < g->k; k++)
            w[k * g->n + c] = row[k];
    }
    return w;
}

/* Scratch of one row of sums. */
struct sums {
    float *part, *total;
};

static float within(const struct job *j, float x)
{
    if (j->cut.at_zero && x < 0)
        return 0;
    return x > j->cut.upper ? (float)j->cut.upper : x;
}

static void features(const struct job *j, const float *w, const float *x, const float *bias,
                     const struct sums *s, float *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const int64_t sum_k = j->t->plan->machine->sum_k ? j->t->plan->machine->sum_k : g->k;
    memset(s->total, 0, (size_t)g->n * sizeof(float));
    for (int64_t first = 0; first < g->k; first += sum_k) {
        memset(s->part, 0, (size_t)g->n * sizeof(float));
        for (int64_t k = first; k < MIN(first + sum_k, g->k); k++)
            add_products(s->part, x[k], w + k * g->n, g->n);
        add(s->total, s->part, g->n);
    }
    for (int64_t c = 0; c < g->n; c++) {
        out[c] = within(j, s->total[c] + bias[c]);
    }
}

/* The inputs of output pixel i of one group: kernel row, kernel column, channel. */
static void patch(const struct job *j, int64_t i, int64_t group, float *out)
{
    const struct conv2d_attr *a = j->n->attr;
    const struct dims *in = &j->in, *o = &j->out;
    const int64_t channels = in->c / a->groups, first = group * channels;
    const float *image = (const float *)j->x[0] + i / (o->h * o->w) * dims_image(in);
    for (int64_t k = 0; k < plan_operator_gemm(j->l).k; k++) {
        const int64_t tap = k / channels;
        const int64_t y = i / o->w % o->h * a->stride.v[0] - a->pad.v[0] +
                          tap / a->kernel.v[1] * a->dilation.v[0];
        const int64_t x =
            i % o->w * a->stride.v[1] - a->pad.v[1] + tap % a->kernel.v[1] * a->dilation.v[1];
        const bool is_inside = y >= 0 && y < in->h && x >= 0 && x < in->w;
        out[k] = is_inside ? image[(y * in->w + x) * in->c + first + k % channels] : 0;
    }
}

void twin_float_conv2d(const struct job *j, void *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *window = g_new(float, g->k), *scratch = g_new(float, 2 * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t group = 0; group < g->groups; group++) {
        g_autofree float *w = turned_weights(j, group);
        for (int64_t i = 0; i < j->out.n * j->out.h * j->out.w; i++) {
            patch(j, i, group, window);
            features(j, w, window, bias + group * g->n, &s,
                     (float *)out + i * j->out.c + group * g->n);
        }
    }
}

void twin_float_fc(const struct job *j, void *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *w = turned_weights(j, 0), *scratch = g_new(float, 2 * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t i = 0; i < g->m; i++)
        features(j, w, (const float *)j->x[0] + i * g->k, bias, &s, (float *)out + i * g->n);
}

void twin_float_batched_product(const struct job *j, void *result)
{
    const struct gemm *g = &j->l->gemm;
    const bool turned = ((const struct batched_product_attr *)j->n->attr)->transpose;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *scratch = g_new(float, 2 * g->n), *w = g_new(float, g->k * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t i = 0; i < g->groups; i++) {
        const float *y = (const float *)j->x[1] + i * g->k * g->n;
        for (int64_t k = 0; k < g->k * g->n; k++)
            w[k] = turned ? y[k % g->n * g->k + k / g->n] : y[k];
        for (int64_t m = i * g->m; m < (i + 1) * g->m; m++)
            features(j, w, (const float *)j->x[0] + m * g->k, bias, &s, (float *)result + m * g->n);
    }
}

void twin_float_lrn(const struct job *j, void *out)
{
    const struct lrn_attr *a = j->n->attr;
    const struct dims *d = &j->in;
    const int64_t low = (a->size - 1) / 2, high = a->size - 1 - low;
    for (int64_t i = 0; i < d->n * d->h * d->w; i++) {
        const float *x = (const float *)j->x[0] + i * d->c;
        for (int64_t c = 0; c < d->c; c++) {
            float squares = 0;
            for (int64_t k = c - low; k <= c + high; k++)
                if (k >= 0 && k < d->c)
                    squares += x[k] * x[k];
            const float base = (float)a->k + (float)(a->alpha / (double)a->size) * squares;
            ((float *)out)[i * d->c + c] = x[c] * powf(base, (float)-a->beta);
        }
    }
}

/* Maxima, or means, over the windows of x. */
static void pool(const struct job *j, bool is_mean, float *out)
{
    const struct pool_attr *a = j->n->attr;
    const struct dims *in = &j->in, *o = &j->out;
    for (int64_t i = 0; i < o->n * o->h * o->w * o->c; i++) {
        const int64_t pixel = i / o->c, c = i % o->c;
        const int64_t y = pixel / o->w % o->h * a->stride.v[0] - a->pad.v[0];
        const int64_t left = pixel % o->w * a->stride.v[1] - a->pad.v[1];
        const float *image = (const float *)j->x[0] + pixel / (o->h * o->w) * dims_image(in);
        float sum = 0, max = -INFINITY;
        int64_t count = 0;
        for (int64_t r = 0; r < a->kernel.v[0] * a->kernel.v[1]; r++) {
            const int64_t iy = y + r / a->kernel.v[1], ix = left + r % a->kernel.v[1];
            if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                continue;
            const float v = image[(iy * in->w + ix) * in->c + c];
            sum += v;
            count++;
            max = fmaxf(max, v);
        }
        if (a->count_pad)
            count = MIN(a->kernel.v[0], in->h + a->pad.v[2] - y) *
                    MIN(a->kernel.v[1], in->w + a->pad.v[3] - left);
        out[i] = is_mean ? sum * (1 / (float)count) : max;
    }
}

void twin_float_maxpool(const struct job *j, void *out)
{
    pool(j, false, out);
}

void twin_float_avgpool(const struct job *j, void *out)
{
    pool(j, true, out);
}

void twin_float_add(const struct job *j, void *out)
{
    const float *a = j->x[0], *b = j->x[1];
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        ((float *)out)[i] = within(j, a[twin_operand_at(j, 0, i)] + b[twin_operand_at(j, 1, i)]);
}

void twin_float_concat(const struct job *j, void *out)
{
    const struct dims *o = &j->out;
    float *at = out;
    for (int k = 0; k < j->l->n_in; k++) {
        const int64_t c_in = plan_in_dims(j->t->plan, j->l, k).c;
        for (int64_t i = 0; i < o->n * o->h * o->w; i++)
            memcpy(at + i * o->c, (const float *)j->x[k] + i * c_in, (size_t)c_in * sizeof(float));
        at += c_in;
    }
}

void twin_float_relu(const struct job *j, void *out)
{
    const float *x = j->x[0];
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        ((float *)out)[i] = x[i] < 0 ? 0 : x[i];
}
