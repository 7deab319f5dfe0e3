/* SPDX-License-Identifier: Apache-2.0 */
/* Exponents of Flexpoint (flex16+5): a tensor's 16-bit mantissas share the scale 2^-e, 0 <= e
 * <= 31. Autoflex predicts it from the tensor's largest values so far: Koester et al., "Flexpoint:
 * An Adaptive Numerical Format for Efficient Training of Deep Neural Networks", NIPS 2017. */
#pragma once

#include <stdbool.h>

enum { AUTOFLEX_RECENT = 16, AUTOFLEX_MANTISSA_BITS = 16 };

struct autoflex {
    double recent[AUTOFLEX_RECENT]; /* ring of largest values */
    int n, next;
    float scale;
};

/* The least scale with which max_abs does not overflow. */
float autoflex_scale(double max_abs);
/* Before the first prediction a tensor is computed again until nothing overflows. */
void autoflex_start(struct autoflex *a, double max_abs);
/* A tensor with this largest value was stored with a->scale; predicts the next one's scale. Returns
 * whether mantissas overflowed. */
bool autoflex_observe(struct autoflex *a, double max_abs);
