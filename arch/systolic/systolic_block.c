/* SPDX-License-Identifier: Apache-2.0 */
/* A block of partial sums in the recurrence of systolic_units.c: its tiles, its streams in each
 * dataflow, and how its sums leave the accumulators. */
#include "arch/systolic/systolic_block.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

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

uint64_t block_read_buffer(struct units *u, uint64_t cycles, uint64_t now)
{
    const double own = (double)cycles / (double)core_ports(u->s), all = u->crowd * (double)cycles;
    u->ports = take_turns(u->ports, now, own, all, &u->abreast_ports);
    u->work.ports += all;
    return MAX(now + cycles, cycles_ceil(u->ports));
}

/* When the next tile is there: it is asked for once it has a slot of the FIFO. */
static uint64_t fetch(struct units *u, double bytes)
{
    struct ahead *a = &u->ahead;
    const struct systolic *s = u->s;
    a->i_slot = (int64_t)a->i_slot + 1 < u->n_slot ? a->i_slot + 1 : 0;
    const uint64_t request = MAX(u->free[UNIT_WEIGHTS], a->slots[a->i_slot]);
    u->free[UNIT_WEIGHTS] = request + u->address_cyc;
    u->work.tile++;
    if (u->l->from_buffer) {
        const double cyc =
            MAX(u->crowd, 1) * (double)core_buffer_tile_cyc(s, u->l, (uint64_t)bytes);
        u->work.bus += cyc;
        double *path = &a->bus[BUS_WEIGHTS];
        return (uint64_t)(*path = MAX(*path, (double)request) + cyc);
    }
    u->work.bytes += u->reads * bytes;
    if (u->bus.bytes_per_cyc == 0)
        return request;
    const bool whole = bytes == u->tile_bytes;
    const double cyc = whole ? u->tile_cyc : units_bus_cyc(u, 1, bytes);
    double *bus = units_bus_at(u, request);
    u->work.bus += u->reads * cyc;
    *bus = take_turns(*bus, request, cyc, u->reads * cyc, &u->abreast);
    const double there = *bus + u->bus.first_byte_cyc;
    units_delay_blocks(u);
    return cycles_ceil(there);
}

uint64_t units_others_read(struct units *u, double columns)
{
    const struct systolic *s = u->s;
    const int64_t rows = s->cfg.edge == EDGE_FULL ? u->tiles_k * s->cfg.rows : u->l->gemm.k;
    const double n_tile = columns * (double)u->tiles_k / (double)s->cfg.cols;
    const double bytes = columns * (double)rows * (double)number_bytes(u->l->weight_format);
    u->work.bytes += bytes;
    if (u->bus.bytes_per_cyc == 0)
        return 0;
    const double cyc = units_bus_cyc(u, n_tile, bytes / n_tile);
    double *bus = &u->ahead.bus[u->bus.index];
    u->work.bus += cyc;
    *bus = MAX(*bus, (double)u->free[UNIT_WEIGHTS]) + cyc;
    return cycles_ceil(*bus + u->bus.first_byte_cyc);
}

/* The tile that is to stay is in the shadow registers, cycle by cycle as the array waits for it. */
static uint64_t take_tile(struct units *u, int64_t lines, double bytes, uint64_t now)
{
    struct ahead *a = &u->ahead;
    const bool ws = u->s->cfg.dataflow == FLOW_WS;
    const uint64_t there = ws ? fetch(u, bytes) : u->free[UNIT_INPUTS];
    const uint64_t cycles = (uint64_t)(int64_t)((double)lines * u->shift_cyc + 0.5);
    uint64_t start = core_shift_start(there, a->shadow);
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
static uint64_t take_weights(struct units *u, double bytes, uint64_t now)
{
    const uint64_t there = fetch(u, bytes);
    u->work.stall += there > now ? (double)(there - now) : 0;
    return MAX(there, now);
}

/* Its last row has entered at end_cyc. */
void block_leave(struct units *u, const struct pass *p, uint64_t end_cyc)
{
    struct ahead *a = &u->ahead;
    const bool stays = u->s->cfg.dataflow != FLOW_OS;
    if (stays && p->ends && !u->s->cfg.double_buffer)
        a->shadow = end_cyc;
    if (stays || p->ends)
        a->before = (struct in_array){true, end_cyc, p->rows};
    u->sums = end_cyc + p->latency_cyc;
}

void block_stream(struct units *u, const struct pass *p)
{
    const struct systolic *s = u->s;
    struct ahead *a = &u->ahead;
    uint64_t now = u->free[UNIT_MATRIX];
    if (s->cfg.edge == EDGE_TRIMMED ||
        s->cfg.dataflow == FLOW_OS) /* else sums leave as rows enter */
        now =
            MAX(now, core_stream_start(s, &a->before, p->rows, p->stream_cyc, p->begins, p->ends));
    if (p->takes)
        now = take_tile(u, core_shifts_sideways(s, u->l) ? p->cols : p->rows, p->bytes, now);
    if (p->fetches)
        now = take_weights(u, p->bytes, now);
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

static double tile_bytes(const struct units *u, int64_t i_k, int64_t tile_n)
{
    if (u->s->cfg.edge == EDGE_FULL)
        return u->tile_bytes;
    return (double)(units_part(u->l->gemm.k, u->s->cfg.rows, i_k) *
                    units_part(u->l->gemm.n, u->s->cfg.cols, tile_n)) *
           (double)number_bytes(u->l->weight_format);
}

/* ws: m rows past tile i of k. */
struct pass block_pass_ws(const struct units *u, const struct block *b, int64_t m, int64_t i)
{
    const struct systolic *s = u->s;
    const bool trimmed = s->cfg.edge == EDGE_TRIMMED;
    const int64_t rows = trimmed ? units_part(u->l->gemm.k, s->cfg.rows, i) : s->cfg.rows;
    const int64_t cols = trimmed ? b->n : s->cfg.cols;
    return (struct pass){
        .rows = rows,
        .cols = cols,
        .latency_cyc = flow_latency_cyc(s, rows, cols),
        .stream_cyc = block_stream_cyc(u, m),
        .bytes = b->reuse ? 0 : tile_bytes(u, i, b->tile_n),
        .takes = !b->reuse,
        .begins = true,
        .ends = true,
    };
}

void block_stream_ws(struct units *u, const void *arg, int64_t i)
{
    const struct rows *r = arg;
    const struct pass p = block_pass_ws(u, r->block, r->m, i);
    block_stream(u, &p);
}

/* os: tile i of k for the rows of a stay. */
static void stream_os(struct units *u, const void *arg, int64_t i)
{
    const struct rows *r = arg;
    const struct block *b = r->block;
    const struct systolic *s = u->s;
    const bool trimmed = s->cfg.edge == EDGE_TRIMMED;
    struct pass p = {.fetches = u->tiles_k > 1 || (r->i_stay == 0 && !b->reuse_weights)};
    p.bytes = tile_bytes(u, i, b->tile_n);
    p.rows = trimmed ? units_part(b->m, s->cfg.rows, r->i_stay) : s->cfg.rows;
    p.cols = trimmed ? b->n : s->cfg.cols;
    p.stream_cyc = block_stream_cyc(u, units_part(u->l->gemm.k, s->cfg.rows, i));
    p.latency_cyc = flow_latency_cyc(s, p.rows, p.cols);
    p.begins = i == 0;
    p.ends = i == u->tiles_k - 1;
    block_stream(u, &p);
}

static void stay_os(struct units *u, const void *arg, int64_t i)
{
    const struct rows stay = {.block = arg, .i_stay = i};
    units_repeat(u, u->tiles_k, units_alike(u, 1), stream_os, &stay);
}

/* is: weight tile i of those across the block, past the inputs of a tile of k. */
static void stream_is(struct units *u, const void *arg, int64_t i)
{
    const struct rows *r = arg;
    const struct block *b = r->block;
    const struct systolic *s = u->s;
    const bool trimmed = s->cfg.edge == EDGE_TRIMMED;
    const int64_t n_tile = b->n_tile, tile_n = b->tile_n + i;
    const int64_t from = MAX(b->n0, tile_n * s->cfg.cols);
    const int64_t to = MIN(b->n0 + b->n, (tile_n + 1) * s->cfg.cols);
    const bool one_tile = u->tiles_k == 1 && n_tile == 1;
    struct pass p = {.takes = i == 0 && !b->reuse, .fetches = !one_tile || !b->reuse_weights};
    p.bytes = tile_bytes(u, r->i_stay, tile_n);
    p.rows = trimmed ? units_part(u->l->gemm.k, s->cfg.rows, r->i_stay) : s->cfg.rows;
    p.cols = trimmed ? b->m : s->cfg.cols;
    p.stream_cyc = block_stream_cyc(u, to - from);
    p.latency_cyc = flow_latency_cyc(s, p.rows, p.cols);
    p.begins = i == 0;
    p.ends = i == n_tile - 1;
    block_stream(u, &p);
}

static void stay_is(struct units *u, const void *arg, int64_t i)
{
    const struct rows stay = {.block = arg, .i_stay = i};
    units_repeat(u, stay.block->n_tile, units_alike(u, 1), stream_is, &stay);
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

void units_block(struct units *u, const struct block *b)
{
    const enum dataflow flow = (enum dataflow)u->s->cfg.dataflow;
    const struct rows all = {b, b->entries, 0};
    if (!b->reuse_weights && !(flow == FLOW_WS && b->reuse))
        read_weights(u);
    if (flow == FLOW_IS && !b->reuse)
        units_next(u, UNIT_INPUTS);
    if (u->piece_rows > 0) {
        block_run_pieces(u, b);
        return;
    }
    block_wait_place(u);
    units_next(u, UNIT_MATRIX);
    if (flow == FLOW_WS)
        units_repeat(u, u->tiles_k, units_alike(u, 1), block_stream_ws, &all);
    else if (flow == FLOW_OS)
        units_repeat(u, int64_div_up(b->m, u->s->cfg.rows), units_alike(u, u->tiles_k), stay_os, b);
    else
        units_repeat(u, u->tiles_k, units_alike(u, b->n_tile), stay_is, b);
    drain(u, core_activate_cyc(u->s, b->entries));
}
