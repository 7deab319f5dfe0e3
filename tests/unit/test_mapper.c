/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>

#include "app/run/internal.h"
#include "mapper/tiled/homes.h"
#include "mapper/tiled/groups.h"
#include "mapper/tiled/search.h"
#include "mapper/tiled/weights.h"
#include "sim/base/error.h"
#include "tests/unit/random_net.h"
#include "tests/unit/test.h"

#define MAX_SET 8

/* Maps the network on tpu.cfg with settings; NULL-terminated. */
static struct accsim *map(const char *text, int64_t batch, const char *const *set, GError **error)
{
    struct accsim_options o = accsim_options_default();
    g_autofree char *file = g_strdup_printf("mapper-%08x.net", g_str_hash(text));
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    o.arch = "tpu";
    o.net = file;
    o.batch = batch;
    o.mode = ACCSIM_TIMING;
    o.fidelity = ACCSIM_ANALYTIC;
    o.set = set;
    struct accsim *a = accsim_new(&o, error);
    g_unlink(file);
    return a;
}

static struct accsim *map_ok(const char *text, int64_t batch, const char *const *set)
{
    GError *error = NULL;
    struct accsim *a = map(text, batch, set, &error);
    ck_ok(a != NULL, error);
    return a;
}

#define SIZED(shape, layers)                                                                       \
    "inputs = ( { name = \"x\"; shape = [" shape "]; } );\nlayers = (" layers ");"
#define NET(layers)     SIZED("4, 12, 12", layers)
#define CONV(name)      "{ name = \"" name "\"; op = \"conv2d\"; channels = 4; kernel = 3; pad = 1; }"
#define RELU(name)      "{ name = \"" name "\"; op = \"relu\"; }"
#define POOL(name)      "{ name = \"" name "\"; op = \"maxpool\"; kernel = 2; }"
#define LRN(name)       "{ name = \"" name "\"; op = \"lrn\"; }"
#define FC(name)        "{ name = \"" name "\"; op = \"fc\"; features = 10; }"
#define ADD(name, a, b) "{ name = \"" name "\"; op = \"add\"; inputs = [\"" a "\", \"" b "\"]; }"
#define FLATTEN(name)   "{ name = \"" name "\"; op = \"flatten\"; }"
#define DROPOUT(name)   "{ name = \"" name "\"; op = \"dropout\"; }"

/* The operators of the layers, joined by spaces. */
static void ck_layers(const char *text, const char *expected)
{
    struct accsim *a = map_ok(text, 1, NULL);
    GString *ops = g_string_new(NULL);
    for (int i = 0; i < a->plan->n_layer; i++)
        g_string_append_printf(ops, "%s%s", i ? " " : "", a->plan->layers[i].op);
    ck_assert_str_eq(ops->str, expected);
    g_string_free(ops, TRUE);
    accsim_free(a);
}

START_TEST(test_what_the_activation_unit_does_joins_its_layer)
{
    ck_layers(NET(CONV("c") "," RELU("r") "," POOL("p")), "conv2d+relu+maxpool");
    ck_layers(NET(LRN("l") "," POOL("p")), "lrn+maxpool");
    ck_layers(NET(FC("f") "," RELU("r") "," FC("g")), "fc+relu fc");
    ck_layers(NET(ADD("a", "x", "x") "," RELU("r")), "add+relu");
    ck_layers(NET(CONV("c") "," LRN("l") "," RELU("r")), "conv2d lrn relu");
}
END_TEST

START_TEST(test_a_layer_is_pooled_once)
{
    ck_layers(NET(CONV("c") "," POOL("p") "," RELU("r")), "conv2d+maxpool+relu");
    ck_layers(NET(CONV("c") "," POOL("p") "," POOL("q")), "conv2d+maxpool maxpool");
    ck_layers(NET(LRN("l") "," POOL("p") "," POOL("q")), "lrn+maxpool maxpool");
}
END_TEST

START_TEST(test_a_value_that_others_read_ends_its_layer)
{
    ck_layers(NET(CONV("c") "," RELU("r") "," ADD("a", "r", "c")), "conv2d relu add");
    g_autofree char *output =
        g_strconcat(NET(CONV("c") "," RELU("r")), "outputs = [\"c\", \"r\"];", NULL);
    ck_layers(output, "conv2d relu");
}
END_TEST

START_TEST(test_views_are_no_layers)
{
    struct accsim *a =
        map_ok(NET(CONV("c") "," DROPOUT("d") "," FLATTEN("e") "," FC("f")), 1, NULL);
    ck_assert_int_eq(a->plan->n_layer, 2);
    ck_assert_int_eq(a->plan->layers[1].in[0], a->plan->layers[0].out);
    accsim_free(a);
}
END_TEST

START_TEST(test_a_flattened_image_is_for_fc_alone)
{
    const char *const set[] = {"host.fallback=false", NULL};
    const char *net = NET(CONV("c") "," FLATTEN("e") "," RELU("r"));
    GError *error = NULL;
    struct accsim *a = map_ok(net, 1, NULL);
    ck_assert_int_eq(a->plan->layers[1].kind, LAYER_HOST);
    accsim_free(a);
    ck_error(map(net, 1, set, &error), error, ERROR_UNSUPPORTED, "layer 'r'");
    /* rows of features lie one behind the other, however they are cut */
    a = map_ok("inputs = ( { name = \"x\"; shape = [4, 12]; } );\nlayers = (" FLATTEN("e") "," FC(
                   "f") ");",
               1, NULL);
    ck_assert_int_eq(a->plan->layers[0].kind, LAYER_MATRIX);
    ck_assert_int_eq(a->plan->layers[0].gemm.k, 48);
    accsim_free(a);
}
END_TEST

/* First and last layer between which something occupies [address, address + bytes). */
struct extent {
    uint64_t address, bytes;
    int first, last;
};

static bool collide(const struct extent *a, const struct extent *b)
{
    return a->first <= b->last && b->first <= a->last && a->address < b->address + b->bytes &&
           b->address < a->address + a->bytes;
}

static void ck_apart(const struct plan *p, const char *text)
{
    const uint64_t size = machine_memory(p->machine, ROLE_ACTIVATIONS)->size_bytes;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct extent));
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        const struct extent e = {h->address, h->size_bytes,
                                 p->groups[p->layers[h->first_layer].group].first,
                                 p->groups[p->layers[h->last_layer].group].last};
        if (h->used && h->resident)
            g_array_append_val(all, e);
    }
    for (int i = 0; i < p->n_group; i++) {
        const struct plan_group *g = &p->groups[i];
        for (int j = g->first_slot; j < g->first_slot + g->n_slot; j++) {
            const struct plan_slot *slot = &p->slots[j];
            const struct home *h = &p->homes[slot->value];
            const struct extent e = {slot->address, slot->room_bytes,
                                     slot->crosses ? g->first : h->first_layer,
                                     slot->crosses ? g->last : h->last_layer};
            g_array_append_val(all, e);
        }
    }
    for (guint i = 0; i < all->len; i++) {
        const struct extent *a = &g_array_index(all, struct extent, i);
        ck_assert_msg(a->address + a->bytes <= size, "beyond the buffer:\n%s", text);
        for (guint j = 0; j < i; j++)
            ck_assert_msg(!collide(a, &g_array_index(all, struct extent, j)),
                          "%u and %u collide:\n%s", i, j, text);
    }
}

/* Who makes a value and all who read it lie within its life. */
static void ck_lives(const struct plan *p, const char *text)
{
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        for (int j = 0; j < l->n_in && l->kind != LAYER_HOST; j++) {
            const struct home *h = &p->homes[l->in[j]];
            ck_assert_msg(h->used && h->first_layer <= i && i <= h->last_layer, "%s", text);
        }
        if (l->kind != LAYER_HOST)
            ck_assert_msg(p->homes[l->out].first_layer == i, "%s", text);
    }
}

static void ck_order(const struct plan *p, const char *text)
{
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step *s = &p->steps[i];
        ck_assert_msg(s->after_load < i && s->after_compute < i && s->after_store < i, "%s", text);
        ck_assert(s->after_load < 0 || p->steps[s->after_load].kind == STEP_LOAD);
        ck_assert(s->after_compute < 0 || p->steps[s->after_compute].kind == STEP_COMPUTE);
        ck_assert(s->after_store < 0 || p->steps[s->after_store].kind == STEP_STORE);
    }
}

/* Each element of a layer's output is computed once. */
static void ck_covered(const struct plan *p, const char *text)
{
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        const struct dims o =
            l->kind == LAYER_HOST ? (struct dims){0} : dims_of(&p->graph->values[l->out].shape);
        int64_t elements = 0;
        for (int j = 0; j < p->n_step; j++)
            if (p->steps[j].layer == i && p->steps[j].kind == STEP_COMPUTE)
                elements += region_elements(&p->steps[j].region);
        ck_assert_msg(elements == o.n * dims_image(&o), "layer %s:\n%s", l->name, text);
    }
}

/* Buffers from hardly enough on: sizes that are refused are passed over. */
START_TEST(test_no_two_living_values_overlap)
{
    int n_mapped = 0, n_spilled = 0, n_row_chunk = 0, n_shared = 0, n_local = 0;
    int n_column_chunk = 0, n_channel_chunk = 0;
    for (guint32 seed = 0; seed < 400; seed++) {
        GRand *rand = g_rand_new_with_seed(seed);
        g_autofree char *text = random_net_text(rand, 9, false, false);
        g_autofree char *kib =
            g_strdup_printf("memory.unified_buffer.size_kib=%g", g_rand_double_range(rand, 1, 8));
        const char *const set[] = {kib, "array.rows=16", "array.cols=16",
                                   seed % 2 ? "host.bandwidth_gb_s=0.2" : NULL, NULL};
        GError *error = NULL;
        struct accsim *a = map(text, pick(rand, 1, 5), set, &error);
        g_rand_free(rand);
        if (!a) {
            ck_error(false, error, ERROR_UNSUPPORTED, "one row of it needs");
            continue;
        }
        ck_apart(a->plan, text);
        ck_lives(a->plan, text);
        ck_order(a->plan, text);
        ck_covered(a->plan, text);
        n_mapped++;
        for (int i = 0; i < a->plan->n_layer; i++) {
            const struct plan_layer *l = &a->plan->layers[i];
            n_spilled += l->kind != LAYER_HOST && !a->plan->homes[l->out].resident;
            n_shared += l->kind != LAYER_HOST && l->n_turn > 1;
            n_local += l->kind != LAYER_HOST && plan_is_local(a->plan, l->out);
            if (l->kind == LAYER_HOST)
                continue;
            const struct dims o = dims_of(&a->graph->values[l->out].shape);
            n_row_chunk += l->chunk_row < o.h;
            n_column_chunk += l->chunk_col < o.w;
            n_channel_chunk += l->chunk_channel < o.c;
        }
        accsim_free(a);
    }
    /* The test is worth something: all that it is about happened often. */
    ck_assert_int_gt(n_mapped, 200);
    ck_assert_int_gt(n_spilled, 100);
    ck_assert_int_gt(n_row_chunk, 20);
    ck_assert_int_gt(n_column_chunk, 2);
    ck_assert_int_gt(n_channel_chunk, 0);
    ck_assert_int_gt(n_shared, 40);
    ck_assert_int_gt(n_local, 20);
}
END_TEST

START_TEST(test_a_small_buffer_spills_the_largest)
{
    /* 4 x 12 x 12 = 576 bytes a value and image */
    const char *net = NET(CONV("a") "," CONV("b") "," CONV("c"));
    const char *const small[] = {"memory.unified_buffer.size_kib=4", NULL};
    struct accsim *a = map_ok(net, 3, NULL);
    for (int i = 0; i < 3; i++)
        ck_assert(a->plan->homes[a->plan->layers[i].out].resident);
    accsim_free(a);
    a = map_ok(net, 3, small); /* two of 1792 bytes fit */
    ck_assert(a->plan->homes[a->plan->layers[1].out].resident);
    accsim_free(a);
    a = map_ok(net, 16, small);
    for (int i = 0; i < 3; i++)
        ck_assert(!a->plan->homes[a->plan->layers[i].out].resident);
    accsim_free(a);
}
END_TEST

START_TEST(test_an_image_too_large_is_cut_into_rows)
{
    const char *const set[] = {"memory.unified_buffer.size_kib=2", NULL};
    struct accsim *a = map_ok(SIZED("4, 24, 24", CONV("c") "," RELU("r")), 1, set);
    ck_assert_int_eq(a->plan->n_layer, 1);
    ck_assert_int_eq(a->plan->layers[0].chunk_image, 1);
    ck_assert_int_lt(a->plan->layers[0].chunk_row, 24);
    accsim_free(a);
    /* Pooling on the way out needs whole images: it becomes a layer where rows are cut. */
    ck_layers(SIZED("4, 24, 24", CONV("c") "," POOL("p") "," RELU("r")), "conv2d+maxpool+relu");
    a = map_ok(SIZED("4, 24, 24", CONV("c") "," POOL("p") "," RELU("r")), 1, set);
    ck_assert_str_eq(a->plan->layers[0].op, "conv2d");
    ck_assert_str_eq(a->plan->layers[1].op, "maxpool");
    ck_assert_str_eq(a->plan->layers[2].op, "relu");
    accsim_free(a);
}
END_TEST

#define WIDE "{ name = \"wide\"; op = \"conv2d\"; channels = 4; kernel = 3; pad = 1; }"

/* A row of 64 x 40 bytes and those beside it need 7,680: columns of them, with one more on each
 * side, are computed at a time, all of the same width but the last. */
START_TEST(test_a_row_too_large_is_cut_into_columns)
{
    const char *const set[] = {"memory.unified_buffer.size_kib=8", NULL};
    struct accsim *a = map_ok(SIZED("64, 4, 40", WIDE), 1, set);
    const struct plan *p = a->plan;
    const struct plan_layer *l = &p->layers[0];
    ck_assert_int_eq(l->chunk_row, 1);
    ck_assert_int_lt(l->chunk_col, 40);
    ck_assert_int_eq(l->chunk_channel, 4);
    ck_assert_int_eq(plan_n_chunk(p, l), 4 * ((40 + l->chunk_col - 1) / l->chunk_col));
    int n_load = 0;
    for (int i = 0; i < p->n_step; i++) {
        const struct region *r = &p->steps[i].region;
        if (p->steps[i].kind != STEP_LOAD)
            continue;
        n_load++;
        ck_assert_int_le(r->n_col, l->chunk_col + 2);
        ck_assert_int_eq(r->n_channel, 64);
        ck_assert_int_eq(r->col > 0, r->col + 1 == plan_chunk(p, l, n_load - 1).col);
    }
    ck_assert_int_eq(n_load, plan_n_chunk(p, l));
    accsim_free(a);
}
END_TEST

/* 2,000 inputs and 4,000 outputs in 4 KiB: channels in whole tiles, the inputs loaded once for all
 * of them. */
START_TEST(test_a_product_too_wide_is_cut_into_channels)
{
    const char *const set[] = {"memory.unified_buffer.size_kib=4", NULL};
    struct accsim *a =
        map_ok(SIZED("2000", "{ name = \"f\"; op = \"fc\"; features = 4000; }"), 1, set);
    const struct plan *p = a->plan;
    const struct plan_layer *l = &p->layers[0];
    ck_assert_int_eq(l->chunk_channel % 256, 0);
    ck_assert_int_lt(l->chunk_channel, 4000);
    int n_load = 0, n_store = 0;
    for (int i = 0; i < p->n_step; i++) {
        n_load += p->steps[i].kind == STEP_LOAD;
        n_store += p->steps[i].kind == STEP_STORE;
    }
    ck_assert_int_eq(n_load, 1);
    ck_assert_int_eq(n_store, plan_n_chunk(p, l));
    accsim_free(a);
}
END_TEST

START_TEST(test_a_row_too_large_names_its_layer)
{
    const char *const set[] = {"memory.unified_buffer.size_kib=1", NULL};
    GError *error = NULL;
    ck_error(map(SIZED("64, 4, 40", WIDE), 1, set, &error), error, ERROR_UNSUPPORTED,
             "layer 'wide': the smallest piece of one row of it needs");
    /* What joins channels is not cut there, and rows of features have no columns. */
    const char *joins =
        SIZED("2000", RELU("r") ",{ name = \"j\"; op = \"concat\"; inputs = [\"x\", \"r\"]; }");
    ck_error(map(joins, 1, set, &error), error, ERROR_UNSUPPORTED,
             "layer 'j': one row of it needs");
}
END_TEST

/* Three layers of 4 x 12 x 12 = 576 bytes a value and image, 16 images, 5 KiB: nothing is whole.
 * Chunks of an image of the outer two values in two copies, and of two values between, take
 * 6 x 768. */
START_TEST(test_layers_that_do_not_fit_take_turns_on_some_images)
{
    const char *net = NET(CONV("a") "," CONV("b") "," CONV("c"));
    const char *const small[] = {"memory.unified_buffer.size_kib=5", "memory.weights.model=ideal",
                                 "host.bandwidth_gb_s=0.1", NULL};
    struct accsim *a = map_ok(net, 16, small);
    const struct plan *p = a->plan;
    ck_assert_int_eq(p->n_group, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(p->layers[i].n_turn, 16);
        ck_assert_int_eq(plan_is_local(p, p->layers[i].out), i < 2);
        ck_assert_int_eq(p->layers[i].loads, i == 0);
        ck_assert_int_eq(p->layers[i].stores, i == 2);
    }
    int layer = -1, n_load = 0, n_store = 0;
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step *s = &p->steps[i];
        n_load += s->kind == STEP_LOAD;
        n_store += s->kind == STEP_STORE;
        if (s->kind != STEP_COMPUTE)
            continue;
        ck_assert_int_eq(s->layer, (layer + 1) % 3); /* one after the other, again and again */
        layer = s->layer;
    }
    ck_assert_int_eq(n_load, 16);
    ck_assert_int_eq(n_store, 16);
    accsim_free(a);
}
END_TEST

/* INT32_MAX / 127^2 = 133144.2 products, one of them left for the bias. */
START_TEST(test_sums_that_could_overflow_are_refused)
{
    GError *error = NULL;
    struct accsim *a = map_ok(
        "inputs = ( { name = \"x\"; shape = [133143]; } );\nlayers = (" FC("f") ");", 1, NULL);
    accsim_free(a);
    ck_error(map("inputs = ( { name = \"x\"; shape = [133144]; } );\nlayers = (" FC("f") ");", 1,
                 NULL, &error),
             error, ERROR_UNSUPPORTED, "layer 'f': sums of 133144 products");
}
END_TEST

/* What a mapping takes by the analytic model; traffic in cycles of weight memory and link. */
struct taken {
    double cycles, traffic_cyc;
};

static struct taken analytic(const char *text, int64_t batch, const char *kib, const char *search,
                             const char *objective)
{
    GError *error = NULL;
    const char *const set[] = {
        search, objective, kib, "array.rows=24", "array.cols=12", "accumulators.entries=40", NULL};
    struct accsim *a = map(text, batch, set, &error);
    if (!a) {
        ck_error(false, error, ERROR_UNSUPPORTED, "one row of it needs");
        return (struct taken){0};
    }
    ck_ok(accsim_run(a, &error), error);
    const struct record *r = accsim_record(a);
    struct taken taken = {.cycles = (double)r->total_cyc};
    const int moving[] = {machine_index(a->plan->machine, ROLE_WEIGHTS),
                          machine_index(a->plan->machine, ROLE_INPUTS)};
    for (int i = 0; i < 2; i++) {
        const struct record_bytes bytes = record_memory_bytes(r, moving[i]);
        taken.traffic_cyc +=
            (double)(bytes.read + bytes.write) / r->memory_bytes_per_cyc[moving[i]];
    }
    accsim_free(a);
    return taken;
}

static const char *const searches[] = {"mapper.search=heuristic", "mapper.search=search",
                                       "mapper.search=exhaustive"};
enum { N_SEARCH = 3, N_NET = 150 };

/* A network on a small machine, with each search: those of one objective, then of the other. */
static void search_net(guint32 seed, struct taken cycles[N_SEARCH], struct taken traffic[N_SEARCH])
{
    GRand *rand = g_rand_new_with_seed(seed);
    g_autofree char *text = random_net_text(rand, 8, false, false);
    g_autofree char *kib =
        g_strdup_printf("memory.unified_buffer.size_kib=%g", g_rand_double_range(rand, 1, 8));
    const int64_t batch = pick(rand, 1, 12);
    g_rand_free(rand);
    for (int i = 0; i < N_SEARCH; i++) {
        cycles[i] = analytic(text, batch, kib, searches[i], "mapper.objective=cycles");
        traffic[i] = analytic(text, batch, kib, searches[i], "mapper.objective=traffic");
    }
}

/* For cycles: the fastest tilings of a wider search are no slower, and what it takes is at most
 * SEARCH_SLOWER slower than those, for less traffic. For traffic, which no layer has from the one
 * before it: never more. */
START_TEST(test_a_wider_search_is_never_worse)
{
    int n_faster = 0, n_moves_less = 0;
    for (guint32 seed = 1000; seed < 1000 + N_NET; seed++) {
        struct taken cycles[N_SEARCH], traffic[N_SEARCH];
        search_net(seed, cycles, traffic);
        for (int i = 1; i < N_SEARCH; i++) {
            ck_assert_msg(cycles[i].cycles <= (1 + SEARCH_SLOWER) * cycles[i - 1].cycles,
                          "seed %d: %s %.9g cycles, %s %.9g", (int)seed, searches[i],
                          cycles[i].cycles, searches[i - 1], cycles[i - 1].cycles);
            ck_assert_msg(traffic[i].traffic_cyc <= traffic[i - 1].traffic_cyc,
                          "seed %d: %s moves %.9g, %s %.9g", (int)seed, searches[i],
                          traffic[i].traffic_cyc, searches[i - 1], traffic[i - 1].traffic_cyc);
            ck_assert_msg(traffic[i].traffic_cyc <= cycles[i].traffic_cyc,
                          "seed %d: %s moves %.9g for traffic, %.9g for cycles", (int)seed,
                          searches[i], traffic[i].traffic_cyc, cycles[i].traffic_cyc);
        }
        n_faster += cycles[1].cycles < cycles[0].cycles;
        n_moves_less += traffic[1].traffic_cyc < cycles[1].traffic_cyc;
    }
    ck_assert_int_gt(n_faster, 30);
    ck_assert_int_gt(n_moves_less, 10);
}
END_TEST

TEST_MAIN("mapper", test_what_the_activation_unit_does_joins_its_layer, test_a_layer_is_pooled_once,
          test_a_value_that_others_read_ends_its_layer, test_views_are_no_layers,
          test_a_flattened_image_is_for_fc_alone, test_no_two_living_values_overlap,
          test_a_small_buffer_spills_the_largest, test_an_image_too_large_is_cut_into_rows,
          test_a_row_too_large_is_cut_into_columns, test_a_product_too_wide_is_cut_into_channels,
          test_a_row_too_large_names_its_layer, test_sums_that_could_overflow_are_refused,
          test_layers_that_do_not_fit_take_turns_on_some_images, test_a_wider_search_is_never_worse)
