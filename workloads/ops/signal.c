/* SPDX-License-Identifier: Apache-2.0 */
/* Window functions of signal processing, and the discrete Fourier transform by its definition. */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field window_fields[] = {
    {"size", CFG_INT, offsetof(struct window_function_attr, size), 0, 0x1p40, "0", NULL,
     "Elements; an input overrides it.", NULL},
    {"periodic", CFG_BOOL, offsetof(struct window_function_attr, periodic), 0, 0, "true", NULL,
     "The element behind the last would be the first, else the last is like the first.", NULL},
    {"type", CFG_ENUM, offsetof(struct window_function_attr, type), 0, 0, "fp32", NULL,
     "Number format.", number_names},
    {0},
};

static bool window_infer(const struct op_infer *c, GError **error)
{
    struct window_function_attr *a = c->attr;
    if (!infer_int(c, 0, &a->size, error))
        return false;
    c->out[0].shape = (struct shape){1, {a->size}};
    c->out[0].type = (enum number)a->type;
    return a->size >= 1 || error_set(error, ERROR_INPUT, "a window of %" LD " elements", a->size);
}

/* a - b cos(t) + c cos(2 t) */
static bool window(const struct op_call *c, double a, double b, double d)
{
    const struct window_function_attr *attr = c->attr;
    const double n = (double)(attr->periodic ? attr->size : attr->size - 1);
    for (int64_t i = 0; i < attr->size; i++) {
        const double t = 2 * G_PI * (double)i / n;
        const double x = n > 0 ? a - b * cos(t) + d * cos(2 * t) : 1;
        number_convert((char *)c->out[0]->data + (size_t)i * number_bytes(c->out[0]->type),
                       c->out[0]->type, &x, NUMBER_fp64, 1);
    }
    return true;
}

static bool hann_window_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return window(c, 0.5, 0.5, 0);
}

/* 25/46 as ONNX has it, not the older 0.54. */
static bool hamming_window_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return window(c, 25.0 / 46, 21.0 / 46, 0);
}

static bool blackman_window_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return window(c, 0.42, 0.5, 0.08);
}

#define WINDOW(op_name, text)                                                                      \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = window_fields,                                                                   \
        .attr_size = sizeof(struct window_function_attr),                                          \
        .min_data = 0,                                                                             \
        .max_data = 1,                                                                             \
        .types = OP_NUMBER,                                                                        \
        .known = 1,                                                                                \
        .infer = window_infer,                                                                     \
        .forward = op_name##_forward,                                                              \
    };
WINDOW(hann_window, "Hann's window.")
WINDOW(hamming_window, "Hamming's window.")
WINDOW(blackman_window, "Blackman's window.")

static const struct cfg_field dft_fields[] = {
    {"axis", CFG_INT, offsetof(struct dft_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1", NULL,
     "Dimension of the signal.", NULL},
    {"inverse", CFG_BOOL, offsetof(struct dft_attr, inverse), 0, 0, "false", NULL,
     "The inverse transform.", NULL},
    {"onesided", CFG_BOOL, offsetof(struct dft_attr, onesided), 0, 0, "false", NULL,
     "Only frequencies up to the half.", NULL},
    {"length", CFG_INT, offsetof(struct dft_attr, length), 0, 0x1p31, "0", NULL,
     "Length of the signal, cut or filled with zeros; 0: the input's.", NULL},
    {0},
};

/* The last dimension is real (1) or complex (2). */
static bool dft_infer(const struct op_infer *c, GError **error)
{
    struct dft_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    if (!infer_int(c, 1, &a->length, error))
        return false;
    a->axis += a->axis < 0 ? x->n_dim : 0;
    if (x->n_dim < 2 || a->axis < 0 || a->axis >= x->n_dim - 1 || x->dim[x->n_dim - 1] > 2 ||
        a->length < 0 || (a->onesided && a->inverse))
        return error_set(error, ERROR_INPUT, "the signal is no [..., 1 or 2], or the axis is none");
    const int64_t n = a->length ? a->length : x->dim[a->axis];
    c->out[0].shape = *x;
    c->out[0].shape.dim[a->axis] = a->onesided ? n / 2 + 1 : n;
    c->out[0].shape.dim[x->n_dim - 1] = 2;
    return n <= 1 << 16 || error_set(error, ERROR_UNSUPPORTED, "a signal of %" LD, n);
}

static bool dft_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct dft_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    const int64_t parts = in->dim[in->n_dim - 1], n_in = in->dim[a->axis], m = out->dim[a->axis];
    const int64_t n = a->length ? a->length : n_in;
    const int64_t inner = shape_count_from(in, (int)a->axis + 1) / parts;
    const double sign = a->inverse ? 1 : -1, factor = a->inverse ? 1 / (double)n : 1;
    const float *x = c->in[0]->data;
    for (int64_t i = 0; i < shape_count(out) / 2; i++) {
        const int64_t k = i / inner % m, first = i / inner / m * n_in * inner + i % inner;
        double re = 0, im = 0;
        for (int64_t t = 0; t < MIN(n, n_in); t++) {
            const double angle = sign * 2 * G_PI * (double)(t * k % n) / (double)n;
            const float *s = x + (first + t * inner) * parts;
            const double xr = (double)s[0], xi = parts == 2 ? (double)s[1] : 0;
            re += xr * cos(angle) - xi * sin(angle);
            im += xr * sin(angle) + xi * cos(angle);
        }
        ((float *)c->out[0]->data)[2 * i] = (float)(re * factor);
        ((float *)c->out[0]->data)[2 * i + 1] = (float)(im * factor);
    }
    return true;
}

const struct op op_dft = {
    .name = "dft",
    .summary = "Discrete Fourier transform.",
    .fields = dft_fields,
    .attr_size = sizeof(struct dft_attr),
    .min_data = 1,
    .max_data = 2,
    .known = 1 << 1,
    .infer = dft_infer,
    .forward = dft_forward,
};
