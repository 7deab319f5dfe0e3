/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers, which issue in program order, the queues of the units, and Sync between them. */
#include "arch/systolic/systolic_sim.h"

struct unit_state *queue_unit(struct sim *s, enum unit unit, int array)
{
    return unit == UNIT_HOST ? &s->host : &s->arrays[array].units[unit];
}

static const struct insn *insn_at(const struct sim *s, uint32_t i)
{
    return &g_array_index(s->program->insns, struct insn, i);
}

/* A controller issues an instruction a cycle, in order, and waits where the queue of its unit is
 * full. When it issues follows from when units take: so it is no process, but goes on, as far as it
 * can, whenever one of its units has taken an instruction. What it issues later than now is queued
 * with its cycle; until that cycle no room is wanted for what comes behind it. */
static void controller_go_on(struct controller *c, struct sim *s)
{
    const uint32_t depth = (uint32_t)s->self->cfg.queue_depth;
    for (; c->next < c->list->len; c->next++) {
        const struct listed *l = &g_array_index(c->list, struct listed, c->next);
        struct unit_state *u = queue_unit(s, (enum unit)l->unit, c->array);
        if (u->n_queued == depth)
            return;
        const uint64_t issue_cyc = MAX(c->free_cyc, sk_now());
        u->queue[(u->head + u->n_queued++) % depth] = (struct queued){l->insn, issue_cyc};
        c->free_cyc = issue_cyc + 1;
        if (u->n_queued == 1)
            sk_notify(u->filled);
    }
}

/* The next instruction; NULL when the program has no more for this unit. */
static const struct insn *pop(struct unit_state *u)
{
    struct sim *s = u->sim;
    if (u->n_left == 0)
        return NULL;
    u->n_left--;
    if (u->n_queued == 0)
        controller_go_on(u->controller, s); /* the run's first */
    while (u->n_queued == 0)
        sk_wait(u->filled);
    const struct queued q = u->queue[u->head];
    sim_wait_until(q.issue_cyc);
    u->head = (u->head + 1) % (uint32_t)s->self->cfg.queue_depth;
    u->n_queued--;
    controller_go_on(u->controller, s);
    u->now = insn_at(s, q.insn);
    u->layer = (uint64_t)u->now->layer;
    return u->now;
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
    sim_wait_until(at);
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

/* With one array a controller issues all; with several each has one, which issues what is for its
 * units, and the last one what is for the host. */
static struct controller *controller_of(struct sim *s, enum unit unit, int array)
{
    const int n = (int)s->self->cfg.n_array;
    return &s->controllers[n == 1 ? 0 : unit == UNIT_HOST ? n : array];
}

/* What each controller will issue, each unit take from its queue, and each loader from its FIFO. */
static void deal_program(struct sim *s)
{
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = insn_at(s, i);
        const struct listed listed = {.insn = i, .unit = in->unit};
        for (uint64_t left = in->arrays; left; left &= left - 1) {
            const int array = __builtin_ctzll(left);
            g_array_append_val(controller_of(s, in->unit, array)->list, listed);
            queue_unit(s, in->unit, array)->n_left++;
            s->arrays[array].n_tile += in->op == INSN_READ_WEIGHTS ? in->repeat : 0;
        }
    }
}

void queue_build(struct sim *s)
{
    const int n = (int)s->self->cfg.n_array;
    s->controllers = ARENA_ARRAY(s->plan->arena, struct controller, (size_t)n + 1);
    for (int i = 0; i <= n; i++)
        s->controllers[i].list =
            arena_own(s->plan->arena, g_array_new(FALSE, FALSE, sizeof(struct listed)),
                      (GDestroyNotify)g_array_unref);
    for (int i = 0; i < n; i++) {
        s->controllers[i].array = i;
        for (int unit = UNIT_HOST + 1; unit < N_UNIT; unit++)
            s->arrays[i].units[unit].controller = controller_of(s, (enum unit)unit, i);
    }
    s->host.controller = controller_of(s, UNIT_HOST, 0);
    deal_program(s);
}
