/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers, which issue in program order, the queues of the units, and Sync between them. */
#include "arch/systolic/systolic_sim.h"

struct unit_state *queue_unit(struct sim *s, enum unit unit, int array)
{
    return unit == UNIT_HOST ? &s->host : &s->arrays[array].units[unit];
}

static void issue(struct unit_state *u, guint i)
{
    const uint32_t depth = (uint32_t)u->sim->self->cfg.queue_depth;
    while (u->n_queued == depth)
        sk_wait(u->freed);
    u->queue[(u->head + u->n_queued) % depth] = i;
    u->n_queued++;
    sk_notify(u->filled);
    sk_wait_cycles(1);
}

static void controller(void *arg)
{
    struct sim *s = arg;
    for (guint i = 0; i < s->program->insns->len; i++)
        issue(queue_unit(s, g_array_index(s->program->insns, struct insn, i).unit, 0), i);
}

/* With several arrays each has a controller, which issues what is for its units, */
static void array_controller(void *arg)
{
    struct array_sim *a = arg;
    for (uint32_t i = 0; i < a->n_insn; i++)
        issue(&a->units[g_array_index(a->sim->program->insns, struct insn, a->insns[i]).unit],
              a->insns[i]);
}

/* and one more issues what is for the host. */
static void host_controller(void *arg)
{
    struct sim *s = arg;
    for (guint i = 0; i < s->program->insns->len; i++)
        if (g_array_index(s->program->insns, struct insn, i).unit == UNIT_HOST)
            issue(&s->host, i);
}

/* The next instruction; NULL when the program has no more for this unit. */
static const struct insn *pop(struct unit_state *u)
{
    struct sim *s = u->sim;
    if (u->n_left == 0)
        return NULL;
    u->n_left--;
    while (u->n_queued == 0)
        sk_wait(u->filled);
    const struct insn *in = &g_array_index(s->program->insns, struct insn, u->queue[u->head]);
    u->head = (u->head + 1) % (uint32_t)s->self->cfg.queue_depth;
    u->n_queued--;
    sk_notify(u->freed);
    u->now = in;
    u->layer = (uint64_t)in->layer;
    return in;
}

static void sync_set(struct unit_state *u)
{
    const uint64_t at = u->unit == UNIT_MATRIX ? MAX(sk_now(), u->sums_cyc) : sk_now();
    g_array_append_val(u->set_cyc, at);
    sk_notify(u->set);
}

/* Returns when the counter got there, which may be long ago. */
static uint64_t wait_for_count(const struct unit_state *on, uint64_t count)
{
    if (count == 0)
        return 0;
    while (on->set_cyc->len < count)
        sk_wait(on->set);
    const uint64_t at = g_array_index(on->set_cyc, uint64_t, count - 1);
    if (at > sk_now())
        sk_wait_cycles(at - sk_now());
    return at;
}

static void sync_wait(struct unit_state *u, const struct insn *in)
{
    struct sim *s = u->sim;
    const int n = (int)s->self->cfg.n_array;
    uint64_t met_cyc = 0;
    if (in->on_array != ALL_ARRAYS)
        met_cyc = wait_for_count(queue_unit(s, in->on, in->on_array), in->count);
    for (int i = 0; i < n && in->on_array == ALL_ARRAYS; i++) {
        const uint64_t count = s->program->done[in->count * (uint64_t)n + (uint64_t)i];
        met_cyc = MAX(met_cyc, wait_for_count(queue_unit(s, in->on, i), count));
    }
    if (u->unit == UNIT_MATRIX) {
        uint64_t *last_cyc = &u->array->met_cyc[in->on == UNIT_HOST ? CAUSE_INPUT : CAUSE_RAW];
        *last_cyc = MAX(*last_cyc, met_cyc);
    }
}

const struct insn *queue_next(struct unit_state *u)
{
    for (;;) {
        const struct insn *in = pop(u);
        if (!in)
            return NULL;
        if (in->op == INSN_SYNC_SET)
            sync_set(u);
        else if (in->op == INSN_SYNC_WAIT)
            sync_wait(u, in);
        else
            return in;
    }
}

/* What each unit will take from its queue, and each loader from its FIFO. */
static void count_program(struct sim *s)
{
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        for (uint64_t left = in->arrays; left; left &= left - 1) {
            struct array_sim *a = &s->arrays[__builtin_ctzll(left)];
            queue_unit(s, in->unit, a->index)->n_left++;
            a->n_insn += in->unit != UNIT_HOST;
            a->n_tile += in->op == INSN_READ_WEIGHTS ? in->repeat : 0;
        }
    }
}

/* What each of several controllers will issue. */
static void deal_program(struct sim *s)
{
    const int n = (int)s->self->cfg.n_array;
    for (int i = 0; i < n; i++) {
        s->arrays[i].insns = ARENA_ARRAY(s->plan->arena, uint32_t, (size_t)s->arrays[i].n_insn);
        s->arrays[i].n_insn = 0;
    }
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        for (uint64_t left = in->unit == UNIT_HOST ? 0 : in->arrays; left; left &= left - 1) {
            struct array_sim *a = &s->arrays[__builtin_ctzll(left)];
            a->insns[a->n_insn++] = i;
        }
    }
}

void queue_build(struct sim *s)
{
    const int n = (int)s->self->cfg.n_array;
    count_program(s);
    if (n == 1) {
        sk_spawn("controller", controller, s, NULL, 0);
        return;
    }
    deal_program(s);
    sk_spawn("host_controller", host_controller, s, NULL, 0);
    for (int i = 0; i < n; i++)
        sk_spawn(sim_name(&s->arrays[i], "controller"), array_controller, &s->arrays[i], NULL, 0);
}
