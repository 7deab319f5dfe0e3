/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_lanes.h"

#include <math.h>
#include <string.h>

#include "sim/base/size.h"

/* An integer on its way out: what does not fit is cut off, and counted. */
static int32_t kept(const struct pass *p, int64_t y, int64_t lo, uint64_t *saturated)
{
    *saturated += y > p->limit || (y < -p->limit && lo < 0);
    return (int32_t)CLAMP(y, lo, p->limit);
}

uint64_t integer_relu(const struct pass *p, const struct pixel *at, int32_t *v)
{
    uint64_t saturated = 0;
    source_load(&p->in[0], at, v, NUMBER_int32);
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = kept(p, requant_round(v[c], p->q->requant[0]), 0, &saturated);
    return saturated;
}

uint64_t integer_lrn(const struct pass *p, const struct pixel *at, int32_t *v)
{
    const struct lrn_attr *a = p->node->attr;
    const int64_t channels = p->in[0].in.c;
    const int64_t before = (a->size - 1) / 2, after = a->size - 1 - before;
    int32_t *in = p->scratch;
    uint64_t saturated = 0;
    int64_t sum = 0;
    source_load(&p->in[0], at, in, NUMBER_int32);
    for (int64_t c = 0; c < MIN(after, channels); c++)
        sum += (int64_t)in[c] * in[c];
    for (int64_t c = 0; c < channels; c++) {
        if (c + after < channels)
            sum += (int64_t)in[c + after] * in[c + after];
        if (c - before > 0)
            sum -= (int64_t)in[c - before - 1] * in[c - before - 1];
        const int64_t product = in[c] * quant_lrn_factor(p->q, sum);
        const int64_t half = (int64_t)1 << (p->q->lrn_bits - 1);
        const int64_t y = (product + half) >> p->q->lrn_bits;
        v[c] = kept(p, y, -p->limit, &saturated);
    }
    return saturated;
}

/* The windows of a pixel of the output. */
static struct window_span rows_of(const struct pass *p, const struct pixel *at)
{
    return window_span(p->node->attr, 0, at->y, p->in[0].in.h);
}

static struct window_span columns_of(const struct pass *p, const struct pixel *at)
{
    return window_span(p->node->attr, 1, at->x, p->in[0].in.w);
}

/* Elements that a mean is over. */
static int64_t window_count(const struct pass *p, const struct pixel *at)
{
    const struct pool_attr *a = p->node->attr;
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    return a->count_pad ? ys.padded * xs.padded : (ys.end - ys.first) * (xs.end - xs.first);
}

uint64_t integer_maxpool(const struct pass *p, const struct pixel *at, int32_t *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    int32_t *in = p->scratch;
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = -p->limit - 1;
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct pixel){at->image, y, x}, in, NUMBER_int32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] = MAX(v[c], in[c]);
        }
    }
    return 0;
}

uint64_t integer_avgpool(const struct pass *p, const struct pixel *at, int32_t *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    const struct requant factor = p->q->requant[window_count(p, at) - 1];
    int32_t *in = p->scratch;
    uint64_t saturated = 0;
    memset(v, 0, (size_t)p->in[0].in.c * sizeof(*v));
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct pixel){at->image, y, x}, in, NUMBER_int32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] += in[c];
        }
    }
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = kept(p, requant_round(v[c], factor), -p->limit, &saturated);
    return saturated;
}

uint64_t integer_add(const struct pass *p, const struct pixel *at, int32_t *v)
{
    const struct requant ra = p->q->requant[0], rb = p->q->requant[1];
    int32_t *b = p->scratch;
    uint64_t saturated = 0;
    source_load(&p->in[0], at, v, NUMBER_int32);
    source_load(&p->in[1], at, b, NUMBER_int32);
    for (int64_t c = 0; c < p->n_channel; c++) {
        const int64_t sum = (int64_t)v[c] * ra.mult + (int64_t)b[c] * rb.mult;
        const int64_t y = (sum + ((int64_t)1 << (ra.shift - 1))) >> ra.shift;
        v[c] = kept(p, y, p->relu ? 0 : -p->limit, &saturated);
    }
    return saturated;
}

uint64_t integer_concat(const struct pass *p, const struct pixel *at, int32_t *v)
{
    uint64_t saturated = 0;
    for (int i = 0; i < p->n_in; i++) {
        source_load(&p->in[i], at, v, NUMBER_int32);
        for (int64_t c = 0; c < p->in[i].in.c; c++, v++)
            *v = kept(p, requant_round(*v, p->q->requant[i]), -p->limit, &saturated);
    }
    return saturated;
}

void float_relu(const struct pass *p, const struct pixel *at, float *v)
{
    source_load(&p->in[0], at, v, NUMBER_fp32);
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = v[c] < 0 ? 0 : v[c];
}

void float_lrn(const struct pass *p, const struct pixel *at, float *v)
{
    const struct lrn_attr *a = p->node->attr;
    const int64_t channels = p->in[0].in.c, before = (a->size - 1) / 2;
    const float scale = (float)(a->alpha / (double)a->size), k = (float)a->k;
    const float exponent = (float)-a->beta;
    float *in = p->scratch;
    source_load(&p->in[0], at, in, NUMBER_fp32);
    for (int64_t c = 0; c < channels; c++) {
        const int64_t end = MIN(c - before + a->size, channels);
        float sum = 0;
        for (int64_t j = MAX(c - before, 0); j < end; j++)
            sum += in[j] * in[j];
        v[c] = in[c] * powf(k + scale * sum, exponent);
    }
}

void float_maxpool(const struct pass *p, const struct pixel *at, float *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    float *in = p->scratch;
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = -INFINITY;
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct pixel){at->image, y, x}, in, NUMBER_fp32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] = in[c] > v[c] ? in[c] : v[c];
        }
    }
}

void float_avgpool(const struct pass *p, const struct pixel *at, float *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    const float factor = 1 / (float)window_count(p, at);
    float *in = p->scratch;
    memset(v, 0, (size_t)p->in[0].in.c * sizeof(*v));
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct pixel){at->image, y, x}, in, NUMBER_fp32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] += in[c];
        }
    }
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] *= factor;
}

void float_add(const struct pass *p, const struct pixel *at, float *v)
{
    float *b = p->scratch;
    source_load(&p->in[0], at, v, NUMBER_fp32);
    source_load(&p->in[1], at, b, NUMBER_fp32);
    for (int64_t c = 0; c < p->n_channel; c++) {
        v[c] += b[c];
        v[c] = p->relu && v[c] < 0 ? 0 : v[c];
    }
}

void float_concat(const struct pass *p, const struct pixel *at, float *v)
{
    for (int i = 0; i < p->n_in; i++) {
        source_load(&p->in[i], at, v, NUMBER_fp32);
        v += p->in[i].in.c;
    }
}
