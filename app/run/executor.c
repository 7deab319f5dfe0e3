/* SPDX-License-Identifier: Apache-2.0 */
/* The machine with its plan as an executor: values step by step in this process, and steps that are
 * asked for by the model of time as well.
 *
 * The present content of states lies where a run reads them (struct arch_values): of a tiled plan
 * that is the host's memory, and its only home; a family with a plan of its own may keep them in
 * the machine, and brings them here after each step. New contents are put aside until the step is
 * done, so that every layer reads the old ones.
 *
 * A run of events is a fork of the present state, which ends. Its values are taken where the state
 * lies here; else the step is replayed in this process too, and both must agree. */
#include <string.h>

#include "app/run/internal.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/kernel/sk.h"
#include "workloads/ref/ref.h"

struct machine_executor {
    struct executor executor;
    struct accsim *a;
    struct arena *arena, *shared;
    void *run;
    struct quant *quant;
    struct quant_ranges ranges;  /* once has_ranges */
    bool has_ranges, has_values; /* has_values: parameters and states are in the run */
    bool has_trained;            /* a parameter among the states */
    struct arch_values io;
    void **spare;  /* by state: room for its next content */
    void **room;   /* by state: for a parameter that is not loaded yet */
    int *layer_of; /* by value: the layer that makes it; -1: none */
    int64_t i_step;
    bool is_timed; /* the next step */
};

static const struct arch_family *family_of(const struct machine_executor *m)
{
    return m->a->machine->family;
}

static int root_of(const struct machine_executor *m, int value)
{
    return m->a->plan->roots ? m->a->plan->roots[value] : value;
}

/* Values that layers make only on their way to others are not to be had. */
static bool is_kept(const struct machine_executor *m, int value)
{
    const int root = root_of(m, value);
    return m->layer_of[root] >= 0 || m->io.host[root].data;
}

static void read_value(const struct machine_executor *m, int value, void *data)
{
    const struct value *root = &m->a->graph->values[root_of(m, value)];
    struct tensor t = {root->type, root->shape, data};
    if (m->layer_of[root->index] >= 0)
        read_io(m->a, &m->io, m->layer_of[root->index], root->index, &t);
    else
        memcpy(data, m->io.host[root->index].data, tensor_bytes(&t));
}

static bool copy_value(const struct machine_executor *m, int value, struct tensor *t,
                       GError **error)
{
    const struct value *v = &m->a->graph->values[value];
    if (!is_kept(m, value))
        return error_set(error, ERROR_UNSUPPORTED,
                         "'%s' is not to be had of %s: it becomes another value on the way",
                         v->name, m->a->machine->machine.name);
    if (!tensor_alloc(t, v->type, &v->shape, error))
        return false;
    read_value(m, value, t->data);
    return true;
}

/* Inputs of a step, and what was loaded before it. */

static bool take_inputs(struct machine_executor *m, const struct values *inputs, GError **error)
{
    const struct graph *g = m->a->graph;
    for (int i = 0; i < g->n_input; i++) {
        const struct value *v = &g->values[g->inputs[i]];
        const struct tensor none = {0}, *t = inputs ? &inputs->at[v->index] : &none;
        if (graph_n_reader(g, v->index) > 0 && !value_takes(v, t, error))
            return false;
        m->io.host[v->index] = *t;
    }
    return true;
}

static void return_inputs(struct machine_executor *m)
{
    for (int i = 0; i < m->a->graph->n_input; i++)
        m->io.host[m->a->graph->inputs[i]].data = NULL;
}

static bool quantise(struct machine_executor *m, GError **error)
{
    const struct plan *p = m->a->plan;
    const struct values v = {m->a->graph, m->io.host};
    if (!m->has_ranges && !calibrate(m->a, &v, quant_needs_ranges(p), &m->ranges, error))
        return false;
    m->has_ranges = true;
    struct quant *q = quant_new(p, &v, &m->ranges, error);
    if (!q)
        return false;
    quant_free(m->quant);
    m->io.quant = m->quant = q;
    return true;
}

/* Parameters as they are now go to the machine: trained ones anew each step. */
static bool bring_values(struct machine_executor *m, GError **error)
{
    const struct graph *g = m->a->graph;
    for (int i = 0; i < g->n_value; i++)
        if (g->values[i].kind == VALUE_PARAM && !value_takes(&g->values[i], &m->io.host[i], error))
            return false;
    if (m->has_values && !m->has_trained)
        return true;
    m->has_values =
        (!m->a->plan->is_tiled || quantise(m, error)) && family_of(m)->load(m->run, &m->io, error);
    return m->has_values;
}

/* A step. */

/* In a child. */
static bool run_step(void *arg, GError **error)
{
    struct machine_executor *m = arg;
    return run_events(m->a, m->run, m->i_step, 1, NULL, error);
}

/* All that layers have made, in the order of values. */
static GByteArray *values_made(const struct machine_executor *m)
{
    GByteArray *all = g_byte_array_new();
    for (int v = 0; v < m->a->graph->n_value; v++)
        if (m->a->graph->values[v].kind == VALUE_NODE && m->io.host[v].data)
            g_byte_array_append(all, m->io.host[v].data, (guint)tensor_bytes(&m->io.host[v]));
    return all;
}

static bool replay_alike(struct machine_executor *m, GError **error)
{
    g_autoptr(GByteArray) events = values_made(m), replayed = NULL;
    if (!family_of(m)->replay(m->run, m->i_step, error))
        return false;
    replayed = values_made(m);
    return (events->len == replayed->len && !memcmp(events->data, replayed->data, events->len)) ||
           error_set(error, ERROR_BUG, "step %" G_GINT64_FORMAT ": replay and events differ",
                     m->i_step);
}

static bool compute(struct machine_executor *m, GError **error)
{
    struct accsim *a = m->a;
    const bool is_timed = m->is_timed;
    m->is_timed = false;
    if (is_timed && !make_record(a, error))
        return false;
    if (!is_timed || a->options.fidelity == ACCSIM_ANALYTIC)
        return (!is_timed || estimate(a, error)) && family_of(m)->replay(m->run, m->i_step, error);
    if (!sk_run_forked(run_step, m, a->options.memory_limit_bytes, a->options.time_limit_s, error))
        return false;
    return a->plan->is_tiled || replay_alike(m, error);
}

static bool show(const struct machine_executor *m, executor_visit_fn visit, void *user,
                 GError **error)
{
    const struct graph *g = m->a->graph;
    bool ok = true;
    for (int v = 0; ok && v < g->n_value; v++) {
        struct tensor t = {0};
        if (g->values[v].kind != VALUE_NODE || !is_kept(m, v))
            continue;
        ok = copy_value(m, v, &t, error) && visit(g, v, &t, user, error);
        tensor_clear(&t);
    }
    return ok;
}

static bool fetch(const struct machine_executor *m, struct values *fetches, const bool *want,
                  GError **error)
{
    const struct graph *g = m->a->graph;
    g_autofree bool *outputs = want ? NULL : g_new0(bool, g->n_value);
    for (int i = 0; outputs && i < g->n_output; i++)
        outputs[g->outputs[i]] = true;
    for (int v = 0; v < g->n_value; v++) {
        if (!(want ? want : outputs)[v])
            continue;
        values_clear(fetches, v);
        if (!copy_value(m, v, &fetches->at[v], error))
            return false;
    }
    return true;
}

/* What states become. All are read before any is written: one may be another's next. */
static void advance(struct machine_executor *m)
{
    const struct graph *g = m->a->graph;
    for (int i = 0; i < g->n_state; i++)
        read_value(m, g->values[g->states[i]].next, m->spare[i]);
    for (int i = 0; i < g->n_state; i++) {
        struct tensor *t = &m->io.host[g->states[i]];
        void *old = t->data;
        t->data = m->spare[i];
        m->spare[i] = old;
    }
}

static bool machine_step(void *self, const struct values *inputs, struct values *fetches,
                         const bool *want, executor_visit_fn visit, void *user, GError **error)
{
    struct machine_executor *m = self;
    bool ok = take_inputs(m, inputs, error) && bring_values(m, error) && compute(m, error) &&
              (!visit || show(m, visit, user, error)) &&
              (!fetches || fetch(m, fetches, want, error));
    if (ok && m->a->plan->is_tiled)
        advance(m);
    else if (ok && family_of(m)->save)
        ok = family_of(m)->save(m->run, &m->io, error);
    if (ok)
        m->i_step++;
    else
        m->has_values = false; /* the run may have gone on: its states are those of io again */
    return_inputs(m);
    return ok;
}

/* Between steps. */

static bool machine_load(void *self, const struct values *v, GError **error)
{
    struct machine_executor *m = self;
    const struct graph *g = m->a->graph;
    g_assert(v->graph == g);
    for (int i = 0; i < g->n_value; i++)
        if (v->at[i].data && (g->values[i].kind == VALUE_PARAM || g->values[i].next >= 0) &&
            !value_takes(&g->values[i], &v->at[i], error))
            return false;
    m->has_values = false;
    for (int i = 0; i < g->n_value; i++)
        if (v->at[i].data && g->values[i].kind == VALUE_PARAM && g->values[i].next < 0)
            m->io.host[i] = v->at[i];
    for (int i = 0; i < g->n_state; i++) {
        const struct tensor *from = &v->at[g->states[i]];
        struct tensor *to = &m->io.host[g->states[i]];
        if (!from->data)
            continue;
        if (!to->data)
            to->data = m->room[i];
        memcpy(to->data, from->data, tensor_bytes(from));
    }
    return true;
}

static bool machine_save(void *self, struct values *v, GError **error)
{
    const struct machine_executor *m = self;
    const struct graph *g = m->a->graph;
    g_assert(v->graph == g);
    for (int i = 0; i < g->n_state; i++) {
        const int state = g->states[i];
        if (!m->io.host[state].data)
            continue;
        values_clear(v, state);
        if (!copy_value(m, state, &v->at[state], error))
            return false;
    }
    return true;
}

static void machine_free(void *self)
{
    struct machine_executor *m = self;
    if (m->run)
        family_of(m)->close(m->run);
    quant_free(m->quant);
    arena_free(m->shared);
    arena_free(m->arena);
}

/* Constants, and the first contents of states. */
static bool begin(struct machine_executor *m, GError **error)
{
    const struct graph *g = m->a->graph;
    for (int i = 0; i < g->n_value; i++) {
        const struct value *v = &g->values[i];
        if (v->kind == VALUE_NODE)
            continue;
        m->io.host[i] = (struct tensor){v->type, v->shape, NULL};
        if (v->data)
            m->io.host[i].data = (void *)g_bytes_get_data(v->data, NULL);
    }
    for (int i = 0; i < g->n_state; i++) {
        const struct value *v = &g->values[g->states[i]];
        struct tensor *t = &m->io.host[v->index];
        const size_t n = MAX(tensor_bytes(t), 1);
        m->room[i] = arena_try_alloc(m->arena, n);
        m->spare[i] = arena_try_alloc(m->arena, n);
        if (!m->room[i] || !m->spare[i])
            return error_set(error, ERROR_LIMIT, "no memory for state '%s'", v->name);
        m->has_trained |= v->kind == VALUE_PARAM;
        if (v->kind != VALUE_STATE)
            continue;
        t->data = m->room[i];
        graph_first_content(g, v->index, t->data);
    }
    return true;
}

struct executor *accsim_executor(struct accsim *a, GError **error)
{
    const struct graph *g = a->graph;
    if (!a->machine)
        return ref_new(g, a->options.threads, error);
    struct arena *arena = arena_new();
    struct machine_executor *m = ARENA_NEW(arena, struct machine_executor);
    *m = (struct machine_executor){.executor = {a->machine->machine.name, m, machine_load,
                                                machine_step, machine_save, machine_free},
                                   .a = a,
                                   .arena = arena,
                                   .spare = ARENA_ARRAY(arena, void *, (size_t)g->n_state),
                                   .room = ARENA_ARRAY(arena, void *, (size_t)g->n_state),
                                   .layer_of = ARENA_ARRAY(arena, int, (size_t)g->n_value)};
    for (int v = 0; v < g->n_value; v++)
        m->layer_of[v] = -1;
    for (int i = 0; i < a->plan->n_layer; i++)
        for (int k = 0; k < a->plan->layers[i].n_out; k++)
            m->layer_of[a->plan->layers[i].outs[k]] = i;
    m->run = family_of(m)->open(a->machine->self, a->plan, "", error);
    m->shared = m->run ? make_io(a, &m->io, error) : NULL;
    if (m->shared && begin(m, error))
        return &m->executor;
    machine_free(m);
    return NULL;
}

void accsim_time_step(struct executor *e)
{
    if (e->free == machine_free)
        ((struct machine_executor *)e->self)->is_timed = true;
}
