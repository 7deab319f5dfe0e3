/* SPDX-License-Identifier: Apache-2.0 */
/* The chunks that a layer on the machine is computed in: whole images, or rows of one image. */
#pragma once

#include "mapper/plan_layer.h"

int64_t plan_n_chunk(const struct plan *p, const struct plan_layer *l);
/* The i-th chunk of a layer, image by image, rows within. */
struct region plan_chunk(const struct plan *p, const struct plan_layer *l, int64_t i_chunk);
/* A chunk has a multiple of so many images: those of a whole matrix of a stack, else one. */
int64_t plan_chunk_unit(const struct plan_layer *l);
/* Chunks of a layer that shares its group are as equal as can be: so many have chunk_image images,
 * those behind them one less. */
int64_t plan_n_full_turn(const struct plan *p, const struct plan_layer *l);

/* Rows of the matrix product behind a region of a layer's output, of one matrix where it is a
 * stack. Where pooling is fused they are more than the region's pixels. */
int64_t plan_gemm_rows(const struct plan *p, const struct plan_layer *l, const struct region *out);
/* What tiling.block_m cuts: these rows, or the columns where the machine keeps inputs in place. */
int64_t plan_block_rows(const struct plan *p, const struct plan_layer *l, const struct region *out);
