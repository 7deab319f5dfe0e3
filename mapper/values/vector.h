/* SPDX-License-Identifier: Apache-2.0 */
/* Operators between matrix products that a machine with lanes of fp32 arithmetic can compute chunk
 * by chunk: stored values are turned into fp32, the reference's operator is run, and the result is
 * stored in its format. No chunk depends on another, so the bits are those of the whole tensor
 * (docs/quantisation.md). */
#pragma once

#include "mapper/plan.h"

struct quant;

/* Whether an operator is computed so; others have an arithmetic of their own on what is stored
 * (products, windows, sums of two, joins, rectifiers, normalisation across channels), are moves or
 * look-ups, or no lanes compute them. */
bool vector_is_function(const struct traits *t);

/* Whether the operator's operands may have other shapes than its output, which numpy's rules
 * broadcast them to: those element by element. */
bool vector_broadcasts(const struct traits *t);

/* Whether this node's operands can be read so (mapper/values/broadcast.h); if not, why goes to
 * *why. */
bool vector_operands_fit(const struct graph *g, const struct node *n, GString *why);

/* Whether this node, a function, a move or a look-up, can be cut into chunks, its shapes and
 * attributes being what they are; if not, why goes to *why. */
bool vector_possible(const struct graph *g, const struct node *n, GString *why);

/* The layer's operator on a region of its output: in[j] points at the first stored element of input
 * j that the region needs, out at the region's first element; both lie by themselves. `host` has
 * parameters by value of the graph, in fp32. Errors are the operator's own, or ERROR_LIMIT. */
bool vector_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                    const struct region *r, const struct tensor *host, const void *const *in,
                    void *out, GError **error);
