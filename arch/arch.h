/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a machine family: one table, arch_NAME, listed in families.def. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "mapper/plan.h"
#include "mapper/target.h"
#include "sim/cfg/cfg.h"
#include "sim/stat/record.h"

/* The values of one run; NULL in timing mode. Lives in memory shared with a forked simulation. */
struct arch_io {
    struct tensor *host; /* by value: fp32 NCHW. Inputs are given; layers on the host fill theirs */
    void **out; /* by layer on the machine: its output as it ended, NHWC as stored, filled */
    uint64_t *saturated; /* by layer: values that its format could not hold, counted */
};

struct arch_family {
    const char *name, *summary;
    const struct cfg_field *fields; /* all settings of the family; ends with path NULL */
    size_t cfg_size;

    /* An instance of the machine; fills *m but for name, family and file. Both live in `arena`. */
    void *(*create)(const void *cfg, const char *file, struct machine *m, struct arena *arena,
                    GError **error);
    /* The settings as they took effect, of the same layout as cfg: what was left to the machine is
     * filled in. May be NULL: as they were given. */
    const void *(*settings)(const void *self);
    /* See struct target. */
    bool (*supports)(const void *self, const struct graph *g, const struct node *n,
                     enum number precision, GString *why);
    bool (*prepare)(const void *self, const struct plan *p, struct plan_layer *l, GError **error);
    const struct cfg_field *choices;
    void (*candidates)(const void *self, const struct plan *p, const struct plan_layer *l,
                       void (*visit)(const struct choice *c, void *user), void *user);
    bool (*check_choice)(const void *self, const struct plan *p, const struct plan_layer *l,
                         const char *origin, GError **error);
    struct cost (*rank)(const void *self, const struct plan *p, const struct plan_layer *l,
                        bool follows);
    void (*cost)(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                 struct record_layer *out);
    /* May be NULL. */
    uint64_t (*bound)(const void *self, const struct plan *p, int i_layer);
    /* Steps -> plan->program, and the image of the parameters where plan->quant is set. */
    bool (*lower)(const void *self, struct plan *p, GError **error);
    /* Processes and queues of one run of a lowered plan, between sk_begin() and sk_run(). Counters
     * are kept in the run until collect(). NULL with an error. */
    void *(*build)(const void *self, const struct plan *p, struct arch_io *io, GError **error);
    /* After sk_run(): cycles, stalls, bytes and energy of layers and units go to r; the run ends.
     * run NULL: an analytic run, whose cycles and stalls cost() has put into r->layers. */
    bool (*collect)(const void *self, const struct plan *p, void *run, struct record *r,
                    GError **error);
    /* The values alone: the program in program order, without a clock. */
    bool (*replay)(const void *self, const struct plan *p, struct arch_io *io, GError **error);
    /* The program as text; the caller frees it. */
    char *(*print)(const void *self, const struct plan *p);
};

extern const struct arch_family *const arch_families[]; /* NULL-terminated */
const struct arch_family *arch_find(const char *name);  /* NULL: unknown */
