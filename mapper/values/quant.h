/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers that a machine computes with (docs/quantisation.md).
 *
 * Integers are symmetric: weights per output channel, activations per tensor, exact sums,
 * fixed-point requantisation; L is 127 of int8, 32767 of int16 and flex16:
 *
 *     q = clamp(round(x / scale), -L, L),   scale = max|x| / L
 *     y = clamp((acc * mult + 2^(shift-1)) >> shift, lo, L)
 *
 * flex16 has one scale for all weights of a layer too, and every scale is a power of two. Of
 * floating-point formats x itself is rounded, and sums are made in fp32. */
#pragma once

#include <glib.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "mapper/values/requant.h"
#include "mapper/values/storage.h"
#include "workloads/executor.h"

struct plan;

/* Numbers of one layer, in the arena of struct quant; NULL where its kind has none. */
struct quant_layer {
    /* Matrix: [groups * n][k], as stored, with k in the order row, column, channel of the kernel
     * (fc: row, column, channel of the image). Look-up: the rows of its table, as stored. */
    void *weight;
    int64_t *bias;           /* matrix of integers: by output channel, in steps of its sums */
    float *float_bias;       /* matrix of a floating-point format: by output channel */
    struct requant *requant; /* matrix of integers: by output channel. Vector: by input; avgpool: by
                              * how many elements the window has, less 1 */
    struct requant *added;   /* matrix of integers with an input that is added on the way out: of
                              * that, by output channel, with requant's shift */
    /* lrn: the normalisation factor s_in/s_out * (k + alpha/size * s_in^2 * sum)^-beta, tabulated
     * over the integer sum of squares and interpolated linearly between nodes. */
    int32_t *lrn_table; /* [QUANT_LRN_NODES], lrn_bits of each fractional */
    int lrn_step_shift; /* a node every 2^shift of the sum of squares */
    int lrn_bits;       /* QUANT_LRN_MOST_BITS, or as many as the largest node leaves */
};
enum { QUANT_LRN_NODES = 513, QUANT_LRN_MOST_BITS = 24 };
/* The factor of a sum of squares, lrn_bits of it fractional. */
int64_t quant_lrn_factor(const struct quant_layer *q, int64_t sum_of_squares);

struct quant {
    struct arena *arena;
    float *scale; /* by value: of roots that a layer makes or the graph is given; 0: none */
    struct quant_layer *layers; /* by layer of the plan */
};

/* Whether any value of the plan is stored as an integer, so that its range must be known. */
bool quant_needs_ranges(const struct plan *p);

/* What the values of a network are like, by value of its graph. */
struct quant_ranges {
    const float *max_abs;    /* max|x| */
    const float *flex_scale; /* of flex16, predicted by Autoflex; NULL: from max_abs */
};

/* max|x| of a tensor of fp32, 0 of another. */
float quant_max_abs(const struct tensor *t);
/* Fills max_abs, a float by value, in a run of the reference: an executor_visit_fn whose user is
 * that array. Cannot fail. */
bool quant_observe(const struct graph *g, int value, const struct tensor *t, void *max_abs,
                   GError **error);

/* Scales and integer parameters of every layer of the plan, from fp32 parameters by value of the
 * graph. ERROR_LIMIT where there is no memory for weights. The caller frees it. */
struct quant *quant_new(const struct plan *p, const struct values *params,
                        const struct quant_ranges *ranges, GError **error);
void quant_free(struct quant *q); /* NULL is ignored */
/* How the machine stores a value of the plan. */
struct storage quant_storage(const struct plan *p, const struct quant *q, int value);
