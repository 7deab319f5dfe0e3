/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point numbers as their bits, and back. */
#pragma once

#include <stdint.h>
#include <string.h>

static inline uint32_t bits_of_fp32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof(u));
    return u;
}

static inline float fp32_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof(x));
    return x;
}

static inline uint64_t bits_of_fp64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof(u));
    return u;
}

static inline double fp64_of_bits(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof(x));
    return x;
}
