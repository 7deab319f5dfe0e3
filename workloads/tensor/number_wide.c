/* SPDX-License-Identifier: Apache-2.0 */
/* Single elements of any format, and conversions that keep all 64 bits of an integer. */
#include "workloads/tensor/number_wide.h"

#include <glib.h>
#include <math.h>

/* I(format, element type): integers. */
#define INTEGERS(I)                                                                                \
    I(int8, int8_t)                                                                                \
    I(int16, int16_t)                                                                              \
    I(int32, int32_t)                                                                              \
    I(int64, int64_t)                                                                              \
    I(flex16, int16_t)                                                                             \
    I(uint8, uint8_t)                                                                              \
    I(uint16, uint16_t)                                                                            \
    I(uint32, uint32_t)                                                                            \
    I(uint64, uint64_t)

bool number_is_float(enum number n)
{
    return n == NUMBER_fp32 || n == NUMBER_fp64 || n == NUMBER_fp16 || n == NUMBER_bf16;
}

bool number_is_signed(enum number n)
{
    return number_is_float(n) || n == NUMBER_int8 || n == NUMBER_int16 || n == NUMBER_int32 ||
           n == NUMBER_int64 || n == NUMBER_flex16;
}

double number_get_fp64(const void *data, enum number type, size_t i)
{
    switch (type) {
#define CASE(format, c_type)                                                                       \
    case NUMBER_##format:                                                                          \
        return (double)((const c_type *)data)[i];
        INTEGERS(CASE)
        CASE(fp32, float)
        CASE(fp64, double)
#undef CASE
    case NUMBER_fp16:
        return fp32_from_fp16(((const uint16_t *)data)[i]);
    case NUMBER_bf16:
        return fp32_from_bf16(((const uint16_t *)data)[i]);
    case NUMBER_bool:
        return ((const uint8_t *)data)[i] != 0;
    case NUMBER_COUNT:
        break;
    }
    g_assert_not_reached();
}

/* Toward zero; out of range saturates, NaN is 0. */
static int64_t int64_from_fp64(double x)
{
    return x != x ? 0 : x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

static uint64_t uint64_from_fp64(double x)
{
    return x >= 0x1p64 ? UINT64_MAX : x >= 0 ? (uint64_t)x : 0;
}

int64_t number_get_int64(const void *data, enum number type, size_t i)
{
    switch (type) {
#define CASE(format, c_type)                                                                       \
    case NUMBER_##format:                                                                          \
        return (int64_t)((const c_type *)data)[i];
        INTEGERS(CASE)
#undef CASE
    default:
        return int64_from_fp64(number_get_fp64(data, type, i));
    }
}

/* The lower bits; of bool, whether it is not 0. */
static void set_wrapped(void *data, enum number type, size_t i, uint64_t x)
{
    switch (type) {
#define CASE(format, c_type)                                                                       \
    case NUMBER_##format:                                                                          \
        ((c_type *)data)[i] = (c_type)x;                                                           \
        break;
        INTEGERS(CASE)
#undef CASE
    case NUMBER_bool:
        ((uint8_t *)data)[i] = x != 0;
        break;
    default:
        g_assert_not_reached();
    }
}

/* The nearest integer that a format holds, of a whole number given as sign and magnitude. */
static void set_saturated(void *data, enum number type, size_t i, bool is_negative, uint64_t size)
{
    const bool is_signed = number_is_signed(type);
    const int bits = number_bits[type] - is_signed;
    const uint64_t most = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    if (type == NUMBER_bool)
        is_negative = false;
    else if (is_negative && !is_signed)
        size = 0;
    else if (size > most)
        size = most + is_negative;
    set_wrapped(data, type, i, is_negative ? 0 - size : size);
}

static void convert_one(void *dst, enum number to, const void *src, enum number from, size_t i)
{
    if (number_is_float(to)) {
        const double x = number_get_fp64(src, from, i);
        if (to == NUMBER_fp64)
            ((double *)dst)[i] = x;
        else if (to == NUMBER_fp32 && from == NUMBER_int64)
            ((float *)dst)[i] = (float)((const int64_t *)src)[i]; /* one rounding, not two */
        else if (to == NUMBER_fp32 && from == NUMBER_uint64)
            ((float *)dst)[i] = (float)((const uint64_t *)src)[i];
        else
            number_convert((char *)dst + i * number_bytes(to), to, &x, NUMBER_fp64, 1);
    } else if (number_is_float(from)) {
        const double x = rint(number_get_fp64(src, from, i));
        set_saturated(dst, to, i, x < 0, uint64_from_fp64(fabs(x)));
    } else if (from == NUMBER_uint64) {
        set_saturated(dst, to, i, false, ((const uint64_t *)src)[i]);
    } else {
        const int64_t x = number_get_int64(src, from, i);
        set_saturated(dst, to, i, x < 0, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
    }
}

void number_convert_wide(void *dst, enum number to, const void *src, enum number from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        convert_one(dst, to, src, from, i);
}

/* One element of a cast to an integer, or of one integer to another. */
static void cast_one(void *dst, enum number to, const void *src, enum number from, size_t i)
{
    if (!number_is_float(from)) {
        const uint64_t x = from == NUMBER_bool ? ((const uint8_t *)src)[i] != 0
                                               : (uint64_t)number_get_int64(src, from, i);
        set_wrapped(dst, to, i, x);
        return;
    }
    const double x = number_get_fp64(src, from, i);
    if (to == NUMBER_bool)
        ((uint8_t *)dst)[i] = x != 0;
    else
        set_saturated(dst, to, i, x < 0, uint64_from_fp64(fabs(x)));
}

void number_cast(void *dst, enum number to, const void *src, enum number from, size_t n)
{
    if (to == from || number_is_float(to)) {
        number_convert(dst, to, src, from, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        cast_one(dst, to, src, from, i);
}
