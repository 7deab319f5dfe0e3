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
     "Size of the window: one number or one a dimension.",                                         \
     NULL},                                                                                        \
        {"stride",                                                                                 \
         CFG_INTS,                                                                                 \
         offsetof(struct pool_attr, stride),                                                       \
         1,                                                                                        \
         WINDOW_MAX,                                                                               \
         "",                                                                                       \
         NULL,                                                                                     \
         "Step between neighbouring windows; the kernel's size where none is given.",              \
         NULL},                                                                                    \
        {"pad",                                                                                    \
         CFG_INTS,                                                                                 \
         offsetof(struct pool_attr, pad),                                                          \
         0,                                                                                        \
         WINDOW_MAX,                                                                               \
         "0",                                                                                      \
         NULL,                                                                                     \
         "Padding around the input: one number, one a dimension, or those before and then those "  \
         "behind.",                                                                                \
         NULL},                                                                                    \
        {"ceil",                                                                                   \
         CFG_BOOL,                                                                                 \
         offsetof(struct pool_attr, ceil),                                                         \
         0,                                                                                        \
         0,                                                                                        \
         "false",                                                                                  \
         NULL,                                                                                     \
         "Rounds the output's size up, so that a last window may stick out.",                      \
         NULL},                                                                                    \
        WINDOW_AUTO_PAD(pool_attr)
#define POOL_DILATION                                                                              \
    {                                                                                              \
        "dilation", CFG_INTS, offsetof(struct pool_attr, dilation), 1, WINDOW_MAX, "1", NULL,      \
            "Step between the inputs of one window.", NULL                                         \
    }

bool pool_infer(const struct op_infer *c, GError **error);
/* The window; of images alone. */
void pool_traits(const struct op_infer *c, struct traits *t);

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

/* One window of any number of dimensions: `n` inputs of a plane at[], out of `n_window` with the
 * padding that counts. Writes the output element i of a plane. */
struct pool_window {
    const struct pool_attr *attr;
    const void *in;
    const int64_t *at;
    int64_t n, n_window;
};
/* The general case: calls reduce(w, out, i_out, i_plane) for every window. ERROR_LIMIT. */
bool pool_windows(const struct op_call *c,
                  void (*reduce)(const struct op_call *c, const struct pool_window *w,
                                 int64_t i_out, int64_t plane_count, int64_t i_plane),
                  GError **error);
/* Does pool_run() suffice: images without dilation in fp32, one output? */
bool pool_is_plain(const struct op_call *c);
