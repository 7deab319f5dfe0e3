/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of data sets; private to workloads/data/. */
#pragma once

#include "sim/base/arena.h"
#include "workloads/data/column.h"
#include "workloads/data/data.h"

enum {
    DATA_MAX_PART = 8,        /* files of a split; CIFAR-10 has 5 */
    DATA_MAX_CLASS = 1 << 24, /* far above any set's; what a bad label is told by */
};
#define DATA_MAX_SAMPLE (INT64_C(1) << 24) /* numbers of one: 4096 x 4096 */

/* Samples that lie in files of equal records. */
struct data_part {
    struct column image, label; /* label.n = 0: none */
};

struct data_set {
    struct data_info info;
    const struct data_format *format;
    struct arena *arena;
    struct data_part parts[DATA_N_SPLIT][DATA_MAX_PART];
    int n_part[DATA_N_SPLIT];
    void *raw;                   /* a record as it lies in the file */
    struct image_folder *folder; /* of data_images.c alone */
};

struct data_format {
    const char *name;
    const char *looks; /* what a set of this format is recognised by, for messages */
    bool (*probe)(const char *path);
    /* Fills info.n, info.shape, info.n_class and the parts; the set is closed on failure. */
    bool (*open)(struct data_set *d, const struct data_options *o, GError **error);
    bool (*read)(struct data_set *d, enum data_split split, int64_t i, float *image, int64_t *label,
                 GError **error);
    void (*close)(struct data_set *d); /* NULL: parts alone */
};

extern const struct data_format data_idx, data_cifar, data_npy, data_images;

/* Adds n samples of records to a split: the first gives the set's shape, the others must have
 * it. Takes the columns over, also on failure; `label` may be NULL. */
bool data_add_part(struct data_set *d, enum data_split split, struct column *image,
                   struct column *label, const struct shape *shape, GError **error);
/* The read() of sets of records. */
bool data_read_record(struct data_set *d, enum data_split split, int64_t i, float *image,
                      int64_t *label, GError **error);
/* Reads all labels once: info.n_class = the largest + 1; ERROR_INPUT for one that is no class. */
bool data_count_classes(struct data_set *d, GError **error);
/* shape_check() and a sample of at most DATA_MAX_SAMPLE numbers; the error names the file. */
bool data_check_shape(const struct shape *shape, const char *file, GError **error);
