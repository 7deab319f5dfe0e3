/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/stat/power.h"

#include <glib.h>

void power_begin(struct record *r)
{
    r->n_power = (int)MIN(r->total_cyc, (uint64_t)RECORD_MAX_POWER);
    for (int i = 0; i < r->n_power; i++)
        r->power_w[i] = 0;
}

double power_interval_s(const struct record *r)
{
    return r->n_power > 0 && r->clock_hz > 0 ? record_seconds(r) / r->n_power : 0;
}

void power_add(struct record *r, double start_cyc, double end_cyc, double pj)
{
    const double interval_s = power_interval_s(r);
    if (interval_s <= 0)
        return;
    const double per_cyc = r->n_power / (double)r->total_cyc; /* intervals */
    const double start = CLAMP(start_cyc * per_cyc, 0, r->n_power);
    const double end = CLAMP(end_cyc * per_cyc, start, r->n_power);
    const double w = pj * 1e-12 / interval_s;
    const int first = MIN((int)start, r->n_power - 1);
    if (end <= start) {
        r->power_w[first] += w;
        return;
    }
    for (int i = first; i < r->n_power && i < end; i++)
        r->power_w[i] += w * (MIN(end, i + 1) - MAX(start, i)) / (end - start);
}

double power_peak_w(const struct record *r)
{
    double peak_w = 0;
    for (int i = 0; i < r->n_power; i++)
        peak_w = MAX(peak_w, r->power_w[i]);
    return peak_w;
}
