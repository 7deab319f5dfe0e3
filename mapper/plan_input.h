/* SPDX-License-Identifier: Apache-2.0 */
/* What a layer on the machine needs of its inputs to compute a region of its output. i_in counts
 * plan_layer.in; images, rows, pixels and elements are those of NHWC. */
#pragma once

#include "mapper/plan_layer.h"

/* Input i_in as the layer computes with it: rows of features may be cut otherwise than the value
 * that they are a view of. */
struct dims plan_in_dims(const struct plan *p, const struct plan_layer *l, int i_in);
/* Whether an image of the output needs other images of input i_in than the one of the same index:
 * of a view that is cut otherwise, of a move, of a stack of matrices, or of an operand that is
 * broadcast to all images. */
bool plan_is_mapped(const struct plan *p, const struct plan_layer *l, int i_in);
/* What a region of the output needs of the value that input i_in is. *skip: elements of that part
 * before the first that is needed. */
struct region plan_input_region(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out, int64_t *skip);
/* The part of output i_out where the first one's is `out`: outputs have images and rows alike. */
struct region plan_output_region(const struct plan *p, const struct plan_layer *l, int i_out,
                                 const struct region *out);
/* What has to come over the host link before a region can be computed, of an input whose bit in
 * plan_layer.loads is set, into *load. false: nothing, since a value that is resident came as a
 * whole, or image by image, before an earlier region. */
bool plan_load_region(const struct plan *p, const struct plan_layer *l, int i_in,
                      const struct region *out, struct region *load);
/* Input rows [*row, *row + *n_row) that a region needs, each of its images alike. */
void plan_input_rows(const struct plan *p, const struct plan_layer *l, int i_in,
                     const struct region *out, int64_t *row, int64_t *n_row);
/* The same of columns. */
void plan_input_columns(const struct plan *p, const struct plan_layer *l, int i_in,
                        const struct region *out, int64_t *col, int64_t *n_col);
/* A chunk of some channels of the output needs all of the inputs', which chunks of the same pixels
 * then share; else the same ones. */
bool plan_needs_all_channels(const struct plan *p, const struct plan_layer *l);
/* plan_input_region() of an input that is not mapped: of the same images. */
struct region plan_input_pixels(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out);
/* Rows of an image of input i_in that some row of the output needs, and columns: fewer than all
 * where windows lie apart, or where the last one ends before the image does, and the layer can be
 * cut there. */
int64_t plan_rows_needed(const struct plan *p, const struct plan_layer *l, int i_in);
int64_t plan_columns_needed(const struct plan *p, const struct plan_layer *l, int i_in);
/* Elements of input i_in, as plan_in_dims() has it, before the first that a region needs. */
int64_t plan_first_needed(const struct plan *p, const struct plan_layer *l, int i_in,
                          const struct region *out);
/* Pixels of input i_in that pass the lanes for a region, and channels of each: a broadcast operand
 * is read again for each pixel of the output. */
int64_t plan_pixels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                         const struct region *out);
int64_t plan_channels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                           const struct region *out);
/* Whether a row of the layer's output can be computed in pieces: some of its columns, from the
 * columns of the inputs that their windows cover; or some channels of each pixel, from all channels
 * of a product's input, or the same ones of others'. */
bool plan_cuts_columns(const struct plan *p, const struct plan_layer *l);
bool plan_cuts_channels(const struct plan *p, const struct plan_layer *l);
