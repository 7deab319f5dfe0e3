/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: a controller that issues in program order, and a process a unit that executes its
 * queue, asks the core for times and waits. Values are computed when an instruction ends. */
#include <string.h>

#include "arch/systolic/systolic_sim.h"
#include "mapper/lookup.h"

static void pass_span(struct sim *s, enum unit unit, const struct insn *in, uint64_t start_cyc,
                      uint64_t end_cyc)
{
    struct pass_span *p = &s->passes[s->plan->steps[in->step].pass];
    if (unit == UNIT_MATRIX || unit == UNIT_ACTIVATION || in->op == INSN_READ_ROWS)
        p->compute_cyc = MIN(p->compute_cyc, start_cyc);
    if (!p->started || start_cyc < p->start_cyc)
        p->start_cyc = start_cyc;
    p->started = true;
    p->end_cyc = MAX(p->end_cyc, end_cyc);
    power_note(s, unit, in->step, start_cyc, end_cyc);
}

static void wait_until(uint64_t cyc)
{
    if (cyc > sk_now())
        sk_wait_cycles(cyc - sk_now());
}

static void execute(struct sim *s, const struct insn *in)
{
    if (s->state && !state_execute(s->state, in, &s->error))
        sk_stop();
}

static struct unit_state *unit_of(struct sim *s, enum unit unit, int array)
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
        issue(unit_of(s, g_array_index(s->program->insns, struct insn, i).unit, 0), i);
}

/* With several arrays each has a controller, which issues what is for its units, */
static void array_controller(void *arg)
{
    struct array_sim *a = arg;
    struct sim *s = a->sim;
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        if (in->unit != UNIT_HOST && in->arrays >> a->index & 1)
            issue(&a->units[in->unit], i);
    }
}

/* and one more issues what is for the host. */
static void host_controller(void *arg)
{
    struct sim *s = arg;
    for (guint i = 0; i < s->program->insns->len; i++)
        if (g_array_index(s->program->insns, struct insn, i).unit == UNIT_HOST)
            issue(&s->host, i);
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
        met_cyc = wait_for_count(unit_of(s, in->on, in->on_array), in->count);
    for (int i = 0; i < n && in->on_array == ALL_ARRAYS; i++) {
        const uint64_t count = s->program->done[in->count * (uint64_t)n + (uint64_t)i];
        met_cyc = MAX(met_cyc, wait_for_count(unit_of(s, in->on, i), count));
    }
    if (u->unit == UNIT_MATRIX) {
        uint64_t *last_cyc = &u->array->met_cyc[in->on == UNIT_HOST ? CAUSE_INPUT : CAUSE_RAW];
        *last_cyc = MAX(*last_cyc, met_cyc);
    }
}

/* What a product was not ready for, from the end of the one before it on: whether its Sync waits
 * were at the array by then, or still behind others at a controller, makes no difference. */
static void note_waits(struct array_sim *a)
{
    for (int cause = 0; cause < N_CAUSE; cause++) {
        const struct wait_span span = {a->idle_cyc, a->met_cyc[cause], cause};
        if (span.end_cyc > span.start_cyc)
            g_array_append_val(a->waits, span);
        a->met_cyc[cause] = 0;
    }
}

/* Units of several arrays meet at an instruction: whether this one is the last to come. */
static bool is_last_here(struct sim *s, const struct insn *in, struct meeting **meeting)
{
    *meeting = s->meetings + (in - &g_array_index(s->program->insns, struct insn, 0));
    if (++(*meeting)->n_here < insn_n_array(in))
        return false;
    (*meeting)->n_here = 0;
    (*meeting)->n_met++;
    for (int i = 0; i < (int)s->self->cfg.n_array; i++)
        if (in->arrays >> i & 1)
            sk_notify(s->arrays[i].met);
    return true;
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

/* The link carries nothing meanwhile: what comes behind a layer on the host waits for it. */
static void host_compute_wait(struct sim *s, const struct insn *in)
{
    const uint64_t start = sk_now();
    sk_wait_cycles(core_host_cyc(s->self, s->plan, &s->plan->layers[in->layer]));
    pass_span(s, UNIT_HOST, in, start, sk_now());
}

/* The DMA engine sends an address a cycle; what it reads crosses no link. */
static void read_rows(struct sim *s, const struct insn *in)
{
    const struct plan_layer *l = &s->plan->layers[in->layer];
    const int64_t first = s->plan->steps[in->step].region.image;
    const uint64_t start = sk_now();
    uint64_t ready_cyc = start;
    for (int64_t i = first; i < first + (int64_t)in->count; i++) {
        const struct dram_request row = {.bytes = (uint64_t)lookup_row_bytes(s->plan, l),
                                         .address = lookup_address(s->plan, l, i)};
        const uint64_t arrival_cyc = dram_access(&s->core.weights, &row, sk_now());
        ready_cyc = MAX(ready_cyc, arrival_cyc);
        sk_wait_cycles(1);
    }
    wait_until(ready_cyc);
    pass_span(s, UNIT_HOST, in, start, sk_now());
}

static void host_dma(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        if (in->op == INSN_HOST_OPERATOR)
            host_compute_wait(s, in);
        else if (in->op == INSN_READ_ROWS)
            read_rows(s, in);
        else
            occupy(u, in, dma_copy(&s->core.dma, in->count, sk_now()));
        execute(s, in);
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Tiles of another layer's values take turns on the array's path from the buffer. */
static uint64_t request_values(struct array_sim *a, const struct stream *t)
{
    struct sim *s = a->sim;
    const uint64_t cycles = core_buffer_tile_cyc(s->self, flow_tile_bytes(s->self, s->plan, t));
    const uint64_t start = MAX(sk_now(), a->path_free_cyc);
    a->path_free_cyc = core_buffer_ready(&s->core, s->self, cycles, start);
    return a->path_free_cyc;
}

/* When a tile that is requested now arrives. One for several arrays is requested when all of them
 * have a slot for it. */
static uint64_t request_tile(struct array_sim *a, const struct insn *in, const struct stream *t)
{
    struct sim *s = a->sim;
    if (s->plan->layers[in->layer].from_buffer)
        return request_values(a, t);
    const struct dram_request request = {.bytes = flow_tile_bytes(s->self, s->plan, t),
                                         .address = t->tile};
    if (insn_n_array(in) == 1)
        return dram_access(&s->core.weights, &request, sk_now());
    struct meeting *meeting;
    if (is_last_here(s, in, &meeting)) {
        meeting->arrival_cyc = dram_access(&s->core.weights, &request, sk_now());
        return meeting->arrival_cyc;
    }
    for (const uint32_t n_met = meeting->n_met; meeting->n_met == n_met;)
        sk_wait(a->met);
    return meeting->arrival_cyc;
}

/* Read_Weights is complete when its address is sent: the FIFO slot is taken, the tile on its way.
 */
static void weight_memory(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    const uint64_t depth = (uint64_t)s->self->cfg.fifo_tiles;
    for (const struct insn *in; (in = next_insn(u));) {
        const struct plan_layer *l = &s->plan->layers[in->layer];
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = flow_stream(s->self, s->plan, in, i);
            while (a->fifo_level == depth)
                sk_wait(a->fifo_freed);
            const uint64_t arrival_cyc = request_tile(a, in, &t);
            a->fifo[(a->fifo_head + a->fifo_level) % depth] = (struct fifo_slot){
                t.tile, in->layer, core_shift_cyc(s->self, s->plan, l, t.rows), arrival_cyc};
            a->fifo_level++;
            sk_notify(a->fifo_filled);
            if (s->self->cfg.n_array > 1)
                sk_wait_cycles(1); /* an address a cycle: arrays take turns */
        }
        if (insn_array(in) == a->index)
            count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void free_slot(struct array_sim *a)
{
    a->fifo_head = (a->fifo_head + 1) % (uint64_t)a->sim->self->cfg.fifo_tiles;
    a->fifo_level--;
    sk_notify(a->fifo_freed);
}

/* Shadow registers, once free, take a tile from start_cyc on, a row a cycle. */
static void wait_shadow_free(struct array_sim *a)
{
    while (!a->shadow_free)
        sk_wait(a->shadow_freed);
    a->shadow_free = false;
}

static void shift_in(struct array_sim *a, uint64_t start_cyc, uint64_t cycles)
{
    a->shift_start_cyc = start_cyc;
    if (start_cyc > sk_now())
        sk_wait_cycles(start_cyc - sk_now());
    a->n_shift++;
    sk_wait_cycles(cycles);
}

static void fill_shadow(struct array_sim *a)
{
    a->shadow_full = true;
    sk_notify(a->shadow_filled);
}

static void weight_loader(void *arg)
{
    struct array_sim *a = arg;
    struct sim *s = a->sim;
    for (uint64_t i = 0; i < a->n_tile; i++) {
        while (a->fifo_level == 0)
            sk_wait(a->fifo_filled);
        const struct fifo_slot slot = a->fifo[a->fifo_head];
        wait_shadow_free(a);
        shift_in(a, core_shift_start(slot.arrival_cyc, sk_now()), slot.shift_cyc);
        if (s->state)
            state_shift_in(s->state, a->index, slot.tile, &s->plan->layers[slot.layer]);
        free_slot(a);
        fill_shadow(a);
    }
}

/* Tiles of inputs on their way into the array, where they stay. */
static void input_loader(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        const struct plan_layer *l = &s->plan->layers[in->layer];
        const uint32_t n_tile = (uint32_t)flow_tiles_n(s->self, in);
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = flow_stream(s->self, s->plan, in, i * n_tile);
            wait_shadow_free(a);
            const uint64_t cycles = core_shift_cyc(s->self, s->plan, l, t.rows);
            const uint64_t end = core_buffer_ready(&s->core, s->self, cycles, sk_now());
            shift_in(a, end - cycles, cycles);
            if (s->state)
                state_shift_inputs(s->state, &t.in, t.i_k);
            pass_span(s, UNIT_INPUTS, in, a->shift_start_cyc, sk_now());
            fill_shadow(a);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Waits for the tile that is to stay. Whatever of the wait came before its shift is weight stall,
 * the rest weight shift; inputs are shifted when they are there, so that nothing comes before it.
 */
static void take_tile(struct array_sim *a, const struct insn *in)
{
    struct sim *s = a->sim;
    struct record_layer *l = &s->layers[in->layer];
    const uint64_t start = sk_now();
    while (!a->shadow_full)
        sk_wait(a->shadow_filled);
    if (sk_now() > start) {
        const uint64_t shift = CLAMP(a->shift_start_cyc, start, sk_now());
        if (s->self->cfg.dataflow == FLOW_WS)
            l->stall_cyc[CAUSE_WEIGHT_STALL] += shift - start;
        l->stall_cyc[CAUSE_WEIGHT_SHIFT] += sk_now() - shift;
        pass_span(s, UNIT_MATRIX, in, start, sk_now());
    }
    a->shadow_full = false;
}

/* Waits for the weights at the FIFO's head, which stream from there. */
static void take_weights(struct array_sim *a, const struct insn *in)
{
    struct sim *s = a->sim;
    const uint64_t start = sk_now();
    while (a->fifo_level == 0)
        sk_wait(a->fifo_filled);
    const struct fifo_slot slot = a->fifo[a->fifo_head];
    if (slot.arrival_cyc > sk_now())
        sk_wait_cycles(slot.arrival_cyc - sk_now());
    s->layers[in->layer].stall_cyc[CAUSE_WEIGHT_STALL] += sk_now() - start;
    if (sk_now() > start)
        pass_span(s, UNIT_MATRIX, in, start, sk_now());
    if (!s->state)
        return;
    state_shift_in(s->state, a->index, slot.tile, &s->plan->layers[slot.layer]);
    state_swap(s->state, a->index);
}

static void free_shadow(struct array_sim *a)
{
    a->shadow_free = true;
    sk_notify(a->shadow_freed);
}

/* One stream of a matrix instruction. What stays is taken over as its first row enters. */
static void run_stream(struct unit_state *u, const struct insn *in, uint32_t i)
{
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    const struct systolic *self = s->self;
    const struct stream t = flow_stream(self, s->plan, in, i);
    const bool one_tile = flow_one_tile(self, s->plan, in);
    const bool stays = self->cfg.dataflow != FLOW_OS, streams = self->cfg.dataflow != FLOW_WS;
    const bool takes = stays && t.begins && !in->reuse;
    wait_until(core_stream_start(self, &a->before, &t));
    if (takes)
        take_tile(a, in);
    if (streams && (one_tile ? i == 0 && !in->reuse_weights : true))
        take_weights(a, in);
    if (takes && s->state)
        (streams ? state_swap_inputs : state_swap)(s->state, a->index);
    if (takes && self->cfg.double_buffer)
        free_shadow(a);
    /* Of `is` the inputs are in the array already. */
    occupy(u, in,
           self->cfg.dataflow == FLOW_IS
               ? sk_now() + t.stream_cyc
               : core_buffer_ready(&s->core, self, t.stream_cyc, sk_now()));
    if (s->state)
        state_multiply(s->state, &t.in, t.i_k);
    if (streams && (one_tile ? i == in->repeat - 1 && !in->keep_weights : true))
        free_slot(a);
    if (stays && t.ends && !in->keep && !self->cfg.double_buffer)
        free_shadow(a);
    if (stays || t.ends)
        a->before = (struct in_array){true, sk_now(), t.rows};
    u->sums_cyc = sk_now() + flow_latency_cyc(self, t.rows, t.cols);
}

static void matrix_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = next_insn(u));) {
        note_waits(u->array);
        for (uint32_t i = 0; i < in->repeat; i++)
            run_stream(u, in, i);
        u->array->idle_cyc = sk_now();
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
                                    : core_share_cyc(s->self, in->count);
        occupy(u, in, sk_now() + cycles);
        struct meeting *meeting;
        if (insn_n_array(in) > 1 && !is_last_here(s, in, &meeting))
            continue; /* values of a pass are made when the last share of it is done */
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
    const struct array_sim *a = arg;
    g_string_append_printf(out, "%" G_GUINT64_FORMAT " tiles in the weight FIFO", a->fifo_level);
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

/* "NAME", or with several arrays "NAME3". */
static const char *name_of(const struct array_sim *a, const char *name)
{
    const struct plan *p = a->sim->plan;
    return a->sim->self->cfg.n_array > 1 ? arena_printf(p->arena, "%s%d", name, a->index) : name;
}

static struct sk_event *event_of(struct arena *a, const char *owner, const char *what)
{
    return sk_event_new(arena_printf(a, "%s.%s", owner, what));
}

static void build_unit(struct sim *s, struct array_sim *a, enum unit unit)
{
    struct arena *arena = s->plan->arena;
    struct unit_state *u = a ? &a->units[unit] : &s->host;
    const char *name = unit_processes[unit].name;
    if (a)
        name = name_of(a, name);
    u->sim = s;
    u->array = a;
    u->unit = unit;
    u->queue = ARENA_ARRAY(arena, uint32_t, (size_t)s->self->cfg.queue_depth);
    u->filled = event_of(arena, name, "queue_filled");
    u->freed = event_of(arena, name, "queue_freed");
    u->set = event_of(arena, name, "sync_set");
    u->set_cyc = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(uint64_t)),
                           (GDestroyNotify)g_array_unref);
    sk_spawn(name, unit_processes[unit].run, u, describe_unit, 0);
    sk_trace(arena_printf(arena, "%s.busy", name), &u->busy, 1);
    sk_trace(arena_printf(arena, "%s.layer", name), &u->layer, 16);
    sk_trace(arena_printf(arena, "%s.begun", name), &u->n_begun, 32);
}

static void build_array(struct sim *s, int i)
{
    struct arena *arena = s->plan->arena;
    struct array_sim *a = &s->arrays[i];
    a->waits = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(struct wait_span)),
                         (GDestroyNotify)g_array_unref);
    a->fifo = ARENA_ARRAY(arena, struct fifo_slot, (size_t)s->self->cfg.fifo_tiles);
    a->fifo_filled = event_of(arena, name_of(a, "weight_fifo"), "filled");
    a->fifo_freed = event_of(arena, name_of(a, "weight_fifo"), "freed");
    a->shadow_filled = event_of(arena, name_of(a, "shadow"), "filled");
    a->shadow_freed = event_of(arena, name_of(a, "shadow"), "freed");
    a->shadow_free = true;
    if (s->self->cfg.n_array > 1)
        a->met = event_of(arena, name_of(a, "array"), "met");
    for (int u = UNIT_HOST + 1; u < N_UNIT; u++)
        if (u != UNIT_INPUTS || s->self->cfg.dataflow == FLOW_IS)
            build_unit(s, a, (enum unit)u);
    if (s->self->cfg.dataflow == FLOW_WS)
        sk_spawn(name_of(a, "weight_loader"), weight_loader, a, describe_loader, 0);
    sk_trace(arena_printf(arena, "%s.level", name_of(a, "weight_fifo")), &a->fifo_level, 11);
    sk_trace(arena_printf(arena, "%s.begun", name_of(a, "shift")), &a->n_shift, 32);
}

/* What each unit will take from its queue, and each loader from its FIFO. */
static void count_program(struct sim *s)
{
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        for (uint64_t left = in->arrays; left; left &= left - 1) {
            const int array = __builtin_ctzll(left);
            unit_of(s, in->unit, array)->n_left++;
            s->arrays[array].n_tile += in->op == INSN_READ_WEIGHTS ? in->repeat : 0;
        }
    }
}

static void build_controllers(struct sim *s)
{
    const int n = (int)s->self->cfg.n_array;
    if (n == 1) {
        sk_spawn("controller", controller, s, NULL, 0);
        return;
    }
    sk_spawn("host_controller", host_controller, s, NULL, 0);
    for (int i = 0; i < n; i++)
        sk_spawn(name_of(&s->arrays[i], "controller"), array_controller, &s->arrays[i], NULL, 0);
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
    s->step_spans = ARENA_ARRAY(arena, struct step_span, (size_t)p->n_step * N_UNIT);
    s->passes = ARENA_ARRAY(arena, struct pass_span, (size_t)p->n_pass);
    for (int i = 0; i < p->n_pass; i++)
        s->passes[i].compute_cyc = UINT64_MAX;
    const int n = (int)s->self->cfg.n_array;
    s->arrays = ARENA_ARRAY(arena, struct array_sim, (size_t)n);
    if (n > 1)
        s->meetings = ARENA_ARRAY(arena, struct meeting, s->program->insns->len);
    build_unit(s, NULL, UNIT_HOST);
    for (int i = 0; i < n; i++) {
        s->arrays[i].sim = s;
        s->arrays[i].index = i;
        build_array(s, i);
    }
    count_program(s);
    build_controllers(s);
    return s;
}
