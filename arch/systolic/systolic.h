/* SPDX-License-Identifier: Apache-2.0 */
/* The systolic family: a weight-stationary matrix unit with shadow weight registers, a weight FIFO
 * fed from off-chip memory, accumulators, an activation unit and a unified buffer that the host
 * fills over a link. Private to arch/systolic/. docs/systolic.md gives each formula. */
#pragma once

#include "arch/arch.h"
#include "arch/systolic/systolic_cfg.h"
#include "arch/systolic/systolic_insn.h"
#include "sim/parts/dram_power.h"

struct systolic {
    struct systolic_cfg cfg;
    double clock_hz;
    enum number native; /* what a multiplier takes at full speed: the first of array.formats */
    double stream_bytes_per_cyc, first_byte_cyc; /* of the weight memory; 0: unlimited */
    bool has_prices; /* the weight memory's commands have `prices`; else its bytes alone cost energy
                      */
    struct dram_prices prices;
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
    ENERGY_HOST,
    ENERGY_IDLE,
    N_ENERGY
};

/* systolic_count.c: what one instruction moves and switches, added to its layer's counters: called
 * once for each instruction by the processes. */
void count_insn(const struct systolic *s, const struct plan *p, const struct insn *in,
                struct record_layer *l);
/* Idle energy and bound of a layer once its cycles are known. */
void count_layer_end(const struct systolic *s, struct record_layer *l, uint64_t work_cyc);

/* systolic_print.c: one instruction as text, behind what `out` has. */
void insn_print(const struct plan *p, const struct insn *in, GString *out);

/* systolic_scalesim.c: cycles of a matrix layer as SCALE-Sim counts them (array.timing). */
uint64_t scalesim_layer_cyc(const struct systolic *s, const struct plan_layer *l);
/* Of these, cycles in which rows enter the array. */
uint64_t scalesim_active_cyc(const struct systolic *s, const struct plan_layer *l);
void scalesim_process(void *arg); /* struct sim; takes the place of all other processes */

/* systolic_energy.c: whether the energies that the file gives make sense, else ERROR_INPUT names
 * the file and the setting; then those that it leaves out, from tables of its process node. */
bool systolic_check_energy(const struct systolic *s, const char *file, GError **error);
void systolic_fill_energy(struct systolic *s);
/* Activates, refreshes and the background of the weight memory, shared among the layers by their
 * bytes and cycles. */
void systolic_price_memory(const struct systolic *s, struct record *r);
void systolic_fill_idle(struct systolic *s); /* once the die is known */

/* systolic_area.c: the die and its parts, into m. ERROR_INPUT where the shares of the die that the
 * file gives leave no room for them. */
bool systolic_fill_area(const struct systolic *s, const char *file, struct machine *m,
                        GError **error);

/* The functions of arch_systolic, by their names in struct arch_family (arch/arch.h), which says
 * what each does: systolic_supports.c, _cost.c, _bound.c, _map.c, _proc.c, _collect.c, _replay.c
 * and _print.c. */
bool systolic_supports(const void *self, const struct graph *g, const struct node *n,
                       enum number precision, GString *why);
void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out);
uint64_t systolic_bound(const void *self, const struct plan *p, int i_layer);
bool systolic_lower(const void *self, struct plan *p, GError **error);
void *systolic_build(const void *self, const struct plan *p, struct arch_io *io, GError **error);
bool systolic_collect(const void *self, const struct plan *p, void *run, struct record *r,
                      GError **error);
bool systolic_replay(const void *self, const struct plan *p, struct arch_io *io, GError **error);
char *systolic_print(const void *self, const struct plan *p);
