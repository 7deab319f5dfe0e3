/* SPDX-License-Identifier: Apache-2.0 */
/* What the mapper asks of a machine's family. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "mapper/machine.h"
#include "workloads/graph.h"

struct plan;

/* The analytic model between two layers. Zero before the first one. */
enum { COST_STATE_WORDS = 96 };
struct cost_state {
    uint64_t now_cyc; /* the next layer begins */
    uint64_t end_cyc; /* all layers so far have ended, also what the next one does not wait for */
    double group_cyc, link_cyc;        /* of the group so far: in all, and of the host link */
    uint64_t family[COST_STATE_WORDS]; /* the family's own: what its units do over a layer's end */
};

struct target {
    const struct machine *machine;
    const void *self;            /* the family's instance */
    uint64_t memory_limit_bytes; /* of steps and program; 0: none */
    const char *mapping;         /* file of a mapping to be kept to; NULL: the search decides */
    /* Can this node run on the machine, its matrix operands in this format? If not, why goes to
     * *why: a sentence that says what would be needed. */
    bool (*supports)(const void *self, const struct graph *g, const struct node *n,
                     enum number precision, GString *why);
    /* Analytic cycles, bytes, energy and bound of layer i_layer with its present tiling; fills
     * *out and moves *state on to the next layer. */
    void (*cost)(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                 struct record_layer *out);
    /* Cycles that no mapping of layer i_layer goes below; NULL: not known. */
    uint64_t (*bound)(const void *self, const struct plan *p, int i_layer);
};
