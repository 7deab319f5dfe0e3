/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST's format: two zero bytes, a byte for the type of the numbers, one for how many dimensions
 * there are, the dimensions as 32 bits each, high byte first, then the numbers.
 * http://yann.lecun.com/exdb/mnist/ */
#include <inttypes.h>

#include "sim/base/error.h"
#include "workloads/data/format.h"

enum { TYPE_UBYTE = 0x08, MAX_RANK = 4 };

static const struct {
    const char *images, *labels;
} stems[DATA_N_SPLIT] = {
    [DATA_TRAIN] = {"train-images", "train-labels"},
    [DATA_TEST] = {"t10k-images", "t10k-labels"},
};

/* DIR/STEM-idxRANK-ubyte in one of its spellings; NULL: none is there. The caller frees it. */
static char *find(const char *dir, const char *stem, int rank)
{
    static const char marks[] = "-.";
    for (int i = 0; marks[i]; i++) {
        for (int packed = 0; packed < 2; packed++) {
            char *path = g_strdup_printf("%s/%s%cidx%d-ubyte%s", dir, stem, marks[i], rank,
                                         packed ? ".gz" : "");
            if (g_file_test(path, G_FILE_TEST_EXISTS))
                return path;
            g_free(path);
        }
    }
    return NULL;
}

static char *find_images(const char *dir, enum data_split split)
{
    char *path = find(dir, stems[split].images, 3);
    return path ? path : find(dir, stems[split].images, 4); /* with a dimension of channels */
}

static bool probe(const char *path)
{
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        g_autofree char *images = find_images(path, split);
        if (images)
            return true;
    }
    return false;
}

/* Reads the header; dim[0 .. rank-1] with rank from `least` to `most`. */
static bool take_header(struct stream *s, int least, int most, struct shape *shape, GError **error)
{
    uint8_t start[4], dim[4];
    if (!stream_take(s, start, sizeof(start), error))
        return false;
    if (start[0] || start[1])
        return error_set(error, ERROR_INPUT, "%s: no IDX file: it begins with %02x %02x, not 00 00",
                         stream_name(s), start[0], start[1]);
    if (start[2] != TYPE_UBYTE)
        return error_set(error, ERROR_INPUT, "%s: numbers of type 0x%02x; known are bytes, 0x%02x",
                         stream_name(s), start[2], TYPE_UBYTE);
    if (start[3] < least || start[3] > most)
        return error_set(error, ERROR_INPUT, "%s: %d dimensions; %d%s%s expected", stream_name(s),
                         start[3], least, most > least ? " or " : "",
                         most > least ? "4 are" : " is");
    shape->n_dim = start[3];
    for (int i = 0; i < shape->n_dim; i++) {
        if (!stream_take(s, dim, sizeof(dim), error))
            return false;
        shape->dim[i] = (int64_t)((uint32_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3]);
    }
    const char *why;
    return shape_check(shape, &why) ||
           error_set(error, ERROR_INPUT, "%s: the shape is not supported: %s", stream_name(s), why);
}

/* A file as a column of its first dimension. Cleared by the caller also on failure. */
static bool open_column(struct column *c, const char *path, int least, int most,
                        struct shape *shape, GError **error)
{
    *c = (struct column){.type = NUMBER_uint8, .fd = -1};
    struct stream *s = stream_open(path, NULL, error);
    bool ok = s && take_header(s, least, most, shape, error);
    if (ok) {
        c->n = shape->dim[0];
        c->count = shape_count_from(shape, 1);
        c->offset_bytes = 4 + 4 * shape->n_dim;
        ok = column_check(c, s, path, NULL, error);
    }
    stream_close(s);
    return ok;
}

static bool open_split(struct data_set *d, enum data_split split, const char *images_path,
                       GError **error)
{
    g_autofree char *labels_path = find(d->info.path, stems[split].labels, 1);
    if (!labels_path)
        return error_set(error, ERROR_INPUT, "%s: the labels are missing: %s-idx1-ubyte beside it",
                         images_path, stems[split].labels);
    struct column images, labels = {.fd = -1};
    struct shape in_file, of_labels, sample = {.n_dim = 3};
    bool ok = open_column(&images, images_path, 3, MAX_RANK, &in_file, error) &&
              open_column(&labels, labels_path, 1, 1, &of_labels, error);
    if (ok) {
        sample.dim[0] = in_file.n_dim == 4 ? in_file.dim[1] : 1;
        sample.dim[1] = in_file.dim[in_file.n_dim - 2];
        sample.dim[2] = in_file.dim[in_file.n_dim - 1];
        ok = data_check_shape(&sample, images_path, error);
    }
    if (ok)
        return data_add_part(d, split, &images, &labels, &sample, error);
    column_clear(&images);
    column_clear(&labels);
    return false;
}

static bool open_set(struct data_set *d, const struct data_options *o, GError **error)
{
    (void)o;
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        g_autofree char *images = find_images(d->info.path, split);
        if (images && !open_split(d, split, images, error))
            return false;
    }
    return data_count_classes(d, error);
}

const struct data_format data_idx = {
    .name = "idx",
    .looks = "a folder with train-images-idx3-ubyte (or .gz) and its labels",
    .probe = probe,
    .open = open_set,
    .read = data_read_record,
};
