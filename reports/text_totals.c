/* SPDX-License-Identifier: Apache-2.0 */
/* The totals below the table: a line a subject, left out where it does not apply. */
#include "reports/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/total.h"
#include "sim/stat/power.h"

/* Names of causes and components are keys; underscores read as blanks. */
static char *spoken(const struct text *t, const char *key)
{
    return g_strdelimit(text_clean(t, key), "_", ' ');
}

static void put_time(struct text *t, const struct record *r)
{
    if (r->total_cyc == 0 || r->clock_hz <= 0)
        return;
    g_autofree char *cycles = text_grouped(r->total_cyc);
    g_autofree char *seconds = text_si(t, record_seconds(r), "s");
    g_autofree char *clock = text_si(t, r->clock_hz, "Hz");
    g_autofree char *body = g_strdup_printf("%s cycles = %s at %s", cycles, seconds, clock);
    text_paragraph(t, TEXT_BOLD, "time", body);
}

/* Of inferences, which take no prefix. */
static char *rate_of(double per_second)
{
    bool is_small = per_second < 1000 || per_second > 1e15;
    return is_small ? text_float("%.3g", per_second) : text_grouped((uint64_t)llround(per_second));
}

static void put_speed(struct text *t, const struct record *r)
{
    double seconds = record_seconds(r);
    if (r->total_cyc == 0 || r->clock_hz <= 0)
        return;
    g_autofree char *rate = rate_of((double)r->batch / seconds);
    g_autofree char *ops = text_si(t, 2.0 * (double)record_macs(r) / seconds, "OPS");
    g_autofree char *share = text_percent(record_utilization(r), 1);
    bool has_peak = r->peak_macs_per_cycle > 0;
    g_autofree char *body =
        g_strdup_printf("%s inferences/s, %s%s%s%s", rate, ops, has_peak ? " = " : "",
                        has_peak ? share : "", has_peak ? " of the peak" : "");
    text_paragraph(t, TEXT_BOLD, "speed", body);
}

/* Layers of the network that the machine leaves to its host. */
static void put_host(struct text *t, const struct record *r)
{
    int n_layer = 0;
    for (int i = 0; i < r->n_layer; i++)
        n_layer += r->layers[i].on_host;
    if (r->total_cyc == 0 || n_layer == 0)
        return;
    const uint64_t cycles = record_host_cyc(r);
    g_autofree char *n = text_grouped(cycles);
    g_autofree char *share = text_percent((double)cycles / (double)r->total_cyc, 1);
    const char *many = n_layer == 1 ? "layer" : "layers";
    g_autofree char *body =
        cycles > 0
            ? g_strdup_printf("computes %d %s in %s cycles, %s of all", n_layer, many, n, share)
            : g_strdup_printf("computes %d of %d layers in no time, as no rate of it is "
                              "given: time and energy here are without theirs",
                              n_layer, r->n_layer);
    text_paragraph(t, TEXT_PLAIN, "host", body);
}

static void put_traffic(struct text *t, const struct record *r)
{
    if (r->dram_memory < 0)
        return;
    struct record_bytes bytes = record_memory_bytes(r, r->dram_memory);
    g_autofree char *name = spoken(t, r->memories[r->dram_memory].name);
    g_autofree char *read = text_si(t, (double)bytes.read, "B");
    g_autofree char *write = text_si(t, (double)bytes.write, "B");
    GString *body = g_string_new(NULL);
    g_string_printf(body, "%s read, %s written (%s memory)", read, write, name);
    if (r->total_cyc > 0 && r->clock_hz > 0) {
        double rate = ((double)bytes.read + (double)bytes.write) / record_seconds(r);
        double peak = r->memory_bytes_per_cyc[r->dram_memory] * r->clock_hz;
        g_autofree char *moved = text_si(t, rate, "B/s");
        g_string_append_printf(body, ", %s", moved);
        if (peak > 0) {
            g_autofree char *share = text_percent(rate / peak, 1), *most = text_si(t, peak, "B/s");
            g_string_append_printf(body, " = %s of its %s", share, most);
        }
    }
    text_paragraph(t, TEXT_BOLD, "off-chip", body->str);
    g_string_free(body, TRUE);
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
    g_autofree char *name = spoken(t, r->memories[i_memory].name);
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
    g_autofree char *name = spoken(t, r->memories[i_memory].name);
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

struct part {
    int index;
    double amount;
};

static int by_amount(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return x->amount != y->amount ? (x->amount < y->amount ? 1 : -1) : x->index - y->index;
}

static void put_energy(struct text *t, const struct record *r)
{
    double energy_j = record_energy_j(r);
    if (r->n_component == 0)
        return;
    struct record_layer total = total_layer(r);
    struct part parts[RECORD_MAX_COMPONENT];
    for (int i = 0; i < r->n_component; i++)
        parts[i] = (struct part){i, total.energy_pj[i] * 1e-12};
    qsort(parts, (size_t)r->n_component, sizeof(parts[0]), by_amount);
    g_autofree char *energy = text_si(t, energy_j, "J");
    GString *body = g_string_new(energy);
    if (r->total_cyc > 0 && r->clock_hz > 0) {
        g_autofree char *power = text_si(t, energy_j / record_seconds(r), "W");
        g_string_append_printf(body, ", %s", power);
    }
    if (r->n_power > 0) {
        g_autofree char *peak = text_si(t, power_peak_w(r), "W");
        g_string_append_printf(body, " (peak %s)", peak);
    }
    for (int i = 0; i < r->n_component && parts[i].amount > 0; i++) {
        g_autofree char *name = spoken(t, r->components[parts[i].index].name);
        g_autofree char *share = text_percent(parts[i].amount / energy_j, 1);
        g_string_append_printf(body, "%s %s %s", i == 0 ? ":" : ",", name, share);
    }
    text_paragraph(t, TEXT_BOLD, "energy", body->str);
    g_string_free(body, TRUE);
}

/* Mean power of the intervals that a column stands for, from nothing to the peak. */
static void put_power(struct text *t, const struct record *r)
{
    const int width = MIN(r->n_power, MAX(1, MIN(64, t->width - TEXT_LABEL)));
    const double peak_w = power_peak_w(r);
    if (!t->power || r->n_power == 0 || peak_w <= 0)
        return;
    text_put_padded(t, TEXT_BOLD, "power", TEXT_LABEL, false);
    for (int x = 0; x < width; x++) {
        const int from = x * r->n_power / width, to = (x + 1) * r->n_power / width;
        double sum_w = 0;
        for (int i = from; i < to; i++)
            sum_w += r->power_w[i];
        const int level = (int)ceil(8 * sum_w / (to - from) / peak_w);
        text_put(t, TEXT_CYAN, t->glyphs->levels[CLAMP(level, 1, 8) - 1]);
    }
    g_autofree char *peak = text_si(t, peak_w, "W");
    g_autofree char *interval = text_si(t, power_interval_s(r), "s");
    g_autofree char *body =
        g_strdup_printf("0 to %s, %d intervals of %s", peak, r->n_power, interval);
    g_string_append_c(t->out, '\n');
    text_paragraph(t, TEXT_BOLD, "", body);
}

static void put_area(struct text *t, const struct record *r)
{
    if (r->area_mm2 <= 0)
        return;
    struct part parts[RECORD_MAX_AREA];
    for (int i = 0; i < r->n_area; i++)
        parts[i] = (struct part){i, r->areas[i].mm2};
    qsort(parts, (size_t)r->n_area, sizeof(parts[0]), by_amount);
    g_autofree char *area = text_float(r->area_mm2 < 9.95 ? "%.1f" : "%.0f", r->area_mm2);
    GString *body = g_string_new(NULL);
    g_string_printf(body, "%s mm%s", area, t->glyphs->square);
    for (int i = 0; i < r->n_area && parts[i].amount > 0; i++) {
        g_autofree char *name = spoken(t, r->areas[parts[i].index].name);
        g_autofree char *share = text_percent(parts[i].amount / r->area_mm2, 1);
        g_string_append_printf(body, "%s %s %s", i == 0 ? ":" : ",", name, share);
    }
    text_paragraph(t, TEXT_BOLD, "area", body->str);
    g_string_free(body, TRUE);
}

/* How a unit spent the run: parts that exclude each other, `active` first. */
struct split {
    const char *names[RECORD_MAX_CAUSE + 1];
    uint64_t cyc[RECORD_MAX_CAUSE + 1];
    int n;
};

static struct split split_of(const struct record *r, const struct record_unit *u)
{
    struct split split = {.names = {"active"}, .cyc = {u->busy_cyc}, .n = 1};
    for (int i = 0; i < r->n_cause; i++) {
        if (r->cause_overlaps[i] || u->stall_cyc[i] == 0)
            continue;
        split.names[split.n] = r->causes[i].name;
        split.cyc[split.n++] = u->stall_cyc[i];
    }
    return split;
}

static const enum text_color split_colors[] = {TEXT_GREEN, TEXT_YELLOW, TEXT_MAGENTA, TEXT_BLUE};

/* Each part ends where the exact sum so far ends, so that rounding never adds up. */
static void put_split_bar(struct text *t, const struct record *r, const struct split *split)
{
    int width = MAX(0, MIN(60, t->width - TEXT_LABEL)), at = 0;
    double sum_cyc = 0;
    for (int i = 0; i < split->n; i++) {
        sum_cyc += (double)split->cyc[i];
        int end = (int)lround(MIN(1.0, sum_cyc / (double)r->total_cyc) * width);
        text_repeat(t, split_colors[i % 4], t->glyphs->parts[i % 4], end - at);
        at = end;
    }
    g_string_append_c(t->out, '\n');
}

static void add_part(GString *body, const struct text *t, const char *before, const char *key,
                     double share)
{
    g_autofree char *name = spoken(t, key), *percent = text_percent(share, 1);
    g_autofree char *part = g_strdup_printf("%s%s %s", before, name, percent);
    g_auto(GStrv) words = g_strsplit(part, " ", -1);
    g_autofree char *hard = g_strjoinv(TEXT_HARD_SPACE, words);
    g_string_append(body, hard);
}

static void add_overlaps(GString *body, const struct text *t, const struct record *r,
                         const struct record_unit *u)
{
    const char *before = "(";
    for (int i = 0; i < r->n_cause; i++) {
        if (!r->cause_overlaps[i] || u->stall_cyc[i] == 0)
            continue;
        g_string_append(body, *before == '(' ? "  " : ", ");
        add_part(body, t, before, r->causes[i].name,
                 (double)u->stall_cyc[i] / (double)r->total_cyc);
        before = "";
    }
    if (!*before)
        g_string_append(body, " within them)");
}

/* Active cycles, cut by how many of the multipliers work for the result. */
static void add_useful(GString *body, const struct text *t, const struct record *r,
                       const struct record_unit *u)
{
    if (u->useful_cyc <= 0)
        return;
    const double total = (double)r->total_cyc, useful = u->useful_cyc / total;
    g_string_append(body, "  ");
    add_part(body, t, "(useful MACs", "", useful);
    g_string_append(body, ", ");
    add_part(body, t, "unused", "", MAX((double)u->busy_cyc / total - useful, 0));
    g_string_append(body, " of active)");
}

static void put_unit(struct text *t, const struct record *r, const struct record_unit *u)
{
    struct split split = split_of(r, u);
    bool has_bar = split.n > 1;
    GString *body = g_string_new(NULL);
    for (int i = 0; i < split.n; i++) {
        g_autofree char *glyph =
            g_strconcat(has_bar ? t->glyphs->parts[i % 4] : "", has_bar ? " " : "", NULL);
        g_string_append(body, i > 0 ? "  " : "");
        add_part(body, t, glyph, split.names[i], (double)split.cyc[i] / (double)r->total_cyc);
    }
    add_overlaps(body, t, r, u);
    add_useful(body, t, r, u);
    g_autofree char *name = spoken(t, u->name), *label = text_fit(t, name, TEXT_LABEL - 1);
    if (has_bar) {
        text_put_padded(t, TEXT_BOLD, label, TEXT_LABEL, false);
        put_split_bar(t, r, &split);
    }
    const gsize from = t->out->len;
    text_paragraph(t, TEXT_BOLD, has_bar ? "" : label, body->str);
    for (int i = 0; has_bar && i < split.n; i++)
        text_color_at(t, from, t->glyphs->parts[i % 4], split_colors[i % 4]);
    g_string_free(body, TRUE);
}

static void put_layer_checks(GString *body, const struct record *r)
{
    int n_done = 0, n_pass = 0, n_twin = 0, n_exact = 0;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_check *c = &r->layers[i].check;
        n_done += c->done;
        n_pass += c->done && c->pass;
        n_twin += c->done && c->has_exact;
        n_exact += c->done && c->has_exact && c->exact;
    }
    g_string_append_printf(body, "%d of %d checked layers pass", n_pass, n_done);
    if (n_twin > 0)
        g_string_append_printf(body, ", %d of %d equal bit for bit to untiled arithmetic", n_exact,
                               n_twin);
}

static void put_values(struct text *t, const struct record *r)
{
    if (!r->check.done) {
        text_paragraph(t, TEXT_BOLD, "values", "not checked");
        return;
    }
    GString *body = g_string_new(NULL);
    put_layer_checks(body, r);
    if (r->has_snr) {
        g_autofree char *snr =
            isfinite(r->snr_db) ? text_float("%.1f dB SNR", r->snr_db) : g_strdup("no difference");
        g_string_append_printf(body, "; the output has %s", snr);
    }
    if (r->top1_agreement >= 0) {
        g_autofree char *top1 = text_percent(r->top1_agreement, 0);
        g_string_append_printf(body, "%s top-1 agreement %s", r->has_snr ? "," : ";", top1);
    }
    g_autofree char *reference = text_clean(t, r->check.reference);
    if (*reference)
        g_string_append_printf(body, " against %s", reference);
    uint64_t n_saturated;
    if (record_saturated(r, &n_saturated) && n_saturated > 0) {
        g_autofree char *n = text_grouped(n_saturated);
        g_string_append_printf(body, "; %s values saturated", n);
    }
    text_paragraph(t, r->check.pass ? TEXT_GREEN : TEXT_RED, "values", body->str);
    g_string_free(body, TRUE);
}

static void put_run(struct text *t, const struct record *r)
{
    g_autofree char *events = text_grouped(r->n_event);
    g_autofree char *body = g_strdup_printf(
        "%s fidelity, %s mode, seed %" G_GUINT64_FORMAT "%s%s%s", r->fidelity ? r->fidelity : "no",
        r->mode ? r->mode : "no", r->seed, r->n_event > 0 ? ", " : "", r->n_event > 0 ? events : "",
        r->n_event > 0 ? " events" : "");
    text_paragraph(t, TEXT_BOLD, "run", body);
}

void text_totals(struct text *t, const struct record *r)
{
    put_time(t, r);
    put_speed(t, r);
    put_host(t, r);
    put_traffic(t, r);
    for (int i = 0; i < r->n_memory; i++)
        put_banks(t, r, i);
    put_bound(t, r);
    put_energy(t, r);
    put_power(t, r);
    put_area(t, r);
    for (int i = 0; i < r->n_unit && r->total_cyc > 0; i++)
        put_unit(t, r, &r->units[i]);
    put_values(t, r);
    put_run(t, r);
}
