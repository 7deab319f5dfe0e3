/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of instructions on the machine's contents: systolic_product.c multiplies,
 * systolic_vector.c activates and pools; systolic_func.c is what remains. */
#pragma once

#include "arch/systolic/systolic_state.h"

/* Row block times the tile in the array, the i_k-th of `in`, into the accumulators. */
void systolic_func_multiply(struct machine_state *m, const struct insn *in, uint32_t i_k);
/* Any instruction but those that shift, multiply or synchronise. Errors are the user's: an index
 * that a table does not have, an operator on the host that fails. */
bool systolic_func_execute(struct machine_state *m, const struct insn *in, GError **error);
/* One step: the whole program in program order (systolic_func.c). */
bool systolic_func_replay(struct machine_state *m, GError **error);
