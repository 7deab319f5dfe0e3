/* SPDX-License-Identifier: Apache-2.0 */
/* A machine of the systolic family: a weight-stationary matrix unit with shadow weight registers, a
 * weight FIFO fed from off-chip memory, accumulators, an activation unit and a unified buffer that
 * the host fills over a link. Its settings, and what follows from them. Private to arch/systolic/.
 */
#pragma once

#include "arch/systolic/systolic_blocks.h"
#include "mapper/plan.h"
#include "sim/cfg/cfg.h"
#include "sim/parts/dram.h"
#include "sim/parts/dram_power.h"

/* The settings, filled by systolic_fields. */

/* pJ an action; see the rows of the field table for what an action is. Negative: not given. */
struct systolic_energy {
    double mac_pj, weight_byte_pj, dram_read_pj, dram_write_pj, fifo_byte_pj, buffer_byte_pj,
        accumulator_byte_pj, activation_pj, host_byte_pj, idle_w;
};

/* What the area is worked out from and no table gives: shares of the die (placed, control) and of a
 * block's area (the other two), and lanes of the link to the host. */
struct systolic_area {
    double placed, control, logic_utilization, sram_efficiency;
    int64_t host_lanes;
};

/* array.dataflow: which operand stays in the array. */
enum dataflow { FLOW_WS, FLOW_OS, FLOW_IS };
/* array.edge: tiles at an edge pay for the whole array, or for the rows and columns that they use.
 */
enum edge { EDGE_FULL, EDGE_TRIMMED };
/* memory.weights.overflow: what of the parameters finds no room there. */
enum weights_overflow { OVERFLOW_REFUSE, OVERFLOW_STREAM };
/* array.timing: the hardware, or what SCALE-Sim counts. */
enum array_timing { TIMING_OVERLAPPED, TIMING_SCALESIM };

/* The unit, range and meaning of each setting are in its row of systolic_fields (systolic.c). */
struct systolic_cfg {
    int64_t rows, cols, n_array;
    bool broadcast;
    int dataflow, edge, timing;
    struct cfg_strings formats;
    bool double_buffer, stationary_from_buffer, shifts_sideways;
    int64_t accumulators;
    int64_t fifo_tiles;
    int64_t activation_values; /* 0: as many as there are columns */
    int64_t queue_depth;
    double clock_mhz;
    int64_t technology_nm;
    struct dram_cfg weights, dram; /* exactly one of them is given */
    int overflow;
    bool shared;
    double buffer_kib;
    int64_t buffer_ports; /* 0: as many as there are arrays */
    struct cfg_strings functions;
    bool adds, transposes;
    bool pack_groups;
    bool host_fallback;
    double host_bandwidth_gb_s, host_latency_ns, dma_setup_ns, host_gflops, host_memory_gb_s;
    double area_mm2;
    struct systolic_area area;
    struct systolic_energy energy;
    int search, objective;
    const char *name, *family, *known_error;
};

/* Indices into the tables of the record. */
enum {
    CAUSE_WEIGHT_STALL,
    CAUSE_WEIGHT_SHIFT,
    CAUSE_NON_MATRIX,
    CAUSE_RAW,
    CAUSE_INPUT,

    N_CAUSE
};
/* What energy is spent on. Where weights lie in the unified buffer, theirs is that of the buffer.
 */
enum {
    ENERGY_MATRIX,
    ENERGY_WEIGHTS,
    ENERGY_FIFO,
    ENERGY_BUFFER,
    ENERGY_ACCUMULATORS,
    ENERGY_ACTIVATION,
    ENERGY_HOST,
    ENERGY_IDLE,
    N_ENERGY
};

struct systolic {
    struct systolic_cfg cfg;
    double clock_hz;
    enum number native; /* what a multiplier takes at full speed: the first of array.formats */
    const struct dram_cfg *memory; /* that weights lie in: &cfg.weights or &cfg.dram */
    double stream_bytes_per_cyc, first_byte_cyc; /* of it; 0: unlimited */
    double read_byte_pj, write_byte_pj;          /* the same */
    bool has_prices; /* its commands have `prices`; else its bytes alone cost energy */
    struct dram_prices prices;
    double burst_cyc[N_BUS]; /* of the DMA engine, on each bus; 0: it takes no time */
    const struct machine *machine;
    int components[N_ENERGY]; /* where each stands in the record's table */
};

static inline bool systolic_has_link(const struct systolic *s)
{
    return s->cfg.host_bandwidth_gb_s > 0;
}

static inline bool systolic_has_dram(const struct systolic *s)
{
    return s->memory == &s->cfg.dram;
}

/* Whether a transfer of the value crosses the link to the host; else it is from or to the DRAM. */
static inline bool systolic_crosses_link(const struct systolic *s, const struct plan *p, int value)
{
    return !systolic_has_dram(s) ||
           p->homes[value].outside != machine_index(s->machine, ROLE_WEIGHTS);
}
