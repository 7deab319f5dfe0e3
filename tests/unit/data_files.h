/* SPDX-License-Identifier: Apache-2.0 */
/* Small data sets in a temporary folder, for the tests of workloads/data/. */
#pragma once

#include <glib/gstdio.h>
#include <unistd.h>
#include <zlib.h>

#include "sim/base/error.h"
#include "tests/unit/test.h"
#include "workloads/data/data.h"

/* The folder of a test; files_remove() at its end. */
static inline char *files_folder(void)
{
    char *folder = g_dir_make_tmp("test-data-XXXXXX", NULL);
    ck_assert_ptr_nonnull(folder);
    return folder;
}

/* Removes the folder with all that is in it, and frees its name. */
static inline void files_remove(char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        char *path = g_build_filename(folder, name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
            files_remove(path);
            continue;
        }
        g_unlink(path);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
}

/* FOLDER/NAME; folders in the name are made. The caller frees it. */
static inline char *files_path(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    ck_assert_int_eq(g_mkdir_with_parents(dir, 0700), 0);
    return path;
}

/* Packed with gzip where the name says so. */
static inline void files_write(const char *folder, const char *name, const void *data, size_t size)
{
    g_autofree char *path = files_path(folder, name);
    if (!g_str_has_suffix(name, ".gz")) {
        ck_assert(g_file_set_contents(path, data, (gssize)size, NULL));
        return;
    }
    gzFile gz = gzopen(path, "wb");
    ck_assert_ptr_nonnull(gz);
    ck_assert_int_eq(gzwrite(gz, data, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(gz), Z_OK);
}

/* An IDX file of bytes: header, then `size` bytes of data. */
static inline void files_write_idx(const char *folder, const char *name, int n_dim,
                                   const uint32_t *dim, const uint8_t *data, size_t size)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const uint8_t magic[] = {0, 0, 8, (uint8_t)n_dim};
    g_byte_array_append(bytes, magic, sizeof(magic));
    for (int i = 0; i < n_dim; i++) {
        const uint32_t high_first = GUINT32_TO_BE(dim[i]);
        g_byte_array_append(bytes, (const uint8_t *)&high_first, 4);
    }
    g_byte_array_append(bytes, data, (guint)size);
    files_write(folder, name, bytes->data, bytes->len);
}

enum { DIGIT_H = 3, DIGIT_W = 2, DIGIT_BYTES = DIGIT_H * DIGIT_W };

/* Image i of files_write_digits(): all its bytes are different from its neighbours'. */
static inline uint8_t digit_byte(int64_t i, int64_t at)
{
    return (uint8_t)(7 * i + 13 * at);
}

/* n images of 3 x 2, labelled i % 4, as PART-images-idx3-ubyteENDING and its labels. */
static inline void files_write_digits(const char *folder, const char *part, const char *ending,
                                      uint32_t n)
{
    g_autofree uint8_t *images = g_malloc(n * DIGIT_BYTES), *labels = g_malloc(n);
    for (uint32_t i = 0; i < n; i++) {
        labels[i] = i % 4;
        for (int at = 0; at < DIGIT_BYTES; at++)
            images[i * DIGIT_BYTES + (uint32_t)at] = digit_byte(i, at);
    }
    g_autofree char *images_name = g_strdup_printf("%s-images-idx3-ubyte%s", part, ending);
    g_autofree char *labels_name = g_strdup_printf("%s-labels-idx1-ubyte%s", part, ending);
    files_write_idx(folder, images_name, 3, (const uint32_t[]){n, DIGIT_H, DIGIT_W}, images,
                    n * DIGIT_BYTES);
    files_write_idx(folder, labels_name, 1, &n, labels, n);
}

/* Opens a set that must be good. */
static inline struct data_set *files_open(const char *path, const struct data_options *options)
{
    GError *error = NULL;
    struct data_set *d = data_open(path, NULL, options, &error);
    ck_ok(d, error);
    return d;
}

/* Opening fails as ERROR_INPUT with this text in the message. */
static inline void files_refused(const char *path, const char *text)
{
    GError *error = NULL;
    struct data_set *d = data_open(path, NULL, NULL, &error);
    ck_error(d, error, ERROR_INPUT, text);
}
