/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move elements or make them from nothing: attributes, and the copy that they
 * share. Lists that a known input gives override the attribute (struct op, `known`). */
#pragma once

#include "workloads/op.h"

/* A copy in which output index i of dimension d comes from source index map[d][i], or is `fill`
 * where that is -1. */
struct mapped {
    const void *src;
    void *dst;
    size_t size; /* bytes of an element */
    struct shape in, out; /* of equal rank */
    int64_t *map[SHAPE_MAX_DIM]; /* out.dim[d] of them; NULL: each its own index */
    const void *fill;
};
void mapped_run(const struct mapped *m, struct pool_threads *threads);
/* Frees the maps. */
void mapped_clear(struct mapped *m);
/* A map of `n` entries for dimension d; NULL with ERROR_LIMIT without memory. */
int64_t *mapped_dim(struct mapped *m, int d, GError **error);
struct mapped mapped_of(const struct op_call *c);

/* dst[..] = src with dimensions permuted: output dimension d is input dimension perm[d]. */
void permute(void *dst, const void *src, size_t size, const struct shape *in, const int64_t *perm,
             struct pool_threads *threads);

struct reshape_attr {
    struct cfg_ints shape; /* 0: the input's dimension (unless allow_zero); -1: what is left */
    bool allow_zero;
    bool is_scalar; /* the list was given and is empty */
};

struct axes_attr {
    struct cfg_ints axes;
};

struct axis_attr {
    int64_t axis;
};

struct slice_attr {
    struct cfg_ints starts, ends, axes, steps;
};

struct split_attr {
    int64_t axis;
    struct cfg_ints split;
    int64_t sizes[OP_MAX_OUT]; /* of the parts, once inferred */
};

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

struct pad_attr {
    struct cfg_ints pads; /* begins, then ends, of all dimensions (or of `axes`) */
    struct cfg_ints axes;
    int mode;
    double value; /* where no third input gives it */
};

struct transpose_attr {
    struct cfg_ints perm;
};

struct block_attr {
    int64_t blocksize;
    int mode; /* 0: DCR, 1: CRD */
};

struct gather_nd_attr {
    int64_t batch_dims;
};

enum reduction { REDUCTION_NONE, REDUCTION_ADD, REDUCTION_MUL, REDUCTION_MAX, REDUCTION_MIN };

struct scatter_attr {
    int64_t axis;
    int reduction;
};

struct shape_attr {
    int64_t start, end;
};

struct one_hot_attr {
    int64_t axis, depth;
};

struct trilu_attr {
    int64_t k;
    bool upper;
};

struct reverse_sequence_attr {
    int64_t batch_axis, time_axis;
};

struct unique_attr {
    struct cfg_ints axis; /* none: of the flattened input */
    bool sorted;
    int64_t n_unique; /* what infer() counted */
};

struct create_attr {
    struct cfg_ints shape;
    double value; /* fill */
    int type;     /* enum number */
};

struct range_attr {
    double start, limit, delta; /* linspace: delta is not used */
    int64_t num;                /* linspace */
    int type;
};

struct eye_attr {
    int64_t rows, cols, offset;
    int type;
};

struct eye_like_attr {
    int64_t k;
    int dtype; /* 1 + enum number; 0: the input's */
};

struct random_attr {
    struct cfg_ints shape;
    double a, b; /* low and high, or mean and scale */
    double seed_given;
    int type;
};

enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };

struct resize_attr {
    int mode, coordinates, nearest;
    double cubic_coeff_a, extrapolation_value;
    bool exclude_outside;
    struct cfg_ints sizes;
    int n_scale; /* of known inputs, or sizes */
    double scales[SHAPE_MAX_DIM];
    double roi[2 * SHAPE_MAX_DIM];
};
