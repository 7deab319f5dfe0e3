/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of what a run found: totals, layers, units, memories, power. */
#include "reports/json_parts.h"
#include "reports/total.h"
#include "sim/base/arena.h"
#include "sim/stat/power.h"

/* Cycles by cause, of one kind; where `all` is false only those that occurred. */
static json_t *cause_object(const struct record_cause *causes, int n_cause, const uint64_t *cyc,
                            bool overlaps, bool all)
{
    json_t *o = json_object();
    for (int i = 0; i < n_cause; i++)
        if (causes[i].overlaps == overlaps && (all || cyc[i] > 0))
            json_put_count(o, causes[i].name, cyc[i]);
    return o;
}

static json_t *moved_object(const struct record_bytes *bytes)
{
    json_t *o = json_object();
    json_put_count(o, "read", bytes->read);
    json_put_count(o, "write", bytes->write);
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
        json_object_set_new(o, r->memories[i].name, moved_object(&bytes[i]));
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
        json_object_set_new(o, r->memories[i].name, moved_object(&bytes[i]));
    }
    return o;
}

static void put_bound(json_t *o, const struct record *r, const struct record_layer *l)
{
    if (l->bound_cyc > 0) {
        json_put_count(o, "bound_cycles", l->bound_cyc);
        if (l->cycles > 0)
            json_put_real(o, "gap", record_gap(l->cycles, l->bound_cyc));
    }
    json_put_object(o, "compulsory_bytes", compulsory_object(r, l->compulsory));
}

static json_t *energy_object(const struct record *r, const double *energy_pj)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_component; i++)
        json_put_real(o, r->components[i].name, energy_pj[i] * 1e-12);
    return o;
}

static json_t *area_object(const struct record *r)
{
    json_t *o = json_object();
    for (int i = 0; i < r->n_area; i++)
        json_put_real(o, r->areas[i].name, r->areas[i].mm2);
    return o;
}

static json_t *check_object(const struct record_check *c)
{
    json_t *o = json_object();
    if (!c->done)
        return o;
    json_put_text(o, "reference", c->reference);
    if (c->has_exact)
        json_put_bool(o, "exact", c->exact);
    json_put_real(o, "max_abs_error", c->max_abs_error);
    json_put_real(o, "relative_l2_error", c->relative_l2_error);
    json_put_bool(o, "pass", c->pass);
    return o;
}

json_t *json_net_check(const struct record *r)
{
    json_t *o = check_object(&r->check);
    if (!r->check.done)
        return o;
    if (r->has_snr)
        json_put_real(o, "snr_db", r->snr_db);
    if (r->top1_agreement >= 0)
        json_put_real(o, "top1_agreement", r->top1_agreement);
    return o;
}

static void put_rates(json_t *o, const struct record *r, const struct record_layer *total)
{
    if (r->total_cyc == 0)
        return;
    double seconds = record_seconds(r);
    json_put_count(o, "cycles", r->total_cyc);
    if (r->peak_macs_per_cycle > 0)
        json_put_real(o, "utilization", record_utilization(r));
    if (seconds <= 0)
        return;
    json_put_real(o, "seconds", seconds);
    json_put_real(o, "ops_per_second", 2.0 * (double)total->macs / seconds);
    json_put_real(o, "inferences_per_second", (double)r->batch / seconds);
    if (r->n_component > 0)
        json_put_real(o, "power_w", record_energy_j(r) / seconds);
    if (r->n_power > 0)
        json_put_real(o, "peak_power_w", power_peak_w(r));
}

json_t *json_totals(const struct record *r)
{
    struct arena *arena = arena_new();
    const struct record_layer *total = total_layer(arena, r);
    json_t *o = json_object();
    json_put_count(o, "macs", total->macs);
    put_rates(o, r, total);
    if (r->n_component > 0)
        json_put_real(o, "energy_j", record_energy_j(r));
    json_put_object(o, "energy", energy_object(r, total->energy_pj));
    uint64_t n_saturated;
    if (record_saturated(r, &n_saturated))
        json_put_count(o, "saturated", n_saturated);
    if (record_host_cyc(r) > 0)
        json_put_count(o, "host_cycles", record_host_cyc(r));
    if (r->area_mm2 > 0)
        json_put_real(o, "area_mm2", r->area_mm2);
    json_put_object(o, "area", area_object(r));
    bool has_dram = false;
    for (int i = 0; i < r->n_memory; i++)
        has_dram |= record_is_dram(r, i);
    if (has_dram) {
        const struct record_bytes bytes = record_dram_bytes(r, total->bytes);
        json_put_count(o, "dram_read_bytes", bytes.read);
        json_put_count(o, "dram_write_bytes", bytes.write);
    }
    json_put_object(o, "bytes", bytes_object(r, total->bytes));
    put_bound(o, r, total);
    arena_free(arena);
    if (r->n_event > 0)
        json_put_count(o, "events", r->n_event);
    if (r->n_mapping > 0)
        json_put_count(o, "mappings", r->n_mapping);
    json_put_real(o, "host_seconds", r->host_seconds);
    return o;
}

json_t *json_layer(const struct record *r, const struct record_layer *l)
{
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(l->index));
    json_put_text(o, "name", l->name);
    json_put_text(o, "op", l->op);
    json_put_text(o, "shape", l->shape);
    json_object_set_new(o, "device", json_integer(l->device));
    if (l->on_host)
        json_put_bool(o, "host", true);
    json_put_text(o, "format", l->format);
    json_put_text(o, "weight_format", l->weight_format);
    json_put_count(o, "macs", l->macs);
    if (r->total_cyc > 0) {
        json_put_count(o, "cycles", l->cycles);
        json_put_count(o, "start_cycle", l->start_cycle);
        json_put_count(o, "end_cycle", l->end_cycle);
    }
    if (l->peak_macs_per_cycle > 0) {
        json_put_real(o, "peak_macs_per_cycle", l->peak_macs_per_cycle);
        if (l->cycles > 0)
            json_put_real(o, "utilization", record_layer_utilization(l));
    }
    json_put_text(o, "bound", record_bound_names[l->bound]);
    json_put_object(o, "stalls",
                    cause_object(r->causes, r->n_cause, l->stall_cyc, false, !l->on_host));
    json_put_object(o, "overlapping",
                    cause_object(r->causes, r->n_cause, l->stall_cyc, true, false));
    json_put_object(o, "bytes", bytes_object(r, l->bytes));
    put_bound(o, r, l);
    if (r->n_component > 0)
        json_put_real(o, "energy_j", record_layer_energy_j(r, l));
    json_put_object(o, "energy", energy_object(r, l->energy_pj));
    if (l->has_saturated)
        json_put_count(o, "saturated", l->saturated);
    if (l->streamed_bytes > 0)
        json_put_count(o, "streamed_weight_bytes", l->streamed_bytes);
    if (l->host_cyc > 0)
        json_put_count(o, "host_cycles", l->host_cyc);
    json_put_object(o, "check", check_object(&l->check));
    json_put_tables(o, l->tables, l->n_table);
    return o;
}

json_t *json_unit(const struct record *r, const struct record_unit *u)
{
    json_t *o = json_object();
    json_put_text(o, "name", u->name);
    if (u->count > 1)
        json_put_count(o, "count", u->count);
    json_put_count(o, "busy_cycles", u->busy_cyc);
    if (u->useful_cyc > 0)
        json_put_real(o, "useful_mac_cycles", u->useful_cyc);
    json_put_object(o, "stalls", cause_object(u->causes, u->n_cause, u->stall_cyc, false, true));
    json_put_object(o, "overlapping",
                    cause_object(u->causes, u->n_cause, u->stall_cyc, true, true));
    if (u->n_cause > 0 && u->causes != r->causes)
        json_object_set_new(o, "causes", json_causes(u->causes, u->n_cause));
    return o;
}

static json_t *dram_energy_object(const struct record_dram *d)
{
    json_t *o = json_object();
    if (!d->priced)
        return o;
    json_put_real(o, "access", d->access_pj * 1e-12);
    json_put_real(o, "activate", d->activate_pj * 1e-12);
    json_put_real(o, "refresh", d->refresh_pj * 1e-12);
    json_put_real(o, "background", d->background_pj * 1e-12);
    return o;
}

/* What memories with rows and banks did; none where no memory has them. */
json_t *json_memories(const struct record *r)
{
    json_t *memories = json_array();
    for (int i = 0; i < r->n_memory; i++) {
        const struct record_dram *d = &r->drams[i];
        if (!d->known)
            continue;
        json_t *o = json_object();
        json_put_text(o, "name", r->memories[i].name);
        json_put_text(o, "standard", d->standard);
        json_put_count(o, "row_hits", d->row_hits);
        json_put_count(o, "row_misses", d->row_misses);
        json_put_count(o, "row_conflicts", d->row_conflicts);
        json_put_count(o, "activates", d->activates);
        json_put_count(o, "refreshes", d->refreshes);
        json_put_count(o, "busy_cycles", d->busy_cyc);
        json_put_count(o, "peak_cycles", d->peak_cyc);
        json_put_object(o, "energy", dram_energy_object(d));
        json_array_append_new(memories, o);
    }
    return memories;
}

json_t *json_power(const struct record *r)
{
    json_t *o = json_object(), *watts = json_array();
    for (int i = 0; i < r->n_power; i++)
        json_array_append_new(watts, json_real(r->power_w[i]));
    json_put_real(o, "interval_seconds", power_interval_s(r));
    json_object_set_new(o, "watts", watts);
    return o;
}
