/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_vector.h"

#include <string.h>

#include "workloads/ops/ops.h"

/* Where the values of one step go: straight to their pixel, or through the pooling hardware. */
struct sink {
    struct dims out;              /* of the layer */
    int8_t *base;                 /* of the step's region */
    int64_t image, row;           /* region's first */
    const struct pool_attr *pool; /* NULL: no pooling on the way out */
    bool relu;
};

static struct sink sink_of(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    struct sink s = {.out = dims_of(&p->graph->values[l->out].shape),
                     .image = st->region.image,
                     .row = st->region.row};
    const size_t bytes = (size_t)(st->region.n_image * st->region.n_row * s.out.w * s.out.c);
    s.base = (int8_t *)sram_write(&m->buffer, st->address, bytes);
    s.relu = plan_layer_node(p, l, "relu");
    const struct node *pool = plan_layer_pool(p, l);
    if (pool)
        s.pool = pool->attr;
    return s;
}

static int8_t *sink_pixel(const struct sink *s, int64_t image, int64_t y, int64_t x)
{
    return s->base + (((image - s->image) * s->out.h + y - s->row) * s->out.w + x) * s->out.c;
}

/* First and last output position of a pooling window sequence that covers input position i. */
static void windows_over(int64_t i, int64_t kernel, int64_t stride, int64_t pad, int64_t n_out,
                         int64_t *first, int64_t *last)
{
    const int64_t at = i + pad;
    *first = at < kernel ? 0 : (at - kernel) / stride + 1;
    *last = MIN(at / stride, n_out - 1);
}

/* n channels from c0 of one pixel. The pooling hardware keeps running maxima: the first pixel of a
 * window sets them. */
static void sink_put(const struct sink *s, int64_t image, int64_t y, int64_t x, int64_t c0,
                     const int8_t *v, int64_t n)
{
    if (!s->pool) {
        memcpy(sink_pixel(s, image, y, x) + c0, v, (size_t)n);
        return;
    }
    const struct pool_attr *a = s->pool;
    int64_t y0, y1, x0, x1;
    windows_over(y, a->kernel.v[0], a->stride.v[0], a->pad.v[0], s->out.h, &y0, &y1);
    windows_over(x, a->kernel.v[1], a->stride.v[1], a->pad.v[1], s->out.w, &x0, &x1);
    for (int64_t oy = y0; oy <= y1; oy++) {
        for (int64_t ox = x0; ox <= x1; ox++) {
            int8_t *out = sink_pixel(s, image, oy, ox) + c0;
            const bool is_first = y == MAX(oy * a->stride.v[0] - a->pad.v[0], 0) &&
                                  x == MAX(ox * a->stride.v[1] - a->pad.v[1], 0);
            for (int64_t i = 0; i < n; i++)
                out[i] = is_first || v[i] > out[i] ? v[i] : out[i];
        }
    }
}

void vector_activate(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    const struct quant_layer *q = &p->quant->layers[in->layer];
    const struct dims conv = dims_of(&p->graph->values[p->graph->nodes[l->nodes[0]].out[0]].shape);
    const struct sink sink = sink_of(m, in);
    const int64_t cols = m->self->cfg.cols, n = MIN(cols, l->gemm.n - in->tile_n * cols);
    const int64_t c0 = in->group * l->gemm.n + in->tile_n * cols;
    const int64_t per_image = plan_gemm_rows(p, l, &st->region) / st->region.n_image;
    const int8_t lo = sink.relu ? 0 : -127;
    int8_t v[4096];
    g_assert(n <= (int64_t)sizeof(v));
    for (int64_t i = 0; i < in->m; i++) {
        const int32_t *acc = m->accumulators + (in->first + i) * cols;
        for (int64_t j = 0; j < n; j++)
            v[j] = requant_clamp(
                requant_round((int64_t)acc[j] + q->bias[c0 + j], q->requant[c0 + j]), lo);
        const int64_t pixel = (in->m0 + i) % per_image;
        sink_put(&sink, st->region.image + (in->m0 + i) / per_image,
                 pixel / conv.w + (sink.pool ? 0 : st->region.row), pixel % conv.w, c0, v, n);
    }
}

/* One operand of a pass: the pixel's channels at image, y, x of the input. */
struct source {
    struct dims in;
    const int8_t *base;
    int64_t image, row; /* at base */
};

static struct source source_of(struct machine_state *m, const struct insn *in, int i_in)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    struct source s = {.in = dims_of(&m->plan->graph->values[l->in[i_in]].shape),
                       .image = st->region.image,
                       .row = st->in_row[i_in]};
    s.base = (const int8_t *)m->buffer.data + st->in_address[i_in];
    return s;
}

static const int8_t *source_pixel(const struct source *s, int64_t image, int64_t y, int64_t x)
{
    return s->base + (((image - s->image) * s->in.h + y - s->row) * s->in.w + x) * s->in.c;
}

/* What a pass needs at each pixel. */
struct pass {
    const struct insn *insn;
    const struct node *node;
    const struct quant_layer *q;
    struct source in[PLAN_MAX_IN];
    int n_in;
    int8_t lo;
};

typedef void (*pixel_fn)(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v);

static void pixel_relu(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v)
{
    const int8_t *in = source_pixel(&p->in[0], image, y, x);
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = requant_clamp(requant_round(in[c], p->q->requant[0]), 0);
}

static void pixel_lrn(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v)
{
    const struct lrn_attr *a = p->node->attr;
    const int8_t *in = source_pixel(&p->in[0], image, y, x);
    const int64_t channels = p->in[0].in.c;
    const int64_t before = (a->size - 1) / 2, after = a->size - 1 - before;
    int64_t sum = 0;
    for (int64_t c = 0; c < MIN(after, channels); c++)
        sum += in[c] * in[c];
    for (int64_t c = 0; c < channels; c++) {
        if (c + after < channels)
            sum += in[c + after] * in[c + after];
        if (c - before > 0)
            sum -= in[c - before - 1] * in[c - before - 1];
        const int64_t product = in[c] * quant_lrn_factor(p->q, sum);
        v[c] = requant_clamp((product + (1 << (QUANT_LRN_BITS - 1))) >> QUANT_LRN_BITS, -127);
    }
}

/* The window of a pooling pass along one dimension at an output position: [first, end) of the
 * input, and how many it covers with the padding. */
struct pool_span {
    int64_t first, end, padded;
};

static struct pool_span pool_span(const struct pool_attr *a, int dim, int64_t out, int64_t n_in)
{
    const int64_t at = out * a->stride.v[dim] - a->pad.v[dim], end = at + a->kernel.v[dim];
    return (struct pool_span){MAX(at, 0), MIN(end, n_in), MIN(end, n_in + a->pad.v[2 + dim]) - at};
}

static void pixel_pool(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v)
{
    const struct pool_attr *a = p->node->attr;
    const struct dims *in = &p->in[0].in;
    const bool is_mean = !strcmp(p->node->op->name, "avgpool");
    const struct pool_span ys = pool_span(a, 0, y, in->h), xs = pool_span(a, 1, x, in->w);
    const int64_t count =
        a->count_pad ? ys.padded * xs.padded : (ys.end - ys.first) * (xs.end - xs.first);
    for (int64_t c = 0; c < in->c; c++) {
        int64_t sum = 0, max = INT8_MIN;
        for (int64_t iy = ys.first; iy < ys.end; iy++) {
            for (int64_t ix = xs.first; ix < xs.end; ix++) {
                const int8_t e = source_pixel(&p->in[0], image, iy, ix)[c];
                sum += e;
                max = MAX(max, e);
            }
        }
        v[c] = is_mean ? requant_clamp(requant_round(sum, p->q->requant[count - 1]), -127)
                       : (int8_t)max;
    }
}

static void pixel_add(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v)
{
    const int8_t *a = source_pixel(&p->in[0], image, y, x);
    const int8_t *b = source_pixel(&p->in[1], image, y, x);
    const struct requant ra = p->q->requant[0], rb = p->q->requant[1];
    for (int64_t c = 0; c < p->in[0].in.c; c++) {
        const int64_t sum = (int64_t)a[c] * ra.mult + (int64_t)b[c] * rb.mult;
        v[c] = requant_clamp((sum + ((int64_t)1 << (ra.shift - 1))) >> ra.shift, p->lo);
    }
}

static void pixel_concat(const struct pass *p, int64_t image, int64_t y, int64_t x, int8_t *v)
{
    for (int i = 0; i < p->n_in; i++) {
        const int8_t *in = source_pixel(&p->in[i], image, y, x);
        for (int64_t c = 0; c < p->in[i].in.c; c++)
            *v++ = requant_clamp(requant_round(in[c], p->q->requant[i]), -127);
    }
}

static const struct {
    const char *op;
    pixel_fn fn;
} passes[] = {
    {"relu", pixel_relu},    {"lrn", pixel_lrn}, {"maxpool", pixel_pool},
    {"avgpool", pixel_pool}, {"add", pixel_add}, {"concat", pixel_concat},
};

static pixel_fn pass_find(const char *op)
{
    for (size_t i = 0; i < G_N_ELEMENTS(passes); i++)
        if (!strcmp(passes[i].op, op))
            return passes[i].fn;
    return NULL;
}

bool vector_supports(const char *op)
{
    return pass_find(op) != NULL;
}

void vector_pass(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct region *r = &p->steps[in->step].region;
    struct pass pass = {.insn = in,
                        .node = &p->graph->nodes[l->nodes[0]],
                        .q = &p->quant->layers[in->layer],
                        .n_in = l->n_in};
    for (int i = 0; i < l->n_in; i++)
        pass.in[i] = source_of(m, in, i);
    const struct sink sink = sink_of(m, in);
    pass.lo = sink.relu ? 0 : -127;
    /* With pooling on the way out the pass runs over the pixels before it. */
    const struct dims d = dims_of(&p->graph->values[pass.node->out[0]].shape);
    const int64_t y0 = sink.pool ? 0 : r->row, y1 = sink.pool ? d.h : r->row + r->n_row;
    const pixel_fn fn = pass_find(pass.node->op->name);
    int8_t *v = g_malloc((gsize)d.c);
    for (int64_t image = r->image; image < r->image + r->n_image; image++) {
        for (int64_t y = y0; y < y1; y++) {
            for (int64_t x = 0; x < d.w; x++) {
                fn(&pass, image, y, x, v);
                sink_put(&sink, image, y, x, 0, v, d.c);
            }
        }
    }
    g_free(v);
}
