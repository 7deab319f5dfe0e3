/* SPDX-License-Identifier: Apache-2.0 */
/* The systolic family: a weight-stationary matrix unit with shadow weight registers, a weight FIFO
 * fed from off-chip memory, accumulators, an activation unit and a unified buffer that the host
 * fills over a link. Private to arch/systolic/. docs/systolic.md gives each formula. */
#pragma once

#include "arch/arch.h"
#include "arch/systolic/systolic_blocks.h"
#include "arch/systolic/systolic_insn.h"
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

extern const struct cfg_field systolic_fields[];

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

/* Bytes of a burst of the DMA engine. */
uint64_t systolic_burst_bytes(const struct systolic *s);

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

/* systolic_count.c: what one instruction moves and switches, added to its layer's counters: called
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

/* systolic_cost.c: cycles and stalls of all layers, one behind the other, by the analytic model. */
void systolic_cost_layers(const struct systolic *s, const struct plan *p, struct record *r);

/* systolic_print.c: one instruction as text, behind what `out` has. */
void systolic_insn_print(const struct systolic *s, const struct plan *p, const struct insn *in,
                         GString *out);

/* systolic_scalesim.c: cycles of a matrix layer as SCALE-Sim counts them (array.timing). */
uint64_t systolic_scalesim_layer_cyc(const struct systolic *s, const struct plan_layer *l);
/* Of these, cycles in which rows enter the array. */
uint64_t systolic_scalesim_active_cyc(const struct systolic *s, const struct plan_layer *l);
void systolic_scalesim_process(void *arg); /* struct sim; takes the place of all other processes */

/* systolic.c: whether the energies that the file gives make sense, else ERROR_INPUT names
 * the file and the setting; then those that it leaves out, from tables of its process node. */
bool systolic_check_energy(const struct systolic *s, const char *file, GError **error);
void systolic_fill_energy(struct systolic *s);
/* Activates, refreshes and the background of the memory of weights, shared among the layers by
 * their bytes and cycles. */
void systolic_price_memory(const struct systolic *s, struct record *r);
void systolic_fill_idle(struct systolic *s); /* once the die is known */

/* systolic_area.c: the die and its parts, into m. ERROR_INPUT where the shares of the die that the
 * file gives leave no room for them. */
bool systolic_fill_area(const struct systolic *s, const char *file, struct machine *m,
                        struct arena *arena, GError **error);

extern const struct arch_family arch_systolic;

/* The functions of arch_systolic, by their names in struct arch_family (arch/arch.h), which says
 * what each does: systolic.c, _cost.c, _bound.c, _map.c, _proc.c, _collect.c and _print.c. */
bool systolic_supports(const void *self, const struct graph *g, const int *nodes, int n,
                       const struct target_formats *formats, GString *why);
bool systolic_prepare(const void *self, const struct plan *p, struct plan_layer *l, GError **error);
extern const struct cfg_field systolic_choices[];
void systolic_candidates(const void *self, const struct plan *p, const struct plan_layer *l,
                         void (*visit)(const struct choice *c, void *user), void *user);
bool systolic_check_choice(const void *self, const struct plan *p, const struct plan_layer *l,
                           const char *origin, GError **error);
struct cost systolic_cost(const void *self, const struct plan *p, const struct plan_layer *l,
                          bool follows);
uint64_t systolic_bound(const void *self, const struct plan *p, int i_layer);
bool systolic_lower(const void *self, struct plan *p, GError **error);
bool systolic_estimate(const void *self, const struct plan *p, struct record *r, GError **error);
void *systolic_open(const void *self, const struct plan *p, const char *prefix, GError **error);
bool systolic_load(void *run, struct arch_values *values, GError **error);
bool systolic_replay(void *run, int64_t step, GError **error);
bool systolic_build(void *run, int64_t first_step, int64_t n_step, GError **error);
bool systolic_collect(void *run, struct record *r, GError **error);
void systolic_close(void *run);
char *systolic_print(const void *self, const struct plan *p);
