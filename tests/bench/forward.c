/* SPDX-License-Identifier: Apache-2.0 */
/* forward FILE BATCH REPEATS: the CPU reference's forward pass on one thread, as one line of JSON:
 * the least time, OpenBLAS's share of it, the process's peak memory beside weights and the two
 * largest activations. Linked with --wrap for the calls into OpenBLAS. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "workloads/net.h"
#include "workloads/ref/ref.h"

static double blas_s; /* of the run so far; the benchmark has one thread */

/* Of this thread's processor time, so that what else runs on the computer counts little. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void __real_cblas_sgemm(CBLAS_LAYOUT l, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m,
                        blasint n, blasint k, float alpha, const float *a, blasint lda,
                        const float *b, blasint ldb, float beta, float *c, blasint ldc);
void __wrap_cblas_sgemm(CBLAS_LAYOUT l, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, blasint m,
                        blasint n, blasint k, float alpha, const float *a, blasint lda,
                        const float *b, blasint ldb, float beta, float *c, blasint ldc)
{
    const double start = now();
    __real_cblas_sgemm(l, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    blas_s += now() - start;
}

void __real_cblas_sgemv(CBLAS_LAYOUT l, CBLAS_TRANSPOSE t, blasint m, blasint n, float alpha,
                        const float *a, blasint lda, const float *x, blasint incx, float beta,
                        float *y, blasint incy);
void __wrap_cblas_sgemv(CBLAS_LAYOUT l, CBLAS_TRANSPOSE t, blasint m, blasint n, float alpha,
                        const float *a, blasint lda, const float *x, blasint incx, float beta,
                        float *y, blasint incy)
{
    const double start = now();
    __real_cblas_sgemv(l, t, m, n, alpha, a, lda, x, incx, beta, y, incy);
    blas_s += now() - start;
}

/* The high-water mark of this program's own memory: getrusage() would count the parent's. */
static double peak_bytes(void)
{
    g_autofree char *status = NULL;
    double kib = 0;
    if (g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
        const char *line = strstr(status, "VmHWM:");
        kib = line ? g_ascii_strtod(line + strlen("VmHWM:"), NULL) : 0;
    }
    return kib * 1024;
}

static double bytes_of(const struct value *v)
{
    return (double)shape_count(&v->shape) * (double)number_bytes(v->type);
}

static void sizes(const struct graph *g, double *weights, double *largest)
{
    double first = 0, second = 0;
    *weights = 0;
    for (int i = 0; i < g->n_value; i++) {
        const double n = bytes_of(&g->values[i]);
        if (g->values[i].kind == VALUE_PARAM)
            *weights += n;
        else if (n > first)
            second = first, first = n;
        else if (n > second)
            second = n;
    }
    *largest = first + second;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: forward FILE BATCH REPEATS\n");
        return 2;
    }
    GError *error = NULL;
    const struct net_options o = {.batch = atoi(argv[2])};
    struct graph *g = net_load(argv[1], NULL, &o, &error);
    struct values *v = g ? values_new(g) : NULL;
    double best = 1e9, best_blas = 0, weights, largest;
    bool ok = v && values_seed(v, 1, &error);
    struct executor *ref = ok ? ref_new(g, 1, &error) : NULL;
    ok = ref && ref->load(ref->self, v, &error);
    for (int i = 0; ok && i < atoi(argv[3]); i++) {
        struct values *out = values_new(g);
        const double start = now();
        blas_s = 0;
        ok = ref->step(ref->self, v, out, NULL, NULL, NULL, &error);
        if (now() - start < best) {
            best = now() - start;
            best_blas = blas_s;
        }
        values_free(out);
    }
    if (!ok) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    sizes(g, &weights, &largest);
    printf(
        "{\"seconds\": %.6f, \"blas_seconds\": %.6f, \"peak_bytes\": %.0f, \"weight_bytes\": %.0f, "
        "\"activation_bytes\": %.0f}\n",
        best, best_blas, peak_bytes(), weights, largest);
    executor_free(ref);
    values_free(v);
    graph_free(g);
    return 0;
}
