/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions in program order, and what each unit waits for. */
#include "arch/systolic/systolic_lower.h"

/* Of all units of the machine. */
static int unit_index(enum unit unit, int array)
{
    return unit == UNIT_HOST ? 0 : 1 + array * (N_UNIT - 1) + (int)unit - 1;
}

static uint64_t *sets_of(const struct lowering *w, enum unit unit, int array)
{
    return &w->sets[unit_index(unit, array)];
}

uint64_t issue_n_set(const struct lowering *w, enum unit unit, int array)
{
    return *sets_of(w, unit, array);
}

static uint64_t *waited_of(const struct lowering *w, enum unit unit, int array, enum unit on,
                           int on_array)
{
    return &w->waited[unit_index(unit, array) * w->n_unit + unit_index(on, on_array)];
}

struct insn *issue_insn(struct lowering *w, enum opcode op, enum unit unit, uint64_t arrays,
                        int step)
{
    struct insn in = {.op = (uint8_t)op,
                      .unit = (uint8_t)unit,
                      .arrays = arrays,
                      .step = step,
                      .layer = w->plan->steps[step].layer};
    g_array_append_val(w->insns, in);
    return &g_array_index(w->insns, struct insn, w->insns->len - 1);
}

void issue_set(struct lowering *w, enum unit unit, uint64_t arrays, int step)
{
    issue_insn(w, INSN_SYNC_SET, unit, arrays, step);
    for (; arrays; arrays &= arrays - 1)
        ++*sets_of(w, unit, __builtin_ctzll(arrays));
}

void issue_wait(struct lowering *w, enum unit unit, enum unit on, int array, uint64_t count,
                int step)
{
    uint64_t *waited = waited_of(w, unit, array, on, array);
    if (unit == on || count <= *waited)
        return; /* a unit works in order; what it has waited for stays true */
    *waited = count;
    struct insn *in = issue_insn(w, INSN_SYNC_WAIT, unit, one_array(array), step);
    in->on = (uint8_t)on;
    in->on_array = (int8_t)array;
    in->count = count;
}

/* Notes that these units wait for the step `after`; false where they are known to have. */
static bool note_wait(struct lowering *w, enum unit unit, uint64_t arrays, int after)
{
    const enum unit on = w->done_unit[after];
    bool is_new = false;
    for (; arrays; arrays &= arrays - 1) {
        const int array = __builtin_ctzll(arrays);
        for (int i = 0; i < (on == UNIT_HOST ? 1 : w->n_array); i++) {
            const uint64_t count = w->done[after * w->n_array + i];
            uint64_t *waited = waited_of(w, unit, array, on, i);
            if ((unit == on && i == array) || count <= *waited)
                continue;
            *waited = count;
            is_new = true;
        }
    }
    return is_new;
}

void issue_wait_for_step(struct lowering *w, enum unit unit, int after, int step)
{
    const uint64_t arrays = unit == UNIT_HOST ? 1 : all_arrays(w);
    if (after < 0 || !note_wait(w, unit, arrays, after))
        return;
    const bool one = w->n_array == 1 || w->done_unit[after] == UNIT_HOST;
    struct insn *in = issue_insn(w, INSN_SYNC_WAIT, unit, arrays, step);
    in->on = (uint8_t)w->done_unit[after];
    in->on_array = one ? 0 : ALL_ARRAYS;
    in->count = one ? w->done[after * w->n_array] : (uint64_t)after;
}

/* What comes later is done later at each unit, but not at all of them: all that was to be done by
 * the end of the step counts. */
void issue_step_done(struct lowering *w, enum unit unit, int step)
{
    for (int i = 0; i < (unit == UNIT_HOST ? 1 : w->n_array); i++)
        w->done[step * w->n_array + i] = *sets_of(w, unit, i);
    w->done_unit[step] = unit;
}

/* Read_Weights, or what it waits for where values of another layer are read. */
static bool reads_weights(const GArray *insns, guint i)
{
    return i < insns->len && g_array_index(insns, struct insn, i).unit == UNIT_WEIGHTS;
}

/* Each Read_Weights is issued one block early, behind the one before it: the controller issues in
 * order, and would come to it only when the queues have room for all of the block before. With
 * several arrays all those of a wave, which follow one another, one wave early. */
GArray *issue_ahead(const GArray *insns)
{
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(struct insn), insns->len);
    guint next = 0; /* the first Read_Weights not issued yet, or the end */
    int n_ahead = 0;
    for (guint i = 0; i < insns->len; i++) {
        if (!reads_weights(insns, i)) {
            g_array_append_vals(out, &g_array_index(insns, struct insn, i), 1);
            continue;
        }
        n_ahead -= i == 0 || !reads_weights(insns, i - 1);
        for (; n_ahead < 1 && next < insns->len; next++) {
            if (!reads_weights(insns, next))
                continue;
            if (next > i && g_array_index(insns, struct insn, next).op == INSN_SYNC_WAIT)
                break; /* it stays behind what it waits for, which must be issued first */
            g_array_append_vals(out, &g_array_index(insns, struct insn, next), 1);
            n_ahead += !reads_weights(insns, next + 1);
        }
    }
    return out;
}
