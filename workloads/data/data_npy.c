/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays: members of a .npz, files of a folder, or one .npy without labels. Samples are
 * [n, H, W], [n, C, H, W] or, without a picture, [n, C]; labels are integers, [n] or [n, 1]. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/data/format.h"
#include "workloads/tensor/npy_header.h"

/* The first names are those that Keras saves sets under. */
static const struct {
    enum data_split split;
    const char *images, *labels;
} arrays[] = {
    {DATA_TRAIN, "x_train.npy", "y_train.npy"},
    {DATA_TEST, "x_test.npy", "y_test.npy"},
    {DATA_TRAIN, "x.npy", "y.npy"},
    {DATA_TRAIN, "images.npy", "labels.npy"},
};

static bool is_folder(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

static bool probe(const char *path)
{
    if (!is_folder(path))
        return g_str_has_suffix(path, ".npy") || g_str_has_suffix(path, ".npz");
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++) {
        g_autofree char *images = g_build_filename(path, arrays[i].images, NULL);
        if (g_file_test(images, G_FILE_TEST_EXISTS))
            return true;
    }
    return false;
}

/* An array as a column of its first dimension: `member` of an archive, or the file. Cleared by the
 * caller also on failure. */
static bool open_column(struct column *c, const char *path, const char *member, struct shape *shape,
                        GError **error)
{
    *c = (struct column){.fd = -1};
    struct stream *s = stream_open(path, member, error);
    if (!s)
        return false;
    struct npy_header h;
    size_t header_bytes = 0;
    GError *reason = NULL;
    bool ok = npy_header_take(stream_take, s, &h, &header_bytes, &reason);
    if (!ok) {
        if (!g_str_has_prefix(reason->message, stream_name(s)))
            g_prefix_error(&reason, "%s: ", stream_name(s));
        g_propagate_error(error, reason);
    } else if (h.shape.n_dim == 0) {
        ok = error_set(error, ERROR_INPUT, "%s: one number is no set of samples", stream_name(s));
    } else {
        *shape = h.shape;
        c->type = h.type;
        c->n = h.shape.dim[0];
        c->count = shape_count_from(&h.shape, 1);
        c->offset_bytes = (int64_t)header_bytes;
        ok = column_check(c, s, path, member, error);
    }
    stream_close(s);
    return ok;
}

/* C, H, W of the samples of an array. */
static bool sample_shape(const struct shape *in_file, const char *file, struct shape *sample,
                         GError **error)
{
    const int64_t *dim = in_file->dim;
    switch (in_file->n_dim) {
    case 2:
        *sample = shape_make(3, (const int64_t[]){dim[1], 1, 1});
        break;
    case 3:
        *sample = shape_make(3, (const int64_t[]){1, dim[1], dim[2]});
        break;
    case 4:
        *sample = shape_make(3, dim + 1);
        break;
    default:
        return error_set(error, ERROR_INPUT,
                         "%s: %d dimensions; [n, features], [n, H, W] or [n, C, H, W] is expected",
                         file, in_file->n_dim);
    }
    return data_check_shape(sample, file, error);
}

static bool check_labels(const struct column *c, const char *file, GError **error)
{
    if (number_is_float(c->type))
        return error_set(error, ERROR_INPUT, "%s: labels are %s; integers are expected", file,
                         number_names[c->type]);
    return c->count == 1 ||
           error_set(error, ERROR_INPUT, "%s: %" G_GINT64_FORMAT " labels a sample; 1 is expected",
                     file, c->count);
}

/* The arrays of one split; labels NULL: there are none. */
static bool add_arrays(struct data_set *d, enum data_split split, const char *images,
                       const char *labels, GError **error)
{
    const bool is_archive = g_str_has_suffix(d->info.path, ".npz");
    g_autofree char *images_path = is_folder(d->info.path)
                                       ? g_build_filename(d->info.path, images, NULL)
                                       : g_strdup(d->info.path);
    g_autofree char *labels_path = is_folder(d->info.path) && labels
                                       ? g_build_filename(d->info.path, labels, NULL)
                                       : g_strdup(d->info.path);
    struct column image, label = {.fd = -1};
    struct shape in_file, of_labels, sample;
    bool ok = open_column(&image, images_path, is_archive ? images : NULL, &in_file, error) &&
              sample_shape(&in_file, images_path, &sample, error);
    if (ok && labels)
        ok = open_column(&label, labels_path, is_archive ? labels : NULL, &of_labels, error) &&
             check_labels(&label, labels_path, error);
    if (ok)
        return data_add_part(d, split, &image, labels ? &label : NULL, &sample, error);
    column_clear(&image);
    column_clear(&label);
    return false;
}

/* Whether a set that is no single array has this one. */
static bool has_array(const char *path, const char *name)
{
    if (is_folder(path)) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        return g_file_test(file, G_FILE_TEST_EXISTS);
    }
    struct stream *s = stream_open(path, name, NULL);
    stream_close(s);
    return s != NULL;
}

static bool open_set(struct data_set *d, const struct data_options *o, GError **error)
{
    (void)o;
    const char *path = d->info.path;
    if (!is_folder(path) && !g_str_has_suffix(path, ".npz"))
        return add_arrays(d, DATA_TRAIN, NULL, NULL, error);
    bool is_labelled = true;
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++) {
        if (d->info.n[arrays[i].split] > 0 || !has_array(path, arrays[i].images))
            continue;
        const bool has_labels = has_array(path, arrays[i].labels);
        is_labelled = is_labelled && has_labels;
        if (!add_arrays(d, arrays[i].split, arrays[i].images, has_labels ? arrays[i].labels : NULL,
                        error))
            return false;
    }
    if (d->info.shape.n_dim == 0) { /* says whether the archive is bad or the array missing */
        stream_close(stream_open(path, arrays[0].images, error));
        return false;
    }
    return !is_labelled || data_count_classes(d, error);
}

const struct data_format data_npy = {
    .name = "npy",
    .looks = "a .npz, or a folder of .npy, with x_train, y_train, x_test, y_test",
    .probe = probe,
    .open = open_set,
    .read = data_read_record,
};
