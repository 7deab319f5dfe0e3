/* SPDX-License-Identifier: Apache-2.0 */
/* Einstein's sum: "bij,bjk->bik". Letters name dimensions; what the output does not name is
 * summed. */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/matrix.h"

#define MAX_TERM   8
#define N_LABEL    128 /* ASCII; an ellipsis takes the codes from 1 on */
#define MAX_LETTER 16

static const struct cfg_field einsum_fields[] = {
    {"equation", CFG_STRING, offsetof(struct einsum_attr, equation), 0, 0, NULL, NULL,
     "Letters of each input's dimensions, an arrow, and the output's.", NULL},
    {0},
};

struct term {
    int n;
    char label[SHAPE_MAX_DIM];
};

struct equation {
    struct term in[MAX_TERM], out;
    int n_in;
    int64_t dim[N_LABEL];
    char order[2 * MAX_LETTER]; /* all labels: the output's, then the summed ones */
    int n_label, n_out;
};

/* One side's letters; "..." stands for the dimensions that are left, aligned at their end. */
static bool parse_term(const char *text, size_t length, int rank, int n_ellipsis, struct term *t)
{
    t->n = 0;
    size_t letters = 0;
    for (size_t i = 0; i < length; i++)
        letters += g_ascii_isalpha(text[i]) != 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ')
            continue;
        if (text[i] == '.') {
            if (i + 2 >= length || text[i + 1] != '.' || text[i + 2] != '.')
                return false;
            const int n = rank >= 0 ? rank - (int)letters : n_ellipsis;
            if (n < 0 || t->n + n > SHAPE_MAX_DIM || n > SHAPE_MAX_DIM)
                return false;
            for (int d = 0; d < n; d++)
                t->label[t->n++] = (char)(1 + SHAPE_MAX_DIM - n + d);
            i += 2;
        } else if (!g_ascii_isalpha(text[i]) || t->n == SHAPE_MAX_DIM) {
            return false;
        } else {
            t->label[t->n++] = text[i];
        }
    }
    return rank < 0 || t->n == rank;
}

/* Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order. */
static void default_output(struct equation *e)
{
    for (int label = 1; label < N_LABEL; label++) {
        int n = 0;
        for (int i = 0; i < e->n_in; i++)
            for (int d = 0; d < e->in[i].n; d++)
                n += e->in[i].label[d] == label;
        if ((n == 1 || (n > 0 && label <= SHAPE_MAX_DIM)) && e->out.n < SHAPE_MAX_DIM)
            e->out.label[e->out.n++] = (char)label;
    }
}

static bool add_dims(struct equation *e, const struct term *t, const struct shape *s)
{
    for (int d = 0; d < t->n; d++) {
        int64_t *dim = &e->dim[(int)t->label[d]];
        const bool may_broadcast = t->label[d] <= SHAPE_MAX_DIM;
        if (*dim && *dim != s->dim[d] && !(may_broadcast && (*dim == 1 || s->dim[d] == 1)))
            return false;
        *dim = MAX(*dim, s->dim[d]);
    }
    return true;
}

/* All labels in an order: the output's first. */
static bool order_labels(struct equation *e)
{
    for (int d = 0; d < e->out.n; d++) {
        if (!e->dim[(int)e->out.label[d]] || memchr(e->order, e->out.label[d], (size_t)e->n_label))
            return false;
        e->order[e->n_label++] = e->out.label[d];
    }
    e->n_out = e->n_label;
    for (int label = 1; label < N_LABEL; label++) {
        if (!e->dim[label] || memchr(e->order, label, (size_t)e->n_label))
            continue;
        if (e->n_label == MAX_LETTER)
            return false;
        e->order[e->n_label++] = (char)label;
    }
    return true;
}

static bool parse(const char *text, const struct shape *const *shapes, int n_in,
                  struct equation *e)
{
    *e = (struct equation){.n_in = n_in};
    const char *arrow = strstr(text, "->"), *end = arrow ? arrow : text + strlen(text);
    int n_ellipsis = 0;
    const char *at = text;
    for (int i = 0; i < n_in; i++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        if ((comma == NULL) != (i == n_in - 1))
            return false;
        const size_t length = (size_t)((comma ? comma : end) - at);
        if (!parse_term(at, length, shapes[i]->n_dim, 0, &e->in[i]) ||
            !add_dims(e, &e->in[i], shapes[i]))
            return false;
        int own = 0;
        for (int d = 0; d < e->in[i].n; d++)
            own += e->in[i].label[d] <= SHAPE_MAX_DIM;
        n_ellipsis = MAX(n_ellipsis, own);
        at = comma ? comma + 1 : end;
    }
    if (!arrow)
        default_output(e);
    else if (!parse_term(arrow + 2, strlen(arrow + 2), -1, n_ellipsis, &e->out))
        return false;
    return order_labels(e);
}

static bool parse_call(const struct einsum_attr *a, const struct shape *const *shapes, int n,
                       struct equation *e, GError **error)
{
    return parse(a->equation, shapes, n, e) ||
           error_set(error, ERROR_INPUT, "the equation '%s' does not fit the inputs", a->equation);
}

static bool einsum_infer(const struct op_infer *c, GError **error)
{
    struct equation e;
    const struct shape *shapes[MAX_TERM];
    for (int i = 0; i < c->n_in; i++)
        shapes[i] = &c->in[i]->shape;
    if (!infer_one_type(c, error) || !parse_call(c->attr, shapes, c->n_in, &e, error))
        return false;
    c->out[0].shape.n_dim = e.out.n;
    for (int d = 0; d < e.out.n; d++)
        c->out[0].shape.dim[d] = e.dim[(int)e.out.label[d]];
    return true;
}

static uint64_t einsum_macs(const struct op_infer *c)
{
    struct equation e;
    const struct shape *shapes[MAX_TERM];
    int64_t dims[2 * MAX_LETTER];
    for (int i = 0; i < c->n_in; i++)
        shapes[i] = &c->in[i]->shape;
    if (c->n_in < 2 || !parse_call(c->attr, shapes, c->n_in, &e, NULL))
        return 0;
    for (int i = 0; i < e.n_label; i++)
        dims[i] = e.dim[(int)e.order[i]];
    return op_product(e.n_label, dims);
}

/* How far each input moves at a step of each label. */
static void steps_of(const struct equation *e, int i, const struct shape *s, int64_t *step)
{
    memset(step, 0, sizeof(*step) * 2 * MAX_LETTER);
    for (int d = 0; d < e->in[i].n; d++)
        for (int k = 0; k < e->n_label; k++)
            if (e->order[k] == e->in[i].label[d] && s->dim[d] > 1)
                step[k] += shape_count_from(s, d + 1);
}

struct loops {
    const struct op_call *c;
    struct equation e;
    int64_t step[MAX_TERM][2 * MAX_LETTER];
    int64_t n_sum;
};

/* One output: a sum over the labels that it does not name, in fp64 or int64. */
static void sum_one(const struct loops *l, int64_t i_out)
{
    const struct equation *e = &l->e;
    const enum number type = l->c->in[0]->type;
    int64_t base[MAX_TERM] = {0}, rest = i_out;
    for (int k = e->n_out - 1; k >= 0; k--) {
        const int64_t dim = e->dim[(int)e->order[k]];
        for (int i = 0; i < e->n_in; i++)
            base[i] += rest % dim * l->step[i][k];
        rest /= dim;
    }
    double real = 0;
    uint64_t whole = 0;
    for (int64_t s = 0; s < l->n_sum; s++) {
        int64_t at[MAX_TERM];
        memcpy(at, base, sizeof(at));
        rest = s;
        for (int k = e->n_label - 1; k >= e->n_out; k--) {
            const int64_t dim = e->dim[(int)e->order[k]];
            for (int i = 0; i < e->n_in; i++)
                at[i] += rest % dim * l->step[i][k];
            rest /= dim;
        }
        double r = 1;
        uint64_t w = 1;
        for (int i = 0; i < e->n_in; i++) {
            const void *data = l->c->in[i]->data;
            if (number_is_float(type))
                r *= number_get_fp64(data, type, (size_t)at[i]);
            else
                w *= (uint64_t)number_get_int64(data, type, (size_t)at[i]);
        }
        real += r;
        whole += w;
    }
    char *out = (char *)l->c->out[0]->data + (size_t)i_out * number_bytes(type);
    if (number_is_float(type))
        number_convert(out, type, &real, NUMBER_fp64, 1);
    else
        number_cast(out, type, &whole, NUMBER_uint64, 1);
}

static bool einsum_forward(const struct op_call *c, GError **error)
{
    struct loops l = {.c = c, .n_sum = 1};
    const struct shape *shapes[MAX_TERM];
    for (int i = 0; i < c->n_in; i++)
        shapes[i] = &c->in[i]->shape;
    if (!parse_call(c->attr, shapes, c->n_in, &l.e, error))
        return false;
    for (int i = 0; i < c->n_in; i++)
        steps_of(&l.e, i, shapes[i], l.step[i]);
    for (int k = l.e.n_out; k < l.e.n_label; k++)
        l.n_sum *= l.e.dim[(int)l.e.order[k]];
    for (int64_t i = 0; i < shape_count(&c->out[0]->shape); i++)
        sum_one(&l, i);
    return true;
}

const struct op op_einsum = {
    .name = "einsum",
    .summary = "Products of its inputs, summed over the dimensions that the output does not name.",
    .fields = einsum_fields,
    .attr_size = sizeof(struct einsum_attr),
    .min_data = 1,
    .max_data = MAX_TERM,
    .types = OP_NUMBER,
    .widens = true,
    .infer = einsum_infer,
    .macs = einsum_macs,
    .forward = einsum_forward,
};
