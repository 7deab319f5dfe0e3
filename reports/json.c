/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of schema accsim-run/1, and beside them what a record needs to be read back: the
 * machine's tables of causes, memories and components, and each layer's shape. */
#include "reports/report.h"

#include <glib.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/total.h"
#include "sim/stat/power.h"

static void put_text(json_t *o, const char *key, const char *s)
{
    if (!s)
        return;
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    json_object_set_new(o, key, json_string(valid));
}

static void put_count(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key,
                        v <= INT64_MAX ? json_integer((json_int_t)v) : json_sprintf("%" PRIu64, v));
}

/* JSON knows no NaN and no infinity: such a number is left out. */
static void put_real(json_t *o, const char *key, double v)
{
    if (isfinite(v))
        json_object_set_new(o, key, json_real(v));
}

static void put_bool(json_t *o, const char *key, bool v)
{
    json_object_set_new(o, key, json_boolean(v));
}

/* An object without members says that nothing applied, so it is left out. */
static void put_object(json_t *o, const char *key, json_t *member)
{
    if (json_object_size(member) > 0)
        json_object_set_new(o, key, member);
    else
        json_decref(member);
}

/* A value in the notation of a settings file is JSON where it is a number, a boolean or a list of
 * such; anything else goes out as it is written. */
static json_t *setting_value(const struct record_setting *s)
{
    g_autofree char *valid = g_utf8_make_valid(s->value, -1);
    json_t *value = s->is_string ? NULL : json_loads(valid, JSON_DECODE_ANY, NULL);
    return value ? value : json_string(valid);
}

static json_t *settings_object(const struct record *r)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_setting; i++)
        if (r->settings[i].value)
            json_object_set_new(o, r->settings[i].path, setting_value(&r->settings[i]));
    return o;
}

/* Paths of settings that the machine worked out; none where all are given. */
static void put_derived(json_t *o, const struct record *r)
{
    json_t *paths = json_array();
    for (int i = 0; i < r->n_setting; i++)
        if (r->settings[i].is_derived)
            json_array_append_new(paths, json_string(r->settings[i].path));
    if (json_array_size(paths) > 0)
        json_object_set(o, "derived", paths);
    json_decref(paths);
}

static json_t *desc_object(const struct stat_desc *d)
{
    json_t *o = json_object();
    put_text(o, "name", d->name);
    put_text(o, "unit", d->unit);
    put_text(o, "help", d->help);
    return o;
}

static void put_legends(json_t *o, const struct record *r)
{
    json_t *causes = json_array();
    for (int i = 0; i < r->n_cause; i++) {
        json_t *cause = desc_object(&r->causes[i]);
        put_bool(cause, "overlaps", r->cause_overlaps[i]);
        json_array_append_new(causes, cause);
    }
    json_t *memories = json_array();
    for (int i = 0; i < r->n_memory; i++) {
        json_t *memory = desc_object(&r->memories[i]);
        put_bool(memory, "is_dram", i == r->dram_memory);
        if (r->memory_bytes_per_cyc[i] > 0)
            put_real(memory, "bytes_per_cycle", r->memory_bytes_per_cyc[i]);
        json_array_append_new(memories, memory);
    }
    json_t *components = json_array();
    for (int i = 0; i < r->n_component; i++)
        json_array_append_new(components, desc_object(&r->components[i]));
    json_object_set_new(o, "causes", causes);
    json_object_set_new(o, "memories", memories);
    json_object_set_new(o, "components", components);
}

static json_t *arch_object(const struct record *r)
{
    json_t *o = json_object();
    put_text(o, "name", r->arch_name);
    put_text(o, "family", r->arch_family);
    put_text(o, "file", r->arch_file);
    if (r->clock_hz > 0)
        put_real(o, "clock_hz", r->clock_hz);
    if (r->peak_macs_per_cycle > 0)
        put_real(o, "peak_macs_per_cycle", r->peak_macs_per_cycle);
    put_text(o, "precision", r->precision);
    put_text(o, "known_error", r->known_error);
    json_object_set_new(o, "settings", settings_object(r));
    put_derived(o, r);
    put_legends(o, r);
    return o;
}

static json_t *net_object(const struct record *r)
{
    json_t *o = json_object();
    put_text(o, "name", r->net_name);
    put_text(o, "file", r->net_file);
    put_count(o, "batch", r->batch);
    put_count(o, "layers", r->net_layers);
    put_count(o, "macs", r->net_macs);
    put_count(o, "parameters", r->net_parameters);
    return o;
}

/* Cycles by cause, of one kind; where `all` is false only those that occurred. */
static json_t *cause_object(const struct record *r, const uint64_t *cyc, bool overlaps, bool all)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_cause; i++)
        if (r->cause_overlaps[i] == overlaps && (all || cyc[i] > 0))
            put_count(o, r->causes[i].name, cyc[i]);
    return o;
}

/* Every memory that saw traffic during the run, so that all layers have the same ones. */
static json_t *bytes_object(const struct record *r, const struct record_bytes *bytes)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_memory; i++) {
        struct record_bytes all = record_memory_bytes(r, i);
        if (all.read == 0 && all.write == 0)
            continue;
        json_t *memory = json_object();
        put_count(memory, "read", bytes[i].read);
        put_count(memory, "write", bytes[i].write);
        json_object_set_new(o, r->memories[i].name, memory);
    }
    return o;
}

/* Memories that any mapping must use. */
static json_t *compulsory_object(const struct record *r, const struct record_bytes *bytes)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_memory; i++) {
        if (bytes[i].read == 0 && bytes[i].write == 0)
            continue;
        json_t *memory = json_object();
        put_count(memory, "read", bytes[i].read);
        put_count(memory, "write", bytes[i].write);
        json_object_set_new(o, r->memories[i].name, memory);
    }
    return o;
}

static void put_bound(json_t *o, const struct record *r, const struct record_layer *l)
{
    if (l->bound_cyc > 0) {
        put_count(o, "bound_cycles", l->bound_cyc);
        if (l->cycles > 0)
            put_real(o, "gap", record_gap(l->cycles, l->bound_cyc));
    }
    put_object(o, "compulsory_bytes", compulsory_object(r, l->compulsory));
}

static json_t *energy_object(const struct record *r, const double *energy_pj)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_component; i++)
        put_real(o, r->components[i].name, energy_pj[i] * 1e-12);
    return o;
}

static json_t *area_object(const struct record *r)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_area; i++)
        put_real(o, r->areas[i].name, r->areas[i].mm2);
    return o;
}

static json_t *check_object(const struct record_check *c)
{
    json_t *o = json_object();
    if (!c->done)
        return o;
    put_text(o, "reference", c->reference);
    if (c->has_exact)
        put_bool(o, "exact", c->exact);
    put_real(o, "max_abs_error", c->max_abs_error);
    put_real(o, "relative_l2_error", c->relative_l2_error);
    put_bool(o, "pass", c->pass);
    return o;
}

static json_t *net_check_object(const struct record *r)
{
    json_t *o = check_object(&r->check);
    if (!r->check.done)
        return o;
    if (r->has_snr)
        put_real(o, "snr_db", r->snr_db);
    if (r->top1_agreement >= 0)
        put_real(o, "top1_agreement", r->top1_agreement);
    return o;
}

static void put_rates(json_t *o, const struct record *r, const struct record_layer *total)
{
    if (r->total_cyc == 0)
        return;
    double seconds = record_seconds(r);
    put_count(o, "cycles", r->total_cyc);
    if (r->peak_macs_per_cycle > 0)
        put_real(o, "utilization", record_utilization(r));
    if (seconds <= 0)
        return;
    put_real(o, "seconds", seconds);
    put_real(o, "ops_per_second", 2.0 * (double)total->macs / seconds);
    put_real(o, "inferences_per_second", (double)r->batch / seconds);
    if (r->n_component > 0)
        put_real(o, "power_w", record_energy_j(r) / seconds);
    if (r->n_power > 0)
        put_real(o, "peak_power_w", power_peak_w(r));
}

static json_t *totals_object(const struct record *r)
{
    struct record_layer total = total_layer(r);
    json_t *o = json_object();
    put_count(o, "macs", total.macs);
    put_rates(o, r, &total);
    if (r->n_component > 0)
        put_real(o, "energy_j", record_energy_j(r));
    put_object(o, "energy", energy_object(r, total.energy_pj));
    uint64_t n_saturated;
    if (record_saturated(r, &n_saturated))
        put_count(o, "saturated", n_saturated);
    if (record_host_cyc(r) > 0)
        put_count(o, "host_cycles", record_host_cyc(r));
    if (r->area_mm2 > 0)
        put_real(o, "area_mm2", r->area_mm2);
    put_object(o, "area", area_object(r));
    if (r->dram_memory >= 0) {
        put_count(o, "dram_read_bytes", total.bytes[r->dram_memory].read);
        put_count(o, "dram_write_bytes", total.bytes[r->dram_memory].write);
    }
    put_object(o, "bytes", bytes_object(r, total.bytes));
    put_bound(o, r, &total);
    if (r->n_event > 0)
        put_count(o, "events", r->n_event);
    if (r->n_mapping > 0)
        put_count(o, "mappings", r->n_mapping);
    put_real(o, "host_seconds", r->host_seconds);
    return o;
}

static json_t *layer_object(const struct record *r, const struct record_layer *l)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(l->index));
    put_text(o, "name", l->name);
    put_text(o, "op", l->op);
    put_text(o, "shape", l->shape);
    json_object_set_new(o, "device", json_integer(l->device));
    if (l->on_host)
        put_bool(o, "host", true);
    put_text(o, "format", l->format);
    put_text(o, "weight_format", l->weight_format);
    put_count(o, "macs", l->macs);
    if (r->total_cyc > 0) {
        put_count(o, "cycles", l->cycles);
        put_count(o, "start_cycle", l->start_cycle);
        put_count(o, "end_cycle", l->end_cycle);
    }
    if (l->peak_macs_per_cycle > 0) {
        put_real(o, "peak_macs_per_cycle", l->peak_macs_per_cycle);
        if (l->cycles > 0)
            put_real(o, "utilization", record_layer_utilization(l));
    }
    put_text(o, "bound", record_bound_names[l->bound]);
    put_object(o, "stalls", cause_object(r, l->stall_cyc, false, !l->on_host));
    put_object(o, "overlapping", cause_object(r, l->stall_cyc, true, false));
    put_object(o, "bytes", bytes_object(r, l->bytes));
    put_bound(o, r, l);
    if (r->n_component > 0)
        put_real(o, "energy_j", record_layer_energy_j(r, l));
    put_object(o, "energy", energy_object(r, l->energy_pj));
    if (l->has_saturated)
        put_count(o, "saturated", l->saturated);
    if (l->host_cyc > 0)
        put_count(o, "host_cycles", l->host_cyc);
    put_object(o, "check", check_object(&l->check));
    return o;
}

/* The causes are those of the units that multiply matrices; another unit has some of them. */
static json_t *unit_object(const struct record *r, const struct record_unit *u)
{
    bool is_matrix = strstr(u->name, "matrix") != NULL;
    json_t *o = json_object();
    put_text(o, "name", u->name);
    put_count(o, "busy_cycles", u->busy_cyc);
    if (u->useful_cyc > 0)
        put_real(o, "useful_mac_cycles", u->useful_cyc);
    put_object(o, "stalls", cause_object(r, u->stall_cyc, false, is_matrix));
    put_object(o, "overlapping", cause_object(r, u->stall_cyc, true, is_matrix));
    return o;
}

static json_t *dram_energy_object(const struct record_dram *d)
{
    json_t *o = json_object();
    if (!d->priced)
        return o;
    put_real(o, "access", d->access_pj * 1e-12);
    put_real(o, "activate", d->activate_pj * 1e-12);
    put_real(o, "refresh", d->refresh_pj * 1e-12);
    put_real(o, "background", d->background_pj * 1e-12);
    return o;
}

/* What memories with rows and banks did; none where no memory has them. */
static json_t *memories_array(const struct record *r)
{
    json_t *memories = json_array();
    for (int i = 0; i < r->n_memory; i++) {
        const struct record_dram *d = &r->drams[i];
        if (!d->known)
            continue;
        json_t *o = json_object();
        put_text(o, "name", r->memories[i].name);
        put_text(o, "standard", d->standard);
        put_count(o, "row_hits", d->row_hits);
        put_count(o, "row_misses", d->row_misses);
        put_count(o, "row_conflicts", d->row_conflicts);
        put_count(o, "activates", d->activates);
        put_count(o, "refreshes", d->refreshes);
        put_count(o, "busy_cycles", d->busy_cyc);
        put_count(o, "peak_cycles", d->peak_cyc);
        put_object(o, "energy", dram_energy_object(d));
        json_array_append_new(memories, o);
    }
    return memories;
}

static json_t *power_object(const struct record *r)
{
    json_t *o = json_object(), *watts = json_array();
    for (int i = 0; i < r->n_power; i++)
        json_array_append_new(watts, json_real(r->power_w[i]));
    put_real(o, "interval_seconds", power_interval_s(r));
    json_object_set_new(o, "watts", watts);
    return o;
}

static json_t *record_object(const struct record *r)
{
    json_t *o = json_object();
    put_text(o, "schema", "accsim-run/1");
    put_text(o, "version", r->version);
    put_text(o, "command", r->command);
    put_count(o, "seed", r->seed);
    put_text(o, "mode", r->mode);
    put_text(o, "fidelity", r->fidelity);
    json_object_set_new(o, "arch", arch_object(r));
    json_object_set_new(o, "net", net_object(r));
    json_object_set_new(o, "totals", totals_object(r));
    json_t *layers = json_array(), *units = json_array();
    for (int i = 0; i < r->n_layer; i++)
        json_array_append_new(layers, layer_object(r, &r->layers[i]));
    for (int i = 0; i < r->n_unit; i++)
        json_array_append_new(units, unit_object(r, &r->units[i]));
    json_object_set_new(o, "layers", layers);
    json_object_set_new(o, "units", units);
    json_t *memories = memories_array(r);
    if (json_array_size(memories) > 0)
        json_object_set(o, "memories", memories);
    json_decref(memories);
    if (r->n_power > 0)
        json_object_set_new(o, "power", power_object(r));
    put_object(o, "check", net_check_object(r));
    return o;
}

char *report_json(const struct record *r)
{
    json_t *o = record_object(r);
    char *body = json_dumps(o, JSON_INDENT(2));
    g_assert(body);
    json_decref(o);
    char *text = g_strconcat(body, "\n", NULL);
    free(body);
    return text;
}
