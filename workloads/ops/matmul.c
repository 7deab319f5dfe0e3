/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices, and of stacks of them with NumPy's broadcasting: matmul, gemm. */
#include <cblas.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/expand_draft.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"
#include "workloads/ops/ops.h"
#include "workloads/threads.h"

#define LD           G_GINT64_FORMAT
#define PANEL_COLS   256
#define STACK_FLOATS 65536 /* small products are handed out in stacks of about this many */

/* Both sides as stacks of matrices; a vector is a row, or a column. */
struct product {
    struct shape batch;                                   /* of the output */
    int64_t a_step[SHAPE_MAX_DIM], b_step[SHAPE_MAX_DIM]; /* matrices; 0: broadcast */
    int64_t m, n, k, n_batch;
};

static int64_t dim_from_end(const struct shape *s, int i)
{
    return i <= s->n_dim ? s->dim[s->n_dim - i] : 1;
}

static void batch_steps(const struct shape *s, const struct shape *batch, int64_t *step)
{
    int64_t count = 1;
    for (int d = batch->n_dim - 1; d >= 0; d--) {
        const int64_t dim = dim_from_end(s, batch->n_dim - d + 2);
        step[d] = dim == 1 ? 0 : count;
        count *= dim;
    }
}

static bool product_of(const struct shape *a_in, const struct shape *b_in, struct product *p,
                       GError **error)
{
    struct shape a = *a_in, b = *b_in;
    if (a.n_dim == 0 || b.n_dim == 0)
        return error_set(error, ERROR_INPUT, "a scalar is no matrix");
    if (a.n_dim == 1)
        a = (struct shape){2, {1, a.dim[0]}};
    if (b.n_dim == 1)
        b = (struct shape){2, {b.dim[0], 1}};
    p->m = dim_from_end(&a, 2);
    p->k = dim_from_end(&a, 1);
    p->n = dim_from_end(&b, 1);
    p->batch.n_dim = MAX(a.n_dim, b.n_dim) - 2;
    bool fits = dim_from_end(&b, 2) == p->k;
    for (int d = 0; d < p->batch.n_dim; d++) {
        const int64_t x = dim_from_end(&a, p->batch.n_dim - d + 2);
        const int64_t y = dim_from_end(&b, p->batch.n_dim - d + 2);
        fits &= x == y || x == 1 || y == 1;
        p->batch.dim[d] = x == 1 ? y : x;
    }
    batch_steps(&a, &p->batch, p->a_step);
    batch_steps(&b, &p->batch, p->b_step);
    p->n_batch = shape_count(&p->batch);
    if (fits)
        return true;
    struct arena *arena = arena_new();
    error_set(error, ERROR_INPUT, "matrices of %s and %s do not fit together",
              shape_text(a_in, 0, arena), shape_text(b_in, 0, arena));
    arena_free(arena);
    return false;
}

static bool matmul_infer(const struct op_infer *c, GError **error)
{
    struct product p;
    struct shape *out = &c->out[0].shape;
    if (!infer_one_type(c, error) || !product_of(&c->in[0]->shape, &c->in[1]->shape, &p, error))
        return false;
    *out = p.batch;
    if (c->in[0]->shape.n_dim > 1)
        out->dim[out->n_dim++] = p.m;
    if (c->in[1]->shape.n_dim > 1)
        out->dim[out->n_dim++] = p.n;
    return true;
}

static uint64_t matmul_macs(const struct op_infer *c)
{
    const struct shape *a = &c->in[0]->shape;
    return op_product(2, (int64_t[]){shape_count(&c->out[0].shape), a->dim[a->n_dim - 1]});
}

static void matrices_at(const struct product *p, int64_t i, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int d = p->batch.n_dim - 1; d >= 0; d--) {
        const int64_t own = i % p->batch.dim[d];
        *a += own * p->a_step[d];
        *b += own * p->b_step[d];
        i /= p->batch.dim[d];
    }
}

struct job {
    const struct op_call *c;
    struct product p;
    int64_t n_col, per_panel; /* panels of columns of one product; products in a panel */
};

static void multiply(const struct job *j, int64_t i, int64_t first, int64_t n)
{
    const struct product *p = &j->p;
    int64_t ia, ib;
    matrices_at(p, i, &ia, &ib);
    const int64_t at = ia * p->m * p->k, bt = ib * p->k * p->n + first;
    const int64_t ct = i * p->m * p->n + first;
    if (j->c->in[0]->type == NUMBER_fp64)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->m, (int)n, (int)p->k, 1,
                    (const double *)j->c->in[0]->data + at, (int)p->k,
                    (const double *)j->c->in[1]->data + bt, (int)p->n, 0,
                    (double *)j->c->out[0]->data + ct, (int)p->n);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->m, (int)n, (int)p->k, 1,
                    (const float *)j->c->in[0]->data + at, (int)p->k,
                    (const float *)j->c->in[1]->data + bt, (int)p->n, 0,
                    (float *)j->c->out[0]->data + ct, (int)p->n);
}

static void multiply_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct job *j = arg;
    const int64_t first = i_panel % j->n_col * PANEL_COLS;
    const int64_t stack = i_panel / j->n_col * j->per_panel;
    for (int64_t i = stack; i < MIN(stack + j->per_panel, j->p.n_batch); i++)
        multiply(j, i, first, MIN(PANEL_COLS, j->p.n - first));
}

/* Exact in 64 bits, kept modulo the format. */
static void multiply_integers(const struct job *j)
{
    const struct product *p = &j->p;
    const enum number type = j->c->in[0]->type;
    for (int64_t i = 0; i < p->n_batch * p->m * p->n; i++) {
        int64_t ia, ib;
        uint64_t sum = 0;
        matrices_at(p, i / (p->m * p->n), &ia, &ib);
        const int64_t row = (ia * p->m + i / p->n % p->m) * p->k, col = ib * p->k * p->n + i % p->n;
        for (int64_t k = 0; k < p->k; k++)
            sum += (uint64_t)number_get_int64(j->c->in[0]->data, type, (size_t)(row + k)) *
                   (uint64_t)number_get_int64(j->c->in[1]->data, type, (size_t)(col + k * p->n));
        number_cast((char *)j->c->out[0]->data + (size_t)i * number_bytes(type), type, &sum,
                    NUMBER_uint64, 1);
    }
}

static bool matmul_forward(const struct op_call *c, GError **error)
{
    struct job j = {.c = c};
    if (!product_of(&c->in[0]->shape, &c->in[1]->shape, &j.p, error))
        return false;
    if (!number_is_float(c->in[0]->type)) {
        multiply_integers(&j);
        return true;
    }
    if (MAX(MAX(j.p.m, j.p.n), j.p.k) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the product is too large for OpenBLAS");
    j.n_col = int64_div_up(j.p.n, PANEL_COLS);
    j.per_panel = MAX(1, STACK_FLOATS / MAX(1, j.p.m * j.p.n));
    threads_run(c->threads, (int)(j.n_col * int64_div_up(j.p.n_batch, j.per_panel)), multiply_panel,
                &j);
    return true;
}

/* As a product of one stack of matrices each. Four dimensions are images, which lie in another
 * order. */
static bool matmul_expands(const struct graph *g, const struct node *n, const char **why)
{
    const struct value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    bool same = a->kind != VALUE_PARAM && b->kind != VALUE_PARAM && a->shape.n_dim >= 2 &&
                a->shape.n_dim != 4 && a->shape.n_dim == b->shape.n_dim && a->type == NUMBER_fp32 &&
                shape_count(&g->values[n->out[0]].shape) > 0;
    for (int i = 0; same && i < a->shape.n_dim - 2; i++)
        same = a->shape.dim[i] == b->shape.dim[i];
    *why = "its operands are no stacks of as many matrices";
    return same;
}

/* One stack of what a stack of stacks has. */
static const char *one_stack(struct expand_draft *d, const char *what, int i_in)
{
    const struct value *v = &d->from->values[d->node->in[i_in]];
    const int n = v->shape.n_dim;
    if (n == 3)
        return v->name;
    return expand_reshape(d, expand_name(d, "%s", what), NULL, v->name, 3,
                          (int64_t[]){-1, v->shape.dim[n - 2], v->shape.dim[n - 1]});
}

static void matmul_expand(struct expand_draft *d)
{
    const struct value *out = &d->from->values[d->node->out[0]];
    const struct batched_product_attr along = {.transpose = false};
    const char *in[] = {one_stack(d, "first", 0), one_stack(d, "second", 1)};
    const int n = out->shape.n_dim;
    int64_t dim[SHAPE_MAX_DIM];
    if (n == 3) {
        expand_node_to(d, expand_name(d, "products"), out->name, &op_batched_product, &along, in,
                       2);
        return;
    }
    memcpy(dim, out->shape.dim, sizeof(dim));
    dim[0] = -1;
    const char *y = expand_node(d, expand_name(d, "products"), &op_batched_product, &along, in, 2);
    expand_reshape(d, expand_name(d, "out"), out->name, y, n, dim);
}

const struct op op_matmul = {
    .name = "matmul",
    .summary = "Product of matrices, or of stacks of them.",
    .min_data = 2,
    .max_data = 2,
    .types = OP_NUMBER,
    .widens = true,
    .infer = matmul_infer,
    .macs = matmul_macs,
    .forward = matmul_forward,
    .expands = matmul_expands,
    .expand = matmul_expand,
};

static const struct cfg_field gemm_fields[] = {
    {"alpha", CFG_FLOAT, offsetof(struct gemm_attr, alpha), -1e30, 1e30, "1.0", NULL,
     "Factor of the product.", NULL},
    {"beta", CFG_FLOAT, offsetof(struct gemm_attr, beta), -1e30, 1e30, "1.0", NULL,
     "Factor of the third input.", NULL},
    {"trans_a", CFG_BOOL, offsetof(struct gemm_attr, trans_a), 0, 0, "false", NULL,
     "The first input is transposed.", NULL},
    {"trans_b", CFG_BOOL, offsetof(struct gemm_attr, trans_b), 0, 0, "false", NULL,
     "The second input is transposed.", NULL},
    {0},
};

static bool gemm_infer(const struct op_infer *c, GError **error)
{
    const struct gemm_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape, *y = &c->in[1]->shape;
    if (x->n_dim != 2 || y->n_dim != 2 || x->dim[!a->trans_a] != y->dim[a->trans_b])
        return error_set(error, ERROR_INPUT, "the matrices do not fit together");
    c->out[0].shape = (struct shape){2, {x->dim[a->trans_a], y->dim[!a->trans_b]}};
    const struct operand *bias = infer_input(c, 2);
    const struct operand out = {NUMBER_fp32, c->out[0].shape, NULL}, *both[] = {&out, bias};
    const struct op_infer join = {NULL, both, 2, NULL, 0};
    struct shape wide;
    if (bias && (!infer_broadcast(&join, &wide, error) || !shape_equal(&wide, &out.shape)))
        return error && *error ? false
                               : error_set(error, ERROR_INPUT, "the third input does not fit");
    return true;
}

static uint64_t gemm_macs(const struct op_infer *c)
{
    const struct gemm_attr *a = c->attr;
    return op_product(2,
                      (int64_t[]){shape_count(&c->out[0].shape), c->in[0]->shape.dim[!a->trans_a]});
}

/* beta C, broadcast, for the product to be added to. */
static void begin_gemm(const struct op_call *c)
{
    const struct gemm_attr *a = c->attr;
    const struct shape *out = &c->out[0]->shape;
    const struct tensor *bias = c->n_in > 2 ? c->in[2] : NULL;
    const int64_t rows = bias && dim_from_end(&bias->shape, 2) > 1,
                  cols = bias && dim_from_end(&bias->shape, 1) > 1;
    for (int64_t i = 0; i < out->dim[0]; i++)
        for (int64_t k = 0; k < out->dim[1]; k++) {
            const int64_t at = rows * i * (cols ? out->dim[1] : 1) + cols * k;
            ((float *)c->out[0]->data)[i * out->dim[1] + k] =
                bias ? (float)a->beta * ((const float *)bias->data)[at] : 0;
        }
}

static bool gemm_forward(const struct op_call *c, GError **error)
{
    const struct gemm_attr *a = c->attr;
    const int64_t m = c->out[0]->shape.dim[0], n = c->out[0]->shape.dim[1];
    const int64_t k = c->in[0]->shape.dim[!a->trans_a];
    if (MAX(MAX(m, n), k) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the product is too large for OpenBLAS");
    begin_gemm(c);
    cblas_sgemm(CblasRowMajor, a->trans_a ? CblasTrans : CblasNoTrans,
                a->trans_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, (float)a->alpha,
                c->in[0]->data, (int)(a->trans_a ? m : k), c->in[1]->data,
                (int)(a->trans_b ? k : n), 1, c->out[0]->data, (int)n);
    return true;
}

const struct op op_gemm = {
    .name = "gemm",
    .summary = "alpha A B + beta C.",
    .fields = gemm_fields,
    .attr_size = sizeof(struct gemm_attr),
    .min_data = 2,
    .max_data = 3,
    .infer = gemm_infer,
    .macs = gemm_macs,
    .forward = gemm_forward,
};
