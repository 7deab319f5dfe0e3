/* SPDX-License-Identifier: Apache-2.0 */
/* An operator: attributes, inference of types and shapes, parameters, MAC count and the forward
 * computation, one file each in workloads/ops/, listed once in ops.def.
 *
 * A node's inputs are its data inputs, then the parameters. Parameters that a builder does not
 * connect are made by graph_finish(), as params() tells. An input that is optional and absent is
 * NULL. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "workloads/tensor/tensor.h"
#include "workloads/traits.h"

#define OP_MAX_IN    128 /* inputs of a node, parameters included */
#define OP_MAX_OUT   64
#define OP_MAX_PARAM 4

/* What is known of a value before the graph runs. */
struct operand {
    enum number type;
    struct shape shape;
    const void *known; /* its elements where they are known already, else NULL */
};

/* One inference: `out` has n_out entries, preset to the type of the first input (fp32 where there
 * is none) and a scalar shape. */
struct op_infer {
    void *attr; /* may be brought to one form (a single kernel size made two) */
    const struct operand *const *in;
    int n_in; /* operands given, the last one present */
    struct operand *out;
    int n_out; /* outputs asked for, or named */
};

/* A parameter that an operator asks for, made by graph_finish(). */
struct op_param {
    const char *suffix; /* "weight", "bias": the value is named NODE.SUFFIX */
    struct shape shape;
    int64_t fan_in;       /* inputs summed into one output; 0: a bias */
    bool is_statistic;    /* measured, not trained: no parameter in counts */
    float center, spread; /* seeded values lie within spread of the center; 0, 0: as fan_in says */
};

struct graph;
struct node;
struct expand_draft; /* workloads/expand_draft.h */
struct pool_threads; /* workloads/threads.h */

/* One execution of an operator: out first. `in` holds data inputs, then parameters; absent ones,
 * and outputs that nobody reads, are NULL. `threads` runs panels. */
struct op_call {
    const void *attr;
    struct tensor *const *out;
    int n_out;
    const struct tensor *const *in;
    int n_in, n_data;
    struct pool_threads *threads;
};

/* Number formats that an operator takes; infer() checks what is finer. */
enum op_types {
    OP_FP32,   /* fp32; fp16 and bf16 are widened before and rounded behind (op_run()) */
    OP_FLOAT,  /* the four floating-point formats, each by itself */
    OP_NUMBER, /* all but bool */
    OP_ANY,
};

struct op {
    const char *name;               /* "conv2d" */
    const char *summary;            /* a sentence */
    const struct cfg_field *fields; /* attributes in .net files; NULL: none */
    size_t attr_size;
    int min_data, max_data; /* number of data inputs */
    int max_out;            /* 0: one output */
    enum op_types types;    /* of the first input; OP_FP32: of every floating-point one */
    /* Bit i: input i tells the output's shape (a reshape's shape, a slice's bounds); infer() needs
     * its elements and moves them into attr, and the node does not read it any more. */
    uint32_t known;
    /* What it is (struct traits), unless traits() knows better of a node. One without forward() is
     * a view. */
    enum traits_kind kind;
    int reads;
    bool is_sparse;
    bool in_place;      /* forward() may write its output over its first input */
    uint32_t shaped_by; /* bit i: the output's shape follows from input i's elements (nonzero) */
    bool from_shapes;   /* the outputs follow from the inputs' shapes alone (shape, size) */
    bool widens;        /* fp16 and bf16 are computed in fp32, as with OP_FP32 */
    bool is_random;     /* never computed ahead of a run */
    bool takes_empty;   /* an input may have no elements */

    /* Types and shapes of the outputs (with the batch). On error sets *error with what does not
     * fit; the caller prefixes the origin and the layer. */
    bool (*infer)(const struct op_infer *c, GError **error);
    /* Parameters, as inputs max_data and on; NULL: none. Called after infer(). Returns how many
     * (<= OP_MAX_PARAM) there are, the ones given by the builder among them. */
    int (*params)(const struct op_infer *c, struct op_param *out);
    /* Multiply-accumulates, UINT64_MAX where they do not fit; NULL: none. After infer(). */
    uint64_t (*macs)(const struct op_infer *c);
    /* Computes the outputs, which are allocated; same bits for any number of threads. NULL: the
     * output is the first input's elements, in another shape (flatten, dropout). false with
     * ERROR_LIMIT where scratch memory cannot be had, ERROR_INPUT where an element is out of
     * range (an index). */
    bool (*forward)(const struct op_call *c, GError **error);
    /* More of what it is to hardware, from attributes, types and shapes; `in` has the parameters
     * too. *out has kind, reads and is_sparse as above, a window of one pixel, and zeros. NULL:
     * nothing more. */
    void (*traits)(const struct op_infer *c, struct traits *out);
    /* Whether a node can be written out in simpler operators, else *why tells, and how
     * (workloads/expand_draft.h). NULL: no node can. */
    bool (*expands)(const struct graph *g, const struct node *n, const char **why);
    void (*expand)(struct expand_draft *d);
};

extern const struct op *const op_table[];   /* NULL-terminated, in the order of ops.def */
const struct op *op_find(const char *name); /* NULL: unknown */
/* Legal strings of a setting that lists what a unit for functions computes: "all", then the
 * operators that ops.def has as FUNCTION; NULL-terminated. */
extern const char *const op_function_names[];

/* Attributes as they are by default, in the arena; NULL with an error where one must be given. */
void *op_default_attr(const struct op *op, struct arena *a, GError **error);

/* Does op->types admit these inputs? ERROR_UNSUPPORTED names operator and format. */
bool op_check_types(const struct op *op, const struct operand *const *in, int n_in, GError **error);
/* op->forward(), with fp16 and bf16 widened around an operator of OP_FP32. Outputs are allocated;
 * a view's output has its input's elements copied. */
bool op_run(const struct op *op, const struct op_call *call, GError **error);

/* Product of n counts, UINT64_MAX where it does not fit. */
uint64_t op_product(int n, const int64_t *counts);
