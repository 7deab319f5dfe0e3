/* SPDX-License-Identifier: Apache-2.0 */
/* accsim show arch: a machine's settings, rates and memories. */
#include <string.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "sim/base/error.h"

static const char *family_summary(const char *family)
{
    for (int i = 0; i < accsim_n_family(); i++) {
        if (g_strcmp0(accsim_family_name(i), family) == 0)
            return accsim_family_summary(i);
    }
    return NULL;
}

/* A multiply and an add are two operations. */
static double peak_ops_per_second(const struct machine *m, enum number n)
{
    return 2 * m->peak_macs_per_cyc[n] * m->clock_hz;
}

static json_t *peaks_doc(const struct machine *m)
{
    json_t *peaks = json_object();
    for (int n = 0; n < NUMBER_COUNT; n++) {
        if (m->peak_macs_per_cyc[n] <= 0)
            continue;
        json_t *peak = json_object();
        json_put_real(peak, "macs_per_cycle", m->peak_macs_per_cyc[n]);
        json_put_real(peak, "ops_per_second", peak_ops_per_second(m, (enum number)n));
        json_object_set_new(peaks, number_names[n], peak);
    }
    return peaks;
}

static json_t *memory_doc(const struct machine *m, const struct machine_memory *memory)
{
    json_t *doc = json_object();
    json_put_text(doc, "name", memory->name);
    json_put_text(doc, "help", memory->help);
    if (memory->parent >= 0)
        json_put_text(doc, "filled_from", m->memories[memory->parent].name);
    if (memory->size_bytes > 0)
        json_put_count(doc, "size_bytes", memory->size_bytes);
    if (memory->bytes_per_cyc > 0)
        json_put_real(doc, "bytes_per_second", memory->bytes_per_cyc * m->clock_hz);
    return doc;
}

static json_t *area_doc(const struct machine *m)
{
    json_t *doc = json_object();
    for (int i = 0; i < m->n_area; i++)
        json_put_real(doc, m->areas[i].name, m->areas[i].mm2);
    return doc;
}

static json_t *leakage_doc(const struct machine *m)
{
    json_t *doc = json_object();
    for (int i = 0; i < m->n_area; i++)
        if (m->areas[i].leakage_w > 0)
            json_put_real(doc, m->areas[i].name, m->areas[i].leakage_w);
    return doc;
}

static json_t *setting_doc(const struct record_setting *s)
{
    json_t *doc = json_object();
    json_put_text(doc, "path", s->path);
    /* Numbers, booleans and lists of them are written in a settings file as they are in JSON. */
    json_t *value = s->is_string ? NULL : json_loads(s->value, JSON_DECODE_ANY, NULL);
    if (value)
        json_object_set_new(doc, "value", value);
    else
        json_put_text(doc, "value", s->value);
    json_put_text(doc, "unit", s->unit);
    json_put_text(doc, "help", s->help);
    json_object_set_new(doc, "is_default", json_boolean(s->is_default));
    if (s->is_derived)
        json_object_set_new(doc, "is_derived", json_true());
    return doc;
}

static json_t *arch_doc(const struct machine *m, const struct record_setting *settings, int n)
{
    json_t *doc = emit_doc("accsim-arch/1");
    json_put_text(doc, "name", m->name);
    json_put_text(doc, "family", m->family);
    json_put_text(doc, "file", m->file);
    json_put_real(doc, "clock_hz", m->clock_hz);
    json_put_text(doc, "precision", number_names[m->precision]);
    json_put_text(doc, "known_error", m->known_error);
    json_object_set_new(doc, "peak", peaks_doc(m));
    json_t *memories = json_array();
    for (int i = 0; i < m->n_memory; i++)
        json_array_append_new(memories, memory_doc(m, &m->memories[i]));
    json_object_set_new(doc, "memories", memories);
    if (m->area_mm2 > 0) {
        json_put_real(doc, "area_mm2", m->area_mm2);
        json_object_set_new(doc, "area", area_doc(m));
        json_object_set_new(doc, "leakage_w", leakage_doc(m));
    }
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, setting_doc(&settings[i]));
    json_object_set_new(doc, "settings", list);
    return doc;
}

static void add_head(GString *out, const struct machine *m)
{
    struct table *t = table_new("ll", NULL);
    g_autofree char *family = g_strdup_printf("%s: %s", m->family, family_summary(m->family));
    table_row(t, "machine", m->name);
    table_row(t, "family", family);
    table_row(t, "file", m->file);
    for (int n = 0; n < NUMBER_COUNT; n++) {
        if (m->peak_macs_per_cyc[n] <= 0)
            continue;
        g_autofree char *label = g_strdup_printf("peak %s", number_names[n]);
        g_autofree char *peak = g_strdup_printf("%.2f TOPS = 2 x %.10g MACs a cycle x %.10g MHz",
                                                peak_ops_per_second(m, (enum number)n) * 1e-12,
                                                m->peak_macs_per_cyc[n], m->clock_hz * 1e-6);
        table_row(t, label, peak);
    }
    table_row(t, "precision", number_names[m->precision]);
    if (m->known_error)
        table_row(t, "known error", m->known_error);
    table_print(t, out);
}

static void add_memories(GString *out, const struct machine *m)
{
    static const char *const headings[] = {"memory", "size", "bandwidth", "filled from", "help"};
    struct table *t = table_new("lrrll", headings);
    for (int i = 0; i < m->n_memory; i++) {
        const struct machine_memory *memory = &m->memories[i];
        g_autofree char *bandwidth =
            g_strdup_printf("%.2f GB/s", memory->bytes_per_cyc * m->clock_hz * 1e-9);
        table_row(t, memory->name,
                  memory->size_bytes > 0 ? number_size((double)memory->size_bytes).text : "-",
                  memory->bytes_per_cyc > 0 ? bandwidth : "unlimited",
                  memory->parent >= 0 ? m->memories[memory->parent].name : "-", memory->help);
    }
    table_print(t, out);
}

static void add_area(GString *out, const struct machine *m)
{
    static const char *const headings[] = {"part of the die", "mm2", "share", "leakage W"};
    if (m->area_mm2 <= 0)
        return;
    struct table *t = table_new("lrrr", headings);
    double all_w = 0;
    for (int i = 0; i < m->n_area; i++) {
        const struct record_area *a = &m->areas[i];
        g_autofree char *share = g_strdup_printf("%.1f %%", 100 * a->mm2 / m->area_mm2);
        table_row(t, a->name, number_fixed(a->mm2, 2).text, share,
                  a->leakage_w > 0 ? number_fixed(a->leakage_w, 3).text : "-");
        all_w += a->leakage_w;
    }
    table_row(t, "all", number_fixed(m->area_mm2, 2).text, "100.0 %", number_fixed(all_w, 3).text);
    table_print(t, out);
    g_string_append_c(out, '\n');
}

static void add_settings(GString *out, const struct machine *m,
                         const struct record_setting *settings, int n)
{
    static const char *const headings[] = {"setting", "value", "", "unit", "help"};
    struct table *t = table_new("lllll", headings);
    for (int i = 0; i < n; i++) {
        const struct record_setting *s = &settings[i];
        if (g_strcmp0(s->value, m->known_error) == 0)
            continue; /* stands in the head */
        const char *mark = s->is_derived ? "=" : s->is_default ? "" : "*";
        g_autofree char *value = s->is_derived
                                     ? g_strdup_printf("%.6g", g_ascii_strtod(s->value, NULL))
                                     : g_strdup(s->value);
        table_row(t, s->path, value, mark, s->unit, s->help);
    }
    table_print(t, out);
    g_string_append(out, "\n*: not the family's default; =: worked out, since it is not given\n");
}

bool show_arch(const struct options *o, GError **error)
{
    if (strcmp(o->words[0], "reference") == 0)
        return error_set(error, ERROR_INPUT,
                         "'reference' has no settings: it computes in fp32 on this computer");
    struct accsim_machine *machine =
        accsim_machine_load(o->words[0], (const char *const *)o->set, error);
    if (!machine)
        return false;
    const struct machine *m = accsim_machine_view(machine);
    int n = 0;
    const struct record_setting *settings = accsim_machine_settings(machine, &n);
    GString *out = g_string_new(NULL);
    add_head(out, m);
    g_string_append_c(out, '\n');
    add_memories(out, m);
    g_string_append_c(out, '\n');
    add_area(out, m);
    add_settings(out, m, settings, n);
    bool ok = emit(o, out, arch_doc(m, settings, n), error);
    accsim_machine_free(machine);
    return ok;
}
