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

#include "workloads/executor.h"

struct plan;

/* A real factor as mult / 2^shift, 0 <= mult < 2^31, 1 <= shift <= 62. */
struct requant {
    int32_t mult;
    int shift;
};

struct requant requant_make(double factor); /* 0 <= factor <= 2^29 */

/* Rounds half up (towards +infinity), as one adder and a shift do. */
static inline int64_t requant_round(int64_t acc, struct requant r)
{
    return (int64_t)(((__int128)acc * r.mult + ((__int128)1 << (r.shift - 1))) >> r.shift);
}

static inline int8_t requant_clamp(int64_t y, int8_t lo)
{
    return (int8_t)(y < lo ? lo : y > 127 ? 127 : y);
}

/* Numbers for one layer. Matrix: weights [groups * n][k], as stored, with k in the order row,
 * column, channel of the kernel (fc: row, column, channel of the image), bias and requant by output
 * channel. Vector: requant by input; lrn: the table. Floating-point layers have float_bias alone.
 * Look-up: weights are the rows of its table. */
struct quant_layer {
    void *weight;
    int64_t *bias;
    float *float_bias;
    struct requant *requant;
    int32_t *lrn_table; /* QUANT_LRN_NODES values of the normalisation factor, lrn_bits of them
                           fractional */
    int lrn_step_shift; /* a node every 2^shift of the sum of squares */
    int lrn_bits; /* fractional bits of the table: 24, or as many as its largest value leaves */
};

/* The normalisation factor s_in/s_out * (k + alpha/size * s_in^2 * sum)^-beta is tabulated over the
 * integer sum of squares and interpolated linearly between nodes. */
enum { QUANT_LRN_NODES = 513, QUANT_LRN_MOST_BITS = 24 };
int64_t quant_lrn_factor(const struct quant_layer *q, int64_t sum_of_squares);

struct quant {
    struct arena *arena;
    float *scale; /* by value: of roots that a layer makes or the graph is given; 0: none */
    struct quant_layer *layers;
};

/* Whether any value of the plan is stored as an integer, so that its range must be known. */
bool quant_needs_ranges(const struct plan *p);

/* What the values of a network are like, by value of its graph. */
struct quant_ranges {
    const float *max_abs;
    const float *flex_scale; /* predicted by Autoflex; NULL: from max_abs */
};

/* max|x| by value, filled by a reference run through quant_observe (an executor_visit_fn whose user
 * is the array). */
bool quant_observe(const struct graph *g, int value, const struct tensor *t, void *max_abs,
                   GError **error);
float quant_max_abs(const struct tensor *t);

/* Scales and integer parameters of every layer of the plan from fp32 parameters. */
struct quant *quant_new(const struct plan *p, const struct values *params,
                        const struct quant_ranges *ranges, GError **error);
void quant_free(struct quant *q);

/* How a machine stores an activation: x / scale in an integer format, x in a floating-point one. */
struct storage {
    enum number format;
    float scale;
};
/* The largest integer that a format keeps: 127 or 32767; 0 of a floating-point format. */
int32_t storage_limit(enum number format);
/* A bound in the integers of a storage: beyond the largest one where it does not cut. */
int64_t storage_bound(struct storage s, double upper);
struct storage quant_storage(const struct plan *p, const struct quant *q, int value);

/* n elements from fp32 to what is stored, and back. */
void storage_encode(struct storage s, void *stored, const float *x, int64_t n);
void storage_decode(struct storage s, float *x, const void *stored, int64_t n);
/* fp32 NCHW -> stored NHWC and back. Tensors of other than 4 dimensions are 1 x 1 images; of
 * integers they are stored as they are. */
void quant_to_nhwc(void *stored, const struct tensor *t, struct storage s);
void quant_from_nhwc(struct tensor *t, const void *stored, struct storage s);

/* The graph in the machine's integer arithmetic, layer by layer, without tiles or buffers: the twin
 * that check.exact compares with. `host` has, by value of the graph, fp32 inputs and parameters.
 * Layers with skip[i] (NULL: none) are not computed: machine[i], NHWC as stored, stands in for
 * them. `visit` gets the output of each layer that was computed, in order: NHWC as stored, or fp32
 * NCHW of a layer on the host; it is freed after the call. */
typedef bool (*quant_visit_fn)(int i_layer, const void *value, size_t n_byte, void *user,
                               GError **error);
bool quant_execute(const struct plan *p, const struct quant *q, const struct tensor *host,
                   const bool *skip, void *const *machine, quant_visit_fn visit, void *user,
                   GError **error);
