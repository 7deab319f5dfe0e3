/* SPDX-License-Identifier: Apache-2.0 */
/* `bank` DRAM: channels, ranks, banks with rows that are opened and closed, refresh. Worked out on
 * request: nothing happens between calls, and a long stream costs a few steps a row, since its
 * bursts repeat themselves within one. */
#pragma once

#include "sim/parts/dram_channel.h"

struct dram_bank {
    struct dram_spec spec;
    struct dram_channel *channels;
    bool alike;       /* all channels have had the same requests: the first one stands for all */
    int64_t end_clk;  /* of the last data so far */
    int64_t busy_clk; /* in which data moved, or could have: without the latency of a first one */
};

struct dram_bank *dram_bank_new(const struct dram_choice *c);
void dram_bank_free(struct dram_bank *b);

/* The clock after the last data of `bytes` from `address` on. Calls come with now_clk not
 * decreasing. Addresses beyond the memory begin anew. */
int64_t dram_bank_access(struct dram_bank *b, uint64_t address, uint64_t bytes, bool is_write,
                         int64_t now_clk);

/* Over all channels. */
struct dram_bank_counts {
    uint64_t n_hit, n_miss, n_conflict; /* bursts that found their row open, none open, another */
    uint64_t n_activate;
    uint64_t n_refresh; /* of ranks, all that fell due up to now_clk */
};
struct dram_bank_counts dram_bank_count(const struct dram_bank *b, int64_t now_clk);
