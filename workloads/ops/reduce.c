/* SPDX-License-Identifier: Apache-2.0 */
/* Sums, means, extrema and norms over some dimensions. The input is brought into rows of what is
 * reduced; a row is summed in fp64 or int64, in the order of its elements. */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

/* One row in fp64, and in int64 where the result is an integer. */
struct row_function {
    double (*real)(const double *x, int64_t n);
    int64_t (*whole)(const int64_t *x, int64_t n); /* NULL: through fp64 */
};

#define REAL(name, init, step, result)                                                             \
    static double name##_real(const double *x, int64_t n)                                          \
    {                                                                                              \
        double r = init;                                                                           \
        for (int64_t i = 0; i < n; i++)                                                            \
            r = step;                                                                              \
        return result;                                                                             \
    }
#define WHOLE(name, init, step)                                                                    \
    static int64_t name##_whole(const int64_t *x, int64_t n)                                       \
    {                                                                                              \
        int64_t r = init;                                                                          \
        for (int64_t i = 0; i < n; i++)                                                            \
            r = step;                                                                              \
        return r;                                                                                  \
    }
#define U (uint64_t)
REAL(sum, 0, r + x[i], r)
WHOLE(sum, 0, (int64_t)(U r + U x[i]))
REAL(mean, 0, r + x[i], r / (double)n)
REAL(max, -INFINITY, x[i] > r || x[i] != x[i] ? x[i] : r, r)
WHOLE(max, INT64_MIN, x[i] > r ? x[i] : r)
REAL(min, INFINITY, x[i] < r || x[i] != x[i] ? x[i] : r, r)
WHOLE(min, INT64_MAX, x[i] < r ? x[i] : r)
REAL(prod, 1, r *x[i], r)
WHOLE(prod, 1, (int64_t)(U r *U x[i]))
REAL(l1, 0, r + fabs(x[i]), r)
WHOLE(l1, 0, (int64_t)(U r + (x[i] < 0 ? 0 - U x[i] : U x[i])))
REAL(l2, 0, r + x[i] * x[i], sqrt(r))
REAL(log_sum, 0, r + x[i], log(r))
REAL(sum_square, 0, r + x[i] * x[i], r)
WHOLE(sum_square, 0, (int64_t)(U r + U x[i] * U x[i]))
REAL(any, 0, x[i] != 0 ? 1 : r, r)
REAL(all, 1, x[i] == 0 ? 0 : r, r)

/* The largest is taken off first, so that no exponential overflows. */
static double log_sum_exp_real(const double *x, int64_t n)
{
    const double most = max_real(x, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    return isinf(most) ? most : most + log(sum);
}

static double squares_around_mean(const double *x, int64_t n)
{
    const double mean = mean_real(x, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

static double var_real(const double *x, int64_t n)
{
    return squares_around_mean(x, n) / (double)n;
}

static double unbiased_real(const double *x, int64_t n)
{
    return squares_around_mean(x, n) / (double)(n - 1);
}

static const struct cfg_field reduce_fields[] = {
    {"axes", CFG_INTS, offsetof(struct reduce_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimensions that go; all where none are named. A second input overrides it.", NULL},
    {"keepdims", CFG_BOOL, offsetof(struct reduce_attr, keepdims), 0, 0, "true", NULL,
     "They stay, as 1.", NULL},
    {"noop_with_empty_axes", CFG_BOOL, offsetof(struct reduce_attr, noop_with_empty_axes), 0, 0,
     "false", NULL, "No axes named: nothing is done.", NULL},
    {0},
};
static const struct cfg_field var_fields[] = {
    {"axes", CFG_INTS, offsetof(struct reduce_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimensions that go; all where none are named. A second input overrides it.", NULL},
    {"keepdims", CFG_BOOL, offsetof(struct reduce_attr, keepdims), 0, 0, "true", NULL,
     "They stay, as 1.", NULL},
    {"unbiased", CFG_BOOL, offsetof(struct reduce_attr, unbiased), 0, 0, "false", NULL,
     "Divides by one less than the number of elements.", NULL},
    {0},
};

static bool flags_of(const struct reduce_attr *a, int n, bool *flags, GError **error)
{
    bool all = a->axes.n == 0 && !a->noop_with_empty_axes;
    for (int d = 0; d < n; d++)
        flags[d] = all;
    return infer_axes(&a->axes, n, flags, error);
}

static bool reduce_infer(const struct op_infer *c, GError **error)
{
    struct reduce_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    bool flags[SHAPE_MAX_DIM];
    if (c->in[0]->type == NUMBER_uint64)
        return error_set(error, ERROR_UNSUPPORTED, "uint64 is not computed with");
    if (!infer_ints(c, 1, &a->axes, error) || !flags_of(a, in->n_dim, flags, error))
        return false;
    for (int d = 0; d < in->n_dim; d++)
        if (!flags[d] || a->keepdims)
            out->dim[out->n_dim++] = flags[d] ? 1 : in->dim[d];
    return true;
}

struct rows {
    const struct row_function *r;
    const char *data; /* rows side by side */
    struct tensor *out;
    enum number type;
    int64_t n_row, n;
    double *scratch; /* a row for each thread */
};

static void reduce_row(const struct rows *j, int64_t row, void *scratch)
{
    const char *src = j->data + (size_t)(row * j->n) * number_bytes(j->type);
    char *dst = (char *)j->out->data + (size_t)row * number_bytes(j->out->type);
    if (!number_is_float(j->type) && j->r->whole) {
        number_cast(scratch, NUMBER_int64, src, j->type, (size_t)j->n);
        const int64_t x = j->r->whole(scratch, j->n);
        number_cast(dst, j->out->type, &x, NUMBER_int64, 1);
    } else {
        number_cast(scratch, NUMBER_fp64, src, j->type, (size_t)j->n);
        const double x = j->r->real(scratch, j->n);
        number_cast(dst, j->out->type, &x, NUMBER_fp64, 1);
    }
}

static void reduce_panel(void *arg, int i_panel, int i_thread)
{
    const struct rows *j = arg;
    struct panel p = panel_at(j->n_row, panel_items(j->n), i_panel);
    for (int64_t row = p.begin; row < p.end; row++)
        reduce_row(j, row, j->scratch + i_thread * j->n);
}

/* The reduced dimensions behind the others; NULL where they lie so already, or without memory. */
static void *gather_rows(const struct op_call *c, const bool *flags, bool *ok, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    int64_t perm[SHAPE_MAX_DIM];
    int n = 0;
    bool in_order = true;
    for (int d = 0; d < in->n_dim; d++)
        if (!flags[d])
            perm[n++] = d;
    for (int d = 0; d < in->n_dim; d++)
        if (flags[d])
            perm[n++] = d;
    for (int d = 0; d < in->n_dim; d++)
        in_order &= perm[d] == d;
    if (in_order)
        return NULL;
    void *rows = g_try_malloc(MAX(tensor_bytes(c->in[0]), 1));
    *ok = rows || error_set(error, ERROR_LIMIT, "no memory for a reduction");
    if (rows)
        permute(rows, c->in[0]->data, number_bytes(c->in[0]->type), in, perm, c->threads);
    return rows;
}

static bool reduce(const struct op_call *c, const struct row_function *r, GError **error)
{
    bool flags[SHAPE_MAX_DIM], ok = flags_of(c->attr, c->in[0]->shape.n_dim, flags, error);
    void *rows = ok ? gather_rows(c, flags, &ok, error) : NULL;
    struct rows j = {.r = r,
                     .data = rows ? rows : c->in[0]->data,
                     .out = c->out[0],
                     .type = c->in[0]->type,
                     .n_row = shape_count(&c->out[0]->shape)};
    j.n = shape_count(&c->in[0]->shape) / MAX(j.n_row, 1);
    if (ok) {
        j.scratch =
            g_try_malloc_n((gsize)threads_count(c->threads) * (gsize)MAX(j.n, 1), sizeof(double));
        ok = j.scratch || error_set(error, ERROR_LIMIT, "no memory for a reduction");
    }
    if (ok)
        threads_run(c->threads, panel_count(j.n_row, panel_items(MAX(j.n, 1))), reduce_panel, &j);
    g_free(j.scratch);
    g_free(rows);
    return ok;
}

/* Of one dimension, which leaves a value there. */
static void reduce_traits(const struct op_infer *c, struct traits *t)
{
    const struct reduce_attr *a = c->attr;
    const int n_dim = c->in[0]->shape.n_dim;
    const int axis = (int)(a->axes.v[0] < 0 ? a->axes.v[0] + n_dim : a->axes.v[0]);
    t->row = (struct traits_row){axis, a->keepdims && a->axes.n == 1, -1};
}

#define OPERATOR(op_name, n_read, text, table, formats, ...)                                       \
    static bool reduce_##op_name##_forward(const struct op_call *c, GError **error)                \
    {                                                                                              \
        static const struct row_function r = __VA_ARGS__;                                          \
        return reduce(c, &r, error);                                                               \
    }                                                                                              \
    const struct op op_reduce_##op_name = {                                                        \
        .name = "reduce_" #op_name,                                                                \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct reduce_attr),                                                   \
        .min_data = 1,                                                                             \
        .max_data = 2,                                                                             \
        .types = formats,                                                                          \
        .known = 1 << 1,                                                                           \
        .kind = TRAITS_ROW,                                                                        \
        .reads = n_read,                                                                           \
        .infer = reduce_infer,                                                                     \
        .forward = reduce_##op_name##_forward,                                                     \
        .traits = reduce_traits,                                                                   \
    };
OPERATOR(sum, 1, "Sum over dimensions.", reduce_fields, OP_NUMBER, {sum_real, sum_whole})
OPERATOR(mean, 1, "Mean over dimensions; of integers cut off.", reduce_fields, OP_NUMBER,
         {mean_real, NULL})
OPERATOR(max, 1, "The largest element over dimensions.", reduce_fields, OP_NUMBER,
         {max_real, max_whole})
OPERATOR(min, 1, "The smallest element over dimensions.", reduce_fields, OP_NUMBER,
         {min_real, min_whole})
OPERATOR(prod, 0, "Product over dimensions.", reduce_fields, OP_NUMBER, {prod_real, prod_whole})
OPERATOR(l1, 0, "Sum of absolute values over dimensions.", reduce_fields, OP_NUMBER,
         {l1_real, l1_whole})
OPERATOR(l2, 0, "Square root of the sum of squares over dimensions.", reduce_fields, OP_NUMBER,
         {l2_real, NULL})
OPERATOR(log_sum, 0, "Logarithm of the sum over dimensions.", reduce_fields, OP_NUMBER,
         {log_sum_real, NULL})
OPERATOR(log_sum_exp, 0, "Logarithm of the sum of exponentials over dimensions.", reduce_fields,
         OP_NUMBER, {log_sum_exp_real, NULL})
OPERATOR(sum_square, 0, "Sum of squares over dimensions.", reduce_fields, OP_NUMBER,
         {sum_square_real, sum_square_whole})
OPERATOR(any, 0, "1 where an element over dimensions is not 0.", reduce_fields, OP_ANY,
         {any_real, NULL})
OPERATOR(all, 0, "1 where no element over dimensions is 0.", reduce_fields, OP_ANY,
         {all_real, NULL})

static bool var_forward(const struct op_call *c, GError **error)
{
    static const struct row_function biased = {var_real, NULL}, unbiased = {unbiased_real, NULL};
    return reduce(c, ((const struct reduce_attr *)c->attr)->unbiased ? &unbiased : &biased, error);
}

const struct op op_reduce_var = {
    .name = "reduce_var",
    .summary = "Variance over dimensions.",
    .fields = var_fields,
    .attr_size = sizeof(struct reduce_attr),
    .min_data = 1,
    .max_data = 2,
    .types = OP_FLOAT,
    .known = 1 << 1,
    .kind = TRAITS_ROW,
    .infer = reduce_infer,
    .forward = var_forward,
    .traits = reduce_traits,
};

static const struct cfg_field global_fields[] = {
    {"p", CFG_INT, offsetof(struct pool_attr, p), 1, 64, "2", NULL, "Exponent of the norm.", NULL},
    {0},
};

static bool global_infer(const struct op_infer *c, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    if (in->n_dim < 3)
        return error_set(error, ERROR_INPUT, "the input has no dimension behind the channels");
    c->out[0].shape = *in;
    for (int d = 2; d < in->n_dim; d++)
        c->out[0].shape.dim[d] = 1;
    return true;
}

/* All behind the channels. */
static bool global(const struct op_call *c, const struct row_function *r, GError **error)
{
    const struct reduce_attr a = {.axes = {c->in[0]->shape.n_dim - 2, {2, 3, 4, 5, 6, 7}},
                                  .keepdims = true};
    struct op_call call = *c;
    call.attr = &a;
    return reduce(&call, r, error);
}

static bool global_avgpool_forward(const struct op_call *c, GError **error)
{
    static const struct row_function r = {mean_real, NULL};
    return global(c, &r, error);
}

static bool global_maxpool_forward(const struct op_call *c, GError **error)
{
    static const struct row_function r = {max_real, NULL};
    return global(c, &r, error);
}

static bool global_lp_pool_forward(const struct op_call *c, GError **error)
{
    static const struct row_function norms[] = {{l1_real, NULL}, {l2_real, NULL}};
    const int64_t p = ((const struct pool_attr *)c->attr)->p;
    if (p > 2)
        return error_set(error, ERROR_UNSUPPORTED, "a norm of exponent %" G_GINT64_FORMAT, p);
    return global(c, &norms[p - 1], error);
}

#define GLOBAL(op_name, n_read, text, table, attr_bytes)                                           \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = attr_bytes,                                                                   \
        .min_data = 1,                                                                             \
        .max_data = 1,                                                                             \
        .kind = TRAITS_IMAGE,                                                                      \
        .reads = n_read,                                                                           \
        .infer = global_infer,                                                                     \
        .forward = op_name##_forward,                                                              \
    };
GLOBAL(global_avgpool, 1, "The mean of each channel.", NULL, 0)
GLOBAL(global_maxpool, 1, "The largest element of each channel.", NULL, 0)
GLOBAL(global_lp_pool, 0, "The p-norm of each channel.", global_fields, sizeof(struct pool_attr))
