/* SPDX-License-Identifier: Apache-2.0 */
/* What feeds an array: weight memory, FIFO and the shadow registers that a tile is shifted into. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_sim.h"

/* Tiles of another layer's values take turns on the array's path from the buffer. */
static uint64_t request_values(struct array_sim *a, const struct stream *t)
{
    struct sim *s = a->sim;
    const uint64_t cycles = core_buffer_tile_cyc(s->self, &s->plan->layers[t->in.layer],
                                                 flow_tile_bytes(s->self, s->plan, t));
    const uint64_t start = MAX(sk_now(), a->path_free_cyc);
    a->path_free_cyc = core_buffer_ready(&s->core, s->self, cycles, start);
    return a->path_free_cyc;
}

/* When a tile that is requested now arrives. One for several arrays is requested when all of them
 * have a slot for it. */
static uint64_t request_tile(struct array_sim *a, const struct insn *in, const struct stream *t)
{
    struct sim *s = a->sim;
    const struct plan_layer *l = &s->plan->layers[in->layer];
    if (l->from_buffer)
        return request_values(a, t);
    const struct dram_request request = {.bytes = flow_tile_bytes(s->self, s->plan, t),
                                         .address = t->tile};
    if (insn_n_array(in) == 1)
        return core_read_weights(&s->core, l, &request, sk_now());
    struct meeting *meeting;
    if (sim_meet(s, in, &meeting)) {
        meeting->arrival_cyc = core_read_weights(&s->core, l, &request, sk_now());
        return meeting->arrival_cyc;
    }
    for (const uint32_t n_met = meeting->n_met; meeting->n_met == n_met;)
        sk_wait(a->met);
    return meeting->arrival_cyc;
}

/* Read_Weights is complete when its address is sent: the FIFO slot is taken, the tile on its way.
 */
void feed_weight_memory(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    const uint64_t depth = (uint64_t)s->self->cfg.fifo_tiles;
    const uint64_t pace_cyc = s->self->cfg.n_array > 1; /* an address a cycle: arrays take turns */
    uint64_t next_cyc = 0;
    for (const struct insn *in; (in = queue_next(u));) {
        const struct plan_layer *l = &s->plan->layers[in->layer];
        for (uint32_t i = 0; i < in->repeat; i++) {
            const struct stream t = flow_stream(s->self, s->plan, in, i);
            while (a->fifo_level == depth)
                sk_wait(a->fifo_freed);
            sim_wait_until(next_cyc);
            const uint64_t arrival_cyc = request_tile(a, in, &t);
            const int64_t lines = core_shifts_sideways(s->self, l) ? t.cols : t.rows;
            a->fifo[(a->fifo_head + a->fifo_level) % depth] = (struct fifo_slot){
                t.tile, in->layer, core_shift_cyc(s->self, s->plan, l, lines), arrival_cyc};
            a->fifo_level++;
            sk_notify(a->fifo_filled);
            next_cyc = sk_now() + pace_cyc;
        }
        sim_wait_until(next_cyc);
        if (insn_array(in) == a->index)
            count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

void feed_free_slot(struct array_sim *a)
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

void feed_weight_loader(void *arg)
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
        feed_free_slot(a);
        fill_shadow(a);
    }
}

/* Tiles of inputs on their way into the array, where they stay. */
void feed_input_loader(void *arg)
{
    struct unit_state *u = arg;
    struct array_sim *a = u->array;
    struct sim *s = u->sim;
    for (const struct insn *in; (in = queue_next(u));) {
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
            sim_span(s, UNIT_INPUTS, in, a->shift_start_cyc, sk_now());
            fill_shadow(a);
        }
        count_insn(s->self, s->plan, in, &s->layers[in->layer]);
    }
}

/* Waits for the tile that is to stay. Whatever of the wait came before its shift is weight stall,
 * the rest weight shift; inputs are shifted when they are there, so that nothing comes before it.
 */
void feed_take_tile(struct array_sim *a, const struct insn *in)
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
        sim_span(s, UNIT_MATRIX, in, start, sk_now());
    }
    a->shadow_full = false;
}

/* Waits for the weights at the FIFO's head, which stream from there. */
void feed_take_weights(struct array_sim *a, const struct insn *in)
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
        sim_span(s, UNIT_MATRIX, in, start, sk_now());
    if (!s->state)
        return;
    state_shift_in(s->state, a->index, slot.tile, &s->plan->layers[slot.layer]);
    state_swap(s->state, a->index);
}

void feed_free_shadow(struct array_sim *a)
{
    a->shadow_free = true;
    sk_notify(a->shadow_freed);
}
