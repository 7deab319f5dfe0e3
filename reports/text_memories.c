/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of memories: what crosses the chip's edge, banks and rows, and what had to move at least.
 */
#include <glib.h>

#include "reports/text.h"

/* What one memory moved, and how much of its bandwidth that took. */
static void add_traffic(GString *body, struct text *t, const struct record *r, int i_memory)
{
    const struct record_bytes bytes = record_memory_bytes(r, i_memory);
    g_autofree char *name = text_spoken(t, r->memories[i_memory].name);
    g_autofree char *read = text_si(t, (double)bytes.read, "B");
    g_autofree char *write = text_si(t, (double)bytes.write, "B");
    g_string_append_printf(body, "%s%s read, %s written (%s memory)", body->len ? "; " : "", read,
                           write, name);
    if (r->total_cyc == 0 || r->clock_hz <= 0)
        return;
    const double rate = ((double)bytes.read + (double)bytes.write) / record_seconds(r);
    const double peak = r->memory_bytes_per_cyc[i_memory] * r->clock_hz;
    g_autofree char *moved = text_si(t, rate, "B/s");
    g_string_append_printf(body, ", %s", moved);
    if (peak > 0) {
        g_autofree char *share = text_percent(rate / peak, 1), *most = text_si(t, peak, "B/s");
        g_string_append_printf(body, " = %s of its %s", share, most);
    }
}

static void put_traffic(struct text *t, const struct record *r)
{
    g_autoptr(GString) body = g_string_new(NULL);
    for (int i = 0; i < r->n_memory; i++)
        if (r->memory_place[i] != PLACE_ON_CHIP)
            add_traffic(body, t, r, i);
    if (body->len > 0)
        text_paragraph(t, TEXT_BOLD, "off-chip", body->str);
}

/* Parameters that come over the host link. */
static void put_streamed(struct text *t, const struct record *r)
{
    int n_layer = 0;
    double bytes = 0;
    for (int i = 0; i < r->n_layer; i++) {
        n_layer += r->layers[i].streamed_bytes > 0;
        bytes += (double)r->layers[i].streamed_bytes;
    }
    if (n_layer == 0)
        return;
    g_autofree char *size = text_si(t, bytes, "B");
    g_autofree char *body = g_strdup_printf(
        "%s of %d %s, which the weight memory has no room for, come over the host link each time",
        size, n_layer, n_layer == 1 ? "layer" : "layers");
    text_paragraph(t, TEXT_BOLD, "streamed", body);
}

static void add_bank_energy(GString *body, struct text *t, const struct record_dram *d)
{
    const double all_pj = d->access_pj + d->activate_pj + d->refresh_pj + d->background_pj;
    if (!d->priced || all_pj <= 0)
        return;
    g_autofree char *all = text_si(t, all_pj * 1e-12, "J");
    g_autofree char *access = text_percent(d->access_pj / all_pj, 1);
    g_autofree char *activate = text_percent(d->activate_pj / all_pj, 1);
    g_autofree char *refresh = text_percent(d->refresh_pj / all_pj, 1);
    g_autofree char *background = text_percent(d->background_pj / all_pj, 1);
    g_string_append_printf(body, "; %s: access %s, background %s, refresh %s, activates %s", all,
                           access, background, refresh, activate);
}

/* Rows and banks of a memory: how the bursts found them, and how long the memory took for its bytes
 * beside what `fixed` takes, the peak. */
static void put_banks(struct text *t, const struct record *r, int i_memory)
{
    const struct record_dram *d = &r->drams[i_memory];
    const double n_burst = (double)d->row_hits + (double)d->row_misses + (double)d->row_conflicts;
    if (!d->known || n_burst == 0 || d->peak_cyc == 0)
        return;
    g_autofree char *name = text_spoken(t, r->memories[i_memory].name);
    g_autofree char *standard = text_clean(t, d->standard);
    g_autofree char *hits = text_percent((double)d->row_hits / n_burst, 1);
    g_autofree char *misses = text_percent((double)d->row_misses / n_burst, 1);
    g_autofree char *conflicts = text_percent((double)d->row_conflicts / n_burst, 1);
    g_autofree char *activates = text_grouped(d->activates);
    g_autofree char *refreshes = text_grouped(d->refreshes);
    g_autofree char *share = text_percent((double)d->peak_cyc / (double)d->busy_cyc, 1);
    g_autofree char *times = text_float("%.3f", (double)d->busy_cyc / (double)d->peak_cyc);
    GString *body = g_string_new(NULL);
    g_string_printf(body, "%s memory, %s: row hits %s, misses %s, conflicts %s", name, standard,
                    hits, misses, conflicts);
    g_string_append_printf(body, "; %s activates, %s refreshes", activates, refreshes);
    g_string_append_printf(body, "; %s of the peak while busy, %s times what fixed bandwidth takes",
                           share, times);
    add_bank_energy(body, t, d);
    text_paragraph(t, TEXT_BOLD, "banks", body->str);
    g_string_free(body, TRUE);
}

/* Compulsory bytes of a memory, and how often over they were moved. */
static void add_compulsory(GString *body, struct text *t, const struct record *r, int i_memory)
{
    const struct record_bytes least = record_compulsory_bytes(r, i_memory);
    const struct record_bytes moved = record_memory_bytes(r, i_memory);
    const double least_bytes = (double)least.read + (double)least.write;
    if (least_bytes <= 0)
        return;
    g_autofree char *name = text_spoken(t, r->memories[i_memory].name);
    g_autofree char *bytes = text_si(t, least_bytes, "B");
    g_autofree char *times =
        text_float("%.3g", ((double)moved.read + (double)moved.write) / least_bytes);
    g_string_append_printf(body, "%s %s of %s, moved %sx", body->len ? "," : "", bytes, name,
                           times);
}

/* How far the run is from what no mapping of it on this machine can beat. */
static void put_bound(struct text *t, const struct record *r)
{
    const uint64_t bound_cyc = record_bound_cyc(r);
    if (bound_cyc == 0 || r->total_cyc == 0)
        return;
    g_autofree char *cycles = text_grouped(bound_cyc);
    g_autofree char *gap = text_percent(record_gap(r->total_cyc, bound_cyc), 1);
    GString *moved = g_string_new(NULL);
    for (int i = 0; i < r->n_memory; i++)
        add_compulsory(moved, t, r, i);
    g_autofree char *body =
        g_strdup_printf("%s cycles is the least possible, the run takes %s more%s%s", cycles, gap,
                        moved->len ? "; compulsory traffic:" : "", moved->str);
    text_paragraph(t, TEXT_BOLD, "bound", body);
    g_string_free(moved, TRUE);
}

void text_memories(struct text *t, const struct record *r)
{
    put_traffic(t, r);
    put_streamed(t, r);
    for (int i = 0; i < r->n_memory; i++)
        put_banks(t, r, i);
    put_bound(t, r);
}
