/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, events and time. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "tests/unit/kernel_scene.h"
#include "tests/unit/test.h"

static void begin(double clock_mhz)
{
    GError *error = NULL;
    ck_ok(sk_begin(clock_mhz, NULL, &error), error);
}

static void run(void)
{
    GError *error = NULL;
    ck_ok(sk_run(0, 0, &error), error);
}

static void consume(void *arg)
{
    struct scene *s = arg;
    while (s->n_item == 0)
        sk_wait(s->done);
    s->seen_cyc[s->value++] = sk_now();
}

static void peek_around_cycle_5(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(4);
    s->seen_cyc[2] = s->value;
    sk_wait_cycles(2);
    s->seen_cyc[3] = s->value;
}

START_TEST(test_notify_wakes_all_waiters_in_the_same_cycle)
{
    begin(700);
    struct scene s = {.done = sk_event_new("done")};
    sk_spawn("first", consume, &s, NULL, 0);
    sk_spawn("second", consume, &s, NULL, 0);
    sk_spawn("producer", produce_at_cycle_5, &s, NULL, 0);
    sk_spawn("peek", peek_around_cycle_5, &s, NULL, 0);
    run();
    ck_assert_uint_eq(s.seen_cyc[0], 5);
    ck_assert_uint_eq(s.seen_cyc[1], 5);
    ck_assert_uint_eq(s.seen_cyc[2], 0);
    ck_assert_uint_eq(s.seen_cyc[3], 2);
}
END_TEST

static void wait_many(void *arg)
{
    struct scene *s = arg;
    for (uint64_t i = 0; i < s->n_item; i++)
        sk_wait_cycles(3);
    s->value = sk_now();
}

START_TEST(test_cycles_are_exact_at_an_odd_clock)
{
    begin(933.7);
    struct scene s = {.n_item = 100000};
    sk_spawn("waiter", wait_many, &s, NULL, 0);
    run();
    ck_assert_uint_eq(s.value, 300000);
    ck_assert_uint_eq(sk_now(), 300000);
    ck_assert_uint_eq(sk_n_activation(), 100001);
}
END_TEST

static void wait_zero(void *arg)
{
    (void)arg;
    sk_wait_cycles(0);
}

START_TEST(test_waiting_no_cycles_returns_at_once)
{
    begin(1000);
    sk_spawn("waiter", wait_zero, NULL, NULL, 0);
    run();
    ck_assert_uint_eq(sk_n_activation(), 1);
}
END_TEST

static void describe(void *arg, GString *out)
{
    (void)arg;
    g_string_append(out, "MatrixMultiply #12 of layer fc6");
}

START_TEST(test_deadlock_says_who_waits_for_what_since_when)
{
    GError *error = NULL;
    begin(700);
    struct scene s = {.done = sk_event_new("activation.done")};
    struct scene quiet = {.done = sk_event_new("dma.free")};
    sk_spawn("chip.matrix_unit", wait_forever, &s, describe, 0);
    sk_spawn("dma", wait_forever, &quiet, NULL, 0);
    sk_spawn("finishes", produce_at_cycle_5, &s, describe, 0);
    bool ok = sk_run(0, 0, &error);
    ck_assert(!ok);
    ck_assert_str_eq(error->message,
                     "deadlock at cycle 123: 2 processes wait and nothing can happen any more\n"
                     "  chip.matrix_unit waits for 'activation.done' since cycle 123: "
                     "MatrixMultiply #12 of layer fc6\n"
                     "  dma waits for 'dma.free' since cycle 123");
    ck_error(ok, error, ERROR_BUG, "deadlock");
}
END_TEST

static void notify_then_wait(void *arg)
{
    struct scene *s = arg;
    sk_notify(s->done);
    sk_wait_cycles(1);
    sk_wait(s->done);
}

START_TEST(test_notification_without_a_waiter_is_lost)
{
    GError *error = NULL;
    begin(1000);
    struct scene s = {.done = sk_event_new("done")};
    sk_spawn("late", notify_then_wait, &s, NULL, 0);
    ck_error(sk_run(0, 0, &error), error, ERROR_BUG,
             "deadlock at cycle 1: 1 process waits and nothing");
}
END_TEST

START_TEST(test_deadlock_of_many_is_shortened)
{
    GError *error = NULL;
    begin(1000);
    struct scene s = {.done = sk_event_new("done")};
    for (int i = 0; i < 1000; i++)
        sk_spawn("node", wait_forever, &s, NULL, 0);
    ck_error(sk_run(0, 0, &error), error, ERROR_BUG, "since cycle 123\n  and 968 more");
}
END_TEST

static void wait_100(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(100);
    s->value = 1;
}

START_TEST(test_a_run_may_end_at_its_limit_of_cycles)
{
    begin(700);
    GError *error = NULL;
    struct scene s = {0};
    sk_spawn("waiter", wait_100, &s, NULL, 0);
    ck_ok(sk_run(100, 0, &error), error);
    ck_assert_uint_eq(s.value, 1);
}
END_TEST

START_TEST(test_a_run_one_cycle_over_its_limit_fails)
{
    begin(700);
    GError *error = NULL;
    struct scene s = {0};
    sk_spawn("waiter", wait_100, &s, NULL, 0);
    ck_error(sk_run(99, 0, &error), error, ERROR_LIMIT, "limit of 99 cycles");
    ck_assert_uint_eq(s.value, 0);
}
END_TEST

static void tick_forever(void *arg)
{
    (void)arg;
    for (;;)
        sk_wait_cycles(1);
}

START_TEST(test_wall_clock_limit_ends_an_endless_run)
{
    GError *error = NULL;
    begin(1000);
    sk_spawn("ticker", tick_forever, NULL, NULL, 0);
    gint64 begin_us = g_get_monotonic_time();
    ck_error(sk_run(0, 0.05, &error), error, ERROR_LIMIT, "time limit of 0.05 s at cycle");
    double took_s = (double)(g_get_monotonic_time() - begin_us) / 1e6;
    ck_assert(took_s >= 0.05 && took_s < 5);
}
END_TEST

START_TEST(test_stop_ends_the_run)
{
    begin(1000);
    struct scene s = {0};
    sk_spawn("stopper", stop_at_7, &s, NULL, 0);
    sk_spawn("ticker", tick_forever, NULL, NULL, 0);
    run();
    ck_assert_uint_eq(s.value, 9);
    ck_assert_uint_eq(sk_now(), 7);
}
END_TEST

static void use_stack(void *arg)
{
    volatile char room[200 * 1024];
    for (size_t i = 0; i < sizeof(room); i += 1024)
        room[i] = 1;
    sk_wait_cycles(1);
    *(uint64_t *)arg = (uint64_t)room[0];
}

START_TEST(test_stack_has_the_size_asked_for)
{
    begin(1000);
    uint64_t value = 0;
    sk_spawn("deep", use_stack, &value, NULL, 256 * 1024);
    run();
    ck_assert_uint_eq(value, 1);
}
END_TEST

START_TEST(test_an_empty_machine_is_done_at_cycle_0)
{
    begin(1000);
    run();
    ck_assert_uint_eq(sk_now(), 0);
}
END_TEST

START_TEST(test_the_kernel_prints_nothing)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("accsim-XXXXXX", &path, NULL);
    int out = dup(1), err = dup(2);
    fflush(NULL);
    dup2(fd, 1);
    dup2(fd, 2);
    begin(1000);
    struct scene s = {0};
    sk_spawn("same.dotted name", stop_at_7, &s, NULL, 0);
    sk_spawn("same.dotted name", tick_forever, NULL, NULL, 0);
    run();
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
    unlink(path);
}
END_TEST

TEST_MAIN("kernel", test_notify_wakes_all_waiters_in_the_same_cycle,
          test_cycles_are_exact_at_an_odd_clock, test_waiting_no_cycles_returns_at_once,
          test_deadlock_says_who_waits_for_what_since_when,
          test_notification_without_a_waiter_is_lost, test_deadlock_of_many_is_shortened,
          test_a_run_may_end_at_its_limit_of_cycles, test_a_run_one_cycle_over_its_limit_fails,
          test_wall_clock_limit_ends_an_endless_run, test_stop_ends_the_run,
          test_stack_has_the_size_asked_for, test_an_empty_machine_is_done_at_cycle_0,
          test_the_kernel_prints_nothing)
