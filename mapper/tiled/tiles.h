/* SPDX-License-Identifier: Apache-2.0 */
/* The search over chunks, block sizes, loop orders and ways to share the accumulators. */
#pragma once

#include "mapper/plan.h"

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

/* Whether the accumulators hold blocks as the layer's tiling has them. */
bool tiles_possible(const struct plan *p, const struct plan_layer *l);
