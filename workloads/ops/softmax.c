/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

static const struct cfg_field softmax_fields[] = {
    {"axis", CFG_INT, offsetof(struct softmax_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "Dimension along which the outputs add up to 1; negative counts from the end.", NULL},
    {0},
};

static bool softmax_infer(const struct op_infer *c, GError **error)
{
    struct softmax_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    return axis_normalise(&a->axis, &c->in[0]->shape, error);
}

struct softmax {
    const float *x;
    float *y;
    int64_t n_row, length, stride; /* rows, their elements, the distance of two of them */
};

/* The largest element is taken off first, so that no exponential overflows. */
static void softmax_row(const float *x, float *y, int64_t length, int64_t stride)
{
    float largest = x[0];
    for (int64_t i = 1; i < length; i++)
        largest = fmaxf(largest, x[i * stride]);
    double sum = 0;
    for (int64_t i = 0; i < length; i++)
        sum += y[i * stride] = expf(x[i * stride] - largest);
    for (int64_t i = 0; i < length; i++)
        y[i * stride] = (float)(y[i * stride] / sum);
}

static void softmax_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct softmax *s = arg;
    struct panel p = panel_at(s->n_row, panel_items(s->length), i_panel);
    for (int64_t row = p.begin; row < p.end; row++) {
        int64_t at = row / s->stride * s->length * s->stride + row % s->stride;
        softmax_row(s->x + at, s->y + at, s->length, s->stride);
    }
}

static bool softmax_forward(const struct op_call *c, GError **error)
{
    (void)error;
    int axis = (int)((const struct softmax_attr *)c->attr)->axis;
    const struct shape *shape = &c->out[0]->shape;
    struct softmax s = {
        .x = c->in[0]->data,
        .y = c->out[0]->data,
        .n_row = shape_count(shape) / shape->dim[axis],
        .length = shape->dim[axis],
        .stride = shape_count_from(shape, axis) / shape->dim[axis],
    };
    threads_run(c->threads, panel_count(s.n_row, panel_items(s.length)), softmax_panel, &s);
    return true;
}

const struct op op_softmax = {
    .name = "softmax",
    .summary = "Exponentials divided by their sum.",
    .fields = softmax_fields,
    .attr_size = sizeof(struct softmax_attr),
    .min_data = 1,
    .max_data = 1,
    .in_place = true,
    .infer = softmax_infer,
    .forward = softmax_forward,
};
