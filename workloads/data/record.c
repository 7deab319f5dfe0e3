/* SPDX-License-Identifier: Apache-2.0 */
/* Samples that lie in files of equal records. */
#include <inttypes.h>

#include "sim/base/error.h"
#include "workloads/data/format.h"

static bool same_shape(struct data_set *d, const struct shape *shape, const char *file,
                       GError **error)
{
    if (d->info.shape.n_dim == 0)
        d->info.shape = *shape;
    if (shape_equal(&d->info.shape, shape))
        return true;
    return error_set(error, ERROR_INPUT, "%s: samples are %s, those before it %s", file,
                     shape_text(shape, 0, d->arena), shape_text(&d->info.shape, 0, d->arena));
}

bool data_add_part(struct data_set *d, enum data_split split, struct column *image,
                   struct column *label, const struct shape *shape, GError **error)
{
    g_assert(d->n_part[split] < DATA_MAX_PART);
    struct data_part *part = &d->parts[split][d->n_part[split]++];
    part->image = *image;
    part->label = label ? *label : (struct column){.fd = -1};
    if (!same_shape(d, shape, image->path, error))
        return false;
    if (label && label->n != image->n)
        return error_set(error, ERROR_INPUT,
                         "%s: %" PRId64 " labels, but there are %" PRId64 " images in %s",
                         label->path, label->n, image->n, image->path);
    d->info.n[split] += image->n;
    const size_t need = MAX(column_record_bytes(image), sizeof(int64_t));
    g_free(d->raw); /* parts may differ in number format */
    d->raw = g_try_malloc(MAX(need, (size_t)shape_count(shape) * sizeof(double)));
    return d->raw || error_set(error, ERROR_LIMIT, "%s: no memory for a sample of %zu bytes",
                               image->path, need);
}

/* Bytes as photographs have them become [0, 1]; other numbers stay. */
static void to_fp32(float *out, const void *raw, enum number type, int64_t n)
{
    number_convert(out, NUMBER_fp32, raw, type, (size_t)n);
    for (int64_t i = 0; i < n && type == NUMBER_uint8; i++)
        out[i] /= 255.0f;
}

bool data_read_record(struct data_set *d, enum data_split split, int64_t i, float *image,
                      int64_t *label, GError **error)
{
    struct data_part *part = d->parts[split];
    for (; i >= part->image.n; part++)
        i -= part->image.n;
    if (!column_read(&part->image, i, d->raw, error))
        return false;
    to_fp32(image, d->raw, part->image.type, part->image.count);
    if (part->label.n == 0)
        return true;
    if (!column_read(&part->label, i, d->raw, error))
        return false;
    *label = number_get_int64(d->raw, part->label.type, 0);
    return true;
}

/* The largest label of a column, from front to back. */
static bool scan(const struct column *c, int64_t *largest, GError **error)
{
    enum { CHUNK = 4096 };
    char raw[CHUNK * sizeof(int64_t)];
    const size_t size = number_bytes(c->type);
    struct stream *s = stream_open(c->path, c->member, error);
    bool ok = s && stream_take(s, raw, 0, error);
    for (int64_t left = c->offset_bytes; ok && left > 0; left -= CHUNK)
        ok = stream_take(s, raw, (size_t)MIN(left, CHUNK), error);
    for (int64_t i = 0; ok && i < c->n; i += CHUNK) {
        const int64_t n = MIN(c->n - i, CHUNK);
        ok = stream_take(s, raw, (size_t)n * size, error);
        for (int64_t j = 0; ok && j < n; j++) {
            const int64_t label = number_get_int64(raw, c->type, (size_t)j);
            ok = (label >= 0 && label < DATA_MAX_CLASS) ||
                 error_set(error, ERROR_INPUT,
                           "%s: label %" PRId64 " of sample %" PRId64
                           " is no class: 0 to %d are expected",
                           stream_name(s), label, i + j, DATA_MAX_CLASS - 1);
            *largest = MAX(*largest, label);
        }
    }
    stream_close(s);
    return ok;
}

bool data_count_classes(struct data_set *d, GError **error)
{
    int64_t largest = -1;
    for (int split = 0; split < DATA_N_SPLIT; split++)
        for (int i = 0; i < d->n_part[split]; i++)
            if (!scan(&d->parts[split][i].label, &largest, error))
                return false;
    d->info.n_class = largest + 1;
    return true;
}
