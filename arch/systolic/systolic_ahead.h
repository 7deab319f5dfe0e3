/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model's own: what it keeps from layer to layer, and of a queue, a bus and the work
 * done. */
#pragma once

#include "arch/systolic/systolic_core.h"

/* So many tiles of a FIFO, instructions of a queue and places of the accumulators are looked back
 * at. A FIFO or accumulators with more are modelled as if they had these, and a longer queue as if
 * it were never full: what was begun so long ago has ended before it could hold anything up. */
enum { MOST_SLOTS = 64, MOST_QUEUED = 64, MOST_PLACES = 64 };

/* What weights come over: the weight memory's bus, where other layers' values take its place at the
 * FIFO, or of a layer that is streamed the host link. */
enum { BUS_WEIGHTS, BUS_LINK, N_BUS };

/* What goes on over a layer's end: of cost_state. Cycles count from the begin of the run. */
struct ahead {
    double bus[N_BUS];          /* free */
    double gap, gap_end;        /* before the DMA's last transfers the link is free, from when on */
    uint64_t request;           /* the last tile was asked for */
    uint64_t slots[MOST_SLOTS]; /* of the FIFO: free */
    uint64_t i_slot;            /* of the last tile */
    uint64_t shadow;            /* registers: free */
    uint64_t issue;             /* the controller's next instruction */
    uint64_t next_read;         /* the next block's Read_Weights was issued, */
    uint64_t any_read;          /* if one was */
    uint64_t taken;             /* the activation unit's oldest instruction that has a place */
    uint64_t host, stored;      /* the DMA is free, and has stored what was to be */
    uint64_t tile;              /* address of the last block's only one, and 1; 0: it had several */
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
    double bus, ports, activation, host, tile, bytes, busy, stall, shift, input;
};
