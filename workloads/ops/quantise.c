/* SPDX-License-Identifier: Apache-2.0 */
/* Quantised arithmetic as ONNX defines it: y = saturate(round(x / scale) + zero point), rounding
 * half to even; products are exact integers. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/window.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field quantise_fields[] = {
    {"axis", CFG_INT, offsetof(struct quantise_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1",
     NULL, "Dimension that has a scale for each index, where there are several.", NULL},
    {"type", CFG_ENUM, offsetof(struct quantise_attr, type), 0, 0, "uint8", NULL,
     "Format of the result, where no zero point tells it.", number_names},
    {0},
};
static const struct cfg_field dequantise_fields[] = {
    {"axis", CFG_INT, offsetof(struct quantise_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1",
     NULL, "Dimension that has a scale for each index, where there are several.", NULL},
    {0},
};

static bool is_byte(enum number n)
{
    return n == NUMBER_int8 || n == NUMBER_uint8;
}

/* x / scale + zero, of what the format holds. */
static int64_t quantised(double x, double zero, enum number type)
{
    const double least = type == NUMBER_int8 ? INT8_MIN : 0;
    const double most = type == NUMBER_int8 ? INT8_MAX : UINT8_MAX;
    const double y = rint(x) + zero;
    return y != y ? 0 : (int64_t)(y < least ? least : y > most ? most : y);
}

static void set_byte(const struct tensor *t, int64_t i, int64_t x)
{
    ((uint8_t *)t->data)[i] = (uint8_t)x;
}

static double at(const struct tensor *t, int64_t i)
{
    return t ? number_get_fp64(t->data, t->type, (size_t)(shape_count(&t->shape) > 1 ? i : 0)) : 0;
}

/* Of the scales' index along the axis. */
static bool check_scales(const struct op_infer *c, GError **error)
{
    struct quantise_attr *a = c->attr;
    const int64_t n = shape_count(&c->in[1]->shape);
    const struct operand *zero = infer_input(c, 2);
    c->out[0].shape = c->in[0]->shape;
    if (n > 1 && (!axis_normalise(&a->axis, &c->in[0]->shape, error) ||
                  c->in[0]->shape.dim[a->axis] != n))
        return error && *error ? false
                               : error_set(error, ERROR_INPUT, "there are %" LD " scales", n);
    return !zero || shape_count(&zero->shape) == n ||
           error_set(error, ERROR_INPUT, "scales and zero points differ in number");
}

static int64_t scale_index(const struct op_call *c, int64_t i)
{
    const struct quantise_attr *a = c->attr;
    const struct shape *s = &c->in[0]->shape;
    if (shape_count(&c->in[1]->shape) == 1)
        return 0;
    return i / shape_count_from(s, (int)a->axis + 1) % s->dim[a->axis];
}

static bool quantize_linear_infer(const struct op_infer *c, GError **error)
{
    const struct quantise_attr *a = c->attr;
    c->out[0].type = infer_input(c, 2) ? c->in[2]->type : (enum number)a->type;
    if (!is_byte(c->out[0].type))
        return error_set(error, ERROR_UNSUPPORTED, "a result in %s", number_names[c->out[0].type]);
    return check_scales(c, error);
}

static bool quantize_linear_forward(const struct op_call *c, GError **error)
{
    (void)error;
    for (int64_t i = 0; i < shape_count(&c->out[0]->shape); i++) {
        const int64_t k = scale_index(c, i);
        /* The quotient is fp32's, which decides what is a tie. */
        const float x = (float)number_get_fp64(c->in[0]->data, c->in[0]->type, (size_t)i) /
                        (float)at(c->in[1], k);
        set_byte(c->out[0], i,
                 quantised((double)x, at(c->n_in > 2 ? c->in[2] : NULL, k), c->out[0]->type));
    }
    return true;
}

static bool dequantize_linear_infer(const struct op_infer *c, GError **error)
{
    c->out[0].type = NUMBER_fp32;
    if (number_is_float(c->in[0]->type) || c->in[1]->type != NUMBER_fp32)
        return error_set(error, ERROR_UNSUPPORTED, "%s with scales in %s",
                         number_names[c->in[0]->type], number_names[c->in[1]->type]);
    return check_scales(c, error);
}

static bool dequantize_linear_forward(const struct op_call *c, GError **error)
{
    (void)error;
    for (int64_t i = 0; i < shape_count(&c->out[0]->shape); i++) {
        const int64_t k = scale_index(c, i);
        const double x = number_get_fp64(c->in[0]->data, c->in[0]->type, (size_t)i);
        ((float *)c->out[0]->data)[i] =
            (float)(x - at(c->n_in > 2 ? c->in[2] : NULL, k)) * (float)at(c->in[1], k);
    }
    return true;
}

static bool dynamic_quantize_linear_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0] = (struct operand){NUMBER_uint8, c->in[0]->shape, NULL};
    for (int i = 1; i < c->n_out; i++)
        c->out[i] = (struct operand){i == 1 ? NUMBER_fp32 : NUMBER_uint8, {0}, NULL};
    return true;
}

/* The range of the elements and 0 becomes that of uint8. */
static bool dynamic_quantize_linear_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const float *x = c->in[0]->data;
    const int64_t n = shape_count(&c->in[0]->shape);
    float least = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    const float scale = most > least ? (most - least) / 255 : 1;
    const double zero = (double)quantised((double)(-least / scale), 0, NUMBER_uint8);
    for (int64_t i = 0; i < n; i++)
        set_byte(c->out[0], i, quantised((double)(x[i] / scale), zero, NUMBER_uint8));
    if (c->n_out > 1 && c->out[1])
        *(float *)c->out[1]->data = scale;
    if (c->n_out > 2 && c->out[2])
        *(uint8_t *)c->out[2]->data = (uint8_t)zero;
    return true;
}

/* A product's places among the inputs: x, w, and their zero points (-1: none). */
struct places {
    int x, w, x_zero, w_zero, x_scale, w_scale, y_scale, y_zero, bias;
};
static const struct places integer_places = {0, 1, 2, 3, -1, -1, -1, -1, -1};
static const struct places qlinear_places = {0, 3, 2, 5, 1, 4, 6, 7, 8};

static const struct tensor *input(const struct op_call *c, int i)
{
    return i >= 0 && i < c->n_in ? c->in[i] : NULL;
}

/* int32 as it is, or scaled into the output's format; `channel` of the weights. */
static void store(const struct op_call *c, const struct places *p, int64_t i, int64_t sum,
                  int64_t channel)
{
    if (p->y_scale < 0) {
        ((int32_t *)c->out[0]->data)[i] = (int32_t)sum;
        return;
    }
    const double scale = at(input(c, p->x_scale), 0) * at(input(c, p->w_scale), channel) /
                         at(input(c, p->y_scale), 0);
    set_byte(c->out[0], i,
             quantised((double)sum * scale, at(input(c, p->y_zero), 0), c->out[0]->type));
}

static bool check_bytes(const struct op_infer *c, const struct places *p, GError **error)
{
    for (int i = 0; i < 2; i++) {
        const enum number type = c->in[i ? p->w : p->x]->type;
        if (!is_byte(type))
            return error_set(error, ERROR_UNSUPPORTED, "an input in %s", number_names[type]);
    }
    c->out[0].type = p->y_scale < 0 ? NUMBER_int32 : c->in[p->y_zero]->type;
    return p->y_scale < 0 || is_byte(c->out[0].type) ||
           error_set(error, ERROR_UNSUPPORTED, "a result in %s", number_names[c->out[0].type]);
}

static bool product_infer(const struct op_infer *c, const struct places *p, GError **error)
{
    const struct operand x = {NUMBER_fp32, c->in[p->x]->shape, NULL};
    const struct operand w = {NUMBER_fp32, c->in[p->w]->shape, NULL}, *in[] = {&x, &w};
    struct operand out = {0};
    const struct op_infer call = {NULL, in, 2, &out, 1};
    if (!op_find("matmul")->infer(&call, error))
        return false;
    c->out[0].shape = out.shape;
    const struct shape *b = &c->in[p->w]->shape;
    if (b->n_dim != 2 && c->in[p->x]->shape.n_dim != b->n_dim)
        return error_set(error, ERROR_UNSUPPORTED, "stacks of different rank");
    return check_bytes(c, p, error);
}

static bool product_forward(const struct op_call *c, const struct places *p)
{
    const struct tensor *x = c->in[p->x], *w = c->in[p->w];
    const struct shape *a = &x->shape, *b = &w->shape;
    const int64_t k_dim = a->dim[a->n_dim - 1], n = b->n_dim > 1 ? b->dim[b->n_dim - 1] : 1;
    const int64_t m = a->n_dim > 1 ? a->dim[a->n_dim - 2] : 1;
    const struct tensor *xz = input(c, p->x_zero), *wz = input(c, p->w_zero);
    for (int64_t i = 0; i < shape_count(&c->out[0]->shape); i++) {
        const int64_t col = i % n, row = i / n, stack = b->n_dim > 2 ? row / m : 0;
        const int64_t x_zero = (int64_t)at(xz, row % m), w_zero = (int64_t)at(wz, col);
        int64_t sum = 0;
        for (int64_t k = 0; k < k_dim; k++)
            sum += (number_get_int64(x->data, x->type, (size_t)(row * k_dim + k)) - x_zero) *
                   (number_get_int64(w->data, w->type, (size_t)((stack * k_dim + k) * n + col)) -
                    w_zero);
        store(c, p, i, sum, col);
    }
    return true;
}

static bool conv_infer(const struct op_infer *c, const struct places *p, GError **error)
{
    struct conv2d_attr *a = c->attr;
    const struct shape *x = &c->in[p->x]->shape, *w = &c->in[p->w]->shape;
    const struct window window = {.kernel = &a->kernel, .stride = &a->stride, .pad = &a->pad,
                                  .dilation = &a->dilation, .auto_pad = &a->auto_pad};
    if (w->n_dim != x->n_dim || w->n_dim < 3 || x->dim[1] != w->dim[1] * a->groups ||
        w->dim[0] % a->groups)
        return error_set(error, ERROR_INPUT, "the weight does not fit the input");
    a->channels = w->dim[0];
    a->kernel.n = w->n_dim - 2;
    memcpy(a->kernel.v, w->dim + 2, (size_t)a->kernel.n * sizeof(int64_t));
    return window_shape(&window, x, a->channels, &c->out[0].shape, error) &&
           check_bytes(c, p, error);
}

/* The sum of one output: padding is the zero point, which adds nothing. */
static int64_t conv_sum(const struct op_call *c, const struct places *p, int64_t image,
                        int64_t channel, int64_t place)
{
    const struct conv2d_attr *a = c->attr;
    const struct tensor *x = c->in[p->x], *w = c->in[p->w];
    const int n = a->kernel.n;
    const int64_t in_group = w->shape.dim[1];
    const int64_t first = channel / (a->channels / a->groups) * in_group;
    const int64_t x_zero = (int64_t)at(input(c, p->x_zero), 0);
    const int64_t w_zero = (int64_t)at(input(c, p->w_zero), channel);
    const int64_t n_tap = shape_count_from(&w->shape, 2), plane = shape_count_from(&x->shape, 2);
    int64_t sum = 0;
    for (int64_t tap = 0; tap < n_tap; tap++) {
        int64_t at_x = 0, step = 1, k = tap, o = place;
        bool is_inside = true;
        for (int i = n - 1; i >= 0; i--) {
            const int64_t dim = x->shape.dim[2 + i], out = c->out[0]->shape.dim[2 + i];
            const int64_t at_i = o % out * a->stride.v[i] +
                                 k % a->kernel.v[i] * a->dilation.v[i] - a->pad.v[i];
            is_inside &= at_i >= 0 && at_i < dim;
            at_x += at_i * step;
            step *= dim;
            o /= out;
            k /= a->kernel.v[i];
        }
        for (int64_t ci = 0; is_inside && ci < in_group; ci++)
            sum += (number_get_int64(x->data, x->type,
                                     (size_t)((image * x->shape.dim[1] + first + ci) * plane +
                                              at_x)) - x_zero) *
                   (number_get_int64(w->data, w->type,
                                     (size_t)((channel * in_group + ci) * n_tap + tap)) - w_zero);
    }
    return sum;
}

static bool conv_forward(const struct op_call *c, const struct places *p)
{
    const struct shape *out = &c->out[0]->shape;
    const int64_t plane = shape_count_from(out, 2);
    const struct tensor *bias = input(c, p->bias);
    for (int64_t i = 0; i < shape_count(out); i++) {
        const int64_t channel = i / plane % out->dim[1];
        int64_t sum = conv_sum(c, p, i / plane / out->dim[1], channel, i % plane);
        sum += bias ? number_get_int64(bias->data, bias->type, (size_t)channel) : 0;
        store(c, p, i, sum, channel);
    }
    return true;
}

#define CONV_FIELD(name, min, def, text)                                                           \
    {#name, CFG_INTS, offsetof(struct conv2d_attr, name), min, WINDOW_MAX, def, NULL, text, NULL}
static const struct cfg_field conv_fields[] = {
    CONV_FIELD(kernel, 1, "", "Size of the filters; the weight tells it."),
    CONV_FIELD(stride, 1, "1", "Step between neighbouring windows."),
    CONV_FIELD(pad, 0, "0", "Zero points around the input."),
    CONV_FIELD(dilation, 1, "1", "Step between the inputs of one window."),
    {"groups", CFG_INT, offsetof(struct conv2d_attr, groups), 1, INT32_MAX, "1", NULL,
     "Groups of channels that are convolved apart from each other.", NULL},
    WINDOW_AUTO_PAD(conv2d_attr),
    {0},
};

#define PRODUCT(op_name, text, kind, table, attr_bytes, least, most)                               \
    static bool op_name##_infer(const struct op_infer *c, GError **error)                          \
    {                                                                                              \
        return kind##_infer(c, least > 2 ? &qlinear_places : &integer_places, error);              \
    }                                                                                              \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        return kind##_forward(c, least > 2 ? &qlinear_places : &integer_places);                   \
    }                                                                                              \
    OPERATOR(op_name, text, table, attr_bytes, least, most, 1)
#define OPERATOR(op_name, text, table, attr_bytes, least, most, most_out)                          \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = attr_bytes,                                                                   \
        .min_data = least,                                                                         \
        .max_data = most,                                                                          \
        .max_out = most_out,                                                                       \
        .types = OP_NUMBER,                                                                        \
        .infer = op_name##_infer,                                                                  \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(quantize_linear, "Numbers as bytes, by a scale and a zero point.", quantise_fields,
         sizeof(struct quantise_attr), 2, 3, 1)
OPERATOR(dequantize_linear, "Bytes as numbers, by a scale and a zero point.", dequantise_fields,
         sizeof(struct quantise_attr), 2, 3, 1)
OPERATOR(dynamic_quantize_linear, "Numbers as bytes by their own range; also scale and zero point.",
         NULL, 0, 1, 1, 3)
PRODUCT(matmul_integer, "Product of matrices of bytes, in int32.", product, NULL, 0, 2, 4)
PRODUCT(qlinear_matmul, "Product of matrices of bytes, scaled to bytes.", product, NULL, 0, 8, 8)
PRODUCT(conv_integer, "Convolution of bytes, in int32.", conv, conv_fields,
        sizeof(struct conv2d_attr), 2, 4)
PRODUCT(qlinear_conv, "Convolution of bytes, scaled to bytes.", conv, conv_fields,
        sizeof(struct conv2d_attr), 8, 9)
