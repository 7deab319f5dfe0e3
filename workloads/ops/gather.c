/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by their indices: gather, scatter and what is like them. */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field axis_0_fields[] = {
    {"axis", CFG_INT, offsetof(struct axis_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "0",
     NULL, "Dimension that is indexed; negative counts from the end.", NULL},
    {0},
};

static bool check_indices(const struct operand *i, GError **error)
{
    return i->type == NUMBER_int64 || i->type == NUMBER_int32 ||
           error_set(error, ERROR_INPUT, "the indices are %s, not int32 or int64",
                     number_names[i->type]);
}

/* Index k of `t` in [0, dim), negative ones counted from the end. */
static bool index_at(const struct tensor *t, int64_t k, int64_t dim, int64_t *out, GError **error)
{
    int64_t given = number_get_int64(t->data, t->type, (size_t)k);
    *out = given < 0 ? given + dim : given;
    return (*out >= 0 && *out < dim) ||
           error_set(error, ERROR_INPUT, "index %" LD " of a dimension of %" LD, given, dim);
}

static bool gather_infer(const struct op_infer *c, GError **error)
{
    struct axis_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape;
    struct shape *out = &c->out[0].shape;
    if (!axis_normalise(&a->axis, in, error) || !check_indices(c->in[1], error))
        return false;
    if (in->n_dim - 1 + at->n_dim > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "more than %d dimensions", SHAPE_MAX_DIM);
    for (int d = 0; d < a->axis; d++)
        out->dim[out->n_dim++] = in->dim[d];
    for (int d = 0; d < at->n_dim; d++)
        out->dim[out->n_dim++] = at->dim[d];
    for (int d = (int)a->axis + 1; d < in->n_dim; d++)
        out->dim[out->n_dim++] = in->dim[d];
    return true;
}

static bool gather_forward(const struct op_call *c, GError **error)
{
    int axis = (int)((const struct axis_attr *)c->attr)->axis;
    const struct shape *in = &c->in[0]->shape;
    const int64_t dim = in->dim[axis], n_index = shape_count(&c->in[1]->shape);
    const size_t block = (size_t)shape_count_from(in, axis + 1) * number_bytes(c->in[0]->type);
    int64_t n_outer = 1;
    for (int d = 0; d < axis; d++)
        n_outer *= in->dim[d];
    for (int64_t k = 0; k < n_index; k++) {
        int64_t from;
        if (!index_at(c->in[1], k, dim, &from, error))
            return false;
        for (int64_t i = 0; i < n_outer; i++)
            memcpy((char *)c->out[0]->data + (size_t)(i * n_index + k) * block,
                   (const char *)c->in[0]->data + (size_t)(i * dim + from) * block, block);
    }
    return true;
}

/* Flat place in `whole` of element i of `part`, whose index along `axis` is replaced. */
static int64_t place_of(int64_t i, const struct shape *part, const struct shape *whole, int axis,
                        int64_t index)
{
    int64_t at = 0, step = 1;
    for (int d = part->n_dim - 1; d >= 0; d--) {
        int64_t own = i % part->dim[d];
        i /= part->dim[d];
        at += (d == axis ? index : own) * step;
        step *= whole->dim[d];
    }
    return at;
}

/* Indices [..] of an input of the same rank, within it along the other dimensions. */
static bool check_elements(const struct op_infer *c, int64_t *axis, GError **error)
{
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape;
    if (!axis_normalise(axis, in, error) || !check_indices(c->in[1], error))
        return false;
    bool fits = at->n_dim == in->n_dim;
    for (int d = 0; fits && d < in->n_dim; d++)
        fits = d == *axis || at->dim[d] <= in->dim[d];
    return fits || error_set(error, ERROR_INPUT, "the indices' shape does not fit the input's");
}

static bool gather_elements_infer(const struct op_infer *c, GError **error)
{
    c->out[0].shape = c->in[1]->shape;
    return check_elements(c, &((struct axis_attr *)c->attr)->axis, error);
}

static bool gather_elements_forward(const struct op_call *c, GError **error)
{
    int axis = (int)((const struct axis_attr *)c->attr)->axis;
    const size_t size = number_bytes(c->in[0]->type);
    const struct shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    for (int64_t i = 0; i < shape_count(out); i++) {
        int64_t index;
        if (!index_at(c->in[1], i, in->dim[axis], &index, error))
            return false;
        memcpy((char *)c->out[0]->data + (size_t)i * size,
               (const char *)c->in[0]->data + (size_t)place_of(i, out, in, axis, index) * size,
               size);
    }
    return true;
}

static const struct cfg_field gather_nd_fields[] = {
    {"batch_dims", CFG_INT, offsetof(struct gather_nd_attr, batch_dims), 0, SHAPE_MAX_DIM - 1, "0",
     NULL, "Leading dimensions that both inputs share.", NULL},
    {0},
};

static bool gather_nd_infer(const struct op_infer *c, GError **error)
{
    int64_t b = ((const struct gather_nd_attr *)c->attr)->batch_dims;
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape;
    struct shape *out = &c->out[0].shape;
    if (!check_indices(c->in[1], error))
        return false;
    int64_t depth = at->n_dim ? at->dim[at->n_dim - 1] : 0;
    if (depth < 1 || b + depth > in->n_dim || b >= at->n_dim ||
        at->n_dim - 1 + in->n_dim - b - depth > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "the indices' shape does not fit the input's");
    for (int d = 0; d < b; d++)
        if (in->dim[d] != at->dim[d])
            return error_set(error, ERROR_INPUT, "the inputs' leading dimensions differ");
    for (int d = 0; d < at->n_dim - 1; d++)
        out->dim[out->n_dim++] = at->dim[d];
    for (int d = (int)(b + depth); d < in->n_dim; d++)
        out->dim[out->n_dim++] = in->dim[d];
    return true;
}

/* The place in `in` that tuple k tells of, in blocks behind its last dimension. */
static bool tuple_at(const struct tensor *at, int64_t k, const struct shape *in, int first,
                     int64_t *out, GError **error)
{
    int depth = (int)at->shape.dim[at->shape.n_dim - 1];
    int64_t index;
    for (int d = 0; d < depth; d++) {
        if (!index_at(at, k * depth + d, in->dim[first + d], &index, error))
            return false;
        *out = *out * in->dim[first + d] + index;
    }
    return true;
}

static bool gather_nd_forward(const struct op_call *c, GError **error)
{
    int b = (int)((const struct gather_nd_attr *)c->attr)->batch_dims;
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape;
    const int depth = (int)at->dim[at->n_dim - 1];
    const size_t block = (size_t)shape_count_from(in, b + depth) * number_bytes(c->in[0]->type);
    const int64_t n_tuple = shape_count(at) / depth,
                  per_batch = n_tuple / MAX(1, shape_count(at) / shape_count_from(at, b));
    for (int64_t k = 0; k < n_tuple; k++) {
        int64_t from = k / per_batch;
        if (!tuple_at(c->in[1], k, in, b, &from, error))
            return false;
        memcpy((char *)c->out[0]->data + (size_t)k * block,
               (const char *)c->in[0]->data + (size_t)from * block, block);
    }
    return true;
}

static const char *const reductions[] = {"none", "add", "mul", "max", "min", NULL};
static const struct cfg_field scatter_elements_fields[] = {
    {"axis", CFG_INT, offsetof(struct scatter_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "0",
     NULL, "Dimension that is indexed; negative counts from the end.", NULL},
    {"reduction", CFG_ENUM, offsetof(struct scatter_attr, reduction), 0, 0, "none", NULL,
     "What becomes of the old element: it is replaced, or joined with the new one.", reductions},
    {0},
};

/* One element onto another, in fp64 or int64. */
static void reduce_one(void *dst, const void *src, enum number type, enum reduction how)
{
    if (how == REDUCTION_NONE) {
        memcpy(dst, src, number_bytes(type));
    } else if (number_is_float(type)) {
        double x = number_get_fp64(dst, type, 0), y = number_get_fp64(src, type, 0);
        double r = how == REDUCTION_ADD   ? x + y
                   : how == REDUCTION_MUL ? x * y
                   : how == REDUCTION_MAX ? MAX(x, y)
                                          : MIN(x, y);
        number_convert(dst, type, &r, NUMBER_fp64, 1);
    } else {
        uint64_t x = (uint64_t)number_get_int64(dst, type, 0);
        uint64_t y = (uint64_t)number_get_int64(src, type, 0);
        bool is_more = type == NUMBER_uint64 ? y > x : (int64_t)y > (int64_t)x;
        uint64_t r = how == REDUCTION_ADD                ? x + y
                     : how == REDUCTION_MUL              ? x * y
                     : is_more == (how == REDUCTION_MAX) ? y
                                                         : x;
        number_cast(dst, type, &r, NUMBER_uint64, 1);
    }
}

static bool scatter_elements_infer(const struct op_infer *c, GError **error)
{
    c->out[0].shape = c->in[0]->shape;
    if (!check_elements(c, &((struct scatter_attr *)c->attr)->axis, error))
        return false;
    return (shape_equal(&c->in[1]->shape, &c->in[2]->shape) && c->in[2]->type == c->in[0]->type) ||
           error_set(error, ERROR_INPUT, "the updates do not fit the indices");
}

static bool scatter_elements_forward(const struct op_call *c, GError **error)
{
    const struct scatter_attr *a = c->attr;
    const enum number type = c->in[0]->type;
    const size_t size = number_bytes(type);
    const struct shape *in = &c->in[0]->shape, *part = &c->in[1]->shape;
    memcpy(c->out[0]->data, c->in[0]->data, tensor_bytes(c->in[0]));
    for (int64_t i = 0; i < shape_count(part); i++) {
        int64_t index;
        if (!index_at(c->in[1], i, in->dim[a->axis], &index, error))
            return false;
        reduce_one(
            (char *)c->out[0]->data + (size_t)place_of(i, part, in, (int)a->axis, index) * size,
            (const char *)c->in[2]->data + (size_t)i * size, type, (enum reduction)a->reduction);
    }
    return true;
}

static const struct cfg_field scatter_nd_fields[] = {
    {"reduction", CFG_ENUM, offsetof(struct scatter_attr, reduction), 0, 0, "none", NULL,
     "What becomes of the old element: it is replaced, or joined with the new one.", reductions},
    {0},
};

static bool scatter_nd_infer(const struct op_infer *c, GError **error)
{
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape, *u = &c->in[2]->shape;
    c->out[0].shape = *in;
    if (!check_indices(c->in[1], error))
        return false;
    int64_t depth = at->n_dim ? at->dim[at->n_dim - 1] : 0;
    bool fits = depth >= 1 && depth <= in->n_dim && c->in[2]->type == c->in[0]->type &&
                u->n_dim == at->n_dim - 1 + in->n_dim - depth;
    for (int d = 0; fits && d < u->n_dim; d++)
        fits = u->dim[d] == (d < at->n_dim - 1 ? at->dim[d] : in->dim[d - (at->n_dim - 1) + depth]);
    return fits || error_set(error, ERROR_INPUT, "indices and updates do not fit the input");
}

static bool scatter_nd_forward(const struct op_call *c, GError **error)
{
    const enum number type = c->in[0]->type;
    const struct shape *in = &c->in[0]->shape, *at = &c->in[1]->shape;
    const int depth = (int)at->dim[at->n_dim - 1];
    const int64_t block = shape_count_from(in, depth);
    const size_t size = number_bytes(type);
    memcpy(c->out[0]->data, c->in[0]->data, tensor_bytes(c->in[0]));
    for (int64_t k = 0; k < shape_count(at) / depth; k++) {
        int64_t to = 0;
        if (!tuple_at(c->in[1], k, in, 0, &to, error))
            return false;
        for (int64_t i = 0; i < block; i++)
            reduce_one((char *)c->out[0]->data + (size_t)(to * block + i) * size,
                       (const char *)c->in[2]->data + (size_t)(k * block + i) * size, type,
                       (enum reduction)((const struct scatter_attr *)c->attr)->reduction);
    }
    return true;
}

/* Rows of a table along its first dimension; along another one they are moved, if the indices are
 * known. */
static void gather_traits(const struct op_infer *c, struct traits *t)
{
    const bool of_rows = ((const struct axis_attr *)c->attr)->axis == 0;
    t->kind = of_rows ? TRAITS_LOOKUP : TRAITS_MOVE;
    if (of_rows)
        t->lookup = (struct traits_lookup){0, 1, .padding = -1, .from_end = true};
    else
        t->move.told_by = 1;
}

/* What is behind n_in are further members of struct op. */
#define OPERATOR(op_name, text, table, attr, n_in, ...)                                            \
    const struct op op_##op_name = {.name = #op_name,                                              \
                                    .summary = text,                                               \
                                    .fields = table,                                               \
                                    .attr_size = sizeof(struct attr),                              \
                                    .min_data = n_in,                                              \
                                    .max_data = n_in,                                              \
                                    .types = OP_ANY,                                               \
                                    .infer = op_name##_infer,                                      \
                                    .forward = op_name##_forward,                                  \
                                    __VA_ARGS__};
OPERATOR(gather, "Slices along one dimension, by their indices.", axis_0_fields, axis_attr, 2,
         .kind = TRAITS_LOOKUP, .is_sparse = true, .traits = gather_traits)
OPERATOR(gather_elements, "One element for each index, along one dimension.", axis_0_fields,
         axis_attr, 2, .is_sparse = true)
OPERATOR(gather_nd, "Slices by tuples of indices.", gather_nd_fields, gather_nd_attr, 2,
         .is_sparse = true)
OPERATOR(scatter_elements, "Its input with single elements replaced, along one dimension.",
         scatter_elements_fields, scatter_attr, 3)
OPERATOR(scatter_nd, "Its input with slices replaced, by tuples of indices.", scatter_nd_fields,
         scatter_attr, 3)
