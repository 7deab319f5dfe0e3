/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/infer.h"

#include "sim/base/error.h"

bool infer_as_first(const struct op_infer *c, GError **error)
{
    (void)error;
    for (int i = 0; i < c->n_out; i++) {
        c->out[i].shape = c->in[0]->shape;
        c->out[i].type = c->in[0]->type;
    }
    return true;
}

/* `s` into `out`, both aligned at their last dimensions. */
static bool broadcast(struct shape *out, const struct shape *s)
{
    struct shape wide = {.n_dim = MAX(out->n_dim, s->n_dim)};
    for (int i = 1; i <= wide.n_dim; i++) {
        int64_t a = i <= out->n_dim ? out->dim[out->n_dim - i] : 1;
        int64_t b = i <= s->n_dim ? s->dim[s->n_dim - i] : 1;
        if (a != b && a != 1 && b != 1)
            return false;
        wide.dim[wide.n_dim - i] = a == 1 ? b : a;
    }
    *out = wide;
    return true;
}

bool infer_broadcast(const struct op_infer *c, struct shape *out, GError **error)
{
    *out = c->in[0]->shape;
    for (int i = 1; i < c->n_in; i++) {
        const struct shape before = *out;
        if (!c->in[i] || broadcast(out, &c->in[i]->shape))
            continue;
        struct arena *a = arena_new();
        error_set(error, ERROR_INPUT, "the inputs' shapes %s and %s do not fit together",
                  shape_text(&before, 0, a), shape_text(&c->in[i]->shape, 0, a));
        arena_free(a);
        return false;
    }
    return true;
}

bool infer_one_type(const struct op_infer *c, GError **error)
{
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && c->in[i]->type != c->in[0]->type)
            return error_set(error, ERROR_INPUT, "input %d is %s, the first %s", i + 1,
                             number_names[c->in[i]->type], number_names[c->in[0]->type]);
    return true;
}

int infer_list(const struct op_infer *c, int i, int64_t *out, int most, GError **error)
{
    const struct operand *in = infer_input(c, i);
    if (!in)
        return 0;
    int64_t n = shape_count(&in->shape);
    if (number_is_float(in->type) || in->shape.n_dim > 1 || n > most) {
        error_set(error, ERROR_INPUT, "input %d is no list of at most %d integers", i + 1, most);
        return -1;
    }
    g_assert(in->known);
    for (int k = 0; k < n; k++)
        out[k] = number_get_int64(in->known, in->type, (size_t)k);
    return (int)n;
}

bool infer_int(const struct op_infer *c, int i, int64_t *out, GError **error)
{
    if (!infer_input(c, i))
        return true;
    int64_t given;
    const int n = infer_list(c, i, &given, 1, error);
    if (n == 1)
        *out = given;
    return n == 1 || (n == 0 && error_set(error, ERROR_INPUT, "input %d is empty", i + 1));
}

bool infer_ints(const struct op_infer *c, int i, struct cfg_ints *out, GError **error)
{
    if (!infer_input(c, i))
        return true;
    int n = infer_list(c, i, out->v, CFG_MAX_INTS, error);
    if (n >= 0)
        out->n = n;
    return n >= 0;
}

bool infer_axes(const struct cfg_ints *axes, int n, bool *flags, GError **error)
{
    for (int i = 0; i < axes->n; i++) {
        int64_t axis = axes->v[i] + (axes->v[i] < 0 ? n : 0);
        if (axis < 0 || axis >= n || flags[axis])
            return error_set(error, ERROR_INPUT,
                             "axis %" G_GINT64_FORMAT " is none of %d, or named twice", axes->v[i],
                             n);
        flags[axis] = true;
    }
    return true;
}
