/* SPDX-License-Identifier: Apache-2.0 */
/* Values put side by side, and taken apart: concat, stack, split, unstack. */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/expand_draft.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/ops.h"
#include "workloads/threads.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field concat_fields[] = {
    {"axis", CFG_INT, offsetof(struct concat_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1",
     NULL, "Dimension along which the inputs follow each other; negative counts from the end.",
     NULL},
    {0},
};

static bool concat_infer(const struct op_infer *c, GError **error)
{
    struct concat_attr *a = c->attr;
    const struct shape *first = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    if (!axis_normalise(&a->axis, first, error) || !infer_one_type(c, error))
        return false;
    *out = *first;
    for (int i = 1; i < c->n_in; i++) {
        const struct shape *in = &c->in[i]->shape;
        if (in->n_dim != out->n_dim)
            return error_set(error, ERROR_INPUT, "input %d has %d dimensions, the first %d", i + 1,
                             in->n_dim, out->n_dim);
        for (int d = 0; d < out->n_dim; d++)
            if (d != a->axis && in->dim[d] != out->dim[d])
                return error_set(error, ERROR_INPUT,
                                 "dimension %d of input %d is %" LD ", that of the first %" LD, d,
                                 i + 1, in->dim[d], out->dim[d]);
        out->dim[a->axis] += in->dim[a->axis]; /* at most OP_MAX_IN times 2^40 */
    }
    return true;
}

/* A whole and its parts along one dimension; `size` elements of it each. */
struct parts {
    char *whole;
    struct tensor *const *out;      /* the parts, written, or */
    const struct tensor *const *in; /* read */
    int64_t size[OP_MAX_IN];
    size_t inner; /* bytes behind the dimension */
    size_t pitch; /* bytes of the whole dimension */
    int64_t n_block;
};

static void move_part(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct parts *p = arg;
    const struct tensor *part = p->in ? p->in[i_panel] : p->out[i_panel];
    size_t before = 0, block = (size_t)p->size[i_panel] * p->inner;
    for (int i = 0; i < i_panel; i++)
        before += (size_t)p->size[i] * p->inner;
    for (int64_t i = 0; part && i < p->n_block; i++) {
        char *whole = p->whole + (size_t)i * p->pitch + before;
        char *own = (char *)part->data + (size_t)i * block;
        memcpy(p->in ? whole : own, p->in ? own : whole, block);
    }
}

static struct parts parts_of(const struct tensor *whole, int axis)
{
    const int64_t pitch = shape_count_from(&whole->shape, axis);
    const size_t size = number_bytes(whole->type);
    return (struct parts){.whole = whole->data,
                          .inner = (size_t)shape_count_from(&whole->shape, axis + 1) * size,
                          .pitch = (size_t)pitch * size,
                          .n_block = pitch ? shape_count(&whole->shape) / pitch : 0};
}

static bool concat_forward(const struct op_call *c, GError **error)
{
    (void)error;
    int axis = (int)((const struct concat_attr *)c->attr)->axis;
    struct parts p = parts_of(c->out[0], axis);
    p.in = c->in;
    for (int i = 0; i < c->n_in; i++)
        p.size[i] = c->in[i]->shape.dim[axis];
    threads_run(c->threads, c->n_in, move_part, &p);
    return true;
}

/* Channels are dimension 1 of images, the last one of rows. */
static void concat_traits(const struct op_infer *c, struct traits *t)
{
    const int n_dim = c->out[0].shape.n_dim;
    if (((const struct concat_attr *)c->attr)->axis != (n_dim == 4 ? 1 : n_dim - 1))
        *t = (struct traits){.kind = TRAITS_MOVE};
}

const struct op op_concat = {
    .name = "concat",
    .summary = "Puts its inputs one after the other along one dimension.",
    .fields = concat_fields,
    .attr_size = sizeof(struct concat_attr),
    .min_data = 1,
    .max_data = OP_MAX_IN,
    .types = OP_ANY,
    .takes_empty = true,
    .kind = TRAITS_JOIN,
    .reads = 1,
    .infer = concat_infer,
    .forward = concat_forward,
    .traits = concat_traits,
};

static const struct cfg_field stack_fields[] = {
    {"axis", CFG_INT, offsetof(struct axis_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "0",
     NULL, "Place of the new dimension; negative counts from the end.", NULL},
    {0},
};

static bool stack_infer(const struct op_infer *c, GError **error)
{
    struct axis_attr *a = c->attr;
    struct shape *out = &c->out[0].shape, wide = c->in[0]->shape;
    if (wide.n_dim == SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "more than %d dimensions", SHAPE_MAX_DIM);
    wide.n_dim++;
    if (!axis_normalise(&a->axis, &wide, error) || !infer_one_type(c, error))
        return false;
    for (int i = 1; i < c->n_in; i++)
        if (!shape_equal(&c->in[i]->shape, &c->in[0]->shape))
            return error_set(error, ERROR_INPUT, "input %d has another shape than the first",
                             i + 1);
    out->n_dim = wide.n_dim;
    for (int d = 0, own = 0; d < out->n_dim; d++)
        out->dim[d] = d == a->axis ? c->n_in : c->in[0]->shape.dim[own++];
    return true;
}

/* As blocks: what lies behind the new dimension. */
static bool stack_forward(const struct op_call *c, GError **error)
{
    (void)error;
    int axis = (int)((const struct axis_attr *)c->attr)->axis;
    const struct shape *out = &c->out[0]->shape;
    size_t block = (size_t)shape_count_from(out, axis + 1) * number_bytes(c->out[0]->type);
    int64_t n_block =
        shape_count(&c->in[0]->shape) ? shape_count(out) / shape_count_from(out, axis) : 0;
    for (int k = 0; k < c->n_in; k++)
        for (int64_t i = 0; i < n_block; i++)
            memcpy((char *)c->out[0]->data + ((size_t)i * (size_t)c->n_in + (size_t)k) * block,
                   (const char *)c->in[k]->data + (size_t)i * block, block);
    return true;
}

const struct op op_stack = {
    .name = "stack",
    .summary = "Puts its inputs side by side along a new dimension.",
    .fields = stack_fields,
    .attr_size = sizeof(struct axis_attr),
    .min_data = 1,
    .max_data = OP_MAX_IN,
    .types = OP_ANY,
    .takes_empty = true,
    .kind = TRAITS_MOVE,
    .infer = stack_infer,
    .forward = stack_forward,
};

static const struct cfg_field split_fields[] = {
    {"axis", CFG_INT, offsetof(struct split_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "0",
     NULL, "Dimension that is cut; negative counts from the end.", NULL},
    {"split", CFG_INTS, offsetof(struct split_attr, split), 0, 0x1p40, "", NULL,
     "Sizes of the parts; equal ones where none are given. A second input overrides it.", NULL},
    {0},
};

/* Sizes of the parts, the last of equal ones being the smaller. */
static bool split_sizes(const struct op_infer *c, int64_t dim, int64_t *sizes, GError **error)
{
    const struct split_attr *a = c->attr;
    int64_t sum = 0, equal = int64_div_up(dim, c->n_out);
    if (a->split.n && a->split.n < c->n_out)
        return error_set(error, ERROR_INPUT, "%d sizes for %d parts", a->split.n, c->n_out);
    int n = a->split.n ? a->split.n : c->n_out;
    for (int i = 0; i < n; i++) {
        int64_t size = a->split.n ? a->split.v[i] : MIN(equal, dim - sum);
        if (size < 0 || size > dim - sum)
            return error_set(error, ERROR_INPUT, "the parts do not fit dimension %" LD, dim);
        if (i < c->n_out)
            sizes[i] = size;
        sum += size;
    }
    return sum == dim ||
           error_set(error, ERROR_INPUT, "the parts add up to %" LD ", not %" LD, sum, dim);
}

static bool split_infer(const struct op_infer *c, GError **error)
{
    struct split_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    if (!axis_normalise(&a->axis, in, error) || !infer_ints(c, 1, &a->split, error) ||
        !split_sizes(c, in->dim[a->axis], a->sizes, error))
        return false;
    for (int i = 0; i < c->n_out; i++) {
        c->out[i].shape = *in;
        c->out[i].shape.dim[a->axis] = a->sizes[i];
    }
    return true;
}

static bool split_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct split_attr *a = c->attr;
    struct parts p = parts_of(c->in[0], (int)a->axis);
    p.out = c->out;
    memcpy(p.size, a->sizes, sizeof(a->sizes));
    threads_run(c->threads, c->n_out, move_part, &p);
    return true;
}

/* As slices. */
static bool split_expands(const struct graph *g, const struct node *n, const char **why)
{
    (void)g, (void)n, (void)why;
    return true;
}

static void split_expand(struct expand_draft *d)
{
    const struct split_attr *a = d->node->attr;
    const char *x = d->from->values[d->node->in[0]].name;
    int64_t first = 0;
    for (int i = 0; i < d->node->n_out; first += a->sizes[i++]) {
        if (d->node->out[i] < 0)
            continue;
        const struct slice_attr s = {.starts = {1, {first}},
                                     .ends = {1, {first + a->sizes[i]}},
                                     .axes = {1, {a->axis}},
                                     .steps = {1, {1}}};
        expand_node_to(d, expand_name(d, "%d", i), d->from->values[d->node->out[i]].name, &op_slice,
                       &s, &x, 1);
    }
}

const struct op op_split = {
    .name = "split",
    .summary = "Parts of its input along one dimension.",
    .fields = split_fields,
    .attr_size = sizeof(struct split_attr),
    .min_data = 1,
    .max_data = 2,
    .max_out = OP_MAX_OUT,
    .types = OP_ANY,
    .known = 1 << 1,
    .takes_empty = true,
    .kind = TRAITS_MOVE,
    .infer = split_infer,
    .forward = split_forward,
    .expands = split_expands,
    .expand = split_expand,
};

static bool unstack_infer(const struct op_infer *c, GError **error)
{
    struct axis_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    if (!axis_normalise(&a->axis, in, error))
        return false;
    if (in->dim[a->axis] != c->n_out)
        return error_set(error, ERROR_INPUT, "%d outputs of dimension %" LD, c->n_out,
                         in->dim[a->axis]);
    for (int i = 0; i < c->n_out; i++)
        for (int d = 0; d < in->n_dim; d++)
            if (d != a->axis)
                c->out[i].shape.dim[c->out[i].shape.n_dim++] = in->dim[d];
    return true;
}

static bool unstack_forward(const struct op_call *c, GError **error)
{
    (void)error;
    int axis = (int)((const struct axis_attr *)c->attr)->axis;
    const struct shape *in = &c->in[0]->shape;
    size_t block = (size_t)shape_count_from(in, axis + 1) * number_bytes(c->in[0]->type);
    int64_t n_block = shape_count(in) / shape_count_from(in, axis);
    for (int k = 0; k < c->n_out; k++)
        for (int64_t i = 0; c->out[k] && i < n_block; i++)
            memcpy((char *)c->out[k]->data + (size_t)i * block,
                   (const char *)c->in[0]->data +
                       ((size_t)i * (size_t)c->n_out + (size_t)k) * block,
                   block);
    return true;
}

const struct op op_unstack = {
    .name = "unstack",
    .summary = "The slices of its input along one dimension, without it.",
    .fields = stack_fields,
    .attr_size = sizeof(struct axis_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = OP_MAX_OUT,
    .types = OP_ANY,
    .infer = unstack_infer,
    .forward = unstack_forward,
};
