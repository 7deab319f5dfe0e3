/* SPDX-License-Identifier: Apache-2.0 */
/* Dimensions in another order: transpose, depth_to_space, space_to_depth. */
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

static const struct cfg_field transpose_fields[] = {
    {"perm", CFG_INTS, offsetof(struct transpose_attr, perm), 0, SHAPE_MAX_DIM - 1, "", NULL,
     "The input's dimension that each of the output's is; reversed where none are given.", NULL},
    {0},
};

static void perm_of(const struct transpose_attr *a, int n, int64_t *perm)
{
    for (int d = 0; d < n; d++)
        perm[d] = a->perm.n ? a->perm.v[d] : n - 1 - d;
}

static bool transpose_infer(const struct op_infer *c, GError **error)
{
    const struct transpose_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    bool flags[SHAPE_MAX_DIM] = {false};
    int64_t perm[SHAPE_MAX_DIM];
    if (a->perm.n && a->perm.n != in->n_dim)
        return error_set(error, ERROR_INPUT, "a permutation of %d dimensions, the input has %d",
                         a->perm.n, in->n_dim);
    if (!infer_axes(&a->perm, in->n_dim, flags, error))
        return false;
    perm_of(a, in->n_dim, perm);
    c->out[0].shape.n_dim = in->n_dim;
    for (int d = 0; d < in->n_dim; d++)
        c->out[0].shape.dim[d] = in->dim[perm[d]];
    return true;
}

static bool transpose_forward(const struct op_call *c, GError **error)
{
    (void)error;
    int64_t perm[SHAPE_MAX_DIM];
    perm_of(c->attr, c->in[0]->shape.n_dim, perm);
    permute(c->out[0]->data, c->in[0]->data, number_bytes(c->in[0]->type), &c->in[0]->shape, perm,
            c->threads);
    return true;
}

static void transpose_traits(const struct op_infer *c, struct traits *t)
{
    t->move.transposes = true;
    perm_of(c->attr, c->in[0]->shape.n_dim, t->move.perm);
}

const struct op op_transpose = {
    .name = "transpose",
    .summary = "Its input with the dimensions in another order.",
    .fields = transpose_fields,
    .attr_size = sizeof(struct transpose_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_ANY,
    .takes_empty = true,
    .kind = TRAITS_MOVE,
    .infer = transpose_infer,
    .forward = transpose_forward,
    .traits = transpose_traits,
};

static const char *const block_modes[] = {"dcr", "crd", NULL};
static const struct cfg_field depth_to_space_fields[] = {
    {"blocksize", CFG_INT, offsetof(struct block_attr, blocksize), 1, 65536, NULL, NULL,
     "Edge of the squares.", NULL},
    {"mode", CFG_ENUM, offsetof(struct block_attr, mode), 0, 0, "dcr", NULL,
     "Which of the channels' digits is the place in a square: the first, or the last (CRD, as "
     "pixel shuffle).",
     block_modes},
    {0},
};
static const struct cfg_field space_to_depth_fields[] = {
    {"blocksize", CFG_INT, offsetof(struct block_attr, blocksize), 1, 65536, NULL, NULL,
     "Edge of the squares.", NULL},
    {0},
};

static bool check_image(const struct shape *in, GError **error)
{
    return in->n_dim == 4 ||
           error_set(error, ERROR_INPUT, "the input has %d dimensions, not 4", in->n_dim);
}

static bool depth_to_space_infer(const struct op_infer *c, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    int64_t b = ((const struct block_attr *)c->attr)->blocksize;
    if (!check_image(in, error))
        return false;
    if (in->dim[1] % (b * b))
        return error_set(error, ERROR_INPUT,
                         "the channels are not a multiple of the squares' area");
    c->out[0].shape =
        (struct shape){4, {in->dim[0], in->dim[1] / b / b, in->dim[2] * b, in->dim[3] * b}};
    return true;
}

static bool depth_to_space_forward(const struct op_call *c, GError **error)
{
    (void)error;
    static const int64_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
    const struct block_attr *a = c->attr;
    const int64_t *in = c->in[0]->shape.dim, b = a->blocksize, depth = in[1] / b / b;
    const struct shape wide = a->mode ? (struct shape){6, {in[0], depth, b, b, in[2], in[3]}}
                                      : (struct shape){6, {in[0], b, b, depth, in[2], in[3]}};
    permute(c->out[0]->data, c->in[0]->data, number_bytes(c->in[0]->type), &wide,
            a->mode ? crd : dcr, c->threads);
    return true;
}

static bool space_to_depth_infer(const struct op_infer *c, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    int64_t b = ((const struct block_attr *)c->attr)->blocksize;
    if (!check_image(in, error))
        return false;
    if (in->dim[2] % b || in->dim[3] % b)
        return error_set(error, ERROR_INPUT, "the image is no whole number of squares");
    c->out[0].shape =
        (struct shape){4, {in->dim[0], in->dim[1] * b * b, in->dim[2] / b, in->dim[3] / b}};
    return true;
}

static bool space_to_depth_forward(const struct op_call *c, GError **error)
{
    (void)error;
    static const int64_t perm[] = {0, 3, 5, 1, 2, 4};
    const int64_t *in = c->in[0]->shape.dim, b = ((const struct block_attr *)c->attr)->blocksize;
    const struct shape wide = {6, {in[0], in[1], in[2] / b, b, in[3] / b, b}};
    permute(c->out[0]->data, c->in[0]->data, number_bytes(c->in[0]->type), &wide, perm, c->threads);
    return true;
}

const struct op op_depth_to_space = {
    .name = "depth_to_space",
    .summary = "Channels spread over squares of pixels.",
    .fields = depth_to_space_fields,
    .attr_size = sizeof(struct block_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_ANY,
    .infer = depth_to_space_infer,
    .forward = depth_to_space_forward,
};
const struct op op_space_to_depth = {
    .name = "space_to_depth",
    .summary = "Squares of pixels gathered into channels.",
    .fields = space_to_depth_fields,
    .attr_size = sizeof(struct block_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_ANY,
    .infer = space_to_depth_infer,
    .forward = space_to_depth_forward,
};
