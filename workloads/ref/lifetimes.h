/* SPDX-License-Identifier: Apache-2.0 */
/* Where the values of one step live: which of them share memory, when that memory is needed, and
 * its place in one block that all activations of a step share. */
#pragma once

#include "sim/base/arena.h"
#include "workloads/graph.h"

/* Owner of a value whose data is there before the step: an input, a parameter, a constant, a state,
 * or another shape of one. */
#define LIFETIME_FED (-1)

struct lifetimes {
    int *owner; /* by value: the value that the memory was made for, or LIFETIME_FED */
    int *last;  /* by owner: the node after which the memory is free, n_node where it is fetched or
                 * a state's next */
    int64_t *offset; /* by owner: bytes into the block; -1: memory of its own */
    int *n_due;      /* by value: reads by nodes, one more where it is wanted, one for each state
                      * that it is the next of */
    int64_t block_bytes;
};

/* `want` are flags by value. Everything is allocated in the arena. A graph whose block has more
 * than 2^62 bytes has block_bytes INT64_MAX, which no allocation grants. */
struct lifetimes lifetimes_of(const struct graph *g, const bool *want, struct arena *arena);
