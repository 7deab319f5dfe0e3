/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of normalisations, reductions, searches and losses. */
#pragma once

#include "workloads/op.h"
#include "workloads/ops/ops.h"

/* Convolution over one or three dimensions, and transposed over one to three. */
struct conv_nd_attr {
    int64_t channels;
    struct cfg_ints kernel, stride, pad, dilation;
    int64_t groups;
    bool bias;
    int auto_pad;
    struct cfg_ints output_padding, output_shape; /* transposed */
};

struct norm_attr {
    double epsilon;
    int64_t axis;   /* layer_norm, rms_norm: first dimension of a row; lp_norm */
    int64_t groups; /* group_norm */
    double momentum;
    bool training;
    bool bias;
    int64_t p; /* lp_norm */
    struct cfg_ints axes; /* mean_variance_norm */
};

struct reduce_attr {
    struct cfg_ints axes;
    bool keepdims, noop_with_empty_axes, unbiased;
};

struct arg_attr {
    int64_t axis;
    bool keepdims, select_last_index;
};

struct top_k_attr {
    int64_t k, axis;
    bool largest, sorted;
};

struct cumulate_attr {
    int64_t axis;
    bool exclusive, reverse;
};

enum loss_reduction { LOSS_NONE, LOSS_MEAN, LOSS_SUM };

struct loss_attr {
    int reduction;
    double ignore_index; /* no class where it is beyond +-2^31 */
    double delta;
};
