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

/* n elements of format `from` at src into format `to` at dst; the ranges do not overlap. With a
 * single rounding; integers keep all their bits. bool is x != 0. */
void number_convert(void *dst, enum number to, const void *src, enum number from, size_t n);
/* The same as frameworks cast: a fraction is cut off, an integer that does not fit wraps; a
 * floating-point number that does not fit saturates. */
void number_cast(void *dst, enum number to, const void *src, enum number from, size_t n);

bool number_is_float(enum number n);
bool number_is_signed(enum number n); /* of floating point too */
/* Element i; the second cuts off a fraction and saturates. */
double number_get_fp64(const void *data, enum number type, size_t i);
int64_t number_get_int64(const void *data, enum number type, size_t i);
