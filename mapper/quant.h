/* SPDX-License-Identifier: Apache-2.0 */
/* Symmetric int8 quantisation (docs/quantisation.md): weights per output channel, activations per
 * tensor, int32 accumulation, fixed-point requantisation.
 *
 *     q = clamp(round(x / scale), -127, 127),   scale = max|x| / 127
 *     y = clamp((acc * mult + 2^(shift-1)) >> shift, lo, 127)
 */
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
    return (acc * r.mult + ((int64_t)1 << (r.shift - 1))) >> r.shift;
}

static inline int8_t requant_clamp(int64_t y, int8_t lo)
{
    return (int8_t)(y < lo ? lo : y > 127 ? 127 : y);
}

/* Numbers for one layer. Matrix: weights [groups * n][k] with k in the order row, column, channel
 * of the kernel (fc: row, column, channel of the image), bias and requant by output channel.
 * Vector: requant by input; lrn: the table. */
struct quant_layer {
    int8_t *weight;
    int32_t *bias;
    struct requant *requant;
    int32_t *lrn_table; /* QUANT_LRN_NODES values of the normalisation factor, Q(QUANT_LRN_BITS) */
    int lrn_step_shift; /* a node every 2^shift of the sum of squares */
};

/* The normalisation factor s_in/s_out * (k + alpha/size * s_in^2 * sum)^-beta is tabulated over the
 * integer sum of squares and interpolated linearly between nodes. */
enum { QUANT_LRN_NODES = 513, QUANT_LRN_BITS = 24 };
int64_t quant_lrn_factor(const struct quant_layer *q, int64_t sum_of_squares);

struct quant {
    struct arena *arena;
    float *scale; /* by value: of roots that a layer makes or the graph is given; 0: none */
    struct quant_layer *layers;
};

/* max|x| by value, filled by a reference run through quant_observe (an executor_visit_fn whose user
 * is the array). */
bool quant_observe(const struct graph *g, int value, const struct tensor *t, void *max_abs,
                   GError **error);
float quant_max_abs(const struct tensor *t);

/* Scales and integer parameters of every layer of the plan from fp32 parameters. */
struct quant *quant_new(const struct plan *p, const struct values *params, const float *max_abs,
                        GError **error);
void quant_free(struct quant *q);

/* How a machine stores an activation: x / scale in an integer format, x in a floating-point one. */
struct storage {
    enum number format;
    float scale;
};
struct storage quant_storage(const struct plan *p, const struct quant *q, int value);

/* n elements from fp32 to what is stored, and back. */
void storage_encode(struct storage s, void *stored, const float *x, int64_t n);
void storage_decode(struct storage s, float *x, const void *stored, int64_t n);
/* fp32 NCHW -> stored NHWC and back. Tensors of other than 4 dimensions are 1 x 1 images. */
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
