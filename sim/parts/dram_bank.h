/* SPDX-License-Identifier: Apache-2.0 */
/* `bank` DRAM: channels, ranks, banks with rows that are opened and closed, refresh. Worked out on
 * request: nothing happens between calls, and a long stream costs a few steps a row, since its
 * bursts repeat themselves within one. */
#pragma once

#include "sim/parts/dram_channel.h"

struct dram_bank {
    struct dram_spec spec;
    /* Channels that nothing tells apart are neighbours in a run, whose first one stands for all:
     * run_end[i] is where the run that begins at channel i ends. */
    struct dram_channel *channels;
    int64_t *run_end;
    struct dram_counts counts; /* over all channels */
    int64_t end_clk;           /* of the last data so far */
    int64_t busy_clk; /* in which data moved, or could have: without the latency of a first one */
};

struct dram_bank *dram_bank_new(const struct dram_choice *c);
void dram_bank_free(struct dram_bank *b);

/* The clock after the last data of `bytes` from `address` on. Calls come with now_clk not
 * decreasing. Addresses beyond the memory begin anew. */
int64_t dram_bank_access(struct dram_bank *b, uint64_t address, uint64_t bytes, bool is_write,
                         int64_t now_clk);

/* Refreshes of all ranks of all channels that fell due up to now_clk. */
uint64_t dram_bank_refreshes(const struct dram_bank *b, int64_t now_clk);
