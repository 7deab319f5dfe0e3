/* SPDX-License-Identifier: Apache-2.0 */
/* Three sentences for people who read no tables: what limits the run, what would help most, how
 * far the model is known to be off.
 *
 * The estimates are Amdahl's: a remedy halves the cycles of the layers that it concerns, except
 * that no layer gets below its MACs at the peak rate (which a faster array alone moves); the rest
 * of the run stays. What the remedy uncovers is not known here, hence "at most". */
#include "reports/text.h"

#include <stdlib.h>
#include <string.h>

/* What a layer's cycles are put down to: its bound, or the host. */
enum { LIMIT_HOST = BOUND_SYNC + 1, N_LIMIT };

static const struct limit {
    const char *noun;     /* "%s limits 93 % of the cycles" */
    const char *remedy;   /* that halves its layers' cycles */
    const char *contrast; /* the same in short, where another remedy is better */
} limits[N_LIMIT] = {
    [BOUND_NONE] = {"no single part", NULL, NULL},
    [BOUND_COMPUTE] = {"compute", "an array twice as fast", "a faster array"},
    [BOUND_MEMORY] = {"memory", "twice the memory bandwidth", "more memory bandwidth"},
    [BOUND_LATENCY] = {"latency", "half the latency of every step", "a shorter latency"},
    [BOUND_SYNC] = {"synchronisation", "half the waiting between layers", "less waiting"},
    [LIMIT_HOST] = {"the host", "a host and host link twice as fast", "a faster host"},
};

struct sums {
    double cyc[N_LIMIT], saved_cyc[N_LIMIT];
    double fill_cyc; /* what compute-bound layers take beyond their MACs at the peak rate */
    double total_cyc;
    const struct record_layer *largest;
};

static int limit_of(const struct record_layer *l)
{
    return l->on_host ? LIMIT_HOST : (int)l->bound;
}

static struct sums sum_up(const struct record *r)
{
    struct sums s = {.total_cyc = (double)r->total_cyc};
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        int limit = limit_of(l);
        double cyc = (double)l->cycles;
        double floor_cyc =
            l->peak_macs_per_cycle > 0 ? (double)l->macs / l->peak_macs_per_cycle : 0;
        double spare_cyc = MAX(0.0, cyc - floor_cyc);
        s.cyc[limit] += cyc;
        if (limit == BOUND_COMPUTE) {
            s.saved_cyc[limit] += cyc / 2;
            s.fill_cyc += floor_cyc > 0 ? spare_cyc : 0;
        } else if (limit != BOUND_NONE) {
            s.saved_cyc[limit] += MIN(cyc / 2, spare_cyc);
        }
        if (!s.largest || l->cycles > s.largest->cycles)
            s.largest = l;
    }
    return s;
}

static double gain(const struct sums *s, double saved_cyc)
{
    return s->total_cyc / MAX(1.0, s->total_cyc - saved_cyc);
}

static char *times(double x)
{
    g_autofree char *number = text_float(x < 9.995 ? "%.2f" : "%.1f", x);
    return g_strconcat(number, "x", NULL);
}

/* Puts a sentence: its first letter large, a full stop at its end. */
static void put_sentence(struct text *t, const char *label, const char *body)
{
    g_autofree char *clean = text_clean(t, body);
    clean[0] = g_ascii_toupper(clean[0]);
    const char *stop = g_str_has_suffix(clean, ".") ? "" : ".";
    g_autofree char *sentence = g_strconcat(clean, stop, NULL);
    text_paragraph(t, TEXT_CYAN, label, sentence);
}

struct rank {
    int limit;
    double cyc;
};

static int by_cycles(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    return x->cyc != y->cyc ? (x->cyc < y->cyc ? 1 : -1) : x->limit - y->limit;
}

/* "memory limits 93.1 % of the cycles, compute 6.2 % and latency 0.7 %" */
static void add_limits(GString *body, const struct sums *s)
{
    struct rank ranks[N_LIMIT];
    for (int i = 0; i < N_LIMIT; i++)
        ranks[i] = (struct rank){i, s->cyc[i]};
    qsort(ranks, N_LIMIT, sizeof(ranks[0]), by_cycles);
    int n = 1;
    while (n < N_LIMIT && ranks[n].cyc >= 0.0005 * s->total_cyc)
        n++;
    for (int i = 0; i < n; i++) {
        g_autofree char *share = text_percent(ranks[i].cyc / s->total_cyc, 1);
        g_string_append_printf(body, "%s%s%s %s%s",
                               i == 0       ? ""
                               : i == n - 1 ? " and "
                                            : ", ",
                               limits[ranks[i].limit].noun, i == 0 ? " limits" : "", share,
                               i == 0 ? " of the cycles" : "");
    }
}

static void put_limit(struct text *t, const struct sums *s)
{
    GString *body = g_string_new(NULL);
    add_limits(body, s);
    g_autofree char *share = text_percent((double)s->largest->cycles / s->total_cyc, 1);
    g_autofree char *clean = text_clean(t, s->largest->name), *name = text_fit(t, clean, 40);
    g_string_append_printf(body, "; the largest layer is %s with %s", name, share);
    put_sentence(t, "limit", body->str);
    g_string_free(body, TRUE);
}

/* The memory that memory-bound layers keep busiest; -1 where no bandwidth is known. */
static int busiest_memory(const struct record *r)
{
    int best = -1;
    double best_cyc = 0;
    for (int i = 0; i < r->n_memory; i++) {
        double bytes = 0;
        for (int j = 0; j < r->n_layer; j++)
            if (limit_of(&r->layers[j]) == BOUND_MEMORY)
                bytes += (double)r->layers[j].bytes[i].read + (double)r->layers[j].bytes[i].write;
        double cyc = r->memory_bytes_per_cyc[i] > 0 ? bytes / r->memory_bytes_per_cyc[i] : 0;
        if (cyc > best_cyc) {
            best = i;
            best_cyc = cyc;
        }
    }
    return best;
}

/* Most of what is read off chip are weights, each about once: a batch would share them. The
 * number format's name ends with its width in bits. */
static bool reads_weights_once(const struct record *r)
{
    const char *digits = r->precision ? strpbrk(r->precision, "0123456789") : NULL;
    if (!digits)
        return false;
    double weight_bytes = (double)r->net_parameters * atoi(digits) / 8, read = 0;
    for (int i = 0; i < r->n_memory; i++)
        read += record_is_dram(r, i) ? (double)record_memory_bytes(r, i).read : 0;
    return read > 0 && 2 * weight_bytes >= read;
}

static void add_memory_remedy(GString *body, const struct text *t, const struct record *r,
                              const char *most)
{
    int i_memory = busiest_memory(r);
    if (i_memory < 0) {
        g_string_append_printf(body, "%s would help most, at most %s", limits[BOUND_MEMORY].remedy,
                               most);
    } else {
        double peak = r->memory_bytes_per_cyc[i_memory] * r->clock_hz;
        g_autofree char *rate = text_si(t, peak, "B/s");
        g_autofree char *name = g_strdelimit(text_clean(t, r->memories[i_memory].name), "_", ' ');
        g_string_append_printf(
            body, "twice the bandwidth of the %s memory (now %s) would help most, at most %s", name,
            rate, most);
    }
    if (reads_weights_once(r))
        g_string_append(body, ", and so would a larger batch, which uses each weight more often");
}

static void add_compute_remedy(GString *body, const struct sums *s, const char *most)
{
    g_string_append_printf(body, "%s would help most, at most %s", limits[BOUND_COMPUTE].remedy,
                           most);
    double used = 1 - s->fill_cyc / s->cyc[BOUND_COMPUTE];
    if (used >= 0.7)
        return;
    g_autofree char *share = text_percent(used, 0);
    g_autofree char *fill = times(gain(s, s->fill_cyc));
    g_string_append_printf(body,
                           ", and so would shapes or a mapping that fill it (compute-bound layers "
                           "reach %s of its peak), at most %s",
                           share, fill);
}

static void put_advice(struct text *t, const struct record *r, const struct sums *s)
{
    int best = BOUND_NONE;
    for (int i = 0; i < N_LIMIT; i++)
        if (limits[i].remedy && s->saved_cyc[i] > s->saved_cyc[best])
            best = i;
    if (best == BOUND_NONE) {
        put_sentence(t, "advice", "no single change is known to make this run faster");
        return;
    }
    int other = best == BOUND_COMPUTE ? BOUND_MEMORY : BOUND_COMPUTE;
    double other_gain = gain(s, s->saved_cyc[other]);
    g_autofree char *most = times(gain(s, s->saved_cyc[best]));
    g_autofree char *less = times(other_gain);
    GString *body = g_string_new(NULL);
    if (best == BOUND_MEMORY)
        add_memory_remedy(body, t, r, most);
    else if (best == BOUND_COMPUTE)
        add_compute_remedy(body, s, most);
    else
        g_string_append_printf(body, "%s would help most, at most %s", limits[best].remedy, most);
    g_string_append_printf(body, "; %s would %s (at most %s)", limits[other].contrast,
                           other_gain < 1.1 ? "not" : "help less", less);
    put_sentence(t, "advice", body->str);
    g_string_free(body, TRUE);
}

void text_words(struct text *t, const struct record *r)
{
    if (r->total_cyc > 0 && r->n_layer > 0) {
        struct sums s = sum_up(r);
        put_limit(t, &s);
        put_advice(t, r, &s);
    }
    put_sentence(t, "accuracy",
                 r->known_error ? r->known_error
                                : "how far this model is off has not been measured");
}
