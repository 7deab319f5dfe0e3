/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax and its kin, along one dimension. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/ops/vector_math.h"
#include "workloads/threads.h"

static const struct cfg_field softmax_fields[] = {
    {"axis", CFG_INT, offsetof(struct softmax_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "Dimension along which the outputs belong together; negative counts from the end.",
     NULL},
    {0},
};

static bool softmax_infer(const struct op_infer *c, GError **error)
{
    struct softmax_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    return axis_normalise(&a->axis, &c->in[0]->shape, error);
}

/* One row of `n` elements, `stride` apart. */
typedef void (*row_fn)(const float *x, float *y, int64_t n, int64_t stride);

static float largest_of(const float *x, int64_t n, int64_t stride)
{
    float largest = x[0];
    for (int64_t i = 1; i < n; i++)
        largest = x[i * stride] > largest ? x[i * stride] : largest;
    return largest;
}

VECTOR_CLONES
static void exp_row(const float *x, float *y, int64_t n, float largest)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = vm_exp(x[i] - largest);
}

/* The largest element is taken off first, so that no exponential overflows. */
static void softmax_row(const float *x, float *y, int64_t n, int64_t stride)
{
    const float largest = largest_of(x, n, stride);
    double sum = 0;
    if (stride == 1)
        exp_row(x, y, n, largest);
    for (int64_t i = 0; stride != 1 && i < n; i++)
        y[i * stride] = vm_exp(x[i * stride] - largest);
    for (int64_t i = 0; i < n; i++)
        sum += (double)y[i * stride];
    const double inverse = 1 / sum;
    for (int64_t i = 0; i < n; i++)
        y[i * stride] = (float)((double)y[i * stride] * inverse);
}

static void log_softmax_row(const float *x, float *y, int64_t n, int64_t stride)
{
    const float largest = largest_of(x, n, stride);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i * stride] - (double)largest);
    const double shift = (double)largest + log(sum);
    for (int64_t i = 0; i < n; i++)
        y[i * stride] = (float)((double)x[i * stride] - shift);
}

/* The first of the largest. */
static void hardmax_row(const float *x, float *y, int64_t n, int64_t stride)
{
    int64_t most = 0;
    for (int64_t i = 1; i < n; i++)
        most = x[i * stride] > x[most * stride] ? i : most;
    for (int64_t i = 0; i < n; i++)
        y[i * stride] = i == most;
}

struct rows {
    const float *x;
    float *y;
    int64_t n_row, length, stride;
    row_fn row;
};

static void rows_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct rows *s = arg;
    struct panel p = panel_at(s->n_row, panel_items(s->length), i_panel);
    for (int64_t row = p.begin; row < p.end; row++) {
        int64_t at = row / s->stride * s->length * s->stride + row % s->stride;
        s->row(s->x + at, s->y + at, s->length, s->stride);
    }
}

static bool run_rows(const struct op_call *c, row_fn row)
{
    int axis = (int)((const struct softmax_attr *)c->attr)->axis;
    const struct shape *shape = &c->out[0]->shape;
    struct rows s = {
        .x = c->in[0]->data,
        .y = c->out[0]->data,
        .n_row = shape_count(shape) / shape->dim[axis],
        .length = shape->dim[axis],
        .stride = shape_count_from(shape, axis + 1),
        .row = row,
    };
    threads_run(c->threads, panel_count(s.n_row, panel_items(s.length)), rows_panel, &s);
    return true;
}

static void rows_traits(const struct op_infer *c, struct traits *t)
{
    t->row = (struct traits_row){(int)((const struct softmax_attr *)c->attr)->axis, 1, -1};
}

#define OPERATOR(op_name, n_read, text, overwrites)                                                \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        return run_rows(c, op_name##_row);                                                         \
    }                                                                                              \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = softmax_fields,                                                                  \
        .attr_size = sizeof(struct softmax_attr),                                                  \
        .min_data = 1,                                                                             \
        .max_data = 1,                                                                             \
        .in_place = overwrites,                                                                    \
        .kind = TRAITS_ROW,                                                                        \
        .reads = n_read,                                                                           \
        .infer = softmax_infer,                                                                    \
        .forward = op_name##_forward,                                                              \
        .traits = rows_traits,                                                                     \
    };
OPERATOR(softmax, 3, "Exponentials divided by their sum.", true)
OPERATOR(log_softmax, 3, "Logarithms of the softmax.", true)
OPERATOR(hardmax, 0, "1 at the first of the largest elements, 0 elsewhere.", false)
