/* SPDX-License-Identifier: Apache-2.0 */
/* Integer layers of the twin, on whole tensors widened to int16. */
#include <string.h>

#include "mapper/twin.h"
#include "sim/base/clones.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"

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
static void patch(const struct conv2d_attr *a, const struct dims *in, const int16_t *image,
                  int64_t group, int64_t oy, int64_t ox, int16_t *out)
{
    const int64_t channels = in->c / a->groups;
    for (int64_t r = 0; r < a->kernel.v[0]; r++) {
        for (int64_t s = 0; s < a->kernel.v[1]; s++, out += channels) {
            const int64_t y = oy * a->stride.v[0] + r * a->dilation.v[0] - a->pad.v[0];
            const int64_t x = ox * a->stride.v[1] + s * a->dilation.v[1] - a->pad.v[1];
            if (y < 0 || y >= in->h || x < 0 || x >= in->w)
                memset(out, 0, (size_t)channels * sizeof(*out));
            else
                memcpy(out, image + (y * in->w + x) * in->c + group * channels,
                       (size_t)channels * sizeof(*out));
        }
    }
}

/* One sum on its way out, of output channel c. */
static int16_t feature(const struct job *j, const int16_t *weight, const int16_t *x, int64_t c)
{
    const struct quant_layer *q = &j->t->quant->layers[j->l->index];
    const int64_t k = plan_operator_gemm(j->l).k;
    const bool is_wide = plan_sum_words(j->t->plan, j->l) > 1;
    const int64_t sum = is_wide ? wide_dot(x, weight + c * k, k) : dot(x, weight + c * k, k);
    return clamped(j, scaled(sum + q->bias[c], q->requant[c]));
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

void twin_integer_conv2d(const struct job *j, void *result)
{
    const struct conv2d_attr *a = j->n->attr;
    const struct dims *in = &j->in, *o = &j->out;
    const int64_t n = plan_operator_gemm(j->l).n;
    g_autofree int16_t *window = g_new(int16_t, plan_operator_gemm(j->l).k),
                       *weight = wide_weights(j);
    int16_t *out = result;
    for (int64_t i = 0; i < o->n * o->h * o->w; i++) {
        const int16_t *image = (const int16_t *)j->x[0] + i / (o->h * o->w) * dims_image(in);
        for (int64_t g = 0; g < a->groups; g++) {
            patch(a, in, image, g, i / o->w % o->h, i % o->w, window);
            for (int64_t c = g * n; c < (g + 1) * n; c++)
                out[i * o->c + c] = feature(j, weight, window, c);
        }
    }
}

void twin_integer_fc(const struct job *j, void *result)
{
    const struct gemm gemm = plan_operator_gemm(j->l), *g = &gemm;
    g_autofree int16_t *weight = wide_weights(j);
    int16_t *out = result;
    for (int64_t c = 0; c < g->n; c++)
        for (int64_t i = 0; i < g->m; i++)
            out[i * g->n + c] = feature(j, weight, (const int16_t *)j->x[0] + i * g->k, c);
}

/* Column c of a matrix of the second operand. */
static void column(const struct job *j, const int16_t *w, int64_t c, int64_t *out)
{
    const struct gemm *g = &j->l->gemm;
    const bool turned = ((const struct batched_product_attr *)j->n->attr)->transpose;
    for (int64_t k = 0; k < g->k; k++)
        out[k] = turned ? w[c * g->k + k] : w[k * g->n + c];
}

void twin_integer_batched_product(const struct job *j, void *result)
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

void twin_integer_lrn(const struct job *j, void *result)
{
    const struct lrn_attr *a = j->n->attr;
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

/* Maxima, or means where q is given, over the windows of x. */
static void pool(const struct job *j, const struct pool_attr *a, const struct quant_layer *q,
                 int16_t *out)
{
    const struct dims *in = &j->in, *o = &j->out;
    for (int64_t i = 0; i < o->n * o->h * o->w; i++) {
        const int64_t y = i / o->w % o->h * a->stride.v[0] - a->pad.v[0];
        const int64_t left = i % o->w * a->stride.v[1] - a->pad.v[1];
        const int16_t *image = (const int16_t *)j->x[0] + i / (o->h * o->w) * dims_image(in);
        for (int64_t c = 0; c < o->c; c++) {
            int64_t sum = 0, count = 0, max = INT16_MIN;
            for (int64_t r = 0; r < a->kernel.v[0] * a->kernel.v[1]; r++) {
                const int64_t iy = y + r / a->kernel.v[1], ix = left + r % a->kernel.v[1];
                if (iy < 0 || iy >= in->h || ix < 0 || ix >= in->w)
                    continue;
                const int16_t v = image[(iy * in->w + ix) * in->c + c];
                sum += v;
                count++;
                max = MAX(max, v);
            }
            if (a->count_pad)
                count = MIN(a->kernel.v[0], in->h + a->pad.v[2] - y) *
                        MIN(a->kernel.v[1], in->w + a->pad.v[3] - left);
            out[i * o->c + c] = q ? clamped(j, scaled(sum, q->requant[count - 1])) : (int16_t)max;
        }
    }
}

void twin_integer_maxpool(const struct job *j, void *out)
{
    pool(j, j->n->attr, NULL, out);
}

void twin_integer_avgpool(const struct job *j, void *out)
{
    pool(j, j->n->attr, &j->t->quant->layers[j->l->index], out);
}

void twin_integer_add(const struct job *j, void *result)
{
    const struct requant *r = j->t->quant->layers[j->l->index].requant;
    const struct requant one = {.mult = 1, .shift = r[0].shift};
    const int16_t *a = j->x[0], *b = j->x[1];
    int16_t *out = result;
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++) {
        const int64_t x = a[twin_operand_at(j, 0, i)], y = b[twin_operand_at(j, 1, i)];
        out[i] = clamped(j, scaled(x * r[0].mult + y * r[1].mult, one));
    }
}

void twin_integer_concat(const struct job *j, void *result)
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

void twin_integer_relu(const struct job *j, void *result)
{
    const struct requant r = j->t->quant->layers[j->l->index].requant[0];
    int16_t *out = result;
    for (int64_t i = 0; i < j->out.n * dims_image(&j->out); i++)
        out[i] = (int16_t)MAX(clamped(j, scaled(((const int16_t *)j->x[0])[i], r)), 0);
}
