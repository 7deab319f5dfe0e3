/* SPDX-License-Identifier: Apache-2.0 */
/* Text of settings: what is wrong with a file, files that inherit, settings from elsewhere. */
#include "tests/unit/cfg_machine.h"

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
    struct cfg *cfg = cfg_load("in/new.cfg", NULL, &error);
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

/* What is beside the file comes first; a name with a folder is a path. */
START_TEST(test_base_is_looked_up_in_folders_too)
{
    char *dirs[] = {"none", "far", NULL};
    GError *error = NULL;
    enter_dir();
    ck_assert_int_eq(g_mkdir("far", 0700), 0);
    write_file("far/old.cfg", "base = \"older.cfg\"; clock_mhz = 1;");
    write_file("far/older.cfg", "array = { limit = 1; };");
    write_file("new.cfg", "base = \"old.cfg\";");
    struct cfg *cfg = cfg_load("new.cfg", dirs, &error);
    ck_ok(cfg, error);
    ck_assert_str_eq(cfg_origin(cfg, "clock_mhz"), "far/old.cfg:1");
    ck_assert_str_eq(cfg_origin(cfg, "array.limit"), "far/older.cfg:1");
    cfg_free(cfg);
    write_file("old.cfg", "clock_mhz = 2;");
    cfg = cfg_load("new.cfg", dirs, &error);
    ck_ok(cfg, error);
    ck_assert_str_eq(cfg_origin(cfg, "clock_mhz"), "old.cfg:1");
    cfg_free(cfg);
    write_file("new.cfg", "base = \"./older.cfg\";");
    ck_assert_ptr_null(cfg_load("new.cfg", dirs, &error));
    g_clear_error(&error);
    write_file("new.cfg", "base = \"no.cfg\";");
    ck_assert_ptr_null(cfg_load("new.cfg", dirs, &error));
    ck_assert_str_eq(error->message, "new.cfg:1: base = \"no.cfg\": there is no file 'no.cfg', nor "
                                     "one of that name in none, far");
    g_clear_error(&error);
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

TEST_MAIN("cfg_text", test_bad_text_names_file_and_line, test_files_that_are_no_settings,
          test_nesting_is_legal_to_32_and_refused_at_33,
          test_sizes_that_would_take_forever_are_refused,
          test_unknown_settings_are_refused_with_the_closest, test_set_overrides_the_file,
          test_bad_set_names_itself, test_base_is_inherited_from_beside_the_file,
          test_base_is_looked_up_in_folders_too, test_bad_bases_are_refused,
          test_group_is_read_as_settings)
