/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's cycles and values: of events in a child process, so that neither a crash of a model
 * nor its memory is this process's; without events here. */
#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/kernel/sk.h"

static bool host_outputs(struct accsim *a, const struct node *n)
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

/* Inputs and parameters are read by the child, what it makes lies in shared memory. */
static bool prepare_io(struct accsim *a, GError **error)
{
    const struct plan *p = a->plan;
    const struct graph *g = a->graph;
    a->io.host = ARENA_ARRAY(a->arena, struct tensor, (size_t)g->n_value);
    a->io.saturated = ARENA_ARRAY(a->shared, uint64_t, (size_t)p->n_layer);
    a->io.out = ARENA_ARRAY(a->arena, void *, (size_t)p->n_layer);
    for (int v = 0; v < g->n_value; v++)
        if (g->values[v].kind != VALUE_NODE)
            a->io.host[v] = a->values->at[v];
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        bool ok = true;
        if (l->kind == LAYER_HOST) {
            ok = host_outputs(a, &g->nodes[l->nodes[0]]);
        } else {
            const size_t n =
                (size_t)(shape_count(&g->values[l->out].shape) * plan_element_bytes(p, l->out));
            ok = (a->io.out[i] = arena_try_alloc(a->shared, n)) != NULL;
        }
        if (!ok)
            return error_set(error, ERROR_LIMIT, "no memory for the output of layer '%s'", l->name);
    }
    return true;
}

bool load_run(struct accsim *a, GError **error)
{
    struct quant_ranges ranges;
    if (!calibrate(a, quant_needs_ranges(a->plan), &ranges, error))
        return false;
    progress(a, "quantising", 0);
    a->quant = quant_new(a->plan, a->values, &ranges, error);
    a->io.quant = a->quant;
    return a->quant && prepare_io(a, error) && a->machine->family->load(a->run, &a->io, error);
}

/* In a child. */
static bool run_event(void *arg, GError **error)
{
    struct accsim *a = arg;
    const struct arch_family *f = a->machine->family;
    if (!sk_begin(a->machine->machine.clock_hz / 1e6, a->options.vcd, error) ||
        !f->build(a->run, 0, 1, error) || !sk_run(0, 0, error))
        return false;
    a->record->n_event = sk_n_activation();
    return f->collect(a->run, a->record, error);
}

/* What a family does not estimate as a whole is the sum of its layers. */
static bool sum_costs(struct accsim *a)
{
    struct record *r = a->record;
    struct cost_state state = {0};
    for (int i = 0; i < a->plan->n_layer; i++) {
        a->machine->family->cost(a->machine->self, a->plan, i, &state, &r->layers[i]);
        r->total_cyc += r->layers[i].cycles;
    }
    return true;
}

static bool run_analytic(struct accsim *a, GError **error)
{
    const struct arch_family *f = a->machine->family;
    return (f->estimate ? f->estimate(a->machine->self, a->plan, a->record, error)
                        : sum_costs(a)) &&
           (a->options.mode == ACCSIM_TIMING || f->replay(a->run, 0, error));
}

bool simulate(struct accsim *a, GError **error)
{
    if (a->options.mode == ACCSIM_FUNCTIONAL && !a->quant && !load_run(a, error))
        return false;
    progress(a, "simulating", 0);
    if (a->options.fidelity == ACCSIM_ANALYTIC
            ? !run_analytic(a, error)
            : !sk_run_forked(run_event, a, a->options.memory_limit_bytes, a->options.time_limit_s,
                             error))
        return false;
    for (int i = 0; a->quant && i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        struct record_layer *r = &a->record->layers[i];
        r->has_saturated = l->kind != LAYER_HOST && !number_is_float(l->format);
        r->saturated = a->io.saturated[i];
    }
    return true;
}
