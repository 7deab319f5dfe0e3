/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of arrays: read, whatever is wrong with them, and written. */
#include <zip.h>

#include "tests/unit/npy_bytes.h"

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

TEST_MAIN("npz", test_archive_stored_or_deflated_is_read, test_archive_errors_name_the_member,
          test_archive_bombs_are_refused, test_archive_of_two_equal_names_is_refused,
          test_archive_entries_share_nothing, test_every_mutated_archive_byte_is_survived,
          test_all_formats_survive_a_file, test_equal_tensors_give_equal_bytes,
          test_written_array_is_what_numpy_writes, test_unwritable_file_is_an_output_error)
