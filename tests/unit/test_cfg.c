/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <glib/gstdio.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

static const char *const dataflows[] = {"ws", "os", "is", NULL};

struct machine {
    int64_t rows, limit;
    double clock_mhz;
    bool sparse;
    const char *name;
    int dataflow;
    struct cfg_ints kernel, pad;
    struct cfg_strings inputs;
};

#define ROW(path, type, member, ...)                                                               \
    {                                                                                              \
        path, type, offsetof(struct machine, member), __VA_ARGS__                                  \
    }
static const struct cfg_field fields[] = {
    ROW("array.rows", CFG_INT, rows, 1, 4096, NULL, NULL, "rows of the array", NULL),
    ROW("array.limit", CFG_INT, limit, -0x1p63, 0x1p63, "7", NULL, "a large number", NULL),
    ROW("clock_mhz", CFG_FLOAT, clock_mhz, 1, 10000, "700", "MHz", "clock", NULL),
    ROW("sparse", CFG_BOOL, sparse, 0, 0, "false", NULL, "skips zeroes", NULL),
    ROW("name", CFG_STRING, name, 0, 0, "", NULL, "name", NULL),
    ROW("dataflow", CFG_ENUM, dataflow, 0, 0, "ws", NULL, "dataflow", dataflows),
    ROW("kernel", CFG_INTS, kernel, 1, 16, "[3, 3]", NULL, "kernel", NULL),
    ROW("pad", CFG_INTS, pad, 0, 8, "", NULL, "padding", NULL),
    ROW("inputs", CFG_STRINGS, inputs, 0, 0, "", NULL, "inputs", NULL),
    {.path = NULL},
};

/* Each test is a process in a directory of its own, so that messages name "tpu.cfg". */
static char *dir;

static void enter_dir(void)
{
    dir = g_dir_make_tmp("accsim-test-XXXXXX", NULL);
    ck_assert_int_eq(g_chdir(dir), 0);
}

static void leave_dir(void)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", dir);
    ck_assert_int_eq(g_chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    g_free(dir);
}

static void write_file(const char *name, const char *text)
{
    ck_assert(g_file_set_contents(name, text, -1, NULL));
}

/* Loads tpu.cfg with this text and one --set (NULL: none), and applies it. */
static bool apply(const char *text, const char *set, struct machine *m, struct arena *arena,
                  GError **error)
{
    write_file("tpu.cfg", text);
    struct cfg *cfg = cfg_load("tpu.cfg", error);
    if (!cfg)
        return false;
    struct cfg_table table = {fields, m};
    bool ok = (!set || cfg_set(cfg, set, error)) && cfg_apply(cfg, &table, 1, arena, error);
    cfg_free(cfg);
    return ok;
}

static void ck_message(const char *text, const char *set, const char *message)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    ck_error(apply(text, set, &m, arena, &error), error, ERROR_INPUT, message);
    arena_free(arena);
}

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

START_TEST(test_bad_text_names_file_and_line)
{
    static const char *const cases[][2] = {
        {"\n\na = ;", "tpu.cfg:3: syntax error"},
        {"a = 1;\na = 2;", "tpu.cfg:2: duplicate setting name"},
        {"a = [1,\n2.0];", "tpu.cfg:2: mismatched element type in array"},
        {"a = 1\nb = 9223372036854775808;",
         "tpu.cfg:2: 9223372036854775808 is too large for a 64-bit number"},
        {"b = -9223372036854775809;", "too large"},
        {"b = 0xffffffffffffffff;", "tpu.cfg:1: 0xffffffffffffffff is too large"},
        {"b = 1e999;", "1e999 is too large"},
        {"\nb = 16abc;", "tpu.cfg:2: '16abc' is not a number"},
        {"b = 1.2.3;", "'1.2.3' is not a number"},
        {"b = .;", "'.' is not a number"},
        {"b = 0x;", "'0x' is not a number"},
        {"b = 0x1p4;", "'0x1p4' is not a number"},
        {"b = nan;", "tpu.cfg:1: syntax error"},
        {"b = -inf;", "tpu.cfg:1: syntax error"},
        {"/* a\n*/ @include \"x.cfg\"\n", "x.cfg: No such file"},
        {"a = 1;\nb = \"x\n\n", "tpu.cfg:2: a string is not ended"},
        {"b = \"\\", "tpu.cfg:1: a string is not ended"},
        {"a = 1;\n/* b\n\n", "tpu.cfg:2: a comment is not ended"},
        {"a = \"\\x00\";", "tpu.cfg:1: the escape \\x00 in a string is not a character"},
        {"", "tpu.cfg: there are no settings in it"},
        {" \n# nothing\n// here\n/* at all */", "tpu.cfg: there are no settings in it"},
        {"a = 1;\nb = \"\xff\";", "tpu.cfg:2: binary data"},
    };
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_message(cases[i][0], NULL, cases[i][1]);
    leave_dir();
}
END_TEST

START_TEST(test_files_that_are_no_settings)
{
    config_t doc;
    GError *error = NULL;
    enter_dir();
    ck_error(cfg_parse_file(".", &doc, &error), error, ERROR_INPUT, ".: Is a directory");
    ck_error(cfg_parse_file("no.cfg", &doc, &error), error, ERROR_INPUT, "no.cfg: No such file");
    ck_error(cfg_parse_file("/dev/zero", &doc, &error), error, ERROR_INPUT, "larger than 16 MiB");
    ck_assert(g_file_set_contents("nul.cfg", "a = 1;\0b", 8, NULL));
    ck_error(cfg_parse_file("nul.cfg", &doc, &error), error, ERROR_INPUT, "nul.cfg:1: binary data");
    write_file("mark.cfg", "\xef\xbb\xbf"
                           "a = 1;\r\n");
    ck_ok(cfg_parse_file("mark.cfg", &doc, &error), error);
    config_destroy(&doc);
    leave_dir();
}
END_TEST

/* "a = ((...))" with n pairs of parentheses */
static char *nested(int n)
{
    GString *text = g_string_new("a = ");
    for (int i = 0; i < n; i++)
        g_string_append_c(text, '(');
    for (int i = 0; i < n; i++)
        g_string_append_c(text, ')');
    return g_string_free(text, FALSE);
}

START_TEST(test_nesting_is_legal_to_32_and_refused_at_33)
{
    config_t doc;
    GError *error = NULL;
    enter_dir();
    g_autofree char *legal = nested(32), *deep = nested(33);
    write_file("deep.cfg", legal);
    ck_ok(cfg_parse_file("deep.cfg", &doc, &error), error);
    config_destroy(&doc);
    write_file("deep.cfg", deep);
    ck_error(cfg_parse_file("deep.cfg", &doc, &error), error, ERROR_INPUT,
             "deep.cfg:1: nested deeper than 32");
    leave_dir();
}
END_TEST

START_TEST(test_sizes_that_would_take_forever_are_refused)
{
    config_t doc;
    GError *error = NULL;
    enter_dir();
    g_autoptr(GString) many = g_string_new(NULL);
    for (int i = 0; i <= 4096; i++)
        g_string_append_printf(many, "a%d = 1;\n", i);
    write_file("many.cfg", many->str);
    ck_error(cfg_parse_file("many.cfg", &doc, &error), error, ERROR_INPUT,
             "many.cfg:4097: more than 4096 settings in a group");
    g_string_assign(many, "a = [1");
    for (int i = 0; i < 1 << 18; i++)
        g_string_append(many, ",1");
    write_file("many.cfg", many->str);
    ck_error(cfg_parse_file("many.cfg", &doc, &error), error, ERROR_INPUT, "values");
    g_autofree char *name = g_strnfill(65, 'a');
    write_file("many.cfg", name);
    ck_error(cfg_parse_file("many.cfg", &doc, &error), error, ERROR_INPUT, "name longer than 64");
    leave_dir();
}
END_TEST

START_TEST(test_unknown_settings_are_refused_with_the_closest)
{
    static const char *const cases[][2] = {
        {"array = { rows = 1;\nrow = 2; }",
         "tpu.cfg:2: unknown setting 'array.row', did you mean 'array.rows'?"},
        {"clock_mzh = 1;", "unknown setting 'clock_mzh', did you mean 'clock_mhz'?"},
        {"aray = { rows = 1; }", "tpu.cfg:1: unknown setting 'aray', did you mean 'array'?"},
        {"aray = { };", "unknown setting 'aray', did you mean 'array'?"},
        {"array = 5;", "tpu.cfg:1: 'array' is a group of settings such as 'array.rows'"},
    };
    GError *error = NULL;
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_message(cases[i][0], NULL, cases[i][1]);
    ck_message("array = { rows = 1; }", "name.first=x",
               "--set name.first=x: unknown setting 'name.first': 'name' is a value, not a group");
    struct arena *arena = arena_new();
    struct machine m;
    bool ok = apply("weights = 1;", NULL, &m, arena, &error);
    ck_assert(!ok && !strstr(error->message, "did you mean"));
    g_clear_error(&error);
    arena_free(arena);
    leave_dir();
}
END_TEST

START_TEST(test_set_overrides_the_file)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    static const char text[] = "array = { rows = 1; }";
    ck_ok(apply(text, " array.rows = 0x40 ", &m, arena, &error), error);
    ck_assert_int_eq(m.rows, 64);
    ck_ok(apply(text, "dataflow=os", &m, arena, &error), error);
    ck_assert_int_eq(m.dataflow, 1);
    ck_ok(apply(text, "name=3d/a b=c", &m, arena, &error), error);
    ck_assert_str_eq(m.name, "3d/a b=c");
    ck_ok(apply(text, "name=\"16\"", &m, arena, &error), error);
    ck_assert_str_eq(m.name, "16");
    ck_ok(apply(text, "sparse=True", &m, arena, &error), error);
    ck_assert(m.sparse);
    ck_ok(apply(text, "kernel=[5, 7]", &m, arena, &error), error);
    ck_assert_int_eq(m.kernel.v[1], 7);
    arena_free(arena);
    leave_dir();
}
END_TEST

START_TEST(test_bad_set_names_itself)
{
    static const char *const cases[][2] = {
        {"array.rows=x", "--set array.rows=x: array.rows = \"x\" is not an integer; an integer"},
        {"array.rows=12abc", "array.rows = \"12abc\" is not an integer"},
        {"array.rows=nan", "array.rows = \"nan\" is not an integer"},
        {"clock_mhz=inf", "clock_mhz = \"inf\" is not a number"},
        {"array.rows=9223372036854775808", "too large for a 64-bit number"},
        {"array.rows", "--set array.rows: PATH=VALUE is expected"},
        {"array.rows=", "--set array.rows=: the value is missing"},
        {"=5", "--set =5: '' is not the path of a setting"},
        {"a b=5", "'a b' is not the path of a setting"},
        {"kernel=[1", "--set kernel=[1: syntax error"},
        {"kernel=[1]; name = 3", "more than one value"},
        {"array={rows=2}", "a group's settings are set one by one"},
        {"array.row=2",
         "--set array.row=2: unknown setting 'array.row', did you mean 'array.rows'"},
        {"base=x.cfg", "unknown setting 'base'"},
        {"name=\xff", "--set: not UTF-8 text"},
    };
    enter_dir();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_message("array = { rows = 1; }", cases[i][0], cases[i][1]);
    leave_dir();
}
END_TEST

START_TEST(test_base_is_inherited_from_beside_the_file)
{
    struct machine m;
    struct arena *arena = arena_new();
    GError *error = NULL;
    enter_dir();
    ck_assert_int_eq(g_mkdir("in", 0700), 0);
    write_file("in/old.cfg", "array = { rows = 1; limit = 1; } clock_mhz = 1;");
    write_file("in/mid.cfg", "base = \"old.cfg\"; array = { limit = 2; }");
    write_file("in/new.cfg", "clock_mhz = 3;\nbase = \"mid.cfg\";");
    struct cfg *cfg = cfg_load("in/new.cfg", &error);
    ck_ok(cfg, error);
    ck_ok(cfg_apply(cfg, &(struct cfg_table){fields, &m}, 1, arena, &error), error);
    ck_assert_int_eq(m.rows, 1);
    ck_assert_int_eq(m.limit, 2);
    ck_assert_double_eq(m.clock_mhz, 3);
    ck_assert_str_eq(cfg_file(cfg), "in/new.cfg");
    ck_assert_str_eq(cfg_origin(cfg, "array.rows"), "in/old.cfg:1");
    ck_assert_str_eq(cfg_origin(cfg, "clock_mhz"), "in/new.cfg:1");
    ck_assert_str_eq(cfg_origin(cfg, "sparse"), "in/new.cfg");
    cfg_free(cfg);
    arena_free(arena);
    leave_dir();
}
END_TEST

START_TEST(test_bad_bases_are_refused)
{
    enter_dir();
    ck_message("\nbase = \"no.cfg\";", NULL, "tpu.cfg:2: base = \"no.cfg\": there is no file");
    ck_message("base = 5;", NULL, "tpu.cfg:1: base is not a string");
    ck_message("base = \"./tpu.cfg\";", NULL, "tpu.cfg:1: base = \"./tpu.cfg\" leads back to");
    write_file("b.cfg", "\nbase = \"tpu.cfg\";");
    ck_message("base = \"b.cfg\";", NULL, "b.cfg:2: base = \"tpu.cfg\" leads back to 'tpu.cfg'");
    write_file("b.cfg", "array = { rows = 0; }");
    ck_message("base = \"b.cfg\";", NULL, "b.cfg:1: array.rows = 0 is out of range");
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("c%d.cfg", i);
        g_autofree char *text = g_strdup_printf("base = \"c%d.cfg\";", i + 1);
        write_file(name, text);
    }
    ck_message("base = \"c0.cfg\";", NULL, "more than 16 files in a chain");
    leave_dir();
}
END_TEST

START_TEST(test_group_is_read_as_settings)
{
    GError *error = NULL;
    config_t doc;
    struct machine m;
    struct arena *arena = arena_new();
    enter_dir();
    write_file("x.net",
               "layers = (\n{ op = \"conv\"; array = { rows = 4; }; },\n{ op = 3; },\n5 );");
    ck_ok(cfg_parse_file("x.net", &doc, &error), error);
    const config_setting_t *layers = config_setting_get_elem(config_root_setting(&doc), 0);
    struct cfg *conv = cfg_from_group("x.net", config_setting_get_elem(layers, 0), &error);
    ck_assert_str_eq(cfg_peek_string(conv, "op"), "conv");
    ck_assert_ptr_null(cfg_peek_string(conv, "array.rows"));
    ck_assert_ptr_null(cfg_peek_string(conv, "absent"));
    const struct cfg_field op_fields[] = {{"op", CFG_STRING, 0, 0, 0, NULL, NULL, "", NULL},
                                          {.path = NULL}};
    const char *op;
    const struct cfg_table tables[] = {{fields, &m}, {op_fields, &op}};
    ck_ok(cfg_apply(conv, tables, 2, arena, &error), error);
    ck_assert_str_eq(op, "conv");
    ck_assert_int_eq(m.rows, 4);
    cfg_free(conv);
    struct cfg *bad = cfg_from_group("x.net", config_setting_get_elem(layers, 1), &error);
    ck_error(cfg_apply(bad, tables, 2, arena, &error), error, ERROR_INPUT,
             "x.net:3: setting 'array.rows' is missing");
    cfg_free(bad);
    ck_error(cfg_from_group("x.net", config_setting_get_elem(layers, 2), &error), error,
             ERROR_INPUT, "x.net:4: a group");
    config_destroy(&doc);
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
          test_bounds_are_inclusive, test_bad_text_names_file_and_line,
          test_files_that_are_no_settings, test_nesting_is_legal_to_32_and_refused_at_33,
          test_sizes_that_would_take_forever_are_refused,
          test_unknown_settings_are_refused_with_the_closest, test_set_overrides_the_file,
          test_bad_set_names_itself, test_base_is_inherited_from_beside_the_file,
          test_bad_bases_are_refused, test_group_is_read_as_settings,
          test_visit_shows_values_that_read_back, test_nearest_is_within_a_third_of_the_word)
