/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's cycles and values: of events in a child process, so that neither a crash of a model
 * nor its memory is this process's; without events here. */
#include "app/run/internal.h"
#include "mapper/values/quant.h"
#include "sim/kernel/sk.h"

bool computes_values(const struct accsim *a)
{
    return a->options.mode == ACCSIM_FUNCTIONAL ||
           (a->options.fidelity == ACCSIM_EVENT && a->plan && a->plan->times_by_value);
}

static bool quantise(struct accsim *a, GError **error)
{
    struct quant_ranges ranges;
    if (!calibrate(a, a->values, quant_needs_ranges(a->plan), &ranges, error))
        return false;
    progress(a, "quantising", 0);
    a->quant = quant_new(a->plan, a->values, &ranges, error);
    return a->quant != NULL;
}

/* Parameters and inputs in the machine's numbers, once; each run begins with the first states. */
static bool load_run(struct accsim *a, GError **error)
{
    const bool is_first = !a->shared;
    if (!is_first && a->graph->n_state == 0)
        return true;
    if (is_first &&
        ((a->plan->is_tiled && !quantise(a, error)) || !(a->shared = make_io(a, &a->io, error))))
        return false;
    a->io.quant = a->quant;
    for (int v = 0; v < a->graph->n_value; v++)
        if (a->graph->values[v].kind != VALUE_NODE)
            a->io.host[v] = a->values->at[v];
    return a->machine->family->load(a->run, &a->io, error);
}

bool run_events(struct accsim *a, void *run, int64_t first_step, int64_t n_step, const char *vcd,
                GError **error)
{
    const struct arch_family *f = a->machine->family;
    if (!sk_begin(a->machine->machine.clock_hz / 1e6, vcd, error) ||
        !f->build(run, first_step, n_step, error) || !sk_run(0, 0, error))
        return false;
    a->record->n_event = sk_n_activation();
    return f->collect(run, a->record, error);
}

/* In a child. */
static bool run_all(void *arg, GError **error)
{
    struct accsim *a = arg;
    return run_events(a, a->run, 0, a->plan->n_run_step, a->options.vcd, error);
}

bool estimate(struct accsim *a, GError **error)
{
    const struct arch_family *f = a->machine->family;
    if (f->estimate)
        return f->estimate(a->machine->self, a->plan, a->record, error);
    arch_sum_costs(f, a->machine->self, a->plan, a->record);
    return true;
}

static bool run_analytic(struct accsim *a, GError **error)
{
    bool ok = estimate(a, error);
    for (int64_t i = 0; ok && a->shared && i < a->plan->n_run_step; i++)
        ok = a->machine->family->replay(a->run, i, error);
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
            : !sk_run_forked(run_all, a, o->memory_limit_bytes, o->time_limit_s, error))
        return false;
    for (int i = 0; a->quant && i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        struct record_layer *r = &a->record->layers[i];
        r->has_saturated = l->kind != LAYER_HOST && !number_is_float(l->format);
        r->saturated = a->io.saturated[i];
    }
    return true;
}
