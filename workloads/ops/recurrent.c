/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers as ONNX defines them: rnn, gru, lstm. */
#include "workloads/ops/recurrent.h"

#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"

#define LD G_GINT64_FORMAT

static const char *const directions[] = {"forward", "reverse", "bidirectional", NULL};
#define FIELDS                                                                                     \
    {"hidden",                                                                                     \
     CFG_INT,                                                                                      \
     offsetof(struct recurrent_attr, hidden),                                                      \
     0,                                                                                            \
     INT32_MAX,                                                                                    \
     "0",                                                                                          \
     NULL,                                                                                         \
     "Size of the state; a recurrent weight that is given tells it.",                              \
     NULL},                                                                                        \
        {"direction",                                                                              \
         CFG_ENUM,                                                                                 \
         offsetof(struct recurrent_attr, direction),                                               \
         0,                                                                                        \
         0,                                                                                        \
         "forward",                                                                                \
         NULL,                                                                                     \
         "In which order the steps are taken; bidirectional does both.",                           \
         directions},                                                                              \
        {"activations",                                                                            \
         CFG_STRINGS,                                                                              \
         offsetof(struct recurrent_attr, activations),                                             \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         NULL,                                                                                     \
         "Functions of the gates: sigmoid, tanh, relu, softsign, softplus or hardsigmoid.",        \
         NULL},                                                                                    \
        {"clip", CFG_FLOAT, offsetof(struct recurrent_attr, clip),      0,   1e30,                 \
         "0.0",  NULL,      "Bound of what goes into a gate; 0: none.", NULL},                     \
        {"bias", CFG_BOOL, offsetof(struct recurrent_attr, bias), 0,   0,                          \
         "true", NULL,     "Adds numbers to the gates.",          NULL},                           \
    {                                                                                              \
        "layout", CFG_INT, offsetof(struct recurrent_attr, layout), 0, 1, "0", NULL,               \
            "1: the batch is the first dimension, the steps the second.", NULL                     \
    }
static const struct cfg_field rnn_fields[] = {FIELDS, {0}};
static const struct cfg_field gru_fields[] = {
    FIELDS,
    {"linear_before_reset", CFG_BOOL, offsetof(struct recurrent_attr, linear_before_reset), 0, 0,
     "false", NULL, "The reset gate acts behind the product with the state.", NULL},
    {0},
};
static const struct cfg_field lstm_fields[] = {
    FIELDS,
    {"input_forget", CFG_BOOL, offsetof(struct recurrent_attr, input_forget), 0, 0, "false", NULL,
     "The forget gate is one less the input gate.", NULL},
    {"peephole", CFG_BOOL, offsetof(struct recurrent_attr, peephole), 0, 0, "false", NULL,
     "The gates see the cell.", NULL},
    {0},
};

static int params_of(const struct op_infer *c, const struct recurrent_kind *k, struct op_param *out)
{
    const struct recurrent_attr *a = c->attr;
    const int64_t d = recurrent_n_direction(a), h = a->hidden, g = k->n_gate,
                  in = c->in[0]->shape.dim[2];
    out[0] = (struct op_param){"weight", {3, {d, g * h, in}}, in, false, 0, 0};
    out[1] = (struct op_param){"recurrent", {3, {d, g * h, h}}, h, false, 0, 0};
    out[2] = (struct op_param){"bias", {2, {d, 2 * g * h}}, 0, false, 0, 0};
    out[3] = (struct op_param){"peephole", {2, {d, 3 * h}}, 0, false, 0, 0};
    return a->peephole ? 4 : a->bias ? 3 : 2;
}

static bool check_activations(const struct recurrent_attr *a, const struct recurrent_kind *k,
                              GError **error)
{
    if (a->activations.n && a->activations.n != k->n_activation * recurrent_n_direction(a))
        return error_set(error, ERROR_INPUT, "%d activations, %d are expected", a->activations.n,
                         k->n_activation * recurrent_n_direction(a));
    for (int i = 0; i < a->activations.n; i++)
        if (!recurrent_find_activation(a->activations.v[i]))
            return error_set(error, ERROR_UNSUPPORTED, "activation '%s'", a->activations.v[i]);
    return true;
}

static bool check_given(const struct op_infer *c, const struct recurrent_kind *k, GError **error)
{
    struct op_param params[OP_MAX_PARAM];
    params_of(c, k, params);
    for (int i = 0; i < OP_MAX_PARAM; i++) {
        const struct operand *given = infer_input(c, k->n_data + i);
        if (given && !shape_equal(&given->shape, &params[i].shape))
            return error_set(error, ERROR_INPUT, "the %s does not fit the input", params[i].suffix);
    }
    return true;
}

static bool infer_kind(const struct op_infer *c, const struct recurrent_kind *k, GError **error)
{
    struct recurrent_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    const struct operand *r = infer_input(c, k->n_data + 1);
    if (x->n_dim != 3)
        return error_set(error, ERROR_INPUT,
                         "the input has %d dimensions, not 3 (steps, batch, "
                         "features)",
                         x->n_dim);
    if (r && r->shape.n_dim == 3)
        a->hidden = r->shape.dim[2];
    if (r) {
        a->bias = infer_input(c, k->n_data + 2) != NULL;
        a->peephole = infer_input(c, k->n_data + 3) != NULL;
    }
    if (a->hidden < 1 || a->hidden > INT32_MAX / 8)
        return error_set(error, ERROR_INPUT, "the state has %" LD " elements", a->hidden);
    if (!check_activations(a, k, error) || !check_given(c, k, error))
        return false;
    const int64_t d = recurrent_n_direction(a), batch = x->dim[!a->layout],
                  steps = x->dim[a->layout];
    const struct shape state = a->layout ? (struct shape){3, {batch, d, a->hidden}}
                                         : (struct shape){3, {d, batch, a->hidden}};
    c->out[0].shape = a->layout ? (struct shape){4, {batch, steps, d, a->hidden}}
                                : (struct shape){4, {steps, d, batch, a->hidden}};
    for (int i = 1; i < c->n_out; i++)
        c->out[i].shape = state;
    for (int i = IN_H; i < k->n_data; i++)
        if (infer_input(c, i) && !shape_equal(&c->in[i]->shape, &state))
            return error_set(error, ERROR_INPUT, "the initial state does not fit");
    const struct operand *lengths = infer_input(c, IN_LENGTHS);
    return !lengths || shape_count(&lengths->shape) == batch ||
           error_set(error, ERROR_INPUT, "there are not as many lengths as sequences");
}

static uint64_t macs_of(const struct op_infer *c, const struct recurrent_kind *k)
{
    const struct recurrent_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    return op_product(5, (int64_t[]){x->dim[0] * x->dim[1], recurrent_n_direction(a), k->n_gate,
                                     a->hidden, x->dim[2] + a->hidden});
}

#define OPERATOR(op_name, text)                                                                    \
    static bool op_name##_infer(const struct op_infer *c, GError **error)                          \
    {                                                                                              \
        return infer_kind(c, &recurrent_##op_name, error);                                         \
    }                                                                                              \
    static int op_name##_params(const struct op_infer *c, struct op_param *out)                    \
    {                                                                                              \
        return params_of(c, &recurrent_##op_name, out);                                            \
    }                                                                                              \
    static uint64_t op_name##_macs(const struct op_infer *c)                                       \
    {                                                                                              \
        return macs_of(c, &recurrent_##op_name);                                                   \
    }                                                                                              \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        return recurrent_run(c, &recurrent_##op_name, error);                                      \
    }                                                                                              \
    static bool op_name##_expands(const struct graph *g, const struct node *n, const char **why)   \
    {                                                                                              \
        return recurrent_expands(g, n, &recurrent_##op_name, why);                                 \
    }                                                                                              \
    static void op_name##_expand(struct expand_draft *d)                                           \
    {                                                                                              \
        recurrent_expand(d, &recurrent_##op_name);                                                 \
    }                                                                                              \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = op_name##_fields,                                                                \
        .attr_size = sizeof(struct recurrent_attr),                                                \
        .min_data = 1,                                                                             \
        .max_data = 3 + (sizeof(#op_name) == sizeof("lstm")),                                      \
        .max_out = 2 + (sizeof(#op_name) == sizeof("lstm")),                                       \
        .infer = op_name##_infer,                                                                  \
        .params = op_name##_params,                                                                \
        .macs = op_name##_macs,                                                                    \
        .forward = op_name##_forward,                                                              \
        .expands = op_name##_expands,                                                              \
        .expand = op_name##_expand,                                                                \
    };
OPERATOR(rnn, "Recurrent layer: a function of the input and its own last output.")
OPERATOR(gru, "Gated recurrent unit (Cho et al. 2014).")
OPERATOR(lstm, "Long short-term memory (Hochreiter, Schmidhuber 1997; with peepholes Gers 2000).")
