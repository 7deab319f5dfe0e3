/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/window.h"

#include "sim/base/error.h"
#include "sim/base/size.h"

#define LD G_GINT64_FORMAT

static bool check_range(const struct cfg_ints *v, const char *what, int64_t min, GError **error)
{
    for (int i = 0; i < v->n; i++)
        if (v->v[i] < min || v->v[i] > WINDOW_MAX)
            return error_set(error, ERROR_INPUT, "%s %" LD " is not between %" LD " and %d", what,
                             v->v[i], min, WINDOW_MAX);
    return true;
}

/* To [height, width]; `absent` (NULL: must be given) stands for an empty list. */
static bool make_pair(struct cfg_ints *v, const char *what, const struct cfg_ints *absent,
                      GError **error)
{
    if (v->n == 0 && absent)
        *v = *absent;
    if (v->n == 1)
        *v = (struct cfg_ints){2, {v->v[0], v->v[0]}};
    if (v->n != 2)
        return error_set(error, ERROR_INPUT, "%s has %d numbers, not one or [height, width]", what,
                         v->n);
    return check_range(v, what, 1, error);
}

/* To [top, left, bottom, right]. */
static bool make_pad(struct cfg_ints *v, GError **error)
{
    if (v->n == 0)
        *v = (struct cfg_ints){1, {0}};
    if (v->n == 1)
        *v = (struct cfg_ints){2, {v->v[0], v->v[0]}};
    if (v->n == 2)
        *v = (struct cfg_ints){4, {v->v[0], v->v[1], v->v[0], v->v[1]}};
    if (v->n != 4)
        return error_set(error, ERROR_INPUT,
                         "pad has %d numbers, not one, [height, width] or [top, left, bottom, "
                         "right]",
                         v->n);
    return check_range(v, "pad", 0, error);
}

static bool normalise(const struct window *w, GError **error)
{
    static const struct cfg_ints one = {1, {1}};
    return make_pair(w->kernel, "kernel", NULL, error) &&
           make_pair(w->stride, "stride", w->stride_is_kernel ? w->kernel : &one, error) &&
           make_pad(w->pad, error) &&
           (!w->dilation || make_pair(w->dilation, "dilation", &one, error));
}

static bool too_large(const struct window *w, const int64_t extent[2], const int64_t padded[2],
                      GError **error)
{
    const int64_t *k = w->kernel->v;
    if (extent[0] == k[0] && extent[1] == k[1])
        return error_set(error, ERROR_INPUT,
                         "kernel %" LD "x%" LD " is larger than the padded input %" LD "x%" LD,
                         k[0], k[1], padded[0], padded[1]);
    return error_set(error, ERROR_INPUT,
                     "kernel %" LD "x%" LD ", dilated to %" LD "x%" LD
                     ", is larger than the padded input %" LD "x%" LD,
                     k[0], k[1], extent[0], extent[1], padded[0], padded[1]);
}

bool window_shape(const struct window *w, const struct shape *in, int64_t channels,
                  struct shape *out, GError **error)
{
    if (in->n_dim != 4)
        return error_set(error, ERROR_INPUT,
                         "the input has %d dimensions, not the 4 of images (batch, channels, "
                         "height, width)",
                         in->n_dim);
    if (!normalise(w, error))
        return false;
    int64_t extent[2], padded[2];
    for (int i = 0; i < 2; i++) {
        extent[i] = (w->kernel->v[i] - 1) * (w->dilation ? w->dilation->v[i] : 1) + 1;
        padded[i] = in->dim[2 + i] + w->pad->v[i] + w->pad->v[2 + i];
    }
    if (extent[0] > padded[0] || extent[1] > padded[1])
        return too_large(w, extent, padded, error);
    *out = (struct shape){4, {in->dim[0], channels}};
    for (int i = 0; i < 2; i++) {
        int64_t stride = w->stride->v[i], slack = padded[i] - extent[i];
        int64_t n = (w->ceil ? int64_div_up(slack, stride) : slack / stride) + 1;
        /* A last window that would begin in the padding behind the input is left out, as in Caffe
         * and PyTorch. */
        if (w->ceil && (n - 1) * stride >= in->dim[2 + i] + w->pad->v[i])
            n--;
        out->dim[2 + i] = n;
    }
    return true;
}
