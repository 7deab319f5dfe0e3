/* SPDX-License-Identifier: Apache-2.0 */
/* Checked arithmetic on sizes that come from input: each returns false on overflow and leaves
 * *out undefined. Negative results of the int64 forms are legal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool size_mul(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool int64_mul(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool int64_add(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

/* ceil(a / b) for a >= 0, b > 0. */
static inline int64_t int64_div_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

/* The greatest common divisor; of a and 0 it is a. */
static inline int64_t int64_gcd(int64_t a, int64_t b)
{
    while (b > 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
