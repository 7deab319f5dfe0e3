/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the activation unit. */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic_vector.h"
#include "mapper/plan_input.h"
#include "mapper/values/lanes.h"
#include "mapper/values/permute.h"
#include "mapper/values/quant.h"
#include "mapper/values/vector.h"
#include "sim/base/size.h"

/* Where the values of one step go: straight to their pixel, or through the pooling hardware. */
struct sink {
    struct dims out; /* of the layer */
    enum number format;
    int64_t size;  /* of an element */
    uint8_t *base; /* of the step's region */
    struct region region;
    struct pitch pitch;
    const struct traits_window *pool; /* NULL: no pooling on the way out */
    bool any_order;                   /* values of a window come from several arrays */
    struct plan_cut cut;
};

/* Where several arrays pool into the same pixels, the first value that comes to one sets it, the
 * others raise it: as if it had the least of all values before. */
static void lay_least(struct machine_state *m, const struct insn *in, const struct sink *s)
{
    const struct plan_step *st = &m->plan->steps[in->step];
    const int64_t n = region_elements(&st->region); /* whole images */
    const float least = -INFINITY;
    const int32_t least_integer = -storage_limit(s->format);
    if (m->pooled[in->step])
        return;
    m->pooled[in->step] = true;
    for (int64_t i = 0; i < n; i++)
        if (number_is_float(s->format))
            number_convert(s->base + i * s->size, s->format, &least, NUMBER_fp32, 1);
        else
            number_convert(s->base + i * s->size, s->format, &least_integer, NUMBER_int32, 1);
}

static struct sink sink_of(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    struct sink s = {.out = dims_of(&p->graph->values[l->out].shape),
                     .format = l->format,
                     .size = plan_element_bytes(p, l->out),
                     .region = st->region,
                     .pitch = plan_pitch(p, l->out, &st->region)};
    s.base = sram_write(&m->buffer, st->address, region_extent(&s.region, &s.pitch, s.size));
    s.cut = plan_layer_cut(p, l);
    const struct node *pool = plan_layer_pool(p, l);
    if (pool)
        s.pool = &pool->traits->window;
    s.any_order = pool && in->op == INSN_ACTIVATE && m->self->cfg.n_array > 1;
    if (s.any_order)
        lay_least(m, in, &s);
    return s;
}

/* Channel c of a pixel of the output. */
static uint8_t *sink_at(const struct sink *s, int64_t image, int64_t y, int64_t x, int64_t c)
{
    const struct region *r = &s->region;
    return s->base + (image - r->image) * s->pitch.image + (y - r->row) * s->pitch.row +
           (x - r->col) * s->pitch.pixel + (c - r->channel) * s->size;
}

/* First and last output position of a pooling window sequence that covers input position i. */
static void windows_over(int64_t i, int64_t kernel, int64_t stride, int64_t pad, int64_t n_out,
                         int64_t *first, int64_t *last)
{
    const int64_t at = i + pad;
    *first = at < kernel ? 0 : (at - kernel) / stride + 1;
    *last = MIN(at / stride, n_out - 1);
}

/* Running maxima of n elements as stored. */
static void keep_larger(enum number format, uint8_t *out, const uint8_t *v, int64_t n)
{
    const int64_t size = (int64_t)number_bytes(format);
    if (format == NUMBER_int8) {
        for (int64_t i = 0; i < n; i++)
            ((int8_t *)out)[i] = MAX(((int8_t *)out)[i], ((const int8_t *)v)[i]);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (number_get_fp64(v, format, (size_t)i) > number_get_fp64(out, format, (size_t)i))
            memcpy(out + i * size, v + i * size, (size_t)size);
}

/* n channels from c0 of one pixel, as stored. The pooling hardware keeps running maxima: the first
 * pixel of a window sets them. */
static void sink_put(const struct sink *s, int64_t image, int64_t y, int64_t x, int64_t c0,
                     const void *v, int64_t n)
{
    if (!s->pool) {
        memcpy(sink_at(s, image, y, x, c0), v, (size_t)(n * s->size));
        return;
    }
    const struct traits_window *a = s->pool;
    int64_t y0, y1, x0, x1;
    windows_over(y, a->kernel[0], a->stride[0], a->pad[0], s->out.h, &y0, &y1);
    windows_over(x, a->kernel[1], a->stride[1], a->pad[1], s->out.w, &x0, &x1);
    for (int64_t oy = y0; oy <= y1; oy++) {
        for (int64_t ox = x0; ox <= x1; ox++) {
            uint8_t *out = sink_at(s, image, oy, ox, c0);
            const bool is_first = !s->any_order && y == MAX(oy * a->stride[0] - a->pad[0], 0) &&
                                  x == MAX(ox * a->stride[1] - a->pad[1], 0);
            if (is_first)
                memcpy(out, v, (size_t)(n * s->size));
            else
                keep_larger(s->format, out, v, n);
        }
    }
}

/* n sums of one row, from output channel c0 on. */
struct sums {
    const void *at; /* int32, int64 or fp32 */
    int64_t c0, n;
    const void *added; /* what joins them: int32 or fp32; NULL: nothing */
};

static void activate_integers(struct machine_state *m, const struct plan_layer *l,
                              const struct sums *s, const struct plan_cut *cut, int32_t *v)
{
    const struct quant_layer *q = &m->io->quant->layers[l->index];
    const int32_t limit = storage_limit(l->format), lo = cut->at_zero ? 0 : -limit;
    const int64_t upper = storage_bound(quant_storage(m->plan, m->io->quant, l->out), cut->upper);
    const int32_t hi = (int32_t)MIN(upper, limit);
    const bool is_wide = plan_sum_words(m->plan, l) > 1;
    uint64_t saturated = 0;
    for (int64_t j = 0; j < s->n; j++) {
        const int64_t acc = is_wide ? ((const int64_t *)s->at)[j] : ((const int32_t *)s->at)[j];
        const int64_t c = s->c0 + j;
        const int64_t y = s->added ? requant_round_two(acc + q->bias[c], q->requant[c],
                                                       ((const int32_t *)s->added)[j], q->added[c])
                                   : requant_round(acc + q->bias[c], q->requant[c]);
        /* What the operator itself cuts off is not lost. */
        saturated += (y > limit && upper > limit) || (y < -limit && !cut->at_zero);
        v[j] = (int32_t)CLAMP(y, lo, hi);
    }
    m->io->saturated[l->index] += saturated;
}

static void activate_floats(const struct machine_state *m, const struct plan_layer *l,
                            const struct sums *s, const struct plan_cut *cut, float *v)
{
    const float *bias = m->io->quant->layers[l->index].float_bias;
    for (int64_t j = 0; j < s->n; j++) {
        v[j] = ((const float *)s->at)[j] + bias[s->c0 + j];
        v[j] = s->added ? v[j] + ((const float *)s->added)[j] : v[j];
        v[j] = cut->at_zero && v[j] < 0 ? 0 : v[j];
        v[j] = v[j] > (float)cut->upper ? (float)cut->upper : v[j];
    }
}

/* n elements of what is added to the sums of a step, from channel c0 of its i-th pixel on, in the
 * format of the sums' arithmetic. */
static void load_added(const struct machine_state *m, const struct insn *in, int64_t i, int64_t c0,
                       int64_t n, enum number lanes, void *v)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const enum number format = m->plan->formats[l->in[l->added]];
    const int64_t at = i * plan_dims(m->plan, l->out).c + c0;
    number_convert(v, lanes,
                   m->buffer.data + m->plan->steps[in->step].in_address[l->added] +
                       at * (int64_t)number_bytes(format),
                   format, (size_t)n);
}

/* Columns [j0, j0 + n) of a block, no more than the activation unit takes at a time. */
static void activate_columns(struct machine_state *m, const struct insn *in, int64_t j0, int64_t n)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    const struct dims conv = dims_of(&p->graph->values[p->graph->nodes[l->nodes[0]].out[0]].shape);
    const struct sink sink = sink_of(m, in);
    const int64_t first_row = sink.pool ? 0 : st->region.row,
                  first_col = sink.pool ? 0 : st->region.col,
                  cols = sink.pool ? conv.w : st->region.n_col;
    /* Groups lie side by side, or, of a stack of matrices, one behind the other. */
    const int64_t c0 = (l->stationary_is_activation ? 0 : in->group * l->gemm.n) + in->n0 + j0;
    const int64_t matrix =
        l->stationary_is_activation ? in->group - plan_first_matrix(l, &st->region) : 0;
    const int64_t m0 = matrix * l->gemm.m + in->m0;
    const int64_t per_image =
        l->stationary_is_activation ? 1 : plan_gemm_rows(p, l, &st->region) / st->region.n_image;
    const bool is_float = number_is_float(l->format);
    for (int64_t i = 0; i < in->m; i++) {
        const struct sums s = {systolic_state_sums(m, in, i, j0, n), c0, n,
                               l->added ? m->sums : NULL};
        if (l->added)
            load_added(m, in, m0 + i, c0, n, is_float ? NUMBER_fp32 : NUMBER_int32, m->sums);
        if (is_float)
            activate_floats(m, l, &s, &sink.cut, m->row);
        else
            activate_integers(m, l, &s, &sink.cut, m->row);
        number_convert(m->stored_row, l->format, m->row, is_float ? NUMBER_fp32 : NUMBER_int32,
                       (size_t)n);
        const int64_t pixel = (m0 + i) % per_image;
        sink_put(&sink, st->region.image + (m0 + i) / per_image, first_row + pixel / cols,
                 first_col + pixel % cols, c0, m->stored_row, n);
    }
}

void systolic_vector_activate(struct machine_state *m, const struct insn *in)
{
    const int64_t cols = m->self->cfg.cols;
    for (int64_t j = 0; j < in->n; j += cols)
        activate_columns(m, in, j, MIN(cols, in->n - j));
}

static void lanes_pass(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    const struct region *r = &st->region;
    const struct sink sink = sink_of(m, in);
    /* With pooling on the way out the pass runs over the pixels before it. */
    const struct dims d = dims_of(&p->graph->values[p->graph->nodes[l->nodes[0]].out[0]].shape);
    const int64_t y0 = sink.pool ? 0 : r->row, y1 = sink.pool ? d.h : r->row + r->n_row;
    const int64_t x0 = sink.pool ? 0 : r->col, x1 = sink.pool ? d.w : r->col + r->n_col;
    const enum number computed = number_is_float(l->format) ? NUMBER_fp32 : NUMBER_int32;
    g_autofree void *v = g_malloc((gsize)d.c * 4), *stored = g_malloc((gsize)(d.c * sink.size));
    struct lanes *lanes = lanes_new(p, m->io->quant, st, m->buffer.data);
    struct lanes_pixel at;
    for (at.image = r->image; at.image < r->image + r->n_image; at.image++) {
        for (at.y = y0; at.y < y1; at.y++) {
            for (at.x = x0; at.x < x1; at.x++) {
                m->io->saturated[l->index] += lanes_compute(lanes, &at, v);
                number_convert(stored, l->format, v, computed, (size_t)r->n_channel);
                sink_put(&sink, at.image, at.y, at.x, r->channel, stored, r->n_channel);
            }
        }
    }
    lanes_free(lanes);
}

/* A region where it lies by itself: in memory of the caller's, *own, where it is a part of rows or
 * pixels in the buffer. */
static void *alone(struct machine_state *m, int value, const struct region *r, uint64_t address,
                   void **own)
{
    const int64_t size = plan_element_bytes(m->plan, value);
    const struct pitch here = plan_pitch(m->plan, value, r), by_itself = region_pitch(r, size);
    void *at = sram_write(&m->buffer, address, region_extent(r, &here, size));
    if (here.row == by_itself.row && here.pixel == by_itself.pixel)
        return at;
    *own = g_malloc((gsize)(region_elements(r) * size));
    region_copy(r, size, *own, &by_itself, at, &here);
    return *own;
}

/* An operator on some columns or channels: its result goes where it lies among the others. */
static bool piece_pass(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    const struct region *r = &st->region;
    const int64_t size = plan_element_bytes(p, l->out);
    const struct pitch here = plan_pitch(p, l->out, r), by_itself = region_pitch(r, size);
    const void *operands[PLAN_MAX_IN];
    void *own[PLAN_MAX_IN] = {NULL};
    for (int j = 0; j < l->n_in; j++) {
        const struct region needed = plan_input_pixels(p, l, j, r);
        operands[j] = alone(m, l->in[j], &needed, st->in_address[j], &own[j]);
    }
    g_autofree void *result = g_malloc((gsize)(region_elements(r) * size));
    const bool ok = vector_compute(p, m->io->quant, l, r, m->io->host, operands, result, error);
    region_copy(r, size, sram_write(&m->buffer, st->address, region_extent(r, &here, size)), &here,
                result, &by_itself);
    for (int j = 0; j < l->n_in; j++)
        g_free(own[j]);
    return ok;
}

/* A function of the whole chunk. */
static bool function_pass(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *st = &p->steps[in->step];
    const struct region *r = &st->region;
    const void *operands[PLAN_MAX_IN];
    for (int j = 0; j < l->n_in; j++)
        operands[j] = m->buffer.data + st->in_address[j];
    void *out[PLAN_MAX_OUT];
    for (int k = 0; k < l->n_out; k++)
        out[k] = sram_write(&m->buffer, st->out_address[k],
                            (size_t)(r->n_image * r->n_row * plan_row_bytes(p, l->outs[k])));
    if (l->permute)
        return permute_run(p, m->io->quant, l, r, operands, out, &m->moves, error);
    return vector_compute(p, m->io->quant, l, r, m->io->host, operands, out[0], error);
}

bool systolic_vector_pass(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct region *r = &m->plan->steps[in->step].region;
    const struct dims o = plan_dims(m->plan, l->out);
    if (vector_is_function(plan_layer_traits(m->plan, l)) && (r->n_col < o.w || r->n_channel < o.c))
        return piece_pass(m, in, error);
    if (l->permute || vector_is_function(plan_layer_traits(m->plan, l)))
        return function_pass(m, in, error);
    lanes_pass(m, in);
    return true;
}
