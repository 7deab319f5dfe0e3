/* SPDX-License-Identifier: Apache-2.0 */
/* Operands that are broadcast, pixel by pixel, against numpy's rules index by index. */
#include "mapper/values/broadcast.h"
#include "tests/unit/test.h"

/* Place of an element as a machine stores its tensor. */
static int64_t stored_at(const struct shape *s, const int64_t *i)
{
    int64_t at = 0;
    if (s->n_dim == 4)
        return i[1] + s->dim[1] * (i[3] + s->dim[3] * (i[2] + s->dim[2] * i[0]));
    for (int d = 0; d < s->n_dim; d++)
        at = at * s->dim[d] + i[d];
    return at;
}

/* What the element of the output at these indices takes of the operand. */
static int64_t expected_at(const struct shape *out, const struct shape *operand, const int64_t *i)
{
    int64_t own[SHAPE_MAX_DIM];
    for (int d = 0; d < operand->n_dim; d++)
        own[d] = operand->dim[d] == 1 ? 0 : i[out->n_dim - operand->n_dim + d];
    return stored_at(operand, own);
}

/* Whether all elements of all pixels are found. */
static bool agrees(const struct shape *out, const struct shape *operand, const struct broadcast *b)
{
    const int channel = out->n_dim == 4 ? 1 : out->n_dim - 1;
    const int64_t channels = out->n_dim ? out->dim[channel] : 1;
    for (int64_t k = 0; k < shape_count(out); k++) {
        int64_t i[SHAPE_MAX_DIM];
        for (int64_t d = out->n_dim - 1, rest = k; d >= 0; d--) {
            i[d] = rest % out->dim[d];
            rest /= out->dim[d];
        }
        const int64_t stored = stored_at(out, i), c = stored % channels;
        if (broadcast_at(b, stored / channels) + (b->c == 1 ? 0 : c) !=
            expected_at(out, operand, i))
            return false;
    }
    return true;
}

START_TEST(test_pixels_are_those_of_numpys_rules)
{
    GRand *rand = g_rand_new_with_seed(1);
    int n_possible = 0, n_refused = 0;
    for (int k = 0; k < 5000; k++) {
        struct shape out = {.n_dim = g_rand_int_range(rand, 0, 6)}, operand = out;
        const int missing = g_rand_int_range(rand, 0, out.n_dim + 1);
        operand.n_dim -= missing;
        for (int d = 0; d < out.n_dim; d++) {
            out.dim[d] = g_rand_int_range(rand, 1, 5);
            if (d >= missing)
                operand.dim[d - missing] = g_rand_boolean(rand) ? 1 : out.dim[d];
        }
        struct broadcast b;
        if (!broadcast_make(&out, &operand, &b)) {
            n_refused++;
            continue;
        }
        n_possible++;
        ck_assert(agrees(&out, &operand, &b));
    }
    g_rand_free(rand);
    ck_assert_int_ge(n_possible, 4000);
    ck_assert_int_ge(n_refused, 20);
}
END_TEST

START_TEST(test_channels_must_lie_side_by_side)
{
    const struct shape image = {4, {2, 3, 5, 7}}, row = {3, {2, 5, 3}};
    const struct shape planes = {3, {3, 5, 7}}, by_channel = {3, {3, 1, 1}}, vector = {1, {3}};
    struct broadcast b;
    ck_assert(!broadcast_make(&image, &planes, &b)); /* stored channel by channel */
    ck_assert(broadcast_make(&image, &by_channel, &b));
    ck_assert_int_eq(b.c, 3);
    ck_assert(broadcast_make(&row, &vector, &b));
    ck_assert_int_eq(b.c, 3);
    ck_assert_int_eq(broadcast_at(&b, 9), 0);
}
END_TEST

TEST_MAIN("broadcast", test_pixels_are_those_of_numpys_rules, test_channels_must_lie_side_by_side)
