/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>

#include "app/run/internal.h"
#include "arch/systolic/systolic_choice.h"
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_rules.h"
#include "arch/systolic/systolic_sim.h"
#include "sim/base/error.h"
#include "tests/unit/program.h"
#include "tests/unit/random_net.h"
#include "tests/unit/rerun.h"
#include "tests/unit/test.h"
#include "tests/unit/tpu.h"

/* One image of 8 x 1 pixels, 16 channels in and out: one tile, 8 rows. */
#define SINGLE "conv:1x16x8x1x16,1x1,1,0"

/* A 16 x 16 array at 1 GHz, so that 1 GB/s is a byte a cycle and 1 ns a cycle. */
static const char *const base_set[] = {"clock_mhz=1000",
                                       "array.rows=16",
                                       "array.cols=16",
                                       "accumulators.entries=64",
                                       "memory.weights.bandwidth_gb_s=2",
                                       "memory.weights.latency_ns=0",
                                       "host.bandwidth_gb_s=1",
                                       "mapper.search=heuristic",
                                       NULL};

static struct accsim *load(const char *net, enum accsim_mode mode, const char *const *more)
{
    GError *error = NULL;
    struct accsim *a = tpu_new(net, mode, base_set, more, &error);
    ck_ok(a != NULL, error);
    return a;
}

static struct accsim *timed(const char *net, const char *const *more)
{
    return tpu_run(net, ACCSIM_TIMING, base_set, more);
}

static uint64_t total(const char *net, const char *const *more)
{
    return tpu_cycles(net, base_set, more);
}

START_TEST(test_core_rules)
{
    ck_assert_uint_eq(systolic_shift_start(100, 90), 100);
    ck_assert_uint_eq(systolic_shift_start(100, 110), 110);
    struct accsim *a = load(SINGLE, ACCSIM_TIMING, NULL);
    const struct systolic *s = a->machine->self;
    struct systolic rated = {.cfg = {.cols = 256}, .native = NUMBER_int8};
    enum number formats[] = {NUMBER_int8, NUMBER_int16};
    const struct plan plan = {.formats = formats};
    struct plan_layer layer = {.in = {0, 0}};
    ck_assert_uint_eq(systolic_activate_cyc(&rated, &plan, &layer, 7),
                      7); /* a row a cycle, where nothing is said */
    rated.cfg.activation_values = 100;
    ck_assert_uint_eq(systolic_activate_cyc(&rated, &plan, &layer, 7), 18); /* 1792 values */
    rated.cfg.activation_values = 1000;
    ck_assert_uint_eq(systolic_activate_cyc(&rated, &plan, &layer, 7), 7);
    layer.added = 1; /* comes over the path that results leave by */
    ck_assert_uint_eq(systolic_activate_cyc(&rated, &plan, &layer, 7), 14);
    layer.in[1] = 1; /* in two halves */
    ck_assert_uint_eq(systolic_activate_cyc(&rated, &plan, &layer, 7), 21);
    ck_assert_uint_eq(systolic_row_cyc(s, NUMBER_int8, NUMBER_int8), 1);
    ck_assert_uint_eq(systolic_row_cyc(s, NUMBER_int16, NUMBER_int8), 2);
    ck_assert_uint_eq(systolic_row_cyc(s, NUMBER_int16, NUMBER_int16), 4);
    const struct plan_layer narrow = {.weight_format = NUMBER_int8};
    const struct plan_layer wide = {.weight_format = NUMBER_int16};
    ck_assert_uint_eq(systolic_tile_bytes(s, &narrow), 16 * 16);
    ck_assert_uint_eq(systolic_tile_bytes(s, &wide), 2 * 16 * 16);
    ck_assert_uint_eq(systolic_shift_cyc(s, a->plan, &narrow, 16), 16);
    ck_assert_uint_eq(systolic_shift_cyc(s, a->plan, &wide, 16), 32);
    ck_assert_uint_eq(systolic_shift_cyc(s, a->plan, &wide, 3), 6);
    ck_assert_uint_eq(systolic_latency_cyc(FLOW_WS, 16, 16), 16 + 16 - 1);
    accsim_free(a);
}
END_TEST

/* Trimmed, 2 groups of 20 x 40 values: tiles of 16 and 8 columns, of 16 and 4 rows. */
START_TEST(test_trimmed_tiles_lie_without_gaps)
{
    static const char *const trimmed[] = {"array.edge=trimmed", NULL};
    struct accsim *full = load(SINGLE, ACCSIM_TIMING, NULL);
    struct accsim *a = load(SINGLE, ACCSIM_TIMING, trimmed);
    const struct systolic *s = a->machine->self;
    const struct plan_layer l = {.gemm = {.k = 20, .n = 40, .groups = 2},
                                 .weight_address = 1000,
                                 .weight_format = NUMBER_int8};
    ck_assert_uint_eq(systolic_tile_address(s, &l, 0, 0, 0), 1000);
    ck_assert_uint_eq(systolic_tile_address(s, &l, 0, 0, 1), 1000 + 16 * 16);
    ck_assert_uint_eq(systolic_tile_address(s, &l, 0, 1, 0), 1000 + 20 * 16);
    ck_assert_uint_eq(systolic_tile_address(s, &l, 0, 2, 1), 1000 + 20 * 32 + 16 * 8);
    ck_assert_uint_eq(systolic_tile_address(s, &l, 1, 0, 0), 1000 + 20 * 40);
    ck_assert_int_eq(systolic_tile_pitch(s, &l, 1), 16);
    ck_assert_int_eq(systolic_tile_pitch(s, &l, 2), 8);
    s = full->machine->self;
    ck_assert_uint_eq(systolic_tile_address(s, &l, 1, 2, 1), 1000 + (6 + 2 * 2 + 1) * 256);
    ck_assert_int_eq(systolic_tile_pitch(s, &l, 2), 16);
    accsim_free(full);
    accsim_free(a);
}
END_TEST

/* A block of one burst over the link: when it has arrived. */
static uint64_t copy(struct systolic_core *c, uint64_t bytes, uint64_t now_cyc)
{
    const struct dram_request block = {.bytes = bytes};
    uint64_t at_cyc;
    dma_begin(&c->dma, &c->host_ports, &block, now_cyc);
    ck_assert(dma_arrival(&c->dma, now_cyc, &at_cyc));
    return at_cyc;
}

static uint64_t read_tile(struct systolic_core *c, const struct plan_layer *l, uint64_t now_cyc)
{
    const struct dram_request tile = {.bytes = 50};
    struct arbiter *ports = systolic_weight_ports(c, l);
    const uint64_t number = arbiter_ask(ports, &tile, now_cyc);
    uint64_t at_cyc;
    while (!arbiter_arrival(ports, number, now_cyc, &at_cyc))
        now_cyc = at_cyc;
    return at_cyc;
}

/* A byte a cycle, whoever asked first. */
START_TEST(test_streamed_weights_take_their_turn_on_the_link)
{
    struct accsim *a = load(SINGLE, ACCSIM_TIMING, NULL);
    struct systolic_core c;
    systolic_core_init(&c, a->machine->self);
    const struct plan_layer stays = {0}, streamed = {.streamed = true};
    ck_assert_uint_eq(copy(&c, 100, 0), 100);
    ck_assert_uint_eq(read_tile(&c, &stays, 10), 35);
    ck_assert_uint_eq(read_tile(&c, &streamed, 10), 150);
    ck_assert_uint_eq(copy(&c, 7, 149), 157);
    ck_assert_uint_eq(read_tile(&c, &streamed, 158), 208);
    ck_assert_uint_eq(c.memory.read_bytes, 50);
    ck_assert_uint_eq(c.host.sent_bytes, 207);
    systolic_core_clear(&c);
    accsim_free(a);
}
END_TEST

/* Five tiles of 256 bytes, more than the 1 KiB of weight memory, come behind the 128 bytes of
 * input, a byte a cycle: the last one at 128 + 5 x 256. 16 to shift it in, 8 rows, 31 until the
 * sums are there, 8 to activate; 8 x 80 bytes of output. */
START_TEST(test_a_streamed_layer_takes_what_the_rules_say)
{
    static const char *const stream[] = {"memory.weights.size_kib=1",
                                         "memory.weights.overflow=stream", NULL};
    ck_assert_uint_eq(total("gemm:8x80x16", stream), 128 + 5 * 256 + 16 + 8 + 31 + 8 + 640);
}
END_TEST

/* One instruction is issued a cycle: Read_Host_Memory (0), its Sync set (1), the array's Sync wait
 * (2), Read_Weights (3). So the tile of 256 bytes arrives at 3 + 128 + latency and is shifted in 16
 * cycles later; the inputs, 8 x 16 bytes, arrive at 128. The later of the two starts the product of
 * 8 rows; 32 cycles after its end the last sums are there; Activate takes 8, and the result of 128
 * bytes 128. */
START_TEST(test_a_single_tile_takes_what_the_rules_say)
{
    const struct {
        const char *latency, *host;
        uint64_t tile, input, output;
    } rows[] = {
        {"0", "1", 147, 128, 128},
        {"10", "1", 157, 128, 128},
        {"1000", "1", 1147, 128, 128},
        {"0", "0.8", 147, 160, 160},
        {"12", "0.8", 159, 160, 160} /* one cycle early */,
        {"13", "0.8", 160, 160, 160} /* on time */,
        {"14", "0.8", 161, 160, 160} /* one late */,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *latency = g_strdup_printf("memory.weights.latency_ns=%s", rows[i].latency);
        g_autofree char *host = g_strdup_printf("host.bandwidth_gb_s=%s", rows[i].host);
        struct accsim *a = timed(SINGLE, (const char *[]){latency, host, NULL});
        const struct record_layer *l = &accsim_record(a)->layers[0];
        const uint64_t start = MAX(rows[i].tile, rows[i].input);
        ck_assert_uint_eq(accsim_record(a)->total_cyc, start + 8 + 31 + 8 + rows[i].output);
        /* What the array waits for its tile beyond the inputs, the shift last. */
        const uint64_t waited = start - rows[i].input;
        ck_assert_uint_eq(l->stall_cyc[CAUSE_WEIGHT_SHIFT], MIN(waited, 16));
        ck_assert_uint_eq(l->stall_cyc[CAUSE_WEIGHT_STALL], waited - MIN(waited, 16));
        ck_assert_uint_eq(l->stall_cyc[CAUSE_INPUT], rows[i].input);
        accsim_free(a);
    }
}
END_TEST

/* Tiles and inputs are there at once: a tile every cycle from cycle 4 on. */
#define FAST "memory.weights.bandwidth_gb_s=256", "host.bandwidth_gb_s=1000"

#define HEURISTIC "mapper.search=heuristic"

/* Two tiles in k. The second is shifted in while the array computes with the first, or after. The
 * heuristic drains a block in two pieces or four, of four rows at least: the last one shows. */
START_TEST(test_shadow_registers_hide_the_shift)
{
    const uint64_t latency = 16 + 16 - 1, rest = latency + 8 / 2 + 1, first = 4 + 16;
    ck_assert_uint_eq(total("conv:1x32x8x1x16,1x1,1,0", (const char *[]){FAST, HEURISTIC, NULL}),
                      first + 16 + 8 + rest);
    ck_assert_uint_eq(total("conv:1x32x8x1x16,1x1,1,0",
                            (const char *[]){FAST, HEURISTIC, "array.double_buffer=false", NULL}),
                      first + 8 + 16 + 8 + rest);
    /* 24 rows are longer than a shift: the second tile is there when the first product ends. */
    ck_assert_uint_eq(total("conv:1x32x24x1x16,1x1,1,0", (const char *[]){FAST, HEURISTIC, NULL}),
                      first + 24 + 24 + latency + 24 / 4 + 1);
}
END_TEST

/* Blocks of 8 rows share a tile: without shadow registers it must stay until the third has used it,
 * so that both tiles' shifts show in full. */
START_TEST(test_a_tile_stays_until_its_last_use)
{
    struct accsim *a =
        timed("conv:1x16x24x1x32,1x1,1,0",
              (const char *[]){FAST, "array.double_buffer=false", "accumulators.entries=16", NULL});
    ck_assert_int_eq(systolic_choice(&a->plan->layers[0])->block_m, 8);
    /* The array is there a cycle after the first shift begins: the instruction that reads the
     * second tile is issued before its own. */
    ck_assert_uint_eq(accsim_record(a)->layers[0].stall_cyc[CAUSE_WEIGHT_SHIFT], 15 + 16);
    const int weights = machine_index(&a->machine->machine, ROLE_WEIGHTS);
    ck_assert_uint_eq(accsim_record(a)->layers[0].bytes[weights].read, 2 * 256);
    accsim_free(a);
}
END_TEST

START_TEST(test_an_ideal_memory_costs_nothing)
{
    const char *const nets[] = {SINGLE, "gemm:3x200x300", "conv:1x8x12x12x20,3x3,1,1"};
    const char *const ideal[] = {"memory.weights.model=ideal", NULL};
    const char *const slow[] = {ideal[0], "memory.weights.bandwidth_gb_s=0.01",
                                "memory.weights.latency_ns=900", NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(nets); i++) {
        ck_assert_uint_le(total(nets[i], ideal), total(nets[i], NULL));
        ck_assert_uint_eq(total(nets[i], ideal), total(nets[i], slow));
    }
}
END_TEST

static struct accsim *load_text(const char *text, enum accsim_mode mode, const char *const *more)
{
    g_autofree char *file = g_strdup_printf("systolic-%08x.net", g_str_hash(text));
    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    struct accsim *a = load(file, mode, more);
    g_unlink(file);
    return a;
}

/* Layer b computes while a's output, 64 bytes, is still on its way: 6400 cycles at 0.01 bytes a
 * cycle. The time is b's from where b begins to compute. */
START_TEST(test_a_store_may_outlast_the_share_of_its_layer)
{
    const char *net = "inputs = ( { name = \"x\"; shape = [4, 4, 4]; } );\nlayers = (\n"
                      "{ name = \"a\"; op = \"conv2d\"; channels = 4; kernel = 1; },\n"
                      "{ name = \"b\"; op = \"conv2d\"; channels = 4; kernel = 1; } );\n"
                      "outputs = [\"a\", \"b\"];";
    GError *error = NULL;
    struct accsim *a =
        load_text(net, ACCSIM_TIMING, (const char *[]){"host.bandwidth_gb_s=0.01", NULL});
    ck_ok(accsim_run(a, &error), error);
    const struct record *r = accsim_record(a);
    ck_assert_int_eq(r->n_layer, 2);
    ck_assert_uint_ge(r->layers[0].end_cycle, 2 * 6400);
    ck_assert_uint_lt(r->layers[0].cycles, 6400 + 300); /* its load and what it computes */
    ck_assert_uint_lt(r->layers[1].start_cycle, r->layers[0].end_cycle);
    ck_assert_uint_eq(r->layers[0].cycles + r->layers[1].cycles, r->total_cyc);
    accsim_free(a);
}
END_TEST

/* A network of its own for each seed. */
static struct accsim *random_loaded(guint32 seed, enum accsim_mode mode, const char *const *more)
{
    GRand *rand = g_rand_new_with_seed(seed);
    g_autofree char *text = random_net_text(rand, 6, false, false);
    g_rand_free(rand);
    return load_text(text, mode, more);
}

static uint64_t random_total(guint32 seed, const char *setting)
{
    GError *error = NULL;
    struct accsim *a = random_loaded(
        seed, ACCSIM_TIMING, (const char *[]){"memory.unified_buffer.size_kib=6", setting, NULL});
    ck_ok(accsim_run(a, &error), error);
    const uint64_t cycles = accsim_record(a)->total_cyc;
    accsim_free(a);
    return cycles;
}

/* The heuristic asks no cost, so the plan stays the same. */
START_TEST(test_twice_a_bandwidth_never_slows)
{
    for (guint32 seed = 0; seed < 40; seed++) {
        const uint64_t before = random_total(seed, NULL);
        ck_assert_uint_le(random_total(seed, "memory.weights.bandwidth_gb_s=4"), before);
        ck_assert_uint_le(random_total(seed, "host.bandwidth_gb_s=2"), before);
    }
}
END_TEST

static struct accsim *with_values(guint32 seed)
{
    GError *error = NULL;
    struct accsim *a = random_loaded(seed, ACCSIM_FUNCTIONAL,
                                     (const char *[]){"memory.unified_buffer.size_kib=4", NULL});
    ck_ok(accsim_run(a, &error), error);
    ck_assert(accsim_record(a)->check.exact);
    return a;
}

START_TEST(test_replay_gives_the_values_of_the_events)
{
    for (guint32 seed = 100; seed < 130; seed++) {
        GError *error = NULL;
        struct accsim *a = with_values(seed);
        GByteArray *expected = outputs(a);
        forget_outputs(a);
        ck_ok(systolic_replay(a->run, 0, &error), error);
        GByteArray *replayed = outputs(a);
        ck_assert_msg(equal(expected, replayed), "seed %u", seed);
        g_byte_array_unref(replayed);
        g_byte_array_unref(expected);
        accsim_free(a);
    }
}
END_TEST

/* Index of the n-th instruction of this kind at a unit; -1: there are fewer. */
static int find_insn(const GArray *insns, enum opcode op, enum unit unit, int n)
{
    for (guint i = 0; i < insns->len; i++) {
        const struct insn *in = &g_array_index(insns, struct insn, i);
        if (in->op == op && in->unit == unit && n-- == 0)
            return (int)i;
    }
    return -1;
}

START_TEST(test_a_sync_that_is_never_set_is_told)
{
    static const struct {
        enum unit unit;
        const char *waits, *on;
    } rows[] = {
        {UNIT_MATRIX, "activation_unit", "matrix_unit.sync_set"},
        {UNIT_HOST, "matrix_unit", "host_dma.sync_set"},
        {UNIT_ACTIVATION, "host_dma", "activation_unit.sync_set"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        struct accsim *a = load(SINGLE, ACCSIM_TIMING, NULL);
        g_autoptr(GArray) insns = program_insns(a);
        const int at = find_insn(insns, INSN_SYNC_SET, rows[i].unit, 0);
        ck_assert_int_ge(at, 0);
        program_without(a, insns, at);
        const bool ok = accsim_run(a, &error);
        ck_assert_msg(!ok, "no deadlock");
        ck_assert_msg(strstr(error->message, rows[i].waits) && strstr(error->message, rows[i].on) &&
                          strstr(error->message, "layer 'conv'"),
                      "%s", error->message);
        ck_error(ok, error, ERROR_BUG, "deadlock at cycle");
        accsim_free(a);
    }
}
END_TEST

/* Each wait of a program in turn is left out. Not every one can be missed: where times allow, what
 * is waited for has long happened. */
START_TEST(test_a_missed_barrier_shows_as_a_wrong_value)
{
    static const struct {
        enum unit unit, on;
    } kinds[] = {
        {UNIT_MATRIX, UNIT_HOST}, {UNIT_ACTIVATION, UNIT_MATRIX}, {UNIT_HOST, UNIT_ACTIVATION}};
    struct accsim *a = load("conv:1x40x8x1x40,1x1,1,0", ACCSIM_FUNCTIONAL, NULL);
    GError *error = NULL;
    ck_ok(accsim_run(a, &error), error);
    GByteArray *expected = outputs(a);
    g_autoptr(GArray) insns = program_insns(a);
    for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
        int i = 0, at, n_wrong = 0;
        while ((at = find_insn(insns, INSN_SYNC_WAIT, kinds[k].unit, i++)) >= 0) {
            if (g_array_index(insns, struct insn, at).on != kinds[k].on)
                continue;
            program_without(a, insns, at);
            GByteArray *values = values_again(a);
            n_wrong += !equal(values, expected);
            g_byte_array_unref(values);
        }
        ck_assert_msg(n_wrong > 0, "unit %d does not need its waits on %d", kinds[k].unit,
                      kinds[k].on);
    }
    program_without(a, insns, -1);
    GByteArray *values = values_again(a);
    ck_assert(equal(values, expected)); /* with all of them back */
    g_byte_array_unref(values);
    g_byte_array_unref(expected);
    accsim_free(a);
}
END_TEST

START_TEST(test_a_wrong_address_shows_as_a_wrong_value)
{
    struct accsim *a = with_values(5);
    GByteArray *expected = outputs(a);
    int n_compute = 0;
    for (int i = 0; i < a->plan->n_step; i++) {
        struct plan_step *s = &a->plan->steps[i];
        if (s->kind != STEP_COMPUTE)
            continue;
        s->in_address[0] += 16; /* a row of this array further */
        GByteArray *values = values_again(a);
        ck_assert_msg(!equal(values, expected), "step %d reads the same from elsewhere", i);
        g_byte_array_unref(values);
        s->in_address[0] -= 16;
        n_compute++;
    }
    ck_assert_int_gt(n_compute, 3);
    g_byte_array_unref(expected);
    accsim_free(a);
}
END_TEST

TEST_MAIN("systolic", test_core_rules, test_trimmed_tiles_lie_without_gaps,
          test_streamed_weights_take_their_turn_on_the_link,
          test_a_streamed_layer_takes_what_the_rules_say,
          test_a_single_tile_takes_what_the_rules_say, test_shadow_registers_hide_the_shift,
          test_a_tile_stays_until_its_last_use, test_a_store_may_outlast_the_share_of_its_layer,
          test_an_ideal_memory_costs_nothing, test_twice_a_bandwidth_never_slows,
          test_replay_gives_the_values_of_the_events, test_a_sync_that_is_never_set_is_told,
          test_a_missed_barrier_shows_as_a_wrong_value, test_a_wrong_address_shows_as_a_wrong_value)
