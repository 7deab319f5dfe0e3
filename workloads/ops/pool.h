/* SPDX-License-Identifier: Apache-2.0 */
/* What max and average pooling share: settings, shape and the places of the windows. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "workloads/ops/ops.h"
#include "workloads/ops/window.h"

#define POOL_FIELDS                                                                                \
    {"kernel",                                                                                     \
     CFG_INTS,                                                                                     \
     offsetof(struct pool_attr, kernel),                                                           \
     1,                                                                                            \
     WINDOW_MAX,                                                                                   \
     NULL,                                                                                         \
     NULL,                                                                                         \
     "Size of the window: one number or [height, width].",                                         \
     NULL},                                                                                        \
        {"stride",                                                                                 \
         CFG_INTS,                                                                                 \
         offsetof(struct pool_attr, stride),                                                       \
         1,                                                                                        \
         WINDOW_MAX,                                                                               \
         "",                                                                                       \
         NULL,                                                                                     \
         "Step between neighbouring windows, one number or [height, width]; the kernel's size "    \
         "where none is given.",                                                                   \
         NULL},                                                                                    \
        {"pad",                                                                                    \
         CFG_INTS,                                                                                 \
         offsetof(struct pool_attr, pad),                                                          \
         0,                                                                                        \
         WINDOW_MAX,                                                                               \
         "0",                                                                                      \
         NULL,                                                                                     \
         "Padding around the input: one number, [height, width] or [top, left, bottom, right].",   \
         NULL},                                                                                    \
    {                                                                                              \
        "ceil", CFG_BOOL, offsetof(struct pool_attr, ceil), 0, 0, "false", NULL,                   \
            "Rounds the output's size up, so that a last window may stick out.", NULL              \
    }

bool pool_infer(const struct op_infer *c, GError **error);

/* The real elements [begin, end) under one window along one dimension, at least one of them;
 * `padded` counts the padding too. */
struct pool_span {
    int64_t begin, end, padded;
};

/* One channel of one image. */
struct pool_plane {
    const struct pool_attr *attr;
    const int64_t *in_size, *out_size; /* [height, width] */
    const float *in;
    float *out;
};

/* Of output position `o` along dimension `i` (0: height, 1: width). */
struct pool_span pool_span(const struct pool_plane *p, int i, int64_t o);

/* Calls plane() for every channel of every image. */
void pool_run(const struct op_call *c, void (*plane)(const struct pool_plane *p));
