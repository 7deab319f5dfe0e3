/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: a controller that issues in program order, and a process a unit that executes its
 * queue, asks the core for times and waits. Values are computed when an instruction ends. */
#include <string.h>

#include "arch/systolic/systolic_sim.h"

static void pass_span(struct sim *s, enum unit unit, const struct insn *in, uint64_t start_cyc,
                      uint64_t end_cyc)
{
    struct pass_span *p = &s->passes[s->plan->steps[in->step].pass];
    if (unit == UNIT_MATRIX || unit == UNIT_ACTIVATION)
        p->compute_cyc = MIN(p->compute_cyc, start_cyc);
    if (!p->started || start_cyc < p->start_cyc)
        p->start_cyc = start_cyc;
    p->started = true;
    p->end_cyc = MAX(p->end_cyc, end_cyc);
}

static void execute(struct sim *s, const struct insn *in)
{
    if (s->state && !state_execute(s->state, in, &s->error))
        sk_stop();
}

static void controller(void *arg)
{
    struct sim *s = arg;
    const uint32_t depth = (uint32_t)s->self->cfg.queue_depth;
    for (guint i = 0; i < s->program->insns->len; i++) {
        struct unit_state *u = &s->units[g_array_index(s->program->insns, struct insn, i).unit];
        while (u->n_queued == depth)
            sk_wait(u->freed);
        u->queue[(u->head + u->n_queued) % depth] = i;
        u->n_queued++;
        sk_notify(u->filled);
        sk_wait_cycles(1);
    }
}

/* The next instruction that is no Sync; NULL when the program has no more for this unit. */
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
    /* Sums leave the last row of the array a pass through the array after their inputs. */
    const uint64_t at = sk_now() + (u->unit == UNIT_MATRIX ? u->sim->self->latency_cyc : 0);
    g_array_append_val(u->set_cyc, at);
    sk_notify(u->set);
}

static void sync_wait(struct unit_state *u, const struct insn *in)
{
    struct sim *s = u->sim;
    struct unit_state *on = &s->units[in->on];
    const uint64_t start = sk_now();
    while (on->set_cyc->len < in->count)
        sk_wait(on->set);
    const uint64_t at = g_array_index(on->set_cyc, uint64_t, in->count - 1);
    if (at > sk_now())
        sk_wait_cycles(at - sk_now());
    const struct wait_span span = {start, sk_now(), in->on == UNIT_HOST ? CAUSE_INPUT : CAUSE_RAW};
    if (u->unit == UNIT_MATRIX && span.end_cyc > start)
        g_array_append_val(s->waits, span);
}

static const struct insn *next_insn(struct unit_state *u)
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

/* Occupies the unit from now until ready_cyc, then computes. */
static void occupy(struct unit_state *u, const struct insn *in, uint64_t ready_cyc)
{
    const uint64_t start = sk_now();
    u->busy = 1;
    u->n_begun++;
    sk_wait_cycles(ready_cyc - start);
    u->busy = 0;
    u->busy_cyc += sk_now() - start;
    pass_span(u->sim, u->unit, in, start, sk_now());
}

static void host_dma(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        if (in->op == INSN_HOST_OPERATOR)
            pass_span(s, UNIT_HOST, in, sk_now(), sk_now());
        else
            occupy(u, in, dma_copy(&s->core.dma, in->count, sk_now()));
        execute(s, in);
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Read_Weights is complete when its address is sent: the FIFO slot is taken, the tile on its way.
 */
static void weight_memory(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    const uint64_t depth = (uint64_t)s->self->cfg.fifo_tiles;
    for (const struct insn *in; (in = next_insn(u));) {
        const uint64_t bytes = core_tile_bytes(s->self, &s->plan->layers[in->layer]);
        for (uint32_t i = 0; i < in->repeat; i++) {
            while (s->fifo_level == depth)
                sk_wait(s->fifo_freed);
            const uint64_t address = (uint64_t)in->first + i * bytes;
            const struct dram_request request = {.bytes = bytes, .address = address};
            s->fifo[(s->fifo_head + s->fifo_level) % depth] = (struct fifo_slot){
                address, in->layer, dram_access(&s->core.weights, &request, sk_now())};
            s->fifo_level++;
            sk_notify(s->fifo_filled);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void weight_loader(void *arg)
{
    struct sim *s = arg;
    const uint64_t depth = (uint64_t)s->self->cfg.fifo_tiles;
    for (uint64_t i = 0; i < s->n_tile; i++) {
        while (s->fifo_level == 0)
            sk_wait(s->fifo_filled);
        const struct fifo_slot slot = s->fifo[s->fifo_head];
        while (!s->shadow_free)
            sk_wait(s->shadow_freed);
        s->shadow_free = false;
        s->shift_start_cyc = core_shift_start(slot.arrival_cyc, sk_now());
        if (s->shift_start_cyc > sk_now())
            sk_wait_cycles(s->shift_start_cyc - sk_now());
        s->n_shift++;
        sk_wait_cycles(core_shift_cyc(s->self, &s->plan->layers[slot.layer]));
        if (s->state)
            state_shift_in(s->state, slot.tile, &s->plan->layers[slot.layer]);
        s->fifo_head = (s->fifo_head + 1) % depth;
        s->fifo_level--;
        sk_notify(s->fifo_freed);
        s->shadow_full = true;
        sk_notify(s->shadow_filled);
    }
}

/* Waits for the next tile. Whatever of the wait came before its shift is weight stall, the rest
 * weight shift. */
static void take_tile(struct sim *s, const struct insn *in)
{
    struct record_layer *l = &s->layers[in->layer];
    const uint64_t start = sk_now();
    while (!s->shadow_full)
        sk_wait(s->shadow_filled);
    if (sk_now() > start) {
        const uint64_t shift = CLAMP(s->shift_start_cyc, start, sk_now());
        l->stall_cyc[CAUSE_WEIGHT_STALL] += shift - start;
        l->stall_cyc[CAUSE_WEIGHT_SHIFT] += sk_now() - shift;
        pass_span(s, UNIT_MATRIX, in, start, sk_now());
    }
    if (s->state)
        state_swap(s->state);
    s->shadow_full = false;
}

static void free_shadow(struct sim *s)
{
    s->shadow_free = true;
    sk_notify(s->shadow_freed);
}

static void matrix_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    const bool double_buffer = s->self->cfg.double_buffer;
    for (const struct insn *in; (in = next_insn(u));) {
        for (uint32_t i = 0; i < in->repeat; i++) {
            if (!in->reuse)
                take_tile(s, in);
            if (!in->reuse && double_buffer)
                free_shadow(s);
            occupy(u, in, sk_now() + core_matrix_cyc(s->self, s->plan, in));
            if (s->state)
                state_multiply(s->state, in, i);
            if (!in->keep && !double_buffer)
                free_shadow(s);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void activation_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        const uint64_t cycles = in->op == INSN_ACTIVATE ? core_activate_cyc(in->m) : in->count;
        occupy(u, in, sk_now() + cycles);
        execute(s, in);
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void describe_unit(void *arg, GString *out)
{
    struct unit_state *u = arg;
    if (!u->now)
        return;
    g_string_append_printf(out, "layer '%s', instruction ",
                           u->sim->plan->layers[u->now->layer].name);
    insn_print(u->sim->plan, u->now, out);
}

static void describe_loader(void *arg, GString *out)
{
    const struct sim *s = arg;
    g_string_append_printf(out, "%" G_GUINT64_FORMAT " tiles in the weight FIFO", s->fifo_level);
}

static const struct {
    const char *name;
    void (*run)(void *);
} unit_processes[N_UNIT] = {
    [UNIT_HOST] = {"host_dma", host_dma},
    [UNIT_WEIGHTS] = {"weight_memory", weight_memory},
    [UNIT_MATRIX] = {"matrix_unit", matrix_unit},
    [UNIT_ACTIVATION] = {"activation_unit", activation_unit},
};

static struct sk_event *event_of(struct arena *a, const char *owner, const char *what)
{
    return sk_event_new(arena_printf(a, "%s.%s", owner, what));
}

static void build_unit(struct sim *s, enum unit unit, struct arena *arena)
{
    struct unit_state *u = &s->units[unit];
    const char *name = unit_processes[unit].name;
    u->sim = s;
    u->unit = unit;
    u->queue = ARENA_ARRAY(arena, uint32_t, (size_t)s->self->cfg.queue_depth);
    u->filled = event_of(arena, name, "queue_filled");
    u->freed = event_of(arena, name, "queue_freed");
    u->set = event_of(arena, name, "sync_set");
    u->set_cyc = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                           (GDestroyNotify)g_array_unref);
    for (guint i = 0; i < s->program->insns->len; i++)
        u->n_left += g_array_index(s->program->insns, struct insn, i).unit == unit;
    sk_spawn(name, unit_processes[unit].run, u, describe_unit, 0);
    sk_trace(arena_printf(arena, "%s.busy", name), &u->busy, 1);
    sk_trace(arena_printf(arena, "%s.layer", name), &u->layer, 16);
    sk_trace(arena_printf(arena, "%s.begun", name), &u->n_begun, 32);
}

void *systolic_build(const void *self, const struct plan *p, struct arch_io *io, GError **error)
{
    struct arena *arena = p->arena;
    struct sim *s = ARENA_NEW(arena, struct sim);
    s->self = self;
    s->plan = p;
    s->program = p->program;
    if (io) {
        s->state = ARENA_NEW(arena, struct machine_state);
        if (!state_init(s->state, self, p, io, error))
            return NULL;
    }
    core_init(&s->core, self);
    s->layers = ARENA_ARRAY(arena, struct record_layer, (size_t)p->n_layer);
    s->waits = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(struct wait_span)),
                         (GDestroyNotify)g_array_unref);
    s->passes = ARENA_ARRAY(arena, struct pass_span, (size_t)p->n_pass);
    for (int i = 0; i < p->n_pass; i++)
        s->passes[i].compute_cyc = UINT64_MAX;
    s->fifo = ARENA_ARRAY(arena, struct fifo_slot, (size_t)s->self->cfg.fifo_tiles);
    s->fifo_filled = sk_event_new("weight_fifo.filled");
    s->fifo_freed = sk_event_new("weight_fifo.freed");
    s->shadow_filled = sk_event_new("shadow.filled");
    s->shadow_freed = sk_event_new("shadow.freed");
    s->shadow_free = true;
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        s->n_tile += in->op == INSN_READ_WEIGHTS ? in->repeat : 0;
    }
    for (int u = 0; u < N_UNIT; u++)
        build_unit(s, (enum unit)u, arena);
    sk_spawn("weight_loader", weight_loader, s, describe_loader, 0);
    sk_spawn("controller", controller, s, NULL, 0);
    sk_trace("weight_fifo.level", &s->fifo_level, 11);
    sk_trace("weight_loader.begun", &s->n_shift, 32);
    return s;
}
