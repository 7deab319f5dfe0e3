/* SPDX-License-Identifier: Apache-2.0 */
/* How a machine stores an activation: x / scale, rounded and clamped, in an integer format, x
 * itself in a floating-point one; images in the order NHWC. */
#pragma once

#include "workloads/tensor/tensor.h"

struct storage {
    enum number format;
    float scale; /* 1 of a floating-point format */
};

/* The scale with which values up to max_abs in size fill a format: 1 of a floating-point one, and
 * where max_abs is 0 or not finite. */
float storage_scale(float max_abs, enum number format);
/* The largest integer that a format keeps: 127 or 32767; 0 of a floating-point format. */
int32_t storage_limit(enum number format);
/* The integer that stands for `upper`, which values are cut to: past storage_limit() where that is
 * cut to before. */
int64_t storage_bound(struct storage s, double upper);

/* n elements from fp32 to what is stored, and back. */
void storage_encode(struct storage s, void *stored, const float *x, int64_t n);
void storage_decode(struct storage s, float *x, const void *stored, int64_t n);
/* An fp32 tensor in the graph's order, NCHW, to what is stored, NHWC, and back. Tensors of other
 * than 4 dimensions are 1 x 1 images (mapper/dims.h); one of indices, whose type is s.format, is
 * copied. */
void storage_to_nhwc(void *stored, const struct tensor *t, struct storage s);
void storage_from_nhwc(struct tensor *t, const void *stored, struct storage s);
