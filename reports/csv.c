/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/report.h"

#include <glib.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "reports/total.h"
#include "sim/base/arena.h"
#include "sim/base/csv.h"
#include "sim/stat/power.h"

struct csv {
    GString *text;
    bool in_row; /* a field stands before the next one */
};

static void put_text(struct csv *csv, const char *s)
{
    if (csv->in_row)
        g_string_append_c(csv->text, ',');
    csv->in_row = true;
    if (!s)
        return;
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    csv_put(csv->text, valid);
}

static void put_empty(struct csv *csv, int n)
{
    for (int i = 0; i < n; i++)
        put_text(csv, NULL);
}

static void put_bool(struct csv *csv, bool v)
{
    put_text(csv, v ? "true" : "false");
}

static void put_count(struct csv *csv, uint64_t v)
{
    g_autofree char *s = g_strdup_printf("%" PRIu64, v);
    put_text(csv, s);
}

/* 17 digits and a point whatever the locale; empty where the number is not finite. */
static void put_real(struct csv *csv, double v)
{
    char s[G_ASCII_DTOSTR_BUF_SIZE];
    put_text(csv, isfinite(v) ? g_ascii_dtostr(s, sizeof(s), v) : NULL);
}

static void put_positive(struct csv *csv, double v)
{
    put_real(csv, v > 0 ? v : NAN);
}

static void put_head(struct csv *csv, const char *name, const char *suffix)
{
    g_autofree char *head = g_strconcat(name, suffix, NULL);
    put_text(csv, head);
}

static void end_row(struct csv *csv)
{
    g_string_append_c(csv->text, '\n');
    csv->in_row = false;
}

static void put_heads(struct csv *csv, const char *const *heads, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_text(csv, heads[i]);
}

static void put_header(struct csv *csv, const struct record *r)
{
    static const char *const first[] = {
        "arch",        "net",     "batch",
        "overrides",   "mapping", "clock_hz",
        "area_mm2",    "index",   "name",
        "op",          "shape",   "device",
        "host",        "macs",    "cycles",
        "seconds",     "power_w", "start_cycle",
        "end_cycle",   "share",   "peak_macs_per_cycle",
        "utilization", "bound",   "bound_cycles",
        "gap",
    };
    static const char *const last[] = {
        "check_reference",         "check_exact", "check_max_abs_error",
        "check_relative_l2_error", "check_pass",
    };
    put_heads(csv, first, G_N_ELEMENTS(first));
    for (int i = 0; i < r->n_cause; i++)
        put_head(csv, r->causes[i].name, "_cycles");
    for (int i = 0; i < r->n_memory; i++) {
        put_head(csv, r->memories[i].name, "_read_bytes");
        put_head(csv, r->memories[i].name, "_write_bytes");
    }
    put_text(csv, "energy_j");
    for (int i = 0; i < r->n_component; i++)
        put_head(csv, r->components[i].name, "_energy_j");
    put_heads(csv, last, G_N_ELEMENTS(last));
    for (int i = 0; i < r->n_scalar; i++) {
        g_autofree char *head = g_strdelimit(g_strdup(r->scalars[i].desc->name), ".", '_');
        put_text(csv, head);
    }
    end_row(csv);
}

/* What is the same in all rows of a run, so that rows of many runs can be put into one table. */
static void put_run(struct csv *csv, const struct record *r)
{
    g_autoptr(GString) overrides = g_string_new(NULL);
    for (int i = 0; i < r->n_override; i++)
        g_string_append_printf(overrides, "%s%s", i ? "; " : "", r->overrides[i]);
    put_text(csv, r->arch_name);
    put_text(csv, r->net_name);
    put_count(csv, r->batch);
    put_text(csv, overrides->str);
    put_text(csv, r->mapping_file);
    put_positive(csv, r->clock_hz);
    put_positive(csv, r->area_mm2);
}

static void put_identity(struct csv *csv, const struct record_layer *l)
{
    bool is_total = l->index < 0;
    if (is_total)
        put_empty(csv, 1);
    else
        put_count(csv, (uint64_t)l->index);
    put_text(csv, l->name);
    put_text(csv, l->op);
    put_text(csv, l->shape);
    if (is_total) {
        put_empty(csv, 2);
    } else {
        put_count(csv, (uint64_t)l->device);
        put_bool(csv, l->on_host);
    }
    put_count(csv, l->macs);
}

static void put_times(struct csv *csv, const struct record *r, const struct record_layer *l)
{
    if (r->total_cyc == 0) {
        put_empty(csv, 11);
        return;
    }
    const double seconds = r->clock_hz > 0 ? (double)l->cycles / r->clock_hz : 0;
    put_count(csv, l->cycles);
    put_positive(csv, seconds);
    put_real(csv, r->n_component > 0 && seconds > 0 ? record_layer_energy_j(r, l) / seconds : NAN);
    put_count(csv, l->start_cycle);
    put_count(csv, l->end_cycle);
    put_real(csv, (double)l->cycles / (double)r->total_cyc);
    if (l->peak_macs_per_cycle > 0 && l->cycles > 0) {
        put_real(csv, l->peak_macs_per_cycle);
        put_real(csv, record_layer_utilization(l));
    } else {
        put_empty(csv, 2);
    }
    put_text(csv, record_bound_names[l->bound]);
    if (l->bound_cyc > 0) {
        put_count(csv, l->bound_cyc);
        put_real(csv, (double)l->cycles / (double)l->bound_cyc - 1);
    } else {
        put_empty(csv, 2);
    }
}

static void put_costs(struct csv *csv, const struct record *r, const struct record_layer *l)
{
    for (int i = 0; i < r->n_cause; i++)
        put_count(csv, l->stall_cyc[i]);
    for (int i = 0; i < r->n_memory; i++) {
        put_count(csv, l->bytes[i].read);
        put_count(csv, l->bytes[i].write);
    }
    if (r->n_component > 0)
        put_real(csv, record_layer_energy_j(r, l));
    else
        put_empty(csv, 1);
    for (int i = 0; i < r->n_component; i++)
        put_real(csv, l->energy_pj[i] * 1e-12);
}

static void put_check(struct csv *csv, const struct record_check *c)
{
    if (!c->done) {
        put_empty(csv, 5);
        return;
    }
    put_text(csv, c->reference);
    if (c->has_exact)
        put_bool(csv, c->exact);
    else
        put_empty(csv, 1);
    put_real(csv, c->max_abs_error);
    put_real(csv, c->relative_l2_error);
    put_bool(csv, c->pass);
}

/* Scalars are the whole run's. */
static void put_scalars(struct csv *csv, const struct record *r, bool is_total)
{
    for (int i = 0; i < r->n_scalar; i++) {
        const struct record_value *v = &r->scalars[i].value;
        if (is_total && v->type == RECORD_COUNT)
            put_count(csv, v->count);
        else if (is_total && v->type == RECORD_REAL)
            put_real(csv, v->real);
        else
            put_text(csv, is_total && v->type == RECORD_TEXT ? v->text : NULL);
    }
}

static void put_row(struct csv *csv, const struct record *r, const struct record_layer *l)
{
    put_run(csv, r);
    put_identity(csv, l);
    put_times(csv, r, l);
    put_costs(csv, r, l);
    put_check(csv, &l->check);
    put_scalars(csv, r, l->index < 0);
    end_row(csv);
}

const char *const report_csv_rows_names[] = {"layers", "total", "all", NULL};

char *report_csv(const struct record *r, enum report_csv_rows rows)
{
    struct csv csv = {.text = g_string_new(NULL)};
    put_header(&csv, r);
    for (int i = 0; i < r->n_layer && rows != REPORT_CSV_TOTAL; i++)
        put_row(&csv, r, &r->layers[i]);
    struct arena *arena = arena_new();
    if (rows != REPORT_CSV_LAYERS)
        put_row(&csv, r, total_layer(arena, r));
    arena_free(arena);
    return g_string_free(csv.text, FALSE);
}

char *report_power_csv(const struct record *r)
{
    static const char *const heads[] = {"start_seconds", "end_seconds", "power_w"};
    struct csv csv = {.text = g_string_new(NULL)};
    put_heads(&csv, heads, G_N_ELEMENTS(heads));
    end_row(&csv);
    const double interval_s = power_interval_s(r);
    for (int i = 0; i < r->n_power; i++) {
        put_real(&csv, i * interval_s);
        put_real(&csv, (i + 1) * interval_s);
        put_real(&csv, r->power_w[i]);
        end_row(&csv);
    }
    return g_string_free(csv.text, FALSE);
}
