/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table by indices that are known when the machine runs: `embedding`, and `gather` along
 * the first dimension of a parameter. The table lies in the memory of weights, row by row, in the
 * format of the layer's output. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/graph.h"

struct plan;
struct plan_layer;

struct plan_lookup {
    int table;                    /* value: the parameter */
    int i_indices;                /* of the node's inputs: int32 or int64 */
    int64_t rows, width, padding; /* an index that gives zeros; -1: none */
    bool from_end;                /* negative indices count from there */
};

/* Whether it is one that a machine can have; false: if it is such an operator, why not goes to
 * *why.
 */
bool lookup_of(const struct graph *g, const struct node *n, struct plan_lookup *out, GString *why);
/* The row of an index, `padding` where it is that; -1 with an error as the operator itself has it.
 */
int64_t lookup_row(const struct plan *p, const struct plan_layer *l, int64_t index, GError **error);
/* Bytes of a row, and its address as far as cycles go: no cycle may depend on values, so that of
 * indices that are no constants a fixed sequence takes the place, as if they were drawn. */
int64_t lookup_row_bytes(const struct plan *p, const struct plan_layer *l);
uint64_t lookup_address(const struct plan *p, const struct plan_layer *l, int64_t i_image);
