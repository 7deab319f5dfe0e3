/* SPDX-License-Identifier: Apache-2.0 */
/* The units of an array as systolic_proc.c has them, each the cycle from which it is free, moved on
 * instruction by instruction in program order: the recurrence under the analytic model. */
#pragma once

#include "arch/systolic/systolic_blocks.h"
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_rules.h"

/* So many tiles of a FIFO, instructions of a queue and places of the accumulators are looked back
 * at. A FIFO or accumulators with more are modelled as if they had these, and a longer queue as if
 * it were never full: what was begun so long ago has ended before it could hold anything up. */
enum { MOST_SLOTS = 64, MOST_QUEUED = 64, MOST_PLACES = 64 };

/* What goes on over a layer's end. Cycles count from the begin of the run. */
struct ahead {
    struct blocks blocks;       /* of the DMA engine, and when memory and link are free */
    uint64_t request;           /* the last tile was asked for */
    uint64_t slots[MOST_SLOTS]; /* of the FIFO: free */
    uint64_t i_slot;            /* of the last tile */
    uint64_t shadow;            /* registers: free */
    uint64_t issue;             /* the controller's next instruction */
    uint64_t next_read;         /* the next block's Read_Weights was issued, */
    bool any_read;              /* if one was */
    uint64_t taken;             /* the activation unit's oldest instruction that has a place */
    uint64_t host;              /* the DMA engine has done what is no block of its */
    uint64_t stored;            /* number of the last block that was stored */
    uint64_t tile;              /* of struct held, of the last block */
    struct in_array before;
};

/* A unit's queue: when the instructions that had its places were taken from it. */
struct queue {
    uint64_t taken[MOST_QUEUED]; /* less `moved`, by which all of them have been put off */
    uint64_t moved;
    int i;            /* place of the next one */
    uint64_t n_taken; /* in all */
};

/* A bus: its rate, 0 for what takes no time, and what each tile takes besides: before it, on the
 * bus itself, and behind it. */
struct bus {
    int index;
    double bytes_per_cyc, start_cyc, first_byte_cyc;
};

/* Work of a unit, and what a record tells. */
struct work {
    double bus, ports, activation, blocks, tile, bytes, busy, stall, shift, input;
};

struct units {
    const struct systolic *s;
    const struct plan *p;
    const struct plan_layer *l;
    struct cut cut;
    int64_t n_slot, n_queued;    /* n_queued 0: queues are never full */
    int64_t piece_rows;          /* 0: blocks leave in one piece */
    uint64_t piece_cyc;          /* that such a piece needs to leave */
    double tile_cyc, stream_cyc; /* of a whole tile on the bus; of a usual stream */
    struct bus bus;              /* that its tiles come over */
    int64_t n_array;
    uint64_t host_issue;         /* of the host's controller, where it has its own */
    uint64_t address_cyc;        /* of a tile: arrays take turns, one alone waits for none */
    int64_t block_tiles;         /* fetched for a block */
    bool slots_bind;             /* the FIFO's, not the bus, say when the next tile comes */
    double reads;                /* tiles that the memory reads for each of this array's */
    double crowd;                /* arrays at work, for each port of the buffer */
    double ports;                /* of the buffer: free */
    double fetched[MOST_SLOTS];  /* when tiles that were fetched ahead have been moved */
    int n_ahead, i_ahead;        /* so many, and those that have been used */
    bool abreast, abreast_ports; /* arrays begin all at once to read from memory, and buffer */
    uint64_t late;               /* cycles that other arrays are behind this one */
    struct ahead ahead;
    struct queue queues[N_UNIT];
    uint64_t free[N_UNIT];
    uint64_t sums;                 /* are in the accumulators */
    uint64_t drained[MOST_PLACES]; /* what lies there */
    int n_place, i_place;
    int64_t n_placed;     /* since the layer began */
    uint64_t begin, done; /* of the layer; the outputs of the last chunk are in the buffer */
    /* Numbers of blocks: the inputs of the next chunk, 0 where it loads none, and the outputs of
     * the last two, the last first. */
    uint64_t loaded, stored[2];
    uint64_t weights; /* the block that brings weights which stay; 0: none */
    uint64_t n_insn;  /* issued */
    struct work work;
};

/* A place of a unit's queue behind another. */
static inline int units_next_queued(const struct units *u, int i)
{
    return i + 1 < u->n_queued ? i + 1 : 0;
}

/* The controller puts the next instruction into the unit's queue: where there are several arrays
 * the host has one of its own. */
static inline uint64_t units_issue(struct units *u, enum unit unit)
{
    const struct queue *q = &u->queues[unit];
    uint64_t *issue = unit == UNIT_HOST && u->n_array > 1 ? &u->host_issue : &u->ahead.issue;
    const uint64_t at = MAX(*issue, q->taken[q->i] + q->moved);
    *issue = at + 1;
    u->n_insn++;
    return at;
}

/* The unit comes to it. */
static inline void units_take(struct units *u, enum unit unit, uint64_t issued)
{
    struct queue *q = &u->queues[unit];
    const uint64_t now = MAX(u->free[unit], issued);
    u->free[unit] = now;
    q->n_taken++;
    q->taken[q->i] = u->n_queued ? now - q->moved : 0;
    q->i = units_next_queued(u, q->i);
}

static inline void units_next(struct units *u, enum unit unit)
{
    units_take(u, unit, units_issue(u, unit));
}

/* Cycles of n transfers of so many bytes on the bus. */
static inline double units_bus_cyc(const struct units *u, double n, double bytes)
{
    return n * (bytes / u->bus.bytes_per_cyc + u->bus.start_cyc);
}

/* Whether blocks of the DMA engine move over the bus of tiles. */
static inline bool units_shares_bus(const struct units *u)
{
    return u->ahead.blocks.due < INFINITY &&
           systolic_blocks_first(&u->ahead.blocks)->bus == u->bus.index;
}

/* Where the FIFO is too shallow for the memory's latency its slots are waited for in turn, so that
 * as many tiles come together, and a burst waits for as many: after how many steps of so many tiles
 * it begins anew. */
static inline int64_t units_alike(const struct units *u, int64_t tiles)
{
    const bool in_turn = u->slots_bind || units_shares_bus(u);
    return in_turn && tiles > 0 ? u->n_slot / int64_gcd(u->n_slot, tiles) : 1;
}

/* Adds n times what `to` has beyond `from`. */
void systolic_units_add_work(struct work *sum, const struct work *to, const struct work *from,
                             double n);
void systolic_units_begin(struct units *u, const struct systolic *s, const struct plan *p,
                          const struct plan_layer *l, const struct ahead *ahead, uint64_t now_cyc);

/* A block of the DMA engine, which takes so many cycles of the bus and then arrives tail_cyc later.
 * It is issued behind the instructions so far, `insns` of them its own, and waits until after_cyc.
 * Returns its number. */
uint64_t systolic_units_block_begin(struct units *u, int bus, double cyc, double tail_cyc,
                                    uint64_t insns, uint64_t after_cyc);
/* So many tiles of what is multiplied next, as far as they find a slot, are fetched before its
 * inputs have arrived: what comes first finds them there. */
void systolic_units_fetch_ahead(struct units *u, int64_t n_tile);
/* When it has arrived; of number 0 the begin of the layer. */
uint64_t systolic_units_arrival(struct units *u, uint64_t n);
/* The unit waits for the inputs of a chunk, which come with that block: when it has arrived. */
uint64_t systolic_units_wait_inputs(struct units *u, enum unit unit, uint64_t block);
/* What the outputs of a chunk overwrite has been stored, with that block; 0: with none. */
void systolic_units_wait_stored(struct units *u, uint64_t block);

/* Calls step(u, arg, i) for i of [0, n), but for many that lie between the first and the last ones:
 * by these each unit is moved on. What is repeated is alike for every `period`-th. */
void systolic_units_repeat(struct units *u, int64_t n, int64_t period,
                           void (*step)(struct units *u, const void *arg, int64_t i),
                           const void *arg);

void systolic_units_block(struct units *u, const struct block *b);

/* The memory reads so many columns of weights, each with all of K, for other arrays alone: when the
 * last one is there. */
uint64_t systolic_units_others_read(struct units *u, double columns);
