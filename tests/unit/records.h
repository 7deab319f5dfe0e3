/* SPDX-License-Identifier: Apache-2.0 */
/* Records made by hand, for renderings of them: the numbers are made up. */
#pragma once

#include <glib.h>
#include <math.h>

#include "sim/base/arena.h"
#include "sim/stat/record.h"

/* A network on a weight-stationary array; the numbers are made up and of a likely size. */
static const struct record_setting alexnet_settings[] = {
    {.path = "array.rows", .value = "256"},
    {.path = "clock_mhz", .value = "700.5"},
    {.path = "array.double_buffer", .value = "true"},
    {.path = "array.dataflow", .value = "ws", .is_string = true},
    {.path = "tile", .value = "[1, 2]"},
};

#define LAYER(i, n, o, s, m, c, start, b, stall, shift, dram, error)                               \
    {                                                                                              \
        .index = (i), .name = (n), .op = (o), .shape = (s), .macs = (m), .cycles = (c),            \
        .start_cycle = (start), .end_cycle = (start) + (c), .peak_macs_per_cycle = 65536,          \
        .bound = (b), .stall_cyc = (uint64_t[]){(stall), (shift), 400, 120},                       \
        .bytes = (struct record_bytes[]){{(dram), 0}, {90000 + (i), 70000}},                       \
        .compulsory = (struct record_bytes[2]){{0}},                                               \
        .energy_pj = (double[]){(m)*0.2, (dram)*160.0, (c)*40000.0, 0},                            \
        .check = {true, true, true, true, "fp32 OpenBLAS", (error)*10, (error)},                   \
    }

static const struct record_layer alexnet_layers[] = {
    LAYER(0, "conv1", "conv2d+relu", "96x55x55", 105415200, 9400, 0, BOUND_COMPUTE, 900, 256, 34848,
          0.0021),
    LAYER(1, "conv2", "conv2d+relu", "256x27x27", 223948800, 15900, 9400, BOUND_COMPUTE, 4100, 2560,
          307200, 0.0034),
    LAYER(2, "conv3", "conv2d+relu", "384x13x13", 149520384, 19100, 25300, BOUND_MEMORY, 12000,
          4608, 884736, 0.0052),
    LAYER(3, "fc6", "gemm+relu", "4096", 37748736, 777300, 44400, BOUND_MEMORY, 600000, 147456,
          37748736, 0.0081),
    LAYER(4, "fc7", "gemm+relu", "4096", 16777216, 345500, 821700, BOUND_LATENCY, 270000, 65536,
          16777216, 0.0094),
    {.index = 5,
     .name = "prob",
     .op = "softmax",
     .shape = "1000",
     .on_host = true,
     .cycles = 2800,
     .start_cycle = 1167200,
     .end_cycle = 1170000,
     .stall_cyc = (uint64_t[4]){0},
     .bytes = (struct record_bytes[2]){{0}},
     .compulsory = (struct record_bytes[2]){{0}},
     .energy_pj = (double[4]){0}},
};

static const struct record_cause alexnet_causes[] = {
    {"weight_stall", "The array waits for weights.", false},
    {"weight_shift", "Weights shift in.", false},
    {"non_matrix", "Everything else.", false},
    {"raw_stall", "A layer waits for the one before.", true},
};
static const struct stat_desc alexnet_memories[] = {{"weights", "bytes", "Off chip."},
                                                    {"unified_buffer", "bytes", "On chip."}};
static const struct stat_desc alexnet_components[] = {
    {"mac", "J", "Arithmetic."},
    {"dram", "J", "Off-chip memory."},
    {"idle", "J", "What it draws when nothing happens."},
    {"host_link", "J", "Transfers to the host."},
};
static const enum record_place alexnet_places[] = {PLACE_OFF_CHIP, PLACE_ON_CHIP};
static struct record_dram alexnet_drams[2] = {{.known = true,
                                               .standard = "DDR3",
                                               .row_hits = 864000,
                                               .row_misses = 1200,
                                               .row_conflicts = 6300,
                                               .activates = 7300,
                                               .refreshes = 428,
                                               .busy_cyc = 1189000,
                                               .peak_cyc = 1148823,
                                               .priced = true,
                                               .access_pj = 6e9,
                                               .activate_pj = 1e8,
                                               .refresh_pj = 2e8,
                                               .background_pj = 1.7e9}};
static const double alexnet_bytes_per_cyc[] = {34e9 / 700e6, 512};
static struct record_unit alexnet_units[] = {
    {.name = "matrix_unit",
     .busy_cyc = 46000,
     .causes = alexnet_causes,
     .n_cause = G_N_ELEMENTS(alexnet_causes),
     .stall_cyc = (uint64_t[]){887000, 220416, 16584, 3600}},
    {.name = "activation", .busy_cyc = 31000},
};
static const struct record_area alexnet_areas[] = {
    {"matrix_unit", 79.4, 0}, {"unified_buffer", 96, 0}, {"unplaced", 155.6, 0}};

static inline struct record alexnet_record(void)
{
    return (struct record){
        .version = "0.1.0",
        .command = "accsim --arch tpu.cfg --net alexnet",
        .mode = "functional",
        .fidelity = "event",
        .seed = 1,
        .arch_name = "tpu",
        .arch_family = "systolic",
        .arch_file = "arch/systolic/tpu.cfg",
        .precision = "int8",
        .clock_hz = 700e6,
        .peak_macs_per_cycle = 65536,
        .known_error = "against the counters published for three networks (Jouppi et al. 2017, "
                       "table 3) the model is at most 6 % of the cycles off",
        .settings = (struct record_setting *)alexnet_settings,
        .n_setting = G_N_ELEMENTS(alexnet_settings),
        .causes = alexnet_causes,
        .n_cause = G_N_ELEMENTS(alexnet_causes),
        .memories = alexnet_memories,
        .n_memory = G_N_ELEMENTS(alexnet_memories),
        .memory_place = alexnet_places,
        .memory_bytes_per_cyc = alexnet_bytes_per_cyc,
        .drams = alexnet_drams,
        .components = alexnet_components,
        .n_component = G_N_ELEMENTS(alexnet_components),
        .net_name = "alexnet",
        .net_file = "workloads/nets/alexnet.net",
        .batch = 1,
        .net_layers = 6,
        .net_macs = 533410336,
        .net_parameters = 55752736,
        .layers = (struct record_layer *)alexnet_layers,
        .n_layer = G_N_ELEMENTS(alexnet_layers),
        .units = alexnet_units,
        .n_unit = G_N_ELEMENTS(alexnet_units),
        .total_cyc = 1170000,
        .n_event = 81234,
        .n_mapping = 2252,
        .map_seconds = 0.0036,
        .area_mm2 = 331,
        .areas = alexnet_areas,
        .n_area = G_N_ELEMENTS(alexnet_areas),
        .power_w = {35, 36, 41, 47, 80, 78, 44, 41, 39, 1},
        .n_power = 10,
        .host_seconds = 0.125,
        .check = {true, true, true, true, "fp32 OpenBLAS", 0.5, 0.0094},
        .has_snr = true,
        .snr_db = 38.24,
        .top1_agreement = 1,
    };
}

/* No values, no events, no energy, no off-chip memory, one layer that multiplies nothing. */
static inline struct record bare_record(void)
{
    static struct record_layer layer = {
        .index = 0, .name = "pool", .op = "maxpool", .cycles = 640, .end_cycle = 640};
    return (struct record){
        .version = "0.1.0",
        .command = "",
        .mode = "timing",
        .fidelity = "analytic",
        .arch_name = "bare",
        .clock_hz = 1e9,
        .net_name = "pool",
        .batch = 16,
        .net_layers = 1,
        .layers = &layer,
        .n_layer = 1,
        .total_cyc = 640,
        .top1_agreement = -1,
    };
}

/* Names from anywhere, counters at the end of their range, values that fail. */
static inline struct record rough_record(void)
{
    static struct record_layer layers[] = {
        {.index = 0,
         .name = "Faltung-größer-als-alle-anderen/branch_3/conv,\"1\"",
         .op = "conv2d",
         .shape = "1x2x3",
         .macs = UINT64_MAX / 2,
         .cycles = UINT64_MAX / 4,
         .bound = BOUND_SYNC,
         .end_cycle = UINT64_MAX / 4,
         .peak_macs_per_cycle = 4,
         .check = {true, true, false, false, "fp32 OpenBLAS", INFINITY, 0.5}},
        {.index = 1,
         .name = "層の名前がとても長い畳み込み",
         .op = "g\xff\033[31mmm",
         .shape = "4096",
         .macs = 3,
         .cycles = UINT64_MAX / 4,
         .start_cycle = UINT64_MAX / 4,
         .end_cycle = UINT64_MAX / 2,
         .peak_macs_per_cycle = 4,
         .bound = BOUND_COMPUTE,
         .check = {true, false, false, false, "fp32 OpenBLAS", 3, 0.25}},
    };
    struct record r = bare_record();
    r.mode = "functional";
    r.arch_name = "größer";
    r.seed = UINT64_MAX;
    r.net_name = "line\nbreak";
    r.layers = layers;
    r.n_layer = 2;
    r.peak_macs_per_cycle = 4;
    r.total_cyc = UINT64_MAX / 4 * 2;
    r.check = (struct record_check){true, false, false, false, "fp32 OpenBLAS", INFINITY, 0.5};
    r.has_snr = true;
    r.snr_db = INFINITY;
    return r;
}

static const struct record_cause core_causes[] = {
    {"data_wait", "A warp waits for operands.", false},
    {"barrier", "A warp waits for others of its block.", true},
};
static const struct stat_desc kernel_columns[] = {
    {"name", "", "What it is called."},
    {"grid", "block", "Blocks of threads."},
    {"block", "thread", "Threads of a block."},
    {"occupancy", "", "Warps on a core, of those that it holds."},
    {"waves", "", "Blocks over those that all cores hold at once."},
    {"cycles", "cycle", "From its first block to the end of its last one."},
    {"energy_j", "J", "Of all its blocks."},
    {"bound", "", "What it takes longest for."},
};
static const struct record_table_desc kernel_table = {"kernels",
                                                      "Launches of each layer, in their order.",
                                                      kernel_columns, G_N_ELEMENTS(kernel_columns)};
static const struct stat_desc prefill = {"prefill_tokens_per_second", "token/s",
                                         "Of the prompt, all at once."};

static inline void add_kernel(struct record_value *row, const char *name, uint64_t grid,
                              double occupancy, uint64_t cycles, const char *bound)
{
    row[0] = record_text(name);
    row[1] = record_count(grid);
    row[2] = record_text("16x16");
    row[3] = record_real(occupancy);
    row[4] = record_real((double)grid / 80);
    row[5] = record_count(cycles);
    row[6] = record_real((double)cycles * 2.5e-9);
    row[7] = record_text(bound);
}

/* Layers that tell what each kernel of theirs did, and units with causes of their own. */
static inline struct record kernels_record(struct arena *arena)
{
    uint64_t stall_cyc[] = {9000, 1200};
    struct record r = alexnet_record();
    r.arena = arena;
    r.layers = g_memdup2(r.layers, (gsize)r.n_layer * sizeof(*r.layers));
    arena_own(arena, r.layers, g_free);
    r.units = NULL;
    r.n_unit = 0;
    record_add_unit(&r, &alexnet_units[0]);
    record_add_unit(&r, &(struct record_unit){.name = "core",
                                              .count = 80,
                                              .busy_cyc = 1150000,
                                              .causes = core_causes,
                                              .n_cause = G_N_ELEMENTS(core_causes),
                                              .stall_cyc = stall_cyc});
    const struct record_table_desc *d = &kernel_table;
    struct record_value *cells = record_add_table(&r, &r.layers[0], d, 2, NULL);
    add_kernel(cells, "im2col", 1210, 1, 2100, "memory");
    add_kernel(cells + d->n_column, "gemm_128x64_nn", 288, 0.5, 7300, "compute");
    cells = record_add_table(&r, &r.layers[3], d, 1, NULL);
    add_kernel(cells, "gemv_split_k", 4096, 0.75, 777300, "memory");
    cells[3] = record_real(NAN); /* it does not apply */
    record_add_scalar(&r, &prefill, record_real(1234.5));
    return r;
}

static const struct stat_desc spiking_scalars[] = {
    {"spiking.timesteps", "step", "Of a presentation."},
    {"spiking.spikes", "spike", "Sent by all neurons."},
    {"spiking.synaptic_events", "event", "Spikes at synapses."},
    {"spiking.spike_hash", "", "Of all spikes, in their order."},
    {"spiking.neurobench.activation_sparsity", "", "Share of neurons and steps without a spike."},
    {"spiking.neurobench.footprint_bytes", "B", "Of the network on the chip."},
    {"spiking.accuracy", "", "Share of inputs that are told right."},
};
static const struct stat_desc core_columns[] = {
    {"core", "", "Its place."},
    {"spikes", "spike", "That its neurons sent."},
    {"late_packets", "packet", "That came after their step."},
};
static const struct record_table_desc core_table = {"spiking.by_core", "What each core did.",
                                                    core_columns, G_N_ELEMENTS(core_columns)};

/* A run whose network spikes: an object of scalars and, within it, a table of n_core rows. */
static inline struct record spiking_record(struct arena *arena, int n_core)
{
    const struct record_value values[] = {
        record_count(64),         record_count(1234567),
        record_count(UINT64_MAX), record_text("00c0ffee01234567"),
        record_real(0.9375),      record_real(65536),
        {.type = RECORD_NONE},
    };
    struct record r = bare_record();
    r.arena = arena;
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++)
        record_add_scalar(&r, &spiking_scalars[i], values[i]);
    struct record_value *cells = record_add_table(&r, NULL, &core_table, n_core, NULL);
    for (int i = 0; i < n_core; i++) {
        cells[3 * i] = record_text(i % 2 ? "1,0" : "0,0");
        cells[3 * i + 1] = record_count((uint64_t)i * 600000);
        cells[3 * i + 2] = record_count(0);
    }
    return r;
}
