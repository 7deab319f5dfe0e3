/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram_power.h"

/* Currents are told for one device and one rate; what a burst takes beyond standing by does not
 * change with the rate, in a first approximation. */
bool dram_prices(const struct dram_cfg *cfg, struct dram_prices *out)
{
    const struct dram_standard *s = &dram_standards[cfg->standard];
    if (cfg->model != DRAM_BANKS || cfg->standard == 0 || s->n_device == 0)
        return false;
    const double burst_ns = s->n_beat * 1e3 / s->power_rate_mts;
    const double burst_bytes = s->n_beat * s->width_bits / 8.0;
    /* mW x ns = pJ */
    *out = (struct dram_prices){
        .activate_pj = s->n_device * (s->cycle_mw * s->tRC.ns - s->open_mw * s->tRAS.ns -
                                      s->closed_mw * (s->tRC.ns - s->tRAS.ns)),
        .read_pj_per_byte = s->n_device * (s->read_mw - s->open_mw) * burst_ns / burst_bytes,
        .write_pj_per_byte = s->n_device * (s->write_mw - s->open_mw) * burst_ns / burst_bytes,
        .refresh_pj = s->n_device * (s->refresh_mw - s->open_mw) * s->tRFC.ns,
        .background_w = s->n_device * s->open_mw * (double)(cfg->n_channel * cfg->n_rank) / 1e3,
    };
    return true;
}
