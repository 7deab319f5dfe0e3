/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's cycles and values: of events in a child process, so that neither a crash of a model
 * nor its memory is this process's; without events here. */
#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/base/size.h"
#include "sim/kernel/sk.h"

bool computes_values(const struct accsim *a)
{
    return a->options.mode == ACCSIM_FUNCTIONAL || (a->plan && a->plan->times_by_value);
}

/* A value that a layer makes as the graph has it, or as a tiled plan stores it. */
static size_t graph_bytes(const struct accsim *a, int value)
{
    const struct value *v = &a->graph->values[value];
    return (size_t)shape_count(&v->shape) * number_bytes(v->type);
}

static size_t stored_bytes(const struct accsim *a, int value)
{
    return (size_t)(shape_count(&a->graph->values[value].shape) *
                    plan_element_bytes(a->plan, value));
}

/* Room for what a forked simulation hands back, for layers in their order. */
static bool make_shared(struct accsim *a)
{
    enum { ROUNDING_BYTES = 64 };
    size_t bytes = 1 << 16;
    bool ok = size_add(&bytes, bytes, (size_t)a->plan->n_layer * sizeof(uint64_t));
    for (int v = 0; v < a->graph->n_value; v++)
        if (a->graph->values[v].kind == VALUE_NODE)
            ok = ok && size_add(&bytes, bytes, graph_bytes(a, v) + ROUNDING_BYTES);
    for (int i = 0; a->plan->is_tiled && i < a->plan->n_layer; i++)
        for (int k = 0; k < a->plan->layers[i].n_out; k++)
            ok = ok && size_add(&bytes, bytes,
                                stored_bytes(a, a->plan->layers[i].outs[k]) + ROUNDING_BYTES);
    a->shared = ok ? arena_new_shared(bytes) : NULL;
    return a->shared != NULL;
}

static bool tensor_outputs(struct accsim *a, const struct node *n)
{
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] < 0)
            continue;
        const struct value *v = &a->graph->values[n->out[k]];
        struct tensor *t = &a->io.host[v->index];
        *t = (struct tensor){v->type, v->shape, NULL};
        if (!(t->data = arena_try_alloc(a->shared, MAX(tensor_bytes(t), 1))))
            return false;
    }
    return true;
}

/* Inputs, parameters and states are read by the child, what it makes lies in shared memory. */
static bool prepare_io(struct accsim *a, GError **error)
{
    const struct plan *p = a->plan;
    const struct graph *g = a->graph;
    if (!make_shared(a))
        return error_set(error, ERROR_LIMIT, "no memory for the values of %s", g->name);
    a->io.host = ARENA_ARRAY(a->arena, struct tensor, (size_t)g->n_value);
    a->io.saturated = ARENA_ARRAY(a->shared, uint64_t, (size_t)p->n_layer);
    a->io.out = ARENA_ARRAY(a->arena, void *, (size_t)g->n_value);
    for (int v = 0; v < g->n_value; v++)
        if (g->values[v].kind != VALUE_NODE)
            a->io.host[v] = a->values->at[v];
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        bool ok = true;
        if (l->kind == LAYER_HOST || l->kind == LAYER_OWN)
            ok = tensor_outputs(a, &g->nodes[l->nodes[0]]);
        for (int k = 0; ok && k < l->n_out && l->kind != LAYER_HOST && l->kind != LAYER_OWN; k++) {
            const int v = l->outs[k];
            ok = (a->io.out[v] = arena_try_alloc(a->shared, stored_bytes(a, v))) != NULL;
        }
        if (!ok)
            return error_set(error, ERROR_LIMIT, "no memory for the output of layer '%s'", l->name);
    }
    return true;
}

static bool quantise(struct accsim *a, GError **error)
{
    struct quant_ranges ranges;
    if (!calibrate(a, quant_needs_ranges(a->plan), &ranges, error))
        return false;
    progress(a, "quantising", 0);
    a->quant = quant_new(a->plan, a->values, &ranges, error);
    a->io.quant = a->quant;
    return a->quant != NULL;
}

/* Parameters and inputs in the machine's numbers, once; each run begins with the first states. */
static bool load_run(struct accsim *a, GError **error)
{
    const bool is_first = !a->io.host;
    if (is_first && ((a->plan->is_tiled && !quantise(a, error)) || !prepare_io(a, error)))
        return false;
    return (!is_first && a->graph->n_state == 0) || a->machine->family->load(a->run, &a->io, error);
}

/* In a child. */
static bool run_event(void *arg, GError **error)
{
    struct accsim *a = arg;
    const struct arch_family *f = a->machine->family;
    if (!sk_begin(a->machine->machine.clock_hz / 1e6, a->options.vcd, error) ||
        !f->build(a->run, 0, a->plan->n_run_step, error) || !sk_run(0, 0, error))
        return false;
    a->record->n_event = sk_n_activation();
    return f->collect(a->run, a->record, error);
}

/* What a family does not estimate as a whole is the sum of its layers. */
static void sum_costs(struct accsim *a)
{
    struct record *r = a->record;
    struct cost_state state = {0};
    for (int i = 0; i < a->plan->n_layer; i++) {
        a->machine->family->cost(a->machine->self, a->plan, i, &state, &r->layers[i]);
        r->total_cyc += r->layers[i].cycles;
    }
}

static bool run_analytic(struct accsim *a, GError **error)
{
    const struct arch_family *f = a->machine->family;
    if (!f->estimate)
        sum_costs(a);
    else if (!f->estimate(a->machine->self, a->plan, a->record, error))
        return false;
    bool ok = true;
    for (int64_t i = 0; ok && a->io.host && i < a->plan->n_run_step; i++)
        ok = f->replay(a->run, i, error);
    return ok;
}

bool simulate(struct accsim *a, GError **error)
{
    const struct accsim_options *o = &a->options;
    if (computes_values(a) && !load_run(a, error))
        return false;
    progress(a, "simulating", 0);
    if (o->fidelity == ACCSIM_ANALYTIC
            ? !run_analytic(a, error)
            : !sk_run_forked(run_event, a, o->memory_limit_bytes, o->time_limit_s, error))
        return false;
    for (int i = 0; a->quant && i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        struct record_layer *r = &a->record->layers[i];
        r->has_saturated = l->kind != LAYER_HOST && !number_is_float(l->format);
        r->saturated = a->io.saturated[i];
    }
    return true;
}
