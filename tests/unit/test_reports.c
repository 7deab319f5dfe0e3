/* SPDX-License-Identifier: Apache-2.0 */
/* Renderings of hand-made records. The goldens in tests/golden are written anew by
 * ACCSIM_UPDATE_GOLDEN=1 test_reports, then read as a diff. */
#include "tests/unit/test.h"

#include <jansson.h>
#include <math.h>

#include "reports/report.h"
#include "sim/base/error.h"
#include "tests/unit/records.h"

#define SCHEMA SOURCE_DIR "/reports/accsim-run-1.schema.json"
#define GOLDEN SOURCE_DIR "/tests/golden/"

static const struct report_style plain;

static void check_golden(const char *name, char *text)
{
    g_autofree char *path = g_strconcat(GOLDEN, name, NULL);
    g_autofree char *expected = NULL;
    if (g_getenv("ACCSIM_UPDATE_GOLDEN"))
        ck_assert(g_file_set_contents(path, text, -1, NULL));
    ck_assert_msg(g_file_get_contents(path, &expected, NULL, NULL), "no %s", path);
    ck_assert_msg(strcmp(text, expected) == 0, "%s differs; now it is:\n%s", name, text);
    g_free(text);
}

static void check_width(const char *text, int width)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        ck_assert_msg(g_utf8_strlen(*line, -1) <= width, "wider than %d: '%s'", width, *line);
}

static json_t *json_of(const struct record *r)
{
    g_autofree char *text = report_json(r);
    json_error_t error;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(o != NULL, "%s", error.text);
    return o;
}

START_TEST(test_text_is_the_golden)
{
    struct record r = alexnet_record(), bare = bare_record(), rough = rough_record();
    struct report_style narrow = {.ascii = true, .width = 80};
    struct report_style colored = {.color = true, .host_time = true};
    check_golden("report_alexnet.txt", report_text(&r, &plain));
    check_golden("report_alexnet_ascii.txt", report_text(&r, &narrow));
    check_golden("report_alexnet_color.txt", report_text(&r, &colored));
    check_golden("report_bare.txt", report_text(&bare, &plain));
    check_golden("report_rough.txt", report_text(&rough, &plain));
}
END_TEST

START_TEST(test_json_and_csv_are_the_goldens)
{
    struct record r = alexnet_record(), bare = bare_record(), rough = rough_record();
    check_golden("report_alexnet.json", report_json(&r));
    check_golden("report_bare.json", report_json(&bare));
    check_golden("report_rough.json", report_json(&rough));
    check_golden("report_alexnet.csv", report_csv(&r, REPORT_CSV_ALL));
    check_golden("report_bare.csv", report_csv(&bare, REPORT_CSV_ALL));
    check_golden("report_rough.csv", report_csv(&rough, REPORT_CSV_ALL));
}
END_TEST

START_TEST(test_what_one_family_tells_is_in_every_report)
{
    struct arena *arena = arena_new();
    struct record kernels = kernels_record(arena), spiking = spiking_record(arena, 2);
    check_golden("report_kernels.txt", report_text(&kernels, &plain));
    check_golden("report_kernels.json", report_json(&kernels));
    check_golden("report_kernels.csv", report_csv(&kernels, REPORT_CSV_ALL));
    check_golden("report_spiking.txt", report_text(&spiking, &plain));
    check_golden("report_spiking.json", report_json(&spiking));
    check_golden("report_spiking.csv", report_csv(&spiking, REPORT_CSV_ALL));
    arena_free(arena);
}
END_TEST

START_TEST(test_a_long_table_is_whole_in_json_alone)
{
    struct arena *arena = arena_new();
    struct record r = spiking_record(arena, 4096);
    g_autofree char *text = report_text(&r, &plain);
    json_t *o = json_of(&r), *spiking = json_object_get(o, "spiking");
    ck_assert_uint_eq(json_array_size(json_object_get(spiking, "by_core")), 4096);
    ck_assert_ptr_nonnull(strstr(text, "and 3,996 more, in JSON\n"));
    json_decref(o);
    arena_free(arena);
}
END_TEST

START_TEST(test_a_table_beyond_its_memory_is_refused)
{
    struct arena *arena = arena_new_shared(1 << 16);
    struct record r = {.arena = arena};
    GError *error = NULL;
    ck_error(record_add_table(&r, NULL, &core_table, 1 << 20, &error), error, ERROR_LIMIT,
             "'spiking.by_core'");
    ck_assert_int_eq(r.n_table, 0);
    arena_free(arena);
}
END_TEST

START_TEST(test_text_keeps_to_its_width)
{
    struct arena *arena = arena_new();
    const struct record records[] = {alexnet_record(), bare_record(), rough_record(),
                                     kernels_record(arena), spiking_record(arena, 3)};
    for (size_t i = 0; i < G_N_ELEMENTS(records); i++)
        for (int width = 60; width <= 130; width += 10) {
            struct report_style style = {.width = width, .host_time = true};
            g_autofree char *text = report_text(&records[i], &style);
            check_width(text, width);
        }
    arena_free(arena);
}
END_TEST

START_TEST(test_any_width_ends)
{
    struct arena *arena = arena_new();
    struct record r = alexnet_record(), rough = rough_record(), kernels = kernels_record(arena);
    for (int width = 1; width < 60; width++) {
        struct report_style style = {.width = width};
        g_free(report_text(&r, &style));
        g_free(report_text(&rough, &style));
        g_free(report_text(&kernels, &style));
    }
    arena_free(arena);
}
END_TEST

START_TEST(test_ascii_has_no_other_character)
{
    struct record r = rough_record();
    struct report_style style = {.ascii = true};
    g_autofree char *text = report_text(&r, &style);
    for (const char *p = text; *p; p++)
        ck_assert_msg(*p == '\n' || g_ascii_isprint(*p), "0x%02x", (unsigned char)*p);
}
END_TEST

START_TEST(test_names_cannot_steer_the_terminal)
{
    struct record r = rough_record();
    g_autofree char *text = report_text(&r, &plain);
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_nonnull(strstr(text, "line?break"));
}
END_TEST

START_TEST(test_colors_only_add_escapes)
{
    struct record r = alexnet_record();
    struct report_style colored = {.color = true};
    g_autofree char *with = report_text(&r, &colored), *without = report_text(&r, &plain);
    GRegex *escape = g_regex_new("\033\\[[0-9]+m", 0, 0, NULL);
    g_autofree char *stripped = g_regex_replace_literal(escape, with, -1, 0, "", 0, NULL);
    ck_assert_str_eq(stripped, without);
    g_regex_unref(escape);
}
END_TEST

START_TEST(test_three_hundred_layers_have_a_row_each)
{
    struct record r = bare_record();
    struct record_layer *layers = g_new0(struct record_layer, 300);
    for (int i = 0; i < 300; i++)
        layers[i] = (struct record_layer){.index = i, .name = "l", .op = "conv2d", .cycles = 2};
    r.layers = layers;
    r.n_layer = 300;
    r.total_cyc = 600;
    g_autofree char *csv = report_csv(&r, REPORT_CSV_ALL), *text = report_text(&r, &plain);
    g_auto(GStrv) lines = g_strsplit(csv, "\n", -1);
    ck_assert_int_eq(g_strv_length(lines),
                     1 + 300 + 1 + 1); /* header, total, the last line's end */
    ck_assert_ptr_nonnull(strstr(text, "\n299  l"));
    check_width(text, 100);
    g_free(layers);
}
END_TEST

START_TEST(test_json_integers_are_exact_and_floats_come_back)
{
    struct record r = alexnet_record();
    r.total_cyc = 9007199254740993; /* 2^53 + 1: no double */
    r.area_mm2 = 0.1 + 0.2;
    json_t *o = json_of(&r), *totals = json_object_get(o, "totals");
    ck_assert_int_eq(json_integer_value(json_object_get(totals, "cycles")), 9007199254740993);
    ck_assert(json_real_value(json_object_get(totals, "area_mm2")) == 0.1 + 0.2);
    json_decref(o);
}
END_TEST

START_TEST(test_power_over_time_is_drawn_where_it_is_asked_for)
{
    struct record r = alexnet_record();
    static const struct {
        bool ascii, power;
        const char *shown;
    } rows[] = {{false, true, "▄▄▅▅██▅▅▄▁\n"}, {true, true, "--==##==-_\n"}, {false, false, NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct report_style style = {.ascii = rows[i].ascii, .power = rows[i].power};
        g_autofree char *text = report_text(&r, &style);
        ck_assert_int_eq(strstr(text, "\npower") != NULL, rows[i].power);
        if (rows[i].shown)
            ck_assert_msg(strstr(text, rows[i].shown) != NULL, "%s", text);
        ck_assert_ptr_nonnull(strstr(text, "(peak 80 W)"));
    }
    json_t *o = json_of(&r), *power = json_object_get(o, "power");
    ck_assert_uint_eq(json_array_size(json_object_get(power, "watts")), 10);
    ck_assert_double_eq_tol(json_real_value(json_object_get(power, "interval_seconds")),
                            1170000 / 700e6 / 10, 1e-12);
    json_decref(o);
    g_autofree char *csv = report_power_csv(&r);
    g_auto(GStrv) lines = g_strsplit(csv, "\n", -1);
    ck_assert_int_eq(g_strv_length(lines), 1 + 10 + 1); /* the header, the last line's end */
    ck_assert_str_eq(lines[0], "start_seconds,end_seconds,power_w");
    ck_assert_ptr_nonnull(strstr(lines[5], ",80"));
}
END_TEST

START_TEST(test_json_layers_add_up_to_the_totals)
{
    struct record r = alexnet_record();
    json_t *o = json_of(&r), *layer;
    json_int_t cycles = 0;
    size_t i;
    json_array_foreach(json_object_get(o, "layers"), i, layer) cycles +=
        json_integer_value(json_object_get(layer, "cycles"));
    ck_assert_int_eq(cycles, (json_int_t)r.total_cyc);
    json_decref(o);
}
END_TEST

START_TEST(test_json_leaves_out_what_does_not_apply)
{
    static const char *const absent[] = {"utilization",  "energy_j",        "power_w",
                                         "peak_power_w", "area_mm2",        "area",
                                         "events",       "dram_read_bytes", "dram_write_bytes"};
    struct record r = bare_record();
    json_t *o = json_of(&r), *totals = json_object_get(o, "totals");
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
        ck_assert_msg(!json_object_get(totals, absent[i]), "%s", absent[i]);
    ck_assert_ptr_null(json_object_get(o, "check"));
    json_t *layer = json_array_get(json_object_get(o, "layers"), 0);
    ck_assert_ptr_null(json_object_get(layer, "bound"));
    ck_assert_ptr_null(json_object_get(layer, "host"));
    json_decref(o);
}
END_TEST

START_TEST(test_settings_keep_their_type)
{
    struct record r = alexnet_record();
    json_t *o = json_of(&r), *s = json_object_get(json_object_get(o, "arch"), "settings");
    ck_assert_int_eq(json_integer_value(json_object_get(s, "array.rows")), 256);
    ck_assert(json_real_value(json_object_get(s, "clock_mhz")) == 700.5);
    ck_assert(json_is_true(json_object_get(s, "array.double_buffer")));
    ck_assert_str_eq(json_string_value(json_object_get(s, "array.dataflow")), "ws");
    ck_assert_int_eq(json_array_size(json_object_get(s, "tile")), 2);
    json_decref(o);
}
END_TEST

START_TEST(test_a_machine_without_time_has_values_only)
{
    struct record r = alexnet_record();
    r.total_cyc = 0;
    r.clock_hz = 0;
    r.peak_macs_per_cycle = 0;
    json_t *o = json_of(&r);
    ck_assert_ptr_null(json_object_get(json_object_get(o, "totals"), "cycles"));
    json_decref(o);
    g_autofree char *text = report_text(&r, &plain), *csv = report_csv(&r, REPORT_CSV_ALL);
    ck_assert_ptr_null(strstr(text, " cycles = "));
    ck_assert_ptr_null(strstr(csv, "nan"));
}
END_TEST

/* The sentence gives the estimate that a person would work out: 90 of 100 cycles halve. */
START_TEST(test_advice_follows_the_bound)
{
    struct record_layer layers[] = {
        {.index = 0, .name = "a", .cycles = 90, .macs = 100, .peak_macs_per_cycle = 100},
        {.index = 1,
         .name = "b",
         .cycles = 10,
         .macs = 1000,
         .peak_macs_per_cycle = 100,
         .bound = BOUND_COMPUTE},
    };
    static const struct {
        enum record_bound bound;
        const char *words;
    } cases[] = {
        {BOUND_MEMORY, "Twice the memory bandwidth would help most, at most 1.82x"},
        {BOUND_LATENCY, "Half the latency of every step would help most, at most 1.82x"},
        {BOUND_SYNC, "Half the waiting between layers would help most, at most 1.82x"},
        {BOUND_COMPUTE, "An array twice as fast would help most, at most 2.00x"},
    };
    struct report_style wide = {.width = 1000};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct record r = bare_record();
        layers[0].bound = cases[i].bound;
        r.layers = layers;
        r.n_layer = 2;
        r.total_cyc = 100;
        g_autofree char *text = report_text(&r, &wide);
        ck_assert_msg(strstr(text, cases[i].words) != NULL, "%s", text);
    }
}
END_TEST

/* 0 where valid, 1 where not, -1 where Python has no jsonschema. */
static int validate(const char *file)
{
    const char *const python = "/usr/bin/python3";
    const char *const probe[] = {python, "-c", "import jsonschema", NULL};
    const char *const argv[] = {python, "-W", "ignore", "-m", "jsonschema",
                                "-i",   file, SCHEMA,   NULL};
    GSpawnFlags flags = G_SPAWN_STDERR_TO_DEV_NULL | G_SPAWN_STDOUT_TO_DEV_NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)probe, NULL, flags, NULL, NULL, NULL, NULL, &status, NULL) ||
        status != 0)
        return -1;
    ck_assert(
        g_spawn_sync(NULL, (char **)argv, NULL, flags, NULL, NULL, NULL, NULL, &status, NULL));
    return status != 0;
}

START_TEST(test_goldens_keep_the_schema)
{
    static const char *const files[] = {GOLDEN "report_alexnet.json", GOLDEN "report_bare.json",
                                        GOLDEN "report_rough.json", GOLDEN "report_kernels.json",
                                        GOLDEN "report_spiking.json"};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        ck_assert_msg(validate(files[i]) != 1, "%s", files[i]);
}
END_TEST

START_TEST(test_schema_refuses_a_null)
{
    struct record r = alexnet_record();
    json_t *o = json_of(&r);
    json_t *layer = json_array_get(json_object_get(o, "layers"), 3);
    json_object_set_new(layer, "energy_j", json_null());
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("accsim-XXXXXX.json", &path, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(json_dumpfd(o, fd, 0), 0);
    json_decref(o);
    ck_assert_int_ne(validate(path), 0);
    remove(path);
}
END_TEST

TEST_MAIN("reports", test_what_one_family_tells_is_in_every_report,
          test_a_long_table_is_whole_in_json_alone, test_a_table_beyond_its_memory_is_refused,
          test_text_is_the_golden, test_json_and_csv_are_the_goldens, test_text_keeps_to_its_width,
          test_any_width_ends, test_ascii_has_no_other_character,
          test_names_cannot_steer_the_terminal, test_colors_only_add_escapes,
          test_three_hundred_layers_have_a_row_each,
          test_json_integers_are_exact_and_floats_come_back, test_json_layers_add_up_to_the_totals,
          test_power_over_time_is_drawn_where_it_is_asked_for,
          test_json_leaves_out_what_does_not_apply, test_settings_keep_their_type,
          test_a_machine_without_time_has_values_only, test_advice_follows_the_bound,
          test_goldens_keep_the_schema, test_schema_refuses_a_null)
