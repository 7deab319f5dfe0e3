/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of lowering, between systolic_map.c and what it is made of. */
#pragma once

#include "arch/systolic/systolic.h"

/* What lowering knows of one array. */
struct lowered_array {
    uint64_t *drained;   /* by place in the accumulators: the activation counter */
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
    uint64_t *waited; /* by unit and unit: what the first is already known to have waited for */
    uint64_t *done;   /* by step and array: its unit's counter when it is complete */
    enum unit *done_unit;
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
/* Of one array's unit for another of its units. */
void issue_wait(struct lowering *w, enum unit unit, enum unit on, int array, uint64_t count,
                int step);
/* The units of all arrays, or the host, wait until all of a step is done. */
void issue_wait_for_step(struct lowering *w, enum unit unit, int after, int step);
/* The step is done when the unit is through with what has been issued to it so far. */
void issue_step_done(struct lowering *w, enum unit unit, int step);
/* Puts each Read_Weights a block early. */
void issue_ahead(GArray *insns);
/* Numbers the instructions that several arrays meet at; returns how many. */
uint32_t issue_meetings(GArray *insns);

/* systolic_blocks.c: the tile nest of a matrix layer's step. */
void blocks_lower(struct lowering *w, int step);

/* systolic_weights.c: parameters -> weight memory. */
bool weights_fit(const struct systolic *s, const struct plan *p, GError **error);
bool weights_pack(const struct systolic *s, struct plan *p, struct program *program,
                  GError **error);
