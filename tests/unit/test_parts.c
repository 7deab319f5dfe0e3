/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram.h"
#include "sim/parts/link.h"
#include "sim/parts/sram.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define CLOCK_HZ 700e6

static struct dram make_dram(double bandwidth_gb_s, double latency_ns, enum dram_model model)
{
    struct dram_cfg cfg = {.size_kib = 1024,
                           .bandwidth_gb_s = bandwidth_gb_s,
                           .latency_ns = latency_ns,
                           .model = (int)model};
    struct dram d;
    dram_init(&d, &cfg, CLOCK_HZ);
    return d;
}

static uint64_t read_at(struct dram *d, uint64_t bytes, uint64_t now_cyc)
{
    return dram_access(d, &(struct dram_request){.bytes = bytes}, now_cyc);
}

static uint64_t write_at(struct dram *d, uint64_t bytes, uint64_t now_cyc)
{
    return dram_access(d, &(struct dram_request){.bytes = bytes, .is_write = true}, now_cyc);
}

START_TEST(test_dram_read_pays_bytes_then_latency)
{
    struct dram d = make_dram(7, 100, DRAM_FIXED); /* 10 bytes a cycle, 70 cycles */
    ck_assert_double_eq_tol(dram_bytes_per_cyc(&d), 10, 1e-12);
    ck_assert_uint_eq(read_at(&d, 640, 1000), 1000 + 64 + 70);
    ck_assert_uint_eq(d.read_bytes, 640);
    ck_assert_uint_eq(d.write_bytes, 0);
}
END_TEST

START_TEST(test_dram_write_pays_no_latency)
{
    struct dram d = make_dram(7, 100, DRAM_FIXED);
    ck_assert_uint_eq(write_at(&d, 640, 1000), 1064);
    ck_assert_uint_eq(d.write_bytes, 640);
}
END_TEST

START_TEST(test_dram_latencies_of_requests_in_flight_overlap)
{
    struct dram d = make_dram(7, 100, DRAM_FIXED);
    ck_assert_uint_eq(read_at(&d, 640, 0), 134);
    ck_assert_uint_eq(read_at(&d, 640, 0), 134 + 64);
}
END_TEST

START_TEST(test_dram_bus_is_busy_one_cycle_early_and_free_on_time)
{
    struct dram early = make_dram(7, 0, DRAM_FIXED), on_time = early, late = early;
    read_at(&early, 640, 0);
    read_at(&on_time, 640, 0);
    read_at(&late, 640, 0);
    ck_assert_uint_eq(read_at(&early, 10, 63), 65);
    ck_assert_uint_eq(read_at(&on_time, 10, 64), 65);
    ck_assert_uint_eq(read_at(&late, 10, 65), 66);
}
END_TEST

START_TEST(test_dram_part_of_a_cycle_is_a_cycle_to_the_requester)
{
    struct dram d = make_dram(7, 0, DRAM_FIXED);
    ck_assert_uint_eq(read_at(&d, 10, 0), 1);
    ck_assert_uint_eq(read_at(&d, 1, 5), 6);
    ck_assert_uint_eq(read_at(&d, 9, 5), 6); /* the rest of that cycle */
    ck_assert_uint_eq(read_at(&d, 1, 5), 7);
}
END_TEST

/* 30 GB/s at 700 MHz: 42.857... bytes a cycle, so that every transfer ends inside a cycle. */
static uint64_t stream(double bandwidth_gb_s)
{
    struct dram d = make_dram(bandwidth_gb_s, 0, DRAM_FIXED);
    uint64_t ready_cyc = 0;
    for (int i = 0; i < 1000; i++)
        ready_cyc = read_at(&d, 257, 0);
    return ready_cyc;
}

START_TEST(test_dram_back_to_back_transfers_take_bytes_over_bandwidth)
{
    uint64_t expected_cyc = 5997; /* ceil(257000 / 42.857...) = ceil(5996.67) */
    ck_assert_uint_eq(stream(30), expected_cyc);
}
END_TEST

START_TEST(test_dram_double_bandwidth_takes_half_the_time)
{
    ck_assert_uint_eq(stream(60), 2999); /* ceil(2998.33) */
}
END_TEST

START_TEST(test_dram_rounding_of_a_long_run_adds_no_cycle)
{
    struct dram d = make_dram(7, 0, DRAM_FIXED);
    uint64_t ready_cyc = 0;
    for (int i = 0; i < 1000000; i++)
        ready_cyc = read_at(&d, 1, 0);
    ck_assert_uint_eq(ready_cyc, 100000);
}
END_TEST

START_TEST(test_dram_ideal_answers_in_the_same_cycle)
{
    struct dram d = make_dram(7, 100, DRAM_IDEAL);
    ck_assert_uint_eq(read_at(&d, 1 << 30, 17), 17);
    ck_assert_uint_eq(write_at(&d, 1 << 30, 17), 17);
    ck_assert_double_eq(dram_bytes_per_cyc(&d), 0);
    ck_assert_uint_eq(d.read_bytes, 1 << 30);
}
END_TEST

START_TEST(test_dram_models_are_named)
{
    ck_assert_str_eq(dram_model_names[DRAM_IDEAL], "ideal");
    ck_assert_str_eq(dram_model_names[DRAM_FIXED], "fixed");
}
END_TEST

START_TEST(test_dram_fields_fill_their_member)
{
    struct two {
        struct dram_cfg a, b;
    };
    static const struct cfg_field fields[] = {
        DRAM_FIELDS("memory.a", struct two, a, "1024", "30", "100"),
        DRAM_FIELDS("memory.b", struct two, b, NULL, "34", "0"),
        {.path = NULL},
    };
    ck_assert_str_eq(fields[1].path, "memory.a.bandwidth_gb_s");
    ck_assert_str_eq(fields[10].path, "memory.b.latency_ns");
    ck_assert_uint_eq(fields[10].offset, offsetof(struct two, b.latency_ns));
    ck_assert_str_eq(fields[10].def, "0");
}
END_TEST

START_TEST(test_link_transfers_each_pay_latency_and_bytes)
{
    struct link l;
    link_init(&l, 7, 100, CLOCK_HZ);
    ck_assert_uint_eq(link_send(&l, 640, 0), 70 + 64);
    ck_assert_uint_eq(link_send(&l, 640, 0), 2 * (70 + 64));
    ck_assert_uint_eq(link_send(&l, 640, 267), 3 * (70 + 64));
    ck_assert_uint_eq(link_send(&l, 640, 403), 403 + 70 + 64);
    ck_assert_uint_eq(l.sent_bytes, 4 * 640);
}
END_TEST

START_TEST(test_link_back_to_back_transfers_take_bytes_over_bandwidth)
{
    struct link l;
    uint64_t ready_cyc = 0;
    link_init(&l, 30, 0, CLOCK_HZ);
    for (int i = 0; i < 1000; i++)
        ready_cyc = link_send(&l, 257, 0);
    ck_assert_uint_eq(ready_cyc, 5997);
}
END_TEST

START_TEST(test_sram_keeps_what_was_written)
{
    struct sram s;
    ck_assert(sram_init(&s, "buffer", 16, true));
    ck_assert_uint_eq(*sram_read(&s, 15, 1), 0);
    memcpy(sram_write(&s, 12, 4), "abcd", 4);
    ck_assert_mem_eq(sram_read(&s, 13, 2), "bc", 2);
    ck_assert_uint_eq(s.read_bytes, 3);
    ck_assert_uint_eq(s.write_bytes, 4);
    sram_clear(&s);
}
END_TEST

START_TEST(test_sram_without_data_counts)
{
    struct sram s;
    ck_assert(sram_init(&s, "buffer", (size_t)1 << 60, false));
    ck_assert_ptr_null(sram_read(&s, (size_t)1 << 59, 100));
    ck_assert_uint_eq(s.read_bytes, 100);
    sram_clear(&s);
}
END_TEST

START_TEST(test_sram_too_large_for_this_machine_is_refused)
{
#ifndef __SANITIZE_ADDRESS__ /* which ends the program instead */
    struct sram s;
    ck_assert(!sram_init(&s, "buffer", (size_t)1 << 60, true));
#endif
}
END_TEST

/* Whether an access to a memory of 16 bytes goes through; it dies in a child if not. */
static bool is_inside(size_t addr, size_t bytes)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sram s;
        if (!freopen("/dev/null", "w", stderr) || !sram_init(&s, "buffer", 16, true))
            _exit(1);
        sram_read(&s, addr, bytes);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

START_TEST(test_sram_access_outside_is_a_bug)
{
    ck_assert(is_inside(0, 16));
    ck_assert(is_inside(16, 0));
    ck_assert(!is_inside(0, 17));
    ck_assert(!is_inside(15, 2));
    ck_assert(!is_inside(17, 0));
    ck_assert(!is_inside(8, SIZE_MAX - 4));
}
END_TEST

TEST_MAIN("parts", test_dram_read_pays_bytes_then_latency, test_dram_write_pays_no_latency,
          test_dram_latencies_of_requests_in_flight_overlap,
          test_dram_bus_is_busy_one_cycle_early_and_free_on_time,
          test_dram_part_of_a_cycle_is_a_cycle_to_the_requester,
          test_dram_back_to_back_transfers_take_bytes_over_bandwidth,
          test_dram_double_bandwidth_takes_half_the_time,
          test_dram_rounding_of_a_long_run_adds_no_cycle, test_dram_ideal_answers_in_the_same_cycle,
          test_dram_models_are_named, test_dram_fields_fill_their_member,
          test_link_transfers_each_pay_latency_and_bytes,
          test_link_back_to_back_transfers_take_bytes_over_bandwidth,
          test_sram_keeps_what_was_written, test_sram_without_data_counts,
          test_sram_too_large_for_this_machine_is_refused, test_sram_access_outside_is_a_bug)
