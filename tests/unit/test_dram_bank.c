/* SPDX-License-Identifier: Apache-2.0 */
/* The timing rules of a memory with banks, one by one. */
#include <inttypes.h>

#include "tests/unit/dram_choices.h"
#include "tests/unit/test.h"

static struct dram_spec spec_of(int standard, int64_t n_rank)
{
    struct dram_spec s;
    const struct dram_choice c = fastest(standard, 1, n_rank, GROUPS_LOW);
    char *wrong = dram_spec_check(&c);
    ck_assert_msg(!wrong, "%s", wrong);
    dram_spec_init(&s, &c);
    return s;
}

START_TEST(test_tables_are_named)
{
    for (int i = 1; i < N_STANDARD; i++)
        ck_assert_str_eq(dram_standard_names[i], dram_standards[i].name);
    ck_assert_str_eq(dram_standard_names[HBM2], "HBM2");
    ck_assert_ptr_null(dram_standard_names[N_STANDARD]);
    ck_assert_str_eq(dram_mapping_names[CHANNELS_HIGH], "ChRaBaRoCo");
    ck_assert_ptr_null(dram_mapping_names[N_MAPPING]);
}
END_TEST

/* DDR4-3200AA as vendors' data sheets print it, in clocks of 0.625 ns: 22-22-22, tRAS 52 (32 ns),
 * tRRD 4 and 8, tFAW 34, tCCD 4 and 8, tWTR 4 and 12, tRTP 12, tWR 24, CWL 16, tRFC 560. */
enum { BANK = 0, GROUP = 1, RANK = 4, SIBLING = 16 }; /* another bank of the same ... as bank 0 */

static const struct {
    int before, after, bank;
    int64_t clk;
    const char *name;
} rules[] = {
    {DRAM_ACT, DRAM_RD, BANK, 22, "tRCD"},
    {DRAM_ACT, DRAM_WR, BANK, 22, "tRCD, write"},
    {DRAM_PRE, DRAM_ACT, BANK, 22, "tRP"},
    {DRAM_ACT, DRAM_PRE, BANK, 52, "tRAS"},
    {DRAM_ACT, DRAM_ACT, BANK, 74, "tRC"},
    {DRAM_ACT, DRAM_ACT, GROUP, 8, "tRRD_L"},
    {DRAM_ACT, DRAM_ACT, RANK, 4, "tRRD_S"},
    {DRAM_ACT, DRAM_ACT, SIBLING, 0, "no tRRD between ranks"},
    {DRAM_RD, DRAM_RD, GROUP, 8, "tCCD_L"},
    {DRAM_RD, DRAM_RD, RANK, 4, "tCCD_S"},
    {DRAM_RD, DRAM_RD, SIBLING, 4 + 2, "two clocks between ranks"},
    {DRAM_WR, DRAM_WR, GROUP, 8, "tCCD_L, write"},
    {DRAM_WR, DRAM_WR, RANK, 4, "tCCD_S, write"},
    {DRAM_RD, DRAM_WR, RANK, 22 + 4 + 2 - 16, "read to write"},
    {DRAM_WR, DRAM_RD, GROUP, 16 + 4 + 12, "tWTR_L"},
    {DRAM_WR, DRAM_RD, RANK, 16 + 4 + 4, "tWTR_S"},
    {DRAM_WR, DRAM_RD, SIBLING, 1 /* 16 + 4 + 2 - 22 is 0 */, "write to read of another rank"},
    {DRAM_RD, DRAM_PRE, BANK, 12, "tRTP"},
    {DRAM_WR, DRAM_PRE, BANK, 16 + 4 + 24, "tWR"},
    {DRAM_PRE, DRAM_REF, GROUP, 22, "tRP before a refresh"},
    {DRAM_ACT, DRAM_REF, GROUP, 74, "tRC before a refresh"},
    {DRAM_REF, DRAM_ACT, RANK, 560, "tRFC"},
    {DRAM_REF, DRAM_REF, RANK, 560, "tRFC between refreshes"},
    {DRAM_REF, DRAM_ACT, SIBLING, 0, "no tRFC of another rank"},
    {DRAM_RD, DRAM_PRE, GROUP, 0, "no tRTP of another bank"},
};

START_TEST(test_each_rule_refuses_a_clock_early_and_accepts_on_time)
{
    const struct dram_spec s = spec_of(DDR4, 2);
    enum { AT = 1000 };
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        static struct dram_channel c;
        dram_channel_init(&c, &s);
        dram_channel_issue(&c, &s, (enum dram_command)rules[i].before, 0, 1, AT);
        const int64_t clk =
            dram_channel_earliest(&c, &s, (enum dram_command)rules[i].after, rules[i].bank);
        if (rules[i].clk > 0)
            ck_assert_msg(clk > AT + rules[i].clk - 1, "%s: a clock early", rules[i].name);
        ck_assert_msg(clk <= AT + rules[i].clk, "%s: late, %" PRId64 " clocks", rules[i].name,
                      clk - AT);
    }
}
END_TEST

START_TEST(test_a_fifth_activate_waits_for_the_window_of_four)
{
    const struct dram_spec s = spec_of(DDR4, 1);
    static struct dram_channel c;
    dram_channel_init(&c, &s);
    for (int i = 0; i < 4; i++)
        dram_channel_issue(&c, &s, DRAM_ACT, 4 * i, 1, 100 + 4 * i); /* a group each */
    ck_assert_int_eq(dram_channel_earliest(&c, &s, DRAM_ACT, 1), 100 + 34);
    dram_channel_issue(&c, &s, DRAM_ACT, 1, 1, 140);
    ck_assert_int_eq(dram_channel_earliest(&c, &s, DRAM_ACT, 9), 140 + 4); /* window from 104 */
}
END_TEST

/* DDR3-2133: 14-14-14, bursts of 4 clocks, tRFC 260 ns and tREFI 7.8 us at 1066.5 MHz. */
enum { CL = 14, BL = 4, RCD = 14, RP = 14, RFC = 278, REFI = 8319, RC = 50 };

static struct dram_bank *bank_of(int standard, int64_t n_channel, int64_t n_rank, int mapping)
{
    const struct dram_choice c = fastest(standard, n_channel, n_rank, mapping);
    return dram_bank_new(&c);
}

static int64_t read_at(struct dram_bank *b, uint64_t address, int64_t now_clk)
{
    return dram_bank_access(b, address, 64, false, now_clk);
}

START_TEST(test_a_closed_row_is_activated_and_an_open_one_is_not)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    ck_assert_int_eq(read_at(b, 0, 100), 100 + RCD + CL + BL);
    ck_assert_int_eq(read_at(b, 64, 200), 200 + CL + BL);
    ck_assert_int_eq(read_at(b, 128, 201), 204 + CL + BL); /* tCCD */
    const struct dram_counts n = b->counts;
    ck_assert_uint_eq(n.n_miss, 1);
    ck_assert_uint_eq(n.n_hit, 2);
    ck_assert_uint_eq(n.n_conflict, 0);
    ck_assert_uint_eq(n.n_activate, 1);
    dram_bank_free(b);
}
END_TEST

START_TEST(test_a_row_conflict_waits_for_trp_and_trcd)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    const uint64_t next_row = 8 * 8192;
    read_at(b, 0, 100);
    ck_assert_int_eq(read_at(b, next_row, 1000), 1000 + RP + RCD + CL + BL);
    ck_assert_uint_eq(b->counts.n_conflict, 1);
    dram_bank_free(b);
}
END_TEST

START_TEST(test_rows_of_one_bank_come_no_faster_than_trc)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    int64_t end_clk = 0, n = 100;
    for (int64_t i = 0; i < n; i++)
        end_clk = read_at(b, (uint64_t)((i * 37) % 4096) * 8 * 8192, 0);
    ck_assert_int_eq(end_clk, (n - 1) * RC + RCD + CL + BL);
    dram_bank_free(b);
}
END_TEST

START_TEST(test_rows_of_many_banks_overlap)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    int64_t end_clk = 0;
    for (uint64_t i = 0; i < 8; i++)
        end_clk = read_at(b, i * 8192, 0);
    ck_assert_int_lt(end_clk, 2 * RC + RCD + CL + BL);
    dram_bank_free(b);
}
END_TEST

START_TEST(test_a_refresh_comes_when_due_and_not_a_clock_early)
{
    struct dram_bank *early = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    struct dram_bank *due = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    read_at(early, 0, 100);
    read_at(due, 0, 100);
    ck_assert_int_eq(early->spec.n.REFI, REFI);
    ck_assert_int_eq(read_at(early, 0, REFI - 1), REFI - 1 + CL + BL);
    ck_assert_int_eq(read_at(due, 0, REFI), REFI + RP + RFC + RCD + CL + BL);
    dram_bank_free(early);
    dram_bank_free(due);
}
END_TEST

START_TEST(test_a_read_during_a_refresh_waits_for_its_end)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    ck_assert_int_eq(read_at(b, 0, REFI + 10), REFI + RFC + RCD + CL + BL); /* no row to close */
    dram_bank_free(b);
    b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    ck_assert_int_eq(read_at(b, 0, REFI + RFC), REFI + RFC + RCD + CL + BL);
    dram_bank_free(b);
    b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    ck_assert_int_eq(read_at(b, 0, REFI + RFC + 1), REFI + RFC + 1 + RCD + CL + BL);
    dram_bank_free(b);
}
END_TEST

START_TEST(test_refreshes_of_idle_time_are_done_and_cost_nothing)
{
    const int64_t n_idle = 1000000000000; /* hours for a loop */
    struct dram_bank *b = bank_of(DDR3, 2, 2, COLUMNS_LOW);
    read_at(b, 0, 0);
    const int64_t at = n_idle * REFI + REFI / 3;
    ck_assert_int_eq(read_at(b, 64, at), at + RCD + CL + BL);
    ck_assert_int_eq(read_at(b, 64, at + REFI), at + REFI + RCD + CL + BL);
    /* two channels; the second rank's are half an interval later */
    ck_assert_uint_eq(dram_bank_refreshes(b, at), 2 * (uint64_t)(2 * n_idle - 1));
    ck_assert_uint_eq(dram_bank_refreshes(b, REFI - 1), 0);
    ck_assert_uint_eq(dram_bank_refreshes(b, REFI), 2);
    dram_bank_free(b);
}
END_TEST

/* Bytes a second of a sequential read of `bytes`, in pieces that come all at once. */
static double measured_stream(const struct dram_choice *c, uint64_t bytes)
{
    struct dram_bank *b = dram_bank_new(c);
    int64_t end_clk = 0;
    for (uint64_t at = 0; at < bytes; at += 65536)
        end_clk = dram_bank_access(b, at, 65536, false, 0);
    const double rate = (double)bytes / (double)end_clk * b->spec.clock_hz;
    dram_bank_free(b);
    return rate;
}

START_TEST(test_a_stream_gets_the_peak_less_refresh)
{
    for (int i = 1; i < N_STANDARD; i++) {
        /* GDDR5's bursts are so short that 32 of them do not hide the opening of the next rows. */
        const double slack = i == GDDR5 ? 0.03 : 0.02;
        const struct dram_choice c = fastest(i, 2, 1, GROUPS_LOW);
        struct dram_spec s;
        dram_spec_init(&s, &c);
        const double share = measured_stream(&c, 1 << 26) / dram_spec_peak_bytes_per_s(&s);
        const double most = 1 - (double)s.n.RFC / (double)s.n.REFI;
        ck_assert_msg(share <= most, "%s: %.4f of at most %.4f", s.standard->name, share, most);
        ck_assert_msg(share >= most - slack, "%s: %.4f of %.4f", s.standard->name, share, most);
    }
}
END_TEST

/* With two ranks refreshes of one may hide behind data of the other, as the two happen to fall. */
START_TEST(test_the_closed_form_of_a_stream_is_within_a_fiftieth)
{
    for (int i = 1; i < N_STANDARD; i++)
        for (int m = 0; m < N_MAPPING; m++)
            for (int64_t n_rank = 1; n_rank <= 2; n_rank++) {
                const struct dram_choice c = fastest(i, m == CHANNELS_HIGH ? 1 : 2, n_rank, m);
                struct dram_spec s;
                dram_spec_init(&s, &c);
                const double walked = measured_stream(&c, 1 << 26);
                const double ratio = dram_spec_stream_bytes_per_s(&s) / walked;
                ck_assert_msg(fabs(ratio - 1) < (n_rank == 1 ? 0.02 : 0.08),
                              "%s %s, %d ranks: %.4f of what is walked", s.standard->name,
                              dram_mapping_names[m], (int)n_rank, ratio);
            }
}
END_TEST

START_TEST(test_mappings_differ)
{
    /* Bursts of one group of banks alone come at tCCD_L, 8 clocks instead of 4. */
    const struct dram_choice low = fastest(DDR4, 1, 1, GROUPS_LOW);
    const struct dram_choice columns = fastest(DDR4, 1, 1, COLUMNS_LOW);
    const double ratio = measured_stream(&low, 1 << 24) / measured_stream(&columns, 1 << 24);
    ck_assert_double_gt(ratio, 1.9);
    ck_assert_double_lt(ratio, 2.0);
    /* A range of addresses of its own leaves the other channels idle. */
    const struct dram_choice two = fastest(DDR3, 2, 1, COLUMNS_LOW);
    const struct dram_choice ranges = fastest(DDR3, 2, 1, CHANNELS_HIGH);
    ck_assert_double_gt(measured_stream(&two, 1 << 24) / measured_stream(&ranges, 1 << 24), 2.0);
}
END_TEST

START_TEST(test_busy_time_is_that_of_data_and_what_holds_them_up)
{
    struct dram_bank *b = bank_of(DDR3, 1, 1, COLUMNS_LOW);
    read_at(b, 0, 100); /* the latency of a first one is no bandwidth */
    ck_assert_int_eq(b->busy_clk, BL);
    read_at(b, 64, 2000);
    read_at(b, 128, 2000);
    ck_assert_int_eq(b->busy_clk, 3 * BL);
    read_at(b, 8 * 8192, 3000); /* another row is in the way */
    ck_assert_int_eq(b->busy_clk, 4 * BL + RP);
    dram_bank_free(b);
}
END_TEST

TEST_MAIN("dram_bank", test_tables_are_named,
          test_each_rule_refuses_a_clock_early_and_accepts_on_time,
          test_a_fifth_activate_waits_for_the_window_of_four,
          test_a_closed_row_is_activated_and_an_open_one_is_not,
          test_a_row_conflict_waits_for_trp_and_trcd, test_rows_of_one_bank_come_no_faster_than_trc,
          test_rows_of_many_banks_overlap, test_a_refresh_comes_when_due_and_not_a_clock_early,
          test_a_read_during_a_refresh_waits_for_its_end,
          test_refreshes_of_idle_time_are_done_and_cost_nothing,
          test_a_stream_gets_the_peak_less_refresh,
          test_the_closed_form_of_a_stream_is_within_a_fiftieth, test_mappings_differ,
          test_busy_time_is_that_of_data_and_what_holds_them_up)
