/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/technology.h"

#include "tests/unit/test.h"

START_TEST(test_the_base_node_is_the_published_table)
{
    for (int i = 0; i < N_TECHNOLOGY; i++)
        ck_assert_double_eq_tol(technology_factor((enum technology)i, 45), 1, 1e-12);
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_int8, 45), 0.3, 1e-12);
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_fp32, 45), 4.6, 1e-12);
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_bf16, 45), 2.0, 1e-12);
    ck_assert_double_eq_tol(technology_sram_pj_per_byte(8192, 45), 10.0 / 8, 1e-12);
    ck_assert_double_eq_tol(technology_sram_pj_per_byte(32768, 45), 20.0 / 8, 1e-12);
    ck_assert_double_eq_tol(technology_sram_pj_per_byte(1 << 20, 45), 100.0 / 8, 1e-12);
    ck_assert_double_eq_tol(technology_dram_pj_per_byte("DDR3"), 162.5, 1e-12);
    ck_assert_double_eq_tol(technology_dram_pj_per_byte("none"), 0, 1e-12);
}
END_TEST

/* Ends of the trends, and halfway between them on a logarithmic scale. */
START_TEST(test_logic_memory_and_wires_shrink_apart)
{
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_LOGIC, 7), 1 / 3.5, 1e-12);
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_SRAM, 7), 1 / 1.8, 1e-12);
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_WIRE, 40) /
                                technology_factor(TECHNOLOGY_WIRE, 10),
                            1.55, 1e-12);
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_LOGIC, sqrt(45 * 7)), sqrt(1 / 3.5),
                            1e-12);
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_LOGIC, 28), 0.726, 1e-3);
    ck_assert_double_eq_tol(technology_factor(TECHNOLOGY_SRAM, 28), 0.861, 1e-3);
    for (int i = 0; i < N_TECHNOLOGY; i++)
        ck_assert(technology_factor((enum technology)i, 90) > 1);
}
END_TEST

/* The table of Jouppi et al., ISCA 2021, for 7 nm: bf16 multiply 0.21 and fp32 add 0.38, fp32
 * multiply 1.31 and add 0.38. int8 (0.07 and 32-bit add 0.03) is given with one digit. */
START_TEST(test_operations_at_7_nm_are_near_those_published)
{
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_bf16, 7), 0.21 + 0.38, 0.1 * 0.59);
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_fp32, 7), 1.31 + 0.38, 0.25 * 1.69);
    ck_assert_double_eq_tol(technology_mac_pj(NUMBER_int8, 7), 0.07 + 0.03, 0.2 * 0.1);
}
END_TEST

START_TEST(test_a_larger_memory_never_costs_less)
{
    double before = 0;
    for (double bytes = 1024; bytes < 1e9; bytes *= 1.5) {
        const double pj = technology_sram_pj_per_byte(bytes, 28);
        ck_assert(pj >= before);
        before = pj;
    }
}
END_TEST

START_TEST(test_a_lane_of_pcie_takes_its_power_at_full_rate)
{
    /* 50 mW at 8 Gb/s */
    ck_assert_double_eq_tol(technology_pcie_pj_per_byte() / 8, 6.25, 1e-12);
}
END_TEST

TEST_MAIN("technology", test_the_base_node_is_the_published_table,
          test_logic_memory_and_wires_shrink_apart,
          test_operations_at_7_nm_are_near_those_published, test_a_larger_memory_never_costs_less,
          test_a_lane_of_pcie_takes_its_power_at_full_rate)
