/* SPDX-License-Identifier: Apache-2.0 */
/* What attention is made of: products of stacks of matrices, and the softmax of scaled scores. */
#include <cblas.h>
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/vector_math.h"
#include "workloads/threads.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field batched_product_fields[] = {
    {"transpose", CFG_BOOL, offsetof(struct batched_product_attr, transpose), 0, 0, "false", NULL,
     "The second input's matrices are [columns, depth].", NULL},
    {0},
};

static bool batched_product_infer(const struct op_infer *c, GError **error)
{
    const struct batched_product_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape, *y = &c->in[1]->shape;
    if (x->n_dim != 3 || y->n_dim != 3 || x->dim[0] != y->dim[0] ||
        x->dim[2] != y->dim[a->transpose ? 2 : 1])
        return error_set(error, ERROR_INPUT,
                         "the matrices (each batch, rows, columns) do not fit "
                         "together");
    c->out[0].shape = (struct shape){3, {x->dim[0], x->dim[1], y->dim[a->transpose ? 1 : 2]}};
    return infer_one_type(c, error);
}

static uint64_t batched_product_macs(const struct op_infer *c)
{
    const int64_t *x = c->in[0]->shape.dim, *y = c->in[1]->shape.dim;
    return op_product(4, (int64_t[]){x[0], x[1], y[1], y[2]});
}

static void product_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const struct batched_product_attr *a = c->attr;
    const int64_t m = c->in[0]->shape.dim[1], k = c->in[0]->shape.dim[2];
    const int64_t n = c->out[0]->shape.dim[2];
    const float *x = (const float *)c->in[0]->data + i_panel * m * k;
    const float *y = (const float *)c->in[1]->data + i_panel * k * n;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, a->transpose ? CblasTrans : CblasNoTrans, (int)m,
                (int)n, (int)k, 1, x, (int)k, y, (int)(a->transpose ? k : n), 0,
                (float *)c->out[0]->data + i_panel * m * n, (int)n);
}

static bool batched_product_forward(const struct op_call *c, GError **error)
{
    const int64_t *x = c->in[0]->shape.dim;
    if (MAX(MAX(x[0], x[1]), MAX(x[2], c->out[0]->shape.dim[2])) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the matrices are too large for OpenBLAS");
    threads_run(c->threads, (int)x[0], product_panel, (void *)c);
    return true;
}

static void batched_product_traits(const struct op_infer *c, struct traits *t)
{
    const struct shape *out = &c->out[0].shape;
    t->product = (struct traits_product){
        .m = out->dim[1],
        .n = out->dim[2],
        .k = c->in[0]->shape.dim[2],
        .groups = out->dim[0],
        .stacked = true,
        .stationary = 1,
        .transposed = ((const struct batched_product_attr *)c->attr)->transpose,
        .bias = -1,
        .axis = 2};
}

const struct op op_batched_product = {
    .name = "batched_product",
    .summary = "Products of matrices, pair by pair.",
    .fields = batched_product_fields,
    .attr_size = sizeof(struct batched_product_attr),
    .min_data = 2,
    .max_data = 2,
    .kind = TRAITS_PRODUCT,
    .infer = batched_product_infer,
    .macs = batched_product_macs,
    .forward = batched_product_forward,
    .traits = batched_product_traits,
};

static const struct cfg_field scaled_softmax_fields[] = {
    {"scale", CFG_FLOAT, offsetof(struct scaled_softmax_attr, scale), -1e30, 1e30, "1.0", NULL,
     "Factor of the input.", NULL},
    {"masked", CFG_BOOL, offsetof(struct scaled_softmax_attr, masked), 0, 0, "false", NULL,
     "Adds a matrix to the last two dimensions, behind the factor.", NULL},
    {0},
};

static bool scaled_softmax_infer(const struct op_infer *c, GError **error)
{
    struct scaled_softmax_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    const struct operand *mask = infer_input(c, 1);
    if (x->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has fewer than 2 dimensions");
    a->masked |= mask != NULL;
    if (mask && (mask->shape.n_dim != 2 || mask->shape.dim[0] != x->dim[x->n_dim - 2] ||
                 mask->shape.dim[1] != x->dim[x->n_dim - 1]))
        return error_set(error, ERROR_INPUT, "the mask is not of the last two dimensions");
    return infer_as_first(c, error);
}

static int scaled_softmax_params(const struct op_infer *c, struct op_param *out)
{
    const struct scaled_softmax_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    out[0] = (struct op_param){
        "mask", {2, {x->dim[x->n_dim - 2], x->dim[x->n_dim - 1]}}, 0, false, 0, 0};
    return a->masked ? 1 : 0;
}

/* A row of n scores; mask may be NULL. */
static void softmax_row(const float *x, const float *mask, float scale, int64_t n, float *y)
{
    float most = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        y[i] = scale * x[i] + (mask ? mask[i] : 0);
        most = y[i] > most ? y[i] : most;
    }
    for (int64_t i = 0; i < n; i++) {
        y[i] = vm_exp(y[i] - most);
        sum += (double)y[i];
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(y[i] / sum);
}

static bool scaled_softmax_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct scaled_softmax_attr *a = c->attr;
    const struct tensor *mask = c->n_in > 1 ? c->in[1] : NULL;
    const struct shape *s = &c->in[0]->shape;
    const int64_t n = s->dim[s->n_dim - 1], rows = n ? shape_count(s) / n : 0;
    for (int64_t i = 0; i < rows; i++)
        softmax_row((const float *)c->in[0]->data + i * n,
                    mask ? (const float *)mask->data + i % mask->shape.dim[0] * n : NULL,
                    (float)a->scale, n, (float *)c->out[0]->data + i * n);
    return true;
}

static void scaled_softmax_traits(const struct op_infer *c, struct traits *t)
{
    const struct scaled_softmax_attr *a = c->attr;
    t->row = (struct traits_row){c->in[0]->shape.n_dim - 1, 1, a->masked ? 1 : -1};
}

const struct op op_scaled_softmax = {
    .name = "scaled_softmax",
    .summary = "Softmax of the last dimension of a multiple of the input, plus a mask.",
    .fields = scaled_softmax_fields,
    .attr_size = sizeof(struct scaled_softmax_attr),
    .min_data = 1,
    .max_data = 1,
    .in_place = true,
    .kind = TRAITS_ROW,
    .reads = 3,
    .infer = scaled_softmax_infer,
    .params = scaled_softmax_params,
    .forward = scaled_softmax_forward,
    .traits = scaled_softmax_traits,
};
