/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as matrix products. The output pixels of one image and group are cut into panels;
 * for a panel the inputs of each pixel are gathered as a column (im2col: Chellapilla et al. 2006,
 * section 3), and the filters are multiplied with the columns. */
#include <cblas.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/depthwise.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/ops/window.h"
#include "workloads/threads.h"

/* Half of a small second-level cache holds the columns of a panel; with fewer pixels the filters,
 * packed anew for each panel, would cost more than their use. Measured on OpenBLAS 0.3.21. */
#define COLUMN_FLOATS    131072
#define PANEL_MIN_PIXELS 48
#define PANEL_MAX_PIXELS 512
#define PIXEL_STEP       16

static const struct cfg_field conv2d_fields[] = {
    {"channels", CFG_INT, offsetof(struct conv2d_attr, channels), 1, INT32_MAX, NULL, NULL,
     "Output channels.", NULL},
    {"kernel", CFG_INTS, offsetof(struct conv2d_attr, kernel), 1, WINDOW_MAX, NULL, NULL,
     "Size of the filters: one number or [height, width].", NULL},
    {"stride", CFG_INTS, offsetof(struct conv2d_attr, stride), 1, WINDOW_MAX, "1", NULL,
     "Step between neighbouring windows: one number or [height, width].", NULL},
    {"pad", CFG_INTS, offsetof(struct conv2d_attr, pad), 0, WINDOW_MAX, "0", NULL,
     "Zeros around the input: one number, [height, width] or [top, left, bottom, right].", NULL},
    {"dilation", CFG_INTS, offsetof(struct conv2d_attr, dilation), 1, WINDOW_MAX, "1", NULL,
     "Step between the inputs of one window: one number or [height, width].", NULL},
    {"groups", CFG_INT, offsetof(struct conv2d_attr, groups), 1, INT32_MAX, "1", NULL,
     "Groups of channels that are convolved apart from each other.", NULL},
    {"bias", CFG_BOOL, offsetof(struct conv2d_attr, bias), 0, 0, "true", NULL,
     "Adds one number to each output channel.", NULL},
    WINDOW_AUTO_PAD(conv2d_attr),
    {0},
};

static bool check_groups(const char *what, int64_t channels, int64_t groups, GError **error)
{
    if (groups >= 1 && channels % groups == 0)
        return true;
    return error_set(error, ERROR_INPUT,
                     "%s %" G_GINT64_FORMAT " is not a multiple of groups %" G_GINT64_FORMAT, what,
                     channels, groups);
}

static struct shape weight_shape(const struct op_infer *c)
{
    const struct conv2d_attr *a = c->attr;
    return (struct shape){
        4, {a->channels, c->in[0]->shape.dim[1] / a->groups, a->kernel.v[0], a->kernel.v[1]}};
}

/* Channels, kernel and bias follow from a weight that is given. */
static bool take_weight(const struct op_infer *c, const struct shape *weight, GError **error)
{
    struct conv2d_attr *a = c->attr;
    if (weight->n_dim != 4)
        return error_set(error, ERROR_INPUT, "the weight has %d dimensions, not 4", weight->n_dim);
    a->channels = weight->dim[0];
    a->kernel = (struct cfg_ints){2, {weight->dim[2], weight->dim[3]}};
    a->bias = infer_input(c, 2) != NULL;
    return true;
}

static bool check_given(const struct op_infer *c, const struct shape *weight, GError **error)
{
    const struct operand *given = infer_input(c, 1), *bias = infer_input(c, 2);
    if (given && !shape_equal(&given->shape, weight))
        return error_set(error, ERROR_INPUT,
                         "the weight sees %" G_GINT64_FORMAT
                         " channels, the input has %" G_GINT64_FORMAT " for each group",
                         given->shape.dim[1], weight->dim[1]);
    if (bias && shape_count(&bias->shape) != weight->dim[0])
        return error_set(error, ERROR_INPUT, "the bias does not have one element for each channel");
    return true;
}

static bool conv2d_infer(const struct op_infer *c, GError **error)
{
    struct conv2d_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const struct window w = {.kernel = &a->kernel,
                             .stride = &a->stride,
                             .pad = &a->pad,
                             .dilation = &a->dilation,
                             .auto_pad = &a->auto_pad};
    if (in->n_dim != 4)
        return error_set(error, ERROR_INPUT,
                         "the input has %d dimensions, not the 4 of images (batch, channels, "
                         "height, width)",
                         in->n_dim);
    if (infer_input(c, 1) && !take_weight(c, &c->in[1]->shape, error))
        return false;
    if (!window_shape(&w, in, a->channels, &c->out[0].shape, error) ||
        !check_groups("channels", a->channels, a->groups, error) ||
        !check_groups("number of input channels", in->dim[1], a->groups, error))
        return false;
    const struct shape weight = weight_shape(c);
    const char *why;
    if (!shape_check(&weight, &why))
        return error_set(error, ERROR_INPUT, "weight: %s", why);
    return check_given(c, &weight, error);
}

static int conv2d_params(const struct op_infer *c, struct op_param *out)
{
    const struct conv2d_attr *a = c->attr;
    const struct shape weight = weight_shape(c);
    out[0] = (struct op_param){"weight", weight, shape_count_from(&weight, 1), false, 0, 0};
    out[1] = (struct op_param){"bias", {1, {a->channels}}, 0, false, 0, 0};
    return a->bias ? 2 : 1;
}

static uint64_t conv2d_macs(const struct op_infer *c)
{
    const struct shape weight = weight_shape(c);
    return op_product(2, (int64_t[]){shape_count(&c->out[0].shape), shape_count_from(&weight, 1)});
}

struct conv {
    const struct conv2d_attr *attr;
    const float *x, *weight, *bias; /* bias may be NULL */
    float *y;
    int64_t n_image, height, width;
    int64_t in_group, out_group; /* channels of one group */
    int64_t out_width, n_pixel;
    int64_t depth;          /* length of a column */
    int64_t panel, n_panel; /* pixels of a panel; panels of one image and group */
    bool is_direct;         /* the input's rows are the columns' already */
    float *columns;         /* depth * panel for each thread */
};

static void choose_panel(struct conv *v)
{
    int64_t most = COLUMN_FLOATS / v->depth / PIXEL_STEP * PIXEL_STEP;
    most = CLAMP(most, PANEL_MIN_PIXELS, PANEL_MAX_PIXELS);
    v->n_panel = int64_div_up(v->n_pixel, most);
    /* Panels of nearly equal size, in whole steps of the matrix kernels. */
    v->panel = int64_div_up(int64_div_up(v->n_pixel, v->n_panel), PIXEL_STEP) * PIXEL_STEP;
    v->n_panel = int64_div_up(v->n_pixel, v->panel);
}

static bool is_direct(const struct conv2d_attr *a)
{
    for (int i = 0; i < 2; i++)
        if (a->kernel.v[i] != 1 || a->stride.v[i] != 1 || a->pad.v[i] || a->pad.v[2 + i])
            return false;
    return true;
}

static struct conv conv_make(const struct op_call *c)
{
    const struct conv2d_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    struct conv v = {
        .attr = a,
        .x = c->in[0]->data,
        .weight = c->in[1]->data,
        .bias = a->bias ? c->in[2]->data : NULL,
        .y = c->out[0]->data,
        .n_image = in->dim[0],
        .height = in->dim[2],
        .width = in->dim[3],
        .in_group = in->dim[1] / a->groups,
        .out_group = a->channels / a->groups,
        .out_width = out->dim[3],
        .n_pixel = shape_count_from(out, 2),
        .depth = shape_count_from(&c->in[1]->shape, 1),
        .is_direct = is_direct(a),
    };
    choose_panel(&v);
    return v;
}

/* What filter element (r, s) of one channel sees at the pixels of a panel. */
static void gather(const struct conv *v, const float *plane, int64_t r, int64_t s, struct panel p,
                   float *dst)
{
    const struct conv2d_attr *a = v->attr;
    int64_t step = a->stride.v[1], shift = s * a->dilation.v[1] - a->pad.v[1];
    /* Output columns [first, last) see the image, the others its padding. */
    int64_t first = shift < 0 ? int64_div_up(-shift, step) : 0;
    int64_t last = shift < v->width ? int64_div_up(v->width - shift, step) : 0;
    int64_t oy = p.begin / v->out_width, ox = p.begin % v->out_width;
    for (int64_t left = p.end - p.begin; left > 0; oy++, ox = 0) {
        int64_t n = MIN(left, v->out_width - ox);
        int64_t iy = oy * a->stride.v[0] + r * a->dilation.v[0] - a->pad.v[0];
        int64_t lo = CLAMP(first - ox, 0, n), hi = CLAMP(last - ox, lo, n);
        if (iy < 0 || iy >= v->height)
            lo = hi = n;
        memset(dst, 0, (size_t)lo * sizeof(float));
        int64_t at = iy * v->width + ox * step + shift;
        if (step == 1 && lo < hi)
            memcpy(dst + lo, plane + at + lo, (size_t)(hi - lo) * sizeof(float));
        else
            for (int64_t i = lo; i < hi; i++)
                dst[i] = plane[at + i * step];
        memset(dst + hi, 0, (size_t)(n - hi) * sizeof(float));
        dst += n;
        left -= n;
    }
}

/* The columns of a panel, side by side: row (c, r, s) holds that input of every pixel. */
static void gather_columns(const struct conv *v, const float *x, struct panel p, float *columns)
{
    const int64_t *kernel = v->attr->kernel.v;
    for (int64_t c = 0; c < v->in_group; c++)
        for (int64_t r = 0; r < kernel[0]; r++)
            for (int64_t s = 0; s < kernel[1]; s++) {
                gather(v, x + c * v->height * v->width, r, s, p, columns);
                columns += p.end - p.begin;
            }
}

static void conv_panel(void *arg, int i_panel, int i_thread)
{
    const struct conv *v = arg;
    int64_t i_part = i_panel / v->n_panel; /* images of groups */
    int64_t group = i_part % v->attr->groups;
    struct panel p = panel_at(v->n_pixel, v->panel, i_panel % v->n_panel);
    int64_t n = p.end - p.begin;
    const float *x = v->x + i_part * v->in_group * v->height * v->width;
    float *y = v->y + i_part * v->out_group * v->n_pixel + p.begin;

    const float *columns = x + p.begin;
    int64_t column_stride = v->n_pixel;
    if (!v->is_direct) {
        float *own = v->columns + i_thread * v->depth * v->panel;
        gather_columns(v, x, p, own);
        columns = own;
        column_stride = n;
    }
    if (v->bias)
        for (int64_t k = 0; k < v->out_group; k++)
            for (int64_t i = 0; i < n; i++)
                y[k * v->n_pixel + i] = v->bias[group * v->out_group + k];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)v->out_group, (int)n, (int)v->depth,
                1, v->weight + group * v->out_group * v->depth, (int)v->depth, columns,
                (int)column_stride, v->bias ? 1 : 0, y, (int)v->n_pixel);
}

static bool conv2d_forward(const struct op_call *c, GError **error)
{
    if (depthwise_fits(c->attr, &c->in[0]->shape)) {
        depthwise_run(c);
        return true;
    }
    struct conv v = conv_make(c);
    int64_t n_panel;
    if (!int64_mul(&n_panel, v.n_image * v.attr->groups, v.n_panel) || n_panel > INT_MAX ||
        MAX(v.depth, v.n_pixel) > INT_MAX)
        return error_set(error, ERROR_LIMIT, "the convolution is too large for OpenBLAS");
    if (!v.is_direct) {
        v.columns = g_try_malloc_n((gsize)threads_count(c->threads) * (gsize)v.depth,
                                   (gsize)v.panel * sizeof(float));
        if (!v.columns)
            return error_set(error, ERROR_LIMIT, "no memory for the columns of a convolution");
    }
    threads_run(c->threads, (int)n_panel, conv_panel, &v);
    g_free(v.columns);
    return true;
}

static void conv2d_traits(const struct op_infer *c, struct traits *t)
{
    const struct conv2d_attr *a = c->attr;
    const struct shape weight = weight_shape(c);
    window_traits(&a->kernel, &a->stride, &a->dilation, &a->pad, &t->window);
    t->product = (struct traits_product){.m = shape_count(&c->out[0].shape) / a->channels,
                                         .n = a->channels / a->groups,
                                         .k = shape_count_from(&weight, 1),
                                         .groups = a->groups,
                                         .stationary = 1,
                                         .has_weights = true,
                                         .transposed = true,
                                         .bias = c->n_in > 2 ? 2 : -1};
}

const struct op op_conv2d = {
    .name = "conv2d",
    .summary = "Convolution of images with filters.",
    .fields = conv2d_fields,
    .attr_size = sizeof(struct conv2d_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_PRODUCT,
    .infer = conv2d_infer,
    .params = conv2d_params,
    .macs = conv2d_macs,
    .forward = conv2d_forward,
    .traits = conv2d_traits,
};
