/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a machine family: one table, arch_NAME, listed in families.def. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "mapper/plan.h"
#include "mapper/target.h"
#include "sim/cfg/cfg.h"
#include "sim/stat/record.h"

struct quant;

/* How --fidelity analytic stands to the events: the same cycles; an estimate, off by a share of
 * them at most; or a bound, which they do not pass. */
enum analytic_kind { ANALYTIC_SAME, ANALYTIC_ESTIMATE, ANALYTIC_BOUND };

/* The values of a run. What it makes goes to memory that lives as long as the run is open, shared
 * with forked simulations. */
struct arch_values {
    const struct quant *quant; /* scales, and parameters as a tiled plan's machine stores them */
    struct tensor *host; /* by value, as the graph has it (NCHW): inputs, parameters and states are
                          * given; filled by layers on the host, and by those of a plan that is not
                          * tiled; without data: not wanted */
    void **out; /* by value that a layer of a tiled plan makes on the machine: as it ended, NHWC as
                 * stored, filled; NULL: not wanted */
    uint64_t *saturated; /* by layer: values of a step that its format could not hold, counted */
};

struct arch_family {
    const char *name, *summary;
    const struct cfg_field *fields; /* all settings of the family; ends with path NULL */
    size_t cfg_size;
    const char *const *totals; /* settings that are measured of a chip as a whole, NULL-terminated;
                                * NULL: none */
    enum analytic_kind analytic;
    double analytic_share; /* of ANALYTIC_ESTIMATE */

    /* An instance of the machine; fills *m but for name, family and file. Both live in `arena`. */
    void *(*create)(const void *cfg, const char *file, struct machine *m, struct arena *arena,
                    GError **error);
    /* The settings as they took effect, of the same layout as cfg: what was left to the machine is
     * filled in. May be NULL: as they were given. */
    const void *(*settings)(const void *self);
    /* The family's own plan (mapper/plan.h: plan_begin()); ERROR_UNSUPPORTED names the layer that
     * it lacks. NULL: plan_tiled(), which asks the three that follow. */
    struct plan *(*plan)(const void *self, const struct graph *g, const struct target *t,
                         GError **error);
    /* See struct target. */
    bool (*supports)(const void *self, const struct graph *g, const int *nodes, int n,
                     const struct target_formats *formats, GString *why);
    bool (*prepare)(const void *self, const struct plan *p, struct plan_layer *l, GError **error);
    const struct cfg_field *choices;
    void (*candidates)(const void *self, const struct plan *p, const struct plan_layer *l,
                       void (*visit)(const struct choice *c, void *user), void *user);
    bool (*check_choice)(const void *self, const struct plan *p, const struct plan_layer *l,
                         const char *origin, GError **error);
    struct cost (*cost)(const void *self, const struct plan *p, const struct plan_layer *l,
                        bool follows);
    /* May be NULL. */
    uint64_t (*bound)(const void *self, const struct plan *p, int i_layer);
    /* Without events: what collect() would tell of a lowered plan. NULL: the sum of the costs. */
    bool (*estimate)(const void *self, const struct plan *p, struct record *r, GError **error);
    /* Steps -> plan->program, once; nothing changes the plan after it. NULL: the plan is enough. */
    bool (*lower)(const void *self, struct plan *p, GError **error);

    /* A run of a lowered plan: what it allocates is its own, until close(). Names of its processes,
     * events and waveforms begin with `prefix`. NULL with an error. */
    void *(*open)(const void *self, const struct plan *p, const char *prefix, GError **error);
    /* Parameters go into the modelled memories. `values` is the run's until others are loaded or it
     * is closed: each step reads its inputs there, and leaves what it makes. A run without values
     * is one of timing mode. Once there, steps need no more memory. */
    bool (*load)(void *run, struct arch_values *values, GError **error);
    /* States as they are after the last step, to values->host; load() takes them from there. NULL:
     * a run keeps none. Those of a tiled plan have their home there: nothing but a step's layers
     * reads them, and its caller writes what becomes of them when the step is done. */
    bool (*save)(void *run, struct arch_values *values, GError **error);
    /* The values of a step alone: the program in program order, without a clock. */
    bool (*replay)(void *run, int64_t step, GError **error);
    /* Processes and queues for so many steps, between sk_begin() and sk_run(): in a child, which
     * ends with them. Counters are kept in the run until collect(). */
    bool (*build)(void *run, int64_t first_step, int64_t n_step, GError **error);
    /* After sk_run(): cycles, stalls, bytes and energy of layers and units go to r. */
    bool (*collect)(void *run, struct record *r, GError **error);
    void (*close)(void *run);

    /* What its layers are to be equal to, bit for bit: an executor of plan->graph that makes sums
     * in the machine's documented order, in code that its units do not share. NULL: of a tiled plan
     * mapper/values/twin.h, else the CPU reference. */
    struct executor *(*twin)(const void *self, const struct plan *p, GError **error);
    /* The program as text; the caller frees it. NULL: the layers are all there is. */
    char *(*print)(const void *self, const struct plan *p);
};

/* Layers' cycles, and the total, by cost(): one layer behind the other. */
void arch_sum_costs(const struct arch_family *f, const void *self, const struct plan *p,
                    struct record *r);

extern const struct arch_family *const arch_families[]; /* NULL-terminated */
const struct arch_family *arch_find(const char *name);  /* NULL: unknown */
