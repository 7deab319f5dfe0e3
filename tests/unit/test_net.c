/* SPDX-License-Identifier: Apache-2.0 */
#include <glib/gstdio.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/net.h"

#define NETS SOURCE_DIR "/workloads/nets"

static const char *const net_dirs[] = {NETS, NULL};

/* Reads `text` as a file x.net in the present directory. */
static struct graph *read_text(const char *text, GError **error)
{
    g_assert_true(g_file_set_contents("x.net", text, -1, NULL));
    struct graph *g = net_read("x.net", 1, error);
    g_unlink("x.net");
    return g;
}

#define DATA "inputs = ( { name = \"data\"; shape = [4, 8, 8]; } );\n"

/* `layers` stand from line 3 on. */
static void ck_layers_error(const char *layers, const char *text)
{
    GError *error = NULL;
    char *net = g_strdup_printf(DATA "layers = (\n%s\n);\n", layers);
    ck_error(read_text(net, &error), error, ERROR_INPUT, text);
    g_free(net);
}

static struct graph *read_layers(const char *layers)
{
    GError *error = NULL;
    char *net = g_strdup_printf(DATA "layers = (\n%s\n);\n", layers);
    struct graph *g = read_text(net, &error);
    ck_ok(g != NULL, error);
    g_free(net);
    return g;
}

static void ck_shape(const struct graph *g, const char *value, const char *expected)
{
    struct arena *a = arena_new();
    const struct value *v = graph_find_value(g, value);
    ck_assert_ptr_nonnull(v);
    ck_assert_str_eq(shape_text(&v->shape, 0, a), expected);
    arena_free(a);
}

START_TEST(test_alexnet_has_the_published_size)
{
    GError *error = NULL;
    struct graph *g = net_load("alexnet", net_dirs, &(struct net_options){.batch = 1}, &error);
    ck_ok(g != NULL, error);
    ck_assert_str_eq(g->name, "alexnet");
    ck_assert_str_eq(g->file, NETS "/alexnet.net");
    ck_assert_uint_eq(graph_macs(g), 724406816);
    ck_assert_uint_eq(graph_parameters(g), 60965224);
    ck_shape(g, "conv1", "1x96x55x55");
    ck_shape(g, "conv1.weight", "96x3x11x11");
    ck_shape(g, "conv2.weight", "256x48x5x5");
    ck_shape(g, "pool5", "1x256x6x6");
    ck_shape(g, "prob", "1x1000");
    ck_assert_int_eq(g->n_output, 1);
    graph_free(g);
    g = net_load(NETS "/alexnet.net", NULL, &(struct net_options){.batch = 16}, &error);
    ck_ok(g != NULL, error);
    ck_assert_uint_eq(graph_macs(g), UINT64_C(16) * 724406816);
    graph_free(g);
}
END_TEST

START_TEST(test_layers_follow_each_other_unless_they_name_inputs)
{
    struct graph *g = read_layers(
        "{ name = \"sum\"; op = \"add\"; inputs = [\"right\", \"left\"]; },\n"
        "{ name = \"left\"; op = \"conv2d\"; inputs = \"data\"; channels = 4; kernel = 1; },\n"
        "{ op = \"relu\"; },\n"
        "{ name = \"right\"; op = \"conv2d\"; channels = 4; kernel = [3, 1]; pad = [1, 0];\n"
        "  precision = \"int8\"; bias = false; }");
    ck_assert_int_eq(g->n_node, 4);
    ck_assert_str_eq(g->nodes[0].name, "left");
    ck_assert_str_eq(g->nodes[1].name, "relu2");
    ck_assert_str_eq(g->nodes[2].name, "right");
    ck_assert_str_eq(g->nodes[3].name, "sum");
    ck_assert_str_eq(g->nodes[2].origin, "x.net:6");
    ck_assert_int_eq(g->nodes[2].precision, NUMBER_int8);
    ck_assert_int_eq(g->nodes[0].precision, -1);
    ck_assert_str_eq(g->values[g->nodes[1].in[0]].name, "left");
    ck_assert_str_eq(g->values[g->nodes[3].in[0]].name, "right");
    ck_shape(g, "right.weight", "4x4x3x1");
    ck_assert_ptr_null(graph_find_value(g, "right.bias"));
    ck_shape(g, "sum", "1x4x8x8");
    graph_free(g);
}
END_TEST

START_TEST(test_names_and_outputs_of_a_file)
{
    GError *error = NULL;
    struct graph *g = read_text("layers = ( { op = \"relu\"; }, { op = \"relu\"; } );\n" DATA
                                "outputs = [\"relu0\", \"relu1\"]; source = \"here\";\n",
                                &error);
    ck_ok(g != NULL, error);
    ck_assert_str_eq(g->name, "x");
    ck_assert_str_eq(g->source, "here");
    ck_assert_int_eq(g->n_output, 2);
    graph_free(g);
    ck_error(read_text(DATA "layers = ( { op = \"relu\"; } ); outputs = [\"relu1\"];", &error),
             error, ERROR_INPUT, "x.net: output 'relu1' is no layer, did you mean 'relu0'?");
    ck_error(read_text(DATA "layers = ( { op = \"relu\"; } );\noutputs = [1];", &error), error,
             ERROR_INPUT, "x.net:3: 'outputs' must be");
}
END_TEST

START_TEST(test_layer_errors_name_line_and_layer)
{
    ck_layers_error("{ op = \"relu\"; },\n{ name = \"conv2\"; op = \"conv2x\"; }",
                    "x.net:4: layer 'conv2': unknown operator 'conv2x', did you mean 'conv2d'?");
    ck_layers_error("{ name = \"a\"; }", "x.net:3: layer 'a': needs a string 'op'");
    ck_layers_error("{ name = \"a\"; op = \"fc\"; feature = 3; }", "x.net:3: layer 'a': unknown");
    ck_layers_error("{ name = \"a\"; op = \"fc\"; feature = 3; }", "did you mean 'features'?");
    ck_layers_error("{ name = \"a\"; op = \"fc\"; features = 0; }", "x.net:3: layer 'a': ");
    ck_layers_error("{ name = \"a\"; op = \"fc\"; }", "layer 'a': ");
    ck_layers_error("{ name = \"a\"; op = \"relu\"; precision = \"int9\"; }",
                    "x.net:3: layer 'a': ");
    ck_layers_error("{ name = \"a\"; op = \"relu\"; },\n{ name = \"a\"; op = \"relu\"; }",
                    "x.net:4: layer 'a': the name is already in use by x.net:3");
    ck_layers_error("{ name = \"a\"; op = \"relu\"; inputs = [\"dat\"]; }",
                    "x.net:3: layer 'a': unknown input 'dat', did you mean 'data'?");
    ck_layers_error("{ name = \"a\"; op = \"relu\"; inputs = [\"b\"]; },\n"
                    "{ name = \"b\"; op = \"relu\"; }",
                    "cycle: ");
    ck_layers_error("{ name = \"a\"; op = \"relu\"; inputs = [\"data\", \"data\"]; }",
                    "x.net:3: layer 'a': 2 inputs, operator 'relu' takes 1");
    ck_layers_error("{ name = \"a\"; op = \"conv2d\"; channels = 4; kernel = 9; }",
                    "x.net:3: layer 'a': ");
    ck_layers_error("3", "x.net:2: 'layers' must be a list of groups");
    ck_layers_error("", "x.net: no layers");
}
END_TEST

START_TEST(test_file_errors_name_the_line)
{
    GError *error = NULL;
    const char *relu = "layers = ( { op = \"relu\"; } );\n";
    ck_error(read_text(DATA, &error), error, ERROR_INPUT, "x.net: no layers");
    ck_error(read_text(relu, &error), error, ERROR_INPUT, "x.net: no inputs");
    ck_error(read_text("\nlayer = ();", &error), error, ERROR_INPUT,
             "x.net:2: unknown setting 'layer', did you mean 'layers'?");
    ck_error(read_text("name = 3;", &error), error, ERROR_INPUT,
             "x.net:1: 'name' must be a string");
    ck_error(read_text("layers = (\n", &error), error, ERROR_INPUT, "x.net:");
    char *text = g_strconcat(relu, "inputs = ( { shape = [1048576, 1048577]; } );", NULL);
    ck_error(read_text(text, &error), error, ERROR_INPUT, "x.net:2: input 'data'");
    g_free(text);
    text = g_strconcat(relu, "inputs = ( { shape = [0]; } );", NULL);
    ck_error(read_text(text, &error), error, ERROR_INPUT, "x.net:2: ");
    g_free(text);
    ck_error(net_load(NETS "/alexnet.net", NULL, &(struct net_options){.batch = INT64_C(1) << 40},
                      &error),
             error, ERROR_INPUT, "input 'data', batch 1099511627776");
    ck_error(net_load("alexnet", net_dirs, &(struct net_options){.batch = 0}, &error), error,
             ERROR_INPUT, "batch 0");
}
END_TEST

START_TEST(test_names_that_are_no_network)
{
    GError *error = NULL;
    ck_error(net_load("alexnt", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "no network 'alexnt', did you mean 'alexnet'?");
    ck_error(net_load("zzz", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "working directory, " NETS);
    ck_error(net_load("zzz", NULL, &(struct net_options){.batch = 1}, &error), error, ERROR_INPUT,
             "working directory)");
    ck_error(net_load("nowhere/x.net", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "nowhere/x.net");
    ck_error(net_load("model.onnx", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "model.onnx: ");
    ck_error(net_load("a/topology.csv", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "topology.csv: ");
    ck_error(net_load("./test.h5", net_dirs, &(struct net_options){.batch = 1}, &error), error,
             ERROR_INPUT, "'.h5' files");
}
END_TEST

START_TEST(test_gemm_is_one_fc_layer)
{
    GError *error = NULL;
    struct graph *g = net_load("gemm:6x7x9", NULL, &(struct net_options){.batch = 2}, &error);
    ck_ok(g != NULL, error);
    ck_assert_str_eq(g->nodes[0].op->name, "fc");
    ck_assert_int_eq(g->batch, 2);
    ck_shape(g, "a", "12x9");
    ck_shape(g, "gemm.weight", "7x9");
    ck_shape(g, "gemm", "12x7");
    ck_assert_ptr_null(graph_find_value(g, "gemm.bias"));
    ck_assert_uint_eq(graph_macs(g), 2 * 6 * 7 * 9);
    struct graph *r = graph_rebatch(g, 1, &error);
    ck_ok(r != NULL, error);
    ck_shape(r, "gemm", "6x7");
    graph_free(r);
    graph_free(g);
}
END_TEST

START_TEST(test_conv_is_one_conv2d_layer)
{
    GError *error = NULL;
    struct graph *g =
        net_load("conv:1x3x227x227x96,11x11,4,0", NULL, &(struct net_options){.batch = 1}, &error);
    ck_ok(g != NULL, error);
    ck_shape(g, "conv", "1x96x55x55");
    ck_assert_uint_eq(graph_macs(g), 105415200);
    ck_assert_uint_eq(graph_parameters(g), 96 * 3 * 11 * 11);
    graph_free(g);
    g = net_load("conv:2x4x8x6x8,3x1,1,1,2", NULL, &(struct net_options){.batch = 3}, &error);
    ck_ok(g != NULL, error);
    ck_shape(g, "data", "6x4x8x6");
    ck_shape(g, "conv.weight", "8x2x3x1");
    ck_shape(g, "conv", "6x8x8x8");
    graph_free(g);
}
END_TEST

START_TEST(test_bad_shapes_show_the_right_form)
{
    const char *const gemm[] = {"gemm:",
                                "gemm:1x2",
                                "gemm:1x2x",
                                "gemm:1x2x3x4",
                                "gemm:1x2x+3",
                                "gemm:1 x2x3",
                                "gemm:1x2x3 ",
                                "gemm:axbxc",
                                "gemm:-1x2x3",
                                "gemm:1X2X3",
                                "gemm:1x2x99999999999999999999"};
    const char *const conv[] = {"conv:",
                                "conv:1x2x3x4",
                                "conv:1x2x3x4x5",
                                "conv:1x2x3x4x5,1x1",
                                "conv:1x2x3x4x5,1x1,1",
                                "conv:1x2x3x4x5,1,1,0",
                                "conv:1x2x3x4x5,1x1,1,0,",
                                "conv:1x2x3x4x5,1x1,1,0,1,1",
                                "conv:1x2x3x4x5,1x1,1,-1"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(gemm); i++)
        ck_error(net_load(gemm[i], NULL, &(struct net_options){.batch = 1}, &error), error,
                 ERROR_INPUT, "expected gemm:MxNxK (");
    for (size_t i = 0; i < G_N_ELEMENTS(conv); i++)
        ck_error(net_load(conv[i], NULL, &(struct net_options){.batch = 1}, &error), error,
                 ERROR_INPUT, "expected conv:NxCxHxWxK,RxS,stride,pad[,groups], as in");
}
END_TEST

START_TEST(test_shapes_out_of_range_are_refused)
{
    const char *const specs[] = {"gemm:0x1x1",
                                 "gemm:1x0x1",
                                 "gemm:1048577x1x1048577",
                                 "gemm:9223372036854775807x1x1",
                                 "gemm:1x9223372036854775807x1",
                                 "conv:1x2x3x4x5,1x1,0,0",
                                 "conv:1x2x3x4x5,0x1,1,0",
                                 "conv:1x2x3x4x5,9x9,1,0",
                                 "conv:1x2x3x4x5,1x1,1,0,3",
                                 "conv:1x2x3x4x5,1x1,1,0,0",
                                 "conv:1x2x3x4x5,1x1,1,9223372036854775807"};
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(specs); i++)
        ck_error(net_load(specs[i], NULL, &(struct net_options){.batch = 2}, &error), error,
                 ERROR_INPUT, specs[i]);
}
END_TEST

TEST_MAIN("net", test_alexnet_has_the_published_size,
          test_layers_follow_each_other_unless_they_name_inputs, test_names_and_outputs_of_a_file,
          test_layer_errors_name_line_and_layer, test_file_errors_name_the_line,
          test_names_that_are_no_network, test_gemm_is_one_fc_layer, test_conv_is_one_conv2d_layer,
          test_bad_shapes_show_the_right_form, test_shapes_out_of_range_are_refused)
