/* SPDX-License-Identifier: Apache-2.0 */
/* Operators between products that a machine's lanes compute pixel by pixel in the numbers that
 * docs/quantisation.md documents: rectifiers, normalisation over channels, pools, sums and joined
 * channels. Integers are computed in int32 and requantised, floating-point formats in fp32. The
 * twin has code of its own for them.
 *
 *     struct lanes *lanes = lanes_new(plan, quant, step, memory);
 *     n_saturated += lanes_compute(lanes, &at, v);         for each pixel of the step's region
 *     lanes_free(lanes);
 */
#pragma once

#include "mapper/plan.h"

struct quant;

struct lanes;

/* Of the first operator's output, before any pool on the way out. */
struct lanes_pixel {
    int64_t image, y, x;
};

/* A STEP_COMPUTE whose operands lie in `memory`, at its in_address. */
struct lanes *lanes_new(const struct plan *p, const struct quant *q, const struct plan_step *st,
                        const uint8_t *memory);
/* The pixel's channels, those of the region -> v: int32 or fp32, rounded but not yet narrowed to
 * the layer's format. Returns how many values were clamped to what an integer format keeps. */
uint64_t lanes_compute(const struct lanes *lanes, const struct lanes_pixel *at, void *v);
void lanes_free(struct lanes *lanes);
