/* SPDX-License-Identifier: Apache-2.0 */
/* The DMA engine and the two ports of sim/parts/arbiter.c in the recurrence of the analytic model:
 * blocks that wait or move, whose bursts take turns with the tiles that the arrays ask for. A burst
 * is placed when a tile is asked for behind it, or when somebody waits for its block, so that all
 * of it costs a step or two a tile. */
#pragma once

#include <glib.h>
#include <math.h>
#include <stdint.h>

/* The memory that weights lie in, the link to the host, and the path from the buffer to the FIFO,
 * over which there are no blocks. */
enum { BUS_MEMORY, BUS_LINK, BUS_PATH, N_BUS };

enum { MOST_BLOCKS = 4, MOST_ENDS = 4 };

struct blocks_waiting {
    int bus;
    double begin;    /* it is asked for, if the one before has arrived by then */
    double left_cyc; /* of the bus, for what has not been asked for */
    double tail_cyc; /* from its last cycle on the bus to its arrival */
};

/* Cycles count from the begin of the run. */
struct blocks {
    double bus[N_BUS];   /* free */
    double tile[N_BUS];  /* the last tile has been moved: the next one may be asked for */
    double moved[N_BUS]; /* cycles of bursts so far */
    struct blocks_waiting waiting[MOST_BLOCKS]; /* ring, from that of number n_arrived + 1 on */
    double due;             /* the next burst of the first of them; INFINITY: there is none */
    double ends[MOST_ENDS]; /* ring: when the last ones have arrived, by number */
    uint64_t n_block, n_arrived;
};

static inline void systolic_blocks_clear(struct blocks *b)
{
    *b = (struct blocks){.due = INFINITY};
}

static inline const struct blocks_waiting *systolic_blocks_first(const struct blocks *b)
{
    return &b->waiting[(b->n_arrived + 1) % MOST_BLOCKS];
}

/* The number of a block that takes so many cycles of its bus. burst_cyc: of each bus, of a burst
 * there. */
uint64_t systolic_blocks_add(struct blocks *b, const double burst_cyc[N_BUS],
                             const struct blocks_waiting *block);

/* Bursts that are due up to until_cyc, of blocks up to that of number n. */
void systolic_blocks_move(struct blocks *b, const double burst_cyc[N_BUS], double until_cyc,
                          uint64_t n);

/* So many bursts of the first block, or all that it has left, one after another. */
void systolic_blocks_between(struct blocks *b, const double burst_cyc[N_BUS], int bus, double n);

/* When the bus is free for a tile that is asked for at request_cyc, behind the bursts that are due
 * before it can be. */
static inline double systolic_blocks_before_tile(struct blocks *b, const double burst_cyc[N_BUS],
                                                 int bus, double request_cyc)
{
    const double due = MAX(request_cyc, b->tile[bus]);
    if (b->due <= due && systolic_blocks_first(b)->bus == bus)
        systolic_blocks_move(b, burst_cyc, due, b->n_block);
    return b->bus[bus];
}

/* The tile has been moved at end_cyc. It may stand for n of them, one after the other: with as many
 * bursts between, less one, of a block that waits for its turn. */
static inline void systolic_blocks_tile(struct blocks *b, const double burst_cyc[N_BUS], int bus,
                                        double end_cyc, double n)
{
    b->bus[bus] = end_cyc;
    if (n > 1 && b->due <= end_cyc && systolic_blocks_first(b)->bus == bus)
        systolic_blocks_between(b, burst_cyc, bus, n - 1);
    b->tile[bus] = b->bus[bus];
}

/* When the block of number n has arrived, with nothing more between its bursts; 0 for one of long
 * ago. */
double systolic_blocks_arrival(struct blocks *b, const double burst_cyc[N_BUS], uint64_t n);
/* When all have, in the same way, but that they go on waiting. */
double systolic_blocks_end(const struct blocks *b);

/* Cycles of the bus that blocks which have begun have left; 0: none moves there. */
double systolic_blocks_left(const struct blocks *b, int bus);
/* Of all blocks so far, that have yet to be moved there. */
double systolic_blocks_behind(const struct blocks *b, int bus);
/* So many cycles of bursts more have been moved there, while the bus came to bus_cyc. */
void systolic_blocks_skip(struct blocks *b, int bus, double moved_cyc, double bus_cyc);
/* All blocks are so much later, but not what else moves over the buses. */
void systolic_blocks_delay(struct blocks *b, double cyc);
