/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-point requantisation: a sum of integers times a real factor, rounded to an integer, as
 * hardware does it with a multiplier, an adder and a shift. */
#pragma once

#include <stdint.h>

/* The factor mult / 2^shift, 0 <= mult < 2^31, 1 <= shift <= 62. */
struct requant {
    int32_t mult;
    int shift;
};

/* Two factors, from 0 on and at most 2^28 of each, with one shift, so that what they are of can be
 * added before it is rounded. */
void requant_make_two(double a, double b, struct requant out[2]);
struct requant requant_make(double factor); /* 0 <= factor <= 2^29 */

/* Rounds half up (towards +infinity), as one adder and a shift do. */
static inline int64_t requant_round(int64_t acc, struct requant r)
{
    return (int64_t)(((__int128)acc * r.mult + ((__int128)1 << (r.shift - 1))) >> r.shift);
}

/* Both by requant_make_two(): one rounding. */
static inline int64_t requant_round_two(int64_t x, struct requant a, int64_t y, struct requant b)
{
    const __int128 sum = (__int128)x * a.mult + (__int128)y * b.mult;
    return (int64_t)((sum + ((__int128)1 << (a.shift - 1))) >> a.shift);
}

static inline int8_t requant_clamp(int64_t y, int8_t lo)
{
    return (int8_t)(y < lo ? lo : y > 127 ? 127 : y);
}
