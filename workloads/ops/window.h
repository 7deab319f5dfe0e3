/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry that convolution and pooling share: a window sliding over the height and width of
 * NCHW images. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "workloads/tensor/tensor.h"

/* Largest kernel, stride, pad and dilation: products of two stay far from overflow. */
#define WINDOW_MAX 65536

struct window {
    struct cfg_ints *kernel, *stride, *pad, *dilation; /* dilation NULL: 1 */
    bool stride_is_kernel;                             /* where no stride is given; else it is 1 */
    bool ceil;
};

/* Brings the attributes to their full form (ops.h) and finds the output of `channels` channels.
 * Errors: no image, a list of the wrong length, a number out of range, a kernel that does not fit
 * into the padded input. */
bool window_shape(const struct window *w, const struct shape *in, int64_t channels,
                  struct shape *out, GError **error);
