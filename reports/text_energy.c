/* SPDX-License-Identifier: Apache-2.0 */
/* Totals of energy, power and area. */
#include "reports/text.h"

#include <math.h>
#include <stdlib.h>

#include "reports/total.h"
#include "sim/base/arena.h"
#include "sim/stat/power.h"

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
    struct arena *arena = arena_new();
    const struct record_layer *total = total_layer(arena, r);
    struct part *parts = ARENA_ARRAY(arena, struct part, (size_t)r->n_component);
    for (int i = 0; i < r->n_component; i++)
        parts[i] = (struct part){i, total->energy_pj[i] * 1e-12};
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
        g_autofree char *name = text_spoken(t, r->components[parts[i].index].name);
        g_autofree char *share = text_percent(parts[i].amount / energy_j, 1);
        g_string_append_printf(body, "%s %s %s", i == 0 ? ":" : ",", name, share);
    }
    text_paragraph(t, TEXT_BOLD, "energy", body->str);
    g_string_free(body, TRUE);
    arena_free(arena);
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

static char *area_text(struct text *t, double mm2)
{
    g_autofree char *number = text_float(mm2 < 9.95 ? "%.1f" : "%.0f", mm2);
    return g_strdup_printf("%s mm%s", number, t->glyphs->square);
}

/* Shares of the die, or of its blocks where a smaller die is given than they take. */
static void put_area(struct text *t, const struct record *r)
{
    if (r->area_mm2 <= 0)
        return;
    g_autofree struct part *parts = g_new(struct part, r->n_area);
    double sum_mm2 = 0;
    for (int i = 0; i < r->n_area; i++) {
        parts[i] = (struct part){i, r->areas[i].mm2};
        sum_mm2 += MAX(r->areas[i].mm2, 0);
    }
    qsort(parts, (size_t)r->n_area, sizeof(parts[0]), by_amount);
    g_autofree char *area = area_text(t, r->area_mm2), *sum = area_text(t, sum_mm2);
    const bool fits = sum_mm2 <= r->area_mm2 * (1 + 1e-9);
    GString *body = g_string_new(area);
    if (!fits)
        g_string_append_printf(body, " as given, its blocks take %s", sum);
    for (int i = 0; i < r->n_area && parts[i].amount > 0; i++) {
        g_autofree char *name = text_spoken(t, r->areas[parts[i].index].name);
        g_autofree char *share = text_percent(parts[i].amount / (fits ? r->area_mm2 : sum_mm2), 1);
        g_string_append_printf(body, "%s %s %s", i == 0 ? ":" : ",", name, share);
    }
    text_paragraph(t, TEXT_BOLD, "area", body->str);
    g_string_free(body, TRUE);
}

void text_energy(struct text *t, const struct record *r)
{
    put_energy(t, r);
    put_power(t, r);
    put_area(t, r);
}
