/* SPDX-License-Identifier: Apache-2.0 */
/* How an operand of another shape is read that numpy's rules broadcast to the output's: pixel by
 * pixel of the output, in the order in which a machine stores them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workloads/tensor/tensor.h"

struct broadcast {
    int n_dim;                  /* of the output's pixels, from the outermost on */
    int64_t dim[SHAPE_MAX_DIM]; /* of the output */
    int64_t
        step[SHAPE_MAX_DIM]; /* elements of the operand from an index to the next; 0: the same */
    int64_t c; /* elements read for a pixel: the output's channels, or one that all of them get */
};

/* false: those that a pixel needs do not lie side by side. */
bool broadcast_make(const struct shape *out, const struct shape *operand, struct broadcast *b);
/* The operand's first element for a pixel of the output. */
int64_t broadcast_at(const struct broadcast *b, int64_t i_pixel);
