/* SPDX-License-Identifier: Apache-2.0 */
/* A block that leaves the accumulators in pieces: the first tile of k finds the place of each piece
 * empty, the last one drains each of them while the next one passes. */
#include "arch/systolic/systolic_block.h"
#include "sim/base/size.h"

static void between(struct units *u, const void *arg, int64_t i)
{
    block_stream_ws(u, arg, i + 1);
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
    const int64_t n = int64_div_up(b->entries, u->piece_rows);
    struct pieces t = {.n = n, .last_rows = b->entries - (n - 1) * u->piece_rows};
    t.pass = block_pass_ws(u, b, MIN(u->piece_rows, b->entries), i_k);
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
                                            (int64_t)block_stream_cyc(u, t->last_rows)
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
        pieces_stream(u, &t, i < t.n - 1 ? t.pass.stream_cyc : block_stream_cyc(u, t.last_rows));
    }
    pieces_end(u, &t);
}

/* Each piece leaves, as drain() has it, while the next one passes. */
static void drain_pieces(struct units *u, const struct block *b)
{
    struct pieces t = pieces_begin(u, b, u->tiles_k - 1);
    uint64_t drain_cyc = u->piece_cyc;
    u->work.activation += (double)(t.n - 1) * (double)drain_cyc;
    for (int64_t i = 0; i < t.n; i++) {
        const bool last = i == t.n - 1;
        if (i > 0)
            pieces_stream(u, &t, last ? block_stream_cyc(u, t.last_rows) : t.pass.stream_cyc);
        if (last && t.last_rows < u->piece_rows)
            drain_cyc = core_activate_cyc(u->s, t.last_rows);
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
void block_run_pieces(struct units *u, const struct block *b)
{
    const struct rows all = {b, b->entries, 0};
    fill_pieces(u, b);
    if (u->tiles_k > 2)
        units_next(u, UNIT_MATRIX);
    units_repeat(u, u->tiles_k - 2, units_alike(u, 1), between, &all);
    drain_pieces(u, b);
}
