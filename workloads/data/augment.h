/* SPDX-License-Identifier: Apache-2.0 */
/* Random changes of training images: flip, crop, scale, rotate, translate, distort.
 *
 * All of them are one resampling: a pixel of the result is read, bilinearly, where an affine map
 * and a field of displacements put it; outside the image is 0. What is drawn is a function of
 * (seed, epoch, sample) alone, so neither the order of samples nor the number of threads matters;
 * turning one change off leaves the draws of the others as they were. */
#pragma once

#include "sim/cfg/cfg.h"
#include "workloads/tensor/tensor.h"

/* All 0: nothing is changed, to the bit. */
struct augment_config {
    double flip, flip_vertical; /* probabilities */
    int64_t crop_pad_px;
    double scale;
    double rotate_deg;
    double translate;
    double elastic_alpha_px, elastic_sigma_px;
};

/* Settings "augment.flip" and so on, for cfg_apply(). */
extern const struct cfg_field augment_fields[];

struct augment;

/* For images of C, H, W. ERROR_INPUT for settings that do not go together, ERROR_LIMIT without
 * memory. */
struct augment *augment_new(const struct augment_config *config, const struct shape *chw,
                            GError **error);
void augment_free(struct augment *a); /* NULL is ignored */
/* Changes one image in place. One thread uses an augment at a time. */
void augment_apply(struct augment *a, float *image, uint64_t seed, uint64_t epoch, uint64_t sample);
