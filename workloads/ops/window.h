/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry that convolution and pooling share: a window sliding over one to three dimensions
 * behind batch and channels. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "workloads/tensor/tensor.h"
#include "workloads/traits.h"

/* Largest kernel, stride, pad and dilation: products of two stay far from overflow. */
#define WINDOW_MAX 65536

#define WINDOW_MAX_DIM 3

enum auto_pad { AUTO_PAD_NOTSET, AUTO_PAD_SAME_UPPER, AUTO_PAD_SAME_LOWER, AUTO_PAD_VALID };
extern const char *const auto_pad_names[];

#define WINDOW_AUTO_PAD(attr)                                                                      \
    {                                                                                              \
        "auto_pad", CFG_ENUM, offsetof(struct attr, auto_pad), 0, 0, "notset", NULL,               \
            "Padding such that the output is as large as the input divided by the stride: the "    \
            "odd one "                                                                             \
            "behind (same_upper) or before (same_lower); or none (valid).",                        \
            auto_pad_names                                                                         \
    }

struct window {
    struct cfg_ints *kernel, *stride, *pad, *dilation; /* dilation NULL: 1 */
    bool stride_is_kernel;                             /* where no stride is given; else it is 1 */
    bool ceil;
    const int *auto_pad; /* NULL: pads are as given */
};

/* Brings the attributes to their full form (ops.h) and finds the output of `channels` channels.
 * Errors: no image, a list of the wrong length, a number out of range, a kernel that does not fit
 * into the padded input. */
bool window_shape(const struct window *w, const struct shape *in, int64_t channels,
                  struct shape *out, GError **error);
/* Full forms of the attributes, of images (two dimensions behind the channels), as traits tell
 * them. */
void window_traits(const struct cfg_ints *kernel, const struct cfg_ints *stride,
                   const struct cfg_ints *dilation, const struct cfg_ints *pad,
                   struct traits_window *out);
