/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks of a chunk in the recurrence of the analytic model: in order, and where there are
 * several arrays, dealt to them as lowering deals them. */
#pragma once

#include "arch/systolic/systolic_units.h"

/* A chunk of a product, whose inputs come with the block of that number of the DMA engine; what its
 * outputs overwrite leaves with block `stored`, 0: there is none. */
void systolic_nest_run(struct units *u, const struct region *r, uint64_t block, uint64_t stored,
                       bool is_first);
/* After so many chunks as the region one begins as it did: where halves of the accumulators take
 * turns two may be alike only together. */
int64_t systolic_nest_alike(const struct units *u, const struct region *r);
