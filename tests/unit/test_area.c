/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/area.h"
#include "tests/unit/test.h"

START_TEST(test_the_base_node_is_the_published_table)
{
    ck_assert_double_eq_tol(area_logic_factor(45), 1, 1e-12);
    ck_assert_double_eq_tol(area_mac_um2(NUMBER_int8, 45), 282 + 137, 1e-9);
    ck_assert_double_eq_tol(area_mac_um2(NUMBER_bf16, 45), 1640 + 4184, 1e-9);
    ck_assert_double_eq_tol(area_mac_um2(NUMBER_fp16, 45), 1640 + 4184, 1e-9);
    ck_assert_double_eq_tol(area_mac_um2(NUMBER_fp32, 45), 7700 + 4184, 1e-9);
    ck_assert_double_eq_tol(area_lane_um2(45), 3495 + 137 + 7700 + 4184, 1e-9);
    ck_assert_double_eq_tol(area_register_um2(10, 45), 61.18, 1e-9);
}
END_TEST

START_TEST(test_published_nodes_are_met)
{
    ck_assert_double_eq_tol(area_logic_factor(28), 117.0 * 90 / (190 * 140), 1e-12);
    ck_assert_double_eq_tol(area_logic_factor(7), 54.0 * 40 / (190 * 140), 1e-12);
    static const double cells[][2] = {
        {65, 0.525}, {40, 0.242}, {28, 0.127}, {16, 0.07}, {7, 0.027}};
    for (size_t i = 0; i < G_N_ELEMENTS(cells); i++)
        ck_assert_double_eq_tol(area_sram_cells_um2(1, false, cells[i][0]), cells[i][1], 1e-12);
    ck_assert_double_eq_tol(area_sram_cells_um2(100, true, 28), 130 * 0.127, 1e-9);
}
END_TEST

/* 45 nm SRAM is between the foundry's 65 and 40 nm: 0.299 um2 was published by it, 0.346 by Intel.
 */
START_TEST(test_between_nodes_area_is_between_theirs)
{
    double before = 0;
    for (double nm = 5; nm < 100; nm += 0.5) {
        ck_assert(area_logic_factor(nm) > before);
        before = area_logic_factor(nm);
        ck_assert(area_sram_cells_um2(1, false, nm) < area_sram_cells_um2(1, false, nm + 0.5));
    }
    ck_assert(area_sram_cells_um2(1, false, 45) > 0.242);
    ck_assert(area_sram_cells_um2(1, false, 45) < 0.346);
}
END_TEST

START_TEST(test_an_interface_shrinks_by_its_logic_alone)
{
    ck_assert_double_eq_tol(area_memory_phy_mm2("DDR3", 16, 40), 1.3, 1e-9);
    ck_assert_double_eq_tol(area_memory_phy_mm2("DDR3", 128, 40), 10.4, 1e-9);
    ck_assert(area_memory_phy_mm2("DDR3", 16, 7) > 0.8 * 1.3);
    ck_assert(area_memory_phy_mm2("DDR3", 16, 7) < 0.9 * 1.3);
    ck_assert_double_eq_tol(area_memory_phy_mm2("HBM2", 4096, 16), 59.6, 1e-9);
    ck_assert_double_eq_tol(area_memory_phy_mm2("HBM", 4096, 28), 59.6, 1e-9); /* bumps stay */
    ck_assert_double_eq(area_memory_phy_mm2("LPDDR4", 16, 28), 0);
    ck_assert_double_eq(area_memory_phy_mm2("none", 16, 28), 0);
    ck_assert_double_eq_tol(area_pcie_phy_mm2(16), 7.36, 1e-9);
}
END_TEST

START_TEST(test_leakage_shrinks_with_length)
{
    ck_assert_double_eq_tol(area_logic_leakage_w(4.522, 45), 79.1e-9, 1e-15);
    ck_assert_double_eq_tol(area_sram_leakage_w(512 * 64, false, 45), 823.237e-6, 1e-9);
    ck_assert_double_eq_tol(area_sram_leakage_w(512 * 64, true, 45), 1.3 * 823.237e-6, 1e-9);
    /* The same cells at a fourth of the area are half as wide. */
    double nm = 45;
    while (area_logic_factor(nm) > 0.25)
        nm -= 0.01;
    ck_assert_double_eq_tol(area_logic_leakage_w(4.522 / 4, nm), 79.1e-9 / 2, 79.1e-12);
}
END_TEST

TEST_MAIN("area", test_the_base_node_is_the_published_table, test_published_nodes_are_met,
          test_between_nodes_area_is_between_theirs, test_an_interface_shrinks_by_its_logic_alone,
          test_leakage_shrinks_with_length)
