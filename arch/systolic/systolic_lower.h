/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of lowering, between systolic_map.c and what it is made of. */
#pragma once

#include "arch/systolic/systolic.h"

/* What lowering knows of one array. */
struct lowered_array {
    uint64_t *drained;   /* by place in the accumulators: the activation unit's counter when its
                          * sums have left */
    int64_t n_block;     /* of the pass so far */
    int64_t place;       /* of the next piece in the accumulators */
    int64_t weight_tile; /* the only one of the last block; -1: it had several */
    guint last_matrix;   /* the last block's instruction */
};

struct lowering {
    const struct systolic *self;
    struct plan *plan;
    GArray *insns;
    int n_array, n_unit;
    uint64_t *sets;   /* Sync set instructions emitted so far, by unit: see unit_index() */
    uint64_t *waited; /* [n_unit][n_unit]: up to which count the first has waited for the second */
    uint64_t *done;   /* by step and array: see struct program */
    enum unit *done_unit; /* by step: whose counter that is */
    struct lowered_array *arrays;
    int pass; /* of the last computation */
};

static inline uint64_t one_array(int array)
{
    return UINT64_C(1) << array;
}

static inline uint64_t all_arrays(const struct lowering *w)
{
    return UINT64_MAX >> (MAX_ARRAY - w->n_array);
}

/* systolic_issue.c: instructions in program order, and their synchronisation. */
struct insn *issue_insn(struct lowering *w, enum opcode op, enum unit unit, uint64_t arrays,
                        int step);
void issue_set(struct lowering *w, enum unit unit, uint64_t arrays, int step);
/* Sync set instructions of a unit so far. */
uint64_t issue_n_set(const struct lowering *w, enum unit unit, int array);
/* A unit of an array waits until another of its units has executed `count` sets. */
void issue_wait(struct lowering *w, enum unit unit, enum unit on, int array, uint64_t count,
                int step);
/* The units of all arrays, or the host, wait until all of a step is done. */
void issue_wait_for_step(struct lowering *w, enum unit unit, int after, int step);
/* The step is done when the unit is through with what has been issued to it so far. */
void issue_step_done(struct lowering *w, enum unit unit, int step);
/* Moves each Read_Weights before the block in front of its own, so that weights are on their way
 * while that one is computed. */
void issue_ahead(GArray *insns);
/* Numbers the instructions that several arrays meet at; returns how many. */
uint32_t issue_meetings(GArray *insns);

/* systolic_blocks.c: the tile nest of a matrix layer's step. */
void blocks_lower(struct lowering *w, int step);

/* systolic_weights.c: parameters -> weight memory. ERROR_UNSUPPORTED where it is too small for
 * them; ERROR_LIMIT where this computer has no room for its contents. */
bool weights_fit(const struct systolic *s, const struct plan *p, GError **error);
bool weights_pack(const struct systolic *s, struct plan *p, struct program *program,
                  GError **error);
