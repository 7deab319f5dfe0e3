/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution over one and three dimensions, and transposed convolution over one to three, as
 * matrix products with columns of all the inputs (outputs) that one output (input) meets. */
#include <cblas.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/window.h"
#include "workloads/threads.h"

#define LD            G_GINT64_FORMAT
#define COLUMN_FLOATS (INT64_C(1) << 20) /* of the columns at a time */

#define CONV_FIELDS                                                                                \
    {"channels", CFG_INT, offsetof(struct conv_nd_attr, channels), 0, INT32_MAX, "0", NULL,        \
     "Output channels; a weight that is given tells them.", NULL},                                 \
        {"kernel", CFG_INTS, offsetof(struct conv_nd_attr, kernel), 1, WINDOW_MAX, "", NULL,       \
         "Size of the filters: one number or one a dimension.", NULL},                             \
        {"stride", CFG_INTS, offsetof(struct conv_nd_attr, stride), 1, WINDOW_MAX, "1", NULL,      \
         "Step between neighbouring windows.", NULL},                                              \
        {"pad", CFG_INTS, offsetof(struct conv_nd_attr, pad), 0, WINDOW_MAX, "0", NULL,            \
         "Zeros around the input: one number, one a dimension, or before and then behind.", NULL}, \
        {"dilation", CFG_INTS, offsetof(struct conv_nd_attr, dilation), 1, WINDOW_MAX, "1", NULL,  \
         "Step between the inputs of one window.", NULL},                                          \
        {"groups", CFG_INT, offsetof(struct conv_nd_attr, groups), 1, INT32_MAX, "1", NULL,        \
         "Groups of channels that are convolved apart from each other.", NULL},                    \
        {"bias", CFG_BOOL, offsetof(struct conv_nd_attr, bias), 0, 0, "true", NULL,                \
         "Adds one number to each output channel.", NULL},                                         \
        WINDOW_AUTO_PAD(conv_nd_attr)

static const struct cfg_field conv_fields[] = {CONV_FIELDS, {0}};
static const struct cfg_field transpose_fields[] = {
    CONV_FIELDS,
    {"output_padding", CFG_INTS, offsetof(struct conv_nd_attr, output_padding), 0, WINDOW_MAX, "0",
     NULL, "Outputs added behind.", NULL},
    {"output_shape", CFG_INTS, offsetof(struct conv_nd_attr, output_shape), 1, 0x1p40, "", NULL,
     "Size of the output, which the padding then follows from.", NULL},
    {0},
};

/* [channels, in / groups, k...], or transposed [in, channels / groups, k...]. */
static struct shape weight_shape(const struct op_infer *c, bool is_transposed)
{
    const struct conv_nd_attr *a = c->attr;
    const int64_t in = c->in[0]->shape.dim[1];
    struct shape w = {.n_dim = c->in[0]->shape.n_dim,
                      .dim = {is_transposed ? in : a->channels,
                              is_transposed ? a->channels / a->groups : in / a->groups}};
    memcpy(w.dim + 2, a->kernel.v, (size_t)a->kernel.n * sizeof(int64_t));
    return w;
}

static bool take_weight(const struct op_infer *c, bool is_transposed, GError **error)
{
    struct conv_nd_attr *a = c->attr;
    const struct operand *w = infer_input(c, 1);
    if (!w)
        return a->channels > 0 || error_set(error, ERROR_INPUT, "channels are not given");
    if (w->shape.n_dim != c->in[0]->shape.n_dim)
        return error_set(error, ERROR_INPUT, "the weight has %d dimensions, the input %d",
                         w->shape.n_dim, c->in[0]->shape.n_dim);
    if (is_transposed && !int64_mul(&a->channels, w->shape.dim[1], a->groups))
        return error_set(error, ERROR_INPUT, "too many channels");
    if (!is_transposed)
        a->channels = w->shape.dim[0];
    a->kernel.n = w->shape.n_dim - 2;
    memcpy(a->kernel.v, w->shape.dim + 2, (size_t)a->kernel.n * sizeof(int64_t));
    a->bias = infer_input(c, 2) != NULL;
    return true;
}

static bool check(const struct op_infer *c, bool is_transposed, GError **error)
{
    const struct conv_nd_attr *a = c->attr;
    const int64_t in = c->in[0]->shape.dim[1];
    const struct operand *given = infer_input(c, 1), *bias = infer_input(c, 2);
    const char *why;
    if (a->channels % a->groups || in % a->groups)
        return error_set(error, ERROR_INPUT,
                         "%" LD " and %" LD " channels are no multiples of groups %" LD, in,
                         a->channels, a->groups);
    const struct shape w = weight_shape(c, is_transposed);
    if (!shape_check(&w, &why))
        return error_set(error, ERROR_INPUT, "weight: %s", why);
    if ((given && !shape_equal(&given->shape, &w)) ||
        (bias && shape_count(&bias->shape) != a->channels))
        return error_set(error, ERROR_INPUT, "the weight or the bias does not fit the input");
    return true;
}

static bool conv_infer(const struct op_infer *c, int n_space, GError **error)
{
    struct conv_nd_attr *a = c->attr;
    const struct window w = {.kernel = &a->kernel, .stride = &a->stride, .pad = &a->pad,
                             .dilation = &a->dilation, .auto_pad = &a->auto_pad};
    if (c->in[0]->shape.n_dim != n_space + 2)
        return error_set(error, ERROR_INPUT, "the input has %d dimensions, not %d",
                         c->in[0]->shape.n_dim, n_space + 2);
    return take_weight(c, false, error) &&
           window_shape(&w, &c->in[0]->shape, a->channels, &c->out[0].shape, error) &&
           check(c, false, error);
}

/* Output i: what the inputs reach, less the padding; or as asked for, with padding to fit. */
static bool transposed_dim(const struct op_infer *c, int i, GError **error)
{
    struct conv_nd_attr *a = c->attr;
    const int n = a->kernel.n;
    const int64_t dim = c->in[0]->shape.dim[2 + i], extra = a->output_padding.v[i];
    const int64_t reach =
        (dim - 1) * a->stride.v[i] + extra + (a->kernel.v[i] - 1) * a->dilation.v[i] + 1;
    bool is_same = a->auto_pad == AUTO_PAD_SAME_UPPER || a->auto_pad == AUTO_PAD_SAME_LOWER;
    if (a->output_shape.n || is_same) {
        const int64_t want = a->output_shape.n ? a->output_shape.v[i] : dim * a->stride.v[i];
        const int64_t pad = MAX(reach - want, 0);
        const bool before = a->auto_pad == AUTO_PAD_SAME_UPPER || a->output_shape.n == 0;
        a->pad.v[i] = before && a->auto_pad != AUTO_PAD_SAME_LOWER ? pad / 2 : pad - pad / 2;
        a->pad.v[n + i] = pad - a->pad.v[i];
        c->out[0].shape.dim[2 + i] = want;
        return true; /* beyond what is reached there is the bias */
    }
    const int64_t out = reach - a->pad.v[i] - a->pad.v[n + i];
    c->out[0].shape.dim[2 + i] = out;
    return out >= 1 || error_set(error, ERROR_INPUT, "the padding leaves no output");
}

static bool transposed_infer(const struct op_infer *c, int n_space, GError **error)
{
    struct conv_nd_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct cfg_ints pad = a->pad;
    struct shape unused, wide = *in;
    if (in->n_dim != n_space + 2)
        return error_set(error, ERROR_INPUT, "the input has %d dimensions, not %d", in->n_dim,
                         n_space + 2);
    if (!take_weight(c, true, error))
        return false;
    if (a->output_shape.n > n_space) /* some writers give batch and channels too */
        for (int i = 0; i < n_space; i++)
            a->output_shape.v[i] = a->output_shape.v[a->output_shape.n - n_space + i];
    a->output_shape.n = MIN(a->output_shape.n, n_space);
    for (; a->output_padding.n < n_space; a->output_padding.n++)
        a->output_padding.v[a->output_padding.n] =
            a->output_padding.n ? a->output_padding.v[0] : 0;
    /* The lists are brought to their form on an input that fits. */
    for (int i = 0; i < n_space; i++)
        wide.dim[2 + i] = INT64_C(1) << 33;
    const struct window w = {.kernel = &a->kernel, .stride = &a->stride, .pad = &pad,
                             .dilation = &a->dilation};
    if (!window_shape(&w, &wide, a->channels, &unused, error))
        return false;
    a->pad = pad;
    c->out[0].shape = (struct shape){in->n_dim, {in->dim[0], a->channels}};
    for (int i = 0; i < n_space; i++)
        if (!transposed_dim(c, i, error))
            return false;
    return check(c, true, error);
}

static int params_of(const struct op_infer *c, bool is_transposed, struct op_param *out)
{
    const struct conv_nd_attr *a = c->attr;
    const struct shape w = weight_shape(c, is_transposed);
    out[0] = (struct op_param){"weight", w, shape_count_from(&w, 1), false, 0, 0};
    out[1] = (struct op_param){"bias", {1, {a->channels}}, 0, false, 0, 0};
    return a->bias ? 2 : 1;
}

static uint64_t macs_of(const struct op_infer *c, bool is_transposed)
{
    const struct shape w = weight_shape(c, is_transposed);
    const struct shape *s = is_transposed ? &c->in[0]->shape : &c->out[0].shape;
    return op_product(2, (int64_t[]){shape_count(s), shape_count_from(&w, 1)});
}

/* The dense side has a column a place; the other side is what kernels reach. */
struct geometry {
    const struct conv_nd_attr *attr;
    const int64_t *dense, *reached; /* spatial dimensions */
    int n;
    int64_t n_dense, n_reached, n_tap;
};

static struct geometry geometry_of(const struct conv_nd_attr *a, const struct shape *dense,
                                   const struct shape *reached)
{
    struct geometry g = {a, dense->dim + 2, reached->dim + 2, a->kernel.n,
                         shape_count_from(dense, 2), shape_count_from(reached, 2), 1};
    for (int i = 0; i < g.n; i++)
        g.n_tap *= a->kernel.v[i];
    return g;
}

/* The reached place of tap k at dense place p, or -1 in the padding. */
static int64_t reach(const struct geometry *g, int64_t p, int64_t k)
{
    int64_t at = 0, step = 1;
    for (int i = g->n - 1; i >= 0; i--) {
        const int64_t x = p % g->dense[i] * g->attr->stride.v[i] +
                          k % g->attr->kernel.v[i] * g->attr->dilation.v[i] - g->attr->pad.v[i];
        if (x < 0 || x >= g->reached[i])
            return -1;
        at += x * step;
        step *= g->reached[i];
        p /= g->dense[i];
        k /= g->attr->kernel.v[i];
    }
    return at;
}

/* One image and group, by blocks of dense places. */
struct part {
    struct geometry g;
    const float *x, *weight;
    float *y, *columns;
    int64_t in_group, out_group, block;
};

static void conv_part(const struct part *p)
{
    const struct geometry *g = &p->g;
    const int64_t depth = p->in_group * g->n_tap;
    for (int64_t first = 0; first < g->n_dense; first += p->block) {
        const int64_t n = MIN(p->block, g->n_dense - first);
        for (int64_t row = 0; row < depth; row++)
            for (int64_t i = 0; i < n; i++) {
                const int64_t at = reach(g, first + i, row % g->n_tap);
                p->columns[row * n + i] =
                    at < 0 ? 0 : p->x[row / g->n_tap * g->n_reached + at];
            }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->out_group, (int)n,
                    (int)depth, 1, p->weight, (int)depth, p->columns, (int)n, 1, p->y + first,
                    (int)g->n_dense);
    }
}

static void transposed_part(const struct part *p)
{
    const struct geometry *g = &p->g;
    const int64_t depth = p->out_group * g->n_tap;
    for (int64_t first = 0; first < g->n_dense; first += p->block) {
        const int64_t n = MIN(p->block, g->n_dense - first);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)depth, (int)n, (int)p->in_group,
                    1, p->weight, (int)depth, p->x + first, (int)g->n_dense, 0, p->columns, (int)n);
        for (int64_t row = 0; row < depth; row++)
            for (int64_t i = 0; i < n; i++) {
                const int64_t at = reach(g, first + i, row % g->n_tap);
                if (at >= 0)
                    p->y[row / g->n_tap * g->n_reached + at] += p->columns[row * n + i];
            }
    }
}

struct job {
    const struct op_call *c;
    struct part part; /* of each, but for the pointers */
    bool is_transposed;
    int64_t depth;
};

static void job_panel(void *arg, int i_panel, int i_thread)
{
    const struct job *j = arg;
    const struct op_call *c = j->c;
    const struct conv_nd_attr *a = c->attr;
    struct part p = j->part;
    const int64_t in_plane = shape_count_from(&c->in[0]->shape, 2);
    const int64_t out_plane = shape_count_from(&c->out[0]->shape, 2);
    const int64_t group = i_panel % a->groups;
    p.x = (const float *)c->in[0]->data + i_panel * p.in_group * in_plane;
    p.y = (float *)c->out[0]->data + i_panel * p.out_group * out_plane;
    p.weight = (const float *)c->in[1]->data + group * p.out_group * p.in_group * p.g.n_tap;
    p.columns = j->part.columns + i_thread * j->depth * p.block;
    for (int64_t k = 0; k < p.out_group; k++) {
        const float bias =
            a->bias ? ((const float *)c->in[2]->data)[group * p.out_group + k] : 0;
        for (int64_t i = 0; i < out_plane; i++)
            p.y[k * out_plane + i] = bias;
    }
    if (j->is_transposed)
        transposed_part(&p);
    else
        conv_part(&p);
}

static bool run(const struct op_call *c, bool is_transposed, GError **error)
{
    const struct conv_nd_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    struct job j = {.c = c, .is_transposed = is_transposed};
    j.part = (struct part){.g = is_transposed ? geometry_of(a, in, out) : geometry_of(a, out, in),
                           .in_group = in->dim[1] / a->groups,
                           .out_group = a->channels / a->groups};
    j.depth = (is_transposed ? j.part.out_group : j.part.in_group) * j.part.g.n_tap;
    j.part.block = CLAMP(COLUMN_FLOATS / j.depth, 1, j.part.g.n_dense);
    int64_t n_part = in->dim[0] * a->groups;
    if (MAX(MAX(j.depth, j.part.g.n_dense), MAX(n_part, j.part.g.n_reached)) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the convolution is too large for OpenBLAS");
    j.part.columns = g_try_malloc_n((gsize)threads_count(c->threads) * (gsize)j.depth,
                                    (gsize)j.part.block * sizeof(float));
    if (!j.part.columns)
        return error_set(error, ERROR_LIMIT, "no memory for the columns of a convolution");
    threads_run(c->threads, (int)n_part, job_panel, &j);
    g_free(j.part.columns);
    return true;
}

#define OPERATOR(op_name, text, table, n_space, kind, is_transposed)                               \
    static bool op_name##_infer(const struct op_infer *c, GError **error)                          \
    {                                                                                              \
        return kind##_infer(c, n_space, error);                                                    \
    }                                                                                              \
    static int op_name##_params(const struct op_infer *c, struct op_param *out)                    \
    {                                                                                              \
        return params_of(c, is_transposed, out);                                                   \
    }                                                                                              \
    static uint64_t op_name##_macs(const struct op_infer *c)                                       \
    {                                                                                              \
        return macs_of(c, is_transposed);                                                          \
    }                                                                                              \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        return run(c, is_transposed, error);                                                       \
    }                                                                                              \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct conv_nd_attr),                                                  \
        .min_data = 1,                                                                             \
        .max_data = 1,                                                                             \
        .infer = op_name##_infer,                                                                  \
        .params = op_name##_params,                                                                \
        .macs = op_name##_macs,                                                                    \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(conv1d, "Convolution of sequences with filters.", conv_fields, 1, conv, false)
OPERATOR(conv3d, "Convolution of volumes with filters.", conv_fields, 3, conv, false)
OPERATOR(conv_transpose1d, "Transposed convolution of sequences.", transpose_fields, 1, transposed,
         true)
OPERATOR(conv_transpose2d, "Transposed convolution of images.", transpose_fields, 2, transposed,
         true)
OPERATOR(conv_transpose3d, "Transposed convolution of volumes.", transpose_fields, 3, transposed,
         true)
