/* SPDX-License-Identifier: Apache-2.0 */
/* The inputs of a product, as the systolic data setup reads them out of the unified buffer: patches
 * of a convolution, or rows of features. */
#include <string.h>

#include "arch/systolic/systolic_func.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"

/* The window of a convolution's input, as the systolic data setup addresses it. */
struct window {
    struct dims in, out;
    int64_t kernel_w, channels, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t first_channel, in_row, out_row;
    int64_t size; /* of an element */
    const uint8_t *base;
};

static struct window window_of(const struct machine_state *m, const struct insn *in)
{
    const struct graph *g = m->plan->graph;
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    const struct node *n = &g->nodes[l->nodes[0]];
    const struct conv2d_attr *a = n->attr;
    struct window w = {
        .in = dims_of(&g->values[l->in[0]].shape),
        .out = dims_of(&g->values[n->out[0]].shape),
        .kernel_w = a->kernel.v[1],
        .stride_h = a->stride.v[0],
        .stride_w = a->stride.v[1],
        .dilation_h = a->dilation.v[0],
        .dilation_w = a->dilation.v[1],
        .pad_top = a->pad.v[0],
        .pad_left = a->pad.v[1],
        .in_row = st->in_row[0],
    };
    w.channels = w.in.c / l->gemm.groups;
    w.first_channel = in->group * w.channels;
    /* Only whole images are pooled: a region of rows is one of the convolution's own rows. */
    w.out_row = st->region.n_row == dims_of(&g->values[l->out].shape).h ? 0 : st->region.row;
    w.size = plan_element_bytes(m->plan, l->in[0]);
    w.base = m->buffer.data + st->in_address[0];
    return w;
}

/* n values of one row of the patch matrix, from the k-th on; k counts row, column, channel of the
 * kernel. Values outside the image are 0. */
static void gather_window(const struct window *w, int64_t row, int64_t rows_per_image, int64_t k,
                          int64_t n, uint8_t *out)
{
    const int64_t image = row / rows_per_image, pixel = row % rows_per_image;
    const int64_t y = (pixel / w->out.w + w->out_row) * w->stride_h - w->pad_top;
    const int64_t x = pixel % w->out.w * w->stride_w - w->pad_left;
    const uint8_t *base = w->base + image * dims_image(&w->in) * w->size;
    int64_t tap = k / w->channels, c = k % w->channels;
    while (n > 0) {
        const int64_t iy = y + tap / w->kernel_w * w->dilation_h;
        const int64_t ix = x + tap % w->kernel_w * w->dilation_w;
        const int64_t run = MIN(n, w->channels - c);
        if (iy < 0 || iy >= w->in.h || ix < 0 || ix >= w->in.w)
            memset(out, 0, (size_t)(run * w->size));
        else
            memcpy(out,
                   base + (((iy - w->in_row) * w->in.w + ix) * w->in.c + w->first_channel + c) *
                              w->size,
                   (size_t)(run * w->size));
        out += run * w->size;
        n -= run;
        tap++;
        c = 0;
    }
}

static void gather_features(const struct machine_state *m, const struct insn *in, int64_t row,
                            int64_t k, int64_t n, void *out)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    const int64_t size = plan_element_bytes(m->plan, l->in[0]);
    if (l->from_buffer) /* of a stack of matrices */
        row += (in->group - plan_first_matrix(l, &st->region)) * l->gemm.m;
    memcpy(out, m->buffer.data + st->in_address[0] + (row * l->gemm.k + k) * size,
           (size_t)(n * size));
}

static bool is_convolution(const struct machine_state *m, const struct insn *in)
{
    return in->op == INSN_CONVOLVE ||
           (in->op == INSN_SHIFT_INPUTS &&
            plan_layer_node(m->plan, &m->plan->layers[in->layer], "conv2d"));
}

static void gather_buffer(const struct machine_state *m, const struct insn *in, int64_t row,
                          int64_t k, int64_t n, void *out)
{
    if (!is_convolution(m, in)) {
        gather_features(m, in, row, k, n, out);
        return;
    }
    const struct window w = window_of(m, in);
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    gather_window(&w, row, plan_gemm_rows(m->plan, l, &st->region) / st->region.n_image, k, n, out);
}

static int64_t input_bytes(const struct machine_state *m, const struct insn *in)
{
    return plan_element_bytes(m->plan, m->plan->layers[in->layer].in[0]);
}

void state_shift_inputs(struct machine_state *m, const struct insn *in, uint32_t i_k)
{
    const int64_t rows = m->self->cfg.rows, k0 = i_k * rows, size = input_bytes(m, in);
    const int64_t k = MIN(rows, m->plan->layers[in->layer].gemm.k - k0);
    for (int64_t i = 0; i < in->m; i++)
        gather_buffer(m, in, in->m0 + i, k0, k,
                      state_array(m, in)->shadow_inputs + i * rows * size);
}

void state_swap_inputs(struct machine_state *m, int array)
{
    struct array_state *a = &m->arrays[array];
    uint8_t *inputs = a->inputs;
    a->inputs = a->shadow_inputs;
    a->shadow_inputs = inputs;
}

void state_gather(const struct machine_state *m, const struct insn *in, int64_t row, int64_t k,
                  int64_t n, void *out)
{
    const int64_t rows = m->self->cfg.rows, size = input_bytes(m, in);
    if (m->self->cfg.dataflow == FLOW_IS)
        memcpy(out, state_array(m, in)->inputs + ((row - in->m0) * rows + k % rows) * size,
               (size_t)(n * size));
    else
        gather_buffer(m, in, row, k, n, out);
}
