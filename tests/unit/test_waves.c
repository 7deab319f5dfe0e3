/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model against the events where blocks are dealt to several arrays, and where steps
 * that follow one another are not alike (docs/systolic-analytic.md). */
#include <glib/gstdio.h>

#include "app/run/accsim.h"
#include "tests/unit/test.h"

/* 16 x 16 arrays at 1 GHz, so that 1 GB/s is a byte a cycle and 1 ns a cycle. */
#define ARRAYS                                                                                     \
    "clock_mhz=1000", "array.rows=16", "array.cols=16", "accumulators.entries=64",                 \
        "activation.values_per_cycle=0", "memory.weights.latency_ns=0",                            \
        "host.bandwidth_gb_s=1000", "mapper.search=heuristic"

static struct accsim_options options(const char *arch, const char *net, const char *const *set)
{
    struct accsim_options o = accsim_options_default();
    o.arch = arch;
    o.net = net;
    o.set = set;
    o.mode = ACCSIM_TIMING;
    return o;
}

static double cycles(struct accsim_options *o, enum accsim_fidelity fidelity)
{
    GError *error = NULL;
    o->fidelity = fidelity;
    struct accsim *a = accsim_new(o, &error);
    ck_ok(a != NULL, error);
    ck_ok(accsim_run(a, &error), error);
    const double total = (double)accsim_record(a)->total_cyc;
    accsim_free(a);
    return total;
}

/* Both fidelities, `off` of each other at most; returns the events'. */
static double agree(const char *arch, const char *net, double off, const char *const *set)
{
    struct accsim_options o = options(arch, net, set);
    const double event = cycles(&o, ACCSIM_EVENT), analytic = cycles(&o, ACCSIM_ANALYTIC);
    ck_assert_msg(analytic >= (1 - off) * event && analytic <= (1 + off) * event,
                  "%s on %s: %g, by the events %g", net, arch, analytic, event);
    return event;
}

/* Five tiles of columns, 100 tiles of K each. A read takes 8 cycles, a shift 16: four arrays wait
 * for the memory, 32 cycles a tile, and then one for its shifts. */
START_TEST(test_each_wave_reads_what_its_blocks_need)
{
    const char *const set[] = {ARRAYS, "array.count=4", "memory.weights.bandwidth_gb_s=32", NULL};
    const double event = agree("tpu", "gemm:1x80x1600", 0.01, set);
    ck_assert_double_ge(event, 100 * 32 + 100 * 16);
    ck_assert_double_le(event, 100 * 32 + 100 * 16 + 200);
}
END_TEST

/* Two tiles of columns on two arrays with a slot each: an array asks for a tile when the one before
 * is shifted in, 16 cycles, and has it 64 + 100 later; the other one's read goes on meanwhile. */
START_TEST(test_arrays_that_wait_for_their_slots_take_turns_at_the_bus)
{
    const char *const set[] = {ARRAYS,
                               "array.count=2",
                               "weight_fifo.tiles=1",
                               "memory.weights.bandwidth_gb_s=4",
                               "memory.weights.latency_ns=100",
                               NULL};
    const double event = agree("tpu", "gemm:1x32x1600", 0.02, set);
    ck_assert_double_ge(event, 100 * (64 + 100 + 16)); /* where each waited for both: 244 */
    ck_assert_double_le(event, 100 * (64 + 100 + 16) + 400);
}
END_TEST

START_TEST(test_ports_are_as_busy_as_all_arrays_make_them)
{
    static const char *const ports[] = {"memory.unified_buffer.ports=1",
                                        "memory.unified_buffer.ports=2",
                                        "memory.unified_buffer.ports=3"};
    static const char *const flows[] = {"array.dataflow=ws", "array.dataflow=os",
                                        "array.dataflow=is"};
    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(flows); j++) {
            const char *const set[] = {
                ARRAYS,   "array.count=4", "memory.weights.bandwidth_gb_s=256",
                ports[i], flows[j],        NULL};
            agree("tpu", "gemm:256x256x256", 0.03, set);
        }
}
END_TEST

/* Columns in blocks of three, which do not divide a tile's 16: a tile is read for the blocks that
 * begin in it, not for the first alone. */
START_TEST(test_blocks_that_begin_elsewhere_in_a_tile_are_not_alike)
{
    static const char *const counts[] = {"array.count=1", "array.count=2", "array.count=3"};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        const char *const set[] = {ARRAYS,
                                   counts[i],
                                   "array.dataflow=is",
                                   "accumulators.entries=3",
                                   "memory.weights.bandwidth_gb_s=0.1",
                                   NULL};
        agree("tpu", "gemm:54x60x4", 0.02, set);
    }
}
END_TEST

/* Columns in blocks that do not divide a tile: where the first array has its tile, another one's
 * block may lie across two, which a slow memory reads. */
START_TEST(test_arrays_that_wait_for_tiles_hold_up_the_layer)
{
    const char *const set[] = {ARRAYS,
                               "array.count=4",
                               "array.dataflow=is",
                               "accumulators.entries=3",
                               "memory.weights.bandwidth_gb_s=0.5",
                               NULL};
    agree("tpu", "gemm:3x18x10", 0.02, set);
}
END_TEST

/* Four blocks of 32 rows and one of two, twice, on four arrays: the first array gets both large
 * ones and a small one, the second one two large ones. Where they share reads they wait for one
 * another in each of three waves. */
START_TEST(test_a_smaller_block_does_not_make_a_wave_shorter)
{
    static const char *const broadcast[] = {"array.broadcast=false", "array.broadcast=true"};
    const char *file = "waves.map", *net = "gemm:130x32x1600";
    g_assert_true(g_file_set_contents(
        file,
        "layers = ( { name = \"gemm\"; block_rows = 32; order = \"nm\"; halves = true; "
        "parts = 1; chunk_images = 130; } );\ngroups = ( );\nvalues = ( "
        "{ name = \"a\"; home = \"chip\"; }, { name = \"gemm\"; home = \"chip\"; } );\n",
        -1, NULL));
    for (int i = 0; i < 2; i++) {
        const char *const set[] = {ARRAYS, "array.count=4", "memory.weights.bandwidth_gb_s=256",
                                   broadcast[i], NULL};
        struct accsim_options o = options("tpu", net, set);
        o.mapping = file;
        const double event = cycles(&o, ACCSIM_EVENT), analytic = cycles(&o, ACCSIM_ANALYTIC);
        ck_assert_double_ge(event, (2 + i) * 32 * 100);
        ck_assert_double_eq_tol(analytic, event, 0.02 * event);
    }
    g_unlink(file);
}
END_TEST

/* Three groups' tiles with a slot of the FIFO: each is there in time, since those that stay for
 * many blocks are not waited for. */
START_TEST(test_a_tile_that_is_used_again_takes_no_slot)
{
    const char *const set[] = {ARRAYS,
                               "accumulators.entries=2",
                               "weight_fifo.tiles=1",
                               "memory.weights.latency_ns=200",
                               "memory.weights.bandwidth_gb_s=256",
                               NULL};
    agree("tpu", "conv:1x24x8x8x24,1x1,1,0,3", 0.02, set);
}
END_TEST

/* Passes of a cycle or two, of each three instructions: the controller cannot run ahead of them. */
START_TEST(test_the_controller_is_held_up_from_layer_to_layer)
{
    static const char *const counts[] = {"array.count=1", "array.count=3"};
    const char *file = "waves-chain.net";
    GString *net = g_string_new("inputs = ( { name = \"x\"; shape = [16]; } );\nlayers = (\n"
                                "{ name = \"l0\"; op = \"fc\"; features = 16; }");
    for (int i = 1; i < 60; i++)
        g_string_append_printf(net, ",\n{ name = \"l%d\"; op = \"%s\"; }", i,
                               i % 2 ? "tanh" : "sigmoid");
    g_string_append(net, " );\n");
    g_assert_true(g_file_set_contents(file, net->str, -1, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        const char *const set[] = {ARRAYS,
                                   counts[i],
                                   "activation.functions=all",
                                   "memory.weights.bandwidth_gb_s=256",
                                   "controller.queue_depth=3",
                                   NULL};
        agree("tpu", file, 0.05, set);
    }
    g_unlink(file);
    g_string_free(net, TRUE);
}
END_TEST

/* Two layers on the host read what one on the machine has made: it is stored once, and a layer on
 * the machine that needs neither does not wait. */
START_TEST(test_the_host_takes_a_value_once)
{
    const char *const set[] = {ARRAYS, "host.bandwidth_gb_s=0.1", "activation.functions=mul", NULL};
    const char *file = "waves-host.net";
    g_assert_true(g_file_set_contents(
        file,
        "inputs = ( { name = \"x\"; shape = [16, 8, 8]; } );\nlayers = (\n"
        "{ name = \"a\"; op = \"conv2d\"; channels = 16; kernel = 1; },\n"
        "{ name = \"b\"; op = \"softmax\"; },\n"
        "{ name = \"c\"; op = \"sub\"; inputs = [\"a\", \"a\"]; },\n"
        "{ name = \"d\"; op = \"conv2d\"; inputs = [\"a\"]; channels = 16; kernel = 1; } );\n",
        -1, NULL));
    agree("tpu", file, 0.01, set);
    g_unlink(file);
}
END_TEST

START_TEST(test_networks_on_shipped_machines_of_several_arrays)
{
    static const char *const archs[] = {"tpu-v3", "nnp-t1000", "lakecrest"};
    static const char *const nets[] = {"lstm",     "gru",     "gpt2-small-decode",
                                       "resnet50", "alexnet", "mlp-mnist"};
    for (size_t i = 0; i < G_N_ELEMENTS(archs); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(nets); j++)
            agree(archs[i], nets[j], 0.02, (const char *[]){NULL});
}
END_TEST

TEST_MAIN("waves", test_each_wave_reads_what_its_blocks_need,
          test_arrays_that_wait_for_their_slots_take_turns_at_the_bus,
          test_ports_are_as_busy_as_all_arrays_make_them,
          test_blocks_that_begin_elsewhere_in_a_tile_are_not_alike,
          test_arrays_that_wait_for_tiles_hold_up_the_layer,
          test_a_smaller_block_does_not_make_a_wave_shorter,
          test_a_tile_that_is_used_again_takes_no_slot,
          test_the_controller_is_held_up_from_layer_to_layer, test_the_host_takes_a_value_once,
          test_networks_on_shipped_machines_of_several_arrays)
