/* SPDX-License-Identifier: Apache-2.0 */
/* Random changes of images. */
#include <math.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/data/augment.h"

enum { C = 2, H = 8, W = 8, AREA = H * W, SIZE = C * AREA };

static void fill(float *image)
{
    tensor_fill_uniform(image, SIZE, 1, 3, 4);
}

/* A copy of image as a configuration changes it. */
static void apply(const struct augment_config *config, const float *image, uint64_t sample,
                  float *out)
{
    const struct shape shape = shape_make(3, (const int64_t[]){C, H, W});
    GError *error = NULL;
    struct augment *a = augment_new(config, &shape, &error);
    ck_ok(a, error);
    memcpy(out, image, SIZE * sizeof(float));
    augment_apply(a, out, 1, 2, sample);
    augment_free(a);
}

START_TEST(test_nothing_asked_for_changes_nothing)
{
    float image[SIZE], out[SIZE];
    fill(image);
    for (uint64_t sample = 0; sample < 20; sample++) {
        apply(&(struct augment_config){0}, image, sample, out);
        ck_assert_mem_eq(image, out, sizeof(image));
    }
}
END_TEST

START_TEST(test_a_flip_exchanges_sides_and_twice_is_none)
{
    float image[SIZE], once[SIZE], twice[SIZE];
    fill(image);
    const struct augment_config flips[] = {{.flip = 1}, {.flip_vertical = 1}};
    for (int vertical = 0; vertical < 2; vertical++) {
        apply(&flips[vertical], image, 0, once);
        for (int i = 0; i < SIZE; i++) {
            const int x = i % W, y = i / W % H;
            const int from = vertical ? i + (H - 1 - 2 * y) * W : i + W - 1 - 2 * x;
            ck_assert_float_eq(once[i], image[from]);
        }
        apply(&flips[vertical], once, 0, twice);
        ck_assert_mem_eq(image, twice, sizeof(image));
    }
}
END_TEST

START_TEST(test_a_flip_comes_as_often_as_asked)
{
    float image[SIZE], out[SIZE];
    fill(image);
    int n_flip = 0;
    for (uint64_t sample = 0; sample < 2000; sample++) {
        apply(&(struct augment_config){.flip = 0.25}, image, sample, out);
        n_flip += memcmp(image, out, sizeof(image)) != 0;
    }
    ck_assert_int_le(abs(n_flip - 500), 78); /* four standard deviations: 4 sqrt(2000 3/16) */
}
END_TEST

START_TEST(test_a_crop_moves_by_whole_pixels_over_all_offsets)
{
    enum { PAD = 2 };
    float image[SIZE], out[SIZE];
    fill(image);
    int count[2 * PAD + 1][2 * PAD + 1] = {{0}};
    for (uint64_t sample = 0; sample < 1000; sample++) {
        apply(&(struct augment_config){.crop_pad_px = PAD}, image, sample, out);
        int found = 0;
        for (int dy = -PAD; dy <= PAD; dy++) {
            for (int dx = -PAD; dx <= PAD; dx++) {
                bool same = true;
                for (int i = 0; same && i < AREA; i++) {
                    const int x = i % W - dx, y = i / W - dy;
                    const bool inside = x >= 0 && x < W && y >= 0 && y < H;
                    same = out[i] == (inside ? image[y * W + x] : 0);
                }
                found += same;
                count[dy + PAD][dx + PAD] += same;
            }
        }
        ck_assert_int_eq(found, 1);
    }
    for (int i = 0; i < 25; i++) /* 40 +- five standard deviations */
        ck_assert(abs(count[i / 5][i % 5] - 40) < 32);
}
END_TEST

/* A disc in the middle looks the same at any angle. */
START_TEST(test_a_disc_stays_a_disc_when_turned)
{
    float image[SIZE], out[SIZE];
    for (int i = 0; i < SIZE; i++) {
        const double x = i % W - (W - 1) / 2.0, y = i / W % H - (H - 1) / 2.0;
        image[i] = (float)exp(-(x * x + y * y) / 8);
    }
    for (uint64_t sample = 0; sample < 20; sample++) {
        apply(&(struct augment_config){.rotate_deg = 180}, image, sample, out);
        for (int i = 0; i < SIZE; i++) {
            const double x = i % W - (W - 1) / 2.0, y = i / W % H - (H - 1) / 2.0;
            if (hypot(x, y) < W / 2 - 1) /* beyond, corners turn in; bilinear errs by f'' / 4 */
                ck_assert_float_eq_tol(out[i], image[i], 0.07f);
        }
    }
}
END_TEST

/* The sum of a blob and where its middle is. */
static void weigh(const float *plane, double *sum, double *x, double *y)
{
    *sum = *x = *y = 0;
    for (int i = 0; i < AREA; i++) {
        *sum += plane[i];
        *x += plane[i] * (i % W);
        *y += plane[i] * (i / W);
    }
    *x /= *sum;
    *y /= *sum;
}

START_TEST(test_scale_and_translate_stay_in_their_ranges)
{
    float image[SIZE] = {0}, out[SIZE];
    for (int c = 0; c < C; c++)
        for (int i = 0; i < 4; i++) /* 2 x 2 in the middle */
            image[c * AREA + (H / 2 - 1 + i / 2) * W + W / 2 - 1 + i % 2] = 1;
    double least = INFINITY, most = 0, farthest = 0;
    for (uint64_t sample = 0; sample < 200; sample++) {
        double sum, x, y;
        apply(&(struct augment_config){.scale = 0.2}, image, sample, out);
        weigh(out, &sum, &x, &y);
        least = MIN(least, sum);
        most = MAX(most, sum);
        ck_assert_double_eq_tol(x, (W - 1) / 2.0, 1e-5);
        apply(&(struct augment_config){.translate = 0.125}, image, sample, out);
        weigh(out, &sum, &x, &y);
        ck_assert_double_eq_tol(sum, 4, 1e-5); /* nothing leaves: 1 pixel at most */
        ck_assert_double_le(fabs(y - (H - 1) / 2.0), 1 + 1e-5);
        farthest = MAX(farthest, fabs(x - (W - 1) / 2.0));
    }
    /* An area grows with the square; the rim of a bilinear blob makes it differ a little. */
    ck_assert_double_ge(least, 4 * 0.8 * 0.8 - 0.6);
    ck_assert_double_le(most, 4 * 1.2 * 1.2 + 0.6);
    ck_assert_double_gt(most - least, 1.5);
    ck_assert(farthest > 0.9 && farthest <= 1 + 1e-5);
}
END_TEST

START_TEST(test_elastic_distortion_bends_but_keeps_what_is_flat)
{
    const struct augment_config c = {.elastic_alpha_px = 8, .elastic_sigma_px = 2};
    float image[SIZE], out[SIZE], again[SIZE];
    fill(image);
    apply(&c, image, 5, out);
    apply(&c, image, 5, again);
    ck_assert_mem_ne(image, out, sizeof(image));
    ck_assert_mem_eq(again, out, sizeof(image));
    apply(&c, image, 6, again);
    ck_assert_mem_ne(again, out, sizeof(image));
    for (int i = 0; i < SIZE; i++)
        image[i] = 1;
    apply(&c, image, 5, out);
    double inside = 0;
    for (int i = 0; i < SIZE; i++) {
        ck_assert(out[i] >= 0 && out[i] <= 1 + 1e-6f);
        inside += out[i] > 0.999f;
    }
    ck_assert_double_gt(inside, SIZE / 2);
}
END_TEST

START_TEST(test_one_change_leaves_the_draws_of_others)
{
    float image[SIZE], flipped[SIZE], both[SIZE];
    fill(image);
    int n_flip = 0;
    for (uint64_t sample = 0; sample < 50; sample++) {
        apply(&(struct augment_config){.flip = 0.5}, image, sample, flipped);
        apply(&(struct augment_config){.flip = 0.5, .rotate_deg = 1e-9}, image, sample, both);
        n_flip += memcmp(flipped, image, sizeof(image)) != 0;
        for (int i = 0; i < SIZE; i++)
            ck_assert_float_eq_tol(flipped[i], both[i], 1e-6f);
    }
    ck_assert(n_flip > 10 && n_flip < 40);
}
END_TEST

START_TEST(test_distortion_without_a_width_is_refused)
{
    const struct shape shape = shape_make(3, (const int64_t[]){C, H, W});
    const struct augment_config c = {.elastic_alpha_px = 8};
    GError *error = NULL;
    ck_error(augment_new(&c, &shape, &error), error, ERROR_INPUT, "augment.elastic_sigma_px");
}
END_TEST

START_TEST(test_settings_default_to_no_change)
{
    config_t doc;
    config_init(&doc);
    GError *error = NULL;
    struct cfg *cfg = cfg_from_group("x", config_root_setting(&doc), &error);
    ck_ok(cfg, error);
    ck_ok(cfg_set(cfg, "augment.rotate_deg=15", &error), error);
    struct augment_config c;
    struct arena *arena = arena_new();
    const struct cfg_table table = {augment_fields, &c};
    ck_ok(cfg_apply(cfg, &table, 1, arena, &error), error);
    ck_assert_double_eq(c.rotate_deg, 15);
    ck_assert_double_eq(c.elastic_sigma_px, 4);
    ck_assert(c.flip == 0 && c.flip_vertical == 0 && c.crop_pad_px == 0 && c.scale == 0);
    ck_assert(c.translate == 0 && c.elastic_alpha_px == 0);
    cfg_free(cfg);
    arena_free(arena);
    config_destroy(&doc);
}
END_TEST

TEST_MAIN("augment", test_nothing_asked_for_changes_nothing,
          test_a_flip_exchanges_sides_and_twice_is_none, test_a_flip_comes_as_often_as_asked,
          test_a_crop_moves_by_whole_pixels_over_all_offsets, test_a_disc_stays_a_disc_when_turned,
          test_scale_and_translate_stay_in_their_ranges,
          test_elastic_distortion_bends_but_keeps_what_is_flat,
          test_one_change_leaves_the_draws_of_others, test_distortion_without_a_width_is_refused,
          test_settings_default_to_no_change)
