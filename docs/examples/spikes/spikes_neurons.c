/* SPDX-License-Identifier: Apache-2.0 */
#include "spikes_neurons.h"

#include <string.h>

#include "workloads/ops/ops.h"
#include "workloads/threads.h"

bool spikes_neurons_init(struct spikes_neurons *t, const struct graph *g, GError **error)
{
    t->v = values_new(g);
    for (int i = 0; i < g->n_value; i++)
        if (g->values[i].kind == VALUE_NODE &&
            !tensor_alloc(&t->v->at[i], g->values[i].type, &g->values[i].shape, error))
            return false;
    return true;
}

bool spikes_neurons_take(struct spikes_neurons *t, const struct tensor *from, bool inputs,
                         GError **error)
{
    for (int i = 0; i < t->v->graph->n_value; i++) {
        const struct value *v = &t->v->graph->values[i];
        if (from[i].data && v->kind != VALUE_NODE && (v->kind == VALUE_INPUT) == inputs &&
            !v->data && !values_set(t->v, v->name, from[i].data, error))
            return false;
    }
    return true;
}

static bool run_node(struct spikes_neurons *t, const struct node *n, GError **error)
{
    const struct tensor *in[OP_MAX_IN];
    struct tensor *out = &t->v->at[n->out[0]];
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i] < 0 ? NULL : &t->v->at[n->in[i]];
    if (n->op != &op_fc) {
        struct pool_threads *threads = threads_new(1);
        const struct op_call call = {n->attr, &out, 1, in, n->n_in, n->n_data, threads};
        const bool ok = op_run(n->op, &call, error);
        threads_free(threads);
        return ok;
    }
    const int64_t features = in[1]->shape.dim[0], k = shape_count_from(&in[1]->shape, 1);
    const float *x = in[0]->data, *bias = n->n_in > 2 ? in[2]->data : NULL;
    for (int64_t i = 0; i < shape_count(&in[0]->shape) / k; i++) {
        float *y = (float *)out->data + i * features;
        t->sum(x + i * k, in[1]->data, features, k, y);
        for (int64_t j = 0; bias && j < features; j++)
            y[j] += bias[j];
    }
    return true;
}

/* All new contents are read before any is written: one may be another's next. */
static void end_tick(struct spikes_neurons *t)
{
    const struct graph *g = t->v->graph;
    g_autofree void **next = g_new(void *, g->n_state);
    for (int i = 0; i < g->n_state; i++) {
        const struct tensor *from = &t->v->at[g->values[g->states[i]].next];
        next[i] = g_memdup2(from->data, tensor_bytes(from));
    }
    for (int i = 0; i < g->n_state; i++) {
        memcpy(t->v->at[g->states[i]].data, next[i], tensor_bytes(&t->v->at[g->states[i]]));
        g_free(next[i]);
    }
}

bool spikes_neurons_tick(struct spikes_neurons *t, const struct tensor *inputs,
                         executor_visit_fn visit, void *user, GError **error)
{
    const struct graph *g = t->v->graph;
    bool ok = spikes_neurons_take(t, inputs, true, error);
    for (int i = 0; ok && i < g->n_node; i++) {
        const int v = g->nodes[i].out[0];
        ok = run_node(t, &g->nodes[i], error) && (!visit || visit(g, v, &t->v->at[v], user, error));
    }
    if (ok)
        end_tick(t);
    return ok;
}

void spikes_neurons_save(const struct spikes_neurons *t, struct tensor *to)
{
    for (int i = 0; i < t->v->graph->n_state; i++) {
        const struct tensor *from = &t->v->at[t->v->graph->states[i]];
        memcpy(to[t->v->graph->states[i]].data, from->data, tensor_bytes(from));
    }
}

void spikes_sum(const float *x, const float *w, int64_t n, int64_t k, float *y)
{
    memset(y, 0, (size_t)n * sizeof(*y));
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; x[i] != 0 && j < n; j++)
            y[j] += x[i] * w[j * k + i];
}

/* The twin. */

static void sum_by_neuron(const float *x, const float *w, int64_t n, int64_t k, float *y)
{
    for (int64_t j = 0; j < n; j++) {
        y[j] = 0;
        for (int64_t i = 0; i < k; i++)
            y[j] += x[i] * w[j * k + i];
    }
}

static bool twin_load(void *self, const struct values *v, GError **error)
{
    return spikes_neurons_take(self, v->at, false, error);
}

static bool twin_step(void *self, const struct values *inputs, struct values *fetches,
                      const bool *want, executor_visit_fn visit, void *user, GError **error)
{
    (void)want;
    g_assert(!fetches); /* a twin is watched */
    return spikes_neurons_tick(self, inputs->at, visit, user, error);
}

static bool twin_save(void *self, struct values *v, GError **error)
{
    (void)error;
    spikes_neurons_save(self, v->at);
    return true;
}

static void twin_free(void *self)
{
    values_free(((struct spikes_neurons *)self)->v);
    g_free(self);
}

struct executor *spikes_twin_new(const struct graph *g, GError **error)
{
    struct spikes_neurons *t = g_new(struct spikes_neurons, 1);
    *t = (struct spikes_neurons){
        {"spikes", t, twin_load, twin_step, twin_save, twin_free}, NULL, sum_by_neuron};
    if (spikes_neurons_init(t, g, error))
        return &t->executor;
    twin_free(t);
    return NULL;
}
