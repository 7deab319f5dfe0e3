/* SPDX-License-Identifier: Apache-2.0 */
/* The allocator of a memory: what is there for some layers gets an address, so that no two that are
 * there at the same time overlap. First fit, the largest first; weights, which can be streamed,
 * where room is left. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { ROOMS_ALIGN_BYTES = 256 }; /* a row of the widest path into a memory */

/* Something that wants room: a value, a slot of chunks, or the weights of a layer that stay. */
struct room {
    int value, slot, weights; /* two of them -1 */
    uint64_t bytes, address;
    int first, last; /* layers, inclusive */
};

static inline uint64_t rooms_align(uint64_t bytes)
{
    return (bytes + ROOMS_ALIGN_BYTES - 1) / ROOMS_ALIGN_BYTES * ROOMS_ALIGN_BYTES;
}

/* Sorts n rooms of layers below n_layer and gives them addresses; *top_bytes is where the last one
 * ends. Returns the first one that finds no place below capacity_bytes, with those before it
 * placed, or NULL. */
const struct room *rooms_place(struct room *rooms, guint n, int n_layer, uint64_t capacity_bytes,
                               uint64_t *top_bytes);
