/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution of each channel by itself: too little work a filter for a matrix product. A row of
 * outputs takes the filter's elements one after the other, each a multiple of a row of inputs. */
#include "workloads/ops/depthwise.h"

#include <string.h>

#include "sim/base/clones.h"
#include "sim/base/size.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define MAX_STRIDE 2
#define MAX_WIDTH  4096 /* of an input row with its padding, which is kept apart by phases */

bool depthwise_fits(const struct conv2d_attr *a, const struct shape *in)
{
    const int64_t width = in->dim[3] + a->pad.v[1] + a->pad.v[3];
    return a->groups == in->dim[1] && a->channels == a->groups && a->dilation.v[0] == 1 &&
           a->dilation.v[1] == 1 && a->stride.v[1] <= MAX_STRIDE && width <= MAX_WIDTH;
}

VECTOR_CLONES
static void add_multiple(float *y, const float *x, int64_t n, float w)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] += w * x[i];
}

/* Three at a time, as most filters are wide, in the same order. */
VECTOR_CLONES
static void add_three(float *y, const float *a, const float *b, const float *c, int64_t n,
                      const float *w)
{
    const float p = w[0], q = w[1], r = w[2];
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = ((y[i] + p * a[i]) + q * b[i]) + r * c[i];
}

struct depthwise {
    const struct op_call *c;
    const struct conv2d_attr *a;
    int64_t h, w, out_h, out_w;
};

/* A padded input row, its elements of each phase of the stride side by side. */
static void split_row(const struct depthwise *d, const float *row, float phases[][MAX_WIDTH])
{
    const int64_t left = d->a->pad.v[1], stride = d->a->stride.v[1];
    const int64_t width = d->w + left + d->a->pad.v[3];
    if (stride == 1) {
        memset(phases[0], 0, (size_t)left * sizeof(float));
        memcpy(phases[0] + left, row, (size_t)d->w * sizeof(float));
        memset(phases[0] + left + d->w, 0, (size_t)(width - left - d->w) * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < width; i++)
        phases[i % MAX_STRIDE][i / MAX_STRIDE] = i < left || i >= left + d->w ? 0 : row[i - left];
}

static const float *tap(const struct depthwise *d, float phases[][MAX_WIDTH], int64_t s)
{
    const int64_t stride = d->a->stride.v[1];
    return phases[s % stride] + s / stride;
}

static void add_row(const struct depthwise *d, const float *row, const float *w,
                    float (*phases)[MAX_WIDTH], float *y)
{
    const int64_t n = d->a->kernel.v[1];
    int64_t s = 0;
    split_row(d, row, phases);
    for (; s + 3 <= n; s += 3)
        add_three(y, tap(d, phases, s), tap(d, phases, s + 1), tap(d, phases, s + 2), d->out_w,
                  w + s);
    for (; s < n; s++)
        add_multiple(y, tap(d, phases, s), d->out_w, w[s]);
}

static void run_plane(const struct depthwise *d, int64_t plane, float (*phases)[MAX_WIDTH])
{
    const int64_t channel = plane % d->a->channels, kernel = d->a->kernel.v[0];
    const int64_t taps = kernel * d->a->kernel.v[1];
    const float *x = (const float *)d->c->in[0]->data + plane * d->h * d->w;
    const float *w = (const float *)d->c->in[1]->data + channel * taps;
    const float bias = d->a->bias ? ((const float *)d->c->in[2]->data)[channel] : 0;
    float *y = (float *)d->c->out[0]->data + plane * d->out_h * d->out_w;
    for (int64_t oy = 0; oy < d->out_h; oy++, y += d->out_w) {
        const int64_t top = oy * d->a->stride.v[0] - d->a->pad.v[0];
        for (int64_t i = 0; i < d->out_w; i++)
            y[i] = bias;
        for (int64_t r = MAX(0, -top); r < kernel && top + r < d->h; r++)
            add_row(d, x + (top + r) * d->w, w + r * d->a->kernel.v[1], phases, y);
    }
}

static void depthwise_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct depthwise *d = arg;
    const int64_t n_plane = d->c->in[0]->shape.dim[0] * d->a->channels;
    struct panel p = panel_at(n_plane, panel_items(d->h * d->w), i_panel);
    g_autofree float(*phases)[MAX_WIDTH] = g_malloc(sizeof(float[MAX_STRIDE][MAX_WIDTH]));
    for (int64_t plane = p.begin; plane < p.end; plane++)
        run_plane(d, plane, phases);
}

void depthwise_run(const struct op_call *c)
{
    const int64_t *in = c->in[0]->shape.dim, *out = c->out[0]->shape.dim;
    struct depthwise d = {c, c->attr, in[2], in[3], out[2], out[3]};
    threads_run(c->threads, panel_count(in[0] * in[1], panel_items(in[2] * in[3])), depthwise_panel,
                &d);
}
