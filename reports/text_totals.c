/* SPDX-License-Identifier: Apache-2.0 */
/* The totals below the table: a line a subject, left out where it does not apply. */
#include "reports/text.h"

#include <math.h>

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
        g_string_append_printf(body, "; %s value%s saturated", n, n_saturated == 1 ? "" : "s");
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
    text_memories(t, r);
    text_energy(t, r);
    text_units(t, r);
    text_scalars(t, r);
    put_values(t, r);
    put_run(t, r);
}
