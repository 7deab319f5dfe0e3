/* SPDX-License-Identifier: Apache-2.0 */
/* What the mapper asks of a machine's family. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "mapper/machine.h"
#include "mapper/plan_layer.h"
#include "sim/cfg/cfg.h"
#include "workloads/graph.h"

struct plan;
struct search_memo;

/* What one layer takes with its present chunks and choice, by itself: what it loads and stores
 * counted, nothing of the layers beside it. */
struct cost {
    double cycles;          /* until the next layer can begin */
    double end_cyc;         /* until all of it has ended, its last store too */
    double parameter_bytes; /* of weights, or rows of a table, that are fetched */
};

/* Of what a layer makes, and of its weights. */
struct target_formats {
    enum number values, weights;
};

struct target {
    const struct machine *machine;
    const void *self;            /* the family's instance */
    uint64_t memory_limit_bytes; /* of steps and program; 0: none */
    struct search_memo *memo; /* mapper/tiled/search.h: kept by the caller from plan to plan of this
                               * machine; NULL: each plan has its own */
    const char *mapping;      /* file of a mapping to be kept to; NULL: the search decides */
    /* A layer's nodes so far and one more, n in all, the first of which reads the layer's inputs:
     * can they run together on the machine, in these formats? If not, why goes to *why: a sentence
     * that says what would be needed. */
    bool (*supports)(const void *self, const struct graph *g, const int *nodes, int n,
                     const struct target_formats *formats, GString *why);
    /* A product before anything is chosen: what the family packs of it (l->gemm, packed), bytes of
     * its weights as stored, l->sum_k, l->rows_at_once. ERROR_UNSUPPORTED where its sums do not
     * fit. NULL: it is multiplied as it is. */
    bool (*prepare)(const void *self, const struct plan *p, struct plan_layer *l, GError **error);
    /* What the family decides of a product, as a table of fields over struct choice: the names in
     * mapping files. NULL: nothing. */
    const struct cfg_field *choices;
    /* Calls visit() with each choice that is worth trying for the layer's present chunks, by
     * mapper.search. NULL: there is one, of zeros. */
    void (*candidates)(const void *self, const struct plan *p, const struct plan_layer *l,
                       void (*visit)(const struct choice *c, void *user), void *user);
    /* Whether the layer's choice is possible with its present chunks; else ERROR_INPUT, which
     * begins with `origin` and says what would be right. NULL: every choice is. */
    bool (*check_choice)(const void *self, const struct plan *p, const struct plan_layer *l,
                         const char *origin, GError **error);
    /* Ranks: a function of nothing but the layer (its operator, shapes, formats, where its operands
     * lie), its chunks and its choice, so that layers that are alike are ranked once. `follows`: as
     * one behind others, which its first weights need not be waited for; else as the run's first.
     */
    struct cost (*cost)(const void *self, const struct plan *p, const struct plan_layer *l,
                        bool follows);
    /* Cycles that no mapping of layer i_layer goes below; NULL: not known. */
    uint64_t (*bound)(const void *self, const struct plan *p, int i_layer);
};
