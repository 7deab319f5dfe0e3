/* SPDX-License-Identifier: Apache-2.0 */
/* How fast this machine is at what a simulation consists of: sgemm, and timed waits of SystemC
 * threads. One line each, "NAME VALUE". */
#include <cblas.h>
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/kernel/sk.h"

enum {
    SIDE = 1024,
    N_PRODUCT = 5,
    N_PROCESS = 8, /* about as many as the systolic family spawns */
    N_WAIT = 250000,
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of a few, since the first also touches the memory. */
static double sgemm_gflop_per_s(void)
{
    openblas_set_num_threads(1); /* whichever variant of the library is installed */
    size_t n = (size_t)SIDE * SIDE;
    float *a = g_new(float, n), *b = g_new(float, n), *c = g_new0(float, n);
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] = (float)(i % 7) - 3.0f;
    double best_s = 0;
    for (int i = 0; i < N_PRODUCT; i++) {
        double start_s = cpu_seconds();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1.0f, a, SIDE, b,
                    SIDE, 0.0f, c, SIDE);
        double took_s = cpu_seconds() - start_s;
        if (i == 0 || took_s < best_s)
            best_s = took_s;
    }
    g_free(a);
    g_free(b);
    g_free(c);
    return 2e-9 * (double)n * SIDE / best_s;
}

/* Periods differ, so that the processes seldom wake in the same cycle. */
static void wait_often(void *arg)
{
    uint64_t period_cyc = *(const uint64_t *)arg;
    for (int i = 0; i < N_WAIT; i++)
        sk_wait_cycles(period_cyc);
}

static double waits_per_s(GError **error)
{
    static const uint64_t periods_cyc[N_PROCESS] = {3, 5, 7, 11, 13, 17, 19, 23};
    if (!sk_begin(700.0, NULL, error))
        return 0;
    for (int i = 0; i < N_PROCESS; i++) {
        char name[16];
        g_snprintf(name, sizeof(name), "waiter%d", i);
        sk_spawn(name, wait_often, (void *)&periods_cyc[i], NULL, 0);
    }
    double start_s = cpu_seconds();
    if (!sk_run(0, 0, error))
        return 0;
    return (double)sk_n_activation() / (cpu_seconds() - start_s);
}

int main(void)
{
    GError *error = NULL;
    double gflop_per_s = sgemm_gflop_per_s(), events_per_s = waits_per_s(&error);
    if (error) {
        fprintf(stderr, "rates: %s\n", error->message);
        g_error_free(error);
        return EXIT_FAILURE;
    }
    printf("sgemm_gflop_per_s %.1f\nsk_events_per_s %.0f\n", gflop_per_s, events_per_s);
    return EXIT_SUCCESS;
}
