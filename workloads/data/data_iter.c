/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/data_iter.h"

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/data/shuffle.h"

struct data_iter {
    struct data_set *set;
    struct data_iter_options options;
    struct augment *augment; /* NULL: none */
    struct shuffle shuffle;
    uint64_t epoch;
    int64_t n;  /* samples of an epoch */
    int64_t at; /* the next one */
};

static struct shape batch_shape(const struct data_iter *it)
{
    const int64_t *chw = data_describe(it->set)->shape.dim;
    return shape_make(4, (const int64_t[]){it->options.batch, chw[0], chw[1], chw[2]});
}

static bool check(const struct data_iter *it, GError **error)
{
    const struct data_info *info = data_describe(it->set);
    const char *split = data_split_names[it->options.split];
    if (info->n[it->options.split] == 0)
        return error_set(error, ERROR_INPUT, "%s: there is no %s split", info->path, split);
    const struct shape shape = it->options.batch < 1 ? (struct shape){0} : batch_shape(it);
    const char *why = "it is less than 1";
    if (it->options.batch < 1 || !shape_check(&shape, &why))
        return error_set(error, ERROR_INPUT, "%s: a batch of %" G_GINT64_FORMAT ": %s", info->path,
                         it->options.batch, why);
    return it->n > 0 || error_set(error, ERROR_INPUT,
                                  "%s: the %s split has %" G_GINT64_FORMAT
                                  " samples, fewer than a batch of %" G_GINT64_FORMAT,
                                  info->path, split, info->n[it->options.split], it->options.batch);
}

struct data_iter *data_iter_new(struct data_set *set, const struct data_iter_options *options,
                                GError **error)
{
    struct data_iter *it = g_new0(struct data_iter, 1);
    it->set = set;
    it->options = *options;
    it->n = data_describe(set)->n[options->split];
    if (options->drop_last && options->batch > 0)
        it->n -= it->n % options->batch;
    if (!check(it, error))
        goto fail;
    if (options->augment) {
        it->augment = augment_new(options->augment, &data_describe(set)->shape, error);
        if (!it->augment)
            goto fail;
    }
    it->options.augment = NULL; /* the caller's, which may be gone */
    data_iter_start(it, 0, 0);
    return it;
fail:
    data_iter_free(it);
    return NULL;
}

void data_iter_free(struct data_iter *it)
{
    if (!it)
        return;
    augment_free(it->augment);
    g_free(it);
}

int64_t data_iter_batches(const struct data_iter *it)
{
    return int64_div_up(it->n, it->options.batch);
}

void data_iter_start(struct data_iter *it, uint64_t epoch, int64_t k)
{
    g_assert(k >= 0 && k <= data_iter_batches(it));
    const int64_t n_all = data_describe(it->set)->n[it->options.split];
    it->epoch = epoch;
    it->shuffle = shuffle_make(n_all, it->options.seed, epoch);
    it->at = MIN(k * it->options.batch, it->n);
}

bool data_iter_tensors(const struct data_iter *it, struct tensor *images, struct tensor *labels,
                       GError **error)
{
    const struct shape shape = batch_shape(it);
    const struct shape of_labels = shape_make(1, &it->options.batch);
    if (!tensor_alloc(images, NUMBER_fp32, &shape, error))
        return false;
    if (tensor_alloc(labels, NUMBER_int64, &of_labels, error))
        return true;
    tensor_clear(images);
    return false;
}

bool data_next(struct data_iter *it, struct tensor *images, struct tensor *labels, int64_t *n,
               GError **error)
{
    const struct shape shape = batch_shape(it);
    g_assert(images->type == NUMBER_fp32 && shape_equal(&images->shape, &shape));
    g_assert(labels->type == NUMBER_int64 && shape_count(&labels->shape) == it->options.batch);
    const int64_t size = shape_count_from(&shape, 1);
    float *image = images->data;
    int64_t *label = labels->data;
    *n = MIN(it->options.batch, it->n - it->at);
    for (int64_t i = 0; i < *n; i++, it->at++, image += size, label++) {
        const int64_t sample = it->options.shuffle ? shuffle_at(&it->shuffle, it->at) : it->at;
        if (!data_read(it->set, it->options.split, sample, image, label, error))
            return false;
        if (it->augment)
            augment_apply(it->augment, image, it->options.seed, it->epoch, (uint64_t)sample);
    }
    for (int64_t i = 0; i < (it->options.batch - *n) * size; i++)
        image[i] = 0;
    for (int64_t i = 0; i < it->options.batch - *n; i++)
        label[i] = -1;
    return true;
}
