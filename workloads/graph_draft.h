/* SPDX-License-Identifier: Apache-2.0 */
/* What a graph knows between graph_new() and graph_finish(): values and nodes as they were added.
 * Types and shapes are inferred as soon as what a node reads is known. Private to graph*.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "workloads/graph.h"

struct draft_value {
    const char *name;
    enum value_kind kind;
    struct operand what; /* once is_ready */
    bool is_ready;
    bool is_constant; /* what.known is the same in every run */
    int node;         /* index of the maker, or of the one that asked for it, or -1 */
    int64_t fan_in, below;
    bool is_statistic;
    float center, spread;
    GBytes *data; /* what.known; owned by the arena */
    bool is_batched;
    GBytes *first;                       /* owned by the arena */
    const char *next_name, *next_origin; /* of a state: as graph_set_next() was given them */
};

struct draft_node {
    const char *name, *origin;
    const struct op *op;
    void *attr;
    const char **inputs;
    int *in; /* value indices, -1: absent or not resolved; room for parameters */
    int n_input; /* given */
    int n_in, n_data; /* once is_ready */
    int *out, n_out;
    int precision, weight_precision;
    uint64_t macs;
    bool is_ready;
    bool is_told;   /* attr holds elements that graph_know_input() gave for this run */
    bool is_folded; /* its outputs are constants */
};

struct graph_draft {
    GArray *values;         /* struct draft_value */
    GArray *nodes;          /* struct draft_node */
    GHashTable *node_names; /* name -> node index */
    uint64_t macs;          /* of the nodes that are ready */
    int n_input;
};

#define DRAFT_VALUE(d, i) (&g_array_index((d)->values, struct draft_value, (i)))
#define DRAFT_NODE(d, i)  (&g_array_index((d)->nodes, struct draft_node, (i)))

/* Its containers are freed with the arena. */
struct graph_draft *draft_new(struct arena *a);

/* Returns the index, or -1 where the name is taken. */
int draft_add_value(struct graph *g, struct draft_value v);
int draft_find_value(const struct graph *g, const char *name); /* -1: none */
void draft_set_data(struct graph *g, struct draft_value *v, GBytes *data); /* takes a reference */

/* Finds what the inputs' names refer to. Names that are not defined are an error in the end, and
 * left at -1 before it. */
bool draft_resolve(struct graph *g, struct draft_node *n, bool is_end, GError **error);
/* Are all that it reads known in type and shape? */
bool draft_can_infer(const struct graph_draft *d, const struct draft_node *n);
/* Types, shapes, parameters, MACs and, of known inputs, the elements. */
bool draft_infer(struct graph *g, int i_node, GError **error);
/* Computes the outputs of a node whose inputs are known, where that is wise. */
bool draft_fold(struct graph *g, struct draft_node *n, GError **error);

/* Fills order[] with the nodes' indices so that each comes after what it reads, and else in the
 * order in which they were added. The references are resolved. */
bool draft_sort(const struct graph_draft *d, int *order, GError **error);

/* ", did you mean ...?" among the values' names. g_free() it. */
char *draft_suggest(const struct graph_draft *d, const char *word, bool with_inputs);
