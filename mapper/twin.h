/* SPDX-License-Identifier: Apache-2.0 */
/* The twin of a machine's arithmetic: each layer over whole tensors in the plainest order. Private
 * to mapper/; quant_execute() runs it. */
#pragma once

#include "mapper/plan.h"
#include "mapper/quant.h"

struct twin {
    const struct plan *plan;
    const struct quant *quant;
    void **at;           /* by value: NHWC as stored */
    struct tensor *host; /* by value: fp32; what was given, and what layers on the host make */
};

/* One node over its whole inputs, which are int16 NHWC in a layer of integers, else fp32. */
struct job {
    const struct twin *t;
    const struct plan_layer *l;
    const struct node *n;
    struct dims in, out;        /* of its first input and of its output */
    struct plan_cut cut;        /* of its output */
    const void *x[PLAN_MAX_IN]; /* its inputs */
};

/* Which element of operand k element i_out of the output takes, by numpy's rules; both count as
 * stored. */
int64_t twin_operand_at(const struct job *j, int k, int64_t i_out);

/* TWIN(operator): void twin_integer_OP(job, out) and twin_float_OP(job, out). */
#define TWINS(TWIN)                                                                                \
    TWIN(conv2d)                                                                                   \
    TWIN(fc)                                                                                       \
    TWIN(batched_product)                                                                          \
    TWIN(lrn)                                                                                      \
    TWIN(maxpool)                                                                                  \
    TWIN(avgpool)                                                                                  \
    TWIN(add)                                                                                      \
    TWIN(concat)                                                                                   \
    TWIN(relu)
#define TWIN(op)                                                                                   \
    void twin_integer_##op(const struct job *j, void *out);                                        \
    void twin_float_##op(const struct job *j, void *out);
TWINS(TWIN)
#undef TWIN
