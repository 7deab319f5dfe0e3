/* SPDX-License-Identifier: Apache-2.0 */
/* Energy of DRAM's commands, from the currents of data sheets: what the devices take. Drivers and
 * termination of the data lines and the memory's interface on the die are not in them. */
#pragma once

#include "sim/parts/dram.h"

struct dram_prices {
    double activate_pj; /* of a row in all devices of a channel, and its precharge */
    double read_pj_per_byte, write_pj_per_byte;
    double refresh_pj;   /* of a rank, all banks */
    double background_w; /* of all channels and ranks, banks open */
};

/* False where the memory has no rows and banks, or no currents of its standard are known. */
bool dram_prices(const struct dram_cfg *cfg, struct dram_prices *out);
