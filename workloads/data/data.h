/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets: images with class labels, read a sample at a time.
 *
 *     struct data_set *d = data_open("fashion-mnist", dirs, NULL, &error);
 *     struct data_iter *it = data_iter_new(d, &options, &error);    data_iter.h: batches
 *     ...
 *     data_close(d);
 *
 * A format is a file of this folder and a row of data_formats[]: IDX (MNIST and its kin, gzip or
 * not), CIFAR's binary files, NumPy's .npz, folders of PNG and JPEG images.
 *
 * A set is never whole in memory: a sample is read where it lies in its file. A packed file (gzip,
 * a member of a .npz) has no such places, so when a split is first read it is unpacked into a
 * temporary file without a name, in $TMPDIR, which is gone when the set is closed or the
 * program ends. Headers, counts and lengths are checked by data_open() before anything is
 * allocated. One thread uses a set at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/tensor/tensor.h"

enum data_split { DATA_TRAIN, DATA_TEST, DATA_N_SPLIT };
extern const char *const data_split_names[DATA_N_SPLIT];

/* Of folders of images; 0: that of the first image of the training split. */
struct data_options {
    int64_t height, width; /* images are scaled to cover this, then the middle is cut out */
    int64_t channels;      /* 1: grey, 3: red, green, blue */
};

struct data_info {
    const char *path;        /* of the folder or file */
    const char *format;      /* "idx" */
    int64_t n[DATA_N_SPLIT]; /* samples; 0: there is no such split */
    struct shape shape;      /* C, H, W of a sample; features without a picture are C, 1, 1 */
    int64_t n_class;         /* labels are 0 .. n_class - 1; 0: the set has no labels */
};

struct data_set;

/* Opens a path, or a known name (data_known[]) that is looked up in `dirs` (NULL-terminated, may be
 * NULL) and where its package puts it. `options` may be NULL. NULL on error, which names the file
 * and what is wrong with it. */
struct data_set *data_open(const char *spec, const char *const *dirs,
                           const struct data_options *options, GError **error);
void data_close(struct data_set *d); /* NULL is ignored */
const struct data_info *data_describe(const struct data_set *d);

/* Sample i of a split: C x H x W numbers into image, its class into *label (-1 where the set has
 * none). Bytes are scaled to [0, 1] by 1/255; numbers of other formats stay as they are. */
bool data_read(struct data_set *d, enum data_split split, int64_t i, float *image, int64_t *label,
               GError **error);

/* Sets that can be named. */
struct data_known {
    const char *name;
    const char *summary;
    const char *package;       /* Debian's; NULL: none */
    const char *source;        /* where its files can be had */
    const char *const *places; /* folders or files, below a searched one or absolute */
};
extern const struct data_known data_known[]; /* ends with name NULL */

/* The row of a name; NULL: none. */
const struct data_known *data_known_find(const char *name);
/* Where a known set lies; the caller frees it. NULL: nowhere. */
char *data_known_path(const struct data_known *known, const char *const *dirs);
/* "apt install dataset-fashion-mnist", or where its files can be had; the caller frees it. */
char *data_known_advice(const struct data_known *known);
