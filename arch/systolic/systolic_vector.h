/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of the activation unit. */
#pragma once

#include "arch/systolic/systolic_state.h"

/* Accumulators -> bias, requantisation, ReLU, pooling -> unified buffer. */
void systolic_vector_activate(struct machine_state *m, const struct insn *in);
/* Unified buffer -> normalisation, pooling, sums, functions -> unified buffer. */
bool systolic_vector_pass(struct machine_state *m, const struct insn *in, GError **error);
