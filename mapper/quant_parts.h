/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of quant_new(), in the order in which they run; private to mapper/. Each sets what
 * quant.h says of it, in q's arena. */
#pragma once

#include "mapper/plan.h"
#include "mapper/quant.h"

/* q->scale of all values, from ranges of the graph's values and, where a parameter is an operand or
 * a table, from its elements. */
void quant_set_scales(struct quant *q, const struct plan *p, const struct values *params,
                      const struct quant_ranges *r);
/* LAYER_MATRIX. ERROR_LIMIT where there is no memory for the weights. */
bool quant_matrix_params(struct quant *q, const struct plan *p, const struct plan_layer *l,
                         const struct values *params, GError **error);
/* LAYER_VECTOR. */
void quant_vector_params(struct quant *q, const struct plan *p, const struct plan_layer *l);
