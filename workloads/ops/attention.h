/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: what its operator (attention.c) and its form in simpler operators (attention_expand.c)
 * share. */
#pragma once

#include "workloads/op.h"
#include "workloads/ops/matrix.h"

/* The operator's expands() and expand(). */
bool attention_expands(const struct graph *g, const struct node *n, const char **why);
void attention_expand(struct expand_draft *d);
