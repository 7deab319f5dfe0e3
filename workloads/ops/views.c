/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements in another shape. */
#include <stddef.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define LD G_GINT64_FORMAT

#define VIEW(op_name, text, table, attr, n_known)                                                  \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct attr),                                                          \
        .min_data = 1,                                                                             \
        .max_data = 1 + (n_known),                                                                 \
        .types = OP_ANY,                                                                           \
        .known = (n_known) ? 2 : 0,                                                                \
        .takes_empty = true,                                                                       \
        .infer = op_name##_infer,                                                                  \
    };

static const struct cfg_field reshape_fields[] = {
    {"shape", CFG_INTS, offsetof(struct reshape_attr, shape), -1, 0x1p40, "", NULL,
     "Dimensions: 0 keeps the input's, -1 takes what is left; a second input overrides it.", NULL},
    {"allow_zero", CFG_BOOL, offsetof(struct reshape_attr, allow_zero), 0, 0, "false", NULL,
     "0 means a dimension of 0.", NULL},
    {0},
};

static bool reshape_dims(const struct reshape_attr *a, const struct shape *in, struct shape *out,
                         GError **error)
{
    int rest = -1;
    int64_t count = 1;
    out->n_dim = a->shape.n;
    for (int d = 0; d < out->n_dim; d++) {
        int64_t dim = a->shape.v[d];
        if (dim == 0 && !a->allow_zero && d >= in->n_dim)
            return error_set(error, ERROR_INPUT, "dimension %d keeps what the input lacks", d);
        dim = dim == 0 && !a->allow_zero ? in->dim[d] : dim;
        if (dim < -1 || (dim == -1 && rest >= 0))
            return error_set(error, ERROR_INPUT, "dimension %d is %" LD, d, dim);
        if (dim == -1)
            rest = d;
        else if (!int64_mul(&count, count, dim))
            return error_set(error, ERROR_INPUT, "the shape is too large");
        out->dim[d] = dim;
    }
    if (rest >= 0)
        out->dim[rest] = count > 0 ? shape_count(in) / count : 0;
    return true;
}

static bool reshape_infer(const struct op_infer *c, GError **error)
{
    struct reshape_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    if (!infer_ints(c, 1, &a->shape, error))
        return false;
    a->is_scalar |= infer_input(c, 1) && a->shape.n == 0;
    if (a->shape.n > SHAPE_MAX_DIM || (a->shape.n == 0 && !a->is_scalar))
        return error_set(error, ERROR_INPUT, "the shape has %d dimensions, from 1 to %d are "
                                             "expected", a->shape.n, SHAPE_MAX_DIM);
    if (!reshape_dims(a, in, out, error))
        return false;
    const char *why;
    if (!shape_fits(out, &why))
        return error_set(error, ERROR_INPUT, "%s", why);
    if (shape_count(out) == shape_count(in))
        return true;
    struct arena *arena = arena_new();
    error_set(error, ERROR_INPUT, "%s has not as many elements as %s", shape_text(in, 0, arena),
              shape_text(out, 0, arena));
    arena_free(arena);
    return false;
}
VIEW(reshape, "The same elements in another shape.", reshape_fields, reshape_attr, 1)

static const struct cfg_field axes_fields[] = {
    {"axes", CFG_INTS, offsetof(struct axes_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimensions, negative ones counted from the end; a second input overrides it.", NULL},
    {0},
};

static bool squeeze_infer(const struct op_infer *c, GError **error)
{
    struct axes_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    bool flags[SHAPE_MAX_DIM] = {false};
    if (!infer_ints(c, 1, &a->axes, error) || !infer_axes(&a->axes, in->n_dim, flags, error))
        return false;
    for (int d = 0; d < in->n_dim; d++) {
        bool goes = a->axes.n ? flags[d] : in->dim[d] == 1;
        if (goes && in->dim[d] != 1)
            return error_set(error, ERROR_INPUT, "dimension %d is %" LD ", not 1", d, in->dim[d]);
        if (!goes)
            out->dim[out->n_dim++] = in->dim[d];
    }
    return true;
}
VIEW(squeeze, "Leaves out dimensions of 1: the ones named, or all.", axes_fields, axes_attr, 1)

static bool unsqueeze_infer(const struct op_infer *c, GError **error)
{
    struct axes_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    bool flags[SHAPE_MAX_DIM] = {false};
    if (!infer_ints(c, 1, &a->axes, error))
        return false;
    out->n_dim = in->n_dim + a->axes.n;
    if (out->n_dim > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "more than %d dimensions", SHAPE_MAX_DIM);
    if (!infer_axes(&a->axes, out->n_dim, flags, error))
        return false;
    for (int d = 0, own = 0; d < out->n_dim; d++)
        out->dim[d] = flags[d] ? 1 : in->dim[own++];
    return true;
}
VIEW(unsqueeze, "Puts in dimensions of 1.", axes_fields, axes_attr, 1)

static const struct cfg_field flatten_fields[] = {
    {"axis", CFG_INT, offsetof(struct axis_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM, "1", NULL,
     "First dimension of a row; negative counts from the end.", NULL},
    {0},
};

static bool flatten_infer(const struct op_infer *c, GError **error)
{
    struct axis_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    int64_t axis = a->axis + (a->axis < 0 ? in->n_dim : 0);
    if (axis < 0 || axis > in->n_dim)
        return error_set(error, ERROR_INPUT, "axis %" LD " is none of an input of %d dimensions",
                         a->axis, in->n_dim);
    const int64_t n_row = shape_count_from(in, (int)axis);
    int64_t rows = 1;
    for (int d = 0; d < axis; d++)
        rows *= in->dim[d];
    c->out[0].shape = (struct shape){2, {rows, n_row}};
    return true;
}
VIEW(flatten, "Makes a matrix: one row of all from a dimension on.", flatten_fields, axis_attr, 0)
