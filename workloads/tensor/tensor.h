/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors: a shape, a number format and contiguous row-major data. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/base/arena.h"
#include "workloads/tensor/number.h"

#define SHAPE_MAX_DIM 8

struct shape {
    int n_dim; /* 0: a scalar */
    int64_t dim[SHAPE_MAX_DIM];
};

struct tensor {
    enum number type;
    struct shape shape;
    void *data;
};

struct shape shape_make(int n_dim, const int64_t *dim);
bool shape_equal(const struct shape *a, const struct shape *b);
/* Number of elements; asserts that it fits: shapes are checked by shape_check() when made. */
int64_t shape_count(const struct shape *s);
/* Product of the dimensions from `from` on. */
int64_t shape_count_from(const struct shape *s, int from);
/* Every dimension at least 1 and the product at most 2^40; else a message in *why (static). */
bool shape_check(const struct shape *s, const char **why);
/* The same, but a dimension may be 0. */
bool shape_fits(const struct shape *s, const char **why);
/* "96x55x55" of the dimensions from `from` on; in the arena. */
const char *shape_text(const struct shape *s, int from, struct arena *a);

size_t tensor_bytes(const struct tensor *t);
/* Allocated with g_try_malloc (not zeroed); ERROR_LIMIT where there is no memory. */
bool tensor_alloc(struct tensor *t, enum number type, const struct shape *shape, GError **error);
void tensor_clear(struct tensor *t); /* frees data and sets it to NULL */

/* Independent uniform numbers in [-amplitude, amplitude): a function of (seed, stream, index)
 * alone, so that no order of filling and no number of threads matters. */
void tensor_fill_uniform(float *x, size_t n, float amplitude, uint64_t seed, uint64_t stream);
/* A stream number from a name: FNV-1a. */
uint64_t tensor_stream(const char *name);
