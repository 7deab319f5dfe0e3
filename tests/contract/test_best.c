/* SPDX-License-Identifier: Apache-2.0 */
/* The mapping that the default search finds for a layer against every mapping that the machine
 * permits, each run event by event: small random layers on small random machines. Mappings are
 * given as files, so nothing here asks the mapper what it thinks of one.
 *
 *     test_best [N [FIRST]]    layers FIRST, ..., FIRST + N - 1 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/run/accsim.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* What the search may be slower than the best of all. */
#define ALLOWED 0.03

enum { N_LAYER = 50, ARRAY = 8, N_SET = 16 };

/* A layer as a product: `images` of `rows` rows each. */
struct layer {
    char *net;
    int64_t images, rows, n, k;
    int64_t entries;
    char *set[N_SET + 1];
    int n_set;
};

static int64_t pick(GRand *rand, int64_t lo, int64_t hi)
{
    return g_rand_int_range(rand, (gint32)lo, (gint32)hi + 1);
}

static void set(struct layer *l, const char *path, double value)
{
    g_assert(l->n_set < N_SET);
    l->set[l->n_set++] = g_strdup_printf("%s=%g", path, value);
}

static double any_of(GRand *rand, const double *values, int n)
{
    return values[pick(rand, 0, n - 1)];
}

static void random_machine(struct layer *l, GRand *rand)
{
    static const double entries[] = {12, 16, 32}, tiles[] = {2, 4}, drains[] = {4, 8};
    static const double weights[] = {2, 8, 32}, link[] = {8, 32, 128}, latency[] = {0, 20, 100};
    l->entries = (int64_t)any_of(rand, entries, 3);
    set(l, "clock_mhz", 1000);
    set(l, "array.rows", ARRAY);
    set(l, "array.cols", ARRAY);
    set(l, "accumulators.entries", (double)l->entries);
    set(l, "weight_fifo.tiles", any_of(rand, tiles, 2));
    set(l, "activation.values_per_cycle", any_of(rand, drains, 2));
    set(l, "memory.weights.bandwidth_gb_s", any_of(rand, weights, 3));
    set(l, "memory.weights.latency_ns", any_of(rand, latency, 3));
    set(l, "host.bandwidth_gb_s", any_of(rand, link, 3));
    set(l, "memory.unified_buffer.size_kib", 1024);
}

static struct layer make_layer(int number)
{
    GRand *rand = g_rand_new_with_seed((guint32)number);
    struct layer l = {0};
    random_machine(&l, rand);
    l.n = pick(rand, 1, 3 * ARRAY);
    if (pick(rand, 0, 1)) {
        const int64_t kernel = pick(rand, 1, 3), channels = pick(rand, 1, 12);
        const int64_t h = pick(rand, 1, 4), w = pick(rand, 2, 5);
        l.images = pick(rand, 1, 3);
        l.rows = h * w;
        l.k = kernel * kernel * channels;
        l.net = g_strdup_printf("conv:%dx%dx%dx%dx%d,%dx%d,1,0", (int)l.images, (int)channels,
                                (int)(h + kernel - 1), (int)(w + kernel - 1), (int)l.n, (int)kernel,
                                (int)kernel);
    } else {
        l.images = pick(rand, 1, 14);
        l.rows = 1;
        l.k = pick(rand, 1, 6 * ARRAY);
        l.net = g_strdup_printf("gemm:%dx%dx%d", (int)l.images, (int)l.n, (int)l.k);
    }
    g_rand_free(rand);
    return l;
}

static void layer_clear(struct layer *l)
{
    g_free(l->net);
    for (int i = 0; i < l->n_set; i++)
        g_free(l->set[i]);
}

/* Event cycles; 0 where the mapping is refused. */
static uint64_t cycles_of(const struct layer *l, enum accsim_fidelity fidelity, const char *mapping,
                          const char *save)
{
    GError *error = NULL;
    struct accsim_options o = accsim_options_default();
    o.arch = "tpu";
    o.net = l->net;
    o.set = (const char *const *)l->set;
    o.mode = ACCSIM_TIMING;
    o.fidelity = fidelity;
    o.mapping = mapping;
    o.save_mapping = save;
    struct accsim *a = accsim_new(&o, &error);
    if (!a && mapping && error->code == ERROR_INPUT) {
        g_error_free(error);
        return 0;
    }
    if (!a || !accsim_run(a, &error)) {
        fprintf(stderr, "%s: %s\n", l->net, error->message);
        exit(EXIT_FAILURE);
    }
    const uint64_t cycles = accsim_record(a)->total_cyc;
    accsim_free(a);
    return cycles;
}

struct best {
    char *file;
    uint64_t cycles;
    char mapping[256];
    int n;
};

static void try_mapping(const struct layer *l, struct best *b, const char *sharing, int64_t block,
                        const char *order, int64_t images)
{
    char text[256];
    const char *name = g_str_has_prefix(l->net, "conv") ? "conv" : "gemm";
    g_snprintf(text, sizeof text,
               "layers = ( { name = \"%s\"; block_rows = %d; order = \"%s\"; %s; chunk_images = "
               "%d; } );\n",
               name, (int)block, order, sharing, (int)images);
    g_assert_true(g_file_set_contents(b->file, text, -1, NULL));
    const uint64_t cycles = cycles_of(l, ACCSIM_EVENT, b->file, NULL);
    b->n += cycles > 0;
    if (cycles > 0 && cycles < b->cycles) {
        b->cycles = cycles;
        g_strlcpy(b->mapping, text, sizeof b->mapping);
    }
}

/* Orders differ where there are several tiles and several blocks. */
static void try_orders(const struct layer *l, struct best *b, const char *sharing, int64_t block,
                       int64_t images)
{
    try_mapping(l, b, sharing, block, "nm", images);
    if (l->n > ARRAY && block < images * l->rows)
        try_mapping(l, b, sharing, block, "mn", images);
}

static void try_sharings(const struct layer *l, struct best *b, int64_t block, int64_t images)
{
    if (block <= l->entries / 2)
        try_orders(l, b, "halves = true", block, images);
    if (block > l->entries)
        return;
    try_orders(l, b, "halves = false", block, images);
    for (int64_t parts = 2, before = block; parts <= block && l->k > ARRAY; parts++) {
        const int64_t rows = int64_div_up(block, parts);
        if (rows == before)
            continue;
        before = rows;
        g_autofree char *sharing = g_strdup_printf("halves = false; parts = %d", (int)parts);
        try_orders(l, b, sharing, block, images);
    }
}

/* How much slower the search's mapping is than the best. */
static double excess(int number, int *n)
{
    struct layer l = make_layer(number);
    struct best b = {.cycles = UINT64_MAX};
    b.file = g_strdup_printf("%s/best-%d-%d.map", g_get_tmp_dir(), (int)getpid(), number);
    for (int64_t images = 1; images <= l.images; images++)
        for (int64_t block = 1; block <= MIN(images * l.rows, l.entries); block++)
            try_sharings(&l, &b, block, images);
    const uint64_t found = cycles_of(&l, ACCSIM_EVENT, NULL, b.file);
    const double more = (double)found / (double)b.cycles - 1;
    *n += b.n;
    if (more > ALLOWED || g_getenv("BEST_VERBOSE")) {
        g_autofree char *set = g_strjoinv(" --set ", l.set);
        g_autofree char *mapping = NULL;
        g_file_get_contents(b.file, &mapping, NULL, NULL);
        const uint64_t thought = cycles_of(&l, ACCSIM_ANALYTIC, NULL, NULL);
        g_file_set_contents(b.file, b.mapping, -1, NULL);
        const uint64_t best = cycles_of(&l, ACCSIM_ANALYTIC, b.file, NULL);
        printf("layer %d: %d cycles (analytic %d), the best of %d mappings %d (%d), %+.1f %%\n"
               "--net %s --set %s\nbest %sfound %s\n",
               number, (int)found, (int)thought, b.n, (int)b.cycles, (int)best, 100 * more, l.net,
               set, b.mapping, mapping);
    }
    g_unlink(b.file);
    g_free(b.file);
    layer_clear(&l);
    return more;
}

int main(int argc, char **argv)
{
    const int n_layer = argc > 1 ? atoi(argv[1]) : N_LAYER, first = argc > 2 ? atoi(argv[2]) : 0;
    double worst = 0, sum = 0;
    int n = 0, n_over = 0;
    for (int i = first; i < first + n_layer; i++) {
        const double more = excess(i, &n);
        worst = MAX(worst, more);
        sum += more;
        n_over += more > ALLOWED;
    }
    printf("%d layers, %d mappings run: the search's cycles are at most %.2f %% and on average "
           "%.2f %% over the best; %d over %.0f %%\n",
           n_layer, n, 100 * worst, 100 * sum / n_layer, n_over, 100 * ALLOWED);
    return n_over ? EXIT_FAILURE : EXIT_SUCCESS;
}
