/* SPDX-License-Identifier: Apache-2.0 */
/* Operators written out in simpler ones before a graph is mapped: a recurrent layer as one product
 * of the inputs of all steps, then a product, sums and functions for each step. Values keep their
 * names, so that inputs and outputs are those of the graph as read. A node stays as it is where the
 * machine lacks one of the operators that it would become (docs/mapping.md, "Writing operators
 * out").
 *
 * Legal order: expand_new(), expand_graph() for the plan, expand_values() once there are values;
 * expand_free() after plan_free(). */
#pragma once

#include "mapper/target.h"
#include "workloads/executor.h"

struct expansion;

/* Writes out the operators that the machine t lacks, as far as it has all those that they become; t
 * NULL: all that can be. g and t must outlive the expansion. NULL with *error unset where there is
 * nothing to write out. */
struct expansion *expand_new(const struct graph *g, const struct target *t, GError **error);
void expand_free(struct expansion *e); /* NULL is ignored */
const struct graph *expand_graph(const struct expansion *e);

/* From the values of the graph as read to those of the expanded one: inputs and parameters of the
 * same name change hands, the other parameters are made of parts of those. */
bool expand_values(const struct expansion *e, struct values *from, struct values *to,
                   GError **error);
