/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a systolic machine as an array of struct insn, for tests that take some out. */
#pragma once

#include <glib.h>

#include "app/run/internal.h"
#include "arch/systolic/systolic_insn.h"

/* The caller frees it. */
static inline GArray *program_insns(const struct accsim *a)
{
    GArray *insns = g_array_new(FALSE, FALSE, sizeof(struct insn));
    struct insn in;
    for (size_t at = 0; systolic_program_next(a->plan->program, &at, ALL_OPS, &in);)
        g_array_append_val(insns, in);
    return insns;
}

/* The program becomes this one, without the i-th instruction; -1: with all of them. */
static inline void program_without(struct accsim *a, const GArray *insns, int i)
{
    struct program *program = a->plan->program;
    program->code.n_byte = 0;
    program->n_meeting = 0;
    for (int j = 0; j < (int)insns->len; j++)
        if (j != i)
            systolic_program_append(program, &g_array_index(insns, struct insn, j));
}
