/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/lanes.h"

#include <math.h>
#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/values/broadcast.h"
#include "mapper/values/quant.h"

/* One operand, as stored. */
struct source {
    struct dims in; /* c: the channels that are needed */
    enum number format;
    const uint8_t *base;
    int64_t image, row, col; /* at base */
    struct pitch pitch;
    bool is_broadcast; /* its shape is not that of the output, `out`: */
    struct broadcast shape;
    struct dims out;
    int64_t first; /* element at base */
};

/* v: the result's channels. Integers: returns how many values were clamped. */
typedef uint64_t (*integer_lanes)(const struct lanes *p, const struct lanes_pixel *at, int32_t *v);
typedef void (*float_lanes)(const struct lanes *p, const struct lanes_pixel *at, float *v);

struct lanes {
    integer_lanes integers; /* of a format of integers; else floats */
    float_lanes floats;
    const struct node *node;
    const struct quant_layer *q;
    struct source in[PLAN_MAX_IN];
    int n_in;
    int32_t limit; /* of integers: the largest that the result's format keeps */
    bool relu;
    int64_t n_channel; /* of the region */
    void *scratch;     /* a pixel of the operand with most channels */
};

/* The window of a pool along one dimension at an output position: [first, end) of the
 * input, and how many it covers with the padding. */
struct window_span {
    int64_t first, end, padded;
};

/* One value goes to all lanes. */
static void load_broadcast(const struct source *s, const struct lanes_pixel *at, uint32_t *v,
                           enum number lanes)
{
    const int64_t pixel = (at->image * s->out.h + at->y) * s->out.w + at->x;
    const int64_t i = broadcast_at(&s->shape, pixel) - s->first;
    number_convert(v, lanes, s->base + i * (int64_t)number_bytes(s->format), s->format,
                   (size_t)s->shape.c);
    for (int64_t c = s->shape.c; c < s->out.c; c++)
        v[c] = v[0];
}

static void source_load(const struct source *s, const struct lanes_pixel *at, void *v,
                        enum number lanes)
{
    if (s->is_broadcast) {
        load_broadcast(s, at, v, lanes);
        return;
    }
    const int64_t i = (at->image - s->image) * s->pitch.image + (at->y - s->row) * s->pitch.row +
                      (at->x - s->col) * s->pitch.pixel;
    number_convert(v, lanes, s->base + i, s->format, (size_t)s->in.c);
}

static struct window_span window_span(const struct traits_window *a, int dim, int64_t out,
                                      int64_t n_in)
{
    const int64_t at = out * a->stride[dim] - a->pad[dim], end = at + a->kernel[dim];
    return (struct window_span){MAX(at, 0), MIN(end, n_in), MIN(end, n_in + a->pad[2 + dim]) - at};
}

/* An integer on its way out: what does not fit is cut off, and counted. */
static int32_t kept(const struct lanes *p, int64_t y, int64_t lo, uint64_t *saturated)
{
    *saturated += y > p->limit || (y < -p->limit && lo < 0);
    return (int32_t)CLAMP(y, lo, p->limit);
}

static uint64_t integer_relu(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
{
    uint64_t saturated = 0;
    source_load(&p->in[0], at, v, NUMBER_int32);
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = kept(p, requant_round(v[c], p->q->requant[0]), 0, &saturated);
    return saturated;
}

static uint64_t integer_lrn(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
{
    const struct traits_norm *a = &p->node->traits->norm;
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
static struct window_span rows_of(const struct lanes *p, const struct lanes_pixel *at)
{
    return window_span(&p->node->traits->window, 0, at->y, p->in[0].in.h);
}

static struct window_span columns_of(const struct lanes *p, const struct lanes_pixel *at)
{
    return window_span(&p->node->traits->window, 1, at->x, p->in[0].in.w);
}

/* Elements that a mean is over. */
static int64_t window_count(const struct lanes *p, const struct lanes_pixel *at)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    return p->node->traits->pool.counts_pad ? ys.padded * xs.padded
                                            : (ys.end - ys.first) * (xs.end - xs.first);
}

static uint64_t integer_maxpool(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    int32_t *in = p->scratch;
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = -p->limit - 1;
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct lanes_pixel){at->image, y, x}, in, NUMBER_int32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] = MAX(v[c], in[c]);
        }
    }
    return 0;
}

static uint64_t integer_avgpool(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    const struct requant factor = p->q->requant[window_count(p, at) - 1];
    int32_t *in = p->scratch;
    uint64_t saturated = 0;
    memset(v, 0, (size_t)p->in[0].in.c * sizeof(*v));
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct lanes_pixel){at->image, y, x}, in, NUMBER_int32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] += in[c];
        }
    }
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = kept(p, requant_round(v[c], factor), -p->limit, &saturated);
    return saturated;
}

static uint64_t integer_add(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
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

static uint64_t integer_concat(const struct lanes *p, const struct lanes_pixel *at, int32_t *v)
{
    uint64_t saturated = 0;
    for (int i = 0; i < p->n_in; i++) {
        source_load(&p->in[i], at, v, NUMBER_int32);
        for (int64_t c = 0; c < p->in[i].in.c; c++, v++)
            *v = kept(p, requant_round(*v, p->q->requant[i]), -p->limit, &saturated);
    }
    return saturated;
}

static void float_relu(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    source_load(&p->in[0], at, v, NUMBER_fp32);
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = v[c] < 0 ? 0 : v[c];
}

static void float_lrn(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    const struct traits_norm *a = &p->node->traits->norm;
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

static void float_maxpool(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    float *in = p->scratch;
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] = -INFINITY;
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct lanes_pixel){at->image, y, x}, in, NUMBER_fp32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] = in[c] > v[c] ? in[c] : v[c];
        }
    }
}

static void float_avgpool(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    const struct window_span ys = rows_of(p, at), xs = columns_of(p, at);
    const float factor = 1 / (float)window_count(p, at);
    float *in = p->scratch;
    memset(v, 0, (size_t)p->in[0].in.c * sizeof(*v));
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            source_load(&p->in[0], &(struct lanes_pixel){at->image, y, x}, in, NUMBER_fp32);
            for (int64_t c = 0; c < p->in[0].in.c; c++)
                v[c] += in[c];
        }
    }
    for (int64_t c = 0; c < p->in[0].in.c; c++)
        v[c] *= factor;
}

static void float_add(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    float *b = p->scratch;
    source_load(&p->in[0], at, v, NUMBER_fp32);
    source_load(&p->in[1], at, b, NUMBER_fp32);
    for (int64_t c = 0; c < p->n_channel; c++) {
        v[c] += b[c];
        v[c] = p->relu && v[c] < 0 ? 0 : v[c];
    }
}

static void float_concat(const struct lanes *p, const struct lanes_pixel *at, float *v)
{
    for (int i = 0; i < p->n_in; i++) {
        source_load(&p->in[i], at, v, NUMBER_fp32);
        v += p->in[i].in.c;
    }
}

static struct source source_of(const struct plan *p, const struct plan_step *st,
                               const uint8_t *memory, int i_in)
{
    const struct plan_layer *l = &p->layers[st->layer];
    struct source s = {.in = plan_in_dims(p, l, i_in),
                       .format = p->formats[l->in[i_in]],
                       .base = memory + st->in_address[i_in],
                       .image = st->region.image,
                       .is_broadcast = l->broadcast >> i_in & 1};
    struct region r = region_whole(&s.in);
    s.pitch = region_pitch(&r, (int64_t)number_bytes(s.format));
    if (!plan_is_mapped(p, l, i_in)) {
        r = plan_input_pixels(p, l, i_in, &st->region);
        s.pitch = plan_pitch(p, l->in[i_in], &r);
        s.row = r.row;
        s.col = r.col;
        s.in.c = r.n_channel;
    }
    if (s.is_broadcast) {
        const struct node *n = &p->graph->nodes[l->nodes[0]];
        const struct shape *out = &p->graph->values[n->out[0]].shape;
        broadcast_make(out, &p->graph->values[n->in[i_in]].shape, &s.shape);
        s.out = dims_of(out);
        s.first = plan_first_needed(p, l, i_in, &st->region);
    }
    return s;
}

/* What an operator's traits ask for. */
static void set_functions(struct lanes *p, const struct traits *t)
{
    switch (t->kind) {
    case TRAITS_NORM:
        p->integers = integer_lrn;
        p->floats = float_lrn;
        break;
    case TRAITS_WINDOW:
        p->integers = t->pool.is_mean ? integer_avgpool : integer_maxpool;
        p->floats = t->pool.is_mean ? float_avgpool : float_maxpool;
        break;
    case TRAITS_JOIN:
        p->integers = integer_concat;
        p->floats = float_concat;
        break;
    case TRAITS_ELEMENT:
        p->integers = t->element.adds ? integer_add : integer_relu;
        p->floats = t->element.adds ? float_add : float_relu;
        break;
    default:
        g_assert_not_reached();
    }
}

struct lanes *lanes_new(const struct plan *p, const struct quant *q, const struct plan_step *st,
                        const uint8_t *memory)
{
    const struct plan_layer *l = &p->layers[st->layer];
    struct lanes *lanes = g_new0(struct lanes, 1);
    lanes->node = &p->graph->nodes[l->nodes[0]];
    lanes->q = &q->layers[st->layer];
    lanes->limit = storage_limit(l->format);
    lanes->relu = plan_layer_cut(p, l).at_zero;
    lanes->n_channel = st->region.n_channel;
    lanes->n_in = l->n_in;
    int64_t widest = lanes->n_channel;
    for (int i = 0; i < l->n_in; i++) {
        lanes->in[i] = source_of(p, st, memory, i);
        widest = MAX(widest, lanes->in[i].in.c);
    }
    lanes->scratch = g_malloc((gsize)widest * 4);
    set_functions(lanes, lanes->node->traits);
    if (number_is_float(l->format))
        lanes->integers = NULL;
    return lanes;
}

uint64_t lanes_compute(const struct lanes *lanes, const struct lanes_pixel *at, void *v)
{
    if (lanes->integers)
        return lanes->integers(lanes, at, v);
    lanes->floats(lanes, at, v);
    return 0;
}

void lanes_free(struct lanes *lanes)
{
    g_free(lanes->scratch);
    g_free(lanes);
}
