/* SPDX-License-Identifier: Apache-2.0 */
/* Values of settings: types, defaults, bounds; shown again. */
#include "tests/unit/cfg_machine.h"

START_TEST(test_every_type_is_read)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    ck_ok(apply("# a comment\n"
                "array = { rows = 0x100; limit = 9223372036854775807L; }; // another\n"
                "clock_mhz = 940; sparse = true; /* and\n a third */ name = \"a # \\\"b\\\" 16\"\n"
                "dataflow : \"is\", kernel = 5; pad = (1, 0); inputs = [\"x\", \"y\"] # end",
                NULL, &m, arena, &error),
          error);
    ck_assert_int_eq(m.rows, 256);
    ck_assert_int_eq(m.limit, INT64_MAX);
    ck_assert_double_eq(m.clock_mhz, 940);
    ck_assert(m.sparse);
    ck_assert_str_eq(m.name, "a # \"b\" 16");
    ck_assert_int_eq(m.dataflow, 2);
    ck_assert_int_eq(m.kernel.n, 1);
    ck_assert_int_eq(m.kernel.v[0], 5);
    ck_assert_int_eq(m.pad.n, 2);
    ck_assert_int_eq(m.pad.v[0], 1);
    ck_assert_int_eq(m.inputs.n, 2);
    ck_assert_str_eq(m.inputs.v[1], "y");
    arena_free(arena);
    leave_dir();
}
END_TEST

START_TEST(test_defaults_and_absent_settings)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    memset(&m, 0xff, sizeof(m));
    ck_ok(apply("array = { rows = 1; }", NULL, &m, arena, &error), error);
    ck_assert_int_eq(m.limit, 7);
    ck_assert_double_eq(m.clock_mhz, 700);
    ck_assert(!m.sparse);
    ck_assert_ptr_null(m.name);
    ck_assert_int_eq(m.dataflow, 0);
    ck_assert_int_eq(m.kernel.n, 2);
    ck_assert_int_eq(m.kernel.v[1], 3);
    ck_assert_int_eq(m.pad.n, 0);
    ck_assert_int_eq(m.inputs.n, 0);
    arena_free(arena);
    ck_message("clock_mhz = 1;", NULL, "tpu.cfg: setting 'array.rows' is missing");
    leave_dir();
}
END_TEST

START_TEST(test_wrong_values_say_what_is_right)
{
    static const char *const cases[][2] = {
        {"\"big\"", "tpu.cfg:2: array.rows = \"big\" is not an integer; an integer from 1 to 4096 "
                    "is expected"},
        {"16.0", "array.rows = 16.0 is not an integer"},
        {"1e300", "array.rows = 1e+300 is not an integer"},
        {"true", "array.rows = true is not an integer"},
        {"[1, 2]", "array.rows = [1, 2] is not an integer"},
        {"(1, (2, (3)), \"x\")", "array.rows = [1, [...], \"x\"] is not an integer"},
        {"{ }", "array.rows = {...} is a group; an integer"},
        {"{ deep = 1; }", "array.rows = {...} is a group; an integer"},
        {"0", "array.rows = 0 is out of range; an integer from 1 to 4096 is expected"},
        {"4097", "array.rows = 4097 is out of range"},
        {"-1", "array.rows = -1 is out of range"},
        {"4294967297", "array.rows = 4294967297 is out of range"}, /* 1 in 32 bits */
        {"0x7fffffffffffffff", "array.rows = 9223372036854775807 is out of range"},
    };
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("array = {\nrows = %s; }", cases[i][0]);
        ck_message(text, NULL, cases[i][1]);
    }
    leave_dir();
}
END_TEST

START_TEST(test_wrong_values_of_other_types)
{
    static const char *const cases[][2] = {
        {"clock_mhz = 1e300", "clock_mhz = 1e+300 is out of range; a number from 1 to 10000 MHz is "
                              "expected"},
        {"clock_mhz = -5", "clock_mhz = -5 is out of range"},
        {"clock_mhz = \"fast\"", "clock_mhz = \"fast\" is not a number"},
        {"sparse = 1", "sparse = 1 is not a boolean; true or false is expected"},
        {"name = 5", "name = 5 is not a string; a string is expected"},
        {"dataflow = \"xs\"", "dataflow = \"xs\" is unknown; one of \"ws\", \"os\", \"is\" is "
                              "expected"},
        {"dataflow = 2", "dataflow = 2 is not a string"},
        {"kernel = []", "kernel = [] is empty; an integer from 1 to 16 or a list of up to 64"},
        {"kernel = [3, 17]", "kernel = [3, 17] is out of range"},
        {"kernel = (3, 1.5)", "kernel = [3, 1.5] has an element that is not an integer"},
        {"kernel = ["
         "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
         "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"
         "]",
         "is too long"},
        {"inputs = (\"x\", 1)", "has an element that is not a string"},
        {"array = { limit = 1.5; }", "array.limit = 1.5 is not an integer; an integer is expected"},
    };
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("%s;", cases[i][0]);
        ck_message(text, "array.rows=1", cases[i][1]);
    }
    leave_dir();
}
END_TEST

START_TEST(test_bounds_are_inclusive)
{
    static const char *const legal[] = {"array.rows=1", "array.rows=4096", "clock_mhz=1",
                                        "clock_mhz=1e4", "array.limit=-9223372036854775808"};
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(legal); i++)
        ck_ok(apply("array = { rows = 2; }", legal[i], &m, arena, &error), error);
    ck_assert_int_eq(m.limit, INT64_MIN);
    arena_free(arena);
    leave_dir();
}
END_TEST

static void list_field(const struct cfg_field *f, const char *value, bool is_default, void *user)
{
    g_string_append_printf(user, "%s=%s%s ", f->path, value, is_default ? "*" : "");
}

START_TEST(test_visit_shows_values_that_read_back)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    ck_ok(apply("array = { rows = 64; } clock_mhz = 7e2; name = \"a\\\"b\\x01\\n\";\n"
                "kernel = [3, 3]; pad = 0; inputs = (\"x\", \"y\"); dataflow = \"os\";",
                NULL, &m, arena, &error),
          error);
    g_autoptr(GString) seen = g_string_new(NULL);
    cfg_visit(&(struct cfg_table){fields, &m}, list_field, seen);
    ck_assert_str_eq(seen->str, "array.rows=64 array.limit=7* clock_mhz=700* sparse=false* "
                                "name=\"a\\\"b\\x01\\x0a\" dataflow=\"os\" kernel=[3, 3]* pad=[0] "
                                "inputs=[\"x\", \"y\"] ");
    m.clock_mhz = 0.1;
    m.name = NULL;
    g_string_truncate(seen, 0);
    cfg_visit(&(struct cfg_table){fields, &m}, list_field, seen);
    ck_assert_ptr_nonnull(strstr(seen->str, "clock_mhz=0.1 "));
    ck_assert_ptr_nonnull(strstr(seen->str, "name=\"\"* "));
    arena_free(arena);
    leave_dir();
}
END_TEST

START_TEST(test_nearest_is_within_a_third_of_the_word)
{
    const char *const names[] = {"alexnet", NULL, "resnet18", "resnet50"};
    ck_assert_str_eq(cfg_nearest("alxnet", names, 4), "alexnet");
    ck_assert_str_eq(cfg_nearest("resnet05", names, 4), "resnet50");
    ck_assert_str_eq(cfg_nearest("resnet18", names, 4), "resnet18");
    ck_assert_ptr_null(cfg_nearest("lenet", names, 4));
    ck_assert_ptr_null(cfg_nearest("", names, 4));
    ck_assert_ptr_null(cfg_nearest("x", NULL, 0));
    const char *const rows[] = {"rows"};
    ck_assert_str_eq(cfg_nearest("row", rows, 1), "rows"); /* one of three letters */
    ck_assert_ptr_null(cfg_nearest("ro", rows, 1));
}
END_TEST

TEST_MAIN("cfg", test_every_type_is_read, test_defaults_and_absent_settings,
          test_wrong_values_say_what_is_right, test_wrong_values_of_other_types,
          test_bounds_are_inclusive, test_visit_shows_values_that_read_back,
          test_nearest_is_within_a_third_of_the_word)
