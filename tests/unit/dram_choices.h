/* SPDX-License-Identifier: Apache-2.0 */
/* Memories of the standards, as tests of banks choose them. */
#pragma once

#include "sim/parts/dram_bank.h"

enum { DDR3 = 1, DDR4, LPDDR2, LPDDR4, GDDR5, HBM, HBM2, N_STANDARD };
enum { GROUPS_LOW, COLUMNS_LOW, BANKS_LOW, CHANNELS_HIGH, N_MAPPING };

/* At the standard's highest rate, with 4096 rows a bank. */
static inline struct dram_choice fastest(int standard, int64_t n_channel, int64_t n_rank,
                                         int mapping)
{
    const struct dram_standard *s = &dram_standards[standard];
    return (struct dram_choice){
        .standard = standard,
        .mapping = mapping,
        .n_channel = n_channel,
        .n_rank = n_rank,
        .bandwidth_gb_s = (double)n_channel * s->width_bits / 8 * s->rate_max_mts / 1e3,
        .size_kib =
            4096.0 * (double)(n_channel * n_rank * s->n_group * s->n_bank) * s->row_bytes / 1024};
}
