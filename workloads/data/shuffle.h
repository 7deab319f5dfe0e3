/* SPDX-License-Identifier: Apache-2.0 */
/* A permutation of 0 .. n-1 that is a function of (seed, epoch) and takes no memory: a Feistel
 * network over the smallest 4^k >= n, walked until it falls below n (Black & Rogaway 2002, "Ciphers
 * with Arbitrary Finite Domains", methods 2 and 3). */
#pragma once

#include <stdint.h>

struct shuffle {
    uint64_t n, key;
    int half_bits;
};

/* n from 1 to 2^62. */
struct shuffle shuffle_make(int64_t n, uint64_t seed, uint64_t epoch);
/* Where i, below n, goes. */
int64_t shuffle_at(const struct shuffle *s, int64_t i);
