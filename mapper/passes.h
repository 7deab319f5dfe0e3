/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of plan_new(), in the order in which they run; private to mapper/. */
#pragma once

#include "mapper/plan.h"

enum { PLACE_ALIGN_BYTES = 256 }; /* a row of the widest path into the memory */

/* Fold and fuse: fills plan->roots and plan->layers. no_fuse[i] keeps node i a layer of its own.
 * ERROR_UNSUPPORTED where neither the machine nor its host runs a node. */
bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error);

/* Number formats, called in this order: none is known yet; what a layer computes in, by its first
 * node; with it those of the layer's weights and inputs, or ERROR_UNSUPPORTED where integers meet
 * floating-point numbers; in the end those of values that no layer reads. */
void formats_init(struct plan *p);
enum number formats_of_node(const struct plan *p, const struct plan_layer *l, const struct node *n);
bool formats_set(struct plan *p, struct plan_layer *l, const struct node *n, GError **error);
void formats_finish(struct plan *p);

/* Addresses of all parameters. Where the machine can stream them, the weight memory has those of
 * each layer, in the network's order, that still find room there as a whole, beside
 * plan->activation_bytes where it is shared; the others', which are streamed, get addresses behind
 * its last. Where it cannot, all have addresses in it, and the family tells if they do not fit. */
void weights_place(struct plan *p);

/* Homes: what has to live in the activation memory, and from which layer to which, while every
 * layer is a group of its own. */
void homes_find(struct plan *p);
/* Which activations stay there, and at what address: what does not fit is spilled to the host, the
 * largest first, and layers with such an operand are computed in chunks. On failure *unfuse is a
 * node to keep apart in another attempt (pooling fused into a layer forbids chunks of rows), or -1
 * with an error. */
bool homes_fit(struct plan *p, int *unfuse, GError **error);

/* Cuts a layer into passes of `images` images at most, as equal as can be, so that it can take
 * turns with others of its group. */
void homes_take_turns(const struct plan *p, struct plan_layer *l, int64_t images);

/* Addresses. place_slots() works out slots, loads and stores of all layers from the present groups,
 * chunks and residency; place_all() then finds an address for everything. If it cannot, *first and
 * *last are the layers during which what found no room is needed. */
void place_slots(struct plan *p);
bool place_all(struct plan *p, int *first, int *last);
/* Bytes that these may take: of a memory that is shared with weights, what those leave. */
uint64_t place_capacity(const struct plan *p);

/* Layouts are compared by their cycles plus TILES_TRAFFIC_SHARE of the cycles in which the weight
 * memory or the link is at work. It is what these cost beside others, in energy: a TPU v1 takes
 * 162.5 pJ for a byte of weights, 48.6 of which come in a cycle, and its idle die 40 nJ a cycle.
 * Where tilings are compared traffic may count for more, as long as all layers together become at
 * most TILES_SLOWER slower than with the fastest ones. */
#define TILES_TRAFFIC_SHARE 0.2
#define TILES_SLOWER        0.015
/* What the search makes small, by mapper.objective. */
double tiles_score(const struct machine *m, double cycles, double traffic_cyc);

/* Tilings: the search over block sizes, loop orders and chunks, driven by the analytic cost.
 * Returns the score of the whole network: cycles, and a little for traffic. */
double tiles_choose(struct plan *p, const struct target *t);
/* Score of one layer in n chunks, their operands being in the activation memory: the chunks follow
 * one another where the layer is `alone` in its group, else other layers come between them. */
double tiles_layer_score(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk,
                         bool alone);

/* Groups: where activations were spilled, makes layers take turns on chunks of the same images, if
 * that has a lower score than `score`, the plan's as it is. */
void groups_improve(struct plan *p, const struct target *t, double score);
/* Whether a layer can take turns with others that compute `batch` images: it computes as many, and
 * each of them needs the same image of its inputs and no other. */
bool groups_joins(const struct plan *p, const struct plan_layer *l, int64_t batch);

/* Whether the accumulators hold blocks as the layer's tiling has them. */
bool tiles_possible(const struct plan *p, const struct plan_layer *l);

/* Whether chunks of the layer's present size fit into the room that its slots were given, with two
 * copies where slot_n_copy() says so. */
bool chunk_fits(const struct plan *p, const struct plan_layer *l);

/* The list of steps. ERROR_LIMIT where there would be too many. */
bool steps_make(struct plan *p, GError **error);

/* Bytes of a chunk of a slot's value, as layer l of its group has chunks, and how many copies of it
 * the slot has: 2 where several chunks of it cross the host link, one after the other. */
uint64_t slot_bytes(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot);
int slot_n_copy(const struct plan *p, const struct plan_layer *l, const struct plan_slot *slot);
/* The slot of a value in a layer's group. */
const struct plan_slot *slot_of(const struct plan *p, const struct plan_layer *l, int value);
/* Bytes of all slots of a layer's group with its present chunks. */
uint64_t layer_stage_bytes(const struct plan *p, const struct plan_layer *l);
