/* SPDX-License-Identifier: Apache-2.0 */
/* What normalisations share: elements less a mean, by a deviation, times a scale, plus a bias. */
#pragma once

#include "workloads/op.h"
#include "workloads/ops/neural.h"

#define NORM_EPSILON(def)                                                                          \
    {                                                                                              \
        "epsilon", CFG_FLOAT, offsetof(struct norm_attr, epsilon), 0, 1e6, def, NULL,              \
            "Added to the variance.", NULL                                                         \
    }
#define NORM_SCALE(shape)                                                                          \
    {                                                                                              \
        "scale", shape, 0, false, 1.0f, 0.1f                                                       \
    } /* struct op_param */
#define NORM_BIAS(shape)                                                                           \
    {                                                                                              \
        "bias", shape, 0, false, 0.0f, 0.1f                                                        \
    }

struct moments {
    double mean, variance;
};

/* Whether the input has channels, and inputs first to last (those that are there) an element for
 * each. */
bool norm_check_channels(const struct op_infer *c, int first, int last, GError **error);
/* y = a x + b */
void norm_scale(float *y, const float *x, int64_t n, float a, float b);
