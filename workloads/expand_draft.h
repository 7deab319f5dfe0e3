/* SPDX-License-Identifier: Apache-2.0 */
/* How an operator is written out in simpler ones: what op->expand() calls to add nodes and
 * parameters in the place of its node. Names are of values; an error is kept in the draft and ends
 * it, so that callers need not look after each node. Whoever writes out a graph makes a draft for
 * each such node (mapper/graph/expand.c). */
#pragma once

#include "sim/base/arena.h"
#include "workloads/graph.h"

/* A parameter made of another's elements, or of two runs of them, added. */
struct expand_part {
    const char *name;
    const char *from;       /* value of the graph as read */
    int64_t first, n;       /* elements */
    int64_t added, n_added; /* elements added to the first ones */
};

struct expand_draft {
    struct graph *to;
    const struct graph *from;
    const struct node *node; /* that is written out */
    int max_joined;          /* values that one node may join */
    GArray *parts;           /* struct expand_part */
    GHashTable *maker;       /* name of a node of `to` -> 1 + index of the one written out */
    struct arena *arena;     /* of names */
    GError **error;
    bool ok;
};

/* "NODE.fmt..." */
const char *expand_name(struct expand_draft *d, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* A node with its output of the same name; returns it. */
const char *expand_node(struct expand_draft *d, const char *name, const struct op *op,
                        const void *attr, const char *const *inputs, int n_input);
/* The same with the output named otherwise. */
const char *expand_node_to(struct expand_draft *d, const char *name, const char *output,
                           const struct op *op, const void *attr, const char *const *inputs,
                           int n_input);
/* A run of elements of a parameter of the node. */
struct expand_run {
    int i_param;
    int64_t first, added, n_added; /* as in struct expand_part */
};
const char *expand_param(struct expand_draft *d, const char *name, const struct shape *shape,
                         struct expand_run run, int64_t fan_in);
/* Values [.., width_i] joined into [.., sum of widths], or, of axis 0, of heights; any number of
 * them. `output` names the result; NULL: `name`. */
const char *expand_concat(struct expand_draft *d, const char *name, const char *output,
                          const char *const *inputs, int n_input, int64_t axis);
const char *expand_reshape(struct expand_draft *d, const char *name, const char *output,
                           const char *input, int n_dim, const int64_t *dim);
/* [first, first + n) of a dimension. */
const char *expand_slice(struct expand_draft *d, const char *name, const char *input, int64_t axis,
                         int64_t first, int64_t n);
