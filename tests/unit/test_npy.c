/* SPDX-License-Identifier: Apache-2.0 */
/* Files of one array that NumPy wrote or could have written, and ones that it could not. */
#include <sys/stat.h>

#include "tests/unit/npy_bytes.h"

static void dict_refused(const char *dict, const char *text)
{
    GString *s = npy_bytes(1, dict, data_2x3, sizeof(data_2x3));
    refused(s->str, s->len, text);
    g_string_free(s, TRUE);
}

static void dict_accepted(int version, const char *dict)
{
    GError *error = NULL;
    GString *s = npy_bytes(version, dict, data_2x3, sizeof(data_2x3));
    GHashTable *table = read_bytes(s->str, s->len, &error);
    check_2x3(only_tensor(table, error));
    g_hash_table_destroy(table);
    g_string_free(s, TRUE);
}

START_TEST(test_versions_1_and_2_are_read)
{
    dict_accepted(1, F4_2X3);
    dict_accepted(2, F4_2X3);
    GString *s = npy_bytes(3, F4_2X3, data_2x3, sizeof(data_2x3));
    refused(s->str, s->len, "version 3 of the .npy format");
    g_string_free(s, TRUE);
}
END_TEST

START_TEST(test_any_python_spelling_is_read)
{
    dict_accepted(1, "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}");
    dict_accepted(1,
                  "{ 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , 'descr' : '<f4' , }     ");
}
END_TEST

START_TEST(test_types_are_read)
{
    static const struct {
        const char *descr, bytes[16];
        size_t size;
        enum number type;
        const char want[16];
    } rows[] = {
        {"|i1", "\x80\x7f", 2, NUMBER_int8, "\x80\x7f"},
        {"<i2", "\x01\x02\x03\x84", 4, NUMBER_int16, "\x01\x02\x03\x84"},
        {"<i4", "\x01\x02\x03\x84\0\0\0\1", 8, NUMBER_int32, "\x01\x02\x03\x84\0\0\0\1"},
        {"<f2", "\0\x3c\0\xc0", 4, NUMBER_fp16, "\0\x3c\0\xc0"},
        {"<f4", "\0\0\x80\x3f\0\0\0\xc0", 8, NUMBER_fp32, "\0\0\x80\x3f\0\0\0\xc0"},
        {"<f8", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0", 16, NUMBER_fp64,
         "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0"},
        {"|u1", "\x07\xff", 2, NUMBER_uint8, "\x07\xff"},
        {"<i8", "\1\0\0\0\0\0\0\x80\2\0\0\0\0\0\0\0", 16, NUMBER_int64,
         "\1\0\0\0\0\0\0\x80\2\0\0\0\0\0\0\0"},
        {"|b1", "\0\1", 2, NUMBER_bool, "\0\1"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        char *dict = g_strdup_printf("{'descr': '%s', 'fortran_order': False, 'shape': (2,), }",
                                     rows[i].descr);
        GString *s = npy_bytes(1, dict, rows[i].bytes, rows[i].size);
        GHashTable *table = read_bytes(s->str, s->len, &error);
        const struct tensor *t = only_tensor(table, error);
        ck_assert_int_eq((int)t->type, (int)rows[i].type);
        ck_assert_mem_eq(t->data, rows[i].want, tensor_bytes(t));
        g_hash_table_destroy(table);
        g_string_free(s, TRUE);
        g_free(dict);
    }
}
END_TEST

START_TEST(test_bad_headers_are_named)
{
    static const char *const rows[][2] = {
        {DICT("'>f4'", "False", "(2, 3)"), "save it as x.astype('<f4') instead"},
        {DICT("'<c8'", "False", "(2, 3)"), "type '<c8' is not supported"},
        {DICT("[('a', '<f4')]", "False", "(2, 3)"), "arrays with fields"},
        {DICT("4", "False", "(2, 3)"), "a string expected at byte 10"},
        {DICT("'\\x3cf4'", "False", "(2, 3)"), "a short plain string expected"},
        {DICT("'<f4'", "True", "(2, 3)"), "save numpy.ascontiguousarray(x) instead"},
        {DICT("'<f4'", "0", "(2, 3)"), "True or False expected"},
        {DICT("'<f4'", "False", "[2, 3]"), "a tuple expected"},
        {DICT("'<f4'", "False", "(6)"), "a tuple: (n,) expected"},
        {DICT("'<f4'", "False", "(2 3)"), "',' or ')' expected"},
        {DICT("'<f4'", "False", "(2,, 3)"), "a dimension expected"},
        {DICT("'<f4'", "False", "(-2, -3)"), "a dimension expected"},
        {DICT("'<f4'", "False", "(0, 3)"), "a dimension is less than 1"},
        {DICT("'<f4'", "False", "(1,1,1,1,1,1,1,2,3)"), "no more than 8 dimensions"},
        {DICT("'<f4'", "False", "(9223372036854775808,)"), "a dimension below 2^63"},
        {DICT("'<f4'", "False", "(4294967296, 4294967296, 4)"), "more than 2^40 elements"},
        {DICT("'<f4'", "False", "(2, 3)") " 1", "nothing but white space expected"},
        {"{'descr': '<f4', 'shape': (2, 3)}", "'fortran_order' is missing"},
        {"{'descr': '<f4', 'descr': '<f4'}", "'descr' is given twice"},
        {"{'order': 'C'}", "unknown key 'order'"},
        {"{'descr' '<f4'}", "':' expected at byte 9"},
        {"{'descr': '<f4' 'shape': (2, 3)}", "',' or '}' expected"},
        {"{'descr': '<f4", "a short plain string expected at byte 14"},
        {"{'descr': '<f4', 'shape': (2", "',' or ')' expected"},
        {"['descr']", "'{' expected at byte 0"},
        {"", "'{' expected"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        dict_refused(rows[i][0], rows[i][1]);
}
END_TEST

/* 2^40 elements of 8 bytes in a small file: refused by the size of the file, without an attempt to
 * allocate (which would be ERROR_LIMIT). */
START_TEST(test_shape_larger_than_the_file_is_refused)
{
    dict_refused(DICT("'<f8'", "False", "(1048576, 1048576)"), "describes 8796093022");
    dict_refused(DICT("'<f4'", "False", "(2, 4)"), "but there are");
    dict_refused(DICT("'<f4'", "False", "(5,)"), "but there are");
}
END_TEST

START_TEST(test_truncated_at_every_length_is_refused)
{
    GString *s = npy_bytes(1, F4_2X3, data_2x3, sizeof(data_2x3));
    for (size_t n = 0; n < s->len; n++)
        refused(s->str, n, "accsim-");
    g_string_free(s, TRUE);
}
END_TEST

START_TEST(test_header_longer_than_any_is_refused)
{
    GString *s = npy_bytes(2, F4_2X3, data_2x3, sizeof(data_2x3));
    s->str[11] = '\x7f';
    refused(s->str, s->len, "bytes long, at most 65535");
    g_string_free(s, TRUE);
}
END_TEST

START_TEST(test_every_mutated_header_byte_is_survived)
{
    static const char values[] = "(){}[]'\",: 0189-<>|\\fiuTF\n\x01\x7f\x80\xff"; /* and NUL */
    for (int version = 1; version <= 2; version++) {
        GString *s = npy_bytes(version, F4_2X3, data_2x3, sizeof(data_2x3));
        mutations_survive(s, s->len - sizeof(data_2x3), values, sizeof(values));
        g_string_free(s, TRUE);
    }
}
END_TEST

START_TEST(test_array_is_named_by_its_file)
{
    GError *error = NULL;
    char *path = temp_file(".v2.npy");
    GString *s = npy_bytes(1, F4_2X3, data_2x3, sizeof(data_2x3));
    write_bytes(path, s->str, s->len);
    GHashTable *table = npy_read(path, &error);
    ck_ok(table, error);
    char *name = g_path_get_basename(path);
    name[strlen(name) - 4] = '\0';
    ck_assert_ptr_nonnull(g_hash_table_lookup(table, name));
    g_hash_table_destroy(table);
    g_string_free(s, TRUE);
    g_free(name);
    remove_file(path);
}
END_TEST

START_TEST(test_what_is_no_array_file_is_refused)
{
    GError *error = NULL;
    refused("hello, world", 12, "not an array in .npy format");
    GHashTable *table = npy_read("/nowhere/x.npy", &error);
    ck_error(table, error, ERROR_INPUT, "/nowhere/x.npy: No such file");
    table = npy_read("/tmp", &error);
    ck_error(table, error, ERROR_INPUT, "/tmp: not a regular file");
    char *path = temp_file(".fifo"); /* opening it would wait for ever */
    g_unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    table = npy_read(path, &error);
    ck_error(table, error, ERROR_INPUT, "not a regular file");
    remove_file(path);
}
END_TEST

TEST_MAIN("npy", test_versions_1_and_2_are_read, test_any_python_spelling_is_read,
          test_types_are_read, test_bad_headers_are_named,
          test_shape_larger_than_the_file_is_refused, test_truncated_at_every_length_is_refused,
          test_header_longer_than_any_is_refused, test_every_mutated_header_byte_is_survived,
          test_array_is_named_by_its_file, test_what_is_no_array_file_is_refused)
