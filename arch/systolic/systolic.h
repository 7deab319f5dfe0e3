/* SPDX-License-Identifier: Apache-2.0 */
/* The systolic family: a weight-stationary matrix unit with shadow weight registers, a weight FIFO
 * fed from off-chip memory, accumulators, an activation unit and a unified buffer that the host
 * fills over a link. Private to arch/systolic/. docs/systolic.md gives each formula. */
#pragma once

#include "arch/arch.h"
#include "arch/systolic/systolic_insn.h"
#include "sim/parts/dram.h"
#include "sim/parts/dma.h"
#include "sim/parts/link.h"

/* pJ an action; see the rows of the field table for what an action is. */
struct systolic_energy {
    double mac_pj, weight_byte_pj, fifo_byte_pj, buffer_byte_pj, accumulator_byte_pj, activation_pj,
        idle_w;
};

struct systolic_cfg {
    int64_t rows, cols;
    int dataflow;
    struct cfg_strings formats;
    bool double_buffer;
    int64_t accumulators;
    int64_t fifo_tiles;
    int64_t queue_depth;
    double clock_mhz;
    int64_t technology_nm;
    struct dram_cfg weights;
    double buffer_kib;
    bool host_fallback;
    double host_bandwidth_gb_s, host_latency_ns, dma_setup_ns;
    double area_mm2;
    struct systolic_energy energy;
    int search;
    const char *name, *family, *known_error;
};

extern const struct cfg_field systolic_fields[];

struct systolic {
    struct systolic_cfg cfg;
    double clock_hz;
    enum number native;   /* what a multiplier takes at full speed: the first of array.formats */
    uint64_t latency_cyc; /* from the last row of inputs in to its sums in the accumulators */
    double stream_bytes_per_cyc, first_byte_cyc; /* of the weight memory; 0: unlimited */
    const struct machine *machine;
};

/* Indices into the tables of the record. */
enum { MEM_WEIGHTS, MEM_BUFFER, MEM_HOST, N_MEM };
enum {
    CAUSE_WEIGHT_STALL,
    CAUSE_WEIGHT_SHIFT,
    CAUSE_NON_MATRIX,
    CAUSE_RAW,
    CAUSE_INPUT,

    N_CAUSE
};
enum {
    ENERGY_MATRIX,
    ENERGY_WEIGHTS,
    ENERGY_FIFO,
    ENERGY_BUFFER,
    ENERGY_ACCUMULATORS,
    ENERGY_ACTIVATION,
    ENERGY_IDLE,
    N_ENERGY
};

/* systolic_core.c: state and timing rules; time is an argument. */
struct systolic_core {
    struct dram weights;
    struct link host;
    struct dma dma; /* of the host link */
};
void core_init(struct systolic_core *c, const struct systolic *s);
void core_clear(struct systolic_core *c);
/* Bytes of a weight tile, always whole: edge tiles are padded in weight memory. */
uint64_t core_tile_bytes(const struct systolic *s, const struct plan_layer *l);
/* Passes of one row of inputs through the array: operands of twice the native width go through in
 * two pieces, those of both sides in four. */
uint64_t core_row_cyc(const struct systolic *s, enum number in, enum number weight);
/* Cycles of a matrix instruction's one tile. */
uint64_t core_matrix_cyc(const struct systolic *s, const struct plan *p, const struct insn *in);
/* Bytes of a sum in the accumulators: products of 16-bit integers need two entries a sum. */
uint64_t core_sum_bytes(const struct plan *p, const struct plan_layer *l);
/* Cycles to shift a tile in: one row of native operands a cycle. */
uint64_t core_shift_cyc(const struct systolic *s, const struct plan_layer *l);
/* Cycles of Activate: a row of sums each cycle. */
uint64_t core_activate_cyc(int64_t m);
/* Cycles of one pixel of a value on the path between buffer and activation unit, which is as wide
 * as a row of the array. */
uint64_t core_pixel_cyc(const struct systolic *s, const struct plan *p, int value);
/* Cycles of a pass from buffer to buffer: each pixel of each operand. */
uint64_t core_vector_cyc(const struct systolic *s, const struct plan *p,
                         const struct plan_step *st);
/* When the shift of a tile can start: it has arrived and the shadow registers are free. */
uint64_t core_shift_start(uint64_t arrival_cyc, uint64_t shadow_free_cyc);

/* systolic_count.c: what one instruction moves and switches, added to its layer's counters: called
 * once for each instruction by the processes. */
void count_insn(const struct systolic *s, const struct plan *p, const struct insn *in,
                struct record_layer *l);
/* Idle energy and bound of a layer once its cycles are known. */
void count_layer_end(const struct systolic *s, struct record_layer *l, uint64_t work_cyc);

/* systolic_print.c: one instruction as text. */
void insn_print(const struct plan *p, const struct insn *in, GString *out);
char *systolic_print(const void *self, const struct plan *p);

/* systolic_map.c */
bool systolic_supports(const void *self, const struct graph *g, const struct node *n,
                       enum number precision, GString *why);
bool systolic_lower(const void *self, struct plan *p, GError **error);

/* systolic_cost.c */
void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out);

/* systolic_bound.c */
uint64_t systolic_bound(const void *self, const struct plan *p, int i_layer);

/* systolic_proc.c: processes. systolic_collect.c: what they counted. */
struct sim;
void *systolic_build(const void *self, const struct plan *p, struct arch_io *io, GError **error);
bool systolic_collect(const void *self, const struct plan *p, void *run, struct record *r,
                      GError **error);

/* systolic_replay.c */
bool systolic_replay(const void *self, const struct plan *p, struct arch_io *io, GError **error);
