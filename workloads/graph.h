/* SPDX-License-Identifier: Apache-2.0 */
/* A graph: what is to be computed. Nodes apply operators to values; a value is made by a node, or
 * is an input of the graph, or a parameter: a weight that an operator asks for, a variable, or a
 * constant; or a state. Images are NCHW, rows of features NC; the leading dimension is the batch,
 * or a multiple of it.
 *
 * A graph is executed in steps (executor.h). A state is what one step leaves to the next: a value
 * with a first content, and another value of the graph, its next, whose content in this step is its
 * own in the step after. Running means, membrane potentials, key-value caches and delays are states
 * by themselves (graph_add_state()); a weight under an optimiser is a parameter that was given a
 * next. All nodes of a step that read a state read its old content, in whatever order they run: a
 * cycle of nodes through a state is a loop with a delay, one without is an error.
 *
 * Legal order: graph_new(); inputs, variables, constants, states and nodes are added (or a reader
 * adds them), and each state is given its next; graph_finish(), which sorts the nodes, infers every
 * shape, makes the operators' parameters and finds the outputs. After that a graph is not changed;
 * passes make new ones. After an error a graph can only be freed. Everything lives in the graph's
 * arena; graph_free() ends it all. Data of constants and first contents of states are here, those
 * of other parameters in `struct values` (executor.h).
 *
 * A node that reads constants alone is computed when it is added and its outputs become constants
 * (constant folding): a state is none. Nodes that no output and no state needs are left out. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/base/arena.h"
#include "workloads/op.h"
#include "workloads/tensor/tensor.h"

#define GRAPH_MAX_NODE 100000

struct graph_draft; /* what is known before graph_finish(): workloads/graph_draft.h */

/* VALUE_STATE: a state that is no parameter. */
enum value_kind { VALUE_INPUT, VALUE_PARAM, VALUE_STATE, VALUE_NODE };

struct value {
    int index;
    const char *name; /* of the input; "conv1.weight" of a parameter; as the node names it */
    enum value_kind kind;
    enum number type;
    struct shape shape;
    int node;          /* VALUE_NODE: the maker; VALUE_PARAM: the node that asked for it; else -1 */
    int64_t fan_in;    /* VALUE_PARAM: inputs summed into one output, for seeded values; 0: bias */
    bool is_statistic; /* VALUE_PARAM: as in struct op_param, */
    float center, spread; /* and these */
    int64_t below;        /* VALUE_INPUT of integers: seeded values are in [0, below) */
    int n_reader;         /* as graph_n_reader() tells */
    GBytes *data;         /* elements of a constant; else NULL */
    GBytes *known;        /* VALUE_INPUT: as graph_know_input() was given them, else NULL */
    int next;             /* of a state: the value that is its content in the step after; else -1 */
    bool is_batched;      /* VALUE_STATE: the leading dimension is the batch, or a multiple of it */
    GBytes *first;        /* VALUE_STATE: as graph_add_state() was given it */
};

struct node {
    int index; /* in execution order after graph_finish() */
    const char *name;
    const struct op *op;
    void *attr;                  /* op->attr_size bytes, filled through op->fields */
    const struct traits *traits; /* what it is to hardware */
    int n_in;                    /* data inputs, then parameters */
    int n_data;                  /* how many of them are data */
    int *in;                     /* value indices; -1: absent */
    int n_out;                   /* at least 1 */
    int *out;                    /* value indices; -1: not wanted, never the first */
    int precision;               /* enum number, or -1: the machine's */
    int weight_precision;        /* of its parameters, or -1: as precision */
    const char *origin;          /* "alexnet.net:12", for messages */
    uint64_t macs;               /* of the whole batch */
};

struct graph {
    struct arena *arena;
    const char *name, *file, *source; /* file and source may be NULL */
    const char
        *warning; /* of what the file says and is not honoured, for its user; NULL: nothing */
    int64_t batch;
    struct node *nodes;
    int n_node;
    struct value *values;
    int n_value;
    int *inputs, n_input;   /* value indices */
    int *outputs, n_output; /* value indices */
    int *states, n_state;   /* value indices, parameters with a next among them */

    struct graph_draft *draft; /* private; NULL once finished */
    GHashTable *by_name;       /* private: name -> 1 + value index; while built, of the draft */
};

/* `name` and `file` are copied; file may be NULL. */
struct graph *graph_new(const char *name, const char *file, int64_t batch);

void graph_warn(struct graph *g, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* An input of shape [batch, dims...] in fp32. Returns its number among the inputs, or -1 with an
 * error. */
int graph_add_input(struct graph *g, const char *name, int n_dim, const int64_t *dim,
                    GError **error);
/* The same with the whole shape given, for a leading dimension that is a multiple of the batch. */
int graph_add_input_shape(struct graph *g, const char *name, const struct shape *shape,
                          GError **error);
/* The same in any number format; a dimension may be 0. `below` as in struct value (0: 2). */
int graph_add_input_typed(struct graph *g, const char *name, enum number type,
                          const struct shape *shape, int64_t below, GError **error);
/* Tells the elements of the input `name` ahead of the run, for operators whose output's shape
 * follows from them; they must be fed all the same. A reference to `data` is taken. */
void graph_know_input(struct graph *g, const char *name, GBytes *data);
/* A parameter whose value is fed, and later trained. fan_in as in struct value. */
bool graph_add_variable(struct graph *g, const char *name, const struct shape *shape,
                        int64_t fan_in, GError **error);
/* A parameter of known elements, of which a reference is taken; its size must fit. */
bool graph_add_constant(struct graph *g, const char *name, enum number type,
                        const struct shape *shape, GBytes *data, GError **error);
/* A state of a whole shape; where `is_batched`, its leading dimension is a multiple of the batch,
 * and graph_rebatch() changes it. `first` is its content before the first step: one element for
 * all, or all elements, of a batched state those of one sample, with which each sample begins;
 * NULL: zeros. A reference is taken. It needs a next: */
bool graph_add_state(struct graph *g, const char *name, enum number type, const struct shape *shape,
                     bool is_batched, GBytes *first, GError **error);
/* Says what becomes of a state: the content of the value `next`, which may be defined later, may be
 * made by a node, an input, a parameter or another state, and has the state's format and shape.
 * `state` is defined: by graph_add_state(), or as a parameter that is no constant, which becomes a
 * state by this. A state that is set once stays so. `origin` as of a node: graph_finish() may find
 * a fault. */
bool graph_set_next(struct graph *g, const char *state, const char *next, const char *origin,
                    GError **error);

/* A node of operator `op` with attributes `attr` (op->attr_size bytes, copied with the strings that
 * op->fields tells of; NULL: every one as it is by default), reading the values named by `inputs`,
 * which may be defined later; "" is an absent optional input. Behind the data inputs, parameters
 * may be given; the rest are made. The one output is named as the node. `origin` is copied; NULL:
 * unknown. Names are unique; at most GRAPH_MAX_NODE. */
bool graph_add_node(struct graph *g, const char *name, const struct op *op, const void *attr,
                    const char *const *inputs, int n_input, const char *origin, GError **error);
/* The same with the outputs' names given; "" is an output that is not wanted. */
bool graph_add_node_outputs(struct graph *g, const char *name, const struct op *op,
                            const void *attr, const char *const *inputs, int n_input,
                            const char *const *outputs, int n_output, const char *origin,
                            GError **error);
/* Sets the number format of the node added last. */
void graph_set_precision(struct graph *g, int precision, int weight_precision);
/* What is known of a value so far: false for a name that is not defined yet, or whose maker waits
 * for one that is not. `known` is valid as long as the graph. */
bool graph_peek(const struct graph *g, const char *name, struct operand *out);
/* Of a graph that is being built: is the value a constant, is there a node of that name? */
bool graph_is_constant(const struct graph *g, const char *name);
bool graph_has_node(const struct graph *g, const char *name);

/* `outputs` names the values that are outputs (NULL, 0: every node's that no node reads, also where
 * it is the next of a state). Nodes keep the order in which they were added as far as each comes
 * after what it reads. Values are numbered: inputs as added, then for each node its parameters and
 * states and its own values.
 * Errors: an unknown or cyclic input (the cycle's layers are named), shapes that do not fit, a
 * state without a next, or whose next has another format or shape, more than 2^63 - 1
 * multiply-accumulates. */
bool graph_finish(struct graph *g, const char *const *outputs, int n_output, GError **error);
void graph_free(struct graph *g); /* NULL is ignored */

const struct value *graph_find_value(const struct graph *g, const char *name); /* NULL: none */
uint64_t graph_macs(const struct graph *g);       /* of the whole batch */
uint64_t graph_parameters(const struct graph *g); /* elements of those for which */
bool value_is_parameter(const struct value *v);   /* is true */
/* How many nodes read a value; outputs of the graph count once more, and so does each state that a
 * value is the next of. */
int graph_n_reader(const struct graph *g, int value);
/* Writes the content of a VALUE_STATE before the first step, all of its elements. */
void graph_first_content(const struct graph *g, int value, void *data);

/* Parts of a copy, for who makes one graph of another: inputs and states first, then parameters,
 * nodes, and what becomes of the states. */
/* States of their own, by flags of values; NULL: all. */
bool graph_copy_states(struct graph *to, const struct graph *from, const bool *which,
                       GError **error);
/* Inputs that are marked, and what else is to be one, by flags of values; NULL: the inputs. */
bool graph_copy_inputs(struct graph *to, const struct graph *from, const bool *which,
                       GError **error);
/* Constants, and variables that no kept node asked for, as far as kept nodes (flags by node, NULL:
 * all) read them or states need them; of a graph that is copied whole, others of its nodes being
 * written out, also those that are outputs or data of these. */
bool graph_copy_params(struct graph *to, const struct graph *from, const bool *keep, bool is_whole,
                       GError **error);
/* What it reads is there already. */
bool graph_copy_node(struct graph *to, const struct graph *from, const struct node *n,
                     GError **error);
/* The nexts of states, those of parameters too, by flags of values; NULL: all. */
bool graph_copy_nexts(struct graph *to, const struct graph *from, const bool *which,
                      GError **error);
/* The graph of the nodes where keep[i] alone: what they read of others becomes an input of that
 * name; what others read of them is an output, besides the outputs of g. A state that they read
 * stays one where its next is theirs too, or no node's; else it is cut: it becomes an input, or a
 * parameter without a next, and a next that they make becomes an output. NULL on error. */
struct graph *graph_select(const struct graph *g, const bool *keep, GError **error);

/* The same graph for another batch size; NULL on error. */
struct graph *graph_rebatch(const struct graph *g, int64_t batch, GError **error);
