/* SPDX-License-Identifier: Apache-2.0 */
/* tensordot: sums of products over pairs of dimensions, as one product of matrices; and norms. */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/neural.h"

static const struct cfg_field tensordot_fields[] = {
    {"axes_a", CFG_INTS, offsetof(struct tensordot_attr, axes_a), 0, SHAPE_MAX_DIM - 1, NULL, NULL,
     "Dimensions of the first input that are summed.", NULL},
    {"axes_b", CFG_INTS, offsetof(struct tensordot_attr, axes_b), 0, SHAPE_MAX_DIM - 1, NULL, NULL,
     "The second input's dimensions that go with them, in the same order.", NULL},
    {0},
};

/* Free dimensions first and summed ones last, or the other way round. */
static bool order_of(const struct cfg_ints *axes, const struct shape *s, bool free_first,
                     int64_t *perm, GError **error)
{
    bool flags[SHAPE_MAX_DIM] = {false};
    if (!infer_axes(axes, s->n_dim, flags, error))
        return false;
    int n = 0;
    for (int i = 0; !free_first && i < axes->n; i++)
        perm[n++] = axes->v[i];
    for (int d = 0; d < s->n_dim; d++)
        if (!flags[d])
            perm[n++] = d;
    for (int i = 0; free_first && i < axes->n; i++)
        perm[n++] = axes->v[i];
    return true;
}

static bool tensordot_infer(const struct op_infer *c, GError **error)
{
    const struct tensordot_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape, *y = &c->in[1]->shape;
    struct shape *out = &c->out[0].shape;
    int64_t px[SHAPE_MAX_DIM], py[SHAPE_MAX_DIM];
    const int n = a->axes_a.n;
    if (n != a->axes_b.n || x->n_dim + y->n_dim - 2 * n > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "%d and %d axes", n, a->axes_b.n);
    if (!infer_one_type(c, error) || !order_of(&a->axes_a, x, true, px, error) ||
        !order_of(&a->axes_b, y, false, py, error))
        return false;
    for (int i = 0; i < n; i++)
        if (x->dim[a->axes_a.v[i]] != y->dim[a->axes_b.v[i]])
            return error_set(error, ERROR_INPUT, "the summed dimensions differ");
    for (int d = 0; d < x->n_dim - n; d++)
        out->dim[out->n_dim++] = x->dim[px[d]];
    for (int d = n; d < y->n_dim; d++)
        out->dim[out->n_dim++] = y->dim[py[d]];
    return true;
}

static int64_t depth_of(const struct tensordot_attr *a, const struct shape *x)
{
    int64_t depth = 1;
    for (int i = 0; i < a->axes_a.n; i++)
        depth *= x->dim[a->axes_a.v[i]];
    return depth;
}

static uint64_t tensordot_macs(const struct op_infer *c)
{
    return op_product(2, (int64_t[]){shape_count(&c->out[0].shape),
                                     depth_of(c->attr, &c->in[0]->shape)});
}

static bool tensordot_forward(const struct op_call *c, GError **error)
{
    const struct tensordot_attr *a = c->attr;
    int64_t px[SHAPE_MAX_DIM], py[SHAPE_MAX_DIM];
    const int64_t k = depth_of(a, &c->in[0]->shape);
    const struct shape xs = {2, {shape_count(&c->in[0]->shape) / k, k}};
    const struct shape ys = {2, {k, shape_count(&c->in[1]->shape) / k}};
    struct tensor x = {0}, y = {0}, out = *c->out[0];
    bool ok = order_of(&a->axes_a, &c->in[0]->shape, true, px, error) &&
              order_of(&a->axes_b, &c->in[1]->shape, false, py, error) &&
              tensor_alloc(&x, c->in[0]->type, &xs, error) &&
              tensor_alloc(&y, c->in[1]->type, &ys, error);
    if (ok) {
        const size_t size = number_bytes(x.type);
        permute(x.data, c->in[0]->data, size, &c->in[0]->shape, px, c->threads);
        permute(y.data, c->in[1]->data, size, &c->in[1]->shape, py, c->threads);
        out.shape = (struct shape){2, {xs.dim[0], ys.dim[1]}};
        struct tensor *outs[] = {&out};
        const struct tensor *ins[] = {&x, &y};
        const struct op_call product = {NULL, outs, 1, ins, 2, 2, c->threads};
        ok = op_find("matmul")->forward(&product, error);
    }
    tensor_clear(&x);
    tensor_clear(&y);
    return ok;
}

const struct op op_tensordot = {
    .name = "tensordot",
    .summary = "Products of two inputs, summed over pairs of dimensions.",
    .fields = tensordot_fields,
    .attr_size = sizeof(struct tensordot_attr),
    .min_data = 2,
    .max_data = 2,
    .types = OP_NUMBER,
    .widens = true,
    .infer = tensordot_infer,
    .macs = tensordot_macs,
    .forward = tensordot_forward,
};

static const char *const norm_kinds[] = {"l1", "l2", "inf", NULL};
static const struct cfg_field norm_fields[] = {
    {"p", CFG_ENUM, offsetof(struct vector_norm_attr, p), 0, 0, "l2", NULL,
     "Sum of absolute values, root of the sum of squares, or the largest absolute value.",
     norm_kinds},
    {"axes", CFG_INTS, offsetof(struct vector_norm_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1,
     "", NULL, "Dimensions that go; all where none are named.", NULL},
    {"keepdims", CFG_BOOL, offsetof(struct vector_norm_attr, keepdims), 0, 0, "false", NULL,
     "They stay, as 1.", NULL},
    {0},
};

static struct reduce_attr reduction_of(const struct vector_norm_attr *a)
{
    return (struct reduce_attr){.axes = a->axes, .keepdims = a->keepdims};
}

static bool norm_infer(const struct op_infer *c, GError **error)
{
    struct reduce_attr a = reduction_of(c->attr);
    struct op_infer call = *c;
    call.attr = &a;
    return op_find("reduce_l2")->infer(&call, error);
}

static bool norm_forward(const struct op_call *c, GError **error)
{
    static const char *const reductions[] = {"reduce_l1", "reduce_l2", "reduce_max"};
    const struct vector_norm_attr *attr = c->attr;
    const struct reduce_attr a = reduction_of(attr);
    struct op_call call = *c;
    struct tensor x = {0};
    const struct tensor *ins[] = {&x};
    call.attr = &a;
    if (attr->p == NORM_INF) { /* of the absolute values */
        struct tensor *outs[] = {&x};
        const struct op_call abs = {NULL, outs, 1, c->in, 1, 1, c->threads};
        if (!tensor_alloc(&x, c->in[0]->type, &c->in[0]->shape, error) ||
            !op_find("abs")->forward(&abs, error))
            return false;
        call.in = ins;
    }
    bool ok = op_find(reductions[attr->p])->forward(&call, error);
    tensor_clear(&x);
    return ok;
}

const struct op op_norm = {
    .name = "norm",
    .summary = "Norm over dimensions.",
    .fields = norm_fields,
    .attr_size = sizeof(struct vector_norm_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_FLOAT,
    .infer = norm_infer,
    .forward = norm_forward,
};
