/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of systolic_proc.c as a recurrence: no unit waits for what stands behind it in the
 * program, so that in program order each time is the largest of a few that are known. */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic_cost.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

/* Cycles for which a tile that is there keeps its slot: until it is in the shadow registers, or
 * has streamed. */
static double held_cyc(const struct units *u)
{
    const struct systolic *s = u->s;
    if (s->cfg.dataflow == FLOW_WS)
        return (double)s->cfg.rows * u->shift_cyc;
    const int64_t rows = s->cfg.dataflow == FLOW_OS ? MIN(s->cfg.rows, u->l->gemm.k)
                                                    : MIN(s->cfg.cols, u->l->tiling.block_m);
    return (double)rows * u->row_cyc;
}

/* As many cycles for a tile as the array needs. */
static double array_cyc(const struct units *u)
{
    const double stream = (double)u->l->tiling.block_m * u->row_cyc;
    return u->s->cfg.dataflow == FLOW_WS ? MAX(held_cyc(u), stream) : held_cyc(u);
}

/* Tiles that are fetched for a block. */
static int64_t block_tiles(const struct units *u)
{
    const struct systolic_cfg *cfg = &u->s->cfg;
    if (cfg->dataflow == FLOW_WS)
        return u->tiles_k;
    return u->tiles_k *
           int64_div_up(u->l->tiling.block_m, cfg->dataflow == FLOW_OS ? cfg->rows : cfg->cols);
}

/* As many cycles for a tile as the memory needs where each of the FIFO's slots is waited for. */
static double slot_cyc(const struct units *u, double bus, double tile)
{
    const bool at_once = u->l->from_buffer || u->bus.bytes_per_cyc == 0;
    const double first_byte = at_once ? 0 : u->bus.first_byte_cyc;
    return tile > 0 ? (first_byte + bus / tile + held_cyc(u)) / (double)u->n_slot : 0;
}

static struct bus bus_of(const struct systolic *s, const struct plan_layer *l)
{
    if (l->streamed)
        return (struct bus){.index = BUS_LINK,
                            .bytes_per_cyc = s->machine->memories[MEM_HOST].bytes_per_cyc,
                            .start_cyc = s->cfg.host_latency_ns * 1e-9 * s->clock_hz};
    return (struct bus){.index = BUS_WEIGHTS,
                        .bytes_per_cyc = s->stream_bytes_per_cyc,
                        .first_byte_cyc = s->first_byte_cyc};
}

/* What the activation unit has taken of the layers before holds the controller up: the places of
 * its queue as if they had been taken at one pace. Other units wait for it behind a barrier. */
static void fill_queue(struct units *u, uint64_t now_cyc)
{
    enum { FRACTION = 16 }; /* bits of a cycle's */
    uint64_t *taken = u->queues[UNIT_ACTIVATION].taken, *end = taken + u->n_queued;
    const uint64_t first = MIN(u->ahead.taken, now_cyc);
    const uint64_t apart = ((now_cyc - first) << FRACTION) / (uint64_t)MAX(u->n_queued, 1);
    for (uint64_t at = first << FRACTION; taken < end; at += apart)
        *taken++ = at >> FRACTION;
}

void units_begin(struct units *u, const struct systolic *s, const struct plan *p,
                 const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc)
{
    const bool matrix = l->kind == LAYER_MATRIX;
    u->s = s;
    u->p = p;
    u->l = l;
    u->ahead = *ahead;
    u->n_slot = MIN(s->cfg.fifo_tiles, MOST_SLOTS);
    u->n_queued = s->cfg.queue_depth <= MOST_QUEUED ? s->cfg.queue_depth : 0;
    u->tiles_k = matrix ? int64_div_up(l->gemm.k, s->cfg.rows) : 0;
    u->shift_cyc = matrix ? (double)core_shift_cyc(s, p, l, 1) : 0;
    u->row_cyc = matrix ? (double)core_rows_cyc(s, p, l, 1) : 0;
    u->reads = u->crowd = 1;
    u->ports = 0;
    u->late = 0;
    u->abreast = u->abreast_ports = false;
    u->n_array = s->cfg.n_array;
    u->host_issue = 0;
    u->address_cyc = u->n_array > 1;
    u->n_place = l->tiling.double_buffer ? 2 : 1;
    u->piece_rows = 0;
    u->tile_bytes = matrix ? (double)core_tile_bytes(s, l) : 0;
    u->bus = bus_of(s, l);
    u->block_tiles = matrix ? block_tiles(u) : 0;
    u->tile_cyc = u->bus.bytes_per_cyc > 0 ? units_bus_cyc(u, 1, u->tile_bytes) : 0;
    u->slots_bind = slot_cyc(u, u->tile_cyc, 1) > MAX(u->tile_cyc, matrix ? array_cyc(u) : 0);
    if (matrix && systolic_parts(s, l) > 1) {
        const struct places places = systolic_places(s, p, l);
        u->piece_rows = places.rows;
        u->piece_cyc = core_activate_cyc(s, places.rows);
        u->n_place = (int)MIN(places.n, MOST_PLACES);
    }
    for (int i = 0; i < N_UNIT; i++) {
        memset(u->queues[i].taken, 0, (size_t)MAX(u->n_queued, 1) * sizeof(uint64_t));
        u->queues[i].moved = 0;
        u->queues[i].i = 0;
        u->queues[i].n_taken = 0;
        u->free[i] = now_cyc;
    }
    fill_queue(u, now_cyc);
    u->free[UNIT_HOST] = u->ahead.host;
    u->free[UNIT_WEIGHTS] = l->from_buffer ? now_cyc : u->ahead.request;
    u->sums = 0;
    u->i_place = 0;
    u->n_placed = 0;
    u->done = now_cyc;
    u->stored[0] = u->stored[1] = u->ahead.stored;
    u->loaded = now_cyc;
    u->n_insn = 0;
    u->work = (struct work){0};
}

double *units_bus_at(struct units *u, uint64_t request_cyc)
{
    struct ahead *a = &u->ahead;
    const bool before = u->bus.index == BUS_LINK && (double)request_cyc < a->gap_end;
    return before ? &a->gap : &a->bus[u->bus.index];
}

void units_delay_blocks(struct units *u)
{
    struct ahead *a = &u->ahead;
    const double late = a->gap - a->gap_end;
    if (late <= 0)
        return;
    a->bus[BUS_LINK] += late;
    u->free[UNIT_HOST] += cycles_ceil(late);
    a->gap_end = a->gap;
}

void units_link_block(struct units *u, double cyc)
{
    struct ahead *a = &u->ahead;
    const double start = (double)u->free[UNIT_HOST];
    if (start > a->bus[BUS_LINK]) {
        a->gap = a->bus[BUS_LINK];
        a->gap_end = start;
    }
    a->bus[BUS_LINK] = MAX(a->bus[BUS_LINK], start) + cyc;
    u->free[UNIT_HOST] = cycles_ceil(a->bus[BUS_LINK]);
}

/* Where units stand, and what they have done. */
struct mark {
    uint64_t free[N_UNIT], n_taken[N_UNIT], n_insn;
    struct work work;
};

static struct mark mark_of(const struct units *u)
{
    struct mark m = {.n_insn = u->n_insn, .work = u->work};
    for (int i = 0; i < N_UNIT; i++) {
        m.free[i] = u->free[i];
        m.n_taken[i] = u->queues[i].n_taken;
    }
    return m;
}

void units_add_work(struct work *sum, const struct work *to, const struct work *from, double n)
{
    sum->bus += n * (to->bus - from->bus);
    sum->ports += n * (to->ports - from->ports);
    sum->activation += n * (to->activation - from->activation);
    sum->host += n * (to->host - from->host);
    sum->tile += n * (to->tile - from->tile);
    sum->bytes += n * (to->bytes - from->bytes);
    sum->busy += n * (to->busy - from->busy);
    sum->stall += n * (to->stall - from->stall);
    sum->shift += n * (to->shift - from->shift);
    sum->input += n * (to->input - from->input);
}

static void move_all(uint64_t *times, int64_t n, uint64_t by)
{
    for (int64_t i = 0; i < n; i++)
        times[i] += by;
}

/* Cycles since the mark, of the unit that comes last: one that runs ahead at first will be held
 * back. */
static uint64_t pace(const struct units *u, const struct mark *m)
{
    const uint64_t last = u->free[UNIT_ACTIVATION] - m->free[UNIT_ACTIVATION];
    return last > 0 ? last : u->free[UNIT_MATRIX] - m->free[UNIT_MATRIX];
}

static void move_gap(struct ahead *a, double by)
{
    a->gap += by;
    a->gap_end += by;
}

/* n tiles more on the bus: without a pause from now on, or from when one of the next ones finds the
 * slot that it waits for. */
static void move_bus(struct units *u, double n, double cyc)
{
    struct ahead *a = &u->ahead;
    double bus = a->bus[u->bus.index] + n * cyc;
    int64_t i = (int64_t)a->i_slot;
    for (int64_t k = 0; k < u->n_slot && (double)k < n; k++) {
        i = i + 1 < u->n_slot ? i + 1 : 0;
        bus = MAX(bus, (double)a->slots[i] + (n - (double)k) * cyc);
    }
    if (u->bus.index == BUS_LINK)
        move_gap(a, bus - a->bus[BUS_LINK]);
    a->bus[u->bus.index] = bus;
}

/* n times as many instructions are issued: a cycle each from now on, or from when a unit's queue is
 * full of those that it has not come to. */
static void move_issue(struct units *u, const struct mark *m, int64_t n)
{
    const uint64_t n_insn = u->n_insn - m->n_insn;
    uint64_t issue = u->ahead.issue + (uint64_t)n * n_insn;
    for (int i = 0; i < N_UNIT && u->n_queued; i++) {
        const int64_t taken = (int64_t)(u->queues[i].n_taken - m->n_taken[i]);
        const int64_t later = taken > 0 ? n - u->n_queued / taken : 0;
        if (later > 0)
            issue = MAX(issue, m->free[i] + (uint64_t)later * n_insn);
    }
    u->ahead.issue = issue;
}

/* n times more of what was done since the mark. Each resource has its own work to do, all go on at
 * one pace, and what waits for others finds them as late as the slower of both. */
static void move_on(struct units *u, const struct mark *m, int64_t n)
{
    const struct work *w = &u->work, *was = &m->work;
    const double times = (double)n, bus = w->bus - was->bus, tile = w->tile - was->tile;
    const double in_slots = tile * slot_cyc(u, bus / u->reads, tile);
    const uint64_t matrix = (uint64_t)n * pace(u, m);
    const uint64_t activation = (uint64_t)(times * (w->activation - was->activation));
    const uint64_t host = (uint64_t)(times * (w->host - was->host));
    const uint64_t drain = MAX(matrix, activation);
    const uint64_t slots = MAX(matrix, (uint64_t)(times * MAX(bus, in_slots)));
    if (tile > 0)
        move_bus(u, times * tile, bus / tile);
    if (tile > 0 || u->s->cfg.dataflow != FLOW_WS)
        u->ahead.shadow += matrix;
    u->ahead.before.end_cyc += matrix;
    u->sums += matrix;
    u->ports += times * (w->ports - was->ports);
    if (host > 0) { /* chunks; what is within one moves no activations over the link */
        u->free[UNIT_HOST] += host;
        u->ahead.bus[BUS_LINK] += (double)host;
        move_gap(&u->ahead, (double)host);
        u->loaded += MAX(drain, host);
        u->done += drain;
        move_all(u->stored, 2, MAX(drain, host));
    }
    u->free[UNIT_MATRIX] += matrix;
    u->free[UNIT_INPUTS] += matrix;
    u->free[UNIT_ACTIVATION] += activation;
    if (tile > 0) /* else what was there is used again */
        move_all(u->ahead.slots, u->n_slot, slots);
    if (u->n_insn > m->n_insn) { /* blocks; tiles of one are a single instruction's */
        move_issue(u, m, n);
        u->ahead.next_read += tile > 0 ? matrix : 0;
        move_all(u->drained, u->n_place, drain);
        if (u->n_queued) {
            u->queues[UNIT_MATRIX].moved += matrix;
            u->queues[UNIT_WEIGHTS].moved += matrix;
            u->queues[UNIT_ACTIVATION].moved += drain;
        }
    }
    units_add_work(&u->work, &u->work, was, times);
}

/* Whether what was done since the mark took as long as one unit works for it, or the bus: no more
 * of the same takes less, and what is waited for comes in time. */
static bool is_full(const struct units *u, const struct mark *m, uint64_t pace_cyc)
{
    const struct work *w = &u->work, *was = &m->work;
    const double most = MAX(MAX(w->busy - was->busy, MAX(w->bus - was->bus, w->ports - was->ports)),
                            MAX(w->activation - was->activation, w->host - was->host));
    return fabs((double)pace_cyc - most) <= 1;
}

/* Or as long as what was done before that, but for a fraction of a cycle; or the pace goes on
 * changing, and has done so for long. */
static bool settles(const struct units *u, const struct mark *m, int64_t i, uint64_t *before)
{
    enum { MOST = 16 };
    const uint64_t now = pace(u, m), was = *before;
    *before = now;
    return i >= MOST || (was > 0 && now <= was + 1 && was <= now + 1) || is_full(u, m, now);
}

void units_repeat(struct units *u, int64_t n, int64_t period,
                  void (*step)(struct units *u, const void *arg, int64_t i), const void *arg)
{
    enum { FIRST = 1, LAST = 1 }; /* the first is not as the others, and the last may be smaller */
    struct mark mark;
    uint64_t before = 0;
    int64_t i = 0;
    for (int64_t look = FIRST; i < n; i++) {
        const int64_t left = n - LAST - i;
        if (i == look && left >= period) {
            if (i > FIRST && settles(u, &mark, i, &before)) {
                const int64_t times = left / period;
                move_on(u, &mark, times);
                i += times * period;
                break;
            }
            look += period;
            if (left >= 2 * period) /* there is a next look */
                mark = mark_of(u);
        }
        step(u, arg, i);
    }
    for (; i < n; i++)
        step(u, arg, i);
}
