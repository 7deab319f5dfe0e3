/* SPDX-License-Identifier: Apache-2.0 */
/* Whole cycles from fractions of a cycle, rounded up. */
#pragma once

#include <stdint.h>

/* A millionth of a cycle is rounding, not time: 30 bytes of a tenth of a cycle take 3 cycles. */
#define CYCLES_SLACK 1e-6

/* Of [0, 2^63) cycles. Without ceil(), a call on processors that may lack SSE4.1. */
static inline uint64_t cycles_ceil(double cyc)
{
    const double at = cyc - CYCLES_SLACK;
    const int64_t whole = (int64_t)at;
    return (uint64_t)(whole + (at > (double)whole));
}

static inline uint64_t cycles_from_ns(double ns, double clock_hz)
{
    return cycles_ceil(ns * clock_hz / 1e9);
}

/* 1 GB = 1e9 bytes */
static inline double cycles_per_byte(double bandwidth_gb_s, double clock_hz)
{
    return clock_hz / (bandwidth_gb_s * 1e9);
}
