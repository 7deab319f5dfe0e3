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
    power_note(s, unit, in->step, start_cyc, end_cyc);
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
    const uint64_t at = u->unit == UNIT_MATRIX ? MAX(sk_now(), u->sums_cyc) : sk_now();
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
        const struct plan_layer *l = &s->plan->layers[in->layer];
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = flow_stream(s->self, s->plan, in, i);
            while (s->fifo_level == depth)
                sk_wait(s->fifo_freed);
            const struct dram_request request = {.bytes = flow_tile_bytes(s->self, s->plan, &t),
                                                 .address = t.tile};
            s->fifo[(s->fifo_head + s->fifo_level) % depth] =
                (struct fifo_slot){t.tile, in->layer, core_shift_cyc(s->self, s->plan, l, t.rows),
                                   dram_access(&s->core.weights, &request, sk_now())};
            s->fifo_level++;
            sk_notify(s->fifo_filled);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void free_slot(struct sim *s)
{
    s->fifo_head = (s->fifo_head + 1) % (uint64_t)s->self->cfg.fifo_tiles;
    s->fifo_level--;
    sk_notify(s->fifo_freed);
}

/* Shadow registers, once free, take a tile from start_cyc on, a row a cycle. */
static void wait_shadow_free(struct sim *s)
{
    while (!s->shadow_free)
        sk_wait(s->shadow_freed);
    s->shadow_free = false;
}

static void shift_in(struct sim *s, uint64_t start_cyc, uint64_t cycles)
{
    s->shift_start_cyc = start_cyc;
    if (start_cyc > sk_now())
        sk_wait_cycles(start_cyc - sk_now());
    s->n_shift++;
    sk_wait_cycles(cycles);
}

static void fill_shadow(struct sim *s)
{
    s->shadow_full = true;
    sk_notify(s->shadow_filled);
}

static void weight_loader(void *arg)
{
    struct sim *s = arg;
    for (uint64_t i = 0; i < s->n_tile; i++) {
        while (s->fifo_level == 0)
            sk_wait(s->fifo_filled);
        const struct fifo_slot slot = s->fifo[s->fifo_head];
        wait_shadow_free(s);
        shift_in(s, core_shift_start(slot.arrival_cyc, sk_now()), slot.shift_cyc);
        if (s->state)
            state_shift_in(s->state, slot.tile, &s->plan->layers[slot.layer]);
        free_slot(s);
        fill_shadow(s);
    }
}

/* Tiles of inputs on their way into the array, where they stay. */
static void input_loader(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        const struct plan_layer *l = &s->plan->layers[in->layer];
        const uint32_t n_tile = (uint32_t)flow_tiles_n(s->self, in);
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = flow_stream(s->self, s->plan, in, i * n_tile);
            wait_shadow_free(s);
            shift_in(s, sk_now(), core_shift_cyc(s->self, s->plan, l, t.rows));
            if (s->state)
                state_shift_inputs(s->state, &t.in, t.i_k);
            pass_span(s, UNIT_INPUTS, in, s->shift_start_cyc, sk_now());
            fill_shadow(s);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Waits for the tile that is to stay. Whatever of the wait came before its shift is weight stall,
 * the rest weight shift; inputs are shifted when they are there, so that nothing comes before it.
 */
static void take_tile(struct sim *s, const struct insn *in)
{
    struct record_layer *l = &s->layers[in->layer];
    const uint64_t start = sk_now();
    while (!s->shadow_full)
        sk_wait(s->shadow_filled);
    if (sk_now() > start) {
        const uint64_t shift = CLAMP(s->shift_start_cyc, start, sk_now());
        if (s->self->cfg.dataflow == FLOW_WS)
            l->stall_cyc[CAUSE_WEIGHT_STALL] += shift - start;
        l->stall_cyc[CAUSE_WEIGHT_SHIFT] += sk_now() - shift;
        pass_span(s, UNIT_MATRIX, in, start, sk_now());
    }
    s->shadow_full = false;
}

/* Waits for the weights at the FIFO's head, which stream from there. */
static void take_weights(struct sim *s, const struct insn *in)
{
    const uint64_t start = sk_now();
    while (s->fifo_level == 0)
        sk_wait(s->fifo_filled);
    const struct fifo_slot slot = s->fifo[s->fifo_head];
    if (slot.arrival_cyc > sk_now())
        sk_wait_cycles(slot.arrival_cyc - sk_now());
    s->layers[in->layer].stall_cyc[CAUSE_WEIGHT_STALL] += sk_now() - start;
    if (sk_now() > start)
        pass_span(s, UNIT_MATRIX, in, start, sk_now());
    if (!s->state)
        return;
    state_shift_in(s->state, slot.tile, &s->plan->layers[slot.layer]);
    state_swap(s->state);
}

static void free_shadow(struct sim *s)
{
    s->shadow_free = true;
    sk_notify(s->shadow_freed);
}

static void wait_until(uint64_t cyc)
{
    if (cyc > sk_now())
        sk_wait_cycles(cyc - sk_now());
}

/* One stream of a matrix instruction. What stays is taken over as its first row enters. */
static void run_stream(struct unit_state *u, const struct insn *in, uint32_t i)
{
    struct sim *s = u->sim;
    const struct systolic *self = s->self;
    const struct stream t = flow_stream(self, s->plan, in, i);
    const bool one_tile = flow_one_tile(self, s->plan, in);
    const bool stays = self->cfg.dataflow != FLOW_OS, streams = self->cfg.dataflow != FLOW_WS;
    const bool takes = stays && t.begins && !in->reuse;
    wait_until(core_stream_start(self, &s->before, &t));
    if (takes)
        take_tile(s, in);
    if (streams && (one_tile ? i == 0 && !in->reuse_weights : true))
        take_weights(s, in);
    if (takes && s->state)
        (streams ? state_swap_inputs : state_swap)(s->state);
    if (takes && self->cfg.double_buffer)
        free_shadow(s);
    occupy(u, in, sk_now() + t.stream_cyc);
    if (s->state)
        state_multiply(s->state, &t.in, t.i_k);
    if (streams && (one_tile ? i == in->repeat - 1 && !in->keep_weights : true))
        free_slot(s);
    if (stays && t.ends && !in->keep && !self->cfg.double_buffer)
        free_shadow(s);
    if (stays || t.ends)
        s->before = (struct in_array){true, sk_now(), t.rows};
    u->sums_cyc = sk_now() + flow_latency_cyc(self, t.rows, t.cols);
}

static void matrix_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        for (uint32_t i = 0; i < in->repeat; i++)
            run_stream(u, in, i);
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void activation_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        const uint64_t cycles = in->op == INSN_ACTIVATE
                                    ? core_activate_cyc(s->self, flow_entries(s->self, in))
                                    : in->count;
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
    [UNIT_INPUTS] = {"input_loader", input_loader},
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
    if (s->self->cfg.timing == TIMING_SCALESIM) {
        sk_spawn("scalesim", scalesim_process, s, NULL, 0);
        return s;
    }
    s->waits = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(struct wait_span)),
                         (GDestroyNotify)g_array_unref);
    s->step_spans = ARENA_ARRAY(arena, struct step_span, (size_t)p->n_step * N_UNIT);
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
        if (u != UNIT_INPUTS || s->self->cfg.dataflow == FLOW_IS)
            build_unit(s, (enum unit)u, arena);
    if (s->self->cfg.dataflow == FLOW_WS)
        sk_spawn("weight_loader", weight_loader, s, describe_loader, 0);
    sk_spawn("controller", controller, s, NULL, 0);
    sk_trace("weight_fifo.level", &s->fifo_level, 11);
    sk_trace("shift.begun", &s->n_shift, 32);
    return s;
}
