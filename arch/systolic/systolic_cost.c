/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: what the processes do, worked out a layer at a time by the recurrence of
 * systolic_units.c (docs/systolic-analytic.md). A layer is a row of chunks, behind a barrier; the
 * blocks of a chunk are systolic_nest.c. */
#include <math.h>
#include <string.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_nest.h"
#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "sim/base/size.h"
#include "sim/parts/cycles.h"

/* Layers in a row, between two of them. */
struct row {
    uint64_t now_cyc; /* the next layer begins */
    uint64_t end_cyc; /* all layers so far have ended, also what the next one does not wait for */
    /* Of the group so far: in all, of transfers, and of tiles on the bus of transfers. */
    double group_cyc, link_cyc, tile_cyc;
    struct ahead ahead;
};

/* What the DMA engine moves for a chunk: cycles of each bus, and from the last of them to the
 * arrival. Start-up of the link and set-up for it take time of the link, as nothing else uses it
 * meanwhile. */
struct moves {
    double cyc[N_BUS], tail_cyc[N_BUS];
};

static void add_move(struct moves *moves, const struct systolic *s, const struct plan *p, int value,
                     double bytes, bool is_write)
{
    const double setup_cyc = s->cfg.dma_setup_ns * 1e-9 * s->clock_hz;
    if (bytes <= 0)
        return;
    if (systolic_crosses_link(s, p, value)) {
        moves->cyc[BUS_LINK] += bytes / machine_memory(s->machine, ROLE_INPUTS)->bytes_per_cyc +
                                s->cfg.host_latency_ns * 1e-9 * s->clock_hz + setup_cyc;
        return;
    }
    if (s->stream_bytes_per_cyc > 0)
        moves->cyc[BUS_MEMORY] += bytes / s->stream_bytes_per_cyc;
    moves->tail_cyc[BUS_MEMORY] += setup_cyc + (is_write ? 0 : s->first_byte_cyc);
}

static double moves_cyc(const struct moves *m)
{
    double cycles = 0;
    for (int i = 0; i < N_BUS; i++)
        cycles += m->cyc[i] + m->tail_cyc[i];
    return cycles;
}

/* Of input j of a chunk; plan_load_region() without its regions, where there is no need of them. */
static double input_bytes(const struct plan *p, const struct plan_layer *l, int j,
                          const struct region *r)
{
    const int v = l->in[j];
    struct region load = *r;
    if (!plan_is_mapped(p, l, j) && r->n_row == plan_dims(p, l->out).h &&
        plan_n_chunk_of_image(p, l) == 1)
        return (double)(r->n_image * plan_image_bytes(p, v));
    return plan_load_region(p, l, j, r, &load) ? (double)plan_region_bytes(p, v, &load) : 0;
}

static struct moves loads_of(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l, const struct region *r)
{
    struct moves moves = {0};
    for (int j = 0; j < l->n_in && l->loads >> j; j++)
        if (l->loads >> j & 1)
            add_move(&moves, s, p, l->in[j], input_bytes(p, l, j, r), false);
    return moves;
}

static double output_bytes(const struct plan *p, const struct plan_layer *l, int k,
                           const struct region *r)
{
    const struct region part = plan_output_region(p, l, k, r);
    return (double)plan_region_bytes(p, l->outs[k], &part);
}

static struct moves stores_of(const struct systolic *s, const struct plan *p,
                              const struct plan_layer *l, const struct region *r)
{
    struct moves moves = {0};
    for (int k = 0; k < l->n_out; k++)
        if (l->stores >> k & 1)
            add_move(&moves, s, p, l->outs[k], output_bytes(p, l, k, r), true);
    return moves;
}

/* The DMA engine moves a chunk in n_copy copies, when what was there before is done with; the
 * number of its last block. */
static uint64_t transfer(struct units *u, const struct moves *m, int n_copy, uint64_t after)
{
    enum { WAIT_COPY_SET = 3 };
    uint64_t block = 0, n_insn = (uint64_t)n_copy * (after > 0 ? WAIT_COPY_SET : WAIT_COPY_SET - 1);
    for (int i = 0; i < N_BUS; i++) {
        if (m->cyc[i] + m->tail_cyc[i] <= 0)
            continue;
        block = systolic_units_block_begin(u, i, ceil(m->cyc[i]), m->tail_cyc[i], n_insn, after);
        n_insn = 0;
    }
    return block;
}

/* Weights that are to stay come as a block before the layer's first tile is asked for. */
static void load_weights(struct units *u, uint64_t now_cyc)
{
    const struct systolic *s = u->s;
    const double bytes = (double)u->l->stored_bytes;
    struct moves moves = {0};
    if (!u->l->resident || u->l->weights_of != u->l->index)
        return;
    if (s->stream_bytes_per_cyc > 0)
        moves.cyc[BUS_MEMORY] = bytes / s->stream_bytes_per_cyc;
    moves.tail_cyc[BUS_MEMORY] = s->first_byte_cyc + s->cfg.dma_setup_ns * 1e-9 * s->clock_hz;
    u->weights = transfer(u, &moves, 1, now_cyc);
    u->work.bytes += bytes;
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
    struct ahead *a = &u->ahead;
    const uint64_t before = systolic_units_arrival(u, a->blocks.n_block);
    double *bus = &a->blocks.bus[u->bus.index];
    a->host = MAX(MAX(a->host, before), units_issue(u, UNIT_HOST));
    a->host = MAX(a->host, u->begin);
    *bus = MAX(*bus, (double)a->host) + n * row;
    a->host += cycles_ceil(cycles);
    u->work.blocks += cycles;
    units_issue(u, UNIT_HOST);
    u->free[UNIT_ACTIVATION] = MAX(u->free[UNIT_ACTIVATION], a->host); /* the barrier */
}

/* A chunk of the layer, whose inputs come with the block of number `loaded`, and what its outputs
 * overwrite has left with that of number `stored`; 0: there is none. Where chunks share their
 * inputs, tiles were asked for before that. */
static void compute(struct units *u, const struct region *r, uint64_t loaded, uint64_t stored,
                    bool is_first)
{
    const struct systolic *s = u->s;
    const bool ahead = u->l->kind == LAYER_MATRIX && plan_n_chunk_of_pixels(u->p, u->l) > 1;
    if (!ahead)
        systolic_units_wait_stored(u, stored);
    if (u->l->kind == LAYER_MATRIX) {
        systolic_nest_run(u, r, loaded, ahead ? stored : 0, is_first);
        return;
    }
    systolic_units_wait_inputs(u, UNIT_ACTIVATION, loaded);
    if (u->l->kind == LAYER_LOOKUP) {
        look_up(u, r);
        return;
    }
    const struct plan_step step = {.layer = u->l->index, .region = *r};
    const uint64_t cycles = systolic_share_cyc(s, systolic_vector_cyc(s, u->p, &step));
    if (u->n_array > 1 && is_first)
        units_next(u, UNIT_ACTIVATION); /* Sync wait for those of the others */
    units_next(u, UNIT_ACTIVATION);
    u->free[UNIT_ACTIVATION] += cycles;
    u->work.activation += (double)cycles;
    units_next(u, UNIT_ACTIVATION);
}

/* Of an image as many rows of chunks, of each of these columns, and of each of these channels. */
struct chunks {
    int64_t n, n_row, n_col, n_channel;
    int64_t alike; /* those that are so only together */
    int n_load;
    int64_t first; /* of the image, the row, the pixels */
};

/* The next chunk is loaded ahead of computing this one, whose results are then stored. */
static void run_chunk(struct units *u, const void *arg, int64_t i)
{
    const struct chunks *c = arg;
    const int64_t at = c->first + i;
    const struct region r = plan_chunk(u->p, u->l, at);
    const uint64_t loaded = u->loaded;
    const bool resident = plan_is_resident(u->p, u->l);
    if (at + 1 < c->n && c->n_load > 0) {
        const struct region next = plan_chunk(u->p, u->l, at + 1);
        const struct moves loads = loads_of(u->s, u->p, u->l, &next);
        u->loaded = transfer(u, &loads, c->n_load, u->done);
    }
    const uint64_t stored = resident ? u->ahead.stored : u->stored[1];
    compute(u, &r, loaded, stored, at == 0);
    u->done = u->free[UNIT_ACTIVATION];
    if (!u->l->stores)
        return;
    const struct moves stores = stores_of(u->s, u->p, u->l, &r);
    u->stored[1] = u->stored[0];
    u->stored[0] = transfer(u, &stores, __builtin_popcount(u->l->stores), u->done);
}

/* During the last but one of each dimension the last one is loaded, which may be smaller. */
static void run_inner(struct units *u, const struct chunks *c, int64_t n, int64_t size,
                      void (*step)(struct units *u, const void *arg, int64_t i))
{
    systolic_units_repeat(u, n - 1, size % c->alike ? c->alike : 1, step, c);
    step(u, c, n - 1);
}

static void run_pixels(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first += i * c.n_channel;
    run_inner(u, &c, c.n_channel, 1, run_chunk);
}

static void run_row(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first += i * c.n_col * c.n_channel;
    run_inner(u, &c, c.n_col, c.n_channel, run_pixels);
}

static void run_image(struct units *u, const void *arg, int64_t i)
{
    struct chunks c = *(const struct chunks *)arg;
    c.first = i * c.n_row * c.n_col * c.n_channel;
    run_inner(u, &c, c.n_row, c.n_col * c.n_channel, run_row);
}

static bool loads_as_much(const struct units *u, int64_t i, int64_t j)
{
    const struct region a = plan_chunk(u->p, u->l, i), b = plan_chunk(u->p, u->l, j);
    const struct moves x = loads_of(u->s, u->p, u->l, &a), y = loads_of(u->s, u->p, u->l, &b);
    return !memcmp(x.cyc, y.cyc, sizeof(x.cyc));
}

/* Of n chunks, so many apart load as much: what a move needs may lie in one image, then in two. n
 * where that is not found. */
static int64_t loads_alike(const struct units *u, int64_t n)
{
    enum { MOST = 32 };
    bool is_mapped = false;
    for (int j = 0; j < u->l->n_in; j++)
        is_mapped |= (u->l->loads >> j & 1) && plan_is_mapped(u->p, u->l, j);
    for (int64_t period = 1; is_mapped && period < MIN(n, MOST); period++) {
        int64_t i = 1; /* the last may be smaller */
        while (i < MIN(n - 1 - period, 3 * MOST) && loads_as_much(u, i, i + period))
            i++;
        if (i >= MIN(n - 1 - period, 3 * MOST))
            return period;
    }
    return is_mapped ? n : 1;
}

static void run_layer(struct units *u, uint64_t now_cyc)
{
    const struct region first = plan_chunk(u->p, u->l, 0);
    const struct dims o = plan_dims(u->p, u->l->out);
    const int64_t in_image = plan_n_chunk_of_image(u->p, u->l);
    struct chunks c = {.n = plan_n_chunk(u->p, u->l),
                       .n_row = int64_div_up(o.h, u->l->chunk_row),
                       .n_channel = plan_n_chunk_of_pixels(u->p, u->l),
                       .alike = 1,
                       .n_load = __builtin_popcount(u->l->loads)};
    c.n_col = in_image / c.n_row / c.n_channel;
    if (c.n > 3 && u->l->kind == LAYER_MATRIX) /* else all are worked off */
        c.alike = systolic_nest_alike(u, &first);
    const int64_t loads = loads_alike(u, c.n);
    c.alike *= loads / int64_gcd(loads, c.alike);
    load_weights(u, now_cyc);
    if (c.n_load > 0) {
        const struct moves moves = loads_of(u->s, u->p, u->l, &first);
        u->loaded = transfer(u, &moves, c.n_load, now_cyc);
    }
    run_inner(u, &c, c.n / in_image, in_image, run_image);
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

/* What a layer on the host makes leave the chip: what it reads and nobody stored before. */
static struct moves host_stores_of(const struct systolic *s, const struct plan *p,
                                   const struct plan_layer *l)
{
    struct moves moves = {0};
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (!h->loaded && h->resident && !h->stored && !is_stored(p, l, j))
            add_move(&moves, s, p, l->in[j],
                     (double)(shape_count(&p->graph->values[l->in[j]].shape) *
                              plan_element_bytes(p, l->in[j])),
                     true);
    }
    return moves;
}

static struct row row_begin(void)
{
    struct row row = {0};
    systolic_blocks_clear(&row.ahead.blocks);
    return row;
}

/* A layer has ended after so many cycles: whole ones. */
static uint64_t row_move(struct row *row, double cycles)
{
    const uint64_t whole = (uint64_t)(cycles + 0.5);
    row->now_cyc += whole;
    return whole;
}

/* What the units do over the layer's end, which comes `later` than they have it. */
static void row_keep(struct row *row, const struct units *u, uint64_t later)
{
    const struct queue *q = &u->queues[UNIT_ACTIVATION];
    struct ahead *a = &row->ahead;
    *a = u->ahead;
    a->taken = q->taken[q->i] + q->moved + later;
    a->request = u->free[UNIT_WEIGHTS] + later;
    systolic_blocks_delay(&a->blocks, (double)later);
    for (int i = 0; i < N_BUS; i++)
        a->blocks.bus[i] += (double)later;
    for (int i = 0; i < u->n_slot; i++)
        a->slots[i] += later;
    a->shadow += later;
    a->issue += later;
    a->next_read += later;
    a->before.end_cyc += later;
    a->stored = u->l->stores ? u->stored[0] : a->stored;
    row->end_cyc = MAX(row->now_cyc, cycles_ceil(systolic_blocks_end(&a->blocks)));
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

static uint64_t take_host(const struct systolic *s, const struct plan *p,
                          const struct plan_layer *l, struct row *row)
{
    struct ahead *a = &row->ahead;
    const struct moves stores = host_stores_of(s, p, l);
    const double begin = (double)MAX(row->now_cyc, a->host);
    for (int i = 0; i < N_BUS; i++) {
        const struct blocks_waiting w = {i, begin, stores.cyc[i], stores.tail_cyc[i]};
        if (w.left_cyc + w.tail_cyc > 0)
            a->stored = systolic_blocks_add(&a->blocks, s->burst_cyc, &w);
    }
    const double arrived = systolic_blocks_arrival(&a->blocks, s->burst_cyc, a->blocks.n_block);
    a->host = cycles_ceil(MAX(begin, arrived)) + systolic_host_cyc(s, p, l);
    row->end_cyc = a->host;
    return row_move(row, is_waited_for(p, l) ? (double)(a->host - row->now_cyc) : 0);
}

/* A pass of a layer that shares its group: cycles from now on, its inputs there after `load`. */
static uint64_t run_turn(struct units *u, const struct systolic *s, const struct plan *p,
                         const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc,
                         int64_t i_chunk, double load, bool is_first)
{
    const struct region r = plan_chunk(p, l, i_chunk);
    systolic_units_begin(u, s, p, l, ahead, now_cyc);
    u->begin = now_cyc + cycles_ceil(load);
    if (is_first)
        load_weights(u, now_cyc);
    compute(u, &r, 0, 0, true);
    return u->free[UNIT_ACTIVATION] - now_cyc;
}

/* Its tiles come over the bus of its transfers. */
static bool shares_bus(const struct systolic *s, const struct plan_layer *l)
{
    return l->streamed || (systolic_has_dram(s) && !systolic_from_buffer(l));
}

/* A layer that shares its group: a pass a chunk, each behind a barrier, while the host link moves
 * what the chunks before and behind need. The group's last layer bears what the link takes longer
 * than all computing. */
static uint64_t take_turns(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, struct row *row, struct work *work)
{
    const struct plan_group *g = &p->groups[l->group];
    const bool is_first = l->index == g->first, is_last = l->index == g->last;
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, l->n_turn - 1);
    const double n = (double)MIN(plan_n_full_turn(p, l), l->n_turn - 1);
    const double n_z = (double)l->n_turn - n; /* the last one, or all shorter ones */
    const struct moves loads_a = loads_of(s, p, l, &first), loads_z = loads_of(s, p, l, &last);
    const struct moves stores_a = stores_of(s, p, l, &first), stores_z = stores_of(s, p, l, &last);
    const double load_a = moves_cyc(&loads_a), load_z = moves_cyc(&loads_z);
    const double store_a = moves_cyc(&stores_a), store_z = moves_cyc(&stores_z);
    struct ahead ahead = row->ahead;
    struct units u;
    uint64_t now = row->now_cyc;
    const uint64_t begin = run_turn(&u, s, p, l, &ahead, now, 0, is_first ? load_a : 0, true);
    const struct work none = {0};
    systolic_units_add_work(work, &u.work, &none, 1);
    if (now == 0) { /* later passes come behind one, as that of the run's first layer does not */
        ahead = u.ahead;
        now = begin;
    }
    ahead.tile = 0;
    ahead.blocks.n_block = ahead.blocks.n_arrived; /* what the first one found has moved */
    ahead.blocks.due = INFINITY;
    ahead.stored = MIN(ahead.stored, ahead.blocks.n_block);
    const uint64_t again = run_turn(&u, s, p, l, &ahead, now, 0, 0, false);
    systolic_units_add_work(work, &u.work, &none, n - 1);
    const uint64_t end = run_turn(&u, s, p, l, &ahead, now, l->n_turn - 1, 0, false);
    systolic_units_add_work(work, &u.work, &none, n_z);
    if (is_first)
        row->group_cyc = row->link_cyc = row->tile_cyc = 0;
    double cycles =
        (double)begin + (n - 1) * (double)again + n_z * (double)end + (is_last ? store_z : 0);
    row->group_cyc += cycles;
    row->link_cyc += n * (load_a + store_a) + n_z * (load_z + store_z);
    row->tile_cyc += shares_bus(s, l) ? work->bus : 0;
    if (is_last) {
        const double other = MAX(row->group_cyc - row->tile_cyc, 0);
        const double by_link = row->link_cyc + row->tile_cyc + other / (double)l->n_turn;
        cycles += MAX(by_link - row->group_cyc, 0);
    }
    const uint64_t whole = row_move(row, cycles);
    row_keep(row, &u, row->now_cyc - (now + end));
    return whole;
}

/* A layer that is alone in its group. */
static uint64_t take_alone(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, struct row *row, struct work *work)
{
    struct units u;
    systolic_units_begin(&u, s, p, l, &row->ahead, row->now_cyc);
    run_layer(&u, row->now_cyc);
    const bool ends = l->index == p->n_layer - 1; /* the run, once all is stored */
    const uint64_t n_block = u.ahead.blocks.n_block;
    const uint64_t stored = ends && n_block > 0 ? systolic_units_arrival(&u, n_block) : 0;
    const uint64_t end = MAX(MAX(u.free[UNIT_ACTIVATION], stored), ends ? u.ahead.host : 0);
    const uint64_t cycles = row_move(row, (double)(end - row->now_cyc));
    row_keep(row, &u, 0);
    *work = u.work;
    return cycles;
}

/* The cycles that a layer takes behind those before it, and its work, which is zero. */
static uint64_t take_layer(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, struct row *row, struct work *work)
{
    if (s->cfg.timing == TIMING_SCALESIM)
        return row_move(row, (double)systolic_scalesim_layer_cyc(s, l));
    if (l->kind == LAYER_HOST)
        return take_host(s, p, l, row);
    return l->n_turn > 1 ? take_turns(s, p, l, row, work) : take_alone(s, p, l, row, work);
}

/* What follows other layers finds the first tiles asked for long before, and the controller as far
 * ahead as a queue is long. Turns of one that shares its group come behind one another, and find
 * the bus and the FIFO as those leave them. */
struct cost systolic_cost(const void *self, const struct plan *p, const struct plan_layer *l,
                          bool follows)
{
    const struct systolic *s = self;
    const uint64_t begin_cyc = follows && l->n_turn == 1 ? UINT64_C(1) << 24 : 0;
    struct row row = row_begin();
    struct work work = {0};
    row.now_cyc = begin_cyc;
    if (begin_cyc > 0) {
        struct ahead *a = &row.ahead;
        a->issue = a->taken = begin_cyc - (uint64_t)MIN(s->cfg.queue_depth, MOST_QUEUED);
        a->any_read = true;
    }
    const uint64_t cycles = take_layer(s, p, l, &row, &work);
    return (struct cost){.cycles = (double)cycles,
                         .end_cyc = (double)(MAX(row.end_cyc, row.now_cyc) - begin_cyc),
                         .parameter_bytes = floor(work.bytes + 0.5)};
}

/* The array's stalls are those of its cycles in which it does not work. */
static void put_stalls(const struct work *w, uint64_t cycles, uint64_t *stall_cyc)
{
    const double idle = MAX((double)cycles - ceil(w->busy), 0);
    const double stall = MIN(w->stall, idle), shift = MIN(w->shift, idle - stall);
    stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)stall;
    stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    stall_cyc[CAUSE_INPUT] = (uint64_t)MIN(w->input, idle);
}

void systolic_cost_layers(const struct systolic *s, const struct plan *p, struct record *r)
{
    struct row row = row_begin();
    for (int i = 0; i < p->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        struct work work = {0};
        l->start_cycle = row.now_cyc;
        l->cycles = take_layer(s, p, &p->layers[i], &row, &work);
        l->end_cycle = row.now_cyc;
        put_stalls(&work, l->cycles, l->stall_cyc);
    }
    r->total_cyc = row.now_cyc;
}
