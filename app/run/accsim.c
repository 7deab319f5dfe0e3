/* SPDX-License-Identifier: Apache-2.0 */
#include "app/run/accsim.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/run/internal.h"
#include "mapper/tiled/mapping.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/base/out.h"
#include "workloads/net.h"
#include "workloads/ref/ref.h"
#include "workloads/tensor/npy.h"

struct accsim_options accsim_options_default(void)
{
    return (struct accsim_options){.seed = 1, .threads = 1};
}

/* Of the machine's memory, or of what `ulimit -v` leaves besides libraries and their threads. */
static uint64_t default_memory_limit(void)
{
    const uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit space;
    const bool is_limited = getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
    return is_limited ? MIN(memory / 4 * 3, space.rlim_cur / 2) : memory / 4 * 3;
}

static bool options_agree(const struct accsim_options *o, bool is_reference, GError **error)
{
    const bool timing = o->mode == ACCSIM_TIMING;
    const struct {
        bool wrong;
        const char *why;
    } rules[] = {
        {timing && o->output, "--output needs values: --mode timing computes none"},
        {timing && o->input, "--input needs values: --mode timing computes none"},
        {timing && o->weights, "--weights needs values: --mode timing computes none"},
        {timing && o->calibrate, "--calibrate needs values: --mode timing computes none"},
        {o->vcd && o->fidelity == ACCSIM_ANALYTIC, "--vcd needs --fidelity event: the analytic "
                                                   "model has no waveform"},
        {is_reference && timing, "the CPU reference has values alone, no cycles: --mode timing "
                                 "needs a machine"},
        {is_reference && o->vcd, "the CPU reference has values alone, no cycles: --vcd needs a "
                                 "machine"},
        {is_reference && o->precision, "--precision: the CPU reference computes in fp32"},
        {is_reference && (o->mapping || o->save_mapping), "--mapping: the CPU reference has none"},
        {is_reference && o->set && o->set[0], "--set: the CPU reference has no settings"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
        if (rules[i].wrong)
            return error_set(error, ERROR_INPUT, "%s", rules[i].why);
    return true;
}

static bool set_precision(struct accsim *a, GError **error)
{
    struct machine *m = &a->machine->machine;
    enum number precision;
    if (!a->options.precision)
        return true;
    if (!number_from_name(a->options.precision, &precision))
        return error_set(error, ERROR_INPUT, "--precision %s: unknown number format",
                         a->options.precision);
    m->precision = precision;
    return true;
}

static bool select_and_check(struct accsim *a, GError **error)
{
    const struct accsim_options *o = &a->options;
    a->graph = a->asked = o->layers ? select_layers(a->whole, o->layers, error) : a->whole;
    return a->graph && (o->mode == ACCSIM_TIMING || values_within_memory(a, error));
}

static bool load(struct accsim *a, GError **error)
{
    const struct accsim_options *o = &a->options;
    const bool is_reference = !strcmp(o->arch, "reference");
    if (!options_agree(o, is_reference, error))
        return false;
    if (!is_reference) {
        a->machine = accsim_machine_load(o->arch, o->set, error);
        if (!a->machine || !set_precision(a, error))
            return false;
    }
    g_auto(GStrv) dirs = accsim_net_dirs();
    if (o->graph) {
        a->options.batch = o->graph->batch;
        a->whole = graph_rebatch(o->graph, o->graph->batch, error);
        return a->whole && select_and_check(a, error);
    }
    g_autoptr(GHashTable) known = NULL;
    if (o->input && g_str_has_suffix(o->input, ".npz") && !(known = npy_read(o->input, error)))
        return false;
    const struct net_options options = {o->batch == 0 ? 1 : o->batch, o->batch == 0, o->shapes,
                                        known};
    a->whole = net_load(o->net, (const char *const *)dirs, &options, error);
    return a->whole && select_and_check(a, error);
}

static bool save_mapping(const struct accsim *a, GError **error)
{
    g_autofree char *text = mapping_text(a->plan, &a->target);
    return out_write(a->options.save_mapping, text, strlen(text), error);
}

/* Writes out what the machine cannot run as it is. */
static bool expand(struct accsim *a, GError **error)
{
    GError *own = NULL;
    a->expansion = expand_new(a->asked, &a->target, &own);
    if (own) {
        g_propagate_error(error, own);
        return false;
    }
    if (a->expansion)
        a->graph = expand_graph(a->expansion);
    return true;
}

/* A plan that is not tiled. */
static bool check_own_plan(const struct accsim *a, GError **error)
{
    const struct machine *m = &a->machine->machine;
    if (!a->machine->family->plan)
        return true;
    if (a->options.mapping || a->options.save_mapping)
        return error_set(error, ERROR_INPUT,
                         "--mapping: %s lays networks out in a way of its own, which no mapping "
                         "file tells",
                         m->name);
    return m->peak_macs_per_cyc[m->precision] > 0 ||
           error_set(error, ERROR_UNSUPPORTED, "%s does not compute in %s", m->name,
                     number_names[m->precision]);
}

static bool map(struct accsim *a, GError **error)
{
    const struct arch_family *f = a->machine->family;
    a->target = (struct target){.machine = &a->machine->machine,
                                .self = a->machine->self,
                                .memory_limit_bytes = a->options.memory_limit_bytes,
                                .mapping = a->options.mapping,
                                .supports = f->supports,
                                .prepare = f->prepare,
                                .choices = f->choices,
                                .candidates = f->candidates,
                                .check_choice = f->check_choice,
                                .cost = f->cost,
                                .bound = f->bound};
    progress(a, "mapping", 0);
    if (!check_own_plan(a, error) || !expand(a, error))
        return false;
    a->plan = f->plan ? f->plan(a->machine->self, a->graph, &a->target, error)
                      : plan_tiled(a->graph, &a->target, error);
    if (!a->plan || (a->options.save_mapping && !save_mapping(a, error)))
        return false;
    progress(a, "lowering", 0);
    return (!f->lower || f->lower(a->machine->self, a->plan, error)) &&
           (a->run = f->open(a->machine->self, a->plan, "", error)) != NULL;
}

struct accsim *accsim_new(const struct accsim_options *o, GError **error)
{
    struct arena *arena = arena_new();
    struct accsim *a = ARENA_NEW(arena, struct accsim);
    a->arena = arena;
    a->options = *o;
    if (a->options.memory_limit_bytes == 0)
        a->options.memory_limit_bytes = default_memory_limit();
    if (load(a, error) && (!a->machine || map(a, error)) && make_record(a, error))
        return a;
    accsim_free(a);
    return NULL;
}

bool accsim_run(struct accsim *a, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    const bool functional = a->options.mode == ACCSIM_FUNCTIONAL;
    bool ok = (!a->has_run || make_record(a, error)) &&
              (!computes_values(a) || a->values || make_values(a, error));
    a->has_run = true;
    if (ok && !a->machine)
        ok = run_reference(a, error);
    else
        ok = ok && simulate(a, error) &&
             (!functional || a->options.check == ACCSIM_CHECK_NONE || check_values(a, error)) &&
             (!a->options.output || write_output(a, error));
    if (a->record)
        a->record->host_seconds = (double)(g_get_monotonic_time() - start) / 1e6;
    return ok;
}

bool accsim_evaluate(const struct graph *g, const struct values *feeds, struct values *fetches,
                     int threads, GError **error)
{
    return ref_run(g, threads, feeds, fetches, NULL, NULL, NULL, error);
}

const struct record *accsim_record(const struct accsim *a)
{
    return a->record;
}

const struct graph *accsim_graph(const struct accsim *a)
{
    return a->graph;
}

char *accsim_plan_text(const struct accsim *a)
{
    if (!a->machine)
        return NULL;
    if (a->machine->family->print)
        return a->machine->family->print(a->machine->self, a->plan);
    GString *out = g_string_new(NULL);
    for (int i = 0; i < a->plan->n_layer; i++)
        g_string_append_printf(out, "%4d  %-16s%s\n", i, a->plan->layers[i].name,
                               a->plan->layers[i].op);
    return g_string_free(out, FALSE);
}

struct accsim_mapping accsim_mapping(const struct accsim *a)
{
    return a->plan ? (struct accsim_mapping){a->plan->n_tried, a->plan->map_seconds}
                   : (struct accsim_mapping){0, 0};
}

void accsim_free(struct accsim *a)
{
    if (!a)
        return;
    if (a->run)
        a->machine->family->close(a->run);
    values_free(a->values);
    quant_free(a->quant);
    plan_free(a->plan);
    expand_free(a->expansion);
    if (a->asked != a->whole)
        graph_free(a->asked);
    graph_free(a->whole);
    accsim_machine_free(a->machine);
    arena_free(a->shared);
    arena_free(a->told);
    arena_free(a->arena);
}
