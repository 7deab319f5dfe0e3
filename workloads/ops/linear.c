/* SPDX-License-Identifier: Apache-2.0 */
/* Linear algebra on stacks of matrices, in fp64 through LAPACK: det, inverse, solve, cholesky, qr,
 * svd; and trace, diag. Results are stored in the input's format. */
#include <lapacke.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"

#define LD G_GINT64_FORMAT

static bool check_matrices(const struct op_infer *c, int i, bool is_square, GError **error)
{
    const struct shape *s = &c->in[i]->shape;
    if (s->n_dim < 2)
        return error_set(error, ERROR_INPUT, "input %d is no matrix", i + 1);
    const int64_t rows = s->dim[s->n_dim - 2], cols = s->dim[s->n_dim - 1];
    if (is_square && rows != cols)
        return error_set(error, ERROR_INPUT, "a matrix of %" LD " x %" LD " is not square", rows,
                         cols);
    return MAX(rows, cols) <= 65536 ||
           error_set(error, ERROR_LIMIT, "a matrix of %" LD " x %" LD " is too large", rows, cols);
}

/* The shape in front of the last two dimensions, then `rows` and `cols` (-1: not there). */
static struct shape stack_of(const struct shape *s, int64_t rows, int64_t cols)
{
    struct shape out = *s;
    out.n_dim -= 2;
    if (rows >= 0)
        out.dim[out.n_dim++] = rows;
    if (cols >= 0)
        out.dim[out.n_dim++] = cols;
    return out;
}

static int64_t rows_of(const struct shape *s)
{
    return s->dim[s->n_dim - 2];
}

static int64_t cols_of(const struct shape *s)
{
    return s->dim[s->n_dim - 1];
}

/* A matrix of the stack in fp64, in new memory; NULL with ERROR_LIMIT. */
static double *load(const struct tensor *t, int64_t i, int64_t n, GError **error)
{
    double *x = g_try_malloc_n((gsize)n, sizeof(double));
    if (x)
        number_convert(x, NUMBER_fp64,
                       (const char *)t->data + (size_t)(i * n) * number_bytes(t->type), t->type,
                       (size_t)n);
    else
        error_set(error, ERROR_LIMIT, "no memory for a matrix");
    return x;
}

static void save(struct tensor *t, int64_t i, const double *x, int64_t n)
{
    if (t)
        number_convert((char *)t->data + (size_t)(i * n) * number_bytes(t->type), t->type, x,
                       NUMBER_fp64, (size_t)n);
}

static bool square_infer(const struct op_infer *c, GError **error)
{
    return check_matrices(c, 0, true, error) && infer_as_first(c, error);
}

static bool det_infer(const struct op_infer *c, GError **error)
{
    if (!check_matrices(c, 0, true, error))
        return false;
    c->out[0].shape = stack_of(&c->in[0]->shape, -1, -1);
    return true;
}

typedef bool (*matrix_fn)(const struct op_call *c, int64_t i, double *x, int64_t n, GError **error);

static bool each_square(const struct op_call *c, matrix_fn fn, GError **error)
{
    const struct shape *s = &c->in[0]->shape;
    const int64_t n = cols_of(s), n_matrix = shape_count(s) / (n * n);
    for (int64_t i = 0; i < n_matrix; i++) {
        double *x = load(c->in[0], i, n * n, error);
        bool ok = x && fn(c, i, x, n, error);
        g_free(x);
        if (!ok)
            return false;
    }
    return true;
}

/* The product of the triangular factor's diagonal, negative for an odd permutation. */
static bool det_one(const struct op_call *c, int64_t i, double *x, int64_t n, GError **error)
{
    (void)error;
    g_autofree lapack_int *pivot = g_new(lapack_int, n);
    double det = 1;
    LAPACKE_dgetrf(LAPACK_ROW_MAJOR, (lapack_int)n, (lapack_int)n, x, (lapack_int)n, pivot);
    for (int64_t k = 0; k < n; k++)
        det *= x[k * n + k] * (pivot[k] != k + 1 ? -1 : 1);
    save(c->out[0], i, &det, 1);
    return true;
}

static bool inverse_one(const struct op_call *c, int64_t i, double *x, int64_t n, GError **error)
{
    g_autofree lapack_int *pivot = g_new(lapack_int, n);
    const lapack_int order = (lapack_int)n;
    if (LAPACKE_dgetrf(LAPACK_ROW_MAJOR, order, order, x, order, pivot) != 0 ||
        LAPACKE_dgetri(LAPACK_ROW_MAJOR, order, x, order, pivot) != 0)
        return error_set(error, ERROR_INPUT, "a matrix has no inverse");
    save(c->out[0], i, x, n * n);
    return true;
}

static bool cholesky_one(const struct op_call *c, int64_t i, double *x, int64_t n, GError **error)
{
    if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (lapack_int)n, x, (lapack_int)n) != 0)
        return error_set(error, ERROR_INPUT, "a matrix is not positive definite");
    for (int64_t row = 0; row < n; row++)
        memset(x + row * n + row + 1, 0, (size_t)(n - 1 - row) * sizeof(double));
    save(c->out[0], i, x, n * n);
    return true;
}

static bool det_forward(const struct op_call *c, GError **error)
{
    return each_square(c, det_one, error);
}

static bool inverse_forward(const struct op_call *c, GError **error)
{
    return each_square(c, inverse_one, error);
}

static bool cholesky_forward(const struct op_call *c, GError **error)
{
    return each_square(c, cholesky_one, error);
}

static bool solve_infer(const struct op_infer *c, GError **error)
{
    if (!check_matrices(c, 0, true, error) || !check_matrices(c, 1, false, error))
        return false;
    const struct shape *a = &c->in[0]->shape, *b = &c->in[1]->shape;
    const struct shape want = stack_of(a, rows_of(a), cols_of(b));
    if (!shape_equal(&want, b))
        return error_set(error, ERROR_INPUT, "matrix and right-hand sides do not fit together");
    c->out[0].shape = *b;
    return true;
}

static bool solve_forward(const struct op_call *c, GError **error)
{
    const int64_t n = cols_of(&c->in[0]->shape), m = cols_of(&c->in[1]->shape);
    g_autofree lapack_int *pivot = g_new(lapack_int, n);
    for (int64_t i = 0; i < shape_count(&c->in[0]->shape) / (n * n); i++) {
        g_autofree double *a = load(c->in[0], i, n * n, error);
        g_autofree double *b = a ? load(c->in[1], i, n * m, error) : NULL;
        if (!b)
            return false;
        if (LAPACKE_dgesv(LAPACK_ROW_MAJOR, (lapack_int)n, (lapack_int)m, a, (lapack_int)n, pivot,
                          b, (lapack_int)m) != 0)
            return error_set(error, ERROR_INPUT, "a matrix is singular");
        save(c->out[0], i, b, n * m);
    }
    return true;
}

/* The reduced form: Q [m, k], R [k, n] with k = min(m, n). */
static bool qr_infer(const struct op_infer *c, GError **error)
{
    if (!check_matrices(c, 0, false, error))
        return false;
    const struct shape *s = &c->in[0]->shape;
    const int64_t k = MIN(rows_of(s), cols_of(s));
    c->out[0].shape = stack_of(s, rows_of(s), k);
    if (c->n_out > 1)
        c->out[1].shape = stack_of(s, k, cols_of(s));
    return true;
}

static bool qr_forward(const struct op_call *c, GError **error)
{
    const int64_t m = rows_of(&c->in[0]->shape), n = cols_of(&c->in[0]->shape), k = MIN(m, n);
    g_autofree double *tau = g_new(double, k), *r = g_new0(double, k * n);
    g_autofree double *q = g_new(double, m * k);
    for (int64_t i = 0; i < shape_count(&c->in[0]->shape) / (m * n); i++) {
        g_autofree double *x = load(c->in[0], i, m * n, error);
        if (!x)
            return false;
        LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, (lapack_int)m, (lapack_int)n, x, (lapack_int)n, tau);
        for (int64_t row = 0; row < k; row++)
            memcpy(r + row * n + row, x + row * n + row, (size_t)(n - row) * sizeof(double));
        for (int64_t row = 0; row < m; row++)
            memcpy(q + row * k, x + row * n, (size_t)k * sizeof(double));
        LAPACKE_dorgqr(LAPACK_ROW_MAJOR, (lapack_int)m, (lapack_int)k, (lapack_int)k, q,
                       (lapack_int)k, tau);
        save(c->out[0], i, q, m * k);
        save(c->n_out > 1 ? c->out[1] : NULL, i, r, k * n);
    }
    return true;
}

/* U [m, k], the singular values [k] from the largest down, V transposed [k, n]. */
static bool svd_infer(const struct op_infer *c, GError **error)
{
    if (!check_matrices(c, 0, false, error))
        return false;
    const struct shape *s = &c->in[0]->shape;
    const int64_t k = MIN(rows_of(s), cols_of(s));
    const struct shape shapes[] = {stack_of(s, rows_of(s), k), stack_of(s, k, -1),
                                   stack_of(s, k, cols_of(s))};
    for (int i = 0; i < c->n_out; i++)
        c->out[i].shape = shapes[i];
    return true;
}

static bool svd_forward(const struct op_call *c, GError **error)
{
    const int64_t m = rows_of(&c->in[0]->shape), n = cols_of(&c->in[0]->shape), k = MIN(m, n);
    g_autofree double *u = g_new(double, m * k), *s = g_new(double, k), *v = g_new(double, k * n);
    for (int64_t i = 0; i < shape_count(&c->in[0]->shape) / (m * n); i++) {
        g_autofree double *x = load(c->in[0], i, m * n, error);
        if (!x)
            return false;
        if (LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', (lapack_int)m, (lapack_int)n, x, (lapack_int)n, s,
                           u, (lapack_int)k, v, (lapack_int)n) != 0)
            return error_set(error, ERROR_INPUT, "the singular values do not converge");
        save(c->out[0], i, u, m * k);
        save(c->n_out > 1 ? c->out[1] : NULL, i, s, k);
        save(c->n_out > 2 ? c->out[2] : NULL, i, v, k * n);
    }
    return true;
}

static bool trace_one(const struct op_call *c, int64_t i, double *x, int64_t n, GError **error)
{
    (void)error;
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += x[k * n + k];
    save(c->out[0], i, &sum, 1);
    return true;
}

static bool trace_forward(const struct op_call *c, GError **error)
{
    return each_square(c, trace_one, error);
}

static const struct cfg_field diag_fields[] = {
    {"k", CFG_INT, offsetof(struct diag_attr, k), -65536, 65536, "0", NULL,
     "Which diagonal: above the main one, or below.", NULL},
    {0},
};

/* A vector becomes a matrix, a matrix a vector. */
static bool diag_infer(const struct op_infer *c, GError **error)
{
    const int64_t k = ((const struct diag_attr *)c->attr)->k;
    const struct shape *s = &c->in[0]->shape;
    if (s->n_dim == 1) {
        const int64_t n = s->dim[0] + ABS(k);
        c->out[0].shape = (struct shape){2, {n, n}};
        return true;
    }
    if (s->n_dim != 2)
        return error_set(error, ERROR_INPUT, "the input is neither vector nor matrix");
    const int64_t n = MIN(s->dim[0] + MIN(k, 0), s->dim[1] - MAX(k, 0));
    c->out[0].shape = (struct shape){1, {n}};
    return n > 0 || error_set(error, ERROR_INPUT, "the matrix has no diagonal %" LD, k);
}

static bool diag_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const int64_t k = ((const struct diag_attr *)c->attr)->k;
    const bool is_vector = c->in[0]->shape.n_dim == 1;
    const size_t size = number_bytes(c->in[0]->type);
    const struct shape *matrix = is_vector ? &c->out[0]->shape : &c->in[0]->shape;
    const int64_t n = is_vector ? c->in[0]->shape.dim[0] : c->out[0]->shape.dim[0];
    memset(c->out[0]->data, 0, tensor_bytes(c->out[0]));
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = (i + MAX(-k, 0)) * matrix->dim[1] + i + MAX(k, 0);
        memcpy((char *)c->out[0]->data + (size_t)(is_vector ? at : i) * size,
               (const char *)c->in[0]->data + (size_t)(is_vector ? i : at) * size, size);
    }
    return true;
}

#define OPERATOR(op_name, text, n_in, most_out, infer_fn)                                          \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .min_data = n_in,                                                                          \
        .max_data = n_in,                                                                          \
        .max_out = most_out,                                                                       \
        .types = OP_FLOAT,                                                                         \
        .infer = infer_fn,                                                                         \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(det, "Determinants of square matrices.", 1, 1, det_infer)
OPERATOR(inverse, "Inverses of square matrices.", 1, 1, square_infer)
OPERATOR(cholesky, "Lower triangular factors of positive definite matrices.", 1, 1, square_infer)
OPERATOR(solve, "Solutions x of A x = b.", 2, 1, solve_infer)
OPERATOR(qr, "Orthogonal and upper triangular factors.", 1, 2, qr_infer)
OPERATOR(svd, "Singular value decomposition: U, the values, V transposed.", 1, 3, svd_infer)
OPERATOR(trace, "Sums of the diagonals of square matrices.", 1, 1, det_infer)

const struct op op_diag = {
    .name = "diag",
    .summary = "A matrix with a vector as its diagonal, or the diagonal of a matrix.",
    .fields = diag_fields,
    .attr_size = sizeof(struct diag_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_ANY,
    .infer = diag_infer,
    .forward = diag_forward,
};
