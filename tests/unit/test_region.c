/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/region.h"

#include <string.h>

#include "tests/unit/test.h"

static const struct dims whole = {.n = 2, .h = 3, .w = 5, .c = 4};
enum { N = 2 * 3 * 5 * 4, SIZE = sizeof(uint16_t) };

/* Of two images two rows, of these three columns, of these two channels. */
static const struct region part = {
    .n_image = 2, .row = 1, .n_row = 2, .col = 2, .n_col = 3, .channel = 1, .n_channel = 2};

START_TEST(test_a_whole_value_is_its_dimensions)
{
    const struct region all = region_whole(&whole);
    const struct pitch p = region_pitch(&all, SIZE);
    ck_assert_int_eq(region_elements(&all), N);
    ck_assert(region_has_images(&all, &whole) && !region_has_images(&part, &whole));
    ck_assert_int_eq(p.pixel, 4 * SIZE);
    ck_assert_int_eq(p.row, 5 * 4 * SIZE);
    ck_assert_int_eq(p.image, 3 * 5 * 4 * SIZE);
    ck_assert_int_eq(region_begin(&all, &p, SIZE), 0);
    ck_assert_uint_eq(region_extent(&all, &p, SIZE), N * SIZE);
}
END_TEST

/* From the first image's element (1, 2, 1) to the second one's (2, 4, 2). */
START_TEST(test_a_part_is_spread_over_the_whole)
{
    const struct region all = region_whole(&whole);
    const struct pitch p = region_pitch(&all, SIZE), alone = region_pitch(&part, SIZE);
    ck_assert_int_eq(region_begin(&part, &p, SIZE), (1 * 20 + 2 * 4 + 1) * SIZE);
    ck_assert_uint_eq(region_extent(&part, &p, SIZE),
                      ((60 + 2 * 20 + 4 * 4 + 2) - (20 + 2 * 4 + 1) + 1) * SIZE);
    ck_assert_uint_eq(region_extent(&part, &alone, SIZE), 2 * 2 * 3 * 2 * SIZE);
}
END_TEST

START_TEST(test_a_copy_takes_its_elements_and_no_others)
{
    const struct region all = region_whole(&whole);
    const struct pitch p = region_pitch(&all, SIZE), alone = region_pitch(&part, SIZE);
    uint16_t from[N], by_itself[24], to[N] = {0};
    for (int i = 0; i < N; i++)
        from[i] = (uint16_t)(i + 1);
    const int64_t begin = region_begin(&part, &p, SIZE) / SIZE;
    region_copy(&part, SIZE, by_itself, &alone, from + begin, &p);
    int n = 0;
    for (int image = 0; image < 2; image++)
        for (int y = 1; y < 3; y++)
            for (int x = 2; x < 5; x++)
                for (int c = 1; c < 3; c++)
                    ck_assert_uint_eq(by_itself[n++], from[((image * 3 + y) * 5 + x) * 4 + c]);
    region_copy(&part, SIZE, to + begin, &p, by_itself, &alone);
    for (int i = 0; i < N; i++) {
        const int x = i / 4 % 5, y = i / 20 % 3, c = i % 4;
        const bool is_part = y >= 1 && x >= 2 && (c == 1 || c == 2);
        ck_assert_uint_eq(to[i], is_part ? from[i] : 0);
    }
    /* Whole rows, and whole images, lie side by side. */
    const struct region rows = {.n_image = 1, .row = 1, .n_row = 2, .n_col = 5, .n_channel = 4};
    const struct pitch of_rows = region_pitch(&rows, SIZE);
    uint16_t copy[N] = {0};
    region_copy(&rows, SIZE, copy, &of_rows, from + region_begin(&rows, &p, SIZE) / SIZE, &p);
    ck_assert_mem_eq(copy, from + 20, 40 * SIZE);
    region_copy(&all, SIZE, copy, &p, from, &p);
    ck_assert_mem_eq(copy, from, sizeof(copy));
}
END_TEST

TEST_MAIN("region", test_a_whole_value_is_its_dimensions, test_a_part_is_spread_over_the_whole,
          test_a_copy_takes_its_elements_and_no_others)
