/* SPDX-License-Identifier: Apache-2.0 */
/* model = "bank" as a part of a machine: its latency, its counts, its settings, its prices. */
#include "sim/base/error.h"
#include "sim/parts/dram_power.h"
#include "tests/unit/dram_choices.h"
#include "tests/unit/test.h"

#define CLOCK_HZ 700e6

static struct dram_cfg settings(double bandwidth_gb_s, double latency_ns)
{
    return (struct dram_cfg){.size_kib = 8388608,
                             .bandwidth_gb_s = bandwidth_gb_s,
                             .latency_ns = latency_ns,
                             .model = DRAM_BANKS,
                             .standard = DDR3,
                             .n_channel = 2,
                             .n_rank = 1};
}

START_TEST(test_latency_is_that_of_fixed_from_a_closed_row)
{
    struct dram_cfg cfg = settings(34, 50);
    struct dram bank, fixed;
    dram_init(&bank, &cfg, CLOCK_HZ);
    cfg.model = DRAM_FIXED;
    dram_init(&fixed, &cfg, CLOCK_HZ);
    ck_assert_double_eq_tol(dram_bytes_per_cyc(&bank), dram_bytes_per_cyc(&fixed), 1e-9);
    ck_assert_double_lt(dram_stream_bytes_per_cyc(&bank), dram_bytes_per_cyc(&bank));
    const struct dram_request r = {.bytes = 128};
    const uint64_t b = dram_access(&bank, &r, 1000), f = dram_access(&fixed, &r, 1000);
    /* the last of a burst's 4 clocks, and edges of another clock: 2 cycles at most */
    ck_assert_uint_ge(b, f - 1);
    ck_assert_uint_le(b, f + 2);
    dram_clear(&bank);
    cfg = settings(34, 0);
    dram_init(&bank, &cfg, CLOCK_HZ);
    ck_assert_uint_eq(bank.latency_cyc, 0);
    dram_clear(&bank);
}
END_TEST

START_TEST(test_counts_go_to_the_record)
{
    const struct dram_cfg cfg = settings(34, 50);
    struct record_dram n;
    struct dram d;
    dram_init(&d, &cfg, CLOCK_HZ);
    const uint64_t end_cyc = dram_access(&d, &(struct dram_request){.bytes = 1 << 20}, 0);
    dram_collect(&d, 70000, &n); /* 100 us */
    ck_assert(n.known);
    ck_assert_str_eq(n.standard, "DDR3");
    ck_assert_uint_eq(n.row_hits + n.row_misses + n.row_conflicts, (1 << 20) / 64);
    ck_assert_uint_ge(n.activates, (1 << 20) / 8192);
    ck_assert_uint_eq(n.refreshes, 2 * 12); /* 7.8 us each, two channels */
    ck_assert_uint_eq(n.peak_cyc, 21589);   /* ceil(2^20 * 700e6 / 34e9) */
    /* all but the latency, 50 ns, and an edge of each clock */
    ck_assert_uint_le(n.busy_cyc, end_cyc - 35 + 2);
    ck_assert_uint_ge(n.busy_cyc, end_cyc - 35 - 2);
    dram_clear(&d);
}
END_TEST

static void refused(const struct dram_cfg *cfg, const char *why)
{
    GError *error = NULL;
    ck_error(dram_check(cfg, "it.cfg", "memory.it", &error), error, ERROR_INPUT, why);
}

START_TEST(test_settings_that_do_not_fit_are_refused)
{
    GError *error = NULL;
    struct dram_cfg cfg = settings(34, 50);
    ck_ok(dram_check(&cfg, "it.cfg", "memory.it", &error), error);
    cfg = settings(68, 50);
    refused(&cfg,
            "it.cfg: memory.it: bandwidth_gb_s = 68 over channels = 2 of 64 bit is 4250 MT/s, "
            "and DDR3 has 800 to 2133: 4 to 10 channels would do");
    cfg.model = DRAM_FIXED;
    ck_ok(dram_check(&cfg, "it.cfg", "memory.it", &error), error);
    cfg = settings(5, 50);
    refused(&cfg, "is 312 MT/s, and DDR3 has 800 to 2133");
    cfg = settings(10, 50);
    refused(&cfg, "is 625 MT/s, and DDR3 has 800 to 2133: 1 channel would do");
    cfg = settings(34, 50);
    cfg.standard = 0;
    refused(&cfg, "needs standard: one of DDR3, DDR4");
    cfg = settings(34, 50);
    cfg.size_kib = 64;
    refused(&cfg, "holds not one row of each bank of DDR3");
}
END_TEST

/* DDR3: eight devices of 1.35 V; 62, 35, 41, 174, 141 and 242 mA at 1869 MT/s. */
START_TEST(test_commands_are_priced_by_the_currents)
{
    struct dram_prices p;
    struct dram_cfg cfg = {.model = DRAM_BANKS, .standard = 1, .n_channel = 2, .n_rank = 3};
    ck_assert_str_eq(dram_standard_names[1], "DDR3");
    ck_assert(dram_prices(&cfg, &p));
    const double device_mw = 1.35;
    ck_assert_double_eq_tol(p.activate_pj, 8 * device_mw * (62 * 46.09 - 41 * 33 - 35 * 13.09),
                            1e-6);
    ck_assert_double_eq_tol(p.read_pj_per_byte, 8 * device_mw * (174 - 41) / (1.869 * 8), 1e-6);
    ck_assert_double_eq_tol(p.write_pj_per_byte, 8 * device_mw * (141 - 41) / (1.869 * 8), 1e-6);
    ck_assert_double_eq_tol(p.refresh_pj, 8 * device_mw * (242 - 41) * 260, 1e-6);
    ck_assert_double_eq_tol(p.background_w, 6 * 8 * device_mw * 41e-3, 1e-9);
}
END_TEST

/* LPDDR4: VDD1 1.8 V and VDD2 1.1 V; that of the I/O is not in it. */
START_TEST(test_both_supplies_of_a_low_power_part_count)
{
    struct dram_prices p;
    struct dram_cfg cfg = {.model = DRAM_BANKS, .standard = LPDDR4, .n_channel = 1, .n_rank = 1};
    ck_assert(dram_prices(&cfg, &p));
    ck_assert_double_eq_tol(p.read_pj_per_byte, 1.1 * (275 - 30) / (3.2 * 2), 1e-6);
    ck_assert_double_eq_tol(p.background_w, (1.8 * 2.25 + 1.1 * 30) * 1e-3, 1e-9);
}
END_TEST

START_TEST(test_every_standard_has_sensible_prices)
{
    int n_priced = 0;
    for (int i = 1; dram_standard_names[i]; i++) {
        struct dram_prices p;
        struct dram_cfg cfg = {.model = DRAM_BANKS, .standard = i, .n_channel = 1, .n_rank = 1};
        ck_assert(dram_prices(&cfg, &p));
        n_priced++;
        /* between 1 and 20 pJ a bit; a row's activation less than reading all of it */
        ck_assert_msg(p.read_pj_per_byte > 8 && p.read_pj_per_byte < 160, "%s: %g pJ a byte",
                      dram_standard_names[i], p.read_pj_per_byte);
        ck_assert_double_gt(p.activate_pj, 0);
        ck_assert_double_lt(p.activate_pj, p.read_pj_per_byte * dram_standards[i].row_bytes);
        ck_assert_double_ge(p.refresh_pj, 0);
        ck_assert_double_gt(p.background_w, 0);
        cfg.model = DRAM_FIXED;
        ck_assert(!dram_prices(&cfg, &p));
    }
    ck_assert_int_eq(n_priced, N_STANDARD - 1);
}
END_TEST

TEST_MAIN("dram_model", test_commands_are_priced_by_the_currents,
          test_both_supplies_of_a_low_power_part_count, test_every_standard_has_sensible_prices,
          test_latency_is_that_of_fixed_from_a_closed_row, test_counts_go_to_the_record,
          test_settings_that_do_not_fit_are_refused)
