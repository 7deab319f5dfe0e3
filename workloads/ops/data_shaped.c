/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs whose shape is the data's: nonzero, compress, unique. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/any_type.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define LD G_GINT64_FORMAT

static bool is_set(const struct tensor *t, int64_t i)
{
    return number_get_fp64(t->data, t->type, (size_t)i) != 0;
}

static int64_t count_set(const struct operand *in)
{
    const struct tensor t = {in->type, in->shape, (void *)in->known};
    int64_t n = 0;
    for (int64_t i = 0; i < shape_count(&in->shape); i++)
        n += is_set(&t, i);
    return n;
}

static bool nonzero_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    const int64_t rank = MAX(c->in[0]->shape.n_dim, 1);
    c->out[0] = (struct operand){NUMBER_int64, {2, {rank, count_set(c->in[0])}}, NULL};
    return true;
}

static bool nonzero_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct shape *in = &c->in[0]->shape;
    int64_t *out = c->out[0]->data, n = c->out[0]->shape.dim[1], k = 0;
    for (int64_t i = 0; i < shape_count(in); i++) {
        int64_t rest = i;
        if (!is_set(c->in[0], i))
            continue;
        for (int d = in->n_dim - 1; d >= 0; d--) {
            out[d * n + k] = rest % in->dim[d];
            rest /= in->dim[d];
        }
        if (in->n_dim == 0)
            out[k] = 0;
        k++;
    }
    return true;
}

static const struct cfg_field optional_axis_fields[] = {
    {"axis", CFG_INTS, offsetof(struct unique_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimension whose slices are looked at; the elements where none is given.", NULL},
    {0},
};
static const struct cfg_field unique_fields[] = {
    {"axis", CFG_INTS, offsetof(struct unique_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimension whose slices are looked at; the elements where none is given.", NULL},
    {"sorted", CFG_BOOL, offsetof(struct unique_attr, sorted), 0, 0, "true", NULL,
     "In ascending order, not in the order of appearance.", NULL},
    {0},
};

/* The input as [outer, n, inner] around the axis; all of it where there is none. */
struct slices {
    int64_t outer, n, inner;
};

static bool slices_of(const struct unique_attr *a, const struct shape *in, struct slices *s,
                      GError **error)
{
    *s = (struct slices){1, shape_count(in), 1};
    if (a->axis.n == 0)
        return true;
    int64_t axis = a->axis.v[0];
    if (!axis_normalise(&axis, in, error))
        return false;
    s->n = in->dim[axis];
    s->inner = shape_count_from(in, (int)axis + 1);
    s->outer = shape_count(in) / MAX(1, shape_count_from(in, (int)axis));
    return true;
}

/* `in` with n slices instead. */
static void set_slices(const struct unique_attr *a, const struct shape *in, int64_t n,
                       struct shape *out)
{
    *out = (struct shape){1, {n}};
    if (a->axis.n) {
        *out = *in;
        out->dim[a->axis.v[0] + (a->axis.v[0] < 0 ? in->n_dim : 0)] = n;
    }
}

static void copy_slice(const struct op_call *c, const struct slices *s, int64_t from, int64_t to,
                       int64_t n_to)
{
    const size_t block = (size_t)s->inner * number_bytes(c->in[0]->type);
    for (int64_t i = 0; i < s->outer; i++)
        memcpy((char *)c->out[0]->data + (size_t)(i * n_to + to) * block,
               (const char *)c->in[0]->data + (size_t)(i * s->n + from) * block, block);
}

static bool compress_infer(const struct op_infer *c, GError **error)
{
    struct slices s;
    if (!slices_of(c->attr, &c->in[0]->shape, &s, error))
        return false;
    if (c->in[1]->shape.n_dim != 1 || c->in[1]->shape.dim[0] > s.n)
        return error_set(error, ERROR_INPUT, "the condition is no list of at most %" LD, s.n);
    set_slices(c->attr, &c->in[0]->shape, count_set(c->in[1]), &c->out[0].shape);
    return true;
}

static bool compress_forward(const struct op_call *c, GError **error)
{
    struct slices s;
    if (!slices_of(c->attr, &c->in[0]->shape, &s, error))
        return false;
    const int64_t n = shape_count(&c->out[0]->shape) / MAX(1, s.outer * s.inner);
    for (int64_t i = 0, k = 0; i < c->in[1]->shape.dim[0]; i++)
        if (is_set(c->in[1], i))
            copy_slice(c, &s, i, k++, n);
    return true;
}

/* Slices compared element by element. */
struct finder {
    const void *data;
    enum number type;
    struct slices s;
};

static int compare_slices(const struct finder *f, int64_t a, int64_t b)
{
    for (int64_t i = 0; i < f->s.outer; i++)
        for (int64_t k = 0; k < f->s.inner; k++) {
            const size_t at = (size_t)((i * f->s.n + a) * f->s.inner + k);
            const size_t bt = (size_t)((i * f->s.n + b) * f->s.inner + k);
            const double x = number_get_fp64(f->data, f->type, at);
            const double y = number_get_fp64(f->data, f->type, bt);
            if (x != y)
                return x < y ? -1 : 1;
        }
    return 0;
}

static gint compare_indices(gconstpointer a, gconstpointer b, gpointer user)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order = compare_slices(user, x, y);
    return order ? order : (x > y) - (x < y);
}

/* order[]: slices in ascending order, equal ones in the order of appearance. The caller frees it.
 */
static int64_t *sort_slices(struct finder *f)
{
    int64_t *order = g_new(int64_t, MAX(f->s.n, 1));
    for (int64_t i = 0; i < f->s.n; i++)
        order[i] = i;
    g_qsort_with_data(order, (gint)f->s.n, sizeof(*order), compare_indices, f);
    return order;
}

static bool unique_infer(const struct op_infer *c, GError **error)
{
    struct unique_attr *a = c->attr;
    struct finder f = {c->in[0]->known, c->in[0]->type, {0}};
    if (!slices_of(a, &c->in[0]->shape, &f.s, error))
        return false;
    if (f.s.n > G_MAXINT32)
        return error_set(error, ERROR_LIMIT, "more than 2^31 slices");
    int64_t *order = sort_slices(&f);
    a->n_unique = f.s.n > 0;
    for (int64_t i = 1; i < f.s.n; i++)
        a->n_unique += compare_slices(&f, order[i - 1], order[i]) != 0;
    g_free(order);
    set_slices(a, &c->in[0]->shape, a->n_unique, &c->out[0].shape);
    const int64_t lengths[] = {0, a->n_unique, f.s.n, a->n_unique};
    for (int i = 1; i < c->n_out; i++)
        c->out[i] = (struct operand){NUMBER_int64, {1, {lengths[i]}}, NULL};
    return true;
}

/* Groups of equal slices: the first of each, and how many. */
struct group {
    int64_t first, count;
};

static int compare_groups(const void *a, const void *b)
{
    const int64_t x = ((const struct group *)a)->first, y = ((const struct group *)b)->first;
    return (x > y) - (x < y);
}

static bool unique_forward(const struct op_call *c, GError **error)
{
    const struct unique_attr *a = c->attr;
    struct finder f = {c->in[0]->data, c->in[0]->type, {0}};
    if (!slices_of(a, &c->in[0]->shape, &f.s, error))
        return false;
    int64_t *order = sort_slices(&f), n = 0;
    struct group *groups = g_new0(struct group, f.s.n + 1);
    for (int64_t i = 0; i < f.s.n; i++) {
        if (i == 0 || compare_slices(&f, order[i - 1], order[i]) != 0)
            groups[n++].first = order[i];
        groups[n - 1].count++;
    }
    if (!a->sorted)
        qsort(groups, (size_t)n, sizeof(*groups), compare_groups);
    for (int64_t k = 0; k < n; k++) {
        copy_slice(c, &f.s, groups[k].first, k, n);
        if (c->n_out > 1 && c->out[1])
            ((int64_t *)c->out[1]->data)[k] = groups[k].first;
        if (c->n_out > 3 && c->out[3])
            ((int64_t *)c->out[3]->data)[k] = groups[k].count;
        for (int64_t i = 0; c->n_out > 2 && c->out[2] && i < f.s.n; i++)
            if (compare_slices(&f, i, groups[k].first) == 0)
                ((int64_t *)c->out[2]->data)[i] = k;
    }
    g_free(order);
    g_free(groups);
    return true;
}

OPERATOR(nonzero, "The indices of the elements that are not 0.", NULL, 0, 1, 1, .shaped_by = 1)
OPERATOR(compress, "The slices where a condition is true.", optional_axis_fields,
         sizeof(struct unique_attr), 2, 2, .shaped_by = 1 << 1)
OPERATOR(unique, "Each different slice once; also its first place, the places' numbers, counts.",
         unique_fields, sizeof(struct unique_attr), 1, 1, .shaped_by = 1, .max_out = 4)
