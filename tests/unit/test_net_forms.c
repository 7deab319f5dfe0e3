/* SPDX-License-Identifier: Apache-2.0 */
/* Repetitions and names in .net files, files in files, topologies of SCALE-Sim. */
#include <glib/gstdio.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/net.h"
#include "workloads/ops/ops.h"

static struct graph *load(const char *name, const char *text, GError **error)
{
    g_assert_true(g_file_set_contents(name, text, -1, NULL));
    const struct net_options o = {.batch = 2};
    struct graph *g = net_load(name, NULL, &o, error);
    g_unlink(name);
    return g;
}

#define INPUT "inputs = ( { name = \"x\"; shape = [8]; } );\n"

static struct graph *net(const char *text, GError **error)
{
    g_autofree char *whole = g_strconcat(INPUT, text, NULL);
    return load("./forms.net", whole, error);
}

static void ck_names(const struct graph *g, const char *const *names, int n)
{
    ck_assert_int_eq(g->n_node, n);
    for (int i = 0; i < n; i++)
        ck_assert_str_eq(g->nodes[i].name, names[i]);
}

START_TEST(test_a_count_repeats_with_its_number)
{
    GError *error = NULL;
    struct graph *g =
        net("layers = ( { repeat = 2; layers = ( { name = \"fc$i\"; op = \"fc\"; features "
            "= \"$(8 * (i + 1))\"; }, { name = \"${i}_s\"; op = \"add\"; inputs = "
            "[\"fc$i\", \"fc$i\"]; } ); } );",
            &error);
    ck_ok(g != NULL, error);
    ck_names(g, (const char *const[]){"fc0", "0_s", "fc1", "1_s"}, 4);
    ck_assert_int_eq(g->values[g->nodes[2].out[0]].shape.dim[1], 16);
    graph_free(g);
}
END_TEST

START_TEST(test_lists_go_side_by_side_and_in_is_what_came_in)
{
    GError *error = NULL;
    struct graph *g = net(
        "let = { n = 8; }; layers = ( { repeat = { b = [\"a\", \"b\"]; f = (\"$n\", 8); }; layers "
        "= ( { name = \"$b\"; op = \"fc\"; features = \"$f\"; }, { name = \"${b}_sum\"; "
        "op = \"add\"; "
        "inputs = [\"$b\", \"$in\"]; } ); } );",
        &error);
    ck_ok(g != NULL, error);
    ck_names(g, (const char *const[]){"a", "a_sum", "b", "b_sum"}, 4);
    ck_assert_str_eq(g->values[g->nodes[1].in[1]].name, "x");
    ck_assert_str_eq(g->values[g->nodes[3].in[1]].name, "a_sum");
    graph_free(g);
}
END_TEST

START_TEST(test_states_are_told_with_what_becomes_of_them)
{
    GError *error = NULL;
    struct graph *g =
        net("let = { w = 8; };\n"
            "states = ( { name = \"sum\"; shape = [\"$w\"]; next = \"total\"; },\n"
            "  { repeat = 2; name = \"d$i\"; shape = [8]; next = \"x\"; first = 0.5; },\n"
            "  { name = \"n\"; shape = [3]; batch = false; type = \"int64\";\n"
            "    first = [1, -2, 9007199254740993]; next = \"n\"; } );\n"
            "layers = ( { name = \"total\"; op = \"add\"; inputs = [\"sum\", \"x\"]; } );",
            &error);
    ck_ok(g != NULL, error);
    ck_assert_int_eq(g->n_state, 4);
    ck_assert_int_eq(graph_find_value(g, "sum")->shape.dim[0], 2); /* the batch */
    ck_assert_str_eq(g->values[graph_find_value(g, "sum")->next].name, "total");
    ck_assert_int_eq(graph_find_value(g, "d1")->next, g->inputs[0]);
    float half[16];
    graph_first_content(g, graph_find_value(g, "d0")->index, half);
    ck_assert_float_eq(half[15], 0.5F);
    int64_t whole[3];
    const struct value *n = graph_find_value(g, "n");
    ck_assert_int_eq(n->shape.n_dim, 1);
    graph_first_content(g, n->index, whole);
    ck_assert_int_eq(whole[1], -2);
    ck_assert_int_eq(whole[2], 9007199254740993); /* beyond what fp64 holds */
    graph_free(g);
}
END_TEST

START_TEST(test_mistakes_in_states_name_the_line)
{
    static const struct {
        const char *states, *why;
    } wrong[] = {
        {"5", "forms.net:3: 'states' must be a list of groups: states = ( { name = \"sum\";"},
        {"()", "forms.net: no states"},
        {"(\n{ shape = [8]; next = \"y\"; } )", "forms.net:4: "},
        {"(\n{ name = \"s\"; next = \"y\"; } )", "forms.net:4: setting 'shape' is missing"},
        {"(\n{ name = \"s\"; shape = [8]; } )", "forms.net:4: "},
        {"(\n{ name = \"s\"; shape = [8]; next = \"y\"; frist = 1; } )",
         "forms.net:4: unknown setting 'frist'"},
        {"(\n{ name = \"s\"; shape = [8]; next = \"y\";\nfirst = \"one\"; } )",
         "forms.net:5: setting 'first' must be a number or a list of them"},
        {"(\n{ name = \"s\"; shape = [8]; next = \"y\"; first = [1.0, 2.0]; } )",
         "forms.net:4: state 's': its first content has 2 elements, not 8 or one for all"},
        {"(\n{ name = \"s\"; shape = [8]; next = \"y\"; first = (); } )",
         "forms.net:4: setting 'first' must be"},
        {"(\n{ name = \"x\"; shape = [8]; next = \"y\"; } )",
         "forms.net:4: state 'x': the name is already in use"},
        {"(\n{ name = \"s\"; shape = [8]; next = \"yy\"; } )",
         "forms.net:4: state 's': its next 'yy' is no layer, input or state"},
        {"(\n{ name = \"s\"; shape = [4, 2]; next = \"y\"; } )",
         "forms.net:4: state 's': it is fp32 of shape 2x4x2, its next 'y' is fp32 of shape 2x8"},
        {"(\n{ name = \"s\"; shape = [8]; next = \"y\"; type = \"fp23\"; } )", "forms.net:4: "},
        {"(\n{ name = \"s\"; shape = [1, 1, 1, 1, 1, 1, 1, 1]; next = \"y\"; } )",
         "forms.net:4: state 's': 8 dimensions, at most 7"},
        {"(\n{ name = \"s\"; shape = [1048576, 1048576]; next = \"y\"; } )",
         "forms.net:4: state 's': "},
        {"(\n{ repeat = 2; name = \"s\"; shape = [8]; next = \"y\"; } )",
         "forms.net:4: state 's': the name is already in use"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;
        g_autofree char *text = g_strdup_printf(
            "layers = ( { name = \"y\"; op = \"relu\"; } );\nstates = %s;\n", wrong[i].states);
        ck_error(net(text, &error) != NULL, error, ERROR_INPUT, wrong[i].why);
    }
}
END_TEST

START_TEST(test_mistakes_in_repetitions_name_the_line)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        {"layers = ( { repeat = 2; layers = ( { op = \"fc\"; features = \"$j\"; } ); } );",
         "forms.net:2: unknown name '$j'"},
        {"layers = ( { repeat = 1000000000; layers = ( { op = \"relu\"; } ); } );",
         "forms.net:2: more than 100000 layers"},
        {"layers = ( { repeat = 1000; layers = ( { repeat = 1000; layers = ( { op = \"relu\"; } ); "
         "} ); } );",
         "forms.net:2: more than 100000 layers"},
        {"layers = ( { repeat = { a = [1, 2]; b = [1]; }; layers = ( { op = \"relu\"; } ); } );",
         "forms.net:2: 'b' is no list as long as the others"},
        {"layers = ( { repeat = 2; layer = ( { op = \"relu\"; } ); } );", "not 'layer'"},
        {"layers = ( { repeat = 2; } );", "needs layers"},
        {"layers = ( { op = \"fc\"; features = \"$(1 / 0)\"; } );", "division by 0"},
        {"layers = ( { op = \"fc\"; features = \"$(1 + )\"; } );", "is missing"},
        {"@include \"forms.net\"\nlayers = ( { op = \"relu\"; } );",
         "files include each other deeper than 8"},
        {"@include \"nowhere.inc\"", "forms.net:2: "},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        ck_error(net(rows[i].text, &error) != NULL, error, ERROR_INPUT, rows[i].told);
    }
}
END_TEST

START_TEST(test_convolutions_of_a_topology_stand_by_themselves)
{
    GError *error = NULL;
    struct graph *g =
        load("./t.csv",
             "\xef\xbb\xbfLayer name, IFMAP Height, IFMAP Width, Filter Height, "
             "Filter Width, Channels, Num Filter, Strides,\r\n"
             "Conv1, 227, 227, 11, 11, 3, 96, 4,\r\n\nConv1, 31, 31, 5, 5, 96, 256, 1,\n",
             &error);
    ck_ok(g != NULL, error);
    ck_names(g, (const char *const[]){"Conv1", "Conv1#2"}, 2);
    ck_assert_int_eq(g->n_input, 2);
    ck_assert_uint_eq(g->nodes[0].macs, 2 * UINT64_C(105415200)); /* AlexNet's first layer */
    graph_free(g);
    g = load("./t.csv", "Layer,M,N,K,\nfc,4,8,16,\n", &error);
    ck_ok(g != NULL, error);
    ck_assert_uint_eq(g->nodes[0].macs, 2 * 4 * 8 * 16);
    graph_free(g);
}
END_TEST

/* Public files: columns in other orders, more of them, sections, comments, batches. */
START_TEST(test_columns_of_a_topology_are_found_by_their_headings)
{
#define CONV                                                                                       \
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    static const struct {
        const char *text;
        uint64_t macs; /* of 2 images for one asked for */
        int64_t batch;
        const char *left_out;
    } rows[] = {
        {CONV "Strides, Batch Size,\nc1, 16, 16, 3, 3, 8, 8, 1, 4,\n", 451584, 4, NULL},
        {CONV "Stride Height, Stride Width, IFMAP Offset, Filter Offset,\n"
              "c1, 20, 20, 3, 3, 4, 8, 1, 1, 0, 10000000,\n",
         93312, 1, "'IFMAP Offset', 'Filter Offset'"},
        {CONV "Stride H, Stride W\nc1, 20, 20, 3, 3, 4, 8, 1, 2\n", 93312 / 2, 1, NULL},
        {CONV "Strides,\nc1_dw, 20, 20, 3, 3, 1, 1, 1,#dw\n", 2916, 1, NULL},
        {CONV "Strides,\nA,\nc1, 20, 20, 3, 3, 4, 8, 1,\n# the end,\n", 93312, 1, NULL},
        {"Layer, IFMAP Width, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
         "Strides,\nc1,16,12,3,3,8,8,1,\n",
         80640, 1, NULL},
        {"Layer name\tIFMAP Width\tIFMAP Height\tFilter Height\tFilter Width\tNum Filter\t"
         "Channels\tStrides\t\nc1\t12\t16\t3\t3\t8\t8\t1\t\n",
         80640, 1, NULL},
        {"Layer name, Type, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
         "Num Filter, Stride H, Stride W, MAC Cycles,\nf, GEMM, 1, 7, 1, 1, 5, 3, 1, 1, 129,\n",
         105, 1, "'Type', 'MAC Cycles'"},
        {"Layer name, IFMAP Height, IFMAP Width, Filt Height, Filter Width, Channels, Num Filter, "
         "Strides\nc1,16,12,3,3,8,8,1,1:1\n",
         80640, 1, NULL},
        {CONV "Strides,\nDPlayer, 16, 16, 3, 3, 8, 1, 1,\n", 14112, 1, NULL},
        {"Layer,M,N,K,\nc1,2097152,64,9,\n", UINT64_C(1207959552), 1, NULL},
        {"K,N,M,Layer\n9,64,5,c1\n", 2880, 1, NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        struct graph *g = load("./t.csv", rows[i].text, &error);
        ck_ok(g != NULL, error);
        ck_assert_msg(graph_macs(g) == 2 * rows[i].macs, "row %zu: %" G_GUINT64_FORMAT, i,
                      graph_macs(g));
        ck_assert_int_eq(g->batch, 2 * rows[i].batch);
        ck_assert_msg(!g->warning == !rows[i].left_out, "row %zu: %s", i, g->warning);
        if (rows[i].left_out)
            ck_assert_ptr_nonnull(strstr(g->warning, rows[i].left_out));
        graph_free(g);
    }
}
END_TEST

START_TEST(test_topology_errors_name_the_line)
{
#define HEAD CONV "Strides,\n"
    static const struct {
        const char *text, *told;
        enum accsim_error code;
    } rows[] = {
        {"", "no layers", ERROR_INPUT},
        {"1,2,3\n", "t.csv:1: expected a header", ERROR_INPUT},
        {HEAD "c, 5, 5, x, 3, 1, 1, 1,\n", "t.csv:2: column 4, 'Filter Height', is 'x'",
         ERROR_INPUT},
        {"Layer name, IFMAP Height, IFMAP Width\nc, 5, 5,\n",
         "t.csv:1: the header has no column 'Filter Height'", ERROR_INPUT},
        {HEAD "c, 5, 5,\n", "t.csv:2: column 4, 'Filter Height', is ''", ERROR_INPUT},
        {HEAD "\nc, 5, 5, 6, 6, 1, 1, 1,\n", "t.csv:3: layer 'c': kernel 6x6 is larger",
         ERROR_INPUT},
        {HEAD "c, 5, 5, 0, 3, 1, 1, 1,\n", "expected a whole number from 1", ERROR_INPUT},
        {HEAD "c, 5, 5, 3, 3, 1, 1, 1, 2:4,\n", "sparse", ERROR_UNSUPPORTED},
        {"Layer,M,N,K\nx,99999999999,1,1\n", "t.csv:2: column 2, 'M'", ERROR_INPUT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        ck_error(load("./t.csv", rows[i].text, &error) != NULL, error, rows[i].code, rows[i].told);
    }
}
END_TEST

TEST_MAIN("net_forms", test_a_count_repeats_with_its_number,
          test_lists_go_side_by_side_and_in_is_what_came_in,
          test_states_are_told_with_what_becomes_of_them, test_mistakes_in_states_name_the_line,
          test_mistakes_in_repetitions_name_the_line,
          test_convolutions_of_a_topology_stand_by_themselves,
          test_columns_of_a_topology_are_found_by_their_headings,
          test_topology_errors_name_the_line)
