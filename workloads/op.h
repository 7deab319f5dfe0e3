/* SPDX-License-Identifier: Apache-2.0 */
/* An operator: attributes, shape inference, parameters, MAC count and the forward computation in
 * fp32, one file each in workloads/ops/, listed once in ops.def. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "workloads/tensor/tensor.h"

#define OP_MAX_IN    16 /* data inputs of a node */
#define OP_MAX_PARAM 4

/* A parameter that an operator asks for, made by graph_finish(). */
struct op_param {
    const char *suffix; /* "weight", "bias": the value is named NODE.SUFFIX */
    struct shape shape;
    int64_t fan_in; /* 0: a bias */
};

struct pool_threads; /* workloads/threads.h */

/* One execution of an operator: out first. Tensors are fp32. `in` holds data inputs, then
 * parameters. `threads` runs panels. */
struct op_call {
    const void *attr;
    struct tensor *out;
    const struct tensor *const *in;
    int n_in, n_data;
    struct pool_threads *threads;
};

struct op {
    const char *name;    /* "conv2d" */
    const char *summary; /* a sentence */
    const struct cfg_field *fields; /* attributes in .net files; NULL: none */
    size_t attr_size;
    int min_data, max_data; /* number of data inputs */
    bool is_matrix;         /* its work is multiply-accumulates on a matrix unit: conv, fc */
    bool in_place;          /* forward() may write its output over its first input */

    /* Output shape from the data inputs' shapes (with the batch). On error sets *error with what
     * does not fit; the caller prefixes the origin and the layer. attr may be normalised here
     * (a single kernel size made two). */
    bool (*shape)(void *attr, const struct shape *const *in, int n_in, struct shape *out,
                  GError **error);
    /* Parameters from the data inputs' shapes; NULL: none. Returns how many (<= OP_MAX_PARAM). */
    int (*params)(const void *attr, const struct shape *const *in, struct op_param *out);
    /* Multiply-accumulates; NULL: none. */
    uint64_t (*macs)(const void *attr, const struct shape *const *in, const struct shape *out);
    /* Computes c->out, which is allocated; same bits for any number of threads. NULL: the value
     * is the first input's, in another shape (flatten, dropout). false with ERROR_LIMIT where
     * scratch memory cannot be had. */
    bool (*forward)(const struct op_call *c, GError **error);
};

extern const struct op *const op_table[]; /* NULL-terminated, in the order of ops.def */
const struct op *op_find(const char *name); /* NULL: unknown */
