/* SPDX-License-Identifier: Apache-2.0 */
/* Array files made byte by byte, so that reader and writer do not confirm each other's mistakes. */
#pragma once

#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/tensor/npy.h"

/* The dictionary in front of an array. */
#define DICT(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"
#define F4_2X3 DICT("'<f4'", "False", "(2, 3)")

static const float data_2x3[6] = {0, -1, 2.5f, 1e-40f, 65504, -0.0f};

/* An empty file of a name of its own. */
static inline char *temp_file(const char *ending)
{
    char *path = g_strdup_printf("%s/accsim-XXXXXX%s", g_get_tmp_dir(), ending);
    const int fd = g_mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return path;
}

static inline void remove_file(char *path)
{
    g_unlink(path);
    g_free(path);
}

static inline void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        ck_abort_msg("%s cannot be written", path);
}

static inline GHashTable *read_bytes(const void *bytes, size_t size, GError **error)
{
    char *path = temp_file(".npy");
    write_bytes(path, bytes, size);
    GHashTable *table = npy_read(path, error);
    remove_file(path);
    return table;
}

/* Fails the test unless these bytes are refused as bad input with this message. */
static inline void refused(const void *bytes, size_t size, const char *text)
{
    GError *error = NULL;
    GHashTable *table = read_bytes(bytes, size, &error);
    ck_error(table, error, ERROR_INPUT, text);
}

/* The bytes of an array, by the description of the format. */
static inline GString *npy_bytes(int version, const char *dict, const void *data, size_t size)
{
    GString *s = g_string_new("\x93NUMPY");
    const size_t n = strlen(dict) + 1;
    const char start[] = {(char)version, 0, (char)n, (char)(n >> 8), 0, 0};
    g_string_append_len(s, start, version == 1 ? 4 : 6);
    g_string_append_printf(s, "%s\n", dict);
    return g_string_append_len(s, data, (gssize)size);
}

static inline const struct tensor *only_tensor(GHashTable *table, GError *error)
{
    ck_ok(table, error);
    ck_assert_uint_eq(g_hash_table_size(table), 1);
    GHashTableIter iter;
    gpointer t;
    g_hash_table_iter_init(&iter, table);
    g_hash_table_iter_next(&iter, NULL, &t);
    return t;
}

static inline void check_2x3(const struct tensor *t)
{
    const struct shape want = shape_make(2, (int64_t[]){2, 3});
    ck_assert_int_eq((int)t->type, NUMBER_fp32);
    ck_assert(shape_equal(&t->shape, &want));
    ck_assert_mem_eq(t->data, data_2x3, sizeof(data_2x3));
}

/* Either an array, or an error that names the file. */
static inline void survives(const char *path, const GString *bytes, size_t size)
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
static inline void mutations_survive(GString *s, size_t n, const char *values, size_t n_value)
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
