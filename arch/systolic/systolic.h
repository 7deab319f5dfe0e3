/* SPDX-License-Identifier: Apache-2.0 */
/* The systolic family: its table, and what of it the other files give. Private to arch/systolic/.
 * docs/systolic.md gives each formula. */
#pragma once

#include "arch/arch.h"
#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_machine.h"

extern const struct cfg_field systolic_fields[];

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

/* systolic.c: activates, refreshes and the background of the memory of weights, shared among the
 * layers by their bytes and cycles. */
void systolic_price_memory(const struct systolic *s, struct record *r);

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
