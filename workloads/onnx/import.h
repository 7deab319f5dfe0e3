/* SPDX-License-Identifier: Apache-2.0 */
/* One import, private to workloads/onnx/. Values are called by two names: the model's, and the
 * graph's, which differs where identities are folded and loops are written out. */
#pragma once

#include <libconfig.h>
#include <stdbool.h>

#include <onnx.pb-c.h>
#include "workloads/graph.h"
#include "workloads/onnx/onnx.h"

/* Names of a graph, or of a subgraph inside another. */
struct onnx_scope {
    struct onnx_scope *outer;
    const char *prefix;    /* of the graph's names; "" at the top */
    GHashTable *names;     /* the model's name -> the graph's, "" for an absent value */
    GHashTable *sequences; /* the model's name -> GPtrArray of the graph's names */
};

struct onnx {
    const char *file;
    const struct net_options *options;
    int64_t batch; /* of leading dimensions that the file leaves open, or has as 1 */
    struct graph *g;
    struct arena *arena;
    int64_t opset;
    struct onnx_scope *scope;
    GHashTable *outputs; /* set of the model's outputs, which keep their names */
    int depth;           /* of subgraphs */
};

struct onnx_node {
    struct onnx *o;
    Onnx__NodeProto *p;
    const char *name;            /* unique in the graph */
    const char *in[OP_MAX_IN];   /* the graph's names; "" absent; a sequence's is not here */
    const char *out[OP_MAX_OUT]; /* the graph's names of the outputs, "" where not wanted */
    int n_in, n_out;
    int n_made; /* values in between so far */
};

struct onnx_op {
    const char *name; /* ONNX's */
    const char *op;   /* ours; NULL where convert() chooses */
    /* "theirs=ours" where an attribute's name differs, "-theirs" where it changes nothing,
     * "theirs=%ours" where a number tells a format. */
    const char *attrs;
    int n_needed; /* inputs that are tensors for certain; only then convert() is called */
    bool (*convert)(struct onnx_node *n, const struct onnx_op *row, GError **error);
};
const struct onnx_op *onnx_find_op(const char *name); /* NULL: unknown */

/* "file: operator 'X' (node 'n', opset 13): ..." with ERROR_UNSUPPORTED; returns false. */
bool onnx_refuse(const struct onnx_node *n, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Attributes on their way into an operator's. */
struct onnx_attrs {
    config_t doc;
    config_setting_t *root;
};
void onnx_attrs_init(struct onnx_attrs *a);
void onnx_attrs_clear(struct onnx_attrs *a);
/* All of the node's attributes, by the row's names. */
bool onnx_attrs_take(struct onnx_attrs *a, const struct onnx_node *n, const struct onnx_op *row,
                     GError **error);
void onnx_attrs_int(struct onnx_attrs *a, const char *name, int64_t value);
void onnx_attrs_ints(struct onnx_attrs *a, const char *name, const int64_t *v, size_t n);
void onnx_attrs_float(struct onnx_attrs *a, const char *name, double value);
void onnx_attrs_bool(struct onnx_attrs *a, const char *name, bool value);
void onnx_attrs_string(struct onnx_attrs *a, const char *name, const char *value);
void onnx_attrs_drop(struct onnx_attrs *a, const char *name);
const Onnx__AttributeProto *onnx_attr(const struct onnx_node *n, const char *name);
int64_t onnx_attr_int(const struct onnx_node *n, const char *name, int64_t absent);

/* Adds a node of ours; a NULL attrs has none. Takes `in` and `out` as graph names. */
bool onnx_emit(struct onnx_node *n, const char *op, const struct onnx_attrs *attrs,
               const char *const *in, int n_in, const char *const *out, int n_out, GError **error);
/* The common case: all inputs and outputs of the node. */
bool onnx_emit_node(struct onnx_node *n, const char *op, const struct onnx_attrs *attrs,
                    GError **error);
const char *onnx_made_name(struct onnx_node *n); /* a new value in between */
/* Output i of the node is another name of a value. */
bool onnx_alias(struct onnx_node *n, int i_out, const char *value, GError **error);
/* A constant; takes over `data`. */
bool onnx_add_constant(struct onnx_node *n, const char *name, enum number type,
                       const struct shape *shape, GBytes *data, GError **error);
/* An int64 list as a constant value in between; NULL on error. */
const char *onnx_add_ints(struct onnx_node *n, const int64_t *v, int n_v, GError **error);

/* Is input i there? And what is known of it: asked only of one that is there. */
bool onnx_has(const struct onnx_node *n, int i);
struct operand onnx_operand(const struct onnx_node *n, int i);
/* The elements of input i as integers; false where they are not known, or too many. */
bool onnx_known_ints(const struct onnx_node *n, int i, int64_t *v, int most, int *n_v);

/* The graph's name of a value, NULL where the model does not define it. */
const char *onnx_value(const struct onnx *o, const char *name);
GPtrArray *onnx_sequence(const struct onnx *o, const char *name); /* NULL: none */
void onnx_set_value(struct onnx *o, const char *name, const char *value);
void onnx_set_sequence(struct onnx *o, const char *name, GPtrArray *sequence); /* takes it */

/* A tensor of the model, from its file or one beside it. */
bool onnx_tensor(const char *file, const Onnx__TensorProto *t, enum number *type,
                 struct shape *shape, GBytes **data, GError **error);
bool onnx_number(int32_t data_type, enum number *out); /* false: strings, complex numbers */

/* Initialisers and nodes of a graph, into the present scope. */
bool onnx_import_nodes(struct onnx *o, Onnx__GraphProto *p, GError **error);
struct onnx_scope *onnx_push_scope(struct onnx *o, const char *prefix);
void onnx_pop_scope(struct onnx *o);
