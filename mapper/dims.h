/* SPDX-License-Identifier: Apache-2.0 */
/* An activation as a machine sees it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workloads/tensor/tensor.h"

/* Batch, height, width, channels; a machine stores them in this order, NHWC. Of a shape of four
 * dimensions, which is NCHW in the graph, they are these four. A shape of any other number of
 * dimensions is n rows of c features, 1 x 1 images: c is the last dimension and n the product of
 * the others. A scalar is one row of one feature. */
struct dims {
    int64_t n, h, w, c;
};

struct dims dims_of(const struct shape *s); /* asserts dims_possible() */
bool dims_possible(const struct shape *s);  /* it has an element at least */
int64_t dims_image(const struct dims *d);   /* elements of an image: h * w * c */
