/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of plan_new(), in the order in which they run; private to mapper/. */
#pragma once

#include "mapper/plan.h"

/* Fold and fuse: fills plan->roots and plan->layers. no_fuse[i] keeps node i a layer of its own. */
bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error);

/* Number formats, in this order: none is known; that of a layer's first node; that node's weights
 * and inputs, or ERROR_UNSUPPORTED where integers meet floating-point numbers; what nobody reads. */
void formats_init(struct plan *p);
enum number formats_of_node(const struct plan *p, const struct plan_layer *l, const struct node *n);
bool formats_set(struct plan *p, struct plan_layer *l, const struct node *n, GError **error);
void formats_finish(struct plan *p);

/* Homes: which activations stay in the activation memory, where, and in what chunks a layer is
 * computed whose operands do not. On failure *unfuse is a node to keep apart in another attempt
 * (pooling fused into a layer forbids chunks of rows), or -1 with an error. */
bool homes_place(struct plan *p, int *unfuse, GError **error);

/* Tilings: the search over block sizes, loop orders and chunks, driven by the analytic cost. */
void tiles_choose(struct plan *p, const struct target *t);

/* The list of steps. ERROR_LIMIT where there would be too many. */
bool steps_make(struct plan *p, GError **error);

/* Bytes of one staging slot of a layer: of input i_in, or of the output (i_in = -1); 0 where that
 * operand is not streamed. */
int64_t stage_slot_bytes(const struct plan *p, const struct plan_layer *l, int i_in);
/* Bytes of all staging slots of a layer with its present chunks. */
uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l);
/* Whether operands move over the host link while the layer runs. */
bool layer_has_transfers(const struct plan *p, const struct plan_layer *l);
