/* SPDX-License-Identifier: Apache-2.0 */
/* A hash of 64 bits to 64, one to one: the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast
 * splittable pseudorandom number generators", variant 13 of Stafford). */
#pragma once

#include <stdint.h>

#define MIX64_STEP UINT64_C(0x9e3779b97f4a7c15) /* SplitMix64's: 2^64 over the golden ratio */

static inline uint64_t mix64(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}
