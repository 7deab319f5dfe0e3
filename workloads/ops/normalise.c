/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations of rows by themselves. Statistics are summed in fp64, in the order of the
 * elements. */
#include "workloads/ops/normalise.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define LANES 16 /* partial sums: the same ones on any width of vectors */

static double sum_lanes(const double *lanes)
{
    double sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

VECTOR_CLONES
static struct moments moments_of(const float *x, int64_t n)
{
    double sums[LANES] = {0}, squares[LANES] = {0};
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++)
            sums[k] += (double)x[i + k];
    for (int64_t i = whole; i < n; i++)
        sums[i - whole] += (double)x[i];
    const double mean = sum_lanes(sums) / (double)n;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++)
            squares[k] += ((double)x[i + k] - mean) * ((double)x[i + k] - mean);
    for (int64_t i = whole; i < n; i++)
        squares[i - whole] += ((double)x[i] - mean) * ((double)x[i] - mean);
    return (struct moments){mean, sum_lanes(squares) / (double)n};
}

/* y = x a[i] + b[i] less the mean: scales of single elements. */
VECTOR_CLONES
static void scale_elements(float *y, const float *x, int64_t n, double mean, double inverse,
                           const float *scale, const float *bias)
{
    const float m = (float)mean, f = (float)inverse;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - m) * f * scale[i] + bias[i];
}

VECTOR_CLONES
void norm_scale(float *y, const float *x, int64_t n, float a, float b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * a + b;
}

bool norm_check_channels(const struct op_infer *c, int first, int last, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    if (in->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no channels");
    for (int i = first; i <= last; i++)
        if (infer_input(c, i) &&
            (c->in[i]->shape.n_dim != 1 || c->in[i]->shape.dim[0] != in->dim[1]))
            return error_set(error, ERROR_INPUT, "input %d does not have one element a channel",
                             i + 1);
    return true;
}

/* Rows normalised by themselves: layer and RMS normalisation over the last dimensions, instance
 * and group normalisation over parts of an image. Row r of `n` elements; scale and bias have an
 * element for each `per_scale` of them, a row's from r % scale_period * n_scale on. */
struct row_norm {
    const struct op_call *c;
    int64_t n_row, n, per_scale, n_scale; /* scales in a row */
    int64_t scale_period;                 /* rows after which the scales begin anew */
    double epsilon;
    bool no_mean;
};

static void norm_row(const struct row_norm *r, int64_t row)
{
    const struct op_call *c = r->c;
    const float *x = (const float *)c->in[0]->data + row * r->n;
    const float *scale = c->n_in > 1 && c->in[1] ? c->in[1]->data : NULL;
    const float *bias = c->n_in > 2 && c->in[2] ? c->in[2]->data : NULL;
    float *y = (float *)c->out[0]->data + row * r->n;
    struct moments m = moments_of(x, r->n);
    if (r->no_mean)
        m = (struct moments){0, m.variance + m.mean * m.mean};
    const double inverse = 1 / sqrt(m.variance + r->epsilon);
    const int64_t first = row % r->scale_period * r->n_scale;
    if (r->per_scale == 1 && scale && bias)
        scale_elements(y, x, r->n, m.mean, inverse, scale, bias);
    for (int64_t k = 0; (r->per_scale > 1 || !scale || !bias) && k < r->n_scale; k++) {
        const double a = inverse * (scale ? (double)scale[first + k] : 1);
        const double b = (bias ? (double)bias[first + k] : 0) - m.mean * a;
        norm_scale(y + k * r->per_scale, x + k * r->per_scale, r->per_scale, (float)a, (float)b);
    }
    if (c->n_out > 1 && c->out[1])
        ((float *)c->out[1]->data)[row] = (float)m.mean;
    if (c->n_out > 2 && c->out[2])
        ((float *)c->out[2]->data)[row] = (float)inverse;
}

static void norm_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct row_norm *r = arg;
    struct panel p = panel_at(r->n_row, panel_items(r->n), i_panel);
    for (int64_t row = p.begin; row < p.end; row++)
        norm_row(r, row);
}

static bool run_rows(struct row_norm *r)
{
    threads_run(r->c->threads, panel_count(r->n_row, panel_items(r->n)), norm_panel, r);
    return true;
}

static const struct cfg_field layer_norm_fields[] = {
    NORM_EPSILON("1e-5"),
    {"axis", CFG_INT, offsetof(struct norm_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "First dimension of a row; negative counts from the end.", NULL},
    {0},
};

static bool layer_norm_infer(const struct op_infer *c, GError **error)
{
    struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    if (!axis_normalise(&a->axis, in, error))
        return false;
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && shape_count(&c->in[i]->shape) != shape_count_from(in, (int)a->axis))
            return error_set(error, ERROR_INPUT, "input %d does not have a row's elements", i + 1);
    c->out[0].shape = *in;
    for (int i = 1; i < c->n_out; i++) {
        c->out[i].shape = *in;
        for (int d = (int)a->axis; d < in->n_dim; d++)
            c->out[i].shape.dim[d] = 1;
    }
    return true;
}

static int layer_norm_params(const struct op_infer *c, struct op_param *out)
{
    const int axis = (int)((const struct norm_attr *)c->attr)->axis;
    struct shape row = {.n_dim = c->in[0]->shape.n_dim - axis};
    memcpy(row.dim, c->in[0]->shape.dim + axis, (size_t)row.n_dim * sizeof(*row.dim));
    out[0] = (struct op_param)NORM_SCALE(row);
    out[1] = (struct op_param)NORM_BIAS(row);
    return infer_input(c, 1) && !infer_input(c, 2) ? 1 : 2;
}

static int rms_norm_params(const struct op_infer *c, struct op_param *out)
{
    layer_norm_params(c, out);
    return 1;
}

static bool normalise_rows(const struct op_call *c, bool no_mean)
{
    const struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const int64_t n = shape_count_from(in, (int)a->axis);
    struct row_norm r = {c, shape_count(in) / n, n, 1, n, 1, a->epsilon, no_mean};
    return run_rows(&r);
}

static bool layer_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return normalise_rows(c, false);
}

static bool rms_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return normalise_rows(c, true);
}

static void rows_traits(const struct op_infer *c, struct traits *t)
{
    const int axis = (int)((const struct norm_attr *)c->attr)->axis;
    t->row = (struct traits_row){axis, c->in[0]->shape.n_dim - axis, -1};
}

const struct op op_layer_norm = {
    .name = "layer_norm",
    .summary = "Rows by their own mean and deviation (Ba, Kiros, Hinton 2016); also mean and "
               "inverse deviation.",
    .fields = layer_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = 3,
    .kind = TRAITS_ROW,
    .reads = 3,
    .infer = layer_norm_infer,
    .params = layer_norm_params,
    .forward = layer_norm_forward,
    .traits = rows_traits,
};
const struct op op_rms_norm = {
    .name = "rms_norm",
    .summary = "Rows by the root of their mean square (Zhang, Sennrich 2019).",
    .fields = layer_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_ROW,
    .reads = 2,
    .infer = layer_norm_infer,
    .params = rms_norm_params,
    .forward = rms_norm_forward,
    .traits = rows_traits,
};

static const struct cfg_field instance_norm_fields[] = {NORM_EPSILON("1e-5"), {0}};
static const struct cfg_field group_norm_fields[] = {
    NORM_EPSILON("1e-5"),
    {"groups", CFG_INT, offsetof(struct norm_attr, groups), 1, INT32_MAX, NULL, NULL,
     "Groups of channels that are normalised together.", NULL},
    {0},
};

static bool instance_norm_infer(const struct op_infer *c, GError **error)
{
    struct norm_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    if (!norm_check_channels(c, 1, 2, error))
        return false;
    return a->groups == 0 || c->in[0]->shape.dim[1] % a->groups == 0 ||
           error_set(error, ERROR_INPUT, "the channels are not a multiple of the groups");
}

static int instance_norm_params(const struct op_infer *c, struct op_param *out)
{
    const struct shape row = {1, {c->in[0]->shape.dim[1]}};
    out[0] = (struct op_param)NORM_SCALE(row);
    out[1] = (struct op_param)NORM_BIAS(row);
    return 2;
}

static bool group_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const int64_t groups = a->groups ? a->groups : in->dim[1], inner = shape_count_from(in, 2);
    const int64_t n_channel = in->dim[1] / groups;
    struct row_norm r = {
        c, in->dim[0] * groups, n_channel * inner, inner, n_channel, groups, a->epsilon, false};
    return run_rows(&r);
}

#define GROUPED(op_name, text)                                                                     \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = op_name##_fields,                                                                \
        .attr_size = sizeof(struct norm_attr),                                                     \
        .min_data = 1,                                                                             \
        .max_data = 1,                                                                             \
        .infer = instance_norm_infer,                                                              \
        .params = instance_norm_params,                                                            \
        .forward = group_norm_forward,                                                             \
    };
GROUPED(instance_norm, "Each channel of each image by its own mean and deviation.")
GROUPED(group_norm, "Groups of channels of each image by their mean and deviation (Wu, He 2018).")
