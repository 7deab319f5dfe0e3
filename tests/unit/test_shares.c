/* SPDX-License-Identifier: Apache-2.0 */
/* What a layer's share of a run is: the definition in arch/shares.h, on turns made by hand. */
#include "tests/unit/test.h"

#include "arch/shares.h"

enum { N_LAYER = 4 };

static struct record record_new(int n_cause)
{
    struct record r = {.n_cause = n_cause, .n_layer = N_LAYER, .arena = arena_new()};
    r.layers = record_layers_new(r.arena, &r, N_LAYER);
    return r;
}

static uint64_t sum_of_cycles(const struct record *r)
{
    uint64_t sum = 0;
    for (int i = 0; i < r->n_layer; i++)
        sum += r->layers[i].cycles;
    return sum;
}

START_TEST(test_layers_one_after_the_other_have_their_own_cycles)
{
    static const int layer[] = {0, 1, 2, 3};
    struct record r = record_new(0);
    struct shares *s = shares_new(r.arena, layer, 4);
    for (int i = 0; i < 4; i++)
        shares_note(s, i, (uint64_t)(10 * i), (uint64_t)(10 * i + 10), true);
    shares_collect(s, &r);
    ck_assert_uint_eq(r.total_cyc, 40);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(r.layers[i].cycles, 10);
        ck_assert_uint_eq(r.layers[i].start_cycle, (uint64_t)(10 * i));
        ck_assert_uint_eq(r.layers[i].end_cycle, (uint64_t)(10 * i + 10));
    }
    arena_free(r.arena);
}
END_TEST

/* Weights of layer 1 come while layer 0 computes: they are in the share of layer 0. */
START_TEST(test_what_is_done_ahead_is_in_the_share_before)
{
    static const int layer[] = {0, 1};
    struct record r = record_new(0);
    struct shares *s = shares_new(r.arena, layer, 2);
    shares_note(s, 0, 0, 100, true);
    shares_note(s, 1, 30, 90, false);
    shares_note(s, 1, 100, 130, true);
    shares_collect(s, &r);
    ck_assert_uint_eq(r.layers[0].cycles, 100);
    ck_assert_uint_eq(r.layers[1].cycles, 30);
    ck_assert_uint_eq(r.layers[1].start_cycle, 30); /* spans overlap, shares do not */
    arena_free(r.arena);
}
END_TEST

/* An output still on its way: the share ends where the next layer begins to compute, a cycle
 * earlier or later where that does. */
START_TEST(test_a_share_ends_where_the_next_turn_begins_to_compute)
{
    static const int layer[] = {0, 1};
    for (uint64_t begin = 59; begin <= 61; begin++) {
        struct record r = record_new(0);
        struct shares *s = shares_new(r.arena, layer, 2);
        shares_note(s, 0, 0, 50, true);
        shares_note(s, 0, 50, 60, false);
        shares_note(s, 1, begin, 90, true);
        shares_collect(s, &r);
        ck_assert_uint_eq(r.layers[0].cycles, MIN(begin, 60));
        ck_assert_uint_eq(r.layers[1].cycles, 90 - MIN(begin, 60));
        arena_free(r.arena);
    }
}
END_TEST

/* The last turn computes before an output of the first one has left: the run ends with it. */
START_TEST(test_the_last_share_ends_with_the_run)
{
    static const int layer[] = {0, 1};
    struct record r = record_new(0);
    struct shares *s = shares_new(r.arena, layer, 2);
    shares_note(s, 0, 0, 40, true);
    shares_note(s, 0, 40, 200, false);
    shares_note(s, 1, 40, 70, true);
    shares_collect(s, &r);
    ck_assert_uint_eq(r.total_cyc, 200);
    ck_assert_uint_eq(r.layers[0].cycles, 40);
    ck_assert_uint_eq(r.layers[1].cycles, 160);
    arena_free(r.arena);
}
END_TEST

/* Layers that take turns have the sum of their turns' shares; one that does nothing has none. */
START_TEST(test_a_layer_has_the_sum_of_its_turns)
{
    static const int layer[] = {0, 1, 0, 1, 3};
    struct record r = record_new(0);
    struct shares *s = shares_new(r.arena, layer, 5);
    static const uint64_t ends[] = {7, 18, 31, 48};
    for (int i = 0; i < 4; i++)
        shares_note(s, i, i > 0 ? ends[i - 1] : 0, ends[i], true);
    shares_collect(s, &r);
    ck_assert_uint_eq(r.layers[0].cycles, 7 + 13);
    ck_assert_uint_eq(r.layers[1].cycles, 11 + 17);
    ck_assert_uint_eq(r.layers[2].cycles + r.layers[3].cycles, 0);
    ck_assert_uint_eq(r.layers[0].end_cycle, 31);
    ck_assert_uint_eq(r.layers[1].start_cycle, 7);
    arena_free(r.arena);
}
END_TEST

START_TEST(test_shares_add_up_to_the_total)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    for (int run = 0; run < 500; run++) {
        struct record r = record_new(0);
        int layer[20];
        const int n = g_rand_int_range(rand, 1, 20);
        for (int i = 0; i < n; i++)
            layer[i] = g_rand_int_range(rand, 0, N_LAYER);
        struct shares *s = shares_new(r.arena, layer, n);
        uint64_t last = 0;
        for (int i = 0; i < 3 * n; i++) {
            const uint64_t start = (uint64_t)g_rand_int_range(rand, 0, 1000);
            const uint64_t end = start + (uint64_t)g_rand_int_range(rand, 0, 100);
            shares_note(s, g_rand_int_range(rand, 0, n), start, end, g_rand_boolean(rand));
            last = MAX(last, end);
        }
        shares_collect(s, &r);
        ck_assert_uint_eq(r.total_cyc, last);
        ck_assert_uint_eq(sum_of_cycles(&r), last);
        arena_free(r.arena);
    }
}
END_TEST

/* A wait of 10 to 50 over shares that end at 20 and 45. */
START_TEST(test_a_wait_is_cut_at_the_ends_of_shares)
{
    static const int layer[] = {0, 1, 2};
    static const struct shares_wait waits[] = {{5, 8, 1}, {10, 50, 0}, {50, 52, 1}};
    struct record r = record_new(2);
    struct shares *s = shares_new(r.arena, layer, 3);
    shares_note(s, 0, 0, 20, true);
    shares_note(s, 1, 20, 45, true);
    shares_note(s, 2, 45, 50, true);
    shares_collect(s, &r);
    shares_add_waits(s, waits, G_N_ELEMENTS(waits), &r);
    ck_assert_uint_eq(r.layers[0].stall_cyc[0], 10);
    ck_assert_uint_eq(r.layers[1].stall_cyc[0], 25);
    ck_assert_uint_eq(r.layers[2].stall_cyc[0], 5);
    ck_assert_uint_eq(r.layers[0].stall_cyc[1], 3);
    ck_assert_uint_eq(r.layers[2].stall_cyc[1], 2); /* after the last share: in it all the same */
    arena_free(r.arena);
}
END_TEST

TEST_MAIN("shares", test_layers_one_after_the_other_have_their_own_cycles,
          test_what_is_done_ahead_is_in_the_share_before,
          test_a_share_ends_where_the_next_turn_begins_to_compute,
          test_the_last_share_ends_with_the_run, test_a_layer_has_the_sum_of_its_turns,
          test_shares_add_up_to_the_total, test_a_wait_is_cut_at_the_ends_of_shares)
