/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live: for how long, on the chip or not, and at what address. */
#pragma once

#include "mapper/plan.h"

/* What has to live in the activation memory, and from which layer to which, while every layer is a
 * group of its own. */
void homes_find(struct plan *p);
/* Which activations stay there, and at what address: what does not fit is spilled, the
 * largest first, and layers with such an operand are computed in chunks. On failure *unfuse is a
 * node to keep apart in another attempt (pooling fused into a layer forbids chunks of rows), or -1
 * with an error. */
bool homes_fit(struct plan *p, int *unfuse, GError **error);

/* Addresses, in their memories outside, of values that are ever there, once groups and parameters
 * are settled. ERROR_UNSUPPORTED where a memory is too small for them. */
bool homes_place_outside(struct plan *p, GError **error);

/* Cuts a layer into turns of `images` images at most, as equal as can be, so that it can take
 * turns with others of its group. */
void homes_take_turns(const struct plan *p, struct plan_layer *l, int64_t images);

/* Bytes that activations may take: of a memory that is shared with weights, what those leave. */
uint64_t homes_capacity(const struct plan *p);

/* Chunks of the layer, one after the other, that find the same in the slot. */
int64_t homes_slot_n_shared(const struct plan *p, const struct plan_layer *l,
                            const struct plan_slot *slot);
/* The slot of a value in a layer's group; bytes of a chunk of its value, as layer l of the group
 * has chunks; and how many copies of it the slot has: 2 where several chunks of it cross the host
 * link, one after the other. */
const struct plan_slot *homes_slot(const struct plan *p, const struct plan_layer *l, int value);
uint64_t homes_slot_bytes(const struct plan *p, const struct plan_layer *l,
                          const struct plan_slot *slot);
int homes_slot_n_copy(const struct plan *p, const struct plan_layer *l,
                      const struct plan_slot *slot);
/* Whether chunks of the layer's present size fit into the room that its slots were given. */
bool homes_chunk_fits(const struct plan *p, const struct plan_layer *l);

/* Whether the weights of a layer, and of all that read the same, are to stay in the activation
 * memory. homes_fit() streams what finds no room there beside all activations. */
void homes_set_resident(struct plan *p, int layer, bool resident);

/* All that a layout decides, to go back to. */
struct homes_layout *homes_keep(const struct plan *p);
void homes_restore(struct plan *p, const struct homes_layout *l);
void homes_layout_free(struct homes_layout *l);
