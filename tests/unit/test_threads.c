/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include "workloads/threads.h"

#define N_PANEL 1000

struct job {
    struct pool_threads *pool;
    gint n_call[N_PANEL]; /* atomic */
    gint inside[16];      /* by thread: atomic */
    gint n_bad;           /* atomic */
};

static void count_panel(void *arg, int i_panel, int i_thread)
{
    struct job *job = arg;
    if (i_thread < 0 || i_thread >= threads_count(job->pool)) {
        g_atomic_int_inc(&job->n_bad);
        return;
    }
    /* Scratch memory is indexed by thread: two panels never share an index. */
    if (g_atomic_int_add(&job->inside[i_thread], 1) != 0)
        g_atomic_int_inc(&job->n_bad);
    g_atomic_int_inc(&job->n_call[i_panel]);
    g_atomic_int_add(&job->inside[i_thread], -1);
}

START_TEST(test_each_panel_runs_once)
{
    for (int n_thread = 1; n_thread <= 16; n_thread++) {
        struct job job = {.pool = threads_new(n_thread)};
        ck_assert_int_eq(threads_count(job.pool), n_thread);
        threads_run(job.pool, N_PANEL, count_panel, &job);
        for (int i = 0; i < N_PANEL; i++)
            ck_assert_int_eq(job.n_call[i], 1);
        ck_assert_int_eq(job.n_bad, 0);
        threads_free(job.pool);
    }
}
END_TEST

START_TEST(test_jobs_follow_each_other)
{
    struct job job = {.pool = threads_new(4)};
    for (int k = 0; k < 5000; k++) /* short jobs: threads wake late, into the next one */
        threads_run(job.pool, k % 7, count_panel, &job);
    for (int i = 0; i < 7; i++) {
        int n_expected = 0;
        for (int k = 0; k < 5000; k++)
            n_expected += i < k % 7;
        ck_assert_int_eq(job.n_call[i], n_expected);
    }
    ck_assert_int_eq(job.n_bad, 0);
    threads_free(job.pool);
}
END_TEST

static void write_plain(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    ((int *)arg)[i_panel] += i_panel;
}

/* What panels wrote is seen by the caller, and by the panels of the next job. */
START_TEST(test_results_are_visible_after_run)
{
    static int sum[N_PANEL];
    struct pool_threads *t = threads_new(3);
    for (int k = 0; k < 100; k++)
        threads_run(t, N_PANEL, write_plain, sum);
    for (int i = 0; i < N_PANEL; i++)
        ck_assert_int_eq(sum[i], 100 * i);
    threads_free(t);
}
END_TEST

struct meeting {
    gint n_arrived; /* atomic */
};

static void wait_for_other(void *arg, int i_panel, int i_thread)
{
    struct meeting *m = arg;
    (void)i_panel;
    (void)i_thread;
    g_atomic_int_inc(&m->n_arrived);
    while (g_atomic_int_get(&m->n_arrived) < 2)
        g_thread_yield();
}

/* Ends only where two panels run at the same time. */
START_TEST(test_panels_run_side_by_side)
{
    struct meeting m = {0};
    struct pool_threads *t = threads_new(2);
    threads_run(t, 2, wait_for_other, &m);
    ck_assert_int_eq(m.n_arrived, 2);
    threads_free(t);
}
END_TEST

static void hold_first(void *arg, int i_panel, int i_thread)
{
    gint *n_done = arg;
    (void)i_thread;
    while (i_panel == 0 && g_atomic_int_get(n_done) < N_PANEL - 1)
        g_thread_yield();
    g_atomic_int_inc(n_done);
}

/* Ends only where the rest is not dealt out beforehand: the first panel waits for all others. */
START_TEST(test_free_threads_take_what_is_left)
{
    gint n_done = 0;
    struct pool_threads *t = threads_new(2);
    threads_run(t, N_PANEL, hold_first, &n_done);
    ck_assert_int_eq(n_done, N_PANEL);
    threads_free(t);
}
END_TEST

static void thread_itself(void *arg, int i_panel, int i_thread)
{
    ck_assert_int_eq(i_panel, 0);
    ck_assert_int_eq(i_thread, 0);
    *(GThread **)arg = g_thread_self();
}

START_TEST(test_one_thread_is_the_caller)
{
    GThread *seen = NULL;
    struct pool_threads *t = threads_new(1);
    threads_run(t, 1, thread_itself, &seen);
    ck_assert_ptr_eq(seen, g_thread_self());
    threads_run(t, 0, NULL, NULL);
    threads_free(t);
    threads_free(NULL);
}
END_TEST

START_TEST(test_idle_pool_ends)
{
    for (int i = 0; i < 100; i++)
        threads_free(threads_new(8));
}
END_TEST

TEST_MAIN("threads", test_each_panel_runs_once, test_jobs_follow_each_other,
          test_results_are_visible_after_run, test_panels_run_side_by_side,
          test_free_threads_take_what_is_left, test_one_thread_is_the_caller, test_idle_pool_ends)
