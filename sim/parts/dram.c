/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram.h"

#include "sim/base/error.h"
#include "sim/parts/cycles.h"
#include "sim/parts/dram_bank.h"

const char *const dram_model_names[] = {"ideal", "fixed", "bank", NULL};
_Static_assert(G_N_ELEMENTS(dram_model_names) == DRAM_BANKS + 2, "one name a model, and NULL");

static struct dram_choice choice(const struct dram_cfg *cfg)
{
    return (struct dram_choice){.standard = cfg->standard,
                                .mapping = cfg->mapping,
                                .n_channel = cfg->n_channel,
                                .n_rank = cfg->n_rank,
                                .bandwidth_gb_s = cfg->bandwidth_gb_s,
                                .size_kib = cfg->size_kib};
}

bool dram_is_given(const struct dram_cfg *cfg)
{
    return cfg->size_kib > 0 || cfg->bandwidth_gb_s > 0;
}

bool dram_check(const struct dram_cfg *cfg, const char *file, const char *prefix, GError **error)
{
    if (cfg->size_kib <= 0 || cfg->bandwidth_gb_s <= 0)
        return error_set(error, ERROR_INPUT, "%s: setting '%s.%s' is missing", file, prefix,
                         cfg->size_kib <= 0 ? "size_kib" : "bandwidth_gb_s");
    const struct dram_choice c = choice(cfg);
    g_autofree char *wrong = cfg->model == DRAM_BANKS ? dram_spec_check(&c) : NULL;
    return !wrong || error_set(error, ERROR_INPUT, "%s: %s: %s", file, prefix, wrong);
}

static void init_bank(struct dram *d, const struct dram_cfg *cfg, double clock_hz)
{
    const struct dram_choice c = choice(cfg);
    d->bank = dram_bank_new(&c);
    const struct dram_spec *s = &d->bank->spec;
    const double own_ns = dram_spec_latency_ns(s);
    d->clk_per_cyc = s->clock_hz / clock_hz;
    d->stream_cyc_per_byte = clock_hz / dram_spec_stream_bytes_per_s(s);
    d->latency_cyc = cycles_from_ns(MAX(cfg->latency_ns - own_ns, 0), clock_hz);
    d->first_byte_cyc = (double)d->latency_cyc + own_ns * clock_hz / 1e9;
}

void dram_init(struct dram *d, const struct dram_cfg *cfg, double clock_hz)
{
    g_assert(cfg->bandwidth_gb_s > 0 && cfg->latency_ns >= 0 && clock_hz > 0);
    *d = (struct dram){.model = (enum dram_model)cfg->model};
    if (d->model == DRAM_IDEAL)
        return;
    d->cyc_per_byte = d->stream_cyc_per_byte = cycles_per_byte(cfg->bandwidth_gb_s, clock_hz);
    d->latency_cyc = cycles_from_ns(cfg->latency_ns, clock_hz);
    d->first_byte_cyc = cfg->latency_ns * clock_hz / 1e9;
    if (d->model == DRAM_BANKS)
        init_bank(d, cfg, clock_hz);
}

void dram_clear(struct dram *d)
{
    dram_bank_free(d->bank);
    d->bank = NULL;
}

static double busy_time(const struct dram *d)
{
    return (double)d->busy_bytes * d->cyc_per_byte;
}

static uint64_t fixed_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc)
{
    if ((double)now_cyc >= (double)d->busy_cyc + busy_time(d)) {
        d->busy_cyc = now_cyc;
        d->busy_bytes = 0;
    }
    d->busy_bytes += r->bytes;
    return d->busy_cyc + cycles_ceil(busy_time(d)) + (r->is_write ? 0 : d->latency_cyc);
}

/* The memory's clock has edges of its own: a request waits for the next one, and so does who asked.
 */
static uint64_t bank_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc)
{
    const int64_t now_clk = (int64_t)cycles_ceil((double)now_cyc * d->clk_per_cyc);
    const int64_t end_clk = dram_bank_access(d->bank, r->address, r->bytes, r->is_write, now_clk);
    const uint64_t end_cyc = cycles_ceil((double)end_clk / d->clk_per_cyc);
    return MAX(end_cyc, now_cyc) + (r->is_write ? 0 : d->latency_cyc);
}

uint64_t dram_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc)
{
    *(r->is_write ? &d->write_bytes : &d->read_bytes) += r->bytes;
    switch (d->model) {
    case DRAM_IDEAL:
        return now_cyc;
    case DRAM_FIXED:
        return fixed_access(d, r, now_cyc);
    case DRAM_BANKS:
        return bank_access(d, r, now_cyc);
    }
    g_assert_not_reached();
}

double dram_free_cyc(const struct dram *d)
{
    switch (d->model) {
    case DRAM_IDEAL:
        return 0;
    case DRAM_FIXED:
        return (double)d->busy_cyc + busy_time(d);
    case DRAM_BANKS: /* the rows of what comes next are opened meanwhile */
        return (double)d->bank->end_clk / d->clk_per_cyc -
               (d->first_byte_cyc - (double)d->latency_cyc);
    }
    g_assert_not_reached();
}

double dram_bytes_per_cyc(const struct dram *d)
{
    return d->model == DRAM_IDEAL ? 0 : 1 / d->cyc_per_byte;
}

double dram_stream_bytes_per_cyc(const struct dram *d)
{
    return d->model == DRAM_IDEAL ? 0 : 1 / d->stream_cyc_per_byte;
}

void dram_collect(const struct dram *d, uint64_t now_cyc, struct record_dram *out)
{
    *out = (struct record_dram){.known = d->model == DRAM_BANKS};
    if (!out->known)
        return;
    const struct dram_counts n = d->bank->counts;
    out->standard = d->bank->spec.standard->name;
    out->row_hits = n.n_hit;
    out->row_misses = n.n_miss;
    out->row_conflicts = n.n_conflict;
    out->activates = n.n_activate;
    out->refreshes = dram_bank_refreshes(d->bank, (int64_t)((double)now_cyc * d->clk_per_cyc));
    out->busy_cyc = cycles_ceil((double)d->bank->busy_clk / d->clk_per_cyc);
    out->peak_cyc = cycles_ceil((double)(d->read_bytes + d->write_bytes) * d->cyc_per_byte);
}
