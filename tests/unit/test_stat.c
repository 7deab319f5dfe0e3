/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "sim/base/arena.h"
#include "sim/stat/power.h"
#include "sim/stat/record.h"

static struct record_layer layers[] = {
    {.macs = 600,
     .cycles = 10,
     .peak_macs_per_cycle = 64,
     .bytes = (struct record_bytes[]){{.read = 1, .write = 2}, {.read = 100, .write = 7}},
     .energy_pj = (double[]){1, 2, 1000}},
    {.cycles = 6,
     .bytes = (struct record_bytes[2]){{.read = 3, .write = 4}},
     .energy_pj = (double[]){4, 5, 1000}},
};

static const struct record two_layers = {
    .clock_hz = 1e9,
    .peak_macs_per_cycle = 100,
    .n_memory = 2,
    .n_component = 2, /* the third number of each layer is no component */
    .layers = layers,
    .n_layer = 2,
    .total_cyc = 16,
};

START_TEST(test_totals_are_sums_over_layers)
{
    ck_assert_uint_eq(record_macs(&two_layers), 600);
    struct record_bytes first = record_memory_bytes(&two_layers, 0);
    ck_assert_uint_eq(first.read, 4);
    ck_assert_uint_eq(first.write, 6);
    ck_assert_uint_eq(record_memory_bytes(&two_layers, 1).read, 100);
}
END_TEST

START_TEST(test_energy_and_time_are_in_si_units)
{
    /* exact but for the rounding of the factor 1e-12 */
    ck_assert_double_eq_tol(record_layer_energy_j(&two_layers, &layers[0]), 3e-12, 1e-24);
    ck_assert_double_eq_tol(record_energy_j(&two_layers), 12e-12, 1e-24);
    ck_assert_double_eq_tol(record_seconds(&two_layers), 16e-9, 1e-20);
}
END_TEST

START_TEST(test_utilization_is_macs_over_possible_macs)
{
    ck_assert_double_eq(record_layer_utilization(&layers[0]), 600.0 / 640);
    ck_assert_double_eq(record_utilization(&two_layers), 600.0 / 1600);
}
END_TEST

START_TEST(test_nothing_is_divided_by_zero)
{
    struct record empty = {0};
    ck_assert_double_eq(record_layer_utilization(&layers[1]), 0);
    ck_assert_double_eq(record_utilization(&empty), 0);
    ck_assert_double_eq(record_seconds(&empty), 0);
    ck_assert_double_eq(record_energy_j(&empty), 0);
}
END_TEST

START_TEST(test_every_bound_has_its_name)
{
    ck_assert_ptr_null(record_bound_names[BOUND_NONE]);
    ck_assert_str_eq(record_bound_names[BOUND_COMPUTE], "compute");
    ck_assert_str_eq(record_bound_names[BOUND_SYNC], "sync");
}
END_TEST

START_TEST(test_power_is_energy_over_the_intervals_it_is_spent_in)
{
    struct record r = two_layers; /* 16 cycles of 1 ns */
    power_begin(&r);
    ck_assert_int_eq(r.n_power, 16);
    ck_assert_double_eq_tol(power_interval_s(&r), 1e-9, 1e-21);
    power_add(&r, 4, 6, 2000);
    power_add(&r, 5.5, 6.5, 1000);
    power_add(&r, 16, 16, 3000); /* at the very end: in the last interval */
    power_add(&r, 7, 7, 5000);
    const double expected_w[16] = {[4] = 1, [5] = 1.5, [6] = 0.5, [7] = 5, [15] = 3};
    for (int i = 0; i < 16; i++)
        ck_assert_double_eq_tol(r.power_w[i], expected_w[i], 1e-12);
    ck_assert_double_eq_tol(power_peak_w(&r), 5, 1e-12);
}
END_TEST

START_TEST(test_energy_is_kept_in_few_intervals_of_a_long_run)
{
    struct record r = two_layers;
    r.total_cyc = 1000003;
    power_begin(&r);
    ck_assert_int_eq(r.n_power, RECORD_MAX_POWER);
    for (int i = 0; i < 1000; i++)
        power_add(&r, 997.0 * i, 997.0 * i + 13.7 * i, 100);
    power_add(&r, 999000, 2000000, 7); /* beyond the end: what is spent, is spent within */
    double sum_pj = 0;
    for (int i = 0; i < r.n_power; i++)
        sum_pj += r.power_w[i] * power_interval_s(&r) * 1e12;
    ck_assert_double_eq_tol(sum_pj, 100007, 1e-6);
    struct record empty = {0};
    power_begin(&empty);
    power_add(&empty, 0, 1, 1);
    ck_assert_double_eq(power_peak_w(&empty), 0);
}
END_TEST

/* A machine with more of everything than any has today. */
START_TEST(test_layers_are_as_large_as_the_machine_says)
{
    struct arena *arena = arena_new();
    const struct record r = {.n_cause = 40, .n_memory = 300, .n_component = 50};
    struct record_layer *many = record_layers_new(arena, &r, 5);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < r.n_memory; j++) {
            ck_assert_uint_eq(many[i].bytes[j].read, 0);
            many[i].bytes[j] = (struct record_bytes){(uint64_t)(i * 1000 + j), 1};
            many[i].compulsory[j] = (struct record_bytes){2, (uint64_t)(i * 1000 + j)};
        }
        for (int j = 0; j < r.n_cause; j++)
            many[i].stall_cyc[j] = (uint64_t)(i * 100 + j);
        for (int j = 0; j < r.n_component; j++)
            many[i].energy_pj[j] = i + j / 64.0;
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(many[i].stall_cyc[39], (uint64_t)(i * 100 + 39));
        ck_assert_uint_eq(many[i].bytes[0].read, (uint64_t)(i * 1000));
        ck_assert_uint_eq(many[i].bytes[299].write, 1);
        ck_assert_uint_eq(many[i].compulsory[0].read, 2);
        ck_assert_uint_eq(many[i].compulsory[299].write, (uint64_t)(i * 1000 + 299));
        ck_assert_double_eq(many[i].energy_pj[0], i);
        ck_assert_double_eq(many[i].energy_pj[49], i + 49 / 64.0);
    }
    arena_free(arena);
}
END_TEST

START_TEST(test_layers_fit_into_the_bytes_that_they_are_said_to_take)
{
    const struct record r = {.n_cause = 3, .n_memory = 7, .n_component = 5};
    for (int n = 0; n < 40; n++) {
        size_t bytes;
        ck_assert(record_layers_bytes(&r, n, &bytes));
        struct arena *arena = arena_new_shared(bytes);
        ck_assert_ptr_nonnull(record_layers_new(arena, &r, n)); /* else it ends the program */
        arena_free(arena);
    }
}
END_TEST

START_TEST(test_units_keep_their_own_causes)
{
    static const struct record_cause causes[] = {{"data_wait", "Data comes.", false},
                                                 {"bank_conflict", "Banks collide.", true}};
    struct record r = {.arena = arena_new()};
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t stall_cyc[] = {i, 2 * i};
        const struct record_unit u = {.name = "core",
                                      .count = 64,
                                      .busy_cyc = i,
                                      .causes = causes,
                                      .n_cause = (int)(i % 3),
                                      .stall_cyc = stall_cyc};
        record_add_unit(&r, &u);
        stall_cyc[0] = stall_cyc[1] = 0; /* they are copied */
    }
    ck_assert_int_eq(r.n_unit, 100);
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(r.units[i].busy_cyc, i);
        for (int c = 0; c < r.units[i].n_cause; c++)
            ck_assert_uint_eq(r.units[i].stall_cyc[c], (c + 1) * i);
    }
    arena_free(r.arena);
}
END_TEST

TEST_MAIN("stat", test_layers_are_as_large_as_the_machine_says,
          test_layers_fit_into_the_bytes_that_they_are_said_to_take,
          test_units_keep_their_own_causes, test_power_is_energy_over_the_intervals_it_is_spent_in,
          test_energy_is_kept_in_few_intervals_of_a_long_run, test_totals_are_sums_over_layers,
          test_energy_and_time_are_in_si_units, test_utilization_is_macs_over_possible_macs,
          test_nothing_is_divided_by_zero, test_every_bound_has_its_name)
