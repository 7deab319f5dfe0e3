/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the mapper looks at mappings: "NAME VALUE" a line. Needs the machines and nets that the
 * program finds; one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/run/accsim.h"

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool measure(const char *net, int64_t batch, const char *search, GError **error)
{
    const char *const set[] = {search, NULL};
    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.net = net;
    o.batch = batch;
    o.set = set;
    o.mode = ACCSIM_TIMING;
    const double start_s = cpu_seconds();
    struct accsim *a = accsim_new(&o, error);
    const double took_s = cpu_seconds() - start_s;
    if (!a)
        return false;
    const struct accsim_mapping m = accsim_mapping(a);
    printf("%s batch %d %s: %llu mappings in %.4f s = %.0f a second; %.4f s in all\n", net,
           (int)batch, search, (unsigned long long)m.n_tried, m.seconds,
           (double)m.n_tried / m.seconds, took_s);
    accsim_free(a);
    return true;
}

int main(void)
{
    static const char *const searches[] = {"mapper.search=heuristic", "mapper.search=search",
                                           "mapper.search=exhaustive"};
    static const struct {
        const char *net;
        int batch;
    } cases[] = {{"alexnet", 16}, {"alexnet", 200}, {"resnet50", 1}, {"resnet50", 16}};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(cases) && !error; i++)
        for (size_t j = 0; j < G_N_ELEMENTS(searches) && !error; j++)
            measure(cases[i].net, cases[i].batch, searches[j], &error);
    if (!error)
        return EXIT_SUCCESS;
    fprintf(stderr, "mapper: %s\n", error->message);
    g_error_free(error);
    return EXIT_FAILURE;
}
