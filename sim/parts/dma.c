/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dma.h"

#include <glib.h>

#include "sim/parts/cycles.h"

void dma_init(struct dma *d, double setup_ns, double clock_hz)
{
    g_assert(setup_ns >= 0 && clock_hz > 0);
    *d = (struct dma){.setup_cyc = cycles_from_ns(setup_ns, clock_hz)};
}

void dma_begin(struct dma *d, struct arbiter *to, const struct dram_request *block,
               uint64_t now_cyc)
{
    d->arbiter = to;
    d->n_block++;
    arbiter_begin_block(to, block, now_cyc + d->setup_cyc);
}

bool dma_arrival(struct dma *d, uint64_t now_cyc, uint64_t *at_cyc)
{
    return arbiter_block_arrival(d->arbiter, now_cyc, at_cyc);
}
