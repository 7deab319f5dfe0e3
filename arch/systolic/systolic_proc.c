/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: a unit each, which executes its queue, asks the core for times and waits. Values are
 * computed when an instruction ends. */
#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_func.h"
#include "arch/systolic/systolic_sim.h"
#include "arch/systolic/systolic_stream.h"
#include "mapper/values/lookup.h"

static void sim_wait_until(uint64_t cyc)
{
    if (cyc > sk_now())
        sk_wait_cycles(cyc - sk_now());
}

/* a NULL: no array's */
static const char *sim_name(const struct sim *s, const struct array_sim *a, const char *name)
{
    return a && s->self->cfg.n_array > 1
               ? arena_printf(s->arena, "%s%s%d", s->prefix, name, a->index)
               : arena_printf(s->arena, "%s%s", s->prefix, name);
}

/* For power over time. */
static void note_step(struct sim *s, enum unit unit, int step, uint64_t start_cyc, uint64_t end_cyc)
{
    struct step_span *span = &s->step_spans[(size_t)step * N_UNIT + unit];
    if (span->end_cyc == 0 || start_cyc < span->start_cyc)
        span->start_cyc = start_cyc;
    span->end_cyc = MAX(span->end_cyc, end_cyc);
}

static void sim_span(struct sim *s, enum unit unit, const struct insn *in, uint64_t start_cyc,
                     uint64_t end_cyc)
{
    const bool computes =
        unit == UNIT_MATRIX || unit == UNIT_ACTIVATION || in->op == INSN_READ_ROWS;
    shares_note(s->shares, s->plan->steps[in->step].turn, start_cyc, end_cyc, computes);
    note_step(s, unit, in->step, start_cyc, end_cyc);
}

static bool sim_meet(struct sim *s, const struct insn *in, struct meeting **meeting)
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

/* Controllers, which issue in program order, the queues of the units, and Sync between them. */

static struct unit_state *queue_unit(struct sim *s, enum unit unit, int array)
{
    return unit == UNIT_HOST ? &s->host : &s->arrays[array].units[unit];
}

/* A controller issues an instruction a cycle, in order, and waits where the queue of its unit is
 * full. When it issues follows from when units take: so it is no process, but goes on, as far as it
 * can, whenever one of its units has taken an instruction. What it issues later than now is queued
 * with its cycle; until that cycle no room is wanted for what comes behind it. */
static void controller_go_on(struct controller *c, struct sim *s)
{
    const uint32_t depth = (uint32_t)s->self->cfg.queue_depth;
    while (c->n_left > 0) {
        const enum unit unit = systolic_program_unit(s->program, c->next);
        struct unit_state *u = queue_unit(s, unit, c->array);
        if (u->n_queued == depth)
            return;
        const uint64_t issue_cyc = MAX(c->free_cyc, sk_now());
        u->queue[(u->head + u->n_queued++) % depth] = (struct queued){c->next, issue_cyc};
        c->free_cyc = issue_cyc + 1;
        if (--c->n_left > 0)
            c->next += systolic_varints_next(&c->list, &c->n_read);
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
    size_t place = q.place;
    systolic_program_next(s->program, &place, ALL_OPS, &u->now);
    u->has_begun = true;
    u->layer = (uint64_t)u->now.layer;
    return &u->now;
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

static const struct insn *queue_next(struct unit_state *u)
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
    const struct program *p = s->program;
    for (size_t at = 0; at < p->code.n_byte; at += systolic_program_bytes(p, at)) {
        const enum unit unit = systolic_program_unit(p, at);
        for (uint64_t left = systolic_program_arrays(p, at); left; left &= left - 1) {
            const int array = __builtin_ctzll(left);
            struct controller *c = controller_of(s, unit, array);
            if (c->n_left++ == 0)
                c->next = at;
            else
                systolic_varints_append(&c->list, at - c->last);
            c->last = at;
            queue_unit(s, unit, array)->n_left++;
        }
    }
    struct insn read;
    for (size_t at = 0; systolic_program_next(p, &at, 1 << INSN_READ_WEIGHTS, &read);)
        for (uint64_t left = read.arrays; left; left &= left - 1)
            s->arrays[__builtin_ctzll(left)].n_tile += read.repeat;
}

static void queue_build(struct sim *s)
{
    const int n = (int)s->self->cfg.n_array;
    s->controllers = ARENA_ARRAY(s->arena, struct controller, (size_t)n + 1);
    for (int i = 0; i < n; i++) {
        s->controllers[i].array = i;
        for (int unit = UNIT_HOST + 1; unit < N_UNIT; unit++)
            s->arrays[i].units[unit].controller = controller_of(s, (enum unit)unit, i);
    }
    s->host.controller = controller_of(s, UNIT_HOST, 0);
    deal_program(s);
    for (int i = 0; i <= n; i++)
        arena_own(s->arena, s->controllers[i].list.bytes, g_free);
}

/* What feeds an array: weight memory, FIFO and the shadow registers that a tile is shifted into. */

/* Tiles of another layer's values take turns on the array's path from the buffer. */
static struct coming request_values(struct array_sim *a, const struct stream *t)
{
    struct sim *s = a->sim;
    const uint64_t cycles =
        systolic_buffer_tile_cyc(s->self, &s->plan->layers[t->in.layer], t->bytes);
    const uint64_t start = MAX(sk_now(), a->path_free_cyc);
    a->path_free_cyc = systolic_buffer_ready(&s->core, s->self, cycles, start);
    return (struct coming){.arrival_cyc = a->path_free_cyc};
}

static struct coming request_weights(struct sim *s, const struct stream *t)
{
    struct arbiter *ports = systolic_weight_ports(&s->core, &s->plan->layers[t->in.layer]);
    const struct dram_request request = {.bytes = t->bytes, .address = t->tile};
    return (struct coming){.ports = ports, .number = arbiter_ask(ports, &request, sk_now())};
}

/* A tile is requested. One for several arrays is requested when all of them have a slot for it. */
static struct coming request_tile(struct array_sim *a, const struct insn *in,
                                  const struct stream *t)
{
    struct sim *s = a->sim;
    if (systolic_from_buffer(&s->plan->layers[in->layer]))
        return request_values(a, t);
    if (insn_n_array(in) == 1)
        return request_weights(s, t);
    struct meeting *meeting;
    if (sim_meet(s, in, &meeting)) {
        meeting->coming = request_weights(s, t);
        return meeting->coming;
    }
    for (const uint32_t n_met = meeting->n_met; meeting->n_met == n_met;)
        sk_wait(a->met);
    return meeting->coming;
}

/* When a tile that was requested arrives: waits until that is known. */
static uint64_t arrival_of(const struct coming *c)
{
    uint64_t at_cyc = c->arrival_cyc;
    while (c->ports && !arbiter_arrival(c->ports, c->number, sk_now(), &at_cyc))
        sim_wait_until(at_cyc);
    return at_cyc;
}

/* Read_Weights is complete when its address is sent: the FIFO slot is taken, the tile on its way.
 */
static void feed_weight_memory(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    const uint64_t depth = (uint64_t)s->self->cfg.fifo_tiles;
    const uint64_t pace_cyc = s->self->cfg.n_array > 1; /* an address a cycle: arrays take turns */
    uint64_t next_cyc = 0;
    for (const struct insn *in; (in = queue_next(u));) {
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = systolic_stream(s->self, s->plan, in, i);
            while (a->fifo_level == depth)
                sk_wait(a->fifo_freed);
            sim_wait_until(next_cyc);
            const struct coming coming = request_tile(a, in, &t);
            a->fifo[(a->fifo_head + a->fifo_level) % depth] =
                (struct fifo_slot){t.tile, in->layer, t.pass.shift_cyc, coming};
            a->fifo_level++;
            sk_notify(a->fifo_filled);
            next_cyc = sk_now() + pace_cyc;
        }
        sim_wait_until(next_cyc);
        if (insn_array(in) == a->index)
            systolic_count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void feed_free_slot(struct array_sim *a)
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

static void feed_weight_loader(void *arg)
{
    struct array_sim *a = arg;
    struct sim *s = a->sim;
    for (uint64_t i = 0; i < a->n_tile; i++) {
        while (a->fifo_level == 0)
            sk_wait(a->fifo_filled);
        const struct fifo_slot slot = a->fifo[a->fifo_head];
        wait_shadow_free(a);
        shift_in(a, systolic_shift_start(arrival_of(&slot.coming), sk_now()), slot.shift_cyc);
        if (s->state)
            systolic_state_shift_in(s->state, a->index, slot.tile, &s->plan->layers[slot.layer]);
        feed_free_slot(a);
        fill_shadow(a);
    }
}

/* Tiles of inputs on their way into the array, where they stay. */
static void feed_input_loader(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = queue_next(u));) {
        const struct block b = systolic_block(s->self, s->plan, in);
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = systolic_stream(s->self, s->plan, in, i * (uint32_t)b.n_tile);
            wait_shadow_free(a);
            const uint64_t cycles = t.pass.shift_cyc;
            const uint64_t end = systolic_buffer_ready(&s->core, s->self, cycles, sk_now());
            shift_in(a, end - cycles, cycles);
            if (s->state)
                systolic_state_shift_inputs(s->state, &t.in, (uint32_t)t.pass.i_k);
            sim_span(s, UNIT_INPUTS, in, a->shift_start_cyc, sk_now());
            fill_shadow(a);
        }
        systolic_count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Waits for the tile that is to stay. Whatever of the wait came before its shift is weight stall,
 * the rest weight shift; inputs are shifted when they are there, so that nothing comes before it.
 */
static void feed_take_tile(struct array_sim *a, const struct insn *in)
{
    struct sim *s = a->sim;
    struct tally *l = &s->layers[in->layer];
    const uint64_t start = sk_now();
    while (!a->shadow_full)
        sk_wait(a->shadow_filled);
    if (sk_now() > start) {
        const uint64_t shift = CLAMP(a->shift_start_cyc, start, sk_now());
        if (s->self->cfg.dataflow == FLOW_WS)
            l->stall_cyc[CAUSE_WEIGHT_STALL] += shift - start;
        l->stall_cyc[CAUSE_WEIGHT_SHIFT] += sk_now() - shift;
        sim_span(s, UNIT_MATRIX, in, start, sk_now());
    }
    a->shadow_full = false;
}

/* Waits for the weights at the FIFO's head, which stream from there. */
static void feed_take_weights(struct array_sim *a, const struct insn *in)
{
    struct sim *s = a->sim;
    const uint64_t start = sk_now();
    while (a->fifo_level == 0)
        sk_wait(a->fifo_filled);
    const struct fifo_slot slot = a->fifo[a->fifo_head];
    sim_wait_until(arrival_of(&slot.coming));
    s->layers[in->layer].stall_cyc[CAUSE_WEIGHT_STALL] += sk_now() - start;
    if (sk_now() > start)
        sim_span(s, UNIT_MATRIX, in, start, sk_now());
    if (!s->state)
        return;
    systolic_state_shift_in(s->state, a->index, slot.tile, &s->plan->layers[slot.layer]);
    systolic_state_swap(s->state, a->index);
}

static void feed_free_shadow(struct array_sim *a)
{
    a->shadow_free = true;
    sk_notify(a->shadow_freed);
}

/* Processes: a unit each, which executes its queue, asks the core for times and waits. Values are
 * computed when an instruction ends. */

static void execute(struct sim *s, const struct insn *in)
{
    if (s->state && !systolic_func_execute(s->state, in, &s->error))
        sk_stop();
}

/* What a product was not ready for, from the end of the one before it on: whether its Sync waits
 * were at the array by then, or still behind others at a controller, makes no difference. */
static void note_waits(struct array_sim *a)
{
    for (int cause = 0; cause < N_CAUSE; cause++) {
        const struct shares_wait span = {a->idle_cyc, a->met_cyc[cause], cause};
        if (span.end_cyc > span.start_cyc)
            g_array_append_val(a->waits, span);
        a->met_cyc[cause] = 0;
    }
}

static void unit_begin(struct unit_state *u)
{
    u->busy = 1;
    u->n_begun++;
}

static void unit_end(struct unit_state *u, const struct insn *in, uint64_t start_cyc)
{
    u->busy = 0;
    u->busy_cyc += sk_now() - start_cyc;
    sim_span(u->sim, u->unit, in, start_cyc, sk_now());
}

/* Occupies the unit from now until ready_cyc, then computes. */
static void occupy(struct unit_state *u, const struct insn *in, uint64_t ready_cyc)
{
    const uint64_t start = sk_now();
    unit_begin(u);
    sk_wait_cycles(ready_cyc - start);
    unit_end(u, in, start);
}

/* The link carries nothing meanwhile: what comes behind a layer on the host waits for it. */
static void host_compute_wait(struct sim *s, const struct insn *in)
{
    const uint64_t start = sk_now();
    sk_wait_cycles(systolic_host_cyc(s->self, s->plan, &s->plan->layers[in->layer]));
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
        const uint64_t arrival_cyc = systolic_read_row(&s->core, l, &row, sk_now());
        ready_cyc = MAX(ready_cyc, arrival_cyc);
        sk_wait_cycles(1);
    }
    sim_wait_until(ready_cyc);
    sim_span(s, UNIT_HOST, in, start, sk_now());
}

/* A block moves in bursts, which others may delay meanwhile. */
static void move_block(struct unit_state *u, const struct insn *in, struct arbiter *to,
                       const struct dram_request *block)
{
    struct dma *d = &u->sim->core.dma;
    const uint64_t start = sk_now();
    unit_begin(u);
    dma_begin(d, to, block, start);
    for (bool has_arrived = false; !has_arrived;) {
        uint64_t at_cyc;
        has_arrived = dma_arrival(d, sk_now(), &at_cyc);
        sim_wait_until(at_cyc);
    }
    unit_end(u, in, start);
}

static void transfer(struct unit_state *u, const struct insn *in)
{
    struct sim *s = u->sim;
    const int value = s->plan->steps[in->step].value;
    const struct dram_request block = {
        .bytes = in->count, .is_write = in->op == INSN_WRITE_HOST, .address = (uint64_t)in->first};
    move_block(u, in, systolic_transfer_ports(&s->core, s->self, s->plan, value), &block);
}

/* Weights that are to stay. */
static void read_parameters(struct unit_state *u, const struct insn *in)
{
    struct sim *s = u->sim;
    const struct plan_layer *l = &s->plan->layers[in->layer];
    const struct dram_request block = {.bytes = in->count, .address = l->weight_address};
    move_block(u, in, systolic_weight_ports(&s->core, l), &block);
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
        else if (in->op == INSN_READ_PARAMETERS)
            read_parameters(u, in);
        else
            transfer(u, in);
        execute(s, in);
        systolic_count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* One stream of a matrix instruction. What stays is taken over as its first row enters. */
static void run_stream(struct unit_state *u, const struct insn *in, uint32_t i)
{
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    const struct systolic *self = s->self;
    const struct stream stream = systolic_stream(self, s->plan, in, i);
    const struct pass t = stream.pass;
    const bool stays = self->cfg.dataflow != FLOW_OS, streams = self->cfg.dataflow != FLOW_WS;
    sim_wait_until(systolic_stream_start(self, &a->before, t.rows, t.stream_cyc, t.begins, t.ends));
    if (t.takes)
        feed_take_tile(a, in);
    if (t.fetches)
        feed_take_weights(a, in);
    if (t.takes && s->state)
        (streams ? systolic_state_swap_inputs : systolic_state_swap)(s->state, a->index);
    if (t.takes && self->cfg.double_buffer)
        feed_free_shadow(a);
    /* Of `is` the inputs are in the array already. */
    occupy(u, in,
           self->cfg.dataflow == FLOW_IS
               ? sk_now() + t.stream_cyc
               : systolic_buffer_ready(&s->core, self, t.stream_cyc, sk_now()));
    if (s->state)
        systolic_func_multiply(s->state, &stream.in, (uint32_t)t.i_k);
    if (streams && (!stream.one_tile || (i == in->repeat - 1 && !in->keep_weights)))
        feed_free_slot(a);
    if (stays && t.ends && !in->keep && !self->cfg.double_buffer)
        feed_free_shadow(a);
    if (stays || t.ends)
        a->before = (struct in_array){true, sk_now(), t.rows};
    u->sums_cyc = sk_now() + t.latency_cyc;
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
        systolic_count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void activation_unit(void *arg)
{
    struct unit_state *u = arg;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = queue_next(u));) {
        const uint64_t cycles =
            in->op == INSN_ACTIVATE
                ? systolic_activate_cyc(
                      s->self, s->plan, &s->plan->layers[in->layer],
                      systolic_entries((enum dataflow)s->self->cfg.dataflow, in->m, in->n))
                : systolic_share_cyc(s->self, in->count);
        occupy(u, in, sk_now() + cycles);
        struct meeting *meeting;
        if (insn_n_array(in) > 1 && !sim_meet(s, in, &meeting))
            continue; /* values of a pass are made when the last share of it is done */
        execute(s, in);
        systolic_count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

static void describe_unit(void *arg, GString *out)
{
    struct unit_state *u = arg;
    if (!u->has_begun)
        return;
    g_string_append_printf(out, "layer '%s', instruction ",
                           u->sim->plan->layers[u->now.layer].name);
    systolic_insn_print(u->sim->self, u->sim->plan, &u->now, out);
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

static struct sk_event *event_of(struct arena *a, const char *owner, const char *what)
{
    return sk_event_new(arena_printf(a, "%s.%s", owner, what));
}

static void build_unit(struct sim *s, struct array_sim *a, enum unit unit)
{
    struct arena *arena = s->arena;
    struct unit_state *u = a ? &a->units[unit] : &s->host;
    const char *name = sim_name(s, a, unit_processes[unit].name);
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
    struct arena *arena = s->arena;
    struct array_sim *a = &s->arrays[i];
    a->waits = arena_own(arena, g_array_new(FALSE, FALSE, sizeof(struct shares_wait)),
                         (GDestroyNotify)g_array_unref);
    a->fifo = ARENA_ARRAY(arena, struct fifo_slot, (size_t)s->self->cfg.fifo_tiles);
    a->fifo_filled = event_of(arena, sim_name(s, a, "weight_fifo"), "filled");
    a->fifo_freed = event_of(arena, sim_name(s, a, "weight_fifo"), "freed");
    a->shadow_filled = event_of(arena, sim_name(s, a, "shadow"), "filled");
    a->shadow_freed = event_of(arena, sim_name(s, a, "shadow"), "freed");
    a->shadow_free = true;
    if (s->self->cfg.n_array > 1)
        a->met = event_of(arena, sim_name(s, a, "array"), "met");
    for (int u = UNIT_HOST + 1; u < N_UNIT; u++)
        if (u != UNIT_INPUTS || s->self->cfg.dataflow == FLOW_IS)
            build_unit(s, a, (enum unit)u);
    if (s->self->cfg.dataflow == FLOW_WS)
        sk_spawn(sim_name(s, a, "weight_loader"), feed_weight_loader, a, describe_loader, 0);
    sk_trace(arena_printf(arena, "%s.level", sim_name(s, a, "weight_fifo")), &a->fifo_level, 11);
    sk_trace(arena_printf(arena, "%s.begun", sim_name(s, a, "shift")), &a->n_shift, 32);
}

/* A run, from its opening to its end. */

void *systolic_open(const void *self, const struct plan *p, const char *prefix, GError **error)
{
    (void)error;
    struct arena *arena = arena_new();
    struct sim *s = ARENA_NEW(arena, struct sim);
    s->arena = arena;
    s->self = self;
    s->plan = p;
    s->program = p->program;
    s->prefix = arena_strdup(arena, prefix);
    return s;
}

bool systolic_load(void *run, struct arch_values *values, GError **error)
{
    struct sim *s = run;
    if (!s->state) {
        struct machine_state *state = ARENA_NEW(s->arena, struct machine_state);
        if (!systolic_state_init(state, s->self, s->plan, error))
            return false;
        s->state = state;
    }
    systolic_state_load(s->state, values);
    return true;
}

bool systolic_replay(void *run, int64_t step, GError **error)
{
    (void)step;
    return systolic_func_replay(((struct sim *)run)->state, error);
}

bool systolic_build(void *run, int64_t first_step, int64_t n_step, GError **error)
{
    (void)first_step;
    (void)error;
    g_assert(n_step == 1);
    struct sim *s = run;
    struct arena *arena = s->arena;
    if (s->state)
        systolic_state_forget(s->state);
    systolic_core_init(&s->core, s->self);
    s->layers = ARENA_ARRAY(arena, struct tally, (size_t)s->plan->n_layer);
    if (s->self->cfg.timing == TIMING_SCALESIM) {
        sk_spawn(sim_name(s, NULL, "scalesim"), systolic_scalesim_process, s, NULL, 0);
        return true;
    }
    if (s->state)
        systolic_state_begin(s->state);
    s->step_spans = ARENA_ARRAY(arena, struct step_span, (size_t)s->plan->n_step * N_UNIT);
    s->shares = shares_new(arena, s->plan->turn_layer, s->plan->n_turn);
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
    return true;
}

void systolic_close(void *run)
{
    struct sim *s = run;
    systolic_core_clear(&s->core);
    if (s->state)
        systolic_state_clear(s->state);
    g_clear_error(&s->error);
    arena_free(s->arena);
}
