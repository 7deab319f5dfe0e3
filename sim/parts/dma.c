/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dma.h"

#include <glib.h>

#include "sim/parts/cycles.h"

void dma_init(struct dma *d, struct link *link, double setup_ns, double clock_hz)
{
    g_assert(setup_ns >= 0 && clock_hz > 0);
    *d = (struct dma){.link = link, .setup_cyc = cycles_from_ns(setup_ns, clock_hz)};
}

uint64_t dma_copy(struct dma *d, uint64_t bytes, uint64_t now_cyc)
{
    const uint64_t start = MAX(now_cyc, d->free_cyc) + d->setup_cyc;
    d->free_cyc = link_send(d->link, bytes, start);
    d->n_block++;
    return d->free_cyc;
}
