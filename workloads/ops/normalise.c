/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations: elements less a mean, by a deviation, times a scale, plus a bias. Statistics are
 * summed in fp64, in the order of the elements. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define EPSILON(def)                                                                               \
    {"epsilon", CFG_FLOAT, offsetof(struct norm_attr, epsilon), 0, 1e6, def, NULL,                 \
     "Added to the variance.", NULL}
#define SCALE_SEEDED(shape) {"scale", shape, 0, false, 1.0f, 0.1f}
#define BIAS_SEEDED(shape)  {"bias", shape, 0, false, 0.0f, 0.1f}

struct moments {
    double mean, variance;
};

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
static void scale_row(float *y, const float *x, int64_t n, float a, float b)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * a + b;
}

static bool check_channels(const struct op_infer *c, int first, int last, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    if (in->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no channels");
    for (int i = first; i <= last; i++)
        if (infer_input(c, i) && (c->in[i]->shape.n_dim != 1 ||
                                  c->in[i]->shape.dim[0] != in->dim[1]))
            return error_set(error, ERROR_INPUT, "input %d does not have one element a channel",
                             i + 1);
    return true;
}

/* Batch normalisation (Ioffe, Szegedy 2015). */
static const struct cfg_field batch_norm_fields[] = {
    EPSILON("1e-5"),
    {"momentum", CFG_FLOAT, offsetof(struct norm_attr, momentum), 0, 1, "0.9", NULL,
     "Share of the old running statistics at training.", NULL},
    {"training", CFG_BOOL, offsetof(struct norm_attr, training), 0, 0, "false", NULL,
     "Uses the batch's own statistics, and gives new running ones.", NULL},
    {0},
};

static bool batch_norm_infer(const struct op_infer *c, GError **error)
{
    const struct norm_attr *a = c->attr;
    if (!check_channels(c, 1, 4, error))
        return false;
    if (c->n_out > 1 && (!a->training || c->n_out > 3))
        return error_set(error, ERROR_UNSUPPORTED, "%d outputs %s training", c->n_out,
                         a->training ? "at" : "without");
    c->out[0].shape = c->in[0]->shape;
    for (int i = 1; i < c->n_out; i++)
        c->out[i].shape = (struct shape){1, {c->in[0]->shape.dim[1]}};
    return true;
}

static int batch_norm_params(const struct op_infer *c, struct op_param *out)
{
    const struct shape row = {1, {c->in[0]->shape.dim[1]}};
    out[0] = (struct op_param)SCALE_SEEDED(row);
    out[1] = (struct op_param)BIAS_SEEDED(row);
    out[2] = (struct op_param){"mean", row, 0, true, 0.0f, 0.1f};
    out[3] = (struct op_param){"var", row, 0, true, 1.0f, 0.5f};
    return 4;
}

static struct moments batch_moments(const struct op_call *c, int64_t channel)
{
    const struct shape *in = &c->in[0]->shape;
    const int64_t inner = shape_count_from(in, 2), n = in->dim[0];
    double sum = 0, squares = 0, count = (double)n * (double)inner;
    for (int64_t i = 0; i < n; i++) {
        const float *x = (const float *)c->in[0]->data + (i * in->dim[1] + channel) * inner;
        for (int64_t k = 0; k < inner; k++)
            sum += (double)x[k];
    }
    for (int64_t i = 0; i < n; i++) {
        const float *x = (const float *)c->in[0]->data + (i * in->dim[1] + channel) * inner;
        for (int64_t k = 0; k < inner; k++)
            squares += ((double)x[k] - sum / count) * ((double)x[k] - sum / count);
    }
    return (struct moments){sum / count, squares / count};
}

static void keep_running(const struct op_call *c, int64_t channel, struct moments m)
{
    const double momentum = ((const struct norm_attr *)c->attr)->momentum;
    const double now[] = {m.mean, m.variance};
    for (int i = 1; i < c->n_out; i++)
        if (c->out[i])
            ((float *)c->out[i]->data)[channel] =
                (float)((double)((const float *)c->in[i + 2]->data)[channel] * momentum +
                        now[i - 1] * (1 - momentum));
}

static void batch_norm_panel(void *arg, int channel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const struct norm_attr *attr = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct moments m = {(double)((const float *)c->in[3]->data)[channel],
                        (double)((const float *)c->in[4]->data)[channel]};
    if (attr->training) {
        m = batch_moments(c, channel);
        keep_running(c, channel, m);
    }
    const double a = (double)((const float *)c->in[1]->data)[channel] /
                     sqrt(m.variance + attr->epsilon);
    const double b = (double)((const float *)c->in[2]->data)[channel] - m.mean * a;
    const int64_t inner = shape_count_from(in, 2);
    for (int64_t i = 0; i < in->dim[0]; i++) {
        const int64_t at = (i * in->dim[1] + channel) * inner;
        scale_row((float *)c->out[0]->data + at, (const float *)c->in[0]->data + at, inner,
                  (float)a, (float)b);
    }
}

static bool batch_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, (int)c->in[0]->shape.dim[1], batch_norm_panel, (void *)c);
    return true;
}

const struct op op_batch_norm = {
    .name = "batch_norm",
    .summary = "Channels by their mean and deviation over the batch, known or its own.",
    .fields = batch_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = 3,
    .infer = batch_norm_infer,
    .params = batch_norm_params,
    .forward = batch_norm_forward,
};

/* Rows normalised by themselves: layer and RMS normalisation over the last dimensions, instance
 * and group normalisation over parts of an image. Row r of `n` elements; scale and bias have an
 * element for each `per_scale` elements, from scale_at(r) on. */
struct row_norm {
    const struct op_call *c;
    int64_t n_row, n, per_scale, n_scale; /* scales in a row */
    int64_t scale_period; /* rows after which the scales begin anew */
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
        scale_row(y + k * r->per_scale, x + k * r->per_scale, r->per_scale, (float)a, (float)b);
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
    EPSILON("1e-5"),
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
    out[0] = (struct op_param)SCALE_SEEDED(row);
    out[1] = (struct op_param)BIAS_SEEDED(row);
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

const struct op op_layer_norm = {
    .name = "layer_norm",
    .summary = "Rows by their own mean and deviation (Ba, Kiros, Hinton 2016); also mean and "
               "inverse deviation.",
    .fields = layer_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = 3,
    .infer = layer_norm_infer,
    .params = layer_norm_params,
    .forward = layer_norm_forward,
};
const struct op op_rms_norm = {
    .name = "rms_norm",
    .summary = "Rows by the root of their mean square (Zhang, Sennrich 2019).",
    .fields = layer_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = layer_norm_infer,
    .params = rms_norm_params,
    .forward = rms_norm_forward,
};

static const struct cfg_field instance_norm_fields[] = {EPSILON("1e-5"), {0}};
static const struct cfg_field group_norm_fields[] = {
    EPSILON("1e-5"),
    {"groups", CFG_INT, offsetof(struct norm_attr, groups), 1, INT32_MAX, NULL, NULL,
     "Groups of channels that are normalised together.", NULL},
    {0},
};

static bool instance_norm_infer(const struct op_infer *c, GError **error)
{
    struct norm_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    if (!check_channels(c, 1, 2, error))
        return false;
    return a->groups == 0 || c->in[0]->shape.dim[1] % a->groups == 0 ||
           error_set(error, ERROR_INPUT, "the channels are not a multiple of the groups");
}

static int instance_norm_params(const struct op_infer *c, struct op_param *out)
{
    const struct shape row = {1, {c->in[0]->shape.dim[1]}};
    out[0] = (struct op_param)SCALE_SEEDED(row);
    out[1] = (struct op_param)BIAS_SEEDED(row);
    return 2;
}

static bool group_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const int64_t groups = a->groups ? a->groups : in->dim[1], inner = shape_count_from(in, 2);
    const int64_t n_channel = in->dim[1] / groups;
    struct row_norm r = {c,      in->dim[0] * groups, n_channel * inner, inner, n_channel,
                         groups, a->epsilon,          false};
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

static const struct cfg_field lp_norm_fields[] = {
    {"axis", CFG_INT, offsetof(struct norm_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "Dimension along which the norm is taken.", NULL},
    {"p", CFG_INT, offsetof(struct norm_attr, p), 1, 2, "2", NULL, "Exponent of the norm.", NULL},
    {0},
};

static bool lp_norm_infer(const struct op_infer *c, GError **error)
{
    c->out[0].shape = c->in[0]->shape;
    return axis_normalise(&((struct norm_attr *)c->attr)->axis, &c->in[0]->shape, error);
}

static bool lp_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const int64_t n = in->dim[a->axis], inner = shape_count_from(in, (int)a->axis + 1);
    for (int64_t row = 0; row < shape_count(in) / n; row++) {
        const int64_t at = row / inner * n * inner + row % inner;
        const float *x = (const float *)c->in[0]->data + at;
        float *y = (float *)c->out[0]->data + at;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = fabs((double)x[i * inner]);
            sum += a->p == 1 ? v : v * v;
        }
        const double norm = a->p == 1 ? sum : sqrt(sum);
        for (int64_t i = 0; i < n; i++)
            y[i * inner] = (float)((double)x[i * inner] / norm);
    }
    return true;
}

const struct op op_lp_norm = {
    .name = "lp_norm",
    .summary = "Vectors divided by their p-norm.",
    .fields = lp_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = lp_norm_infer,
    .forward = lp_norm_forward,
};
