/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator against plain loops in double precision over random small shapes, with the same
 * bits for 1, 2 and 3 threads; and worked cases. */
#include <math.h>

#include "tests/unit/op_work.h"
#include "tests/unit/test.h"
#include "workloads/ops/ops.h"

/* fp32 sums of L products lose at most about L / 2^24 of the sum of magnitudes; L < 200 here. */
static void check_near(double got, double want, double magnitude)
{
    ck_assert_msg(fabs(got - want) <= 1e-5 * (magnitude + 1e-3), "%g is not %g", got, want);
}

static void check_conv_at(const struct work *w, const int64_t at[4])
{
    const struct conv2d_attr *a = w->attr;
    const int64_t *d = w->in[1].shape.dim; /* K, C / groups, R, S */
    int64_t group = at[1] / (a->channels / a->groups);
    double sum = a->bias ? ((const float *)w->in[2].data)[at[1]] : 0, magnitude = fabs(sum);
    for (int64_t c = 0; c < d[1]; c++)
        for (int64_t r = 0; r < d[2]; r++)
            for (int64_t s = 0; s < d[3]; s++) {
                int64_t y = at[2] * a->stride.v[0] + r * a->dilation.v[0] - a->pad.v[0];
                int64_t x = at[3] * a->stride.v[1] + s * a->dilation.v[1] - a->pad.v[1];
                double product = image_at(&w->in[0], at[0], group * d[1] + c, y, x, 0) *
                                 image_at(&w->in[1], at[1], c, r, s, 0);
                sum += product;
                magnitude += fabs(product);
            }
    check_near(image_at(&w->out, at[0], at[1], at[2], at[3], 0), sum, magnitude);
}

/* Runs the work on random values and checks each element of its result. */
static void check_elements(struct work *w, GRand *rand,
                           void (*check)(const struct work *w, const int64_t at[4]))
{
    work_make(w, rand);
    work_result(w);
    const int64_t *d = w->out.shape.dim;
    int64_t at[4];
    for (at[0] = 0; at[0] < d[0]; at[0]++)
        for (at[1] = 0; at[1] < d[1]; at[1]++)
            for (at[2] = 0; at[2] < d[2]; at[2]++)
                for (at[3] = 0; at[3] < d[3]; at[3]++)
                    check(w, at);
    work_clear(w);
}

#define PICK(lo, hi) g_rand_int_range(rand, (lo), (hi) + 1)

START_TEST(test_conv2d_equals_loops)
{
    GRand *rand = g_rand_new_with_seed(1);
    for (int i = 0; i < 200; i++) {
        struct conv2d_attr a = {.groups = PICK(1, 3), .bias = PICK(0, 1)};
        a.channels = a.groups * PICK(1, 4);
        a.kernel = (struct cfg_ints){2, {PICK(1, 4), PICK(1, 4)}};
        a.stride = (struct cfg_ints){2, {PICK(1, 3), PICK(1, 3)}};
        a.dilation = (struct cfg_ints){2, {PICK(1, 2), PICK(1, 2)}};
        a.pad = (struct cfg_ints){4, {PICK(0, 3), PICK(0, 3), PICK(0, 3), PICK(0, 3)}};
        struct work w = {.op = &op_conv2d, .attr = &a, .n_data = 1};
        w.shapes[0] = (struct shape){
            4, {PICK(1, 3), a.groups * PICK(1, 3), PICK(7, 11), PICK(7, i % 10 ? 11 : 150)}};
        check_elements(&w, rand, check_conv_at);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_pointwise_conv2d_equals_loops)
{
    GRand *rand = g_rand_new_with_seed(2);
    for (int groups = 1; groups <= 2; groups++) {
        struct conv2d_attr a = {
            .channels = 6, .kernel = {1, {1}}, .groups = groups, .bias = groups == 1};
        struct work w = {
            .op = &op_conv2d, .attr = &a, .n_data = 1, .shapes = {{4, {2, 4, 31, 37}}}};
        check_elements(&w, rand, check_conv_at);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_fc_equals_loops)
{
    GRand *rand = g_rand_new_with_seed(3);
    for (int i = 0; i < 40; i++) {
        struct fc_attr a = {.features = PICK(1, i % 4 ? 20 : 600), .bias = PICK(0, 1)};
        struct work w = {.op = &op_fc, .attr = &a, .n_data = 1};
        w.shapes[0] = (struct shape){4, {PICK(1, 12), PICK(1, 5), PICK(1, 5), PICK(1, 5)}};
        work_make(&w, rand);
        const float *out = work_result(&w), *x = w.in[0].data, *weight = w.in[1].data;
        int64_t depth = shape_count_from(&w.shapes[0], 1);
        for (int64_t o = 0; o < shape_count(&w.out.shape); o++) {
            int64_t n = o / a.features, f = o % a.features;
            double sum = a.bias ? ((const float *)w.in[2].data)[f] : 0, magnitude = fabs(sum);
            for (int64_t k = 0; k < depth; k++) {
                double product = (double)x[n * depth + k] * weight[f * depth + k];
                sum += product;
                magnitude += fabs(product);
            }
            check_near(out[o], sum, magnitude);
        }
        work_clear(&w);
    }
    g_rand_free(rand);
}
END_TEST

static void check_pool_at(const struct work *w, const int64_t at[4])
{
    const struct pool_attr *a = w->attr;
    double sum = 0, largest = -INFINITY;
    int n_real = 0, n_padded = 0;
    for (int64_t r = 0; r < a->kernel.v[0]; r++)
        for (int64_t s = 0; s < a->kernel.v[1]; s++) {
            int64_t y = at[2] * a->stride.v[0] + r - a->pad.v[0];
            int64_t x = at[3] * a->stride.v[1] + s - a->pad.v[1];
            double value = image_at(&w->in[0], at[0], at[1], y, x, NAN);
            n_padded +=
                y < w->shapes[0].dim[2] + a->pad.v[2] && x < w->shapes[0].dim[3] + a->pad.v[3];
            if (isnan(value))
                continue;
            n_real++;
            sum += value;
            largest = fmax(largest, value);
        }
    double got = image_at(&w->out, at[0], at[1], at[2], at[3], 0);
    if (w->op == &op_maxpool)
        ck_assert_double_eq(got, largest);
    else
        check_near(got, sum / (a->count_pad ? n_padded : n_real), 1);
}

START_TEST(test_pools_equal_loops)
{
    GRand *rand = g_rand_new_with_seed(4);
    for (int i = 0; i < 200; i++) {
        struct pool_attr a = {.ceil = PICK(0, 1), .count_pad = PICK(0, 1)};
        a.kernel = (struct cfg_ints){2, {PICK(1, 4), PICK(1, 4)}};
        if (i % 3)
            a.stride = (struct cfg_ints){2, {PICK(1, 5), PICK(1, 5)}};
        a.pad.n = 4;
        for (int p = 0; p < 4; p++)
            a.pad.v[p] = PICK(0, (int)a.kernel.v[p % 2] - 1);
        struct work w = {.op = i % 2 ? &op_maxpool : &op_avgpool, .attr = &a, .n_data = 1};
        w.shapes[0] =
            (struct shape){4, {PICK(1, 2), i % 20 ? PICK(1, 3) : 400, PICK(4, 12), PICK(4, 12)}};
        check_elements(&w, rand, check_pool_at);
    }
    g_rand_free(rand);
}
END_TEST

static void check_lrn_at(const struct work *w, const int64_t at[4])
{
    const struct lrn_attr *a = w->attr;
    double sum = 0, x = image_at(&w->in[0], at[0], at[1], at[2], at[3], 0);
    for (int64_t c = at[1] - (a->size - 1) / 2; c <= at[1] + a->size / 2; c++)
        if (c >= 0 && c < w->shapes[0].dim[1])
            sum += pow(image_at(&w->in[0], at[0], c, at[2], at[3], 0), 2);
    double want = x / pow(a->k + a->alpha / (double)a->size * sum, a->beta);
    check_near(image_at(&w->out, at[0], at[1], at[2], at[3], 0), want, fabs(want));
}

START_TEST(test_lrn_equals_loops)
{
    GRand *rand = g_rand_new_with_seed(5);
    for (int i = 0; i < 40; i++) {
        struct lrn_attr a = {PICK(1, 7), 2.0, i % 2 ? 0.75 : 0.6, 1.0 + i % 3};
        struct work w = {.op = &op_lrn, .attr = &a, .n_data = 1};
        w.shapes[0] = (struct shape){4, {PICK(1, 2), PICK(1, 9), PICK(1, 30), PICK(1, 30)}};
        check_elements(&w, rand, check_lrn_at);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_softmax_equals_loops)
{
    GRand *rand = g_rand_new_with_seed(6);
    for (int i = 0; i < 30; i++) {
        struct softmax_attr a = {.axis = i % 3 - 1 ? i % 3 - 1 : -2};
        struct work w = {.op = &op_softmax, .attr = &a, .n_data = 1};
        w.shapes[0] = (struct shape){4, {PICK(1, 3), PICK(1, 60), PICK(1, 40), PICK(1, 40)}};
        work_make(&w, rand);
        const float *out = work_result(&w), *x = w.in[0].data;
        int64_t length = w.out.shape.dim[a.axis];
        int64_t stride = shape_count_from(&w.out.shape, (int)a.axis) / length;
        for (int64_t o = 0; o < shape_count(&w.out.shape); o++) {
            int64_t row = o / stride / length * stride * length + o % stride;
            double sum = 0;
            for (int64_t k = 0; k < length; k++)
                sum += exp(x[row + k * stride]);
            check_near(out[o], exp(x[o]) / sum, 1);
        }
        work_clear(&w);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_relu_and_add_are_elementwise)
{
    GRand *rand = g_rand_new_with_seed(7);
    for (int n_data = 1; n_data <= 2; n_data++) {
        struct work w = {.op = n_data == 1 ? &op_relu : &op_add, .n_data = n_data};
        w.shapes[0] = w.shapes[1] = (struct shape){3, {3, 50, 1001}};
        work_make(&w, rand);
        const float *out = work_result(&w), *a = w.in[0].data, *b = w.in[1].data;
        for (int64_t i = 0; i < shape_count(&w.out.shape); i++)
            ck_assert_float_eq(out[i], n_data == 1 ? fmaxf(a[i], 0) : a[i] + b[i]);
        work_clear(&w);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_concat_joins_at_each_axis)
{
    GRand *rand = g_rand_new_with_seed(8);
    for (int axis = 1; axis <= 3; axis++) {
        struct concat_attr a = {.axis = axis == 3 ? -1 : axis};
        struct work w = {.op = &op_concat, .attr = &a, .n_data = 3};
        for (int i = 0; i < 3; i++) {
            w.shapes[i] = (struct shape){4, {2, 3, 4, 5}};
            w.shapes[i].dim[axis] = 1 + 2 * i; /* 1, 3, 5: 9 together */
        }
        work_make(&w, rand);
        work_result(&w);
        ck_assert_int_eq(w.out.shape.dim[axis], 9);
        static const int begins[] = {0, 1, 4};
        for (int64_t o = 0; o < shape_count(&w.out.shape); o++) {
            int64_t at[4], left = o;
            for (int d = 3; d >= 0; left /= w.out.shape.dim[d--])
                at[d] = left % w.out.shape.dim[d];
            int i = at[axis] >= 4 ? 2 : at[axis] >= 1;
            at[axis] -= begins[i];
            ck_assert_float_eq(((float *)w.out.data)[o],
                               (float)image_at(&w.in[i], at[0], at[1], at[2], at[3], NAN));
        }
        work_clear(&w);
    }
    g_rand_free(rand);
}
END_TEST

/* Runs an operator on one given input with parameters of ones and compares the output. */
static void check_case(const struct op *op, void *attr, struct shape shape, const float *in,
                       struct shape out, const float *want)
{
    GRand *rand = g_rand_new_with_seed(9);
    struct work w = {.op = op, .attr = attr, .n_data = 1, .shapes = {shape}};
    work_make(&w, rand);
    memcpy(w.in[0].data, in, tensor_bytes(&w.in[0]));
    for (int i = 1; i < w.n_in; i++)
        for (int64_t k = 0; k < shape_count(&w.in[i].shape); k++)
            ((float *)w.in[i].data)[k] = 1;
    const float *got = work_result(&w);
    ck_assert(shape_equal(&w.out.shape, &out));
    for (int64_t i = 0; i < shape_count(&out); i++)
        ck_assert_float_eq_tol(got[i], want[i], 1e-6);
    work_clear(&w);
    g_rand_free(rand);
}

START_TEST(test_worked_cases)
{
    const float nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct shape image = {4, {1, 1, 3, 3}}, square = {4, {1, 1, 2, 2}};
    struct conv2d_attr conv = {.channels = 1, .kernel = {1, {2}}, .groups = 1, .bias = true};
    check_case(&op_conv2d, &conv, image, nine, square, (const float[]){13, 17, 25, 29});
    struct pool_attr pool = {.kernel = {1, {2}}, .ceil = true};
    check_case(&op_maxpool, &pool, image, nine, square, (const float[]){5, 6, 8, 9});
    check_case(&op_avgpool, &pool, image, nine, square, (const float[]){3, 4.5, 7.5, 9});
    pool = (struct pool_attr){.kernel = {1, {2}}, .pad = {4, {1, 1, 0, 0}}, .count_pad = true};
    check_case(&op_avgpool, &pool, image, nine, square, (const float[]){0.25, 1.25, 2.75, 7});
    pool.count_pad = false;
    check_case(&op_avgpool, &pool, image, nine, square, (const float[]){1, 2.5, 5.5, 7});
    struct lrn_attr lrn = {.size = 3, .alpha = 3, .beta = 0.5, .k = 1};
    const struct shape channels = {2, {1, 3}};
    check_case(&op_lrn, &lrn, channels, (const float[]){2, 2, 4}, channels,
               (const float[]){2.0f / 3, 0.4f, 4.0f / sqrtf(21)});
    struct softmax_attr softmax = {.axis = -1};
    check_case(&op_softmax, &softmax, channels, (const float[]){1000, -1000, 1000}, channels,
               (const float[]){0.5, 0, 0.5});
    struct fc_attr fc = {.features = 1, .bias = true};
    check_case(&op_fc, &fc, image, nine, (struct shape){2, {1, 1}}, (const float[]){46});
}
END_TEST

TEST_MAIN("ops", test_conv2d_equals_loops, test_pointwise_conv2d_equals_loops, test_fc_equals_loops,
          test_pools_equal_loops, test_lrn_equals_loops, test_softmax_equals_loops,
          test_relu_and_add_are_elementwise, test_concat_joins_at_each_axis, test_worked_cases)
