/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of recurrent layers: the inputs' products are made for all steps at once; then
 * each step adds its state's product and applies the gates. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/recurrent.h"
#include "workloads/ops/vector_math.h"

enum { LSTM_I, LSTM_O, LSTM_F, LSTM_C };
enum { GRU_Z, GRU_R, GRU_H };

static float act_relu(float x)
{
    return x > 0 ? x : 0;
}

static float act_softsign(float x)
{
    return x / (1 + fabsf(x));
}

static float act_softplus(float x)
{
    return log1pf(expf(x));
}

static float act_hard_sigmoid(float x)
{
    return fminf(fmaxf(0.2f * x + 0.5f, 0), 1);
}

static float act_tanh(float x)
{
    return vm_tanh(x);
}

static float act_sigmoid(float x)
{
    return vm_sigmoid(x);
}

static const struct {
    const char *name;
    recurrent_activation fn;
} activations[] = {
    {"sigmoid", act_sigmoid},   {"tanh", act_tanh},         {"relu", act_relu},
    {"softsign", act_softsign}, {"softplus", act_softplus}, {"hardsigmoid", act_hard_sigmoid},
};

recurrent_activation recurrent_find_activation(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(activations); i++)
        if (strcmp(activations[i].name, name) == 0)
            return activations[i].fn;
    return NULL;
}

/* One direction of one call. Arrays of batch x hidden for each gate, gate by gate in a row. */
struct recurrent_pass {
    const struct op_call *c;
    const struct recurrent_attr *a;
    const struct recurrent_kind *k;
    int d;
    int64_t steps, batch, hidden, gates; /* gates: elements of a row, n_gate * hidden */
    const float *weight, *recurrent, *bias, *peephole;
    float *inputs;           /* [steps, batch, gates] */
    float *sums;             /* [batch, gates] */
    float *h, *cell, *spare; /* [batch, hidden] */
    recurrent_activation f[3];
};

static const float *param(const struct recurrent_pass *p, int i, int64_t per_direction)
{
    const struct tensor *t = p->k->n_data + i < p->c->n_in ? p->c->in[p->k->n_data + i] : NULL;
    return t ? (const float *)t->data + p->d * per_direction : NULL;
}

static int64_t row_of_x(const struct recurrent_pass *p, int64_t step, int64_t b)
{
    return p->a->layout ? b * p->steps + step : step * p->batch + b;
}

static float clipped(const struct recurrent_pass *p, float x)
{
    const float most = (float)p->a->clip;
    return most > 0 ? fminf(fmaxf(x, -most), most) : x;
}

/* y [batch, cols] += h W^T, W [cols, hidden] */
static void add_state(const struct recurrent_pass *p, const float *h, const float *w, int64_t cols,
                      float *y, int64_t pitch)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->batch, (int)cols, (int)p->hidden,
                1, h, (int)p->hidden, w, (int)p->hidden, 1, y, (int)pitch);
}

static void make_inputs(const struct recurrent_pass *p)
{
    const struct tensor *x = p->c->in[0];
    const int64_t n_row = p->steps * p->batch, depth = x->shape.dim[2];
    for (int64_t row = 0; row < n_row; row++)
        for (int64_t i = 0; i < p->gates; i++)
            p->inputs[row * p->gates + i] = p->bias ? p->bias[i] : 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_row, (int)p->gates, (int)depth, 1,
                x->data, (int)depth, p->weight, (int)depth, 1, p->inputs, (int)p->gates);
}

/* Recurrent biases lie behind the inputs' ones. */
static float state_bias(const struct recurrent_pass *p, int64_t i)
{
    return p->bias ? p->bias[p->gates + i] : 0;
}

static void begin_step(const struct recurrent_pass *p, int64_t step)
{
    for (int64_t b = 0; b < p->batch; b++)
        memcpy(p->sums + b * p->gates, p->inputs + row_of_x(p, step, b) * p->gates,
               (size_t)p->gates * sizeof(float));
}

static void step_rnn(struct recurrent_pass *p, float *next, float *next_cell)
{
    (void)next_cell;
    add_state(p, p->h, p->recurrent, p->gates, p->sums, p->gates);
    for (int64_t i = 0; i < p->batch * p->hidden; i++)
        next[i] = p->f[0](clipped(p, p->sums[i] + state_bias(p, i % p->hidden)));
}

static void step_lstm(struct recurrent_pass *p, float *next, float *next_cell)
{
    const int64_t n = p->hidden;
    const float *peep = p->peephole; /* i, o, f */
    add_state(p, p->h, p->recurrent, p->gates, p->sums, p->gates);
    for (int64_t b = 0; b < p->batch; b++)
        for (int64_t u = 0; u < n; u++) {
            const float *s = p->sums + b * p->gates + u;
            const float c = p->cell[b * n + u];
            float g[4];
            for (int k = 0; k < 4; k++)
                g[k] = s[k * n] + state_bias(p, k * n + u);
            g[LSTM_I] += peep ? peep[u] * c : 0;
            g[LSTM_F] += peep ? peep[2 * n + u] * c : 0;
            const float i = p->f[0](clipped(p, g[LSTM_I]));
            const float f = p->a->input_forget ? 1 - i : p->f[0](clipped(p, g[LSTM_F]));
            const float now = f * c + i * p->f[1](clipped(p, g[LSTM_C]));
            g[LSTM_O] += peep ? peep[n + u] * now : 0;
            next_cell[b * n + u] = now;
            next[b * n + u] = p->f[0](clipped(p, g[LSTM_O])) * p->f[2](now);
        }
}

static void step_gru(struct recurrent_pass *p, float *next, float *next_cell)
{
    const int64_t n = p->hidden;
    float *reset = next_cell; /* r h, or R h of the candidate: a spare row set of a GRU */
    add_state(p, p->h, p->recurrent, 2 * n, p->sums, p->gates);
    for (int64_t b = 0; b < p->batch; b++)
        for (int64_t u = 0; u < 2 * n; u++) {
            float *s = p->sums + b * p->gates + u;
            *s = p->f[0](clipped(p, *s + state_bias(p, u)));
        }
    for (int64_t i = 0; i < p->batch * n; i++)
        reset[i] = p->a->linear_before_reset ? state_bias(p, 2 * n + i % n)
                                             : p->sums[i / n * p->gates + n + i % n] * p->h[i];
    if (p->a->linear_before_reset)
        add_state(p, p->h, p->recurrent + 2 * n * n, n, reset, n);
    else
        add_state(p, reset, p->recurrent + 2 * n * n, n, p->sums + 2 * n, p->gates);
    for (int64_t i = 0; i < p->batch * n; i++) {
        const float *s = p->sums + i / n * p->gates + i % n;
        const float state =
            p->a->linear_before_reset ? s[n] * reset[i] : state_bias(p, 2 * n + i % n);
        const float candidate = p->f[1](clipped(p, s[2 * n] + state));
        next[i] = (1 - s[0]) * candidate + s[0] * p->h[i];
    }
}

const struct recurrent_kind recurrent_rnn = {1, 1, 3, {"tanh"}, 1, step_rnn};
const struct recurrent_kind recurrent_gru = {3, 1, 3, {"sigmoid", "tanh"}, 2, step_gru};
const struct recurrent_kind recurrent_lstm = {4, 2, 4, {"sigmoid", "tanh", "tanh"}, 3, step_lstm};

static int64_t length_of(const struct recurrent_pass *p, int64_t b)
{
    const struct tensor *t = p->c->n_in > IN_LENGTHS ? p->c->in[IN_LENGTHS] : NULL;
    return t ? CLAMP(number_get_int64(t->data, t->type, (size_t)b), 0, p->steps) : p->steps;
}

static float *output_at(const struct recurrent_pass *p, int64_t step, int64_t b)
{
    const int64_t n_d = recurrent_n_direction(p->a);
    const int64_t row =
        p->a->layout ? (b * p->steps + step) * n_d + p->d : (step * n_d + p->d) * p->batch + b;
    return (float *)p->c->out[0]->data + row * p->hidden;
}

/* Sequences that have ended keep their state and give zeros. */
static void end_step(struct recurrent_pass *p, int64_t step, float *next, float *next_cell)
{
    const size_t row = (size_t)p->hidden * sizeof(float);
    for (int64_t b = 0; b < p->batch; b++) {
        const bool is_on = step < length_of(p, b);
        const int64_t at = b * p->hidden;
        if (is_on) {
            memcpy(p->h + at, next + at, row);
            if (p->k->n_state == 2)
                memcpy(p->cell + at, next_cell + at, row);
            memcpy(output_at(p, step, b), next + at, row);
        } else {
            memset(output_at(p, step, b), 0, row);
        }
    }
}

static float *state_at(const struct recurrent_pass *p, void *data, int64_t b)
{
    const int64_t n_d = recurrent_n_direction(p->a);
    return (float *)data + (p->a->layout ? b * n_d + p->d : p->d * p->batch + b) * p->hidden;
}

static void move_states(const struct recurrent_pass *p, bool is_end)
{
    const size_t row = (size_t)p->hidden * sizeof(float);
    for (int s = 0; s < p->k->n_state; s++)
        for (int64_t b = 0; b < p->batch; b++) {
            float *own = (s ? p->cell : p->h) + b * p->hidden;
            const int i_in = IN_H + s, i_out = 1 + s;
            if (is_end && i_out < p->c->n_out && p->c->out[i_out])
                memcpy(state_at(p, p->c->out[i_out]->data, b), own, row);
            else if (!is_end && i_in < p->c->n_in && p->c->in[i_in])
                memcpy(own, state_at(p, p->c->in[i_in]->data, b), row);
            else if (!is_end)
                memset(own, 0, row);
        }
}

static void run_pass(struct recurrent_pass *p)
{
    const bool is_reverse = p->d == 1 || p->a->direction == DIRECTION_REVERSE;
    float *next = p->spare, *next_cell = p->spare + p->batch * p->hidden;
    make_inputs(p);
    move_states(p, false);
    for (int64_t i = 0; i < p->steps; i++) {
        const int64_t step = is_reverse ? p->steps - 1 - i : i;
        begin_step(p, step);
        p->k->step(p, next, next_cell);
        end_step(p, step, next, next_cell);
    }
    move_states(p, true);
}

bool recurrent_run(const struct op_call *c, const struct recurrent_kind *k, GError **error)
{
    const struct recurrent_attr *a = c->attr;
    const struct shape *x = &c->in[0]->shape;
    struct recurrent_pass p = {.c = c,
                               .a = a,
                               .k = k,
                               .steps = x->dim[a->layout],
                               .batch = x->dim[!a->layout],
                               .hidden = a->hidden,
                               .gates = k->n_gate * a->hidden};
    int64_t rows;
    const int64_t state = p.batch * p.hidden;
    if (!int64_mul(&rows, p.steps * p.batch + p.batch, p.gates) ||
        MAX(p.steps * p.batch, MAX(p.gates, x->dim[2])) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the layer is too large for OpenBLAS");
    p.inputs = g_try_malloc_n((gsize)(rows + 4 * state), sizeof(float));
    if (!p.inputs)
        return error_set(error, ERROR_LIMIT, "no memory for a recurrent layer");
    p.sums = p.inputs + p.steps * p.batch * p.gates;
    p.h = p.sums + p.batch * p.gates;
    p.cell = p.h + state;
    p.spare = p.cell + state;
    for (p.d = 0; p.d < recurrent_n_direction(a); p.d++) {
        p.weight = param(&p, 0, p.gates * x->dim[2]);
        p.recurrent = param(&p, 1, p.gates * p.hidden);
        p.bias = param(&p, 2, 2 * p.gates);
        p.peephole = param(&p, 3, 3 * p.hidden);
        for (int i = 0; i < k->n_activation; i++)
            p.f[i] = recurrent_find_activation(
                a->activations.n ? a->activations.v[p.d * k->n_activation + i] : k->defaults[i]);
        run_pass(&p);
    }
    g_free(p.inputs);
    return true;
}
