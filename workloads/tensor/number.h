/* SPDX-License-Identifier: Apache-2.0 */
/* Number formats and conversions between them, round to nearest, ties to even; integers
 * saturate, NaN becomes 0 in an integer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum number {
#define NUMBER(name, bits, help) NUMBER_##name,
#include "workloads/tensor/numbers.def"
#undef NUMBER
    NUMBER_COUNT
};

extern const char *const number_names[NUMBER_COUNT + 1]; /* NULL-terminated, for CFG_ENUM */
extern const int number_bits[NUMBER_COUNT];
static inline size_t number_bytes(enum number n)
{
    return (size_t)number_bits[n] / 8;
}

bool number_from_name(const char *name, enum number *out);

uint16_t fp16_from_fp32(float x);
float fp32_from_fp16(uint16_t h);
uint16_t bf16_from_fp32(float x);
float fp32_from_bf16(uint16_t h);
int8_t int8_from_fp32(float x);
int16_t int16_from_fp32(float x);
int32_t int32_from_fp32(float x);
uint16_t fp16_from_fp64(double x); /* one rounding, not two */

/* n elements of format `from` at src into format `to` at dst; the ranges do not overlap. Through
 * fp64 where a format is fp64 or int32, through fp32 otherwise, with a single rounding. */
void number_convert(void *dst, enum number to, const void *src, enum number from, size_t n);
