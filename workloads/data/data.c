/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of any format: opening, and reading those that are files of records. */
#include "workloads/data/data.h"

#include <inttypes.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"
#include "workloads/data/format.h"

const char *const data_split_names[DATA_N_SPLIT] = {"train", "test"};

/* In the order of asking: a folder of images is what has no other mark. */
static const struct data_format *const data_formats[] = {&data_idx, &data_cifar, &data_npy,
                                                         &data_images};

static bool no_format(const char *path, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(data_formats); i++)
        g_string_append_printf(known, "%s%s", i ? "; " : "", data_formats[i]->looks);
    return error_set(error, ERROR_INPUT, "%s: no data set; known are %s", path, known->str);
}

static bool not_found(const char *spec, const struct data_known *known, GError **error)
{
    if (known) {
        g_autofree char *advice = data_known_advice(known);
        return error_set(error, ERROR_INPUT, "data set '%s' is not here: %s", spec, advice);
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct data_known *k = data_known; k->name; k++)
        g_ptr_array_add(names, (void *)k->name);
    const char *near = cfg_nearest(spec, (const char *const *)names->pdata, names->len);
    return error_set(error, ERROR_INPUT,
                     "no file, folder or data set '%s'%s%s%s ('accsim list datasets' names them)",
                     spec, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The path that spec means; the caller frees it. */
static char *resolve(const char *spec, const char *const *dirs, GError **error)
{
    if (g_file_test(spec, G_FILE_TEST_EXISTS))
        return g_strdup(spec);
    const struct data_known *known = data_known_find(spec);
    char *path = known ? data_known_path(known, dirs) : NULL;
    if (!path)
        not_found(spec, known, error);
    return path;
}

static bool open_format(struct data_set *d, const struct data_options *o, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(data_formats) && !d->format; i++)
        if (data_formats[i]->probe(d->info.path))
            d->format = data_formats[i];
    if (!d->format)
        return no_format(d->info.path, error);
    d->info.format = d->format->name;
    return d->format->open(d, o, error);
}

struct data_set *data_open(const char *spec, const char *const *dirs,
                           const struct data_options *options, GError **error)
{
    static const struct data_options none = {0};
    g_autofree char *path = resolve(spec, dirs, error);
    if (!path)
        return NULL;
    struct data_set *d = g_new0(struct data_set, 1);
    d->arena = arena_new();
    d->info.path = arena_strdup(d->arena, path);
    if (open_format(d, options ? options : &none, error))
        return d;
    data_close(d);
    return NULL;
}

void data_close(struct data_set *d)
{
    if (!d)
        return;
    if (d->format && d->format->close)
        d->format->close(d);
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        for (int i = 0; i < d->n_part[split]; i++) {
            column_clear(&d->parts[split][i].image);
            column_clear(&d->parts[split][i].label);
        }
    }
    g_free(d->raw);
    arena_free(d->arena);
    g_free(d);
}

const struct data_info *data_describe(const struct data_set *d)
{
    return &d->info;
}

bool data_read(struct data_set *d, enum data_split split, int64_t i, float *image, int64_t *label,
               GError **error)
{
    g_assert(i >= 0 && i < d->info.n[split]);
    *label = -1;
    if (!d->format->read(d, split, i, image, label, error))
        return false;
    if (d->info.n_class > 0 && (*label < 0 || *label >= d->info.n_class))
        return error_set(error, ERROR_INPUT,
                         "%s: %s sample %" PRId64 " has the label %" PRId64 ", there are %" PRId64
                         " classes",
                         d->info.path, data_split_names[split], i, *label, d->info.n_class);
    return true;
}

bool data_check_shape(const struct shape *shape, const char *file, GError **error)
{
    const char *why;
    if (!shape_check(shape, &why))
        return error_set(error, ERROR_INPUT, "%s: the shape is not supported: %s", file, why);
    if (shape_count(shape) > DATA_MAX_SAMPLE)
        return error_set(error, ERROR_INPUT,
                         "%s: a sample of %" PRId64 " numbers, at most %" PRId64 " are supported",
                         file, shape_count(shape), DATA_MAX_SAMPLE);
    return true;
}
