/* SPDX-License-Identifier: Apache-2.0 */
/* The operators by name and their attributes, for readers that fill them and passes that read them.
 *
 * A reader may leave a cfg_ints empty where a default is given below. Each operator's shape()
 * brings its attributes to one form, so that whoever comes after graph_finish() finds kernel,
 * stride and dilation as [h, w], pad as [top, left, bottom, right] and an axis counted from 0. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "workloads/op.h"

#define OP(name)       extern const struct op op_##name;
#define FUNCTION(name) OP(name)
#include "workloads/ops.def"
#undef FUNCTION
#undef OP

/* [N, C, H, W] to [N, channels, OH, OW]; weight [channels, C / groups, R, S], bias [channels]. A
 * weight that is given tells channels and kernel, and `bias`. */
struct conv2d_attr {
    int64_t channels;
    struct cfg_ints kernel, stride, pad, dilation; /* stride 1, pad 0, dilation 1 */
    int64_t groups;
    bool bias;
    int auto_pad; /* enum auto_pad: where it is set, pad follows from it */
};

/* [N, ..., K...] to [N, ..., features]; the dimensions from `axis` on are one row; weight
 * [features, K], bias [features]. A weight that is given tells `features`, and `bias`. */
struct fc_attr {
    int64_t features;
    bool bias;
    int64_t axis; /* 0: 1 */
};

/* x / (k + alpha / size * sum of x^2 over `size` channels around)^beta: Krizhevsky et al. 2012,
 * section 3.3, with alpha divided by size as in Caffe and ONNX. */
struct lrn_attr {
    int64_t size;
    double alpha, beta, k;
};

/* Maxima ignore padding; means divide by the number of real elements, or by those of the padding
 * too where count_pad is set. */
struct pool_attr {
    struct cfg_ints kernel, stride, pad; /* stride = kernel, pad 0 */
    bool ceil;                           /* a last window may stick out of the padded input */
    bool count_pad;
    int auto_pad;
    struct cfg_ints dilation; /* maxpool; 1 */
    bool storage_order;       /* maxpool's indices count columns first */
    int64_t p;                /* lp_pool */
};

struct dropout_attr {
    double rate; /* at training; nothing is dropped at inference */
};

struct softmax_attr {
    int64_t axis; /* of log_softmax and hardmax too */
};

struct concat_attr {
    int64_t axis;
};
