/* SPDX-License-Identifier: Apache-2.0 */
/* Places and orders along one dimension: argmax, argmin, top_k; and running sums. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/neural.h"

#define LD G_GINT64_FORMAT

#define FIELD_AXIS(attr, def)                                                                      \
    {                                                                                              \
        "axis", CFG_INT, offsetof(struct attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, def,      \
            NULL, "Dimension; negative counts from the end.", NULL                                 \
    }

/* Lines along the axis: `n` elements, `inner` apart. */
struct lines {
    int64_t n_line, n, inner;
};

static struct lines lines_of(const struct shape *s, int64_t axis)
{
    const int64_t n = s->dim[axis];
    return (struct lines){shape_count(s) / n, n, shape_count_from(s, (int)axis + 1)};
}

static int64_t line_at(const struct lines *l, int64_t i)
{
    return i / l->inner * l->n * l->inner + i % l->inner;
}

/* An element in both its readings, so that 64-bit integers compare exactly. */
struct key {
    double real;
    int64_t whole, index;
};

static struct key key_at(const struct tensor *t, int64_t at, int64_t index)
{
    struct key k = {.index = index};
    if (number_is_float(t->type))
        k.real = number_get_fp64(t->data, t->type, (size_t)at);
    else
        k.whole = number_get_int64(t->data, t->type, (size_t)at);
    return k;
}

static int compare_values(const struct key *a, const struct key *b)
{
    if (a->real != b->real)
        return a->real < b->real ? -1 : 1;
    return (a->whole > b->whole) - (a->whole < b->whole);
}

static const struct cfg_field arg_fields[] = {
    FIELD_AXIS(arg_attr, "0"),
    {"keepdims", CFG_BOOL, offsetof(struct arg_attr, keepdims), 0, 0, "true", NULL,
     "The dimension stays, as 1.", NULL},
    {"select_last_index", CFG_BOOL, offsetof(struct arg_attr, select_last_index), 0, 0, "false",
     NULL, "The last of equal elements, not the first.", NULL},
    {0},
};

static bool refuse_uint64(const struct op_infer *c, GError **error)
{
    return c->in[0]->type != NUMBER_uint64 ||
           error_set(error, ERROR_UNSUPPORTED, "uint64 is not compared");
}

static bool arg_infer(const struct op_infer *c, GError **error)
{
    struct arg_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    if (!axis_normalise(&a->axis, in, error) || !refuse_uint64(c, error))
        return false;
    for (int d = 0; d < in->n_dim; d++)
        if (d != a->axis || a->keepdims)
            c->out[0].shape.dim[c->out[0].shape.n_dim++] = d == a->axis ? 1 : in->dim[d];
    c->out[0].type = NUMBER_int64;
    return true;
}

static bool arg_find(const struct op_call *c, int sign)
{
    const struct arg_attr *a = c->attr;
    const struct lines l = lines_of(&c->in[0]->shape, a->axis);
    for (int64_t i = 0; i < l.n_line; i++) {
        struct key best = key_at(c->in[0], line_at(&l, i), 0);
        for (int64_t k = 1; k < l.n; k++) {
            const struct key now = key_at(c->in[0], line_at(&l, i) + k * l.inner, k);
            const int order = sign * compare_values(&now, &best);
            if (order > 0 || (order == 0 && a->select_last_index))
                best = now;
        }
        ((int64_t *)c->out[0]->data)[i] = best.index;
    }
    return true;
}

static bool argmax_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return arg_find(c, 1);
}

static bool argmin_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return arg_find(c, -1);
}

static const struct cfg_field top_k_fields[] = {
    {"k", CFG_INT, offsetof(struct top_k_attr, k), 0, 0x1p40, "1", NULL,
     "How many; a second input overrides it.", NULL},
    FIELD_AXIS(top_k_attr, "-1"),
    {"largest", CFG_BOOL, offsetof(struct top_k_attr, largest), 0, 0, "true", NULL,
     "The largest ones, not the smallest.", NULL},
    {"sorted", CFG_BOOL, offsetof(struct top_k_attr, sorted), 0, 0, "true", NULL,
     "In order (they always are).", NULL},
    {0},
};

static bool top_k_infer(const struct op_infer *c, GError **error)
{
    struct top_k_attr *a = c->attr;
    if (!infer_int(c, 1, &a->k, error) || !axis_normalise(&a->axis, &c->in[0]->shape, error) ||
        !refuse_uint64(c, error))
        return false;
    if (a->k < 0 || a->k > c->in[0]->shape.dim[a->axis])
        return error_set(error, ERROR_INPUT, "k = %" LD " of %" LD, a->k,
                         c->in[0]->shape.dim[a->axis]);
    for (int i = 0; i < c->n_out; i++) {
        c->out[i].shape = c->in[0]->shape;
        c->out[i].shape.dim[a->axis] = a->k;
    }
    if (c->n_out > 1)
        c->out[1].type = NUMBER_int64;
    return true;
}

static gint compare_ascending(gconstpointer a, gconstpointer b, gpointer user)
{
    const struct key *x = a, *y = b;
    const int order = compare_values(x, y) * *(const int *)user;
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static bool top_k_forward(const struct op_call *c, GError **error)
{
    const struct top_k_attr *a = c->attr;
    const struct lines l = lines_of(&c->in[0]->shape, a->axis);
    const size_t size = number_bytes(c->in[0]->type);
    int sign = a->largest ? -1 : 1;
    struct key *keys = g_try_malloc_n((gsize)l.n, sizeof(*keys));
    if (!keys || l.n > G_MAXINT32) {
        g_free(keys);
        return error_set(error, ERROR_LIMIT, "no memory to sort %" LD " elements", l.n);
    }
    for (int64_t i = 0; i < l.n_line; i++) {
        const int64_t at = line_at(&l, i), to = i / l.inner * a->k * l.inner + i % l.inner;
        for (int64_t k = 0; k < l.n; k++)
            keys[k] = key_at(c->in[0], at + k * l.inner, k);
        g_qsort_with_data(keys, (gint)l.n, sizeof(*keys), compare_ascending, &sign);
        for (int64_t k = 0; k < a->k; k++) {
            memcpy((char *)c->out[0]->data + (size_t)(to + k * l.inner) * size,
                   (const char *)c->in[0]->data + (size_t)(at + keys[k].index * l.inner) * size,
                   size);
            if (c->n_out > 1 && c->out[1])
                ((int64_t *)c->out[1]->data)[to + k * l.inner] = keys[k].index;
        }
    }
    g_free(keys);
    return true;
}

static const struct cfg_field cumulate_fields[] = {
    FIELD_AXIS(cumulate_attr, "0"),
    {"exclusive", CFG_BOOL, offsetof(struct cumulate_attr, exclusive), 0, 0, "false", NULL,
     "An element does not count itself.", NULL},
    {"reverse", CFG_BOOL, offsetof(struct cumulate_attr, reverse), 0, 0, "false", NULL,
     "From the last element to the first.", NULL},
    {0},
};

static bool cumulate_infer(const struct op_infer *c, GError **error)
{
    struct cumulate_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    return infer_int(c, 1, &a->axis, error) && axis_normalise(&a->axis, &c->in[0]->shape, error) &&
           refuse_uint64(c, error);
}

/* Running sums or products of a line, in fp64 or int64. */
static bool cumulate(const struct op_call *c, bool is_product)
{
    const struct cumulate_attr *a = c->attr;
    const struct lines l = lines_of(&c->in[0]->shape, a->axis);
    const enum number type = c->in[0]->type;
    for (int64_t i = 0; i < l.n_line; i++) {
        double real = is_product;
        uint64_t whole = is_product;
        for (int64_t k = 0; k < l.n; k++) {
            const int64_t step = a->reverse ? l.n - 1 - k : k;
            const int64_t at = line_at(&l, i) + step * l.inner;
            const struct key x = key_at(c->in[0], at, 0);
            const double next = is_product ? real * x.real : real + x.real;
            const uint64_t next_whole =
                is_product ? whole * (uint64_t)x.whole : whole + (uint64_t)x.whole;
            const double keep = a->exclusive ? real : next;
            const uint64_t keep_whole = a->exclusive ? whole : next_whole;
            char *out = (char *)c->out[0]->data + (size_t)at * number_bytes(type);
            if (number_is_float(type))
                number_convert(out, type, &keep, NUMBER_fp64, 1);
            else
                number_cast(out, type, &keep_whole, NUMBER_uint64, 1);
            real = next;
            whole = next_whole;
        }
    }
    return true;
}

static bool cumsum_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return cumulate(c, false);
}

static bool cumprod_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return cumulate(c, true);
}

#define OPERATOR(op_name, text, table, attr, most_in, most_out, known_bits, infer_fn)              \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct attr),                                                          \
        .min_data = 1,                                                                             \
        .max_data = most_in,                                                                       \
        .max_out = most_out,                                                                       \
        .types = OP_NUMBER,                                                                        \
        .known = known_bits,                                                                       \
        .infer = infer_fn,                                                                         \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(argmax, "The place of the largest element.", arg_fields, arg_attr, 1, 1, 0, arg_infer)
OPERATOR(argmin, "The place of the smallest element.", arg_fields, arg_attr, 1, 1, 0, arg_infer)
OPERATOR(top_k, "The k largest elements and their places.", top_k_fields, top_k_attr, 2, 2, 1 << 1,
         top_k_infer)
OPERATOR(cumsum, "Running sum.", cumulate_fields, cumulate_attr, 2, 1, 1 << 1, cumulate_infer)
OPERATOR(cumprod, "Running product.", cumulate_fields, cumulate_attr, 2, 1, 1 << 1, cumulate_infer)
