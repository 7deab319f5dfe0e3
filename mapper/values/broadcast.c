/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/broadcast.h"

/* Elements from an index to the next of each dimension, as a machine stores the tensor: channels of
 * images last. */
static void stored_steps(const struct shape *s, int64_t *step)
{
    int64_t size = 1;
    for (int i = s->n_dim - 1; i >= 0; i--) {
        step[i] = size;
        size *= s->dim[i];
    }
    if (s->n_dim != 4)
        return;
    step[1] = 1;
    step[3] = s->dim[1];
    step[2] = s->dim[1] * s->dim[3];
}

bool broadcast_make(const struct shape *out, const struct shape *operand, struct broadcast *b)
{
    const int channel = out->n_dim == 4 ? 1 : out->n_dim - 1;
    const int missing = out->n_dim - operand->n_dim;
    int64_t step[SHAPE_MAX_DIM];
    stored_steps(operand, step);
    *b = (struct broadcast){.c = 1};
    for (int i = 0; i < out->n_dim; i++) {
        const int64_t size = i < missing ? 1 : operand->dim[i - missing];
        const int64_t to_next = size > 1 ? step[i - missing] : 0;
        if (i != channel) {
            b->dim[b->n_dim] = out->dim[i];
            b->step[b->n_dim++] = to_next;
        } else if (to_next <= 1) {
            b->c = size;
        } else {
            return false;
        }
    }
    return true;
}

int64_t broadcast_at(const struct broadcast *b, int64_t i_pixel)
{
    int64_t at = 0;
    for (int i = b->n_dim - 1; i >= 0; i--) {
        at += i_pixel % b->dim[i] * b->step[i];
        i_pixel /= b->dim[i];
    }
    return at;
}
