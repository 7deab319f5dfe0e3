/* SPDX-License-Identifier: Apache-2.0 */
/* What the activation unit's lanes compute of one pixel in a pass from buffer to buffer: all its
 * channels, as int32 of integer formats or as fp32; part of systolic_vector. */
#pragma once

#include "arch/systolic/systolic_func.h"
#include "mapper/broadcast.h"
#include "workloads/ops/ops.h"

/* One operand of a pass, as stored in the unified buffer. */
struct source {
    struct dims in;
    enum number format;
    const uint8_t *base;
    int64_t image, row; /* at base */
    bool is_broadcast;  /* its shape is not that of the output, `out`: */
    struct broadcast shape;
    struct dims out;
    int64_t first; /* element at base */
};

struct pixel {
    int64_t image, y, x;
};

/* The channels of one pixel as int32 or fp32; of an operand that is broadcast, for one pixel of the
 * output. */
void source_load(const struct source *s, const struct pixel *at, void *v, enum number lanes);

/* What a pass needs at each pixel. */
struct pass {
    const struct insn *insn;
    const struct node *node;
    const struct quant_layer *q;
    struct source in[PLAN_MAX_IN];
    int n_in;
    int32_t limit; /* of integers: the largest that the result's format keeps */
    bool relu;
    int64_t n_channel; /* of the result */
    void *scratch;     /* a pixel of the operand with most channels */
};

/* v: the result's channels, rounded but not yet narrowed. Integers: returns how many values were
 * clamped to the format's limits. */
typedef uint64_t (*integer_pass)(const struct pass *p, const struct pixel *at, int32_t *v);
typedef void (*float_pass)(const struct pass *p, const struct pixel *at, float *v);

uint64_t integer_relu(const struct pass *p, const struct pixel *at, int32_t *v);
uint64_t integer_lrn(const struct pass *p, const struct pixel *at, int32_t *v);
uint64_t integer_maxpool(const struct pass *p, const struct pixel *at, int32_t *v);
uint64_t integer_avgpool(const struct pass *p, const struct pixel *at, int32_t *v);
uint64_t integer_add(const struct pass *p, const struct pixel *at, int32_t *v);
uint64_t integer_concat(const struct pass *p, const struct pixel *at, int32_t *v);

void float_relu(const struct pass *p, const struct pixel *at, float *v);
void float_lrn(const struct pass *p, const struct pixel *at, float *v);
void float_maxpool(const struct pass *p, const struct pixel *at, float *v);
void float_avgpool(const struct pass *p, const struct pixel *at, float *v);
void float_add(const struct pass *p, const struct pixel *at, float *v);
void float_concat(const struct pass *p, const struct pixel *at, float *v);

/* The window of a pooling pass along one dimension at an output position: [first, end) of the
 * input, and how many it covers with the padding. */
struct window_span {
    int64_t first, end, padded;
};
struct window_span window_span(const struct pool_attr *a, int dim, int64_t out, int64_t n_in);
