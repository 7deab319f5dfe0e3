/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/link.h"

#include <glib.h>

#include "sim/parts/cycles.h"

void link_init(struct link *l, double bandwidth_gb_s, double latency_ns, double clock_hz)
{
    g_assert(bandwidth_gb_s > 0 && latency_ns >= 0 && clock_hz > 0);
    *l = (struct link){
        .cyc_per_byte = cycles_per_byte(bandwidth_gb_s, clock_hz),
        .latency_cyc = cycles_from_ns(latency_ns, clock_hz),
    };
}

static double busy_time(const struct link *l)
{
    return (double)l->busy_bytes * l->cyc_per_byte;
}

static uint64_t send(struct link *l, uint64_t bytes, uint64_t latency_cyc, uint64_t now_cyc)
{
    l->sent_bytes += bytes;
    l->carried_cyc += (double)latency_cyc + (double)bytes * l->cyc_per_byte;
    if ((double)now_cyc >= link_free_cyc(l)) {
        l->busy_cyc = now_cyc;
        l->busy_bytes = 0;
    }
    l->busy_cyc += latency_cyc;
    l->busy_bytes += bytes;
    return l->busy_cyc + cycles_ceil(busy_time(l));
}

uint64_t link_send(struct link *l, uint64_t bytes, uint64_t now_cyc)
{
    return send(l, bytes, l->latency_cyc, now_cyc);
}

uint64_t link_send_more(struct link *l, uint64_t bytes, uint64_t now_cyc)
{
    return send(l, bytes, 0, now_cyc);
}

double link_free_cyc(const struct link *l)
{
    return (double)l->busy_cyc + busy_time(l);
}
