/* SPDX-License-Identifier: Apache-2.0 */
/* Map, fork, run: the machine's cycles and values, in a child process, so that neither a crash of a
 * model nor its memory is this process's. */
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

static bool run_event(struct accsim *a, struct arch_io *io, GError **error)
{
    const struct arch_family *f = a->machine->family;
    if (!sk_begin(a->machine->machine.clock_hz / 1e6, a->options.vcd, error))
        return false;
    void *run = f->build(a->machine->self, a->plan, io, error);
    if (!run || !sk_run(0, 0, error))
        return false;
    a->record->n_event = sk_n_activation();
    return f->collect(a->machine->self, a->plan, run, a->record, error);
}

static bool run_analytic(struct accsim *a, struct arch_io *io, GError **error)
{
    const struct arch_family *f = a->machine->family;
    struct cost_state state = {0};
    for (int i = 0; i < a->plan->n_layer; i++)
        f->cost(a->machine->self, a->plan, i, &state, &a->record->layers[i]);
    return f->collect(a->machine->self, a->plan, NULL, a->record, error) &&
           (!io || f->replay(a->machine->self, a->plan, io, error));
}

static bool run_child(void *arg, GError **error)
{
    struct accsim *a = arg;
    struct arch_io *io = a->options.mode == ACCSIM_FUNCTIONAL ? &a->io : NULL;
    return a->options.fidelity == ACCSIM_EVENT ? run_event(a, io, error)
                                               : run_analytic(a, io, error);
}

bool simulate(struct accsim *a, GError **error)
{
    if (a->options.mode == ACCSIM_FUNCTIONAL) {
        struct quant_ranges ranges;
        if (!calibrate(a, quant_needs_ranges(a->plan), &ranges, error))
            return false;
        progress(a, "quantising", 0);
        if (!(a->quant = quant_new(a->plan, a->values, &ranges, error)))
            return false;
        a->plan->quant = a->quant;
        if (!prepare_io(a, error))
            return false;
    }
    progress(a, "lowering", 0);
    if (!a->plan->program || a->quant)
        if (!a->machine->family->lower(a->machine->self, a->plan, error))
            return false;
    progress(a, "simulating", 0);
    if (!sk_run_forked(run_child, a, a->options.memory_limit_bytes, a->options.time_limit_s, error))
        return false;
    for (int i = 0; a->quant && i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        struct record_layer *r = &a->record->layers[i];
        r->has_saturated = l->kind != LAYER_HOST && !number_is_float(l->format);
        r->saturated = a->io.saturated[i];
    }
    return true;
}
