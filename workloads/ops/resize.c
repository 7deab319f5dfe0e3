/* SPDX-License-Identifier: Apache-2.0 */
/* Images, or any values, of another size. Dimensions are treated one after the other: an output
 * index is a weighted sum of up to four input indices along it. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define MAX_TAP 4

enum coordinates {
    HALF_PIXEL,
    PYTORCH_HALF_PIXEL,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_HALF_PIXEL_FOR_NN,
    TF_CROP_AND_RESIZE
};
static const char *const coordinate_names[] = {
    "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn",
    "tf_crop_and_resize", NULL};
enum nearest { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL };
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil", NULL};
static const char *const mode_names[] = {"nearest", "linear", "cubic", NULL};

static const struct cfg_field resize_fields[] = {
    {"mode", CFG_ENUM, offsetof(struct resize_attr, mode), 0, 0, "nearest", NULL,
     "How elements between two inputs are found.", mode_names},
    {"coordinate_transformation_mode", CFG_ENUM, offsetof(struct resize_attr, coordinates), 0, 0,
     "half_pixel", NULL, "Which place of the input an output index stands for.", coordinate_names},
    {"nearest_mode", CFG_ENUM, offsetof(struct resize_attr, nearest), 0, 0, "round_prefer_floor",
     NULL, "Which of two inputs is the nearest.", nearest_names},
    {"cubic_coeff_a", CFG_FLOAT, offsetof(struct resize_attr, cubic_coeff_a), -1e6, 1e6, "-0.75",
     NULL, "Parameter of the cubic kernel (Keys 1981).", NULL},
    {"exclude_outside", CFG_BOOL, offsetof(struct resize_attr, exclude_outside), 0, 0, "false",
     NULL, "Places outside the input weigh nothing, instead of repeating its edge.", NULL},
    {"extrapolation_value", CFG_FLOAT, offsetof(struct resize_attr, extrapolation_value), -1e30,
     1e30, "0.0", NULL, "What tf_crop_and_resize gives outside the input.", NULL},
    {"sizes", CFG_INTS, offsetof(struct resize_attr, sizes), 1, 0x1p40, "", NULL,
     "Dimensions of the output; known inputs (region, scales, sizes) override it.", NULL},
    {0},
};

static bool take_numbers(const struct op_infer *c, int i, double *out, int want, int *n,
                         GError **error)
{
    const struct operand *in = infer_input(c, i);
    if (!in || shape_count(&in->shape) == 0)
        return true;
    *n = (int)MIN(shape_count(&in->shape), want + 1);
    if (*n != want)
        return error_set(error, ERROR_INPUT, "input %d does not have %d numbers", i + 1, want);
    for (int k = 0; k < want; k++)
        out[k] = number_get_fp64(in->known, in->type, (size_t)k);
    return true;
}

static bool resize_infer(const struct op_infer *c, GError **error)
{
    struct resize_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    int n_roi = 0;
    if (!take_numbers(c, 1, a->roi, 2 * in->n_dim, &n_roi, error) ||
        !take_numbers(c, 2, a->scales, in->n_dim, &a->n_scale, error) ||
        !infer_ints(c, 3, &a->sizes, error))
        return false;
    if (a->coordinates == TF_CROP_AND_RESIZE && infer_input(c, 0) && c->n_in > 1 && n_roi == 0)
        return error_set(error, ERROR_INPUT, "tf_crop_and_resize needs a region");
    if (a->sizes.n ? a->sizes.n != in->n_dim : a->n_scale != in->n_dim)
        return error_set(error, ERROR_INPUT, "neither sizes nor scales for %d dimensions",
                         in->n_dim);
    out->n_dim = in->n_dim;
    for (int d = 0; d < in->n_dim; d++) {
        double size = a->sizes.n ? (double)a->sizes.v[d] : floor((double)in->dim[d] * a->scales[d]);
        if (!(size >= 1 && size <= 0x1p40))
            return error_set(error, ERROR_INPUT, "dimension %d would be %g", d, size);
        out->dim[d] = (int64_t)size;
        if (a->sizes.n)
            a->scales[d] = size / (double)in->dim[d];
    }
    return true;
}

/* The place in an input of n_in that output index i of n_out stands for. */
static double place(const struct resize_attr *a, int d, int rank, int64_t i, int64_t n_in,
                    int64_t n_out)
{
    const double x = (double)i, scale = a->scales[d], last = (double)(n_in - 1);
    switch (a->coordinates) {
    case ALIGN_CORNERS:
        /* By the output's size before it was cut to an integer, as ONNX's tests have it. */
        return n_out > 1 ? x * last / (scale * (double)n_in - 1) : 0;
    case ASYMMETRIC:
        return x / scale;
    case TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / scale;
    case PYTORCH_HALF_PIXEL:
        return n_out > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case TF_CROP_AND_RESIZE: {
        const double start = a->roi[d], end = a->roi[rank + d];
        return n_out > 1 ? start * last + x * (end - start) * last / (double)(n_out - 1)
                         : 0.5 * (start + end) * last;
    }
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

struct taps {
    int n;
    int64_t at[MAX_TAP];
    double weight[MAX_TAP];
    bool is_outside;
};

static double cubic(double a, double t)
{
    t = fabs(t);
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

static int64_t nearest(int mode, double x)
{
    const double low = floor(x), half = x - low;
    if (mode == FLOOR || (mode == ROUND_PREFER_FLOOR && half <= 0.5) ||
        (mode == ROUND_PREFER_CEIL && half < 0.5))
        return (int64_t)low;
    return (int64_t)ceil(x);
}

static struct taps taps_of(const struct resize_attr *a, double x, int64_t n_in)
{
    struct taps t = {.is_outside = a->coordinates == TF_CROP_AND_RESIZE &&
                                   !(x >= 0 && x <= (double)(n_in - 1))};
    x = CLAMP(x, -4.0, (double)n_in + 4);
    const int64_t low = (int64_t)floor(x);
    double sum = 0;
    t.n = a->mode == RESIZE_NEAREST ? 1 : a->mode == RESIZE_LINEAR ? 2 : 4;
    for (int k = 0; k < t.n; k++) {
        const int64_t at = a->mode == RESIZE_NEAREST ? nearest(a->nearest, x)
                           : a->mode == RESIZE_LINEAR ? low + k
                                                      : low - 1 + k;
        const double far = fabs(x - (double)at);
        t.weight[k] = a->mode == RESIZE_NEAREST  ? 1
                      : a->mode == RESIZE_LINEAR ? 1 - far
                                                 : cubic(a->cubic_coeff_a, far);
        if (a->exclude_outside && (at < 0 || at >= n_in))
            t.weight[k] = 0;
        t.at[k] = CLAMP(at, 0, n_in - 1);
        sum += t.weight[k];
    }
    for (int k = 0; a->exclude_outside && k < t.n; k++)
        t.weight[k] /= sum;
    return t;
}

/* One dimension: src [outer, n_in, inner] to dst [outer, n_out, inner]. */
struct pass {
    const struct resize_attr *attr;
    int d, rank;
    int64_t outer, n_in, n_out, inner;
};

static void run_pass(const struct pass *p, const float *src, float *dst)
{
    for (int64_t i = 0; i < p->n_out; i++) {
        const struct taps t =
            taps_of(p->attr, place(p->attr, p->d, p->rank, i, p->n_in, p->n_out), p->n_in);
        for (int64_t o = 0; o < p->outer; o++) {
            float *y = dst + (o * p->n_out + i) * p->inner;
            for (int64_t k = 0; k < p->inner; k++) {
                double sum = 0;
                for (int tap = 0; tap < t.n; tap++)
                    sum += t.weight[tap] *
                           (double)src[(o * p->n_in + t.at[tap]) * p->inner + k];
                y[k] = t.is_outside ? (float)p->attr->extrapolation_value : (float)sum;
            }
        }
    }
}

/* Only copies: every dimension is mapped. */
static bool copy_nearest(const struct op_call *c, GError **error)
{
    const struct resize_attr *a = c->attr;
    struct mapped m = mapped_of(c);
    const float outside = (float)a->extrapolation_value;
    m.fill = &outside;
    bool ok = true;
    for (int d = 0; ok && d < m.out.n_dim; d++) {
        if (m.in.dim[d] == m.out.dim[d] && a->coordinates != TF_CROP_AND_RESIZE)
            continue;
        int64_t *map = mapped_dim(&m, d, error);
        ok = map != NULL;
        for (int64_t i = 0; ok && i < m.out.dim[d]; i++) {
            const struct taps t = taps_of(
                a, place(a, d, m.out.n_dim, i, m.in.dim[d], m.out.dim[d]), m.in.dim[d]);
            map[i] = t.is_outside ? -1 : t.at[0];
        }
    }
    if (ok)
        mapped_run(&m, c->threads);
    mapped_clear(&m);
    return ok;
}

static bool resize_forward(const struct op_call *c, GError **error)
{
    const struct resize_attr *a = c->attr;
    const struct shape *out = &c->out[0]->shape;
    struct tensor now = *c->in[0];
    if (a->mode == RESIZE_NEAREST)
        return copy_nearest(c, error);
    for (int d = 0; d < out->n_dim; d++) {
        struct tensor next;
        struct shape shape = now.shape;
        if (shape.dim[d] == out->dim[d] && a->coordinates != TF_CROP_AND_RESIZE)
            continue;
        shape.dim[d] = out->dim[d];
        const int64_t inner = shape_count_from(&shape, d + 1);
        const struct pass p = {a,     d, out->n_dim, shape_count(&shape) / inner / shape.dim[d],
                               now.shape.dim[d], shape.dim[d], inner};
        bool ok = tensor_alloc(&next, NUMBER_fp32, &shape, error);
        if (ok)
            run_pass(&p, now.data, next.data);
        if (now.data != c->in[0]->data)
            tensor_clear(&now);
        if (!ok)
            return false;
        now = next;
    }
    memcpy(c->out[0]->data, now.data, tensor_bytes(c->out[0]));
    if (now.data != c->in[0]->data)
        tensor_clear(&now);
    return true;
}

const struct op op_resize = {
    .name = "resize",
    .summary = "Its input in another size, by the nearest elements or between them.",
    .fields = resize_fields,
    .attr_size = sizeof(struct resize_attr),
    .min_data = 1,
    .max_data = 4,
    .known = 1 << 1 | 1 << 2 | 1 << 3,
    .infer = resize_infer,
    .forward = resize_forward,
};
