/* SPDX-License-Identifier: Apache-2.0 */
/* Number formats of a plan's values and layers (plan->formats). */
#pragma once

#include "mapper/plan.h"

/* In this order: none is known yet; what a layer computes in, by its first node; with it those of
 * the layer's weights and inputs, or ERROR_UNSUPPORTED where integers meet floating-point numbers;
 * in the end those of values that no layer reads. */
void formats_init(struct plan *p);
enum number formats_of_node(const struct plan *p, const struct plan_layer *l, const struct node *n);
bool formats_set(struct plan *p, struct plan_layer *l, const struct node *n, GError **error);
/* Whether values of one format may be computed with in a layer of the other; a format that is not
 * known yet may become any. */
bool formats_meet(enum number value, enum number layer);
/* A layer of this format reads the value: it has it, if none is known yet. */
void formats_take(struct plan *p, int value, enum number layer);
void formats_finish(struct plan *p);
