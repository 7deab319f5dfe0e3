/* SPDX-License-Identifier: Apache-2.0 */
/* Operators between matrix products that a machine with lanes of fp32 arithmetic can compute chunk
 * by chunk: stored values are turned into fp32, the reference's operator is run, and the result is
 * stored in its format. No chunk depends on another, so the bits are those of the whole tensor
 * (docs/quantisation.md). mapper/values/vector.def lists them. */
#pragma once

#include "mapper/plan.h"

/* Legal strings of a setting that lists such operators: "all", then their names; NULL-terminated.
 */
extern const char *const vector_names[];

/* Whether the operator moves values without changing them. */
bool vector_moves(const char *op);

/* Whether it finds rows of a table (mapper/values/lookup.h). */
bool vector_looks_up(const char *op);

/* How often each element of the operator's inputs passes the lanes; 0: it is none of these, a move
 * or a look-up. */
int vector_reads(const char *op);

/* Whether the operator's operands may have other shapes than its output, which numpy's rules
 * broadcast them to: those element by element, and sums. */
bool vector_broadcasts(const char *op);

/* Whether this node's operands can be read so (mapper/values/broadcast.h); if not, why goes to
 * *why. */
bool vector_operands_fit(const struct graph *g, const struct node *n, GString *why);

/* Whether this node, whose operator is one of these, can be cut into chunks, its shapes and
 * attributes being what they are; if not, why goes to *why. */
bool vector_possible(const struct graph *g, const struct node *n, GString *why);

/* The layer's operator on a region of its output: in[j] points at the first stored element of input
 * j that the region needs, out at the region's first element. `host` has parameters by value of the
 * graph, in fp32. Errors are the operator's own, or ERROR_LIMIT. */
bool vector_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                    const struct region *r, const struct tensor *host, const void *const *in,
                    void *out, GError **error);
