/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that move values without changing them: slices, transposes, repetitions, values joined
 * along another dimension than channels. Where each element comes from is asked of the operator
 * itself, which is run on the elements' numbers. */
#pragma once

#include "mapper/plan.h"

struct quant;

/* Runs of elements that lie side by side before and behind the move, no longer than a pixel. */
struct permute_runs {
    int64_t length, count;
};

/* What a plan has to know of a permute; in the plan's arena. */
struct plan_permute {
    int64_t *first_image, *end_image; /* by input, then image of the outputs: what they need of the
                                       * input's images; 0, 0: nothing */
    struct permute_runs *runs;        /* of all outputs, each length once */
    int n_run;
    /* A transpose of the innermost dimension: so many matrices, [rows][cols] to [cols][rows]. */
    int64_t n_turned, rows, cols;
};

/* Whether the node is a move of values whose places are known before the run; rows of an activation
 * that are looked up by constants are one. */
bool permute_is(const struct graph *g, const struct node *n);
/* Operands that are moved; behind them come those that tell where. */
int permute_n_in(const struct graph *g, const struct node *n);
/* In the plan's arena. NULL with ERROR_LIMIT where there is no memory for it. */
struct plan_permute *permute_make(struct plan *p, const struct plan_layer *l, GError **error);
/* Images of input i_in that images [image, image + n_image) of the output need. */
void permute_images(const struct plan *p, const struct plan_layer *l, int i_in,
                    const struct region *out, int64_t *image, int64_t *n_image);
/* Cycles in which a region passes a path of path_bytes a cycle, a run of elements at a time. Where
 * the path `turns` squares of values, of as many rows as a row has values, a transpose may pass so,
 * if that is faster: a square enters row by row and leaves column by column, while the next one
 * enters. */
uint64_t permute_beats(const struct plan *p, const struct plan_layer *l, const struct region *out,
                       int64_t path_bytes, bool turns);
/* Where the elements of one layer's outputs come from, kept from one of its regions to the next.
 * The caller has it zeroed at first and calls permute_table_clear() in the end. */
struct permute_table {
    int layer;
    int64_t *from;
};
void permute_table_clear(struct permute_table *t);
/* Moves a region of each output to out[k]; in[j] points at the first image of input j that it
 * needs. ERROR_LIMIT where there is no memory for the table. */
bool permute_run(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                 const struct region *r, const void *const *in, void *const *out,
                 struct permute_table *t, GError **error);
