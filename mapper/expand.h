/* SPDX-License-Identifier: Apache-2.0 */
/* Operators written out in simpler ones before a graph is mapped: a recurrent layer as one product
 * of the inputs of all steps, then a product, sums and functions for each step. Values keep their
 * names, so that inputs and outputs are those of the graph as read. A node stays as it is where the
 * machine lacks one of the operators that it would become (docs/mapping.md, "Writing operators
 * out").
 *
 * Legal order: expand_new(), expand_graph() for plan_new(), expand_values() once there are values;
 * expand_free() behind the plan. */
#pragma once

#include "mapper/target.h"
#include "workloads/executor.h"

struct expansion;

/* NULL with *error unset where nothing is to be written out. t may be NULL: all that can be. */
struct expansion *expand_new(const struct graph *g, const struct target *t, GError **error);
void expand_free(struct expansion *e); /* NULL is ignored */
const struct graph *expand_graph(const struct expansion *e);

/* Values of the graph that was given to those of the expanded one: inputs and parameters of the
 * same name change hands, others are parts of parameters. */
bool expand_values(const struct expansion *e, struct values *from, struct values *to,
                   GError **error);
