/* SPDX-License-Identifier: Apache-2.0 */
/* A graph: what is to be computed. Nodes apply operators to values; a value is made by a node, or
 * is an input of the graph, or a parameter (weight). Images are NCHW, rows of features NC; the
 * leading dimension is the batch, or a multiple of it.
 *
 * Legal order: graph_new(); graph_add_input() and graph_add_node() (or a reader that calls them);
 * graph_finish(), which sorts the nodes, infers every shape, makes the parameters and finds the
 * outputs. After that a graph is not changed; passes make new ones. After an error a graph can only
 * be freed. Everything lives in the graph's arena; graph_free() ends it all. Parameter data are
 * held by `struct values` (executor.h), not here. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/base/arena.h"
#include "workloads/op.h"
#include "workloads/tensor/tensor.h"

#define GRAPH_MAX_NODE 100000

struct graph_draft; /* what is known before graph_finish(): workloads/graph_draft.h */

enum value_kind { VALUE_INPUT, VALUE_PARAM, VALUE_NODE };

struct value {
    int index;
    const char *name; /* of the input; "conv1.weight" of a parameter; of the node that makes it */
    enum value_kind kind;
    struct shape shape;
    int node;       /* VALUE_NODE: the maker; VALUE_PARAM: the node it belongs to; else -1 */
    int64_t fan_in; /* VALUE_PARAM: inputs summed into one output, for seeded values; 0: bias */
    int n_reader;   /* as graph_n_reader() tells */
};

struct node {
    int index; /* in execution order after graph_finish() */
    const char *name;
    const struct op *op;
    void *attr;         /* op->attr_size bytes, filled through op->fields */
    int n_in;           /* data inputs, then parameters */
    int n_data;         /* how many of them are data */
    int *in;            /* value indices */
    int out;            /* value index */
    int precision;      /* enum number, or -1: the machine's */
    const char *origin; /* "alexnet.net:12", for messages */
    uint64_t macs;      /* of the whole batch */
};

struct graph {
    struct arena *arena;
    const char *name, *file, *source; /* file and source may be NULL */
    int64_t batch;
    struct node *nodes;
    int n_node;
    struct value *values;
    int n_value;
    int *inputs, n_input;   /* value indices */
    int *outputs, n_output; /* value indices */

    struct graph_draft *draft; /* private; NULL once finished */
    GHashTable *by_name;       /* private: name -> 1 + value index */
};

/* `name` and `file` are copied; file may be NULL. */
struct graph *graph_new(const char *name, const char *file, int64_t batch);

/* An input of shape [batch, dims...]. Returns its value index, or -1 with an error. */
int graph_add_input(struct graph *g, const char *name, int n_dim, const int64_t *dim,
                    GError **error);
/* The same with the whole shape given, for a leading dimension that is a multiple of the batch. */
int graph_add_input_shape(struct graph *g, const char *name, const struct shape *shape,
                          GError **error);

/* A node of operator `op` with attributes `attr` (op->attr_size bytes, copied with the strings that
 * op->fields tells of), reading the values named by `inputs` (nodes' or inputs' names, which may be
 * defined later). `origin` is copied; NULL: unknown. Names are unique; at most GRAPH_MAX_NODE. */
bool graph_add_node(struct graph *g, const char *name, const struct op *op, const void *attr,
                    const char *const *inputs, int n_input, const char *origin, GError **error);
/* Sets the number format of the node added last. */
void graph_set_precision(struct graph *g, enum number precision);

/* `outputs` names the nodes whose values are outputs (NULL, 0: every one that nothing reads).
 * Nodes keep the order in which they were added as far as each comes after what it reads. Values
 * are numbered: inputs as added, then for each node its parameters and its own value.
 * Errors: an unknown or cyclic input (the cycle's layers are named), shapes that do not fit, more
 * than 2^63 - 1 multiply-accumulates. */
bool graph_finish(struct graph *g, const char *const *outputs, int n_output, GError **error);
void graph_free(struct graph *g); /* NULL is ignored */

const struct value *graph_find_value(const struct graph *g, const char *name); /* NULL: none */
uint64_t graph_macs(const struct graph *g);       /* of the whole batch */
uint64_t graph_parameters(const struct graph *g); /* elements */
/* How many nodes read a value; outputs of the graph count once more. */
int graph_n_reader(const struct graph *g, int value);

/* The graph of the nodes where keep[i] alone: what they read of others becomes an input of that
 * name; what others read of them is an output, besides the outputs of g. NULL on error. */
struct graph *graph_select(const struct graph *g, const bool *keep, GError **error);

/* The same graph for another batch size; NULL on error. */
struct graph *graph_rebatch(const struct graph *g, int64_t batch, GError **error);
