/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <math.h>
#include <sys/resource.h>

#include "sim/base/error.h"
#include "workloads/tensor/tensor.h"

#define SHAPE(...)                                                                                 \
    shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

START_TEST(test_shape_counts_elements)
{
    const struct shape s = SHAPE(2, 3, 5), scalar = shape_make(0, NULL);
    ck_assert_int_eq(shape_count(&s), 30);
    ck_assert_int_eq(shape_count_from(&s, 1), 15);
    ck_assert_int_eq(shape_count_from(&s, 3), 1);
    ck_assert_int_eq(shape_count(&scalar), 1);
}
END_TEST

START_TEST(test_shapes_are_equal_in_every_dimension)
{
    const struct shape s = SHAPE(2, 3), same = SHAPE(2, 3);
    const struct shape last = SHAPE(2, 4), longer = SHAPE(2, 3, 1);
    ck_assert(shape_equal(&s, &same));
    ck_assert(!shape_equal(&s, &last));
    ck_assert(!shape_equal(&s, &longer));
}
END_TEST

START_TEST(test_shape_check_refuses_empty_and_huge)
{
    const char *why = NULL;
    const struct shape most = SHAPE(1 << 20, 1 << 20), more = SHAPE(1 << 20, (1 << 20) + 1);
    const struct shape empty = SHAPE(3, 0), negative = SHAPE(-1, -1);
    const struct shape overflow = SHAPE(INT64_MAX, INT64_MAX, 2);
    struct shape deep = SHAPE(1, 1, 1, 1, 1, 1, 1, 1);
    ck_assert(shape_check(&most, &why));
    ck_assert(shape_check(&deep, &why));
    ck_assert(!shape_check(&more, &why));
    ck_assert_str_eq(why, "more than 2^40 elements");
    ck_assert(!shape_check(&overflow, &why));
    ck_assert_str_eq(why, "more than 2^40 elements");
    ck_assert(!shape_check(&empty, &why));
    ck_assert_str_eq(why, "a dimension is less than 1");
    ck_assert(!shape_check(&negative, &why));
    deep.n_dim = 9;
    ck_assert(!shape_check(&deep, &why));
    ck_assert_str_eq(why, "a shape has at most 8 dimensions");
}
END_TEST

START_TEST(test_shape_text_begins_at_a_dimension)
{
    struct arena *a = arena_new();
    const struct shape s = SHAPE(1, 96, 55, 55);
    ck_assert_str_eq(shape_text(&s, 0, a), "1x96x55x55");
    ck_assert_str_eq(shape_text(&s, 1, a), "96x55x55");
    ck_assert_str_eq(shape_text(&s, 4, a), "scalar");
    arena_free(a);
}
END_TEST

START_TEST(test_alloc_without_memory_is_a_limit)
{
    struct tensor t;
    GError *error = NULL;
    const struct shape small = SHAPE(4, 5);
    ck_ok(tensor_alloc(&t, NUMBER_bf16, &small, &error), error);
    ck_assert_uint_eq(tensor_bytes(&t), 40);
    memset(t.data, 0, tensor_bytes(&t));
    tensor_clear(&t);
    ck_assert_ptr_null(t.data);
#ifndef __SANITIZE_ADDRESS__ /* which reserves more than the limit for itself */
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 1 << 30;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    const struct shape huge = SHAPE(1 << 20, 1 << 20);
    const bool ok = tensor_alloc(&t, NUMBER_fp64, &huge, &error);
    ck_error(ok, error, ERROR_LIMIT, "no memory for a tensor of 8796093022208 bytes");
    ck_assert_ptr_null(t.data);
#endif
}
END_TEST

#define N 1000000

static float *filled(size_t n, float amplitude, uint64_t seed, uint64_t stream)
{
    float *x = g_new(float, n);
    tensor_fill_uniform(x, n, amplitude, seed, stream);
    return x;
}

/* The mean of x[i] * y[i + lag]; of uniforms in [-1, 1) its standard deviation is 1 / (3 sqrt n).
 */
static double correlation(const float *x, const float *y, size_t n, size_t lag)
{
    double sum = 0;
    for (size_t i = 0; i + lag < n; i++)
        sum += (double)x[i] * (double)y[i + lag];
    return sum / (double)(n - lag);
}

START_TEST(test_fill_depends_on_the_index_alone)
{
    float *most = filled(N, 1, 1, 2);
    for (size_t n = 1; n < 100; n++) { /* every way a vector loop can end */
        float *few = filled(n + 1, 1, 1, 2);
        few[n] = 7;
        tensor_fill_uniform(few, n, 1, 1, 2);
        ck_assert_mem_eq(few, most, n * sizeof(float));
        ck_assert(few[n] == 7);
        g_free(few);
    }
    g_free(most);
}
END_TEST

/* Seeded results are compared between versions and machines: these bits are for good. In units of
 * 2^-23, from an implementation in Python integers. */
START_TEST(test_fill_has_known_bits)
{
    enum { n = 100000 };
    float *x = filled(n, 0x1p23f, 0, tensor_stream("conv1.weight"));
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += (int64_t)x[i];
    ck_assert_int_eq((int64_t)x[0], 4813960);
    ck_assert_int_eq((int64_t)x[1], -2837677);
    ck_assert_int_eq(sum, 1347626838);
    g_free(x);
}
END_TEST

START_TEST(test_fill_stays_in_the_half_open_range)
{
    static const float amplitudes[] = {1, 0.5f, 0.3f, 1.9999999f, 1e-3f, 1e30f};
    for (size_t k = 0; k < G_N_ELEMENTS(amplitudes); k++) {
        const float amplitude = amplitudes[k];
        float *x = filled(N, amplitude, k, 0), least = amplitude, most = -amplitude;
        for (size_t i = 0; i < N; i++) {
            least = fminf(least, x[i]);
            most = fmaxf(most, x[i]);
        }
        ck_assert(least >= -amplitude && least < -0.9999f * amplitude);
        ck_assert(most < amplitude && most > 0.9999f * amplitude);
        /* Whatever the amplitude, the greatest number drawn rounds to less than it. */
        ck_assert(8388607.0f * (amplitude * 0x1p-23f) < amplitude);
        g_free(x);
    }
}
END_TEST

/* Moments of a uniform distribution in [-1, 1), within 5 standard deviations. */
START_TEST(test_fill_is_uniform)
{
    enum { n_bin = 256 };
    for (uint64_t seed = 0; seed < 8; seed++) {
        float *x = filled(N, 1, seed, seed * 77);
        double sum = 0, chi_square = 0;
        int bins[n_bin] = {0};
        for (size_t i = 0; i < N; i++) {
            sum += (double)x[i];
            bins[(int)((x[i] + 1) * (n_bin / 2))]++;
        }
        ck_assert_double_eq_tol(sum / N, 0, 5 / sqrt(3.0 * N));
        ck_assert_double_eq_tol(correlation(x, x, N, 0), 1 / 3.0, 5 * sqrt(4 / 45.0 / N));
        for (int i = 0; i < n_bin; i++)
            chi_square += pow(bins[i] - N / (double)n_bin, 2) / (N / (double)n_bin);
        ck_assert_double_eq_tol(chi_square, n_bin - 1, 5 * sqrt(2.0 * (n_bin - 1)));
        g_free(x);
    }
}
END_TEST

START_TEST(test_fill_is_uncorrelated_along_a_stream)
{
    static const size_t lags[] = {1, 2, 3, 4, 8, 9, 16, 64, 121, 256, 1024, 4096, 65536};
    float *x = filled(N, 1, 1, 2);
    for (size_t k = 0; k < G_N_ELEMENTS(lags); k++)
        ck_assert_double_eq_tol(correlation(x, x, N, lags[k]), 0, 5 / (3 * sqrt(N - lags[k])));
    g_free(x);
}
END_TEST

START_TEST(test_fill_is_uncorrelated_between_streams)
{
    float *x = filled(N, 1, 1, 2);
    for (uint64_t i = 0; i < 64; i++) { /* neighbours in one bit of the seed, then of the stream */
        float *y = filled(N, 1, 1 ^ UINT64_C(1) << i, 2),
              *z = filled(N, 1, 1, 2 ^ UINT64_C(1) << i);
        ck_assert_double_eq_tol(correlation(x, y, N, 0), 0, 5 / (3 * sqrt(N)));
        ck_assert_double_eq_tol(correlation(x, z, N, 0), 0, 5 / (3 * sqrt(N)));
        ck_assert_double_eq_tol(correlation(y, z, N, 0), 0, 5 / (3 * sqrt(N)));
        g_free(y);
        g_free(z);
    }
    g_free(x);
}
END_TEST

/* Seed and stream are not added up: exchanging them gives other numbers. */
START_TEST(test_seed_and_stream_differ)
{
    float *x = filled(N, 1, 3, 5), *y = filled(N, 1, 5, 3);
    ck_assert_double_eq_tol(correlation(x, y, N, 0), 0, 5 / (3 * sqrt(N)));
    g_free(x);
    g_free(y);
}
END_TEST

/* Test vectors of the authors: http://www.isthe.com/chongo/tech/comp/fnv/ */
START_TEST(test_stream_is_fnv1a)
{
    ck_assert_uint_eq(tensor_stream(""), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(tensor_stream("a"), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(tensor_stream("foobar"), UINT64_C(0x85944171f73967e8));
}
END_TEST

TEST_MAIN("tensor", test_shape_counts_elements, test_shapes_are_equal_in_every_dimension,
          test_shape_check_refuses_empty_and_huge, test_shape_text_begins_at_a_dimension,
          test_alloc_without_memory_is_a_limit, test_fill_depends_on_the_index_alone,
          test_fill_has_known_bits, test_fill_stays_in_the_half_open_range, test_fill_is_uniform,
          test_fill_is_uncorrelated_along_a_stream, test_fill_is_uncorrelated_between_streams,
          test_seed_and_stream_differ, test_stream_is_fnv1a)
