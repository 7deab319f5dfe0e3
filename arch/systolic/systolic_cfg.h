/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a machine of the systolic family, filled by systolic_fields. */
#pragma once

#include "sim/cfg/cfg.h"
#include "sim/parts/dram.h"

/* pJ an action; see the rows of the field table for what an action is. Negative: not given. */
struct systolic_energy {
    double mac_pj, weight_byte_pj, fifo_byte_pj, buffer_byte_pj, accumulator_byte_pj, activation_pj,
        host_byte_pj, idle_w;
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
    struct dram_cfg weights;
    int overflow;
    bool shared;
    double buffer_kib;
    int64_t buffer_ports; /* 0: as many as there are arrays */
    struct cfg_strings functions;
    bool transposes;
    bool pack_groups;
    bool host_fallback;
    double host_bandwidth_gb_s, host_latency_ns, dma_setup_ns, host_gflops, host_memory_gb_s;
    double area_mm2;
    struct systolic_area area;
    struct systolic_energy energy;
    int search, objective;
    const char *name, *family, *known_error;
};

extern const struct cfg_field systolic_fields[];
