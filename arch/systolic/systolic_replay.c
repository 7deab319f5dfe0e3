/* SPDX-License-Identifier: Apache-2.0 */
/* The program in program order, without a clock: the values alone. Program order is one that the
 * Sync instructions allow, so the values are those of an event run. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_func.h"

static void replay_stream(struct machine_state *m, const struct insn *in, uint32_t i)
{
    const struct stream t = flow_stream(m->self, m->plan, in, i);
    const bool ws = m->self->cfg.dataflow == FLOW_WS, is = m->self->cfg.dataflow == FLOW_IS;
    if (is && t.begins && !in->reuse) {
        state_shift_inputs(m, &t.in, t.i_k);
        state_swap_inputs(m, insn_array(in));
    }
    if (!(ws ? in->reuse : in->reuse_weights)) {
        state_shift_in(m, insn_array(in), t.tile, &m->plan->layers[in->layer]);
        state_swap(m, insn_array(in));
    }
    state_multiply(m, &t.in, t.i_k);
}

bool state_replay(struct machine_state *m, GError **error)
{
    const struct program *program = m->plan->program;
    bool ok = true;
    for (guint i = 0; i < program->insns->len && ok; i++) {
        const struct insn *in = &g_array_index(program->insns, struct insn, i);
        for (uint32_t j = 0; j < in->repeat && in->unit == UNIT_MATRIX; j++)
            replay_stream(m, in, j);
        if (in->unit != UNIT_MATRIX)
            ok = state_execute(m, in, error);
    }
    return ok;
}

bool systolic_replay(const void *self, const struct plan *p, struct arch_io *io, GError **error)
{
    struct machine_state m;
    if (!state_init(&m, self, p, io, error))
        return false;
    const bool ok = state_replay(&m, error);
    state_clear(&m);
    return ok;
}
