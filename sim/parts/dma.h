/* SPDX-License-Identifier: Apache-2.0 */
/* A DMA engine: copies blocks over a link, one descriptor after the other. The engine reads and
 * decodes a descriptor before its block moves; that set-up hides behind nothing. */
#pragma once

#include <stdint.h>

#include "sim/parts/link.h"

struct dma {
    struct link *link; /* not owned */
    uint64_t setup_cyc;
    uint64_t free_cyc; /* when the engine takes the next descriptor */
    uint64_t n_block;
};

void dma_init(struct dma *d, struct link *link, double setup_ns, double clock_hz);

/* The cycle at which the last of `bytes` has arrived. Calls come with now_cyc not decreasing. */
uint64_t dma_copy(struct dma *d, uint64_t bytes, uint64_t now_cyc);
