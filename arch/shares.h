/* SPDX-License-Identifier: Apache-2.0 */
/* What share of a run's cycles each layer has.
 *
 * Layers are worked on in turns, which overlap: weights and inputs of the next one move while this
 * one computes. A turn's share runs from the end of the turns before it to its own end, or to where
 * the next one begins to compute; the last share ends with the run. So shares add up to the total,
 * and what is done ahead of a turn is not in its own.
 *
 *     struct shares *s = shares_new(arena, plan->turn_layer, plan->n_turn);
 *     shares_note(s, turn, start_cyc, end_cyc, computes);      whatever a unit does, as it is done
 *     shares_collect(s, record);                               once, after the run
 *     shares_add_waits(s, waits, n, record);                   of each unit that layers' stalls
 * tell
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/base/arena.h"
#include "sim/stat/record.h"

struct shares;

/* A unit waits for something else, from and to a cycle; `cause` as in layers' stall_cyc. */
struct shares_wait {
    uint64_t start_cyc, end_cyc;
    int cause;
};

/* turn_layer: in order of computation, the layer that each turn is of; it outlives the shares. */
struct shares *shares_new(struct arena *arena, const int *turn_layer, int n_turn);
/* A unit works on a turn. `computes`: what the turn is for, not a transfer ahead of it, behind it
 * or on the host. */
void shares_note(struct shares *s, int turn, uint64_t start_cyc, uint64_t end_cyc, bool computes);
/* Sets total_cyc, and each layer's start_cycle, end_cycle and cycles. */
void shares_collect(struct shares *s, struct record *r);
/* Adds waits, by their start, to the layers in whose shares they lie: each is cut at the ends of
 * the shares. */
void shares_add_waits(const struct shares *s, const struct shares_wait *waits, size_t n,
                      struct record *r);
