/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that stay on the chip, where one memory can hold any operand. */
#pragma once

#include "mapper/tiled/search.h"

/* Keeps the weights of layers in the activation memory, for as long as layers use them, where that
 * ranks better than to fetch them anew for each chunk or block, and the whole then has a lower
 * score than the plan as it is, and takes hardly longer. */
void residency_improve(struct plan *p, const struct target *t, struct search_result present);
