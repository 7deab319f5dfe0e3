/* SPDX-License-Identifier: Apache-2.0 */
/* The twin: each layer over whole tensors in the plainest order, to compare a machine's
 * values with. Nothing here is shared with a machine's own arithmetic but the parameters. */
#include <math.h>
#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/values/host.h"
#include "mapper/values/lookup.h"
#include "mapper/values/permute.h"
#include "mapper/values/twin.h"
#include "mapper/values/quant.h"
#include "mapper/values/vector.h"
#include "sim/base/clones.h"
#include "sim/base/error.h"

struct twin {
    const struct plan *plan;
    const struct quant *quant;
    void **at;           /* by value: NHWC as stored */
    struct tensor *host; /* by value: fp32; what was given, and what layers on the host make */
};

/* One node over its whole inputs, which are int16 NHWC in a layer of integers, else fp32. */
struct job {
    const struct twin *t;
    const struct plan_layer *l;
    const struct node *n;
    struct dims in, out;        /* of its first input and of its output */
    struct plan_cut cut;        /* of its output */
    const void *x[PLAN_MAX_IN]; /* its inputs */
};

/* Place of an element as stored, channels of images last, from its indices, and back. */
static int64_t at_indices(const struct shape *s, const int64_t *i)
{
    if (s->n_dim == 4)
        return ((i[0] * s->dim[2] + i[2]) * s->dim[3] + i[3]) * s->dim[1] + i[1];
    int64_t at = 0;
    for (int d = 0; d < s->n_dim; d++)
        at = at * s->dim[d] + i[d];
    return at;
}

static void indices_at(const struct shape *s, int64_t at, int64_t *i)
{
    static const int inward[] = {1, 3, 2, 0}; /* of NHWC, the innermost first */
    for (int k = 0; k < s->n_dim; k++) {
        const int d = s->n_dim == 4 ? inward[k] : s->n_dim - 1 - k;
        i[d] = at % s->dim[d];
        at /= s->dim[d];
    }
}

static int64_t operand_at(const struct job *j, int k, int64_t i_out)
{
    const struct value *values = j->t->plan->graph->values;
    const struct shape *out = &values[j->n->out[0]].shape, *own = &values[j->n->in[k]].shape;
    if (shape_equal(out, own))
        return i_out;
    int64_t i[SHAPE_MAX_DIM], *mine = i + out->n_dim - own->n_dim;
    indices_at(out, i_out, i);
    for (int d = 0; d < own->n_dim; d++)
        mine[d] = own->dim[d] == 1 ? 0 : mine[d];
    return at_indices(own, mine);
}

/* Floating-point layers of the twin, on whole tensors widened to fp32. A sum of products is made as
 * the machine documents it: over sum_k products from 0, each rounded and then each sum; such sums
 * are added one after the other, and the bias last. */

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

/* The element of what is added to the sums that joins element i of the output. */
static float float_added(const struct job *j, int64_t i)
{
    return j->l->added ? ((const float *)j->x[j->l->added])[i] : 0;
}

/* One row of sums, of output elements i and on. */
static void features(const struct job *j, const float *w, const float *x, const float *bias,
                     const struct sums *s, int64_t i, float *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const int64_t sum_k = j->l->sum_k ? j->l->sum_k : g->k;
    memset(s->total, 0, (size_t)g->n * sizeof(float));
    for (int64_t first = 0; first < g->k; first += sum_k) {
        memset(s->part, 0, (size_t)g->n * sizeof(float));
        for (int64_t k = first; k < MIN(first + sum_k, g->k); k++)
            add_products(s->part, x[k], w + k * g->n, g->n);
        add(s->total, s->part, g->n);
    }
    for (int64_t c = 0; c < g->n; c++) {
        const float y = s->total[c] + bias[c];
        out[i + c] = within(j, j->l->added ? y + float_added(j, i + c) : y);
    }
}

/* The inputs of output pixel i of one group: kernel row, kernel column, channel. */
static void float_patch(const struct job *j, int64_t i, int64_t group, float *out)
{
    const struct traits_window *a = &j->n->traits->window;
    const struct dims *in = &j->in, *o = &j->out;
    const int64_t channels = in->c / plan_operator_gemm(j->l).groups, first = group * channels;
    const float *image = (const float *)j->x[0] + i / (o->h * o->w) * dims_image(in);
    for (int64_t k = 0; k < plan_operator_gemm(j->l).k; k++) {
        const int64_t tap = k / channels;
        const int64_t y =
            i / o->w % o->h * a->stride[0] - a->pad[0] + tap / a->kernel[1] * a->dilation[0];
        const int64_t x = i % o->w * a->stride[1] - a->pad[1] + tap % a->kernel[1] * a->dilation[1];
        const bool is_inside = y >= 0 && y < in->h && x >= 0 && x < in->w;
        out[k] = is_inside ? image[(y * in->w + x) * in->c + first + k % channels] : 0;
    }
}

static void float_convolution(const struct job *j, void *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *window = g_new(float, g->k), *scratch = g_new(float, 2 * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t group = 0; group < g->groups; group++) {
        g_autofree float *w = turned_weights(j, group);
        for (int64_t i = 0; i < j->out.n * j->out.h * j->out.w; i++) {
            float_patch(j, i, group, window);
            features(j, w, window, bias + group * g->n, &s, i * j->out.c + group * g->n, out);
        }
    }
}

static void float_rows(const struct job *j, void *out)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *w = turned_weights(j, 0), *scratch = g_new(float, 2 * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t i = 0; i < g->m; i++)
        features(j, w, (const float *)j->x[0] + i * g->k, bias, &s, i * g->n, out);
}

static void float_stack(const struct job *j, void *result)
{
    const struct gemm *g = &j->l->gemm;
    const bool turned = j->n->traits->product.transposed;
    const float *bias = j->t->quant->layers[j->l->index].float_bias;
    g_autofree float *scratch = g_new(float, 2 * g->n), *w = g_new(float, g->k * g->n);
    const struct sums s = {scratch, scratch + g->n};
    for (int64_t i = 0; i < g->groups; i++) {
        const float *y = (const float *)j->x[1] + i * g->k * g->n;
        for (int64_t k = 0; k < g->k * g->n; k++)
            w[k] = turned ? y[k % g->n * g->k + k / g->n] : y[k];
        for (int64_t m = i * g->m; m < (i + 1) * g->m; m++)
            features(j, w, (const float *)j->x[0] + m * g->k, bias, &s, m * g->n, result);
    }
}

static void float_norm(const struct job *j, void *out)
{
    const struct traits_norm *a = &j->n->traits->norm;
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
static void float_pool(const struct job *j, void *result)
{
    const struct traits_window *a = &j->n->traits->window;
    const struct traits_pool *pool = &j->n->traits->pool;
    float *out = result;
    const struct dims *in = &j->in, *o = &j->out;
    for (int64_t i = 0; i < o->n * o->h * o->w * o->c; i++) {
        const int64_t pixel = i / o->c, c = i % o->c;
        const int64_t y = pixel / o->w % o->h * a->stride[0] - a->pad[0];
        const int64_t left = pixel % o->w * a->stride[1] - a->pad[1];
        const float *image = (const float *)j->x[0] + pixel / (o->h * o->w) * dims_image(in);
        float sum = 0, max = -INFINITY;
        int64_t count = 0;
        for (int64_t r = 0; r < a->kernel[0] * a->kernel[1]; r++) {
            const int64_t iy = y + r / a->kernel[1], ix = left + r % a->kernel[1];
            if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                continue;
            const float v = image[(iy * in->w + ix) * in->c + c];
            sum += v;
            count++;
            max = fmaxf(max, v);
        }
        if (pool->counts_pad)
            count = MIN(a->kernel[0], in->h + a->pad[2] - y) *
                    MIN(a->kernel[1], in->w + a->pad[3] - left);
        out[i] = pool->is_mean ? sum * (1 / (float)count) : max;
    }
}

static void float_add(const struct job *j, void *out)
{
    const float *a = j->x[0], *b = j->x[1];
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        ((float *)out)[i] = within(j, a[operand_at(j, 0, i)] + b[operand_at(j, 1, i)]);
}

static void float_join(const struct job *j, void *out)
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

static void float_rectify(const struct job *j, void *out)
{
    const float *x = j->x[0];
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        ((float *)out)[i] = x[i] < 0 ? 0 : x[i];
}

/* Integer layers of the twin, on whole tensors widened to int16. */

VECTOR_CLONES static int32_t dot(const int16_t *a, const int16_t *b, int64_t n)
{
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

VECTOR_CLONES static int64_t wide_dot(const int16_t *a, const int16_t *b, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* round half up(x * mult / 2^shift), in two halves. */
static int64_t scaled(int64_t x, struct requant r)
{
    return (int64_t)(((((__int128)x * r.mult) >> (r.shift - 1)) + 1) >> 1);
}

static int16_t clamped(const struct job *j, int64_t y)
{
    const int64_t limit = storage_limit(j->l->format);
    const struct storage s = quant_storage(j->t->plan, j->t->quant, j->l->out);
    return (int16_t)CLAMP(y, j->cut.at_zero ? 0 : -limit,
                          MIN(limit, storage_bound(s, j->cut.upper)));
}

/* The inputs of one output pixel of one group, in the order of the weights. */
static void integer_patch(const struct job *j, const int16_t *image, int64_t group, int64_t oy,
                          int64_t ox, int16_t *out)
{
    const struct traits_window *a = &j->n->traits->window;
    const struct dims *in = &j->in;
    const int64_t channels = in->c / plan_operator_gemm(j->l).groups;
    for (int64_t r = 0; r < a->kernel[0]; r++) {
        for (int64_t s = 0; s < a->kernel[1]; s++, out += channels) {
            const int64_t y = oy * a->stride[0] + r * a->dilation[0] - a->pad[0];
            const int64_t x = ox * a->stride[1] + s * a->dilation[1] - a->pad[1];
            if (y < 0 || y >= in->h || x < 0 || x >= in->w)
                memset(out, 0, (size_t)channels * sizeof(*out));
            else
                memcpy(out, image + (y * in->w + x) * in->c + group * channels,
                       (size_t)channels * sizeof(*out));
        }
    }
}

/* One sum on its way out, of output channel c: element i of the output. */
static int16_t feature(const struct job *j, const int16_t *weight, const int16_t *x, int64_t c,
                       int64_t i)
{
    const struct quant_layer *q = &j->t->quant->layers[j->l->index];
    const int64_t k = plan_operator_gemm(j->l).k;
    const bool is_wide = plan_sum_words(j->t->plan, j->l) > 1;
    const int64_t sum = is_wide ? wide_dot(x, weight + c * k, k) : dot(x, weight + c * k, k);
    if (!j->l->added)
        return clamped(j, scaled(sum + q->bias[c], q->requant[c]));
    /* Both in units of 2^-shift of the output's steps; half a step more, then cut off. */
    const int64_t added = ((const int16_t *)j->x[j->l->added])[i];
    const __int128 units =
        (__int128)(sum + q->bias[c]) * q->requant[c].mult + (__int128)added * q->added[c].mult;
    return clamped(j, (int64_t)(((units >> (q->requant[c].shift - 1)) + 1) >> 1));
}

static int16_t *wide_weights(const struct job *j)
{
    const struct gemm g = plan_operator_gemm(j->l);
    const int64_t n = g.groups * g.n * g.k;
    int16_t *w = g_new(int16_t, n);
    number_convert(w, NUMBER_int16, j->t->quant->layers[j->l->index].weight, j->l->weight_format,
                   (size_t)n);
    return w;
}

static void integer_convolution(const struct job *j, void *result)
{
    const struct dims *in = &j->in, *o = &j->out;
    const int64_t n = plan_operator_gemm(j->l).n, groups = plan_operator_gemm(j->l).groups;
    g_autofree int16_t *window = g_new(int16_t, plan_operator_gemm(j->l).k),
                       *weight = wide_weights(j);
    int16_t *out = result;
    for (int64_t i = 0; i < o->n * o->h * o->w; i++) {
        const int16_t *image = (const int16_t *)j->x[0] + i / (o->h * o->w) * dims_image(in);
        for (int64_t g = 0; g < groups; g++) {
            integer_patch(j, image, g, i / o->w % o->h, i % o->w, window);
            for (int64_t c = g * n; c < (g + 1) * n; c++)
                out[i * o->c + c] = feature(j, weight, window, c, i * o->c + c);
        }
    }
}

static void integer_rows(const struct job *j, void *result)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    g_autofree int16_t *weight = wide_weights(j);
    int16_t *out = result;
    for (int64_t c = 0; c < g->n; c++)
        for (int64_t i = 0; i < g->m; i++)
            out[i * g->n + c] =
                feature(j, weight, (const int16_t *)j->x[0] + i * g->k, c, i * g->n + c);
}

/* Column c of a matrix of the second operand. */
static void column(const struct job *j, const int16_t *w, int64_t c, int64_t *out)
{
    const struct gemm *g = &j->l->gemm;
    const bool turned = j->n->traits->product.transposed;
    for (int64_t k = 0; k < g->k; k++)
        out[k] = turned ? w[c * g->k + k] : w[k * g->n + c];
}

static void integer_stack(const struct job *j, void *result)
{
    const struct gemm *g = &j->l->gemm;
    const struct quant_layer *q = &j->t->quant->layers[j->l->index];
    g_autofree int64_t *w = g_new(int64_t, g->k);
    for (int64_t i = 0; i < g->groups * g->n; i++) {
        const int16_t *x = (const int16_t *)j->x[0] + i / g->n * g->m * g->k;
        int16_t *out = (int16_t *)result + i / g->n * g->m * g->n + i % g->n;
        column(j, (const int16_t *)j->x[1] + i / g->n * g->k * g->n, i % g->n, w);
        for (int64_t m = 0; m < g->m; m++) {
            int64_t sum = 0;
            for (int64_t k = 0; k < g->k; k++)
                sum += x[m * g->k + k] * w[k];
            out[m * g->n] = clamped(j, scaled(sum, q->requant[i % g->n]));
        }
    }
}

static void integer_norm(const struct job *j, void *result)
{
    const struct traits_norm *a = &j->n->traits->norm;
    const struct quant_layer *q = &j->t->quant->layers[j->l->index];
    const struct dims *d = &j->in;
    const int64_t low = (a->size - 1) / 2, high = a->size - 1 - low;
    int16_t *out = result;
    for (int64_t i = 0; i < d->n * d->h * d->w; i++) {
        const int16_t *x = (const int16_t *)j->x[0] + i * d->c;
        for (int64_t c = 0; c < d->c; c++) {
            int64_t sum = 0;
            for (int64_t k = MAX(c - low, 0); k <= MIN(c + high, d->c - 1); k++)
                sum += x[k] * x[k];
            const struct requant one = {.mult = 1, .shift = q->lrn_bits};
            out[i * d->c + c] = clamped(j, scaled(x[c] * quant_lrn_factor(q, sum), one));
        }
    }
}

/* Maxima, or means, over the windows of x. */
static void integer_pool(const struct job *j, void *result)
{
    const struct traits_window *a = &j->n->traits->window;
    const struct traits_pool *pool = &j->n->traits->pool;
    const struct requant *factors = j->t->quant->layers[j->l->index].requant; /* of means */
    int16_t *out = result;
    const struct dims *in = &j->in, *o = &j->out;
    for (int64_t i = 0; i < o->n * o->h * o->w; i++) {
        const int64_t y = i / o->w % o->h * a->stride[0] - a->pad[0];
        const int64_t left = i % o->w * a->stride[1] - a->pad[1];
        const int16_t *image = (const int16_t *)j->x[0] + i / (o->h * o->w) * dims_image(in);
        for (int64_t c = 0; c < o->c; c++) {
            int64_t sum = 0, count = 0, max = INT16_MIN;
            for (int64_t r = 0; r < a->kernel[0] * a->kernel[1]; r++) {
                const int64_t iy = y + r / a->kernel[1], ix = left + r % a->kernel[1];
                if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                    continue;
                const int16_t v = image[(iy * in->w + ix) * in->c + c];
                sum += v;
                count++;
                max = MAX(max, v);
            }
            if (pool->counts_pad)
                count = MIN(a->kernel[0], in->h + a->pad[2] - y) *
                        MIN(a->kernel[1], in->w + a->pad[3] - left);
            out[i * o->c + c] =
                pool->is_mean ? clamped(j, scaled(sum, factors[count - 1])) : (int16_t)max;
        }
    }
}

static void integer_add(const struct job *j, void *result)
{
    const struct requant *r = j->t->quant->layers[j->l->index].requant;
    const struct requant one = {.mult = 1, .shift = r[0].shift};
    const int16_t *a = j->x[0], *b = j->x[1];
    int16_t *out = result;
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++) {
        const int64_t x = a[operand_at(j, 0, i)], y = b[operand_at(j, 1, i)];
        out[i] = clamped(j, scaled(x * r[0].mult + y * r[1].mult, one));
    }
}

static void integer_join(const struct job *j, void *result)
{
    const struct dims *o = &j->out;
    int16_t *out = result;
    for (int k = 0; k < j->l->n_in; k++) {
        const int64_t c_in = plan_in_dims(j->t->plan, j->l, k).c;
        const struct requant r = j->t->quant->layers[j->l->index].requant[k];
        for (int64_t i = 0; i < o->n * o->h * o->w; i++)
            for (int64_t c = 0; c < c_in; c++)
                out[i * o->c + c] = clamped(j, scaled(((const int16_t *)j->x[k])[i * c_in + c], r));
        out += c_in;
    }
}

static void integer_rectify(const struct job *j, void *result)
{
    const struct requant r = j->t->quant->layers[j->l->index].requant[0];
    int16_t *out = result;
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        out[i] = (int16_t)MAX(clamped(j, scaled(((const int16_t *)j->x[0])[i], r)), 0);
}

/* The twin: each layer over whole tensors in the plainest order, to compare a machine's
 * values with. Nothing here is shared with a machine's own arithmetic but the parameters. */

typedef void (*run_fn)(const struct job *j, void *out);

/* What an operator's traits ask for: of integers, and of floating-point numbers. */
static run_fn run_of(const struct traits *t, bool is_float)
{
    static const run_fn convolve[] = {integer_convolution, float_convolution},
                        multiply_rows[] = {integer_rows, float_rows},
                        multiply_stack[] = {integer_stack, float_stack},
                        norm[] = {integer_norm, float_norm}, pool[] = {integer_pool, float_pool},
                        sum[] = {integer_add, float_add}, join[] = {integer_join, float_join},
                        rectify[] = {integer_rectify, float_rectify};
    switch (t->kind) {
    case TRAITS_PRODUCT:
        return (t->product.stacked    ? multiply_stack
                : traits_convolves(t) ? convolve
                                      : multiply_rows)[is_float];
    case TRAITS_NORM:
        return norm[is_float];
    case TRAITS_WINDOW:
        return pool[is_float];
    case TRAITS_JOIN:
        return join[is_float];
    case TRAITS_ELEMENT:
        return (t->element.adds ? sum : rectify)[is_float];
    default:
        g_assert_not_reached();
    }
}

/* A value's elements in the wider format that layers of this kind are computed in. */
static void *widened(const void *stored, enum number format, int64_t n, enum number wide)
{
    void *x = g_try_malloc((gsize)MAX(n, 1) * number_bytes(wide));
    if (x)
        number_convert(x, wide, stored, format, (size_t)n);
    return x;
}

static bool run_node(struct job *j, bool is_float, void **out)
{
    *out = g_try_malloc((gsize)MAX(j->out.n * dims_image(&j->out), 1) * sizeof(float));
    if (*out)
        run_of(j->n->traits, is_float)(j, *out);
    return *out != NULL;
}

/* The layer's first node, then the pooling on its way out. */
static bool run_nodes(struct twin *t, const struct plan_layer *l, struct job *j, enum number wide,
                      void **out)
{
    const struct graph *g = t->plan->graph;
    const bool is_float = wide == NUMBER_fp32;
    for (int k = 0; k < l->n_in; k++) {
        const int v = l->in[k];
        const int64_t n = shape_count(&g->values[v].shape);
        if (!(j->x[k] = widened(t->at[v], t->plan->formats[v], n, wide)))
            return false;
    }
    if (!run_node(j, is_float, out))
        return false;
    struct job pool = {.t = t,
                       .l = l,
                       .n = plan_layer_pool(t->plan, l),
                       .in = j->out,
                       .cut = {.upper = INFINITY},
                       .x = {*out}};
    if (!pool.n)
        return true;
    pool.out = dims_of(&g->values[l->out].shape);
    void *before = *out;
    const bool ok = run_node(&pool, is_float, out);
    g_free(before);
    return ok;
}

static void *new_value(const struct twin *t, int value, GError **error)
{
    const struct dims d = dims_of(&t->plan->graph->values[value].shape);
    void *q = g_try_malloc((gsize)(d.n * plan_image_bytes(t->plan, value)));
    if (!q)
        error_set(error, ERROR_LIMIT, "no memory to check '%s'",
                  t->plan->graph->values[value].name);
    return q;
}

/* Bytes of an input before the first image that is needed. */
static int64_t first_needed(const struct plan *p, const struct plan_layer *l, int i_in,
                            const struct region *out)
{
    int64_t skip;
    return plan_input_region(p, l, i_in, out, &skip).image * plan_image_bytes(p, l->in[i_in]);
}

/* An operator of mapper/values/vector.h, or a move: all of it is one chunk. */
static bool vector_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct dims o = dims_of(&t->plan->graph->values[l->out].shape);
    const struct region all = region_whole(&o);
    const void *in[PLAN_MAX_IN];
    for (int j = 0; j < l->n_in; j++)
        in[j] = (const char *)t->at[l->in[j]] + first_needed(t->plan, l, j, &all);
    void *out[PLAN_MAX_OUT];
    for (int k = 0; k < l->n_out; k++)
        if (!(out[k] = t->at[l->outs[k]] = new_value(t, l->outs[k], error)))
            return false;
    if (l->permute) {
        struct permute_table table = {0};
        const bool ok = permute_run(t->plan, t->quant, l, &all, in, out, &table, error);
        permute_table_clear(&table);
        return ok;
    }
    return vector_compute(t->plan, t->quant, l, &all, t->host, in, out[0], error);
}

/* Each row from the graph's table, stored by itself. */
static bool lookup_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct plan *p = t->plan;
    const int64_t n = shape_count(&p->graph->values[l->in[0]].shape), width = l->lookup->width;
    const float *table = t->host[l->lookup->table].data;
    g_autofree float *zeros = g_new0(float, width);
    if (!(t->at[l->out] = new_value(t, l->out, error)))
        return false;
    for (int64_t i = 0; i < n; i++) {
        const int64_t index = number_get_int64(t->at[l->in[0]], p->formats[l->in[0]], (size_t)i);
        const int64_t row = lookup_row(p, l, index, error);
        if (row < 0)
            return false;
        storage_encode(quant_storage(p, t->quant, l->out),
                       (char *)t->at[l->out] + i * lookup_row_bytes(p, l),
                       row == l->lookup->padding ? zeros : table + row * width, width);
    }
    return true;
}

static bool layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    if (l->lookup)
        return lookup_layer(t, l, error);
    if (l->permute || vector_is_function(plan_layer_traits(t->plan, l)))
        return vector_layer(t, l, error);
    const struct graph *g = t->plan->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    struct job j = {.t = t,
                    .l = l,
                    .n = n,
                    .in = plan_in_dims(t->plan, l, 0),
                    .out = dims_of(&g->values[n->out[0]].shape),
                    .cut = plan_layer_cut(t->plan, l)};
    const enum number wide = number_is_float(l->format) ? NUMBER_fp32 : NUMBER_int16;
    void *out = NULL;
    const bool ok = run_nodes(t, l, &j, wide, &out);
    if (ok)
        t->at[l->out] = widened(out, wide, shape_count(&g->values[l->out].shape), l->format);
    for (int k = 0; k < l->n_in; k++)
        g_free((void *)j.x[k]);
    g_free(out);
    if (ok && t->at[l->out])
        return true;
    return error_set(error, ERROR_LIMIT, "no memory to check layer '%s'", l->name);
}

static bool host_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct graph *g = t->plan->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++) {
        const struct value *v = n->out[i] < 0 ? NULL : &g->values[n->out[i]];
        if (v && !tensor_alloc(&t->host[v->index], v->type, &v->shape, error))
            return false;
    }
    return host_compute(t->plan, t->quant, l, t->host, t->at, error);
}

/* What a layer on the machine reads of the host's is quantised there. */
static bool take_inputs(struct twin *t, const struct plan_layer *l, GError **error)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (t->at[v])
            continue;
        if (!(t->at[v] = new_value(t, v, error)))
            return false;
        storage_to_nhwc(t->at[v], &t->host[v], quant_storage(t->plan, t->quant, v));
    }
    return true;
}

static size_t stored_bytes(const struct twin *t, int value)
{
    return (size_t)(shape_count(&t->plan->graph->values[value].shape) *
                    plan_element_bytes(t->plan, value));
}

/* Instead of a layer: what the machine made, by value. */
static bool take_outputs(struct twin *t, const struct plan_layer *l, void *const *machine,
                         GError **error)
{
    for (int k = 0; k < l->n_out; k++) {
        const int v = l->outs[k];
        if (!(t->at[v] = new_value(t, v, error)))
            return false;
        memcpy(t->at[v], machine[v], stored_bytes(t, v));
    }
    return true;
}

/* A value is held until its last reader; layers on the host may read later than the machine does.
 */
static void forget(struct twin *t, int i_layer)
{
    const struct plan *p = t->plan;
    for (int v = 0; v < p->graph->n_value; v++)
        if (t->at[v] && p->homes[v].last_layer <= i_layer)
            g_clear_pointer(&t->at[v], g_free);
}

static bool execute_layer(struct twin *t, int i, const bool *skip, void *const *machine,
                          twin_visit_fn visit, void *user, GError **error)
{
    const struct plan_layer *l = &t->plan->layers[i];
    if (l->kind == LAYER_HOST)
        return host_layer(t, l, error) &&
               visit(i, l->out, t->host[l->out].data, tensor_bytes(&t->host[l->out]), user, error);
    if (skip && skip[i])
        return take_outputs(t, l, machine, error);
    bool ok = take_inputs(t, l, error) && layer(t, l, error);
    for (int k = 0; ok && k < l->n_out; k++) {
        const int v = l->outs[k];
        ok = visit(i, v, t->at[v], stored_bytes(t, v), user, error);
    }
    return ok;
}

bool twin_run(const struct plan *p, const struct quant *q, const struct tensor *host,
              const bool *skip, void *const *machine, twin_visit_fn visit, void *user,
              GError **error)
{
    struct twin t = {p, q, g_new0(void *, p->graph->n_value),
                     g_new0(struct tensor, p->graph->n_value)};
    bool ok = true;
    for (int v = 0; v < p->graph->n_value; v++)
        if (p->graph->values[v].kind != VALUE_NODE)
            t.host[v] = host[v];
    for (int i = 0; i < p->n_layer && ok; i++) {
        ok = execute_layer(&t, i, skip, machine, visit, user, error);
        forget(&t, i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        g_free(t.at[v]);
        if (p->graph->values[v].kind == VALUE_NODE)
            tensor_clear(&t.host[v]);
    }
    g_free(t.at);
    g_free(t.host);
    return ok;
}
