/* SPDX-License-Identifier: Apache-2.0 */
/* What a graph knows between graph_new() and graph_finish(): nodes as they were added, with the
 * names of what they read. Private to the graph*.c files. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "workloads/graph.h"

struct draft_input {
    const char *name;
    struct shape shape;
};

/* What a node reads: a node by its index, or an input i as ~i. */
struct draft_node {
    const char *name, *origin;
    const struct op *op;
    void *attr;
    const char **inputs;
    int *refs; /* of the inputs; set by draft_resolve() */
    int n_input;
    int precision;
};

struct graph_draft {
    GArray *inputs;      /* struct draft_input */
    GArray *nodes;       /* struct draft_node */
    GHashTable *by_name; /* name -> reference as above, GINT_TO_POINTER() */
};

#define DRAFT_INPUT(d, i) (&g_array_index((d)->inputs, struct draft_input, (i)))
#define DRAFT_NODE(d, i)  (&g_array_index((d)->nodes, struct draft_node, (i)))

/* Its containers are freed with the arena. */
struct graph_draft *draft_new(struct arena *a);

/* Finds what the inputs' names refer to. */
bool draft_resolve(struct graph *g, GError **error);

/* Fills order[] with the nodes' indices so that each comes after what it reads, and else in the
 * order in which they were added. The references are resolved. */
bool draft_sort(const struct graph_draft *d, int *order, GError **error);

/* ", did you mean ...?" among the nodes' names and, where asked for, the inputs'. g_free() it. */
char *draft_suggest(const struct graph_draft *d, const char *word, bool with_inputs);
