/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of a data set, epoch after epoch.
 *
 *     struct data_iter *it = data_iter_new(set, &options, &error);
 *     data_iter_tensors(it, &images, &labels, &error);
 *     for (uint64_t epoch = 0; epoch < n_epoch; epoch++) {
 *         data_iter_start(it, epoch, 0);
 *         while (data_next(it, &images, &labels, &n, &error) && n > 0)
 *             ...
 *     }
 *
 * What batch k of an epoch holds is a function of the set, the options, the epoch and k alone. The
 * memory is that of one sample: the order of an epoch is computed, not stored (shuffle.h). */
#pragma once

#include "workloads/data/augment.h"
#include "workloads/data/data.h"

struct data_iter_options {
    enum data_split split;
    int64_t batch;
    bool shuffle;                         /* a new order each epoch; else the order of the files */
    bool drop_last;                       /* leave a last batch of fewer samples out */
    uint64_t seed;                        /* of order and augmentation */
    const struct augment_config *augment; /* NULL: none */
};

struct data_iter;

/* At batch 0 of epoch 0. The set must outlive it. */
struct data_iter *data_iter_new(struct data_set *set, const struct data_iter_options *options,
                                GError **error);
void data_iter_free(struct data_iter *it); /* NULL is ignored */

int64_t data_iter_batches(const struct data_iter *it); /* of an epoch */
/* Goes to batch k of an epoch. */
void data_iter_start(struct data_iter *it, uint64_t epoch, int64_t k);

/* Allocates what data_next() fills: images [batch, C, H, W] of fp32, labels [batch] of int64. */
bool data_iter_tensors(const struct data_iter *it, struct tensor *images, struct tensor *labels,
                       GError **error);
/* The next batch; *n is the number of its samples, 0 at the end of the epoch. Rows from n on are
 * 0, their labels -1. */
bool data_next(struct data_iter *it, struct tensor *images, struct tensor *labels, int64_t *n,
               GError **error);
