/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/text.h"

static void put_title(struct text *t, const struct record *r)
{
    g_autofree char *net = text_clean(t, r->net_name), *arch = text_clean(t, r->arch_name);
    g_autofree char *clock = text_si(t, r->clock_hz, "Hz");
    g_autofree char *peak = text_si(t, 2.0 * r->peak_macs_per_cycle * r->clock_hz, "OPS");
    g_autofree char *batch = g_strdup_printf("batch %" G_GUINT64_FORMAT, r->batch);
    g_autofree char *peak_of = g_strdup_printf("peak %s", peak);
    bool has_peak = r->peak_macs_per_cycle > 0 && r->clock_hz > 0;
    const char *const facts[] = {
        batch,
        r->precision,
        r->clock_hz > 0 ? clock : NULL,
        has_peak ? peak_of : NULL,
    };
    text_put(t, TEXT_BOLD, net);
    text_put(t, TEXT_PLAIN, " on ");
    text_put(t, TEXT_BOLD, arch);
    for (int i = 0; i < r->n_override; i++) {
        g_autofree char *set = text_clean(t, r->overrides[i]);
        g_string_append_printf(t->out, "%s%s", i ? ", " : " with ", set);
    }
    if (r->mapping_file) {
        g_autofree char *file = text_clean(t, r->mapping_file);
        g_string_append_printf(t->out, ", mapped by %s", file);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(facts); i++) {
        if (!facts[i])
            continue;
        g_string_append_c(t->out, ' ');
        text_put(t, TEXT_DIM, t->glyphs->dot);
        g_string_append_printf(t->out, " %s", facts[i]);
    }
    g_string_append(t->out, "\n\n");
}

static void put_mapping(struct text *t, const struct record *r)
{
    if (r->n_mapping == 0)
        return;
    g_autofree char *n = text_grouped(r->n_mapping), *seconds = text_si(t, r->map_seconds, "s");
    g_autofree char *line = g_strdup_printf("mapped in %s, %s mappings tried", seconds, n);
    text_put(t, TEXT_DIM, line);
    g_string_append_c(t->out, '\n');
}

char *report_text(const struct record *r, const struct report_style *style)
{
    struct text t = text_begin(style);
    put_title(&t, r);
    text_layers(&t, r);
    text_tables(&t, r);
    g_string_append_c(t.out, '\n');
    text_totals(&t, r);
    g_string_append_c(t.out, '\n');
    text_words(&t, r);
    if (style->host_time) {
        g_autofree char *seconds = text_si(&t, r->host_seconds, "s");
        g_autofree char *line = g_strdup_printf("simulated in %s", seconds);
        text_put(&t, TEXT_DIM, line);
        g_string_append_c(t.out, '\n');
        put_mapping(&t, r);
    }
    return g_string_free(t.out, FALSE);
}
