/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of the machine and the network: settings, and the names that results are given by. */
#include <glib.h>

#include "reports/json_parts.h"

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

json_t *json_legend(const struct stat_desc *d)
{
    json_t *o = json_object();
    json_put_text(o, "name", d->name);
    json_put_text(o, "unit", d->unit);
    json_put_text(o, "help", d->help);
    return o;
}

json_t *json_causes(const struct record_cause *causes, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const struct stat_desc desc = {causes[i].name, "cycle", causes[i].help};
        json_t *o = json_legend(&desc);
        json_put_bool(o, "overlaps", causes[i].overlaps);
        json_array_append_new(list, o);
    }
    return list;
}

static void put_legends(json_t *o, const struct record *r)
{
    json_t *memories = json_array();
    for (int i = 0; i < r->n_memory; i++) {
        json_t *memory = json_legend(&r->memories[i]);
        json_put_bool(memory, "is_dram", record_is_dram(r, i));
        if (r->memory_bytes_per_cyc[i] > 0)
            json_put_real(memory, "bytes_per_cycle", r->memory_bytes_per_cyc[i]);
        json_array_append_new(memories, memory);
    }
    json_t *components = json_array();
    for (int i = 0; i < r->n_component; i++)
        json_array_append_new(components, json_legend(&r->components[i]));
    json_object_set_new(o, "causes", json_causes(r->causes, r->n_cause));
    json_object_set_new(o, "memories", memories);
    json_object_set_new(o, "components", components);
}

json_t *json_arch(const struct record *r)
{
    json_t *o = json_object();
    json_put_text(o, "name", r->arch_name);
    json_put_text(o, "family", r->arch_family);
    json_put_text(o, "file", r->arch_file);
    json_t *overrides = json_array();
    for (int i = 0; i < r->n_override; i++)
        json_put_item(overrides, r->overrides[i]);
    json_object_set_new(o, "overrides", overrides);
    if (r->clock_hz > 0)
        json_put_real(o, "clock_hz", r->clock_hz);
    if (r->peak_macs_per_cycle > 0)
        json_put_real(o, "peak_macs_per_cycle", r->peak_macs_per_cycle);
    json_put_text(o, "precision", r->precision);
    json_put_text(o, "known_error", r->known_error);
    json_object_set_new(o, "settings", settings_object(r));
    put_derived(o, r);
    put_legends(o, r);
    json_put_named_legends(o, r);
    return o;
}

json_t *json_net(const struct record *r)
{
    json_t *o = json_object();
    json_put_text(o, "name", r->net_name);
    json_put_text(o, "file", r->net_file);
    json_put_text(o, "mapping", r->mapping_file);
    json_put_count(o, "batch", r->batch);
    json_put_count(o, "layers", r->net_layers);
    json_put_count(o, "macs", r->net_macs);
    json_put_count(o, "parameters", r->net_parameters);
    return o;
}
