/* SPDX-License-Identifier: Apache-2.0 */
/* Files that NumPy wrote or could have written, and ones that it could not: made byte by byte here,
 * so that reader and writer do not confirm each other's mistakes. */
#include "tests/unit/test.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "sim/base/error.h"
#include "workloads/tensor/npy.h"

#define F4_2X3 "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"

static const float data_2x3[6] = {0, -1, 2.5f, 1e-40f, 65504, -0.0f};

/* An empty file of a name of its own. */
static char *temp_file(const char *ending)
{
    char *path = g_strdup_printf("%s/accsim-XXXXXX%s", g_get_tmp_dir(), ending);
    const int fd = g_mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return path;
}

static void remove_file(char *path)
{
    g_unlink(path);
    g_free(path);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        ck_abort_msg("%s cannot be written", path);
}

static GHashTable *read_bytes(const void *bytes, size_t size, GError **error)
{
    char *path = temp_file(".npy");
    write_bytes(path, bytes, size);
    GHashTable *table = npy_read(path, error);
    remove_file(path);
    return table;
}

/* Fails the test unless these bytes are refused as bad input with this message. */
static void refused(const void *bytes, size_t size, const char *text)
{
    GError *error = NULL;
    GHashTable *table = read_bytes(bytes, size, &error);
    ck_error(table, error, ERROR_INPUT, text);
}

/* The bytes of an array, by the description of the format. */
static GString *npy_bytes(int version, const char *dict, const void *data, size_t size)
{
    GString *s = g_string_new("\x93NUMPY");
    const size_t n = strlen(dict) + 1;
    const char start[] = {(char)version, 0, (char)n, (char)(n >> 8), 0, 0};
    g_string_append_len(s, start, version == 1 ? 4 : 6);
    g_string_append_printf(s, "%s\n", dict);
    return g_string_append_len(s, data, (gssize)size);
}

static void dict_refused(const char *dict, const char *text)
{
    GString *s = npy_bytes(1, dict, data_2x3, sizeof(data_2x3));
    refused(s->str, s->len, text);
    g_string_free(s, TRUE);
}

static const struct tensor *only_tensor(GHashTable *table, GError *error)
{
    ck_ok(table, error);
    ck_assert_uint_eq(g_hash_table_size(table), 1);
    GHashTableIter iter;
    gpointer t;
    g_hash_table_iter_init(&iter, table);
    g_hash_table_iter_next(&iter, NULL, &t);
    return t;
}

static void check_2x3(const struct tensor *t)
{
    const struct shape want = shape_make(2, (int64_t[]){2, 3});
    ck_assert_int_eq((int)t->type, NUMBER_fp32);
    ck_assert(shape_equal(&t->shape, &want));
    ck_assert_mem_eq(t->data, data_2x3, sizeof(data_2x3));
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
#define DICT(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
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

/* Either an array, or an error that names the file. */
static void survives(const char *path, const GString *bytes, size_t size)
{
    GError *error = NULL;
    write_bytes(path, bytes->str, size);
    GHashTable *table = npy_read(path, &error);
    if (!table == !error || (error && !g_str_has_prefix(error->message, path)))
        ck_abort_msg("neither array nor error: %s", error ? error->message : "");
    if (table)
        g_hash_table_destroy(table);
    g_clear_error(&error);
}

/* Each of the first n bytes replaced by each of `values`, then the file cut at every length. */
static void mutations_survive(GString *s, size_t n, const char *values, size_t n_value)
{
    char *path = temp_file(".npy");
    for (size_t i = 0; i < n; i++) {
        const char kept = s->str[i];
        for (size_t k = 0; k < n_value; k++) {
            s->str[i] = values[k];
            survives(path, s, s->len);
        }
        s->str[i] = kept;
    }
    for (size_t size = 0; size < s->len; size++)
        survives(path, s, size);
    remove_file(path);
}

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

/* An archive of one array under this name, made by libzip. */
static GString *zip_bytes(const char *name, zip_int32_t method, const void *data, size_t size)
{
    char *path = temp_file(".npz"), *bytes;
    gsize n;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    ck_assert_int_eq(zip_file_add(z, name, zip_source_buffer(z, data, size, 0), 0), 0);
    ck_assert_int_eq(zip_set_file_compression(z, 0, method, 0), 0);
    ck_assert_int_eq(zip_close(z), 0);
    ck_assert(g_file_get_contents(path, &bytes, &n, NULL));
    remove_file(path);
    GString *s = g_string_new_len(bytes, (gssize)n);
    g_free(bytes);
    return s;
}

static GString *zip_2x3(const char *name, zip_int32_t method)
{
    GString *array = npy_bytes(1, F4_2X3, data_2x3, sizeof(data_2x3));
    GString *s = zip_bytes(name, method, array->str, array->len);
    g_string_free(array, TRUE);
    return s;
}

/* The entry of the archive's directory; sizes are at 20 (packed) and 24. */
static char *directory_entry(const GString *s)
{
    for (size_t i = s->len - 4;; i--) {
        if (memcmp(s->str + i, "PK\x01\x02", 4) == 0)
            return s->str + i;
    }
}

START_TEST(test_archive_stored_or_deflated_is_read)
{
    static const zip_int32_t methods[] = {ZIP_CM_STORE, ZIP_CM_DEFLATE};
    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        GError *error = NULL;
        GString *s = zip_2x3("conv1.weight.npy", methods[i]);
        GHashTable *table = read_bytes(s->str, s->len, &error);
        check_2x3(only_tensor(table, error));
        ck_assert_ptr_nonnull(g_hash_table_lookup(table, "conv1.weight"));
        g_hash_table_destroy(table);
        g_string_free(s, TRUE);
    }
}
END_TEST

START_TEST(test_archive_errors_name_the_member)
{
    GString *s = zip_2x3("we\nird.txt", ZIP_CM_STORE);
    refused(s->str, s->len, ".npy: member 'we?ird.txt': its name does not end in .npy");
    g_string_free(s, TRUE);
    s = zip_bytes("x.npy", ZIP_CM_STORE, "hello, world", 12);
    refused(s->str, s->len, "member 'x.npy': not an array in .npy format");
    g_string_free(s, TRUE);
    s = zip_2x3("x.npy", ZIP_CM_STORE);
    directory_entry(s)[-1] ^= 1; /* the last byte of the data */
    refused(s->str, s->len, "member 'x.npy': CRC error");
    g_string_free(s, TRUE);
    refused("PK\x03\x04", 4, "accsim-");
}
END_TEST

/* A deflated gigabyte of zeros is a megabyte; a directory that promises more than that, or a header
 * that promises more than the directory, is refused before anything is allocated. */
START_TEST(test_archive_bombs_are_refused)
{
    GString *s = zip_2x3("x.npy", ZIP_CM_DEFLATE);
    memcpy(directory_entry(s) + 24, "\xff\xff\xff\x7f", 4);
    refused(s->str, s->len, "a size of 2147483647 bytes");
    memcpy(directory_entry(s) + 20, "\xff\xff\xff\x7f", 4);
    refused(s->str, s->len, "accsim-");
    g_string_free(s, TRUE);
    GString *array = npy_bytes(1, DICT("'<f8'", "False", "(1048576, 1048576)"), "", 0);
    s = zip_bytes("x.npy", ZIP_CM_DEFLATE, array->str, array->len);
    refused(s->str, s->len, "describes 8796093022");
    g_string_free(s, TRUE);
    g_string_free(array, TRUE);
}
END_TEST

START_TEST(test_archive_of_two_equal_names_is_refused)
{
    GString *first = zip_2x3("x.npy", ZIP_CM_STORE);
    char *path = temp_file(".npz"), *bytes;
    gsize size;
    write_bytes(path, first->str, first->len);
    zip_t *z = zip_open(path, 0, NULL);
    zip_source_t *source = zip_source_zip(z, z, 0, ZIP_FL_UNCHANGED, 0, -1);
    ck_assert_int_eq(zip_file_add(z, "y.npy", source, 0), 1);
    ck_assert_int_eq(zip_close(z), 0);
    ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
    for (gsize i = 0; i + 5 < size; i++)
        bytes[i] = memcmp(bytes + i, "y.npy", 5) == 0 ? 'x' : bytes[i];
    refused(bytes, size, "member 'x.npy': there are two arrays of this name");
    g_free(bytes);
    g_string_free(first, TRUE);
    remove_file(path);
}
END_TEST

/* A directory whose two entries unpack the same bytes. */
START_TEST(test_archive_entries_share_nothing)
{
    static const char zeros[1000]; /* more than the directory: else there is room for both */
    GString *array = npy_bytes(1, DICT("'|i1'", "False", "(1000,)"), zeros, sizeof(zeros));
    GString *s = zip_bytes("x.npy", ZIP_CM_STORE, array->str, array->len);
    char *entry = directory_entry(s), *end = s->str + s->len - 22; /* the end record */
    const gssize at = entry - s->str, entry_bytes = end - entry;
    char *copy = g_memdup2(entry, (gsize)entry_bytes);
    g_string_insert_len(s, at, copy, entry_bytes);
    end = s->str + s->len - 22;
    end[8] = end[10] = 2;
    end[12] = (char)(2 * entry_bytes);
    refused(s->str, s->len, "member 'x.npy': a size of 1071 bytes");
    g_free(copy);
    g_string_free(s, TRUE);
    g_string_free(array, TRUE);
}
END_TEST

START_TEST(test_every_mutated_archive_byte_is_survived)
{
    static const char values[] = "\x01\x08\x7f\x80\xff"; /* and NUL */
    GString *s = zip_2x3("x.npy", ZIP_CM_DEFLATE);
    mutations_survive(s, s->len, values, sizeof(values));
    g_string_free(s, TRUE);
}
END_TEST

/* One tensor of each format, scalars to 8 dimensions, written and read. */
START_TEST(test_all_formats_survive_a_file)
{
    struct tensor tensors[NUMBER_COUNT];
    const struct tensor *list[NUMBER_COUNT];
    GError *error = NULL;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        const struct shape shape =
            shape_make((i + (i > 0)) % 9, (int64_t[]){3, 1, 2, 5, 1, 1, 2, 3});
        ck_ok(tensor_alloc(&tensors[i], (enum number)i, &shape, &error), error);
        for (size_t k = 0; k < tensor_bytes(&tensors[i]); k++)
            ((uint8_t *)tensors[i].data)[k] =
                i == NUMBER_bool ? k % 2 : (uint8_t)(k % 63 + 1); /* no NaN */
        list[i] = &tensors[i];
    }
    char *path = temp_file(".npz");
    ck_ok(npy_write_npz(path, number_names, list, NUMBER_COUNT, &error), error);
    GHashTable *table = npy_read(path, &error);
    ck_ok(table, error);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        const struct tensor *t = g_hash_table_lookup(table, number_names[i]), *want = list[i];
        ck_assert_int_eq((int)t->type, i == NUMBER_bf16     ? NUMBER_fp32
                                       : i == NUMBER_flex16 ? NUMBER_int16
                                                            : i);
        ck_assert(shape_equal(&t->shape, &want->shape));
        struct tensor back; /* bf16 returns from fp32 */
        ck_ok(tensor_alloc(&back, want->type, &want->shape, &error), error);
        number_convert(back.data, back.type, t->data, t->type, (size_t)shape_count(&t->shape));
        ck_assert_mem_eq(back.data, want->data, tensor_bytes(want));
        tensor_clear(&back);
        tensor_clear(&tensors[i]);
    }
    g_hash_table_destroy(table);
    remove_file(path);
}
END_TEST

static char *written(const char *name, gsize *size)
{
    GError *error = NULL;
    char *path = temp_file(".npz"), *bytes;
    const struct tensor t = {NUMBER_fp32, shape_make(2, (int64_t[]){2, 3}), (void *)data_2x3};
    const struct tensor *const list[] = {&t};
    ck_ok(npy_write_npz(path, &name, list, 1, &error), error);
    ck_assert(g_file_get_contents(path, &bytes, size, NULL));
    remove_file(path);
    return bytes;
}

START_TEST(test_equal_tensors_give_equal_bytes)
{
    gsize size, size_later;
    char *bytes = written("x", &size);
    g_setenv("TZ", "Pacific/Auckland", TRUE);
    char *later = written("x", &size_later);
    ck_assert_uint_eq(size, size_later);
    ck_assert_mem_eq(bytes, later, size);
    ck_assert_mem_eq(bytes + 10, "\0\0\x21\0", 4); /* midnight of 1 January 1980 */
    g_free(bytes);
    g_free(later);
}
END_TEST

/* Stored, so that the array follows the member's name as it is; data at a multiple of 64 bytes of
 * the array, as NumPy's own. */
START_TEST(test_written_array_is_what_numpy_writes)
{
    gsize size;
    char *bytes = written("x", &size);
    static const char head[] = "\x93NUMPY\x01\0\x76\0" F4_2X3;
    const char *array = bytes + 30 + strlen("x.npy") + bytes[28];
    ck_assert_mem_eq(bytes + 30, "x.npy", 5);
    ck_assert_mem_eq(array, head, sizeof(head) - 1);
    ck_assert_int_eq(array[127], '\n');
    ck_assert_mem_eq(array + 128, data_2x3, sizeof(data_2x3));
    g_free(bytes);
}
END_TEST

START_TEST(test_unwritable_file_is_an_output_error)
{
    GError *error = NULL;
    const char *name = "x";
    const struct tensor t = {NUMBER_fp32, shape_make(2, (int64_t[]){2, 3}), (void *)data_2x3};
    const struct tensor *const list[] = {&t};
    const bool ok = npy_write_npz("/nowhere/x.npz", &name, list, 1, &error);
    ck_error(ok, error, ERROR_OUTPUT, "/nowhere/x.npz");
}
END_TEST

TEST_MAIN("npy", test_versions_1_and_2_are_read, test_any_python_spelling_is_read,
          test_types_are_read, test_bad_headers_are_named,
          test_shape_larger_than_the_file_is_refused, test_truncated_at_every_length_is_refused,
          test_header_longer_than_any_is_refused, test_every_mutated_header_byte_is_survived,
          test_array_is_named_by_its_file, test_what_is_no_array_file_is_refused,
          test_archive_stored_or_deflated_is_read, test_archive_errors_name_the_member,
          test_archive_bombs_are_refused, test_archive_of_two_equal_names_is_refused,
          test_archive_entries_share_nothing, test_every_mutated_archive_byte_is_survived,
          test_all_formats_survive_a_file, test_equal_tensors_give_equal_bytes,
          test_written_array_is_what_numpy_writes, test_unwritable_file_is_an_output_error)
