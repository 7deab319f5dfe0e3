/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram.h"

#include <glib.h>

#include "sim/parts/cycles.h"

const char *const dram_model_names[] = {"ideal", "fixed", NULL};
_Static_assert(G_N_ELEMENTS(dram_model_names) == DRAM_FIXED + 2, "one name a model, and NULL");

void dram_init(struct dram *d, const struct dram_cfg *cfg, double clock_hz)
{
    g_assert(cfg->bandwidth_gb_s > 0 && cfg->latency_ns >= 0 && clock_hz > 0);
    *d = (struct dram){.model = (enum dram_model)cfg->model};
    if (d->model == DRAM_IDEAL)
        return;
    d->cyc_per_byte = cycles_per_byte(cfg->bandwidth_gb_s, clock_hz);
    d->latency_cyc = cycles_from_ns(cfg->latency_ns, clock_hz);
}

static double busy_time(const struct dram *d)
{
    return (double)d->busy_bytes * d->cyc_per_byte;
}

uint64_t dram_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc)
{
    *(r->is_write ? &d->write_bytes : &d->read_bytes) += r->bytes;
    if (d->model == DRAM_IDEAL)
        return now_cyc;
    if ((double)now_cyc >= (double)d->busy_cyc + busy_time(d)) {
        d->busy_cyc = now_cyc;
        d->busy_bytes = 0;
    }
    d->busy_bytes += r->bytes;
    return d->busy_cyc + cycles_ceil(busy_time(d)) + (r->is_write ? 0 : d->latency_cyc);
}

double dram_bytes_per_cyc(const struct dram *d)
{
    return d->model == DRAM_IDEAL ? 0 : 1 / d->cyc_per_byte;
}
