/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's contents: its memories and arrays, bit by bit, and what moves between them. */
#pragma once

#include "arch/arch.h"
#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_machine.h"
#include "arch/transfers.h"
#include "mapper/values/permute.h"
#include "sim/parts/sram.h"

/* What one array holds. */
struct array_state {
    void *accumulators; /* entries x cols sums of 8 bytes at most: int32, int64 or fp32 */
    uint8_t *array;     /* weights in the array: rows x cols, as stored */
    uint8_t *shadow;    /* and in its shadow registers */
    uint8_t *inputs, *shadow_inputs; /* is: the same of inputs: cols x rows */
};

struct machine_state {
    const struct systolic *self;
    const struct plan *plan;
    struct arch_values *io;
    uint8_t *weights;           /* weight memory, by address */
    struct sram buffer;         /* unified buffer, bytes */
    struct array_state *arrays; /* array.count */
    uint32_t *n_left; /* by step: instructions after which its part of the output is complete */
    bool *pooled;     /* by step: a value has gone through its pooling hardware */
    void *square;     /* is: sums of a stream before they are turned: cols x cols */
    void *turned;     /* is: a row of sums, as they are read */
    struct transfers transfers; /* host memory, and what moves between it and the buffer */
    void *lhs, *rhs, *sums;     /* scratch of products: fp32 or fp64; what is added to sums */
    void *row, *stored_row;     /* scratch of one row: too large for the stacks of processes */
    struct permute_table moves; /* of the layer that moved values last */
    bool is_used;               /* a step has begun */
};
/* ERROR_LIMIT where there is no memory for the contents; then *m is clear again. */
bool systolic_state_init(struct machine_state *m, const struct systolic *s, const struct plan *p,
                         GError **error);
void systolic_state_clear(struct machine_state *m);
/* Parameters -> weight memory; inputs are read from `io`, and outputs go there, from now on. */
void systolic_state_load(struct machine_state *m, struct arch_values *io);
/* A step begins: its inputs are in host memory. */
void systolic_state_begin(struct machine_state *m);
/* What steps before have left in the machine shows no more: a value that is read before it is
 * written is a wrong one again. */
void systolic_state_forget(struct machine_state *m);
/* Weight memory -> shadow registers of an array. */
void systolic_state_shift_in(struct machine_state *m, int array, uint64_t tile,
                             const struct plan_layer *l);
void systolic_state_swap(struct machine_state *m, int array); /* shadow registers -> array */
/* Input-stationary: rows of the i_k-th piece of K -> shadow registers -> array. */
void systolic_state_shift_inputs(struct machine_state *m, const struct insn *in, uint32_t i_k);
void systolic_state_swap_inputs(struct machine_state *m, int array);
/* Elements k to k + n of a row of a step's inputs, as stored: from the unified buffer, or from the
 * array where inputs stay. */
void systolic_state_gather(const struct machine_state *m, const struct insn *in, int64_t row,
                           int64_t k, int64_t n, void *out);
/* The array that a matrix instruction, SHIFT_INPUTS or ACTIVATE is for. */
static inline struct array_state *state_array(const struct machine_state *m, const struct insn *in)
{
    return &m->arrays[insn_array(in)];
}
/* n sums of row i of a block, from its j-th column on, side by side; m's own, until the next call.
 */
const void *systolic_state_sums(const struct machine_state *m, const struct insn *in, int64_t i,
                                int64_t j, int64_t n);
/* Columns of a tile in `rhs`: with those that fill up the vectors that products are made with. */
enum { STATE_COLUMNS = 16 };
static inline uint64_t systolic_state_padded(int64_t n)
{
    return (uint64_t)(n + STATE_COLUMNS - 1) / STATE_COLUMNS * STATE_COLUMNS;
}
