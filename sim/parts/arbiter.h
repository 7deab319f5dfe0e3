/* SPDX-License-Identifier: Apache-2.0 */
/* Two ports of a memory or a link, which are served in turn. One takes requests (tiles of weights),
 * one behind the other; the other takes a block at a time (a DMA engine's) and moves it in bursts.
 * A port asks for its next request or burst when its last one has been moved, and what was asked
 * for first is moved first: so each port has half of the bandwidth while both have something to
 * move, a request for a burst, and all of it while the other has nothing.
 *
 * Nothing happens between calls: what was due by then is asked for when somebody asks for something
 * more or looks for what he has asked for. now_cyc of calls does not decrease.
 *
 * Legal order: arbiter_init(); any number of calls; arbiter_clear(). A block is begun when the one
 * before has arrived. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/parts/dram.h"
#include "sim/parts/link.h"

/* A request that waits, and its bytes with those of all before it. */
struct arbiter_waiting {
    struct dram_request request;
    uint64_t asked_cyc, sum_bytes;
};

struct arbiter {
    struct dram *dram; /* not owned; NULL: it is */
    struct link *link; /* not owned */
    uint64_t burst_bytes;
    bool has_blocks; /* else requests need not wait */

    /* The port of requests. Rings of `size` entries, a power of two, by number. */
    struct arbiter_waiting *waiting;
    uint64_t *arrivals;
    uint64_t size, n_asked, n_moved, sum_bytes;
    double request_free_cyc; /* the last one has been moved */

    /* The port of blocks: what of the block has not been asked for. */
    struct dram_request left;
    bool begun; /* some of it has */
    double burst_due_cyc;
    uint64_t block_end_cyc; /* what has been asked for of it has arrived */
    bool burst_was_last;
};

/* Of a memory, or of a link (dram NULL). has_blocks: whether there will be any. */
void arbiter_init(struct arbiter *a, struct dram *dram, struct link *link, uint64_t burst_bytes,
                  bool has_blocks);
void arbiter_clear(struct arbiter *a);

/* Takes a request; returns its number, by which to look for it. */
uint64_t arbiter_ask(struct arbiter *a, const struct dram_request *r, uint64_t now_cyc);
/* Whether it is known when the request arrives: then *at_cyc is the cycle; else when to look again,
 * a later cycle than this one. One that is looked for for the first time when a thousand later ones
 * have been asked for has arrived with the oldest of these at the latest. */
bool arbiter_arrival(struct arbiter *a, uint64_t number, uint64_t now_cyc, uint64_t *at_cyc);

/* Takes a block, which begins to move at begin_cyc or later. */
void arbiter_begin_block(struct arbiter *a, const struct dram_request *block, uint64_t begin_cyc);
/* The same for the block. */
bool arbiter_block_arrival(struct arbiter *a, uint64_t now_cyc, uint64_t *at_cyc);

/* Before somebody asks the memory himself. */
void arbiter_catch_up(struct arbiter *a, uint64_t now_cyc);
