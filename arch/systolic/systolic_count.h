/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of a layer while the program runs: cycles of stalls, bytes and energy. */
#pragma once

#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_machine.h"
#include "sim/stat/record.h"

/* Memories of a machine, at most. */
enum { MOST_MEM = 3 };

/* What is counted of a layer while the program runs. */
struct tally {
    uint64_t macs, host_cyc;
    uint64_t stall_cyc[N_CAUSE]; /* of all arrays together */
    struct record_bytes bytes[MOST_MEM];
    double energy_pj[N_ENERGY];  /* by component of the record */
    uint64_t start_cyc, end_cyc; /* where nothing overlaps: TIMING_SCALESIM */
};

/* What one instruction moves and switches, added to its layer's counters: called
 * once for each instruction by the processes. */
void systolic_count_insn(const struct systolic *s, const struct plan *p, const struct insn *in,
                         struct tally *l);
/* Adds energy of a kind to a layer's, by component of the record. */
static inline void systolic_spend(const struct systolic *s, double *energy_pj, int kind, double pj)
{
    energy_pj[s->components[kind]] += pj;
}
/* Idle energy and bound of a layer once its cycles are known. */
void systolic_count_layer_end(const struct systolic *s, struct record_layer *l, uint64_t work_cyc);
