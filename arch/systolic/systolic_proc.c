/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: a unit each, which executes its queue, asks the core for times and waits. Values are
 * computed when an instruction ends. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_sim.h"
#include "mapper/lookup.h"

void sim_span(struct sim *s, enum unit unit, const struct insn *in, uint64_t start_cyc,
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

static void execute(struct sim *s, const struct insn *in)
{
    if (s->state && !state_execute(s->state, in, &s->error))
        sk_stop();
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

bool sim_meet(struct sim *s, const struct insn *in, struct meeting **meeting)
{
    *meeting = &s->meetings[in->meeting];
    if (++(*meeting)->n_here < insn_n_array(in))
        return false;
    (*meeting)->n_here = 0;
    (*meeting)->n_met++;
    for (int i = 0; i < (int)s->self->cfg.n_array; i++)
        if (in->arrays >> i & 1)
            sk_notify(s->arrays[i].met);
    return true;
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
    sim_span(u->sim, u->unit, in, start, sk_now());
}

/* The link carries nothing meanwhile: what comes behind a layer on the host waits for it. */
static void host_compute_wait(struct sim *s, const struct insn *in)
{
    const uint64_t start = sk_now();
    sk_wait_cycles(core_host_cyc(s->self, s->plan, &s->plan->layers[in->layer]));
    sim_span(s, UNIT_HOST, in, start, sk_now());
}

/* The DMA engine sends an address a cycle. */
static void read_rows(struct sim *s, const struct insn *in)
{
    const struct plan_layer *l = &s->plan->layers[in->layer];
    const int64_t first = s->plan->steps[in->step].region.image;
    const uint64_t start = sk_now();
    uint64_t ready_cyc = start;
    sk_wait_cycles(s->core.dma.setup_cyc);
    for (int64_t i = first; i < first + (int64_t)in->count; i++) {
        const struct dram_request row = {.bytes = (uint64_t)lookup_row_bytes(s->plan, l),
                                         .address = lookup_address(s->plan, l, i)};
        const uint64_t arrival_cyc = core_read_weights(&s->core, l, &row, sk_now());
        ready_cyc = MAX(ready_cyc, arrival_cyc);
        sk_wait_cycles(1);
    }
    sim_wait_until(ready_cyc);
    sim_span(s, UNIT_HOST, in, start, sk_now());
}

static void host_dma(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = queue_next(u));) {
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
    sim_wait_until(core_stream_start(self, &a->before, t.rows, t.stream_cyc, t.begins, t.ends));
    if (takes)
        feed_take_tile(a, in);
    if (streams && (one_tile ? i == 0 && !in->reuse_weights : true))
        feed_take_weights(a, in);
    if (takes && s->state)
        (streams ? state_swap_inputs : state_swap)(s->state, a->index);
    if (takes && self->cfg.double_buffer)
        feed_free_shadow(a);
    /* Of `is` the inputs are in the array already. */
    occupy(u, in,
           self->cfg.dataflow == FLOW_IS
               ? sk_now() + t.stream_cyc
               : core_buffer_ready(&s->core, self, t.stream_cyc, sk_now()));
    if (s->state)
        state_multiply(s->state, &t.in, t.i_k);
    if (streams && (one_tile ? i == in->repeat - 1 && !in->keep_weights : true))
        feed_free_slot(a);
    if (stays && t.ends && !in->keep && !self->cfg.double_buffer)
        feed_free_shadow(a);
    if (stays || t.ends)
        a->before = (struct in_array){true, sk_now(), t.rows};
    u->sums_cyc = sk_now() + flow_latency_cyc(self, t.rows, t.cols);
}

static void matrix_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = queue_next(u));) {
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
    for (const struct insn *in; (in = queue_next(u));) {
        const uint64_t cycles = in->op == INSN_ACTIVATE
                                    ? core_activate_cyc(s->self, flow_entries(s->self, in))
                                    : core_share_cyc(s->self, in->count);
        occupy(u, in, sk_now() + cycles);
        struct meeting *meeting;
        if (insn_n_array(in) > 1 && !sim_meet(s, in, &meeting))
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
    [UNIT_WEIGHTS] = {"weight_memory", feed_weight_memory},
    [UNIT_MATRIX] = {"matrix_unit", matrix_unit},
    [UNIT_ACTIVATION] = {"activation_unit", activation_unit},
    [UNIT_INPUTS] = {"input_loader", feed_input_loader},
};

void sim_wait_until(uint64_t cyc)
{
    if (cyc > sk_now())
        sk_wait_cycles(cyc - sk_now());
}

const char *sim_name(const struct array_sim *a, const char *name)
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
        name = sim_name(a, name);
    u->sim = s;
    u->array = a;
    u->unit = unit;
    u->queue = ARENA_ARRAY(arena, struct queued, (size_t)s->self->cfg.queue_depth);
    u->filled = event_of(arena, name, "queue_filled");
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
    a->fifo_filled = event_of(arena, sim_name(a, "weight_fifo"), "filled");
    a->fifo_freed = event_of(arena, sim_name(a, "weight_fifo"), "freed");
    a->shadow_filled = event_of(arena, sim_name(a, "shadow"), "filled");
    a->shadow_freed = event_of(arena, sim_name(a, "shadow"), "freed");
    a->shadow_free = true;
    if (s->self->cfg.n_array > 1)
        a->met = event_of(arena, sim_name(a, "array"), "met");
    for (int u = UNIT_HOST + 1; u < N_UNIT; u++)
        if (u != UNIT_INPUTS || s->self->cfg.dataflow == FLOW_IS)
            build_unit(s, a, (enum unit)u);
    if (s->self->cfg.dataflow == FLOW_WS)
        sk_spawn(sim_name(a, "weight_loader"), feed_weight_loader, a, describe_loader, 0);
    sk_trace(arena_printf(arena, "%s.level", sim_name(a, "weight_fifo")), &a->fifo_level, 11);
    sk_trace(arena_printf(arena, "%s.begun", sim_name(a, "shift")), &a->n_shift, 32);
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
        s->meetings = ARENA_ARRAY(arena, struct meeting, MAX(s->program->n_meeting, 1));
    build_unit(s, NULL, UNIT_HOST);
    for (int i = 0; i < n; i++) {
        s->arrays[i].sim = s;
        s->arrays[i].index = i;
        build_array(s, i);
    }
    queue_build(s);
    return s;
}
