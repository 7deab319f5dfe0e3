/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions against oracles that share no code with them: the compiler's _Float16, and rounding
 * by fp64 arithmetic from the definition of each format. Every result must be exact. */
#include "tests/unit/test.h"

#include <inttypes.h>
#include <math.h>

#include "workloads/tensor/number.h"

#define N_PATTERN 65536

/* ck_assert_msg() without its system call for each check that holds: there are millions. */
#define must(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

static uint32_t bits32(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof(u));
    return u;
}

static float float32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof(x));
    return x;
}

/* splitmix64: test data that repeat. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The value of a 16-bit pattern with `mant` mantissa bits, by definition. */
static double oracle_widen(uint16_t h, int mant, int bias)
{
    const int exponent = (h & 0x7fff) >> mant, fraction = h & ((1 << mant) - 1);
    double x;
    if (exponent == 2 * bias + 1)
        x = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        x = ldexp(fraction, 1 - bias - mant);
    else
        x = ldexp((1 << mant) + fraction, exponent - bias - mant);
    return h & 0x8000 ? -x : x;
}

/* The pattern nearest to x, ties to even, by scaling to units in the last place. No NaN. */
static uint16_t oracle_narrow(double x, int mant, int bias)
{
    const uint16_t sign = signbit(x) ? 0x8000 : 0, infinity = (uint16_t)((2 * bias + 1) << mant);
    x = fabs(x);
    if (x == 0 || isinf(x))
        return sign | (x == 0 ? 0 : infinity);
    int exponent = ilogb(x);
    if (exponent < 1 - bias)
        exponent = 1 - bias;
    if (exponent > bias)
        return sign | infinity;
    const double units = nearbyint(ldexp(x, mant - exponent));
    /* A full mantissa carries into the exponent by itself. */
    return sign | (uint16_t)(((exponent + bias - 1) << mant) + (int)units);
}

static bool is_nan16(uint16_t h, int mant)
{
    return (h & 0x7fff) > (0x8000 - (1 << mant));
}

/* x and the fp64 numbers either side of it. */
static void check_narrow_fp64(double x)
{
    const double at[] = {x, nextafter(x, INFINITY), nextafter(x, -INFINITY)};
    for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
        must(fp16_from_fp64(at[i]) == oracle_narrow(at[i], 10, 15), "%a to fp16", at[i]);
        uint16_t bf16;
        number_convert(&bf16, NUMBER_bf16, &at[i], NUMBER_fp64, 1);
        must(bf16 == oracle_narrow(at[i], 7, 127), "%a to bf16", at[i]);
    }
}

static void check_narrow(float x)
{
    const uint16_t fp16 = fp16_from_fp32(x), bf16 = bf16_from_fp32(x);
    if (isnan(x)) {
        must(is_nan16(fp16, 10), "NaN %08x became %04x in fp16", bits32(x), fp16);
        must(is_nan16(bf16, 7), "NaN %08x became %04x in bf16", bits32(x), bf16);
        must(is_nan16(fp16_from_fp64(x), 10), "NaN %08x through fp64", bits32(x));
        return;
    }
    must(fp16 == oracle_narrow(x, 10, 15), "%a became %04x in fp16", (double)x, fp16);
    must(bf16 == oracle_narrow(x, 7, 127), "%a became %04x in bf16", (double)x, bf16);
#ifdef __FLT16_MANT_DIG__
    const _Float16 compiled = (_Float16)x;
    uint16_t pattern;
    memcpy(&pattern, &compiled, sizeof(pattern));
    must(fp16 == pattern, "%a became %04x, the compiler's %04x", (double)x, fp16, pattern);
#endif
}

/* fp32 and fp64 patterns at, and one either side of, each value and each midpoint of neighbours. */
static void check_boundaries(int mant, int bias)
{
    for (int h = 0; h < (2 * bias + 1) << mant; h++) {
        const double low = oracle_widen((uint16_t)h, mant, bias);
        double high = oracle_widen((uint16_t)(h + 1), mant, bias);
        if (isinf(high)) /* the next power of two, as if the exponent went on */
            high = ldexp(1, bias + 1);
        const float at[] = {(float)low, (float)((low + high) / 2)};
        for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
            for (int step = -1; step <= 1; step++) {
                const float x = float32(bits32(at[i]) + (uint32_t)step);
                check_narrow(x);
                check_narrow(-x);
            }
            check_narrow_fp64(at[i]);
        }
    }
}

START_TEST(test_fp16_widens_every_pattern)
{
    for (int i = 0; i < N_PATTERN; i++) {
        const uint16_t h = (uint16_t)i;
        const float x = fp32_from_fp16(h);
        const double want = oracle_widen(h, 10, 15);
        if (isnan(want)) {
            must(isnan(x), "%04x is no NaN", h);
            continue;
        }
        must(bits32(x) == bits32((float)want), "%04x became %a", h, (double)x);
#ifdef __FLT16_MANT_DIG__
        _Float16 compiled;
        memcpy(&compiled, &h, sizeof(h));
        must(bits32(x) == bits32((float)compiled), "%04x became %a", h, (double)x);
#endif
    }
}
END_TEST

START_TEST(test_fp16_survives_fp32)
{
    for (int i = 0; i < N_PATTERN; i++) {
        const uint16_t h = (uint16_t)i, back = fp16_from_fp32(fp32_from_fp16(h));
        must(is_nan16(h, 10) ? is_nan16(back, 10) : back == h, "%04x came back as %04x", h, back);
    }
}
END_TEST

START_TEST(test_fp16_rounds_boundaries_to_even)
{
    check_boundaries(10, 15);
}
END_TEST

START_TEST(test_random_patterns_narrow)
{
    uint64_t state = 1;
    for (int i = 0; i < 1000000; i++)
        check_narrow(float32((uint32_t)next_random(&state)));
    for (uint32_t low = 0; low < 100; low++) { /* infinities, NaNs and the least subnormals */
        check_narrow(float32(0x7f800000 + low));
        check_narrow(float32(0xff800000 + low));
        check_narrow(float32(0x80000000 + low));
    }
    check_narrow(float32(0x7fffffff)); /* a NaN that a carry would make a zero */
}
END_TEST

START_TEST(test_fp16_from_fp64_rounds_once)
{
    /* Just above the midpoint of 1 and 1 + 2^-10; through fp32 it would fall on the midpoint. */
    const double above = 1 + 0x1p-11 + 0x1p-40;
    ck_assert_uint_eq(fp16_from_fp64(above), 0x3c01);
    ck_assert_uint_eq(fp16_from_fp32((float)above), 0x3c00);
    uint64_t state = 2;
    for (int i = 0; i < 500000; i++) {
        const double mantissa = (double)(int64_t)next_random(&state);
        const double x = ldexp(mantissa, (int)(next_random(&state) % 48) - 63 - 28);
        check_narrow_fp64(x);
    }
}
END_TEST

START_TEST(test_bf16_survives_fp32)
{
    for (int i = 0; i < N_PATTERN; i++) {
        const uint16_t h = (uint16_t)i, back = bf16_from_fp32(fp32_from_bf16(h));
        const double want = oracle_widen(h, 7, 127);
        must(is_nan16(h, 7) ? is_nan16(back, 7) : back == h, "%04x came back as %04x", h, back);
        must(isnan(want) ? isnan(fp32_from_bf16(h)) : (double)fp32_from_bf16(h) == want, "%04x", h);
    }
}
END_TEST

START_TEST(test_bf16_rounds_boundaries_to_even)
{
    check_boundaries(7, 127);
}
END_TEST

/* lrint() with saturation. */
static int64_t oracle_int(double x, int64_t least, int64_t most)
{
    if (isnan(x))
        return 0;
    return x <= (double)least ? least : x >= (double)most ? most : lrint(x);
}

static void check_int(float x)
{
    const int64_t i8 = oracle_int(x, INT8_MIN, INT8_MAX);
    const int64_t i16 = oracle_int(x, INT16_MIN, INT16_MAX);
    const int64_t i32 = oracle_int(x, INT32_MIN, INT32_MAX);
    must(int8_from_fp32(x) == i8, "%a: int8 %d", (double)x, int8_from_fp32(x));
    must(int16_from_fp32(x) == i16, "%a: int16 %d", (double)x, int16_from_fp32(x));
    must(int32_from_fp32(x) == i32, "%a: int32 %" PRId32, (double)x, int32_from_fp32(x));
}

START_TEST(test_integers_round_to_even_and_saturate)
{
    uint64_t state = 4;
    for (int i = 0; i < 1000000; i++)
        check_int(float32((uint32_t)next_random(&state)));
    for (int half = -140000; half <= 140000; half++) {
        const float x = (float)half / 2;
        check_int(x);
        check_int(nextafterf(x, INFINITY));
        check_int(nextafterf(x, -INFINITY));
    }
    const float edges[] = {2147483520.0f, 2147483648.0f, -2147483648.0f, -2147483904.0f, INFINITY,
                           -INFINITY,     NAN,           -0.0f};
    for (size_t i = 0; i < G_N_ELEMENTS(edges); i++)
        check_int(edges[i]);
}
END_TEST

/* An element of an array as x86's extended format, which holds every format exactly. */
static long double element(const void *data, enum number type, size_t i)
{
    switch (type) {
    case NUMBER_int8:
        return ((const int8_t *)data)[i];
    case NUMBER_int16:
    case NUMBER_flex16:
        return ((const int16_t *)data)[i];
    case NUMBER_int32:
        return ((const int32_t *)data)[i];
    case NUMBER_int64:
        return ((const int64_t *)data)[i];
    case NUMBER_uint8:
        return ((const uint8_t *)data)[i];
    case NUMBER_uint16:
        return ((const uint16_t *)data)[i];
    case NUMBER_uint32:
        return ((const uint32_t *)data)[i];
    case NUMBER_uint64:
        return ((const uint64_t *)data)[i];
    case NUMBER_bool:
        return ((const uint8_t *)data)[i] != 0;
    case NUMBER_fp16:
        return oracle_widen(((const uint16_t *)data)[i], 10, 15);
    case NUMBER_bf16:
        return oracle_widen(((const uint16_t *)data)[i], 7, 127);
    case NUMBER_fp32:
        return ((const float *)data)[i];
    default:
        return ((const double *)data)[i];
    }
}

static long double clamp_int(long double x, long double least, long double most)
{
    return isnan(x) ? 0 : fminl(fmaxl(rintl(x), least), most);
}

/* x rounded once into a format. */
static long double oracle_round(long double x, enum number to)
{
    switch (to) {
    case NUMBER_int64:
        return clamp_int(x, INT64_MIN, INT64_MAX);
    case NUMBER_uint8:
        return clamp_int(x, 0, UINT8_MAX);
    case NUMBER_uint16:
        return clamp_int(x, 0, UINT16_MAX);
    case NUMBER_uint32:
        return clamp_int(x, 0, UINT32_MAX);
    case NUMBER_uint64:
        return clamp_int(x, 0, UINT64_MAX);
    case NUMBER_bool:
        return x != 0;
    case NUMBER_fp64:
        return (double)x;
    case NUMBER_int8:
        return clamp_int(x, INT8_MIN, INT8_MAX);
    case NUMBER_int16:
    case NUMBER_flex16:
        return clamp_int(x, INT16_MIN, INT16_MAX);
    case NUMBER_int32:
        return clamp_int(x, INT32_MIN, INT32_MAX);
    case NUMBER_fp16:
        return isnan(x) ? NAN : oracle_widen(oracle_narrow((double)x, 10, 15), 10, 15);
    case NUMBER_bf16:
        return isnan(x) ? NAN : oracle_widen(oracle_narrow((double)x, 7, 127), 7, 127);
    case NUMBER_fp32:
        return (float)x;
    default:
        return x;
    }
}

/* Every pair of formats on random bit patterns, in lengths around that of a block. */
START_TEST(test_convert_rounds_once_between_all_formats)
{
    static const size_t lengths[] = {1, 2, 511, 512, 513, 20000};
    const size_t n_most = 20000;
    uint64_t *in = g_new(uint64_t, n_most), state = 5;
    uint64_t *out = g_new(uint64_t, n_most + 1);
    for (size_t i = 0; i < n_most; i++)
        in[i] = next_random(&state);
    for (int pair = 0; pair < NUMBER_COUNT * NUMBER_COUNT; pair++) {
        const enum number from = pair / NUMBER_COUNT, to = pair % NUMBER_COUNT;
        for (size_t i_length = 0; i_length < G_N_ELEMENTS(lengths); i_length++) {
            const size_t n = lengths[i_length];
            memset(out, 0x5a, (n_most + 1) * sizeof(*out));
            number_convert(out, to, in, from, n);
            for (size_t i = 0; i < n; i++) {
                const long double x = element(in, from, i), want = oracle_round(x, to);
                const long double y = element(out, to, i);
                must(y == want || (isnan(y) && isnan(want)), "%s to %s: %La became %La",
                     number_names[from], number_names[to], x, y);
            }
            ck_assert_int_eq(((char *)out)[n * number_bytes(to)], 0x5a);
        }
    }
    g_free(in);
    g_free(out);
}
END_TEST

/* Random patterns of fp64 seldom lie in the range of a 16-bit format or an integer; these do. */
START_TEST(test_convert_from_fp64_rounds_once)
{
    enum { n = 10000 };
    static double in[n], out[n];
    uint64_t state = 6;
    for (int scale = -160; scale <= 130; scale += 5) {
        for (int i = 0; i < n; i++)
            in[i] = ldexp((double)(int64_t)next_random(&state), scale - 63);
        for (int to = 0; to < NUMBER_COUNT; to++) {
            number_convert(out, (enum number)to, in, NUMBER_fp64, n);
            for (size_t i = 0; i < n; i++)
                must(element(out, (enum number)to, i) == oracle_round(in[i], to), "%a to %s", in[i],
                     number_names[to]);
        }
    }
}
END_TEST

START_TEST(test_cast_cuts_off_and_wraps)
{
    const float x[] = {-1.9f, 2.5f, 300.0f, NAN, 1e30f};
    int8_t i8[5];
    uint8_t truth[5];
    number_cast(i8, NUMBER_int8, x, NUMBER_fp32, 5);
    ck_assert_mem_eq(i8, ((int8_t[]){-1, 2, 127, 0, 127}), 5);
    number_cast(truth, NUMBER_bool, x, NUMBER_fp32, 5);
    ck_assert_mem_eq(truth, ((uint8_t[]){1, 1, 1, 1, 1}), 5);
    const int64_t y[] = {-1, 300, INT64_MIN, 128, 0};
    uint8_t u8[5];
    number_cast(u8, NUMBER_uint8, y, NUMBER_int64, 5);
    ck_assert_mem_eq(u8, ((uint8_t[]){255, 44, 0, 128, 0}), 5);
    number_cast(i8, NUMBER_int8, y, NUMBER_int64, 5);
    ck_assert_mem_eq(i8, ((int8_t[]){-1, 44, 0, -128, 0}), 5);
    ck_assert_int_eq(number_get_int64(&x[0], NUMBER_fp32, 0), -1);
    ck_assert_int_eq(number_get_int64(&x[0], NUMBER_fp32, 4), INT64_MAX);
}
END_TEST

START_TEST(test_names_lead_back_to_formats)
{
    enum number n;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        ck_assert(number_from_name(number_names[i], &n));
        ck_assert_int_eq((int)n, i);
    }
    ck_assert_ptr_null(number_names[NUMBER_COUNT]);
    ck_assert(!number_from_name("fp8", &n));
    ck_assert_uint_eq(number_bytes(NUMBER_bf16), 2);
    ck_assert_uint_eq(number_bytes(NUMBER_fp64), 8);
}
END_TEST

TEST_MAIN("number", test_fp16_widens_every_pattern, test_fp16_survives_fp32,
          test_fp16_rounds_boundaries_to_even, test_random_patterns_narrow,
          test_fp16_from_fp64_rounds_once, test_bf16_survives_fp32,
          test_bf16_rounds_boundaries_to_even, test_integers_round_to_even_and_saturate,
          test_convert_rounds_once_between_all_formats, test_convert_from_fp64_rounds_once,
          test_cast_cuts_off_and_wraps, test_names_lead_back_to_formats)
