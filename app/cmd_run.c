/* SPDX-License-Identifier: Apache-2.0 */
/* accsim run: one network on one machine. */
#include <unistd.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/limits.h"
#include "app/progress.h"
#include "reports/report.h"
#include "sim/base/error.h"

enum { MAX_NAMED = 6 }; /* layers named in the message of a failed check */

struct accsim_options run_options(const struct options *o)
{
    struct accsim_options run = accsim_options_default();
    run.arch = o->arch;
    run.net = o->net;
    run.batch = o->batch;
    run.set = (const char *const *)o->set;
    run.shapes = (const char *const *)o->shape;
    run.mode = (enum accsim_mode)o->mode;
    run.fidelity = (enum accsim_fidelity)o->fidelity;
    run.check = (enum accsim_check)o->check;
    run.precision = o->precision < 0 ? NULL : number_names[o->precision];
    run.input = o->input;
    run.weights = o->weights;
    run.calibrate = o->calibrate;
    run.layers = o->layers;
    run.mapping = o->mapping;
    run.save_mapping = o->save_mapping;
    run.seed = o->seed;
    run.threads = (int)o->threads;
    run.memory_limit_bytes = (uint64_t)o->memory_limit_mib << 20;
    run.time_limit_s = o->time_limit_s;
    run.output = o->output;
    run.vcd = o->vcd;
    run.command = o->command;
    return run;
}

static bool check_combinations(const struct options *o, GError **error)
{
    if (!options_need_machine_and_net(o, "run", error))
        return false;
    if (o->quiet && o->verbose)
        return error_set(error, ERROR_INPUT, "--quiet and --verbose cannot go together");
    if (o->output && o->mode == ACCSIM_TIMING)
        return error_set(error, ERROR_INPUT, "--output: no values are computed with --mode timing");
    if (o->vcd && o->fidelity == ACCSIM_ANALYTIC)
        return error_set(error, ERROR_INPUT,
                         "--vcd: there is no waveform with --fidelity analytic");
    return true;
}

static bool is_set(const char *variable)
{
    const char *value = g_getenv(variable);
    return value && *value;
}

static struct report_style text_style(const struct options *o)
{
    bool is_terminal = isatty(STDOUT_FILENO);
    bool is_dumb = g_strcmp0(g_getenv("TERM"), "dumb") == 0;
    return (struct report_style){
        .color = is_terminal && !is_dumb && !o->no_color && !is_set("NO_COLOR"),
        .ascii = !g_get_charset(NULL),
        /* Into a file goes what is the same on every run. */
        .power = o->verbose,
        .host_time = is_terminal || o->verbose,
    };
}

/* The text last: what can be read again comes before what is only looked at. */
static bool write_outputs(const struct options *o, const struct record *r, GError **error)
{
    if (o->json && !emit_text(o->json, report_json(r), error))
        return false;
    if (o->csv && !emit_text(o->csv, report_csv(r, (enum report_csv_rows)o->csv_rows), error))
        return false;
    if (o->power && !emit_text(o->power, report_power_csv(r), error))
        return false;
    struct report_style style = text_style(o);
    return !options_want_text(o) || emit_text("-", report_text(r, &style), error);
}

static bool check_passed(const struct record *r, GError **error)
{
    if (!r->check.done || r->check.pass)
        return true;
    GString *names = g_string_new(NULL);
    int n_failed = 0;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        if (!l->check.done || l->check.pass)
            continue;
        if (++n_failed <= MAX_NAMED)
            g_string_append_printf(names, "%s%s", n_failed > 1 ? ", " : "", l->name);
    }
    if (n_failed > MAX_NAMED)
        g_string_append_printf(names, " and %d more", n_failed - MAX_NAMED);
    if (n_failed > 0)
        error_set(error, ERROR_CHECK, "values differ from the reference (%s) in %d layer%s: %s",
                  r->check.reference, n_failed, n_failed > 1 ? "s" : "", names->str);
    else
        error_set(error, ERROR_CHECK, "the network's output differs from the reference (%s)",
                  r->check.reference);
    g_string_free(names, TRUE);
    return false;
}

bool cmd_run(const struct options *o, GError **error)
{
    if (!check_combinations(o, error))
        return false;
    struct time_limit limit;
    limits_begin(&limit, o->time_limit_s);
    struct progress progress;
    progress_begin(&progress, o->quiet, o->verbose);
    struct accsim_options run = run_options(o);
    run.progress = progress_report;
    run.progress_user = &progress;
    struct accsim *a = accsim_new(&run, error);
    bool ok = a && accsim_run(a, error);
    progress_end(&progress);
    if (a)
        emit_message("warning", accsim_graph(a)->warning);
    ok = ok && write_outputs(o, accsim_record(a), error) && check_passed(accsim_record(a), error);
    accsim_free(a);
    limits_end(&limit);
    return ok;
}
