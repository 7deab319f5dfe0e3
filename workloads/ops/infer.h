/* SPDX-License-Identifier: Apache-2.0 */
/* Inference that operators share. */
#pragma once

#include "workloads/op.h"

/* Every output has the shape and type of the first input. */
bool infer_as_first(const struct op_infer *c, GError **error);

/* The shape that inputs [0, n_in) broadcast to, as NumPy has it. */
bool infer_broadcast(const struct op_infer *c, struct shape *out, GError **error);
/* All inputs present have the type of the first. */
bool infer_one_type(const struct op_infer *c, GError **error);

static inline const struct operand *infer_input(const struct op_infer *c, int i)
{
    return i < c->n_in ? c->in[i] : NULL;
}

/* Elements of a known input (op->known) as integers; returns how many, at most `most`, or -1 with
 * an error: not a list of integers, too long. An absent input gives 0. */
int infer_list(const struct op_infer *c, int i, int64_t *out, int most, GError **error);
/* The same into a list of settings, which is left as it is where the input is absent. */
bool infer_ints(const struct op_infer *c, int i, struct cfg_ints *out, GError **error);
/* And of one integer. */
bool infer_int(const struct op_infer *c, int i, int64_t *out, GError **error);
/* A flag for each of n dimensions named by `axes`, negative ones counted from the end. */
bool infer_axes(const struct cfg_ints *axes, int n, bool *flags, GError **error);
