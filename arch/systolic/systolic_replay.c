/* SPDX-License-Identifier: Apache-2.0 */
/* The program in program order, without a clock: the values alone. Program order is one that the
 * Sync instructions allow, so the values are those of an event run. */
#include "arch/systolic/systolic_func.h"

bool systolic_replay(const void *self, const struct plan *p, struct arch_io *io, GError **error)
{
    const struct program *program = p->program;
    struct machine_state m;
    if (!state_init(&m, self, p, io, error))
        return false;
    uint64_t next_tile = 0;
    bool ok = true;
    for (guint i = 0; i < program->insns->len && ok; i++) {
        const struct insn *in = &g_array_index(program->insns, struct insn, i);
        if (in->op == INSN_READ_WEIGHTS)
            next_tile = (uint64_t)in->first; /* its tiles are taken by the product that follows */
        for (uint32_t k = 0; k < in->repeat && in->unit == UNIT_MATRIX; k++) {
            if (!in->reuse) {
                state_shift_in(&m, next_tile, &p->layers[in->layer]);
                state_swap(&m);
                next_tile += core_tile_bytes(self, &p->layers[in->layer]);
            }
            state_multiply(&m, in, k);
        }
        if (in->unit != UNIT_MATRIX)
            ok = state_execute(&m, in, error);
    }
    state_clear(&m);
    return ok;
}
