/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/window.h"

#include "sim/base/error.h"
#include "sim/base/size.h"

#define LD G_GINT64_FORMAT

const char *const auto_pad_names[] = {"notset", "same_upper", "same_lower", "valid", NULL};

/* How lists for one, two and three dimensions are described. */
static const char *const size_words[] = {"[width]", "[height, width]", "[depth, height, width]"};
static const char *const pad_words[] = {
    "[width] or [left, right]", "[height, width] or [top, left, bottom, right]",
    "[depth, height, width] or [front, top, left, back, bottom, right]"};

static bool check_range(const struct cfg_ints *v, const char *what, int64_t min, GError **error)
{
    for (int i = 0; i < v->n; i++)
        if (v->v[i] < min || v->v[i] > WINDOW_MAX)
            return error_set(error, ERROR_INPUT, "%s %" LD " is not between %" LD " and %d", what,
                             v->v[i], min, WINDOW_MAX);
    return true;
}

static void repeat(struct cfg_ints *v, int n)
{
    for (; v->n < n; v->n++)
        v->v[v->n] = v->v[0];
}

/* To one number a dimension; `absent` (NULL: must be given) stands for an empty list. */
static bool make_sizes(struct cfg_ints *v, const char *what, int n, const struct cfg_ints *absent,
                       GError **error)
{
    if (v->n == 0 && absent)
        *v = *absent;
    if (v->n == 1)
        repeat(v, n);
    if (v->n != n)
        return error_set(error, ERROR_INPUT, "%s has %d numbers, not one or %s", what, v->n,
                         size_words[n - 1]);
    return check_range(v, what, 1, error);
}

/* To the pads before, then those behind. */
static bool make_pad(struct cfg_ints *v, int n, GError **error)
{
    if (v->n == 0)
        *v = (struct cfg_ints){1, {0}};
    if (v->n == 1)
        repeat(v, n);
    if (v->n == n) {
        for (int i = 0; i < n; i++)
            v->v[n + i] = v->v[i];
        v->n = 2 * n;
    }
    if (v->n != 2 * n)
        return error_set(error, ERROR_INPUT, "pad has %d numbers, not one, %s", v->n,
                         pad_words[n - 1]);
    return check_range(v, "pad", 0, error);
}

static bool normalise(const struct window *w, int n, GError **error)
{
    static const struct cfg_ints one = {1, {1}};
    return make_sizes(w->kernel, "kernel", n, NULL, error) &&
           make_sizes(w->stride, "stride", n, w->stride_is_kernel ? w->kernel : &one, error) &&
           make_pad(w->pad, n, error) &&
           (!w->dilation || make_sizes(w->dilation, "dilation", n, &one, error));
}

static int64_t extent_of(const struct window *w, int i)
{
    return (w->kernel->v[i] - 1) * (w->dilation ? w->dilation->v[i] : 1) + 1;
}

static bool too_large(const struct window *w, const struct shape *in, int n, GError **error)
{
    struct shape kernel = {.n_dim = n}, extent = {.n_dim = n}, padded = {.n_dim = n};
    for (int i = 0; i < n; i++) {
        kernel.dim[i] = w->kernel->v[i];
        extent.dim[i] = extent_of(w, i);
        padded.dim[i] = in->dim[2 + i] + w->pad->v[i] + w->pad->v[n + i];
    }
    struct arena *a = arena_new();
    g_autofree char *dilated = shape_equal(&kernel, &extent)
                                   ? g_strdup("")
                                   : g_strdup_printf(", dilated to %s,", shape_text(&extent, 0, a));
    error_set(error, ERROR_INPUT, "kernel %s%s is larger than the padded input %s",
              shape_text(&kernel, 0, a), dilated, shape_text(&padded, 0, a));
    arena_free(a);
    return false;
}

/* Pads such that there are ceil(in / stride) windows, or none. */
static void set_auto_pad(const struct window *w, const struct shape *in, int n)
{
    for (int i = 0; i < n; i++) {
        const int64_t dim = in->dim[2 + i], stride = w->stride->v[i];
        int64_t pad = (int64_div_up(dim, stride) - 1) * stride + extent_of(w, i) - dim;
        pad = *w->auto_pad == AUTO_PAD_VALID ? 0 : MAX(pad, 0);
        w->pad->v[i] = *w->auto_pad == AUTO_PAD_SAME_LOWER ? pad - pad / 2 : pad / 2;
        w->pad->v[n + i] = pad - w->pad->v[i];
    }
}

bool window_shape(const struct window *w, const struct shape *in, int64_t channels,
                  struct shape *out, GError **error)
{
    const int n = in->n_dim - 2;
    if (n < 1 || n > WINDOW_MAX_DIM)
        return error_set(error, ERROR_INPUT,
                         "the input has %d dimensions, not the 3 to 5 of batch, channels and one "
                         "to three more",
                         in->n_dim);
    if (!normalise(w, n, error))
        return false;
    if (w->auto_pad && *w->auto_pad)
        set_auto_pad(w, in, n);
    *out = (struct shape){in->n_dim, {in->dim[0], channels}};
    for (int i = 0; i < n; i++) {
        const int64_t before = w->pad->v[i], stride = w->stride->v[i];
        const int64_t slack = in->dim[2 + i] + before + w->pad->v[n + i] - extent_of(w, i);
        if (slack < 0)
            return too_large(w, in, n, error);
        int64_t count = (w->ceil ? int64_div_up(slack, stride) : slack / stride) + 1;
        /* A last window that would begin in the padding behind the input is left out, as in Caffe
         * and PyTorch. */
        if (w->ceil && (count - 1) * stride >= in->dim[2 + i] + before)
            count--;
        out->dim[2 + i] = count;
    }
    return true;
}

void window_traits(const struct cfg_ints *kernel, const struct cfg_ints *stride,
                   const struct cfg_ints *dilation, const struct cfg_ints *pad,
                   struct traits_window *out)
{
    for (int i = 0; i < 2; i++) {
        out->kernel[i] = kernel->v[i];
        out->stride[i] = stride->v[i];
        out->dilation[i] = dilation->v[i];
        out->pad[i] = pad->v[i];
        out->pad[2 + i] = pad->v[2 + i];
    }
}
