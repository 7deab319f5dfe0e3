/* SPDX-License-Identifier: Apache-2.0 */
/* How an operand is read whose shape numpy's rules broadcast to the output's: pixel by pixel of the
 * output, in the order in which a machine stores them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workloads/tensor/tensor.h"

struct broadcast {
    int n_dim;                  /* of the output's pixels, from the outermost on */
    int64_t dim[SHAPE_MAX_DIM]; /* of the output */
    /* Elements of the operand from one index of the dimension to the next; 0: all share one. */
    int64_t step[SHAPE_MAX_DIM];
    int64_t c; /* elements read for a pixel: the output's channels, or one that all of them get */
};

/* false: it cannot be read so, as the elements that a pixel needs do not lie side by side. */
bool broadcast_make(const struct shape *out, const struct shape *operand, struct broadcast *b);
/* The operand's first element for a pixel of the output. */
int64_t broadcast_at(const struct broadcast *b, int64_t i_pixel);
