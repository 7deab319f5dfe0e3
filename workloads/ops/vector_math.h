/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of fp32 without branches and calls, so that loops over them become vector code, with
 * the same bits on any width. Errors against libm in double are bounded by tests. */
#pragma once

#include <stdint.h>

#include "sim/base/bits.h"

static inline float vm_abs(float x)
{
    return fp32_of_bits(bits_of_fp32(x) & 0x7fffffff);
}

/* |x| with the sign of y. */
static inline float vm_sign(float x, float y)
{
    return fp32_of_bits((bits_of_fp32(x) & 0x7fffffff) | (bits_of_fp32(y) & 0x80000000));
}

/* e^x = 2^n e^r with |r| <= ln(2)/2 in two parts (Cody and Waite 1980), e^r by its series up to
 * r^7; 2^n in two factors, so that results below the normal range are right too. Within 2 ulp. */
static inline float vm_exp(float x)
{
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 1.44269504f + 0x1.8p23f; /* the integer is in the mantissa */
    float n = shifted - 0x1.8p23f;
    float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1;
    int32_t k = (int32_t)(bits_of_fp32(shifted) - bits_of_fp32(0x1.8p23f));
    int32_t half = k >> 1;
    return p * fp32_of_bits((uint32_t)(half + 127) << 23) *
           fp32_of_bits((uint32_t)(k - half + 127) << 23);
}

static inline float vm_sigmoid(float x)
{
    return 1 / (1 + vm_exp(-x));
}

/* Of |x|: the series near 0, where 1 - e^-2x would cancel. */
static inline float vm_tanh(float x)
{
    float a = vm_abs(x), s = a * a;
    float t = vm_exp(-2 * a), far = (1 - t) / (1 + t);
    float p = -1382.0f / 155925;
    p = p * s + 62.0f / 2835;
    p = p * s - 17.0f / 315;
    p = p * s + 2.0f / 15;
    p = p * s - 1.0f / 3;
    float near = a + a * s * p;
    return vm_sign(a < 0.25f ? near : far, x);
}

/* The series near 0, else 1 - erfc(|x|) by a Chebyshev fit of fractional error 1.2e-7 (Press et
 * al.: Numerical Recipes in C, 2nd edition, section 6.2, erfcc). */
static inline float vm_erf(float x)
{
    float a = vm_abs(x), s = a * a;
    float p = 1.0f / 9360;
    p = p * s - 1.0f / 1320;
    p = p * s + 1.0f / 216;
    p = p * s - 1.0f / 42;
    p = p * s + 1.0f / 10;
    p = p * s - 1.0f / 3;
    float near = 1.12837917f * (a + a * s * p);
    float t = 1 / (1 + 0.5f * a);
    float q = 0.17087277f;
    q = q * t - 0.82215223f;
    q = q * t + 1.48851587f;
    q = q * t - 1.13520398f;
    q = q * t + 0.27886807f;
    q = q * t - 0.18628806f;
    q = q * t + 0.09678418f;
    q = q * t + 0.37409196f;
    q = q * t + 1.00002368f;
    q = q * t - 1.26551223f;
    float far = 1 - t * vm_exp(q - s);
    return vm_sign(a < 0.5f ? near : far, x);
}
