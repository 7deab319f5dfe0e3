/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "sim/stat/record.h"

static struct record_layer layers[] = {
    {.macs = 600,
     .cycles = 10,
     .peak_macs_per_cycle = 64,
     .bytes = {{.read = 1, .write = 2}, {.read = 100, .write = 7}},
     .energy_pj = {1, 2, 1000}},
    {.cycles = 6, .bytes = {{.read = 3, .write = 4}}, .energy_pj = {4, 5, 1000}},
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

TEST_MAIN("stat", test_totals_are_sums_over_layers, test_energy_and_time_are_in_si_units,
          test_utilization_is_macs_over_possible_macs, test_nothing_is_divided_by_zero,
          test_every_bound_has_its_name)
