/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>
#include <inttypes.h>
#include <math.h>

#include "mapper/values/quant.h"
#include "mapper/values/twin.h"
#include "mapper/plan.h"
#include "tests/unit/test.h"
#include "workloads/net.h"
#include "workloads/ops/ops.h"

START_TEST(test_factors_become_31_bit_multipliers)
{
    const struct {
        double factor;
        int32_t mult;
        int shift;
    } rows[] = {
        {0.5, 1 << 30, 31},        {1, 1 << 30, 30},
        {0.75, 0x60000000, 31},    {3, 0x60000000, 29},
        {1.0 / 3, 0x55555555, 32}, {0x1p29, 1 << 30, 1},
        {0x1p-32, 1 << 30, 62},    {0, 0, 1},
        {0x1p-33, 0, 1},           {1 - 0x1p-40, 1 << 30, 30} /* rounds up to 1 */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct requant r = requant_make(rows[i].factor);
        ck_assert_msg(r.mult == rows[i].mult && r.shift == rows[i].shift, "%g: %d, %d",
                      rows[i].factor, r.mult, r.shift);
    }
}
END_TEST

START_TEST(test_halves_round_up)
{
    const struct requant half = requant_make(0.5), quarter = requant_make(0.25);
    const int64_t by_half[] = {-2, -1, -1, 0, 0, 1, 1, 2, 2}; /* of -4 to 4: -1.5 gives -1 */
    for (int i = -4; i <= 4; i++)
        ck_assert_int_eq(requant_round(i, half), by_half[i + 4]);
    ck_assert_int_eq(requant_round(2, quarter), 1);
    ck_assert_int_eq(requant_round(1, quarter), 0);
    ck_assert_int_eq(requant_round(-2, quarter), 0);
    ck_assert_int_eq(requant_round(-3, quarter), -1);
    ck_assert_int_eq(requant_clamp(200, -127), 127);
    ck_assert_int_eq(requant_clamp(-200, -127), -127);
    ck_assert_int_eq(requant_clamp(-1, 0), 0);
}
END_TEST

/* The multiplier has 31 bits, so a product is off by a share of 2^-31 before it is rounded: a
 * result below 2^31 differs from the exact one's rounding by 1 at most. */
START_TEST(test_rounding_is_off_by_one_at_most)
{
    GRand *rand = g_rand_new_with_seed(7);
    for (int i = 0; i < 200000; i++) {
        const double factor = exp2(g_rand_double_range(rand, -32, 0));
        const int64_t acc = (int32_t)g_rand_int(rand);
        const int64_t y = requant_round(acc, requant_make(factor));
        const long double exact = (long double)acc * (long double)factor;
        const long double error = fabsl((long double)y - exact);
        ck_assert_msg(error <= 1.0L, "%" PRId64 " x %.17g = %" PRId64, acc, factor, y);
        /* What an int8 keeps is rounded right, but within 2^-20 of a half. */
        if (fabsl(exact) < 128)
            ck_assert(error <= 0.5L + 0x1p-20L);
    }
    g_rand_free(rand);
}
END_TEST

START_TEST(test_layout_turns_there_and_back)
{
    float x[2 * 3 * 2 * 2], back[G_N_ELEMENTS(x)];
    int8_t q[G_N_ELEMENTS(x)];
    for (size_t i = 0; i < G_N_ELEMENTS(x); i++)
        x[i] = 0.25f * ((float)i - 12);
    struct tensor t = {NUMBER_fp32, {4, {2, 3, 2, 2}}, x};
    storage_to_nhwc(q, &t, (struct storage){NUMBER_int8, 0.25f});
    /* image 1, row 1, column 0, channel 2: 1 * 12 + 2 * 4 + 2 in NCHW */
    ck_assert_int_eq(q[1 * 12 + (1 * 2 + 0) * 3 + 2], 22 - 12);
    t.data = back;
    storage_from_nhwc(&t, q, (struct storage){NUMBER_int8, 0.25f});
    ck_assert_mem_eq(back, x, sizeof(x));
}
END_TEST

START_TEST(test_values_beyond_the_range_saturate_symmetrically)
{
    float x[] = {1000, -1000, 63.4f, -0.5f};
    int8_t q[4];
    const struct tensor t = {NUMBER_fp32, {2, {1, 4}}, x};
    storage_to_nhwc(q, &t, (struct storage){NUMBER_int8, 0.5f});
    const int8_t expected[] = {127, -127, 127, -1};
    ck_assert_mem_eq(q, expected, sizeof(q));
    ck_assert_float_eq(quant_max_abs(&t), 1000);
}
END_TEST

/* A machine that does everything, with room for everything. */
static struct machine_memory flat_memories[] = {
    {.name = "dram", .parent = -1, .size_bytes = 1 << 30, .bytes_per_cyc = 1},
    {.name = "buffer", .size_bytes = 1 << 20, .bytes_per_cyc = 1}};

static const struct machine flat_machine = {
    .name = "flat",
    .family = "flat",
    .clock_hz = 1e9,
    .memories = flat_memories,
    .n_memory = 2,
    .devices = {{.roles = {[ROLE_ACTIVATIONS] = 1}}},
    .n_device = 1,
    .peak_macs_per_cyc = {[NUMBER_int8] = 64},
    .precision = NUMBER_int8,
};

/* Rectifiers behind products and sums, maxima of windows behind convolutions. */
static bool supports_all(const void *self, const struct graph *g, const int *nodes, int n,
                         const struct target_formats *formats, GString *why)
{
    (void)self, (void)formats, (void)why;
    const struct traits *first = g->nodes[nodes[0]].traits, *last = g->nodes[nodes[n - 1]].traits;
    if (n == 1)
        return true;
    if (traits_rectifies(last))
        return traits_has_weights(first) || first->kind == TRAITS_ELEMENT;
    return traits_is_largest(last) && traits_convolves(first);
}

static struct cost cost_one(const void *self, const struct plan *p, const struct plan_layer *l,
                            bool follows)
{
    (void)self, (void)p, (void)l, (void)follows;
    return (struct cost){.cycles = 1, .end_cyc = 1};
}

static const struct target flat_target = {
    .machine = &flat_machine, .supports = supports_all, .cost = cost_one};

/* A network with its plan, seeded parameters and ranges of 1 + index / 8. */
struct fixture {
    struct graph *graph;
    struct plan *plan;
    struct values *values;
    struct quant *quant;
    int8_t *out[32]; /* by layer */
};

static bool keep(int i_layer, int i_value, const void *value, size_t n_byte, void *user,
                 GError **error)
{
    (void)i_value;
    (void)error;
    ((struct fixture *)user)->out[i_layer] = g_memdup2(value, n_byte);
    return true;
}

static struct fixture fixture_make(const char *text, const char *file)
{
    GError *error = NULL;
    struct fixture f = {0};
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    f.graph = net_read(file, 2, &error);
    g_unlink(file);
    ck_ok(f.graph != NULL, error);
    f.plan = plan_tiled(f.graph, &flat_target, &error);
    ck_ok(f.plan != NULL, error);
    f.values = values_new(f.graph);
    ck_ok(values_seed(f.values, 3, &error), error);
    g_autofree float *max_abs = g_new(float, (gsize)f.graph->n_value);
    for (int i = 0; i < f.graph->n_value; i++)
        max_abs[i] = 1 + (float)i / 8;
    f.quant = quant_new(f.plan, f.values, &(struct quant_ranges){.max_abs = max_abs}, &error);
    ck_ok(f.quant != NULL, error);
    ck_ok(twin_run(f.plan, f.quant, f.values->at, NULL, NULL, keep, &f, &error), error);
    return f;
}

static void fixture_clear(struct fixture *f)
{
    for (int i = 0; i < f->plan->n_layer; i++)
        g_free(f->out[i]);
    quant_free(f->quant);
    plan_free(f->plan);
    values_free(f->values);
    graph_free(f->graph);
}

static const struct plan_layer *layer_of(const struct fixture *f, const char *name)
{
    for (int i = 0; i < f->plan->n_layer; i++)
        if (!strcmp(f->plan->layers[i].name, name))
            return &f->plan->layers[i];
    ck_abort_msg("no layer '%s'", name);
}

static int8_t at(const int8_t *x, const struct dims *d, int64_t n, int64_t c, int64_t y, int64_t x0)
{
    return x[((n * d->h + y) * d->w + x0) * d->c + c];
}

/* round half up of a sum times mult / 2^shift, in floating point: 2^shift divides exactly. */
static int8_t scaled(long double sum, struct requant r, int lo)
{
    const long double y = floorl(sum * r.mult / exp2l(r.shift) + 0.5L);
    return (int8_t)(y < lo ? lo : y > 127 ? 127 : y);
}

/* One sum of a convolution (its own loop over NCHW indices, weights as the graph has them). */
static int8_t naive_conv(const struct fixture *f, const struct plan_layer *l, const int8_t *in,
                         int64_t n, int64_t c, int64_t oy, int64_t ox)
{
    const struct node *node = &f->graph->nodes[l->nodes[0]];
    const struct conv2d_attr *a = node->attr;
    const struct dims d = dims_of(&f->graph->values[l->in[0]].shape);
    const int64_t channels = d.c / a->groups, first = c / (a->channels / a->groups) * channels;
    const int64_t k = channels * a->kernel.v[0] * a->kernel.v[1];
    const float *w = (const float *)f->values->at[node->in[1]].data + c * k;
    float max = 0;
    for (int64_t i = 0; i < k; i++)
        max = MAX(max, fabsf(w[i]));
    const float inverse = 1 / (max / 127);
    long double sum = f->quant->layers[l->index].bias[c];
    for (int64_t i = 0; i < k; i++) {
        const int64_t r = i / a->kernel.v[1] % a->kernel.v[0], s = i % a->kernel.v[1];
        const int64_t y = oy * a->stride.v[0] + r * a->dilation.v[0] - a->pad.v[0];
        const int64_t x = ox * a->stride.v[1] + s * a->dilation.v[1] - a->pad.v[1];
        if (y >= 0 && y < d.h && x >= 0 && x < d.w)
            sum += (long double)rintf(w[i] * inverse) *
                   at(in, &d, n, first + i / (a->kernel.v[0] * a->kernel.v[1]), y, x);
    }
    return scaled(sum, f->quant->layers[l->index].requant[c],
                  plan_layer_cut(f->plan, l).at_zero ? 0 : -127);
}

static int8_t *quantised_input(const struct fixture *f)
{
    const int v = f->graph->inputs[0];
    int8_t *q = g_malloc((gsize)shape_count(&f->graph->values[v].shape));
    storage_to_nhwc(q, &f->values->at[v], quant_storage(f->plan, f->quant, v));
    return q;
}

#define INPUT "inputs = ( { name = \"x\"; shape = [4, 7, 6]; } );\nlayers = (\n"

START_TEST(test_twin_of_a_convolution_is_the_naive_sum)
{
    struct fixture f = fixture_make(
        INPUT "{ name = \"c\"; op = \"conv2d\"; channels = 6; kernel = [3, 2]; stride = [2, 1];"
              "  pad = [1, 0, 2, 1]; dilation = [1, 2]; groups = 2; },"
              "{ name = \"r\"; op = \"relu\"; } );",
        "twin-conv.net");
    const struct plan_layer *l = layer_of(&f, "c");
    ck_assert_str_eq(l->op, "conv2d+relu");
    const struct dims o = dims_of(&f.graph->values[l->out].shape);
    g_autofree int8_t *x = quantised_input(&f);
    for (int64_t i = 0; i < o.n * o.c * o.h * o.w; i++) {
        const int64_t n = i / (o.c * o.h * o.w), c = i / (o.h * o.w) % o.c;
        ck_assert_int_eq(at(f.out[l->index], &o, n, c, i / o.w % o.h, i % o.w),
                         naive_conv(&f, l, x, n, c, i / o.w % o.h, i % o.w));
    }
    fixture_clear(&f);
}
END_TEST

/* fc's weights are in the order channel, row, column of the image. */
START_TEST(test_twin_of_a_row_reads_an_image_by_channels)
{
    struct fixture f = fixture_make(INPUT "{ name = \"d\"; op = \"flatten\"; },"
                                          "{ name = \"f\"; op = \"fc\"; features = 5; } );",
                                    "twin-fc.net");
    const struct plan_layer *l = layer_of(&f, "f");
    const struct node *node = &f.graph->nodes[l->nodes[0]];
    const struct dims d = dims_of(&f.graph->values[l->in[0]].shape);
    g_autofree int8_t *x = quantised_input(&f);
    for (int64_t i = 0; i < 2 * 5; i++) {
        const int64_t n = i / 5, o = i % 5, k = d.c * d.h * d.w;
        const float *w = (const float *)f.values->at[node->in[1]].data + o * k;
        float max = 0;
        for (int64_t j = 0; j < k; j++)
            max = MAX(max, fabsf(w[j]));
        const float inverse = 1 / (max / 127);
        long double sum = f.quant->layers[l->index].bias[o];
        for (int64_t j = 0; j < k; j++)
            sum += (long double)rintf(w[j] * inverse) *
                   at(x, &d, n, j / (d.h * d.w), j / d.w % d.h, j % d.w);
        ck_assert_int_eq(f.out[l->index][i],
                         scaled(sum, f.quant->layers[l->index].requant[o], -127));
    }
    fixture_clear(&f);
}
END_TEST

START_TEST(test_twin_pools_what_lies_in_the_window)
{
    struct fixture f = fixture_make(
        INPUT "{ name = \"m\"; op = \"maxpool\"; kernel = 3; stride = 2; pad = 1; ceil = true; },"
              "{ name = \"a\"; op = \"avgpool\"; inputs = [\"x\"]; kernel = 3; stride = 2; pad = 1;"
              "  ceil = true; count_pad = true; } );",
        "twin-pool.net");
    const struct plan_layer *m = layer_of(&f, "m"), *a = layer_of(&f, "a");
    const struct dims d = dims_of(&f.graph->values[m->in[0]].shape);
    const struct dims o = dims_of(&f.graph->values[m->out].shape);
    g_autofree int8_t *x = quantised_input(&f);
    for (int64_t i = 0; i < o.n * o.c * o.h * o.w; i++) {
        const int64_t n = i / (o.c * o.h * o.w), c = i / (o.h * o.w) % o.c, oy = i / o.w % o.h;
        int max = -128, sum = 0, count = 0;
        for (int64_t y = 2 * oy - 1; y < 2 * oy + 2; y++) {
            for (int64_t z = 2 * (i % o.w) - 1; z < 2 * (i % o.w) + 2; z++) {
                count += y <= d.h && z <= d.w; /* one row and column of padding are there */
                if (y < 0 || y >= d.h || z < 0 || z >= d.w)
                    continue;
                max = MAX(max, at(x, &d, n, c, y, z));
                sum += at(x, &d, n, c, y, z);
            }
        }
        ck_assert_int_eq(at(f.out[m->index], &o, n, c, oy, i % o.w), max);
        ck_assert_int_eq(at(f.out[a->index], &o, n, c, oy, i % o.w),
                         scaled(sum, f.quant->layers[a->index].requant[count - 1], -127));
    }
    fixture_clear(&f);
}
END_TEST

START_TEST(test_twin_adds_before_it_rounds_and_joins_channels)
{
    struct fixture f =
        fixture_make(INPUT "{ name = \"c\"; op = \"conv2d\"; channels = 4; kernel = 1; },"
                           "{ name = \"s\"; op = \"add\"; inputs = [\"x\", \"c\"]; },"
                           "{ name = \"j\"; op = \"concat\"; inputs = [\"s\", \"x\"]; } );",
                     "twin-add.net");
    const struct plan_layer *s = layer_of(&f, "s"), *j = layer_of(&f, "j");
    const int8_t *c = f.out[layer_of(&f, "c")->index], *sum = f.out[s->index];
    const struct requant *rs = f.quant->layers[s->index].requant;
    const struct requant *rj = f.quant->layers[j->index].requant;
    g_autofree int8_t *x = quantised_input(&f);
    ck_assert_int_eq(rs[0].shift, rs[1].shift);
    for (int64_t i = 0; i < 2 * 7 * 6 * 4; i++) {
        const struct requant one = {1, rs[0].shift};
        const long double both = (long double)x[i] * rs[0].mult + (long double)c[i] * rs[1].mult;
        ck_assert_int_eq(sum[i], scaled(both, one, -127));
        const int8_t *pixel = f.out[j->index] + i / 4 * 8;
        ck_assert_int_eq(pixel[i % 4], scaled(sum[i], rj[0], -127));
        ck_assert_int_eq(pixel[4 + i % 4], scaled(x[i], rj[1], -127));
    }
    fixture_clear(&f);
}
END_TEST

/* Sums up to 3 * 127^2 in pieces of 128 are interpolated: with u = alpha / size * s^2 * sum, the
 * curvature of (1 + u)^-beta makes an error of beta * (beta + 1) * du^2 / 8 of the factor at most.
 * Here a piece is du = 128 / 127^2 wide: 1.03e-5; rounding to 24 bits adds 0.02e-5. */
START_TEST(test_lrn_factor_follows_the_power)
{
    struct fixture f = fixture_make(
        INPUT "{ name = \"n\"; op = \"lrn\"; size = 3; alpha = 3.0; beta = 0.75; k = 1.0; } );",
        "twin-lrn.net");
    const struct plan_layer *l = layer_of(&f, "n");
    const double s_in = f.quant->scale[l->in[0]], s_out = f.quant->scale[l->out];
    for (int64_t sum = 0; sum <= 3 * 127 * 127; sum += 7) {
        const double exact = s_in / s_out * pow(1 + s_in * s_in * (double)sum, -0.75);
        const double factor = ldexp((double)quant_lrn_factor(&f.quant->layers[l->index], sum),
                                    -f.quant->layers[l->index].lrn_bits);
        ck_assert_msg(fabs(factor / exact - 1) < 1.05e-5, "sum %" PRId64 ": %g, not %g", sum,
                      factor, exact);
    }
    fixture_clear(&f);
}
END_TEST

TEST_MAIN("quant", test_factors_become_31_bit_multipliers, test_halves_round_up,
          test_rounding_is_off_by_one_at_most, test_layout_turns_there_and_back,
          test_values_beyond_the_range_saturate_symmetrically,
          test_twin_of_a_convolution_is_the_naive_sum,
          test_twin_of_a_row_reads_an_image_by_channels, test_twin_pools_what_lies_in_the_window,
          test_twin_adds_before_it_rounds_and_joins_channels, test_lrn_factor_follows_the_power)
