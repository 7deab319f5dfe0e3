/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kernel/sk.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"

/* What the small processes below share. */
struct scene {
    struct sk_event *done;
    uint64_t n_item;
    uint64_t seen_cyc[4];
    uint64_t value;
};

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

static void produce_at_cycle_5(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(5);
    s->n_item++;
    sk_notify(s->done);
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

static void wait_forever(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(123);
    for (;;)
        sk_wait(s->done);
}

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

static void wait_long(void *arg)
{
    sk_wait_cycles(1);
    sk_wait_cycles(*(uint64_t *)arg);
}

/* In a child, since a process has one kernel. */
static bool run_long(void *arg, GError **error)
{
    begin(1000);
    sk_spawn("sleeper", wait_long, arg, NULL, 0);
    return sk_run(0, 0, error);
}

START_TEST(test_time_beyond_64_bits_is_a_limit)
{
    uint64_t too_long[] = {UINT64_MAX, UINT64_MAX / 1000, UINT64_MAX / 1000 + 1};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(too_long); i++)
        ck_error(sk_run_forked(run_long, &too_long[i], 0, 0, &error), error, ERROR_LIMIT,
                 "sleeper waits");
}
END_TEST

START_TEST(test_the_longest_time_is_reached)
{
    uint64_t n_cyc = UINT64_MAX / 1000 - 1;
    begin(1000);
    sk_spawn("sleeper", wait_long, &n_cyc, NULL, 0);
    run();
    ck_assert_uint_eq(sk_now(), UINT64_MAX / 1000);
}
END_TEST

static void stop_at_7(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(7);
    s->value = 9;
    sk_stop();
    sk_wait_cycles(1);
    s->value = 10;
}

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

static bool run_with_waveform(void *arg, GError **error)
{
    struct scene s = {.value = 3};
    if (!sk_begin(1000, arg, error))
        return false;
    sk_trace("chip.unit.value", &s.value, 5);
    sk_trace("busy now", &s.n_item, 1);
    sk_spawn("stopper", stop_at_7, &s, NULL, 0);
    return sk_run(0, 0, error);
}

static bool deadlock_with_waveform(void *arg, GError **error)
{
    struct scene s = {.done = sk_event_new("done")};
    if (!sk_begin(1000, arg, error))
        return false;
    sk_trace("item", &s.n_item, 1);
    sk_spawn("producer", produce_at_cycle_5, &s, NULL, 0);
    sk_spawn("stuck", wait_forever, &s, NULL, 0);
    return sk_run(0, 0, error);
}

static int n_file(const char *dir)
{
    int n = 0;
    GDir *d = g_dir_open(dir, 0, NULL);
    while (g_dir_read_name(d))
        n++;
    g_dir_close(d);
    return n;
}

static void remove_dir(const char *dir, const char *file)
{
    g_unlink(file);
    g_rmdir(dir);
}

START_TEST(test_waveform_is_complete_and_undated)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.of.run", NULL);
    g_autofree char *text = NULL;
    ck_ok(sk_run_forked(run_with_waveform, path, 0, 0, &error), error);
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_int_eq(n_file(dir), 1);
    ck_assert_str_eq(text, "$version\n accsim\n$end\n\n"
                           "$timescale\n     1 ps\n$end\n\n"
                           "$scope module SystemC $end\n"
                           "$var wire    1  aaaab  busy_now       $end\n"
                           "$scope module chip $end\n"
                           "$scope module unit $end\n"
                           "$var wire    5  aaaaa  value [4:0]  $end\n"
                           "$upscope $end\n"
                           "$upscope $end\n"
                           "$upscope $end\n"
                           "$enddefinitions  $end\n\n"
                           "$comment\nAll initial values are dumped below at time 0 sec = 0 "
                           "timescale units.\n$end\n\n"
                           "$dumpvars\nb11 aaaaa\n0aaaab\n$end\n\n"
                           "#7000\nb1001 aaaaa\n\n#7000\n");
    remove_dir(dir, path);
}
END_TEST

START_TEST(test_waveform_of_a_deadlock_is_written)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    g_autofree char *text = NULL;
    ck_error(sk_run_forked(deadlock_with_waveform, path, 0, 0, &error), error, ERROR_BUG,
             "deadlock at cycle 123");
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_ptr_nonnull(strstr(text, "#5000\n1aaaaa\n\n#123000\n"));
    remove_dir(dir, path);
}
END_TEST

START_TEST(test_waveform_that_cannot_be_written_is_an_error)
{
    static char *const paths[] = {"/dev/full", "/nonexistent/wave.vcd", "/tmp"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        ck_error(sk_run_forked(run_with_waveform, paths[i], 0, 0, &error), error, ERROR_OUTPUT,
                 paths[i]);
}
END_TEST

static bool run_on_a_full_disk(void *arg, GError **error)
{
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){500, 500});
    return run_with_waveform(arg, error);
}

START_TEST(test_waveform_cut_short_by_a_full_disk_is_an_error)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    ck_error(sk_run_forked(run_on_a_full_disk, path, 0, 0, &error), error, ERROR_OUTPUT,
             "the waveform is incomplete");
    ck_assert_int_eq(n_file(dir), 0);
    remove_dir(dir, path);
}
END_TEST

static bool kill_self_with_waveform(void *arg, GError **error)
{
    bool ok = sk_begin(1000, arg, error);
    raise(SIGKILL);
    return ok;
}

START_TEST(test_a_killed_run_leaves_no_file)
{
    GError *error = NULL;
    g_autofree char *dir = g_dir_make_tmp("accsim-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "wave.vcd", NULL);
    ck_error(sk_run_forked(kill_self_with_waveform, path, 0, 0, &error), error, ERROR_LIMIT,
             "SIGKILL");
    ck_assert_int_eq(n_file(dir), 0);
    remove_dir(dir, path);
}
END_TEST

static bool write_42(void *arg, GError **error)
{
    (void)error;
    *(int *)arg = 42;
    return true;
}

START_TEST(test_forked_results_come_back_through_shared_memory_only)
{
    GError *error = NULL;
    int mine = 0;
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_ok(sk_run_forked(write_42, &mine, 0, 0, &error), error);
    ck_ok(sk_run_forked(write_42, shared, 0, 0, &error), error);
    ck_assert_int_eq(mine, 0);
    ck_assert_int_eq(*shared, 42);
}
END_TEST

static bool fail_at_length(void *arg, GError **error)
{
    (void)arg;
    g_autofree char *rest = g_strnfill(200000, 'x');
    return error_set(error, ERROR_UNSUPPORTED, "layer 'a': %s", rest);
}

START_TEST(test_forked_error_keeps_code_and_whole_message)
{
    GError *error = NULL;
    bool ok = sk_run_forked(fail_at_length, NULL, 0, 0, &error);
    ck_assert_uint_eq(strlen(error->message), strlen("layer 'a': ") + 200000);
    ck_error(ok, error, ERROR_UNSUPPORTED, "layer 'a': xxx");
}
END_TEST

static bool give_signal(void *arg, GError **error)
{
    (void)error;
    signal(*(int *)arg, SIG_DFL); /* a sanitizer has handlers */
    return raise(*(int *)arg) == 0;
}

START_TEST(test_forked_death_is_told_by_its_signal)
{
    static const struct {
        int signal, code;
        const char *text;
    } row[] = {
        {SIGABRT, ERROR_BUG, "SIGABRT"},
        {SIGSEGV, ERROR_BUG, "SIGSEGV (Segmentation fault)"},
        {SIGKILL, ERROR_LIMIT, "SIGKILL"},
        {SIGTERM, ERROR_INTERRUPTED, "SIGTERM"},
    };
    GError *error = NULL;
    uint64_t limit_bytes = 1 << 30; /* which explains none of these deaths */
    for (size_t i = 0; i < G_N_ELEMENTS(row); i++) {
        int s = row[i].signal;
        ck_error(sk_run_forked(give_signal, &s, limit_bytes, 0, &error), error, row[i].code,
                 row[i].text);
    }
}
END_TEST

static bool just_exit(void *arg, GError **error)
{
    (void)arg;
    (void)error;
    _exit(0);
}

START_TEST(test_forked_exit_without_a_result_is_a_bug)
{
    GError *error = NULL;
    ck_error(sk_run_forked(just_exit, NULL, 0, 0, &error), error, ERROR_BUG, "without a result");
}
END_TEST

static bool sleep_long(void *arg, GError **error)
{
    (void)arg;
    (void)error;
    sleep(100);
    return true;
}

START_TEST(test_forked_time_limit_ends_the_child)
{
    GError *error = NULL;
    gint64 begin_us = g_get_monotonic_time();
    ck_error(sk_run_forked(sleep_long, NULL, 0, 0.1, &error), error, ERROR_LIMIT,
             "time limit of 0.1 s");
    double took_s = (double)(g_get_monotonic_time() - begin_us) / 1e6;
    ck_assert(took_s >= 0.1 && took_s < 20);
}
END_TEST

static bool interrupt_parent(void *arg, GError **error)
{
    kill(getppid(), *(int *)arg);
    return sleep_long(NULL, error);
}

START_TEST(test_forked_run_is_interrupted_and_signals_are_restored)
{
    int signals[] = {SIGINT, SIGTERM};
    GError *error = NULL;
    sigset_t mask;
    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++)
        ck_error(sk_run_forked(interrupt_parent, &signals[i], 0, 0, &error), error,
                 ERROR_INTERRUPTED, "interrupted");
    sigprocmask(SIG_SETMASK, NULL, &mask);
    ck_assert(!sigismember(&mask, SIGINT) && !sigismember(&mask, SIGTERM));
}
END_TEST

static bool interrupt_parent_once(void *arg, GError **error)
{
    (void)error;
    return kill(getppid(), *(int *)arg) == 0;
}

START_TEST(test_forked_run_leaves_an_ignored_signal_ignored)
{
    GError *error = NULL;
    int s = SIGINT;
    signal(s, SIG_IGN);
    ck_ok(sk_run_forked(interrupt_parent_once, &s, 0, 0, &error), error);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
static bool allocate(void *arg, GError **error)
{
    (void)error;
    size_t bytes = *(size_t *)arg;
    volatile char *block = g_malloc(bytes);
    block[bytes - 1] = 1;
    return block[bytes - 1] == 1;
}

START_TEST(test_forked_memory_limit_bounds_growth)
{
    GError *error = NULL;
    size_t within = 40 << 20, beyond = 80 << 20;
    uint64_t limit_bytes = 64 << 20;
    ck_ok(sk_run_forked(allocate, &within, limit_bytes, 0, &error), error);
    ck_error(sk_run_forked(allocate, &beyond, limit_bytes, 0, &error), error, ERROR_LIMIT,
             "memory limit of 64 MiB");
}
END_TEST
#define MEMORY_TESTS , test_forked_memory_limit_bounds_growth
#else
#define MEMORY_TESTS
#endif

TEST_MAIN("kernel", test_notify_wakes_all_waiters_in_the_same_cycle,
          test_cycles_are_exact_at_an_odd_clock, test_waiting_no_cycles_returns_at_once,
          test_deadlock_says_who_waits_for_what_since_when,
          test_notification_without_a_waiter_is_lost, test_deadlock_of_many_is_shortened,
          test_a_run_may_end_at_its_limit_of_cycles, test_a_run_one_cycle_over_its_limit_fails,
          test_wall_clock_limit_ends_an_endless_run, test_time_beyond_64_bits_is_a_limit,
          test_the_longest_time_is_reached, test_stop_ends_the_run,
          test_stack_has_the_size_asked_for, test_an_empty_machine_is_done_at_cycle_0,
          test_the_kernel_prints_nothing, test_waveform_is_complete_and_undated,
          test_waveform_of_a_deadlock_is_written, test_waveform_that_cannot_be_written_is_an_error,
          test_waveform_cut_short_by_a_full_disk_is_an_error, test_a_killed_run_leaves_no_file,
          test_forked_results_come_back_through_shared_memory_only,
          test_forked_error_keeps_code_and_whole_message, test_forked_death_is_told_by_its_signal,
          test_forked_exit_without_a_result_is_a_bug, test_forked_time_limit_ends_the_child,
          test_forked_run_is_interrupted_and_signals_are_restored,
          test_forked_run_leaves_an_ignored_signal_ignored MEMORY_TESTS)
