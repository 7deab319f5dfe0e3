/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/shuffle.h"

#include <glib.h>

#include "sim/base/mix.h"

enum {
    N_ROUND = 8
}; /* four make a pseudorandom permutation of large domains; small ones need more */

struct shuffle shuffle_make(int64_t n, uint64_t seed, uint64_t epoch)
{
    g_assert(n >= 1 && n <= INT64_C(1) << 62);
    struct shuffle s = {.n = (uint64_t)n, .half_bits = 1};
    s.key = mix64(mix64(seed + MIX64_STEP) + epoch);
    while (s.half_bits < 31 && UINT64_C(1) << 2 * s.half_bits < s.n)
        s.half_bits++;
    return s;
}

static uint64_t encipher(const struct shuffle *s, uint64_t x)
{
    const uint64_t mask = (UINT64_C(1) << s->half_bits) - 1;
    uint64_t left = x >> s->half_bits, right = x & mask;
    for (uint64_t round = 0; round < N_ROUND; round++) {
        const uint64_t next = left ^ (mix64(s->key + (round << 32 | right) * MIX64_STEP) & mask);
        left = right;
        right = next;
    }
    return left << s->half_bits | right;
}

int64_t shuffle_at(const struct shuffle *s, int64_t i)
{
    uint64_t x = (uint64_t)i;
    do
        x = encipher(s, x);
    while (x >= s->n);
    return (int64_t)x;
}
