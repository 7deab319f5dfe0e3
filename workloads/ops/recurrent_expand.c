/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers by steps. The inputs' products of all steps are one fully connected layer, which
 * holds both biases where they are only added; each step adds its state's product, whose weights
 * all steps share, and applies the gates. A first step without a state lacks what would be zero. */
#include <string.h>

#include "workloads/expand_draft.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/recurrent.h"

enum { PARAM_WEIGHT, PARAM_RECURRENT, PARAM_BIAS };
enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };

static const struct {
    const char *name;
    const struct op *op;
} activations[] = {
    {"sigmoid", &op_sigmoid},   {"tanh", &op_tanh},         {"relu", &op_relu},
    {"softsign", &op_softsign}, {"softplus", &op_softplus}, {"hardsigmoid", &op_hard_sigmoid},
};

static bool is_given(const struct node *n, int i)
{
    return i < n->n_data && n->in[i] >= 0;
}

/* A state of constant zeros is none. */
static bool has_state(const struct graph *g, const struct node *n, int i)
{
    if (!is_given(n, i))
        return false;
    const struct value *v = &g->values[n->in[i]];
    gsize size = 0;
    const char *data = v->data ? g_bytes_get_data(v->data, &size) : NULL;
    for (gsize k = 0; k < size; k++)
        if (data[k])
            return true;
    return !data;
}

bool recurrent_expands(const struct graph *g, const struct node *n, const struct recurrent_kind *k,
                       const char **why)
{
    const struct recurrent_attr *a = n->attr;
    const struct shape *x = &g->values[n->in[IN_X]].shape;
    const bool is_gru = k == &recurrent_gru;
    const struct {
        bool wrong;
        const char *why;
    } rules[] = {
        {is_given(n, IN_LENGTHS), "its sequences end at different steps"},
        {a->peephole, "its gates see the cell"},
        {a->input_forget, "its forget gate follows from its input gate"},
        {is_gru && a->linear_before_reset && a->bias && !has_state(g, n, IN_H),
         "its reset gate acts on a bias alone in the first step"},
        {shape_count(x) == 0, "it has no steps"},
        {g->values[n->in[IN_X]].type != NUMBER_fp32, "its input is not fp32"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (!rules[i].wrong)
            continue;
        *why = rules[i].why;
        return false;
    }
    return true;
}

/* One direction of a layer. Names are of values; NULL: zero. */
struct pass {
    struct expand_draft *d;
    const struct recurrent_attr *a;
    const struct recurrent_kind *kind;
    int dir;
    int64_t steps, depth, hidden;
    const char *inputs;       /* products of all steps, a row of gates for each */
    const char *recurrent[2]; /* weights; of a GRU: of both gates, of the candidate */
    const char *bias, *candidate_bias;
    const char *h, *c;
    const char **out; /* by step */
};

static const struct op *function(const struct pass *p, int i)
{
    const int n = p->kind->n_activation;
    const char *name =
        p->a->activations.n ? p->a->activations.v[p->dir * n + i] : p->kind->defaults[i];
    size_t k = 0;
    while (strcmp(activations[k].name, name))
        g_assert(++k < G_N_ELEMENTS(activations));
    return activations[k].op;
}

static const char *name_of(const struct pass *p, int64_t step, const char *what)
{
    return expand_name(p->d, "%d.%" G_GINT64_FORMAT ".%s", p->dir, step, what);
}

static const char *unary(const struct pass *p, int64_t step, const char *what, const struct op *op,
                         const void *attr, const char *x)
{
    return expand_node(p->d, name_of(p, step, what), op, attr, &x, 1);
}

static const char *binary(const struct pass *p, int64_t step, const char *what, const struct op *op,
                          const char *x, const char *y)
{
    return expand_node(p->d, name_of(p, step, what), op, NULL, (const char *[]){x, y}, 2);
}

/* A gate's function of its sum, which may be bounded. */
static const char *gate(const struct pass *p, int64_t step, const char *what, int i, const char *x)
{
    const struct clip_attr clip = {-p->a->clip, p->a->clip};
    if (p->a->clip > 0) {
        g_autofree char *own = g_strconcat(what, "_clip", NULL);
        x = unary(p, step, own, &op_clip, &clip, x);
    }
    return unary(p, step, what, function(p, i), NULL, x);
}

static const char *product(const struct pass *p, int64_t step, const char *what, const char *x,
                           const char *weight, const char *bias)
{
    const char *in[] = {x, weight, bias};
    const struct fc_attr a = {.features = 1, .bias = bias != NULL, .axis = 1};
    return expand_node(p->d, name_of(p, step, what), &op_fc, &a, in, bias ? 3 : 2);
}

/* Columns of a row of gates. */
static const char *columns(const struct pass *p, int64_t step, const char *what, const char *x,
                           int64_t first, int64_t n)
{
    return expand_slice(p->d, name_of(p, step, what), x, 1, first * p->hidden, n * p->hidden);
}

static int64_t gates(const struct pass *p)
{
    return p->kind->n_gate * p->hidden;
}

/* Biases lie [inputs' gates, states' gates]; both are added at once, but those of a GRU's candidate
 * where the reset gate comes between. */
static void make_biases(struct pass *p)
{
    const int64_t n = gates(p), first = p->dir * 2 * n;
    const bool apart = p->kind == &recurrent_gru && p->a->linear_before_reset;
    if (!p->a->bias)
        return;
    p->bias = expand_param(
        p->d, expand_name(p->d, "%d.bias", p->dir), &(struct shape){1, {n}},
        (struct expand_run){PARAM_BIAS, first, first + n, apart ? 2 * p->hidden : n}, 0);
    if (apart)
        p->candidate_bias = expand_param(
            p->d, expand_name(p->d, "%d.candidate_bias", p->dir), &(struct shape){1, {p->hidden}},
            (struct expand_run){PARAM_BIAS, first + n + 2 * p->hidden, 0, 0}, 0);
}

static void make_inputs(struct pass *p)
{
    const int64_t n = gates(p);
    const char *weight = expand_param(
        p->d, expand_name(p->d, "%d.weight", p->dir), &(struct shape){2, {n, p->depth}},
        (struct expand_run){.i_param = PARAM_WEIGHT, .first = p->dir * n * p->depth}, p->depth);
    make_biases(p);
    const char *in[] = {p->d->from->values[p->d->node->in[IN_X]].name, weight, p->bias};
    const struct fc_attr a = {.features = 1, .bias = p->bias != NULL, .axis = 2};
    p->inputs =
        expand_node(p->d, expand_name(p->d, "%d.inputs", p->dir), &op_fc, &a, in, p->bias ? 3 : 2);
    const int64_t parts[] = {p->kind == &recurrent_gru ? 2 * p->hidden : n, p->hidden};
    int64_t first = p->dir * n * p->hidden;
    for (int i = 0; i < (p->kind == &recurrent_gru ? 2 : 1); i++) {
        p->recurrent[i] = expand_param(
            p->d, expand_name(p->d, "%d.recurrent%d", p->dir, i),
            &(struct shape){2, {parts[i], p->hidden}},
            (struct expand_run){.i_param = PARAM_RECURRENT, .first = first}, p->hidden);
        first += parts[i] * p->hidden;
    }
}

/* [batch, gates] of one step. */
static const char *step_inputs(const struct pass *p, int64_t step)
{
    if (p->steps == 1)
        return expand_reshape(p->d, name_of(p, step, "row"), NULL, p->inputs, 2,
                              (int64_t[]){-1, gates(p)});
    const char *x =
        expand_slice(p->d, name_of(p, step, "inputs"), p->inputs, p->a->layout, step, 1);
    return expand_reshape(p->d, name_of(p, step, "row"), NULL, x, 2, (int64_t[]){-1, gates(p)});
}

static const char *with_state(const struct pass *p, int64_t step, const char *x)
{
    if (!p->h)
        return x;
    return binary(p, step, "sum", &op_add, x,
                  product(p, step, "state", p->h, p->recurrent[0], NULL));
}

static void step_rnn(struct pass *p, int64_t step)
{
    p->h = gate(p, step, "h", 0, with_state(p, step, step_inputs(p, step)));
}

static void step_lstm(struct pass *p, int64_t step)
{
    const char *sum = with_state(p, step, step_inputs(p, step));
    const char *i = gate(p, step, "i", 0, columns(p, step, "i_sum", sum, LSTM_I, 1));
    const char *g = gate(p, step, "g", 1, columns(p, step, "g_sum", sum, LSTM_C, 1));
    const char *o = gate(p, step, "o", 0, columns(p, step, "o_sum", sum, LSTM_O, 1));
    const char *now = binary(p, step, "new", &op_mul, i, g);
    if (p->c) {
        const char *f = gate(p, step, "f", 0, columns(p, step, "f_sum", sum, LSTM_F, 1));
        now = binary(p, step, "c", &op_add, binary(p, step, "kept", &op_mul, f, p->c), now);
    }
    p->c = now;
    p->h = binary(p, step, "h", &op_mul, o, unary(p, step, "c_out", function(p, 2), NULL, now));
}

/* The candidate's sum: the reset gate acts on the state, or behind its product. */
static const char *candidate(const struct pass *p, int64_t step, const char *x, const char *r)
{
    if (!p->h)
        return x;
    const bool behind = p->a->linear_before_reset;
    const char *in = behind ? p->h : binary(p, step, "reset", &op_mul, r, p->h);
    const char *s = product(p, step, "candidate", in, p->recurrent[1], p->candidate_bias);
    return binary(p, step, "n_sum", &op_add, x,
                  behind ? binary(p, step, "reset", &op_mul, r, s) : s);
}

/* h' = (1 - z) n + z h = n + z (h - n) */
static void step_gru(struct pass *p, int64_t step)
{
    const char *x = step_inputs(p, step);
    const char *zr = with_state(p, step, columns(p, step, "zr_inputs", x, 0, 2));
    const char *z = gate(p, step, "z", 0, columns(p, step, "z_sum", zr, 0, 1));
    const char *r = p->h ? gate(p, step, "r", 0, columns(p, step, "r_sum", zr, 1, 1)) : NULL;
    const char *n = columns(p, step, "n_inputs", x, 2, 1);
    n = gate(p, step, "n", 1, candidate(p, step, n, r));
    if (!p->h)
        p->h = binary(p, step, "h", &op_sub, n, binary(p, step, "kept", &op_mul, z, n));
    else
        p->h = binary(
            p, step, "h", &op_add, n,
            binary(p, step, "kept", &op_mul, z, binary(p, step, "change", &op_sub, p->h, n)));
}

/* [batch, hidden] of an initial state, [directions, batch, hidden] or batch first. */
static const char *initial(const struct pass *p, int i_in, const char *what)
{
    const struct node *n = p->d->node;
    if (!has_state(p->d->from, n, i_in))
        return NULL;
    const char *x = p->d->from->values[n->in[i_in]].name;
    if (p->a->direction == DIRECTION_BIDIRECTIONAL)
        x = expand_slice(p->d, expand_name(p->d, "%d.%s", p->dir, what), x, p->a->layout, p->dir,
                         1);
    return expand_reshape(p->d, expand_name(p->d, "%d.%s_row", p->dir, what), NULL, x, 2,
                          (int64_t[]){-1, p->hidden});
}

static void run_pass(struct pass *p)
{
    const bool is_reverse = p->dir == 1 || p->a->direction == DIRECTION_REVERSE;
    make_inputs(p);
    p->h = initial(p, IN_H, "h");
    p->c = p->kind == &recurrent_lstm ? initial(p, IN_C, "c") : NULL;
    for (int64_t i = 0; i < p->steps; i++) {
        const int64_t step = is_reverse ? p->steps - 1 - i : i;
        if (p->kind == &recurrent_rnn)
            step_rnn(p, step);
        else if (p->kind == &recurrent_gru)
            step_gru(p, step);
        else
            step_lstm(p, step);
        p->out[step] = p->h;
    }
}

/* n states, [batch, hidden] each, as an output of the layer: one behind the other, or, batch first,
 * side by side. */
static void join(struct expand_draft *d, int i_out, const char *what, const char *const *states,
                 int n, const struct recurrent_attr *a)
{
    if (i_out >= d->node->n_out || d->node->out[i_out] < 0)
        return;
    const struct value *v = &d->from->values[d->node->out[i_out]];
    const char *all =
        n == 1 ? states[0]
               : expand_concat(d, expand_name(d, "%s_all", what), NULL, states, n, a->layout);
    struct shape s = v->shape;
    s.dim[a->layout ? 0 : s.n_dim - 2] = -1; /* the batch */
    expand_reshape(d, expand_name(d, "%s", what), v->name, all, s.n_dim, s.dim);
}

void recurrent_expand(struct expand_draft *d, const struct recurrent_kind *k)
{
    const struct recurrent_attr *a = d->node->attr;
    const struct shape *x = &d->from->values[d->node->in[IN_X]].shape;
    const int n_dir = a->direction == DIRECTION_BIDIRECTIONAL ? 2 : 1;
    const int64_t steps = x->dim[a->layout];
    g_autofree const char **out = g_new(const char *, (gsize)(steps * n_dir));
    g_autofree const char **own = g_new(const char *, (gsize)steps);
    const char *h[2], *c[2];
    for (int i = 0; i < n_dir; i++) {
        struct pass p = {.d = d,
                         .a = a,
                         .kind = k,
                         .dir = i,
                         .steps = steps,
                         .depth = x->dim[2],
                         .hidden = a->hidden,
                         .out = own};
        run_pass(&p);
        for (int64_t s = 0; s < steps; s++)
            out[s * n_dir + i] = own[s];
        h[i] = p.h;
        c[i] = p.c;
    }
    join(d, 0, "y", out, (int)(steps * n_dir), a);
    join(d, 1, "y_h", h, n_dir, a);
    join(d, 2, "y_c", c, n_dir, a);
}
