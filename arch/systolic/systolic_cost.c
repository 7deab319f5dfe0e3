/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: what the processes do, worked out a layer at a time by the recurrence of
 * systolic_units.c (docs/systolic-analytic.md). A layer is a row of chunks, behind a barrier. */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic_cost.h"
#include "mapper/lookup.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

G_STATIC_ASSERT(sizeof(struct ahead) <= sizeof(((struct cost_state *)NULL)->family));

static double link_cyc(const struct systolic *s, double bytes)
{
    return bytes / s->machine->memories[MEM_HOST].bytes_per_cyc +
           (s->cfg.host_latency_ns + s->cfg.dma_setup_ns) * 1e-9 * s->clock_hz;
}

static double region_bytes(const struct plan *p, int value, const struct region *r, int64_t n_row)
{
    return (double)(r->n_image * n_row * plan_row_bytes(p, value));
}

/* Of input j of a chunk; plan_load_region() without its regions, where there is no need of them. */
static double input_bytes(const struct plan *p, const struct plan_layer *l, int j,
                          const struct region *r)
{
    const int v = l->in[j];
    struct region load;
    int64_t row, n_row;
    if (plan_is_mapped(p, l, j))
        return plan_load_region(p, l, j, r, &load) ? region_bytes(p, v, &load, load.n_row) : 0;
    if (p->homes[v].resident) /* whole images */
        return r->row == 0 ? region_bytes(p, v, r, dims_of(&p->graph->values[v].shape).h) : 0;
    plan_input_rows(p, l, j, r, &row, &n_row);
    return region_bytes(p, v, r, n_row);
}

static double load_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       const struct region *r)
{
    double cycles = 0;
    for (int j = 0; j < l->n_in && l->loads >> j; j++) {
        const double bytes = l->loads >> j & 1 ? input_bytes(p, l, j, r) : 0;
        cycles += bytes > 0 ? link_cyc(s, bytes) : 0;
    }
    return cycles;
}

static double store_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        const struct region *r)
{
    return l->stores ? link_cyc(s, region_bytes(p, l->out, r, r->n_row)) : 0;
}

/* The host link moves a chunk, when what was there before is done with. */
static void transfer(struct units *u, double cycles, int n_copy, uint64_t after)
{
    for (int i = 0; i < n_copy; i++) {
        if (after > 0)
            units_wait(u, UNIT_HOST, after);
        units_next(u, UNIT_HOST);
        units_next(u, UNIT_HOST); /* Sync set */
    }
    units_link_block(u, ceil(cycles));
    u->work.host += cycles;
}

/* The DMA sends an address a cycle for each row of a table, and waits for the last one; meanwhile
 * the memory that it lies in, or the link to it, does nothing else. */
static void look_up(struct units *u, const struct region *r)
{
    const struct systolic *s = u->s;
    const double n = (double)r->n_image, bytes = (double)lookup_row_bytes(u->p, u->l);
    const double row = u->bus.bytes_per_cyc > 0 ? units_bus_cyc(u, 1, bytes) : 0;
    const double cycles = s->cfg.dma_setup_ns * 1e-9 * s->clock_hz + MAX(n * row, n - 1 + row) +
                          u->bus.first_byte_cyc;
    double *bus = &u->ahead.bus[u->bus.index];
    units_next(u, UNIT_HOST);
    *bus = MAX(*bus, (double)u->free[UNIT_HOST]) + n * row;
    u->free[UNIT_HOST] += cycles_ceil(cycles);
    u->work.host += cycles;
    units_next(u, UNIT_HOST);
    u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], u->free[UNIT_HOST]); /* the barrier */
}

/* A chunk of the layer, its inputs there from u->loaded on. */
static void compute(struct units *u, const struct region *r, uint64_t loaded, uint64_t stored,
                    bool is_first)
{
    const struct systolic *s = u->s;
    const bool is_matrix = u->l->kind == LAYER_MATRIX;
    const enum unit unit = is_matrix ? UNIT_MATRIX : UNIT_ACTIVATION;
    if (loaded > u->free[unit]) {
        u->work.input += (double)(loaded - u->free[unit]);
        units_wait(u, unit, loaded);
    }
    u->free[UNIT_INPUTS] = MAX(u->free[UNIT_INPUTS], loaded);
    u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], stored);
    if (u->l->from_buffer)
        u->free[UNIT_WEIGHTS] = MAX(u->free[UNIT_WEIGHTS], loaded);
    if (is_matrix) {
        nest_run(u, r, is_first);
        return;
    }
    if (u->l->kind == LAYER_LOOKUP) {
        look_up(u, r);
        return;
    }
    const struct plan_step step = {.layer = u->l->index, .region = *r};
    const uint64_t cycles = core_share_cyc(s, core_vector_cyc(s, u->p, &step));
    if (u->n_array > 1 && is_first)
        units_next(u, UNIT_ACTIVATION); /* Sync wait for those of the others */
    units_next(u, UNIT_ACTIVATION);
    u->free[UNIT_ACTIVATION] += cycles;
    u->work.activation += (double)cycles;
    units_next(u, UNIT_ACTIVATION);
}

struct chunks {
    int64_t n, in_image; /* chunks; of an image, where they are smaller than one */
    int64_t alike;       /* those that are so only together */
    int n_load;
    int64_t first; /* of the image */
};

/* The next chunk is loaded ahead of computing this one, whose results are then stored. */
static void run_chunk(struct units *u, const void *arg, int64_t i)
{
    const struct chunks *c = arg;
    const int64_t at = c->first + i;
    const struct region r = plan_chunk(u->p, u->l, at);
    const uint64_t loaded = u->loaded;
    const bool resident = u->p->homes[u->l->out].resident;
    if (at + 1 < c->n && c->n_load > 0) {
        const struct region next = plan_chunk(u->p, u->l, at + 1);
        transfer(u, load_cyc(u->s, u->p, u->l, &next), c->n_load, u->done);
        u->loaded = u->free[UNIT_HOST];
    }
    compute(u, &r, loaded, resident ? u->ahead.stored : u->stored[1], at == 0);
    u->done = u->free[UNIT_ACTIVATION];
    if (!u->l->stores)
        return;
    transfer(u, store_cyc(u->s, u->p, u->l, &r), 1, u->done);
    u->stored[1] = u->stored[0];
    u->stored[0] = u->free[UNIT_HOST];
}

static void run_image(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first = i * c.in_image;
    /* During the last but one, the last one is loaded, which may be smaller. */
    units_repeat(u, c.in_image - 1, c.alike, run_chunk, &c);
    run_chunk(u, &c, c.in_image - 1);
}

static void run_layer(struct units *u, uint64_t now_cyc)
{
    const struct region first = plan_chunk(u->p, u->l, 0);
    const struct dims o = dims_of(&u->p->graph->values[u->l->out].shape);
    struct chunks c = {.n = plan_n_chunk(u->p, u->l),
                       .in_image = int64_div_up(o.h, u->l->chunk_row),
                       .alike = 1,
                       .n_load = __builtin_popcount(u->l->loads)};
    if (c.n > 3 && u->l->kind == LAYER_MATRIX) /* else all are worked off */
        c.alike = nest_chunks_alike(u, &first);
    if (c.n_load > 0) {
        transfer(u, load_cyc(u->s, u->p, u->l, &first), c.n_load, now_cyc);
        u->loaded = u->free[UNIT_HOST];
    }
    units_repeat(u, c.n / c.in_image - 1, c.in_image % c.alike ? c.alike : 1, run_image, &c);
    run_image(u, &c, c.n / c.in_image - 1);
}

static bool reads(const struct plan_layer *l, int value)
{
    for (int j = 0; j < l->n_in; j++)
        if (l->in[j] == value)
            return true;
    return false;
}

/* A layer on the host before this one has had its input stored, or is one of the inputs before. */
static bool is_stored(const struct plan *p, const struct plan_layer *l, int i_in)
{
    for (int j = 0; j < i_in; j++)
        if (l->in[j] == l->in[i_in])
            return true;
    for (int i = 0; i < l->index; i++)
        if (p->layers[i].kind == LAYER_HOST && reads(&p->layers[i], l->in[i_in]))
            return true;
    return false;
}

/* Bytes that a layer on the host makes cross the link: what it reads and nobody stored before. */
static double host_store_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l)
{
    double cycles = 0;
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (!h->loaded && h->resident && !h->stored && !is_stored(p, l, j))
            cycles += link_cyc(s, (double)(shape_count(&p->graph->values[l->in[j]].shape) *
                                           plan_element_bytes(p, l->in[j])));
    }
    return cycles;
}

static void finish(struct cost_state *state, double cycles, struct record_layer *out)
{
    out->cycles = (uint64_t)(cycles + 0.5);
    out->start_cycle = state->now_cyc;
    state->now_cyc += out->cycles;
    out->end_cycle = state->now_cyc;
}

static struct ahead ahead_of(const struct cost_state *state)
{
    struct ahead a;
    memcpy(&a, state->family, sizeof a);
    return a;
}

/* What the units do over the layer's end, which comes `later` than they have it. */
static void keep_ahead(struct cost_state *state, const struct units *u, uint64_t later)
{
    struct ahead a = u->ahead;
    const struct queue *q = &u->queues[UNIT_ACTIVATION];
    a.taken = q->taken[q->i] + q->moved + later;
    a.request = u->free[UNIT_WEIGHTS] + later;
    for (int i = 0; i < N_BUS; i++)
        a.bus[i] += (double)later;
    a.gap += (double)later;
    a.gap_end += (double)later;
    for (int i = 0; i < u->n_slot; i++)
        a.slots[i] += later;
    a.shadow += later;
    a.issue += later;
    a.next_read += later;
    a.before.end_cyc += later;
    a.stored = u->l->stores ? u->free[UNIT_HOST] : a.stored;
    a.host = u->free[UNIT_HOST];
    state->end_cyc = MAX(state->now_cyc, a.host);
    memcpy(state->family, &a, sizeof a);
}

/* What the next layer on the machine loads comes behind what the host does; if it loads nothing it
 * does not wait. */
static bool is_waited_for(const struct plan *p, const struct plan_layer *l)
{
    for (int i = l->index + 1; i < p->n_layer; i++)
        if (p->layers[i].kind != LAYER_HOST)
            return p->layers[i].loads != 0;
    return true;
}

static void cost_host(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                      struct cost_state *state, struct record_layer *out)
{
    struct ahead a = ahead_of(state);
    const double store = host_store_cyc(s, p, l);
    uint64_t start = MAX(state->now_cyc, a.host);
    if (store > 0) {
        start = MAX(start, cycles_ceil(a.bus[BUS_LINK]));
        a.stored = start + cycles_ceil(store);
        a.bus[BUS_LINK] = (double)a.stored;
    }
    a.host = start + cycles_ceil(store) + core_host_cyc(s, p, l);
    finish(state, is_waited_for(p, l) ? (double)(a.host - state->now_cyc) : 0, out);
    state->end_cyc = a.host;
    memcpy(state->family, &a, sizeof a);
}

/* The array's stalls are those of its cycles in which it does not work. */
static void put_work(const struct plan_layer *l, const struct work *w, struct record_layer *out)
{
    const double idle = MAX((double)out->cycles - ceil(w->busy), 0);
    const double stall = MIN(w->stall, idle), shift = MIN(w->shift, idle - stall);
    out->bytes[l->streamed ? MEM_HOST : MEM_WEIGHTS].read = (uint64_t)(w->bytes + 0.5);
    out->stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)stall;
    out->stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)MIN(w->input, idle);
}

/* A pass of a layer that shares its group: cycles from now on, its inputs there after `load`. */
static uint64_t run_pass(struct units *u, const struct systolic *s, const struct plan *p,
                         const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc,
                         int64_t i_chunk, double load)
{
    const struct region r = plan_chunk(p, l, i_chunk);
    units_begin(u, s, p, l, ahead, now_cyc);
    compute(u, &r, now_cyc + cycles_ceil(load), 0, true);
    return u->free[UNIT_ACTIVATION] - now_cyc;
}

/* A layer that shares its group: a pass a chunk, each behind a barrier, while the host link moves
 * what the chunks before and behind need. The group's last layer bears what the link takes longer
 * than all computing. */
static void cost_passes(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        struct cost_state *state, struct record_layer *out)
{
    const struct plan_group *g = &p->groups[l->group];
    const bool is_first = l->index == g->first, is_last = l->index == g->last;
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, l->n_pass - 1);
    const double n = (double)MIN(plan_n_full_turn(p, l), l->n_pass - 1);
    const double n_z = (double)l->n_pass - n; /* the last one, or all shorter ones */
    const double load_a = load_cyc(s, p, l, &first), load_z = load_cyc(s, p, l, &last);
    const double store_a = store_cyc(s, p, l, &first), store_z = store_cyc(s, p, l, &last);
    struct ahead ahead = ahead_of(state);
    struct units u;
    uint64_t now = state->now_cyc;
    const uint64_t begin = run_pass(&u, s, p, l, &ahead, now, 0, is_first ? load_a : 0);
    const struct work none = {0};
    struct work work = none;
    units_add_work(&work, &u.work, &none, 1);
    if (now == 0) { /* later passes come behind one, as that of the run's first layer does not */
        ahead = u.ahead;
        now = begin;
    }
    ahead.tile = 0;
    const uint64_t again = run_pass(&u, s, p, l, &ahead, now, 0, 0);
    units_add_work(&work, &u.work, &none, n - 1);
    const uint64_t end = run_pass(&u, s, p, l, &ahead, now, l->n_pass - 1, 0);
    units_add_work(&work, &u.work, &none, n_z);
    if (is_first)
        state->group_cyc = state->link_cyc = 0;
    double cycles =
        (double)begin + (n - 1) * (double)again + n_z * (double)end + (is_last ? store_z : 0);
    state->group_cyc += cycles;
    state->link_cyc +=
        n * (load_a + store_a) + n_z * (load_z + store_z) + (l->streamed ? work.bus : 0);
    if (is_last) {
        const double by_link = state->link_cyc + state->group_cyc / (double)l->n_pass;
        cycles += MAX(by_link - state->group_cyc, 0);
    }
    finish(state, cycles, out);
    put_work(l, &work, out);
    keep_ahead(state, &u, state->now_cyc - (now + end));
}

/* A layer that is alone in its group. */
static void cost_alone(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       struct cost_state *state, struct record_layer *out)
{
    const struct ahead ahead = ahead_of(state);
    struct units u;
    units_begin(&u, s, p, l, &ahead, state->now_cyc);
    run_layer(&u, state->now_cyc);
    const bool ends = l->index == p->n_layer - 1; /* the run, once all is stored */
    const uint64_t end = MAX(u.free[UNIT_ACTIVATION], ends ? u.free[UNIT_HOST] : 0);
    finish(state, (double)(end - state->now_cyc), out);
    keep_ahead(state, &u, 0);
    put_work(l, &u.work, out);
}

void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    if (s->cfg.timing == TIMING_SCALESIM) {
        finish(state, (double)scalesim_layer_cyc(s, l), out);
    } else if (l->kind == LAYER_HOST) {
        cost_host(s, p, l, state, out);
    } else if (l->n_pass > 1) {
        cost_passes(s, p, l, state, out);
    } else {
        cost_alone(s, p, l, state, out);
    }
}
