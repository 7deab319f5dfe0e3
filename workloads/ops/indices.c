/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes and indices as values: shape, size, one_hot, and the copies by rules of indices, trilu and
 * reverse_sequence. */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/any_type.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field shape_fields[] = {
    {"start", CFG_INT, offsetof(struct shape_attr, start), -0x1p31, 0x1p31, "0", NULL,
     "First dimension; negative counts from the end.", NULL},
    {"end", CFG_INT, offsetof(struct shape_attr, end), -0x1p31, 0x1p31, "2147483647", NULL,
     "Dimension behind the last; negative counts from the end.", NULL},
    {0},
};

static int first_dim(const struct shape_attr *a, int n_dim)
{
    int64_t start = a->start + (a->start < 0 ? n_dim : 0);
    return (int)CLAMP(start, 0, n_dim);
}

static bool shape_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    const struct shape_attr *a = c->attr;
    const int n = c->in[0]->shape.n_dim;
    int64_t end = CLAMP(a->end + (a->end < 0 ? n : 0), 0, n);
    c->out[0] = (struct operand){NUMBER_int64, {1, {MAX(end - first_dim(a, n), 0)}}, NULL};
    return true;
}

static bool shape_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct shape *in = &c->in[0]->shape;
    memcpy(c->out[0]->data, in->dim + first_dim(c->attr, in->n_dim), tensor_bytes(c->out[0]));
    return true;
}

static bool size_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].type = NUMBER_int64;
    return true;
}

static bool size_forward(const struct op_call *c, GError **error)
{
    (void)error;
    *(int64_t *)c->out[0]->data = shape_count(&c->in[0]->shape);
    return true;
}

static const struct cfg_field one_hot_fields[] = {
    {"axis", CFG_INT, offsetof(struct one_hot_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "Place of the new dimension; negative counts from the end.", NULL},
    {"depth", CFG_INT, offsetof(struct one_hot_attr, depth), 0, 0x1p40, "0", NULL,
     "Its size; a second input overrides it.", NULL},
    {0},
};

static bool one_hot_infer(const struct op_infer *c, GError **error)
{
    struct one_hot_attr *a = c->attr;
    const struct operand *depth = infer_input(c, 1), *values = c->in[2];
    if (depth)
        a->depth = number_get_int64(depth->known, depth->type, 0);
    struct shape wide = c->in[0]->shape, *out = &c->out[0].shape;
    if (wide.n_dim == SHAPE_MAX_DIM || a->depth < 1 || shape_count(&values->shape) != 2)
        return error_set(error, ERROR_INPUT, "depth %" LD ", %" LD " values (off and on)", a->depth,
                         shape_count(&values->shape));
    wide.n_dim++;
    if (!axis_normalise(&a->axis, &wide, error))
        return false;
    out->n_dim = wide.n_dim;
    for (int d = 0, own = 0; d < out->n_dim; d++)
        out->dim[d] = d == a->axis ? a->depth : c->in[0]->shape.dim[own++];
    c->out[0].type = values->type;
    return true;
}

static bool one_hot_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct one_hot_attr *a = c->attr;
    const size_t size = number_bytes(c->out[0]->type);
    const char *off = c->in[2]->data, *on = off + size;
    const int64_t inner = shape_count_from(&c->out[0]->shape, (int)a->axis + 1);
    for (int64_t i = 0; i < shape_count(&c->out[0]->shape); i++) {
        const int64_t own = i / inner / a->depth * inner + i % inner, at = i / inner % a->depth;
        int64_t index = number_get_int64(c->in[0]->data, c->in[0]->type, (size_t)own);
        index += index < 0 ? a->depth : 0;
        memcpy((char *)c->out[0]->data + (size_t)i * size, index == at ? on : off, size);
    }
    return true;
}

static const struct cfg_field trilu_fields[] = {
    {"k", CFG_INT, offsetof(struct trilu_attr, k), -0x1p62, 0x1p62, "0", NULL,
     "Diagonal that bounds the triangle; a second input overrides it.", NULL},
    {"upper", CFG_BOOL, offsetof(struct trilu_attr, upper), 0, 0, "true", NULL,
     "The upper triangle stays, else the lower one.", NULL},
    {0},
};

static bool trilu_infer(const struct op_infer *c, GError **error)
{
    struct trilu_attr *a = c->attr;
    const struct operand *k = infer_input(c, 1);
    if (k)
        a->k = number_get_int64(k->known, k->type, 0);
    if (c->in[0]->shape.n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input is no matrix");
    return infer_as_first(c, error);
}

static bool trilu_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct trilu_attr *a = c->attr;
    const struct shape *s = &c->in[0]->shape;
    const int64_t cols = s->dim[s->n_dim - 1], rows = s->dim[s->n_dim - 2];
    const size_t size = number_bytes(c->in[0]->type);
    for (int64_t i = 0; i < shape_count(s); i++) {
        const int64_t distance = i % cols - i / cols % rows;
        const bool stays = a->upper ? distance >= a->k : distance <= a->k;
        char *out = (char *)c->out[0]->data + (size_t)i * size;
        if (stays)
            memcpy(out, (const char *)c->in[0]->data + (size_t)i * size, size);
        else
            memset(out, 0, size);
    }
    return true;
}

static const struct cfg_field reverse_sequence_fields[] = {
    {"batch_axis", CFG_INT, offsetof(struct reverse_sequence_attr, batch_axis), 0, 1, "1", NULL,
     "Dimension of the sequences.", NULL},
    {"time_axis", CFG_INT, offsetof(struct reverse_sequence_attr, time_axis), 0, 1, "0", NULL,
     "Dimension of the steps.", NULL},
    {0},
};

static bool reverse_sequence_infer(const struct op_infer *c, GError **error)
{
    const struct reverse_sequence_attr *a = c->attr;
    const struct shape *s = &c->in[0]->shape;
    if (a->batch_axis == a->time_axis || s->n_dim < 2 ||
        shape_count(&c->in[1]->shape) != s->dim[a->batch_axis])
        return error_set(error, ERROR_INPUT, "the axes or the lengths do not fit the input");
    return infer_as_first(c, error);
}

static bool reverse_sequence_forward(const struct op_call *c, GError **error)
{
    const struct reverse_sequence_attr *a = c->attr;
    const struct shape *s = &c->in[0]->shape;
    const size_t block = (size_t)shape_count_from(s, 2) * number_bytes(c->in[0]->type);
    for (int64_t i = 0; i < s->dim[0]; i++)
        for (int64_t k = 0; k < s->dim[1]; k++) {
            const int64_t batch = a->batch_axis ? k : i, time = a->batch_axis ? i : k;
            const int64_t length = number_get_int64(c->in[1]->data, c->in[1]->type, (size_t)batch);
            if (length < 0 || length > s->dim[a->time_axis])
                return error_set(error, ERROR_INPUT, "a sequence of %" LD " steps", length);
            const int64_t from = time < length ? length - 1 - time : time;
            const int64_t flat = a->batch_axis ? from * s->dim[1] + k : i * s->dim[1] + from;
            memcpy((char *)c->out[0]->data + (size_t)(i * s->dim[1] + k) * block,
                   (const char *)c->in[0]->data + (size_t)flat * block, block);
        }
    return true;
}

OPERATOR(shape, "The dimensions of its input.", shape_fields, sizeof(struct shape_attr), 1, 1,
         .from_shapes = true, .takes_empty = true)
OPERATOR(size, "The number of elements of its input.", NULL, 0, 1, 1, .from_shapes = true,
         .takes_empty = true)
OPERATOR(one_hot, "A row for each index, on at its place and off elsewhere.", one_hot_fields,
         sizeof(struct one_hot_attr), 3, 3, .known = 1 << 1)
OPERATOR(trilu, "A triangle of its input's matrices, 0 elsewhere.", trilu_fields,
         sizeof(struct trilu_attr), 1, 2, .known = 1 << 1)
OPERATOR(reverse_sequence, "The first steps of each sequence in the opposite order.",
         reverse_sequence_fields, sizeof(struct reverse_sequence_attr), 2, 2, .takes_empty = false)
