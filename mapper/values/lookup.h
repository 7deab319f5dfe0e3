/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a parameter by indices that are known when the machine runs. The table lies in the memory
 * of weights, row by row, in the format of the layer's output. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/graph.h"

struct plan;
struct plan_layer;

struct plan_lookup {
    int table;           /* value: the parameter */
    int i_indices;       /* of the node's inputs: int32 or int64 */
    int64_t rows, width; /* of the table: elements of a row */
    int64_t padding;     /* the row that is zeros, whatever the table has; -1: none */
    bool from_end;       /* negative indices count from the end */
};

/* Whether the node is such a look-up, which then goes to *out. If false and it is one of these
 * operators nevertheless, why goes to *why. */
bool lookup_of(const struct graph *g, const struct node *n, struct plan_lookup *out, GString *why);
/* The row of the table that an index is for; -1 with the operator's own error where there is none.
 */
int64_t lookup_row(const struct plan *p, const struct plan_layer *l, int64_t index, GError **error);
int64_t lookup_row_bytes(const struct plan *p, const struct plan_layer *l);
/* The address of the row that image i_image of the output is taken to need where cycles are
 * counted. No cycle may depend on values: indices that are not constants count as drawn at random,
 * the same ones in each run. */
uint64_t lookup_address(const struct plan *p, const struct plan_layer *l, int64_t i_image);
