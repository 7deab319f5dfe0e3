/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between number formats: scalar functions without branches, so that the loops of
 * number_convert() become vector code. */
#include "workloads/tensor/number.h"
#include "workloads/tensor/number_wide.h"

#include <string.h>

#include "sim/base/bits.h"

const char *const number_names[NUMBER_COUNT + 1] = {
#define NUMBER(name, bits, help) #name,
#include "workloads/tensor/numbers.def"
#undef NUMBER
    NULL,
};

const int number_bits[NUMBER_COUNT] = {
#define NUMBER(name, bits, help) bits,
#include "workloads/tensor/numbers.def"
#undef NUMBER
};

bool number_from_name(const char *name, enum number *out)
{
    for (int i = 0; i < NUMBER_COUNT; i++) {
        if (strcmp(name, number_names[i]) == 0) {
            *out = (enum number)i;
            return true;
        }
    }
    return false;
}

/* A normal result keeps 10 mantissa bits: half of the last one is added, less one unit where the
 * last one is even. A subnormal result is a count of 2^-24, the unit in the last place of 0.5: the
 * adder rounds it. */
static inline uint16_t narrow_fp16(float x)
{
    const uint32_t u = bits_of_fp32(x), a = u & 0x7fffffff;
    const uint32_t normal = (a - ((127 - 15) << 23) + 0xfff + (a >> 13 & 1)) >> 13;
    const uint32_t subnormal = bits_of_fp32(fp32_of_bits(a) + 0.5f) - bits_of_fp32(0.5f);
    const uint32_t nan = 0x7e00 | (a >> 13 & 0x1ff);
    uint32_t h = a < (127 - 14) << 23 ? subnormal : normal;
    h = a < (127 + 16) << 23 ? h : 0x7c00;
    h = a > 0x7f800000 ? nan : h;
    return (uint16_t)(h | (u >> 16 & 0x8000));
}

static inline float widen_fp16(uint16_t h)
{
    const uint32_t a = h & 0x7fff, sign = (uint32_t)(h & 0x8000) << 16;
    const uint32_t normal = (a << 13) + ((127 - 15) << 23);
    const uint32_t subnormal = bits_of_fp32((float)(int32_t)a * 0x1p-24f);
    const uint32_t special = (a << 13) | 0x7f800000; /* infinity, NaN */
    uint32_t u = a < 0x400 ? subnormal : normal;
    u = a < 0x7c00 ? u : special;
    return fp32_of_bits(u | sign);
}

static inline uint16_t narrow_bf16(float x)
{
    const uint32_t u = bits_of_fp32(x);
    const uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
    const uint32_t nan = (u >> 16) | 0x40;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

static inline float widen_bf16(uint16_t h)
{
    return fp32_of_bits((uint32_t)h << 16);
}

/* narrow_fp16() from fp64, for any 16-bit format of `mant` mantissa bits and this bias. */
static inline uint16_t narrow_fp64(double x, int mant, int bias)
{
    const uint64_t u = bits_of_fp64(x), a = u & ~(UINT64_C(1) << 63);
    const int shift = 52 - mant;
    const uint64_t infinity = (uint64_t)(2 * bias + 1) << mant;
    const uint64_t half = (UINT64_C(1) << (shift - 1)) - 1;
    const uint64_t normal =
        (a - ((uint64_t)(1023 - bias) << 52) + half + (a >> shift & 1)) >> shift;
    const uint64_t unit = (uint64_t)(1023 + 53 - bias - mant) << 52; /* ulp: least subnormal */
    const uint64_t subnormal = bits_of_fp64(fp64_of_bits(a) + fp64_of_bits(unit)) - unit;
    const uint64_t nan = infinity | UINT64_C(1) << (mant - 1) | (a >> shift & (infinity >> 1));
    uint64_t h = a < (uint64_t)(1024 - bias) << 52 ? subnormal : normal;
    h = a < (uint64_t)(1024 + bias) << 52 ? h : infinity;
    h = a > UINT64_C(0x7ff) << 52 ? nan : h;
    return (uint16_t)(h | (u >> 48 & 0x8000));
}

/* Adding 1.5 * 2^23 leaves the rounded integer in the mantissa; the bounds are within +-2^22. */
static inline int32_t round_fp32(float x, float least, float most)
{
    x = x == x ? x : 0;
    x = x > least ? x : least;
    x = x < most ? x : most;
    return (int32_t)(bits_of_fp32(x + 0x1.8p23f) - bits_of_fp32(0x1.8p23f));
}

/* The same for bounds within the int32 range. */
static inline int32_t round_fp64(double x, double least, double most)
{
    x = x == x ? x : 0;
    x = x > least ? x : least;
    x = x < most ? x : most;
    return (int32_t)(uint32_t)bits_of_fp64(x + 0x1.8p52);
}

/* The same for unsigned bounds: the sum's lower half is the integer modulo 2^32. */
static inline uint32_t round_uint32(double x)
{
    x = x == x ? x : 0;
    x = x > 0 ? x : 0;
    x = x < UINT32_MAX ? x : UINT32_MAX;
    return (uint32_t)bits_of_fp64(x + 0x1.8p52);
}

uint16_t fp16_from_fp32(float x)
{
    return narrow_fp16(x);
}

float fp32_from_fp16(uint16_t h)
{
    return widen_fp16(h);
}

uint16_t bf16_from_fp32(float x)
{
    return narrow_bf16(x);
}

float fp32_from_bf16(uint16_t h)
{
    return widen_bf16(h);
}

int8_t int8_from_fp32(float x)
{
    return (int8_t)round_fp32(x, INT8_MIN, INT8_MAX);
}

int16_t int16_from_fp32(float x)
{
    return (int16_t)round_fp32(x, INT16_MIN, INT16_MAX);
}

int32_t int32_from_fp32(float x)
{
    return round_fp64(x, INT32_MIN, INT32_MAX);
}

uint16_t fp16_from_fp64(double x)
{
    return narrow_fp64(x, 10, 15);
}

/* F(format, element, x widened, fp32 x stored, fp64 x stored): formats that fp32 holds exactly, and
 * those that need fp64. */
#define FORMATS_FP32(F)                                                                            \
    F(int8, int8_t, x, round_fp32(x, INT8_MIN, INT8_MAX), round_fp64(x, INT8_MIN, INT8_MAX))       \
    F(int16, int16_t, x, round_fp32(x, INT16_MIN, INT16_MAX), round_fp64(x, INT16_MIN, INT16_MAX)) \
    F(flex16, int16_t, x, round_fp32(x, INT16_MIN, INT16_MAX),                                     \
      round_fp64(x, INT16_MIN, INT16_MAX))                                                         \
    F(uint8, uint8_t, x, round_fp32(x, 0, UINT8_MAX), round_fp64(x, 0, UINT8_MAX))                 \
    F(uint16, uint16_t, x, round_fp32(x, 0, UINT16_MAX), round_fp64(x, 0, UINT16_MAX))             \
    F(bool, uint8_t, x != 0, x != 0, x != 0)                                                       \
    F(fp16, uint16_t, widen_fp16(x), narrow_fp16(x), narrow_fp64(x, 10, 15))                       \
    F(bf16, uint16_t, widen_bf16(x), narrow_bf16(x), narrow_fp64(x, 7, 127))                       \
    F(fp32, float, x, x, x)
#define FORMATS_FP64(F)                                                                            \
    FORMATS_FP32(F)                                                                                \
    F(int32, int32_t, x, , round_fp64(x, INT32_MIN, INT32_MAX))                                    \
    F(uint32, uint32_t, x, , round_uint32(x))                                                      \
    F(fp64, double, x, , x)

typedef void (*convert_fn)(void *dst, const void *src, size_t n);

#define LOOP(name, to_type, from_type, value)                                                      \
    static void name(void *dst, const void *src, size_t n)                                         \
    {                                                                                              \
        to_type *restrict out = dst;                                                               \
        const from_type *restrict in = src;                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const from_type x = in[i];                                                             \
            out[i] = (to_type)(value);                                                             \
        }                                                                                          \
    }
#define LOOPS_FP32(format, type, widened, stored32, stored64)                                      \
    LOOP(load_fp32_##format, float, type, widened)                                                 \
    LOOP(store_fp32_##format, type, float, stored32)
#define LOOPS_FP64(format, type, widened, stored32, stored64)                                      \
    LOOP(load_fp64_##format, double, type, widened)                                                \
    LOOP(store_fp64_##format, type, double, stored64)
FORMATS_FP32(LOOPS_FP32)
FORMATS_FP64(LOOPS_FP64)

/* By format: to fp32 or fp64, and back. NULL: it does not hold the format. */
static const struct {
    convert_fn load_fp32, store_fp32, load_fp64, store_fp64;
} loops[NUMBER_COUNT] = {
#define ROW_FP32(format, type, widened, stored32, stored64)                                        \
    [NUMBER_##format].load_fp32 = load_fp32_##format,                                              \
    [NUMBER_##format].store_fp32 = store_fp32_##format,
#define ROW_FP64(format, type, widened, stored32, stored64)                                        \
    [NUMBER_##format].load_fp64 = load_fp64_##format,                                              \
    [NUMBER_##format].store_fp64 = store_fp64_##format,
    FORMATS_FP32(ROW_FP32) FORMATS_FP64(ROW_FP64)};

void number_convert(void *dst, enum number to, const void *src, enum number from, size_t n)
{
    if (to == from) {
        memcpy(dst, src, n * number_bytes(to));
        return;
    }
    if (!loops[to].store_fp64 || !loops[from].load_fp64) {
        number_convert_wide(dst, to, src, from, n);
        return;
    }
    const bool narrow = loops[to].store_fp32 && loops[from].load_fp32;
    const convert_fn load = narrow ? loops[from].load_fp32 : loops[from].load_fp64;
    const convert_fn store = narrow ? loops[to].store_fp32 : loops[to].store_fp64;
    enum { n_block = 512 }; /* stays in the first-level cache */
    union {
        float narrow[n_block];
        double wide[n_block];
    } block;
    for (size_t i = 0; i < n; i += n_block) {
        const size_t n_now = n - i < n_block ? n - i : n_block;
        load(&block, (const char *)src + i * number_bytes(from), n_now);
        store((char *)dst + i * number_bytes(to), &block, n_now);
    }
}
