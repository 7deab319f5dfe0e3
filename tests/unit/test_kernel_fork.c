/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in a child process: what comes back, how it ends, and how long one may be. */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "sim/kernel/sk.h"
#include "tests/unit/test.h"

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

static void wait_long(void *arg)
{
    sk_wait_cycles(1);
    sk_wait_cycles(*(uint64_t *)arg);
}

/* In a child, since a process has one kernel. */
static bool run_long(void *arg, GError **error)
{
    if (!sk_begin(1000, NULL, error))
        return false;
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
    GError *error = NULL;
    ck_ok(run_long(&n_cyc, &error), error);
    ck_assert_uint_eq(sk_now(), UINT64_MAX / 1000);
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

TEST_MAIN("kernel_fork", test_forked_results_come_back_through_shared_memory_only,
          test_time_beyond_64_bits_is_a_limit, test_the_longest_time_is_reached,
          test_forked_error_keeps_code_and_whole_message, test_forked_death_is_told_by_its_signal,
          test_forked_exit_without_a_result_is_a_bug, test_forked_time_limit_ends_the_child,
          test_forked_run_is_interrupted_and_signals_are_restored,
          test_forked_run_leaves_an_ignored_signal_ignored MEMORY_TESTS)
