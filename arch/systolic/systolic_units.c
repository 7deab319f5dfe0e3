/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of systolic_proc.c as a recurrence: no unit waits for what stands behind it in the
 * program, so that in program order each time is the largest of a few that are known. */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic_choice.h"
#include "arch/systolic/systolic_stream.h"
#include "arch/systolic/systolic_units.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

/* Streams of a block, past what stays in the array meanwhile; where it leaves in pieces, of one. */
struct stay {
    const struct block *block;
    int64_t i_stay;
};

/* A Sync wait. */
static inline void units_wait(struct units *u, enum unit unit, uint64_t until_cyc)
{
    units_next(u, unit);
    u->free[unit] = MAX(u->free[unit], until_cyc);
}

/* The matrix unit waits until what lies in the next place has left. */
static inline void block_wait_place(struct units *u)
{
    if (u->n_placed >= u->n_place)
        units_wait(u, UNIT_MATRIX, u->drained[u->i_place]);
}

static inline int block_next_place(const struct units *u, int place)
{
    return place + 1 < u->n_place ? place + 1 : 0;
}

/* What most of the layer's blocks are like. */
static struct block usual_block(const struct units *u)
{
    const int64_t cols = u->cut.cols, block_m = systolic_choice(u->l)->block_m;
    const int64_t n = u->cut.flow == FLOW_IS ? block_m : cols;
    return (struct block){
        .m = u->cut.flow == FLOW_IS ? cols : block_m, .n = n, .n_tile = int64_div_up(n, cols)};
}

/* Cycles for which a tile that is there keeps its slot: until it is in the shadow registers, or
 * has streamed. */
static double held_cyc(const struct units *u)
{
    return u->cut.flow == FLOW_WS ? (double)((uint64_t)u->cut.rows * u->cut.line_cyc)
                                  : u->stream_cyc;
}

/* As many cycles for a tile as the memory needs where each of the FIFO's slots is waited for. */
static double slot_cyc(const struct units *u, double bus, double tile)
{
    const double first_byte = u->bus.bytes_per_cyc == 0 ? 0 : u->bus.first_byte_cyc;
    return tile > 0 ? (first_byte + bus / tile + held_cyc(u)) / (double)u->n_slot : 0;
}

static struct bus bus_of(const struct systolic *s, const struct plan_layer *l)
{
    if (systolic_from_buffer(l))
        return (struct bus){.index = BUS_PATH};
    if (l->streamed)
        return (struct bus){.index = BUS_LINK,
                            .bytes_per_cyc = machine_memory(s->machine, ROLE_INPUTS)->bytes_per_cyc,
                            .start_cyc = s->cfg.host_latency_ns * 1e-9 * s->clock_hz};
    return (struct bus){.index = BUS_MEMORY,
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

/* What of the layer's blocks is known before the first: how many tiles each has, and which of the
 * bus, the FIFO and the array say when the next one comes. */
static void begin_blocks(struct units *u)
{
    double array_cyc = 0;
    u->block_tiles = 0;
    if (u->cut.tiles_k > 0) {
        const struct block usual = usual_block(u);
        u->stream_cyc = (double)systolic_pass(&u->cut, &usual, 0, 0).stream_cyc;
        u->block_tiles = systolic_n_fetched(&u->cut, &usual);
        array_cyc = MAX(held_cyc(u), u->stream_cyc);
    }
    u->slots_bind = slot_cyc(u, u->tile_cyc, 1) > MAX(u->tile_cyc, array_cyc);
}

void systolic_units_begin(struct units *u, const struct systolic *s, const struct plan *p,
                          const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc)
{
    const bool matrix = l->kind == LAYER_MATRIX;
    u->s = s;
    u->p = p;
    u->l = l;
    u->ahead = *ahead;
    u->n_slot = MIN(s->cfg.fifo_tiles, MOST_SLOTS);
    u->n_queued = s->cfg.queue_depth <= MOST_QUEUED ? s->cfg.queue_depth : 0;
    u->cut = matrix ? systolic_cut(s, p, l) : (struct cut){0};
    u->reads = u->crowd = 1;
    u->n_ahead = u->i_ahead = 0;
    u->ports = 0;
    u->late = 0;
    u->abreast = u->abreast_ports = false;
    u->n_array = s->cfg.n_array;
    u->host_issue = 0;
    u->address_cyc = u->n_array > 1;
    u->n_place = systolic_choice(l)->double_buffer ? 2 : 1;
    u->piece_rows = 0;
    u->bus = bus_of(s, l);
    u->tile_cyc = u->bus.bytes_per_cyc > 0 ? units_bus_cyc(u, 1, (double)u->cut.tile_bytes) : 0;
    begin_blocks(u);
    if (matrix && systolic_parts(s, l) > 1) {
        const struct places places = systolic_places(s, p, l);
        u->piece_rows = places.rows;
        u->piece_cyc = systolic_activate_cyc(s, p, l, places.rows);
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
    u->free[UNIT_WEIGHTS] = l->stationary_is_activation ? now_cyc : u->ahead.request;
    u->sums = 0;
    u->i_place = 0;
    u->n_placed = 0;
    u->done = now_cyc;
    u->stored[0] = u->stored[1] = u->ahead.stored;
    u->loaded = u->weights = 0;
    u->begin = now_cyc;
    u->n_insn = 0;
    u->work = (struct work){0};
}

uint64_t systolic_units_block_begin(struct units *u, int bus, double cyc, double tail_cyc,
                                    uint64_t insns, uint64_t after_cyc)
{
    enum { COPY_SET = 2 }; /* the last copy and the set behind it */
    uint64_t *issue = u->n_array > 1 ? &u->host_issue : &u->ahead.issue;
    const uint64_t issued = *issue + (insns > COPY_SET ? insns - COPY_SET : 0);
    const double begin = (double)MAX(MAX(issued, after_cyc), u->ahead.host);
    *issue += insns;
    u->n_insn += insns;
    u->work.blocks += cyc + tail_cyc;
    const struct blocks_waiting w = {bus, begin, cyc, tail_cyc};
    return systolic_blocks_add(&u->ahead.blocks, u->s->burst_cyc, &w);
}

uint64_t systolic_units_arrival(struct units *u, uint64_t n)
{
    if (n == 0)
        return u->begin;
    return cycles_ceil(systolic_blocks_arrival(&u->ahead.blocks, u->s->burst_cyc, n));
}

uint64_t systolic_units_wait_inputs(struct units *u, enum unit unit, uint64_t block)
{
    const uint64_t loaded = systolic_units_arrival(u, block);
    if (loaded > u->free[unit]) {
        u->work.input += (double)(loaded - u->free[unit]);
        units_wait(u, unit, loaded);
    }
    return loaded;
}

void systolic_units_wait_stored(struct units *u, uint64_t block)
{
    if (block > 0)
        u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], systolic_units_arrival(u, block));
}

/* Where units stand, and what they have done. */
struct mark {
    uint64_t free[N_UNIT], n_taken[N_UNIT], n_insn;
    struct work work;
    double moved[N_BUS]; /* of blocks */
    double behind;       /* of blocks on the bus of tiles, not yet moved */
};

static struct mark mark_of(const struct units *u)
{
    struct mark m = {.n_insn = u->n_insn, .work = u->work};
    m.behind = systolic_blocks_behind(&u->ahead.blocks, u->bus.index);
    memcpy(m.moved, u->ahead.blocks.moved, sizeof m.moved);
    for (int i = 0; i < N_UNIT; i++) {
        m.free[i] = u->free[i];
        m.n_taken[i] = u->queues[i].n_taken;
    }
    return m;
}

void systolic_units_add_work(struct work *sum, const struct work *to, const struct work *from,
                             double n)
{
    sum->bus += n * (to->bus - from->bus);
    sum->ports += n * (to->ports - from->ports);
    sum->activation += n * (to->activation - from->activation);
    sum->blocks += n * (to->blocks - from->blocks);
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

/* n tiles more on the bus, each with its share of bursts: without a pause from now on, or from when
 * one of the next ones finds the slot that it waits for. */
static double bus_after(const struct units *u, double n, double cyc)
{
    const struct ahead *a = &u->ahead;
    double bus = a->blocks.bus[u->bus.index] + n * cyc;
    int64_t i = (int64_t)a->i_slot;
    for (int64_t k = 0; k < u->n_slot && (double)k < n; k++) {
        i = i + 1 < u->n_slot ? i + 1 : 0;
        bus = MAX(bus, (double)a->slots[i] + (n - (double)k) * cyc);
    }
    return bus;
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

/* Cycles of bursts since the mark on the bus of tiles. */
static double bursts_since(const struct units *u, const struct mark *m)
{
    return u->ahead.blocks.moved[u->bus.index] - m->moved[u->bus.index];
}

/* n times more of what the memory did: tiles, and bursts between them; and of chunks, blocks as
 * well, of which as many began as arrived. */
static void move_memory(struct units *u, const struct mark *m, double n, uint64_t drain)
{
    const struct work *w = &u->work, *was = &m->work;
    struct blocks *b = &u->ahead.blocks;
    const double tile = w->tile - was->tile, bursts = bursts_since(u, m);
    const double bus = w->bus - was->bus + bursts, blocks = w->blocks - was->blocks;
    const double after = tile > 0 ? bus_after(u, n * tile, bus / tile) : b->bus[u->bus.index];
    if (blocks == 0) {
        if (tile > 0)
            systolic_blocks_skip(b, u->bus.index, n * bursts, after);
        return;
    }
    const double cyc = MAX((double)drain, n * MAX(blocks, bursts > 0 ? bus : 0));
    systolic_blocks_delay(b, cyc);
    u->ahead.host += (uint64_t)cyc;
    for (int i = 0; i < N_BUS; i++)
        b->bus[i] += n * (b->moved[i] - m->moved[i]);
    if (tile > 0) {
        b->tile[u->bus.index] += after - b->bus[u->bus.index];
        b->bus[u->bus.index] = after;
    }
    u->done += drain;
}

/* n times more of what was done since the mark. Each resource has its own work to do, all go on at
 * one pace, and what waits for others finds them as late as the slower of both. */
static void move_on(struct units *u, const struct mark *m, int64_t n)
{
    const struct work *w = &u->work, *was = &m->work;
    const double times = (double)n, tile = w->tile - was->tile, bursts = bursts_since(u, m);
    const double tiles = w->bus - was->bus, bus = tiles + bursts;
    const double in_slots = tile * slot_cyc(u, tiles / u->reads, tile);
    const uint64_t matrix = (uint64_t)n * pace(u, m);
    const uint64_t activation = (uint64_t)(times * (w->activation - was->activation));
    const uint64_t drain = MAX(matrix, activation);
    const uint64_t slots = MAX(matrix, (uint64_t)(times * MAX(bus, in_slots)));
    move_memory(u, m, times, drain);
    if (tile > 0 || u->s->cfg.dataflow != FLOW_WS)
        u->ahead.shadow += matrix;
    u->ahead.before.end_cyc += matrix;
    u->sums += matrix;
    u->ports += times * (w->ports - was->ports);
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
    systolic_units_add_work(&u->work, &u->work, was, times);
}

/* How often what was done since the mark goes on as it is: while a block moves between tiles, until
 * it has, and where one is yet to begin, until then. */
static int64_t undisturbed(const struct units *u, const struct mark *m, int64_t n)
{
    const struct blocks *b = &u->ahead.blocks;
    const double bursts = bursts_since(u, m), left = systolic_blocks_left(b, u->bus.index);
    if (u->work.blocks > m->work.blocks || u->work.tile <= m->work.tile)
        return n;
    if (bursts > 0)
        return (int64_t)CLAMP(left / bursts - 1, 0, (double)n);
    if (!units_shares_bus(u))
        return n;
    const double cyc = (double)MAX(pace(u, m), 1);
    return (int64_t)CLAMP((b->due - (double)u->free[UNIT_MATRIX]) / cyc, 0, (double)n);
}

/* Whether what was done since the mark took as long as one unit works for it, or the bus: no more
 * of the same takes less, and what is waited for comes in time. */
static bool is_full(const struct units *u, const struct mark *m, uint64_t pace_cyc)
{
    const struct work *w = &u->work, *was = &m->work;
    const double bus = w->bus - was->bus + bursts_since(u, m);
    const double most = MAX(MAX(w->busy - was->busy, MAX(bus, w->ports - was->ports)),
                            MAX(w->activation - was->activation, w->blocks - was->blocks));
    return fabs((double)pace_cyc - most) <= 1;
}

/* Or as long as what was done before that, but for a fraction of a cycle; or the pace goes on
 * changing, and has done so for long. */
static bool settles(const struct units *u, const struct mark *m, int64_t i, uint64_t *before)
{
    enum { MOST = 16 };
    const uint64_t now = pace(u, m), was = *before;
    *before = now;
    /* Blocks that nobody waits for soon fall behind what the bus can do; then the bus has the pace.
     */
    const double late = systolic_blocks_behind(&u->ahead.blocks, u->bus.index) - m->behind;
    const double bus = u->work.bus - m->work.bus + bursts_since(u, m) + late;
    if (i < MOST && late > 1 && bus > (double)now + 1)
        return false;
    return i >= MOST || (was > 0 && now <= was + 1 && was <= now + 1) || is_full(u, m, now);
}

void systolic_units_repeat(struct units *u, int64_t n, int64_t period,
                           void (*step)(struct units *u, const void *arg, int64_t i),
                           const void *arg)
{
    enum { FIRST = 1, LAST = 1 }; /* the first is not as the others, and the last may be smaller */
    struct mark mark;
    uint64_t before = 0;
    int64_t i = 0, look = FIRST, from = FIRST; /* the first mark is there */
    while (i < n) {
        const int64_t left = n - LAST - i;
        if (i == look && left >= period) {
            if (i > from && settles(u, &mark, i - from + FIRST, &before)) {
                const int64_t times = left / period, now = undisturbed(u, &mark, times);
                if (now > 0)
                    move_on(u, &mark, now);
                i += now * period;
                if (now == times)
                    break;
                before = 0;
                from = i;
                look = i;
            }
            look += period;
            if (n - LAST - i >= 2 * period) /* there is a next look */
                mark = mark_of(u);
        }
        step(u, arg, i++);
    }
    for (; i < n; i++)
        step(u, arg, i);
}

/* A block of partial sums in the recurrence of systolic_units.c: its tiles, its streams in each
 * dataflow, and how its sums leave the accumulators. */

/* When a resource is free that all arrays use in turn: this one from now on, for `own` cycles, and
 * by and by all of them for `all`. Where they begin abreast this one is the last. */
static double take_turns(double free, uint64_t now, double own, double all, bool *abreast)
{
    if (*abreast) {
        *abreast = false;
        free = MAX(free, (double)now);
    }
    return MAX(free + all, (double)now + own);
}

static uint64_t block_read_buffer(struct units *u, uint64_t cycles, uint64_t now)
{
    const double own = (double)cycles / (double)systolic_core_ports(u->s),
                 all = u->crowd * (double)cycles;
    u->ports = take_turns(u->ports, now, own, all, &u->abreast_ports);
    u->work.ports += all;
    return MAX(now + cycles, cycles_ceil(u->ports));
}

static double tile_cyc(const struct units *u, uint64_t bytes)
{
    return bytes == u->cut.tile_bytes ? u->tile_cyc : units_bus_cyc(u, 1, (double)bytes);
}

/* When a tile that is asked for then has been moved, in turn with bursts of blocks. */
static double move_tile(struct units *u, uint64_t request, uint64_t bytes)
{
    struct blocks *b = &u->ahead.blocks;
    const double cyc = tile_cyc(u, bytes);
    const double free =
        systolic_blocks_before_tile(b, u->s->burst_cyc, u->bus.index, (double)request);
    const double end = take_turns(free, request, cyc, u->reads * cyc, &u->abreast);
    systolic_blocks_tile(b, u->s->burst_cyc, u->bus.index, end, u->reads);
    return end;
}

/* When it has a slot of the FIFO, the i-th from the last one on. */
static uint64_t request_of(struct units *u, int64_t i)
{
    const int64_t i_slot = (int64_t)u->ahead.i_slot + i;
    const uint64_t slot = u->ahead.slots[i_slot < u->n_slot ? i_slot : i_slot - u->n_slot];
    const uint64_t request = MAX(u->free[UNIT_WEIGHTS], slot);
    u->free[UNIT_WEIGHTS] = request + u->address_cyc;
    return request;
}

void systolic_units_fetch_ahead(struct units *u, int64_t n_tile)
{
    u->n_ahead = (int)MIN(n_tile, u->n_slot);
    u->i_ahead = 0;
    for (int i = 0; i < u->n_ahead; i++)
        u->fetched[i] =
            move_tile(u, request_of(u, i + 1), systolic_part_bytes(&u->cut, i % u->cut.tiles_k, 0));
}

/* When the next tile is there, the one of a stream. */
static uint64_t fetch(struct units *u, const struct pass *p)
{
    struct ahead *a = &u->ahead;
    const struct systolic *s = u->s;
    const bool is_fetched = u->i_ahead < u->n_ahead;
    const uint64_t request = is_fetched ? 0 : request_of(u, 1);
    const uint64_t bytes = systolic_part_bytes(&u->cut, p->i_k, p->tile_n);
    a->i_slot = (int64_t)a->i_slot + 1 < u->n_slot ? a->i_slot + 1 : 0;
    u->work.tile++;
    if (systolic_from_buffer(u->l)) {
        const double cyc = MAX(u->crowd, 1) * (double)systolic_buffer_tile_cyc(s, u->l, bytes);
        u->work.bus += cyc;
        double *path = &a->blocks.bus[BUS_PATH];
        return (uint64_t)(*path = MAX(*path, (double)request) + cyc);
    }
    u->work.bytes += u->reads * (double)bytes;
    if (u->bus.bytes_per_cyc == 0)
        return request;
    u->work.bus += u->reads * tile_cyc(u, bytes);
    const double end = is_fetched ? u->fetched[u->i_ahead++] : move_tile(u, request, bytes);
    return cycles_ceil(end + u->bus.first_byte_cyc);
}

uint64_t systolic_units_others_read(struct units *u, double columns)
{
    const struct systolic *s = u->s;
    const struct cut *c = &u->cut;
    const int64_t rows = c->trimmed ? c->k : c->tiles_k * c->rows;
    const double n_tile = columns * (double)c->tiles_k / (double)c->cols;
    const double bytes = columns * (double)rows * (double)c->value_bytes;
    u->work.bytes += bytes;
    if (u->bus.bytes_per_cyc == 0)
        return 0;
    struct blocks *b = &u->ahead.blocks;
    const double cyc = units_bus_cyc(u, n_tile, bytes / n_tile);
    const double request = (double)u->free[UNIT_WEIGHTS];
    const double free = systolic_blocks_before_tile(b, s->burst_cyc, u->bus.index, request);
    u->work.bus += cyc;
    systolic_blocks_tile(b, s->burst_cyc, u->bus.index, MAX(free, request) + cyc, n_tile);
    return cycles_ceil(b->bus[u->bus.index] + u->bus.first_byte_cyc);
}

/* The tile that is to stay is in the shadow registers, cycle by cycle as the array waits for it. */
static uint64_t take_tile(struct units *u, const struct pass *p, uint64_t now)
{
    struct ahead *a = &u->ahead;
    const bool ws = u->cut.flow == FLOW_WS;
    const uint64_t there = ws ? fetch(u, p) : u->free[UNIT_INPUTS];
    const uint64_t cycles = p->shift_cyc;
    uint64_t start = systolic_shift_start(there, a->shadow);
    if (u->crowd > 1 && !ws)
        start = block_read_buffer(u, cycles, start) - cycles;
    const uint64_t end = start + cycles;
    if (ws)
        a->slots[a->i_slot] = end;
    else
        u->free[UNIT_INPUTS] = end;
    if (end <= now)
        return now;
    const uint64_t shift = CLAMP(start, now, end);
    u->work.stall += ws ? (double)(shift - now) : 0;
    u->work.shift += (double)(end - shift);
    return end;
}

/* The weights that are to stream are at the FIFO's head. */
static uint64_t take_weights(struct units *u, const struct pass *p, uint64_t now)
{
    const uint64_t there = fetch(u, p);
    u->work.stall += there > now ? (double)(there - now) : 0;
    return MAX(there, now);
}

/* Its last row has entered at end_cyc. */
static void block_leave(struct units *u, const struct pass *p, uint64_t end_cyc)
{
    struct ahead *a = &u->ahead;
    const bool stays = u->s->cfg.dataflow != FLOW_OS;
    if (stays && p->ends && !u->s->cfg.double_buffer)
        a->shadow = end_cyc;
    if (stays || p->ends)
        a->before = (struct in_array){true, end_cyc, p->rows};
    u->sums = end_cyc + p->latency_cyc;
}

static void block_stream(struct units *u, const struct pass *p)
{
    const struct systolic *s = u->s;
    struct ahead *a = &u->ahead;
    uint64_t now = u->free[UNIT_MATRIX];
    if (s->cfg.edge == EDGE_TRIMMED ||
        s->cfg.dataflow == FLOW_OS) /* else sums leave as rows enter */
        now = MAX(now,
                  systolic_stream_start(s, &a->before, p->rows, p->stream_cyc, p->begins, p->ends));
    if (p->takes)
        now = take_tile(u, p, now);
    if (p->fetches)
        now = take_weights(u, p, now);
    if (p->takes && s->cfg.double_buffer)
        a->shadow = now;
    uint64_t end = now + p->stream_cyc;
    if (u->crowd > 1 && s->cfg.dataflow != FLOW_IS)
        end = block_read_buffer(u, p->stream_cyc, now);
    u->free[UNIT_MATRIX] = end;
    u->work.busy += (double)p->stream_cyc;
    if (s->cfg.dataflow != FLOW_WS)
        a->slots[a->i_slot] = end;
    block_leave(u, p, end);
}

static void block_passes(struct units *u, const void *arg, int64_t i)
{
    const struct stay *stay = arg;
    const struct pass p = systolic_pass(&u->cut, stay->block, stay->i_stay, i);
    block_stream(u, &p);
}

static void block_stays(struct units *u, const void *arg, int64_t i)
{
    const struct stay stay = {.block = arg, .i_stay = i};
    const int64_t n = systolic_n_passing(&u->cut, stay.block);
    if (n == 1)
        block_passes(u, &stay, 0);
    else
        systolic_units_repeat(u, n, units_alike(u, 1), block_passes, &stay);
}

/* A block that leaves the accumulators in pieces: the first tile of k finds the place of each piece
 * empty, the last one drains each of them while the next one passes. */

static void between(struct units *u, const void *arg, int64_t i)
{
    block_stays(u, arg, i + 1);
}

/* A unit while pieces pass: its time, and the next place of its queue. */
struct passed {
    uint64_t free;
    int i;
    uint64_t n_taken;
};

/* A block's pieces past a tile of k, which the first of them finds for all. Their times are held
 * here while they pass, in registers: the mapper waits for these loops more than for any other. */
struct pieces {
    int64_t n, last_rows;
    struct pass pass;
    uint64_t issue;
    struct passed matrix, activation;
};

static inline struct passed passed_begin(const struct units *u, enum unit unit)
{
    return (struct passed){.free = u->free[unit], .i = u->queues[unit].i};
}

static inline void passed_end(struct units *u, enum unit unit, const struct passed *t)
{
    u->free[unit] = t->free;
    u->queues[unit].i = t->i;
    u->queues[unit].n_taken += t->n_taken;
    u->n_insn += t->n_taken;
}

/* The first piece passes. */
static inline struct pieces pieces_begin(struct units *u, const struct block *b, int64_t i_k)
{
    const int64_t n = int64_div_up(b->m, u->piece_rows);
    struct block piece = *b;
    piece.m = MIN(u->piece_rows, b->m);
    struct pieces t = {.n = n, .last_rows = b->m - (n - 1) * u->piece_rows};
    t.pass = systolic_pass(&u->cut, &piece, i_k, 0);
    units_next(u, UNIT_MATRIX);
    block_stream(u, &t.pass);
    t.issue = u->ahead.issue;
    t.matrix = passed_begin(u, UNIT_MATRIX);
    t.activation = passed_begin(u, UNIT_ACTIVATION);
    return t;
}

/* As units_next(). */
static inline void pieces_next(struct units *u, struct pieces *t, enum unit unit, struct passed *p)
{
    struct queue *q = &u->queues[unit];
    const uint64_t at = MAX(t->issue, q->taken[p->i] + q->moved);
    t->issue = at + 1;
    p->free = MAX(p->free, at);
    q->taken[p->i] = u->n_queued ? p->free - q->moved : 0;
    p->i = units_next_queued(u, p->i);
    p->n_taken++;
}

/* As stream(), behind one of as many rows of the array: its sums leave as these enter. */
static inline void pieces_stream(struct units *u, struct pieces *t, uint64_t stream_cyc)
{
    pieces_next(u, t, UNIT_MATRIX, &t->matrix);
    if (u->crowd > 1)
        t->matrix.free = block_read_buffer(u, stream_cyc, t->matrix.free);
    else
        t->matrix.free += stream_cyc;
}

static inline void pieces_end(struct units *u, const struct pieces *t)
{
    u->work.busy += (double)(t->n > 1 ? (t->n - 2) * (int64_t)t->pass.stream_cyc +
                                            (int64_t)systolic_enter_cyc(&u->cut, t->last_rows)
                                      : 0);
    u->ahead.issue = t->issue;
    passed_end(u, UNIT_MATRIX, &t->matrix);
    passed_end(u, UNIT_ACTIVATION, &t->activation);
    block_leave(u, &t->pass, t->matrix.free);
}

/* Each piece waits for its place. */
static void fill_pieces(struct units *u, const struct block *b)
{
    block_wait_place(u);
    struct pieces t = pieces_begin(u, b, 0);
    int place = u->i_place;
    for (int64_t i = 1; i < t.n; i++) {
        place = block_next_place(u, place);
        if (u->n_placed + i >= u->n_place) {
            pieces_next(u, &t, UNIT_MATRIX, &t.matrix);
            t.matrix.free = MAX(t.matrix.free, u->drained[place]);
        }
        pieces_stream(u, &t,
                      i < t.n - 1 ? t.pass.stream_cyc : systolic_enter_cyc(&u->cut, t.last_rows));
    }
    pieces_end(u, &t);
}

/* Each piece leaves, as drain() has it, while the next one passes. */
static void drain_pieces(struct units *u, const struct block *b)
{
    struct pieces t = pieces_begin(u, b, u->cut.tiles_k - 1);
    uint64_t drain_cyc = u->piece_cyc;
    u->work.activation += (double)(t.n - 1) * (double)drain_cyc;
    for (int64_t i = 0; i < t.n; i++) {
        const bool last = i == t.n - 1;
        if (i > 0)
            pieces_stream(u, &t,
                          last ? systolic_enter_cyc(&u->cut, t.last_rows) : t.pass.stream_cyc);
        if (last && t.last_rows < u->piece_rows)
            drain_cyc = systolic_activate_cyc(u->s, u->p, u->l, t.last_rows);
        pieces_next(u, &t, UNIT_MATRIX, &t.matrix);
        pieces_next(u, &t, UNIT_ACTIVATION, &t.activation);
        t.activation.free = MAX(t.activation.free, t.matrix.free + t.pass.latency_cyc);
        pieces_next(u, &t, UNIT_ACTIVATION, &t.activation);
        t.activation.free += drain_cyc;
        pieces_next(u, &t, UNIT_ACTIVATION, &t.activation);
        u->drained[u->i_place] = t.activation.free;
        u->i_place = block_next_place(u, u->i_place);
    }
    u->work.activation += (double)drain_cyc;
    u->n_placed += t.n;
    pieces_end(u, &t);
}

/* As lower_pieces(). */
static void block_run_pieces(struct units *u, const struct block *b)
{
    fill_pieces(u, b);
    if (u->cut.tiles_k > 2)
        units_next(u, UNIT_MATRIX);
    systolic_units_repeat(u, u->cut.tiles_k - 2, units_alike(u, 1), between, b);
    drain_pieces(u, b);
}

/* Rows of sums leave their place, which takes so many cycles. */
static void drain(struct units *u, uint64_t cycles)
{
    units_next(u, UNIT_MATRIX);
    units_wait(u, UNIT_ACTIVATION, MAX(u->sums, u->free[UNIT_MATRIX]));
    units_next(u, UNIT_ACTIVATION);
    u->free[UNIT_ACTIVATION] += cycles;
    u->work.activation += (double)cycles;
    units_next(u, UNIT_ACTIVATION);
    u->drained[u->i_place] = u->free[UNIT_ACTIVATION];
    u->i_place = block_next_place(u, u->i_place);
    u->n_placed++;
}

/* A block's Read_Weights is at hand; the next one's is issued. */
static void read_weights(struct units *u)
{
    struct ahead *a = &u->ahead;
    if (!a->any_read)
        a->next_read = units_issue(u, UNIT_WEIGHTS);
    a->any_read = true;
    units_take(u, UNIT_WEIGHTS, a->next_read);
    a->next_read = units_issue(u, UNIT_WEIGHTS);
}

void systolic_units_block(struct units *u, const struct block *b)
{
    const struct cut *c = &u->cut;
    if (systolic_reads_weights(c, b))
        read_weights(u);
    if (c->flow == FLOW_IS && !b->reuse)
        units_next(u, UNIT_INPUTS);
    if (u->piece_rows > 0) {
        block_run_pieces(u, b);
        return;
    }
    block_wait_place(u);
    units_next(u, UNIT_MATRIX);
    systolic_units_repeat(u, systolic_n_stay(c, b), units_alike(u, systolic_n_passing(c, b)),
                          block_stays, b);
    drain(u, systolic_activate_cyc(u->s, u->p, u->l, systolic_entries(c->flow, b->m, b->n)));
}
