/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions in program order, and what each unit waits for. */
#include <string.h>

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

/* Puts what was held back into its place, from the n-th on. Returns the place behind. */
static guint put_back(GArray *insns, guint n, GArray *held)
{
    if (held->len > 0)
        memcpy(&g_array_index(insns, struct insn, n), held->data, held->len * sizeof(struct insn));
    n += held->len;
    g_array_set_size(held, 0);
    return n;
}

/* Each Read_Weights is issued one block early, behind the one before it: the controller issues in
 * order, and would come to it only when the queues have room for all of the block before. With
 * several arrays all those of a wave, which follow one another, one wave early. What another layer
 * makes is read in its place, behind what it waits for. In place: a block is held back at a time.
 */
void issue_ahead(GArray *insns)
{
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(struct insn));
    guint n = 0;
    bool is_first = true, was_read = false;
    for (guint i = 0; i < insns->len; i++) {
        const struct insn in = g_array_index(insns, struct insn, i);
        const bool is_read = in.unit == UNIT_WEIGHTS;
        if (is_read ? is_first || in.op == INSN_SYNC_WAIT : was_read)
            n = put_back(insns, n, held);
        is_first &= !is_read;
        was_read = is_read;
        if (is_read)
            g_array_index(insns, struct insn, n++) = in;
        else
            g_array_append_val(held, in);
    }
    put_back(insns, n, held);
}

uint32_t issue_meetings(GArray *insns)
{
    uint32_t n = 0;
    for (guint i = 0; i < insns->len; i++) {
        struct insn *in = &g_array_index(insns, struct insn, i);
        if (insn_n_array(in) > 1)
            in->meeting = n++;
    }
    return n;
}
