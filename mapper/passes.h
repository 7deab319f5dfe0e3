/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of plan_new(), in the order in which they run; private to mapper/. */
#pragma once

#include "mapper/plan.h"

enum { PLACE_ALIGN_BYTES = 256 }; /* a row of the widest path into the memory */

/* Fold and fuse: fills plan->roots and plan->layers. no_fuse[i] keeps node i a layer of its own. */
bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error);

/* Number formats, in this order: none is known; that of a layer's first node; that node's weights
 * and inputs, or ERROR_UNSUPPORTED where integers meet floating-point numbers; what nobody reads.
 */
void formats_init(struct plan *p);
enum number formats_of_node(const struct plan *p, const struct plan_layer *l, const struct node *n);
bool formats_set(struct plan *p, struct plan_layer *l, const struct node *n, GError **error);
void formats_finish(struct plan *p);

/* Homes: what has to live in the activation memory and when, every layer a group of its own. */
void homes_find(struct plan *p);
/* Which activations stay there, where, and in what chunks a layer is computed whose operands do
 * not: what does not fit is spilled, the largest first. On failure *unfuse is a node to keep apart
 * in another attempt (pooling fused into a layer forbids chunks of rows), or -1 with an error. */
bool homes_fit(struct plan *p, int *unfuse, GError **error);

/* Lets a layer take turns with others, so many images at a time at most. */
void homes_take_turns(const struct plan *p, struct plan_layer *l, int64_t images);

/* Addresses: slots, loads and stores of all layers with the present groups, chunks and residency;
 * then room for everything. On failure false, and *first and *last are the layers during which what
 * found no room is needed. */
void place_slots(struct plan *p);
bool place_all(struct plan *p, int *first, int *last);

/* What a cycle of the weight memory's or the link's time counts beside a cycle of the run where two
 * layouts are compared: a TPU v1 takes 162.5 pJ for a byte of weights, 48.6 of which come in a
 * cycle, and its idle die 40 nJ a cycle. Of the tilings it counts as much as leaves all layers
 * together at most TILES_SLOWER slower than the fastest ones. */
#define TILES_TRAFFIC_SHARE 0.2
#define TILES_SLOWER        0.015
/* What the search makes small. */
double tiles_score(const struct machine *m, double cycles, double traffic_cyc);

/* Tilings: the search over block sizes, loop orders and chunks, driven by the analytic cost.
 * Returns the score of the whole network: cycles, and a little for traffic. */
double tiles_choose(struct plan *p, const struct target *t);
/* Score of one layer in n chunks that all its operands are there for: one after the other where it
 * is alone in its group, else behind a barrier each. */
double tiles_layer_score(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk,
                         bool alone);

/* Groups: where activations were spilled, layers that share a chunk size, if that has a lower score
 * than the plan as it is. */
void groups_improve(struct plan *p, const struct target *t, double score);
/* Whether the layer works on the same images as others of its group, of so many. */
bool groups_joins(const struct plan *p, const struct plan_layer *l, int64_t batch);

/* Whether the accumulators hold blocks as the layer's tiling has them. */
bool tiles_possible(const struct plan *p, const struct plan_layer *l);

/* Whether chunks of the present size fit into the room that the slots were given: chunks that take
 * turns have two copies each, and may need more room than one chunk has. */
bool chunk_fits(const struct plan *p, const struct plan_layer *l);

/* The list of steps. ERROR_LIMIT where there would be too many. */
bool steps_make(struct plan *p, GError **error);

/* Bytes of a chunk of a slot's value, in a layer of its group; 2 copies of it where
 * slot_n_copy(). */
uint64_t slot_bytes(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot);
int slot_n_copy(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot);
/* The slot of a value in a layer's group. */
const struct plan_slot *slot_of(const struct plan *p, const struct plan_layer *l, int value);
/* Bytes of all slots of a layer's group with its present chunks. */
uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l);
