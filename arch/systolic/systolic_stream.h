/* SPDX-License-Identifier: Apache-2.0 */
/* What a layer and an instruction are to the rules of systolic_rules.h. */
#pragma once

#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_rules.h"

struct cut systolic_cut(const struct systolic *s, const struct plan *p, const struct plan_layer *l);

/* The block that a matrix instruction, READ_WEIGHTS, SHIFT_INPUTS or ACTIVATE is about. */
struct block systolic_block(const struct systolic *s, const struct plan *p, const struct insn *in);

/* A stream of a matrix instruction. */
struct stream {
    struct insn in; /* the part of the instruction that it computes */
    uint64_t tile;  /* of weights: its address, */
    uint64_t bytes; /* and what is fetched of it */
    bool one_tile;  /* all of the instruction's are against this one */
    struct pass pass;
};
struct stream systolic_stream(const struct systolic *s, const struct plan *p, const struct insn *in,
                              uint32_t i);
/* Cycles in which rows enter the array. */
uint64_t systolic_active_cyc(const struct systolic *s, const struct plan *p, const struct insn *in);
/* What is fetched for all tiles of a READ_WEIGHTS. */
uint64_t systolic_read_bytes(const struct systolic *s, const struct plan *p, const struct insn *in);
