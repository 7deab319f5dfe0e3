/* SPDX-License-Identifier: Apache-2.0 */
/* A DMA engine: copies blocks to or from a memory, or over a link, one descriptor after the other.
 * The engine reads and decodes a descriptor before its block moves; that set-up hides behind
 * nothing. Blocks move in bursts, in turn with what others ask of the memory or link
 * (sim/parts/arbiter.h). */
#pragma once

#include "sim/parts/arbiter.h"

struct dma {
    struct arbiter *arbiter; /* of the block that moves; not owned */
    uint64_t setup_cyc;
    uint64_t n_block;
};

void dma_init(struct dma *d, double setup_ns, double clock_hz);

/* A block over memory or link of `to`, when the one before has arrived. */
void dma_begin(struct dma *d, struct arbiter *to, const struct dram_request *block,
               uint64_t now_cyc);
/* Whether it is known when the block's last byte arrives: then *at_cyc is the cycle, else when to
 * look again. */
bool dma_arrival(struct dma *d, uint64_t now_cyc, uint64_t *at_cyc);
