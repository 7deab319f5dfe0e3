/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR's binary version: records of one label byte (CIFAR-100: a coarse and a fine one) and 3 x 32
 * x 32 bytes, planes of red, green and blue. https://www.cs.toronto.edu/~kriz/cifar.html */
#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "sim/base/error.h"
#include "workloads/data/format.h"

enum { IMAGE_BYTES = 3 * 32 * 32 };

static const struct variant {
    const char *mark; /* the file that tells it is this one */
    int n_label_byte, i_label_byte, n_class;
    const char *files[DATA_N_SPLIT][DATA_MAX_PART];
} variants[] = {
    {"data_batch_1.bin",
     1,
     0,
     10,
     {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
       "data_batch_5.bin"},
      {"test_batch.bin"}}},
    {"train.bin", 2, 1, 100, {{"train.bin"}, {"test.bin"}}},
};

static const struct variant *find_variant(const char *dir)
{
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *mark = g_build_filename(dir, variants[i].mark, NULL);
        if (g_file_test(mark, G_FILE_TEST_EXISTS))
            return &variants[i];
    }
    return NULL;
}

static bool probe(const char *path)
{
    return find_variant(path) != NULL;
}

static bool count_records(const char *path, int64_t record_bytes, int64_t *n, GError **error)
{
    GStatBuf st;
    if (g_stat(path, &st) != 0)
        return error_set(error, ERROR_INPUT, "%s: %s", path, g_strerror(errno));
    *n = st.st_size / record_bytes;
    if (*n == 0 || st.st_size % record_bytes != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: %" PRId64 " bytes are no whole number of records of %" PRId64, path,
                         (int64_t)st.st_size, record_bytes);
    return true;
}

static bool add_file(struct data_set *d, enum data_split split, const struct variant *v,
                     const char *path, GError **error)
{
    const struct shape shape = shape_make(3, (const int64_t[]){3, 32, 32});
    struct column image = {.type = NUMBER_uint8, .count = IMAGE_BYTES, .fd = -1};
    image.stride_bytes = v->n_label_byte + IMAGE_BYTES;
    if (!count_records(path, image.stride_bytes, &image.n, error))
        return false;
    struct stream *s = stream_open(path, NULL, error);
    if (!s)
        return false;
    image.offset_bytes = v->n_label_byte;
    image.size_bytes = image.n * image.stride_bytes;
    struct column label = image;
    label.count = 1;
    label.offset_bytes = v->i_label_byte;
    bool ok =
        column_check(&image, s, path, NULL, error) && column_check(&label, s, path, NULL, error);
    stream_close(s);
    if (ok)
        return data_add_part(d, split, &image, &label, &shape, error);
    column_clear(&image);
    column_clear(&label);
    return false;
}

static bool open_set(struct data_set *d, const struct data_options *o, GError **error)
{
    (void)o;
    const struct variant *v = find_variant(d->info.path);
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        for (int i = 0; i < DATA_MAX_PART && v->files[split][i]; i++) {
            g_autofree char *path = g_build_filename(d->info.path, v->files[split][i], NULL);
            if (!add_file(d, split, v, path, error))
                return false;
        }
    }
    d->info.n_class = v->n_class;
    return true;
}

const struct data_format data_cifar = {
    .name = "cifar",
    .looks = "a folder with CIFAR's data_batch_1.bin or train.bin",
    .probe = probe,
    .open = open_set,
    .read = data_read_record,
};
