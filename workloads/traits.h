/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator is to whoever lays it onto hardware: a product, a window, a move and so on, with
 * the numbers that tell how. Operators say it themselves (struct op: kind, reads, traits());
 * graph_finish() keeps it with each node, so that no pass needs to know an operator's name.
 *
 * "Input i" counts the node's inputs: data, then parameters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "workloads/tensor/tensor.h"

/* TRAITS(kind, name, sentence) */
#define TRAITS_KINDS(TRAITS)                                                                       \
    TRAITS(OPAQUE, "opaque", "nothing but its forward computation is known")                       \
    TRAITS(VIEW, "view", "the first input's elements, in another shape")                           \
    TRAITS(PRODUCT, "product", "sums of products: traits.product")                                 \
    TRAITS(WINDOW, "window", "a value of each window of an image's channel: traits.pool")          \
    TRAITS(NORM, "norm", "each element by those of the channels around: traits.norm")              \
    TRAITS(JOIN, "join", "channels of all inputs side by side")                                    \
    TRAITS(ELEMENT, "element", "each element from those of the same place: traits.element")        \
    TRAITS(ROW, "row", "the elements along some dimensions by themselves: traits.row")             \
    TRAITS(IMAGE, "image", "each image, or row of features, by itself: traits.image")              \
    TRAITS(MOVE, "move", "elements as they are, at other places: traits.move")                     \
    TRAITS(LOOKUP, "lookup", "rows of a table by their indices: traits.lookup")

enum traits_kind {
#define TRAITS(kind, name, text) TRAITS_##kind,
    TRAITS_KINDS(TRAITS)
#undef TRAITS
};
extern const char *const traits_kind_names[]; /* NULL-terminated */

/* Along height and width; pad is [top, left, bottom, right]. */
struct traits_window {
    int64_t kernel[2], stride[2], dilation[2], pad[4];
};

/* C[m, n] = A[m, k] B[k, n], `groups` times. The groups are channels side by side, and m counts the
 * whole batch; or they are matrices of a stack, one behind the other, and m is of one. */
struct traits_product {
    int64_t m, n, k, groups;
    bool stacked;
    int streamed, stationary; /* inputs: A and B */
    bool has_weights;         /* B is a parameter; else an activation as A is */
    bool transposed;          /* B lies as [n, k] */
    int bias;                 /* input: a number for each of groups x n; -1: none */
    int axis; /* a row of A is all from this dimension on; 0: a window of an image's pixels */
};

struct traits_pool {
    bool is_mean;    /* else the largest: one of the elements as it is */
    bool counts_pad; /* a mean divides by the padding in its window too */
};

/* y = x / (k + alpha / size * sum of x^2 over `size` channels around)^beta */
struct traits_norm {
    int64_t size;
    double alpha, beta, k;
};

struct traits_element {
    bool adds;   /* it is the sum of two inputs */
    bool clamps; /* it is x, or the nearest of these bounds: */
    double lo, hi;
};

/* Dimensions [axis, axis + n_axis); n_axis 0: they do not lie side by side. */
struct traits_row {
    int axis, n_axis;
    int repeated; /* input: a matrix whose rows these rows take in turn; -1: none */
};

/* y = scale (x - mean) / sqrt(variance + epsilon) + bias, channel by channel */
struct traits_image {
    bool is_affine;
    int scale, bias, mean, variance; /* inputs */
    double epsilon;
};

struct traits_move {
    int told_by;     /* the input that is not moved but tells what goes where; 0: none */
    bool transposes; /* the output's dimensions are the input's in another order: */
    int64_t perm[SHAPE_MAX_DIM]; /* the input's that each of the output's is */
};

struct traits_lookup {
    int table, indices; /* inputs */
    int64_t padding;    /* the row that is zeros, whatever the table has; -1: none */
    bool from_end;      /* negative indices count from the end */
};

struct traits {
    enum traits_kind kind;
    /* How often lanes read each element of its inputs; 0: no lanes compute it, or it passes by
     * them. */
    int reads;
    bool is_sparse; /* of a floating-point input it reads only the elements that indices name */
    struct traits_window window; /* PRODUCT of windows, WINDOW: of images; else one pixel */
    union {
        struct traits_product product;
        struct traits_pool pool;
        struct traits_norm norm;
        struct traits_element element;
        struct traits_row row;
        struct traits_image image;
        struct traits_move move;
        struct traits_lookup lookup;
    };
};

/* The larger of x and 0, without a ceiling. */
bool traits_rectifies(const struct traits *t);
/* A window's largest element, as it is. */
bool traits_is_largest(const struct traits *t);
/* A product of windows of images. */
bool traits_convolves(const struct traits *t);
/* A product whose B is a parameter. */
bool traits_has_weights(const struct traits *t);
