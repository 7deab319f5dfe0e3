/* SPDX-License-Identifier: Apache-2.0 */
/* The search over chunks and the family's choices, one layer after the other. A layer's mappings
 * are ranked by the family's cost, which depends on nothing but the layer, its chunks and the
 * choice: so layers that are alike are searched once, and what was found is remembered. */
#pragma once

#include "mapper/plan.h"

/* What was found, by layers and chunks. It holds for one machine with its settings; who makes
 * several plans for it may keep it between them (target.memo). */
struct search_memo *search_memo_new(void);
void search_memo_free(struct search_memo *m); /* NULL is ignored */

/* Layouts are compared by their cycles plus SEARCH_TRAFFIC_SHARE of the cycles in which the weight
 * memory or the link is at work. It is what these cost beside others, in energy: a TPU v1 takes
 * 162.5 pJ for a byte of weights, 48.6 of which come in a cycle, and its idle die 40 nJ a cycle.
 * Where mappings are compared traffic may count for more, as long as all layers together become at
 * most SEARCH_SLOWER slower than with the fastest ones. */
#define SEARCH_TRAFFIC_SHARE 0.2
#define SEARCH_SLOWER        0.015
/* What the search makes small, by mapper.objective. */
double search_score(const struct machine *m, double cycles, double traffic_cyc);

/* Of a whole network. */
struct search_result {
    double score, cycles;
};
/* Chooses for all layers of the plan's present layout. */
struct search_result search_layers(struct plan *p, const struct target *t);
/* Score of one layer in n chunks, their operands being in the activation memory: the chunks follow
 * one another where the layer is `alone` in its group, else other layers come between them. */
double search_layer_score(struct plan *p, const struct target *t, int i_layer, int64_t n_chunk,
                          bool alone);
/* Score of a layer with its present chunks and choice, as one behind others. */
double search_present_score(const struct plan *p, const struct target *t, int i_layer);
