/* SPDX-License-Identifier: Apache-2.0 */
/* What --input and --calibrate name: tensors in a file, or the first images of a data set. */
#include <inttypes.h>

#include "app/run/internal.h"
#include "sim/base/error.h"
#include "workloads/data/data_iter.h"

/* The dimensions from `from` on that are not 1. */
static struct shape squeeze(const struct shape *s, int from)
{
    struct shape out = {0};
    for (int i = from; i < s->n_dim; i++)
        if (s->dim[i] != 1)
            out.dim[out.n_dim++] = s->dim[i];
    return out;
}

/* Whether the network takes such samples: as they are, or as one row of features. */
static bool check_fit(const struct value *value, const struct data_info *info, GError **error)
{
    const struct shape need = squeeze(&value->shape, 1), have = squeeze(&info->shape, 0);
    const bool is_row = need.n_dim == 1 && need.dim[0] == shape_count(&have);
    if (value->shape.n_dim > 1 && (is_row || shape_equal(&need, &have)))
        return true;
    struct arena *a = arena_new();
    error_set(error, ERROR_INPUT, "%s: its samples are %s, the network's input '%s' is %s",
              info->path, shape_text(&info->shape, 0, a), value->name,
              shape_text(&value->shape, 1, a));
    arena_free(a);
    return false;
}

/* The network's only input; NULL on error. */
static const struct value *sole_input(const struct graph *g, const char *spec, GError **error)
{
    const struct value *found = NULL;
    int n = 0;
    for (int i = 0; i < g->n_value; i++) {
        if (g->values[i].kind != VALUE_INPUT)
            continue;
        found = &g->values[i];
        n++;
    }
    if (n == 1)
        return found;
    error_set(error, ERROR_INPUT, "data set '%s': network '%s' has %d inputs, a data set gives one",
              spec, g->name, n);
    return NULL;
}

static bool read_batch(struct data_iter *it, const struct value *value, struct tensor *out,
                       const struct data_info *info, GError **error)
{
    struct tensor images, labels;
    int64_t n;
    if (!data_iter_tensors(it, &images, &labels, error))
        return false;
    bool ok = data_next(it, &images, &labels, &n, error);
    if (ok && n < value->shape.dim[0])
        ok =
            error_set(error, ERROR_INPUT, "%s: %" PRId64 " samples, fewer than a batch of %" PRId64,
                      info->path, n, value->shape.dim[0]);
    ok = ok && tensor_alloc(out, value->type, &value->shape, error);
    if (ok)
        number_convert(out->data, value->type, images.data, images.type,
                       (size_t)shape_count(&value->shape));
    tensor_clear(&images);
    tensor_clear(&labels);
    return ok;
}

static bool load_set(const char *spec, enum data_split split, struct values *v, GError **error)
{
    const struct value *value = sole_input(v->graph, spec, error);
    if (!value)
        return false;
    g_auto(GStrv) dirs = accsim_data_dirs();
    struct data_set *d = data_open(spec, (const char *const *)dirs, NULL, error);
    if (!d)
        return false;
    const struct data_info *info = data_describe(d);
    if (info->n[split] == 0) /* a folder without splits */
        split = split == DATA_TEST ? DATA_TRAIN : DATA_TEST;
    struct data_iter *it = NULL;
    bool ok = check_fit(value, info, error);
    if (ok) {
        const struct data_iter_options o = {.split = split, .batch = value->shape.dim[0]};
        it = data_iter_new(d, &o, error);
        ok = it && read_batch(it, value, &v->at[value->index], info, error);
    }
    data_iter_free(it);
    data_close(d);
    return ok;
}

bool load_inputs(const char *spec, enum data_split split, struct values *v, GError **error)
{
    const bool is_name = data_known_find(spec) != NULL;
    const bool is_folder = g_file_test(spec, G_FILE_TEST_IS_DIR);
    const bool is_there = g_file_test(spec, G_FILE_TEST_EXISTS);
    const bool looks_like_file = g_str_has_suffix(spec, ".npy") || g_str_has_suffix(spec, ".npz");
    if (is_folder || (!is_there && (is_name || !looks_like_file)))
        return load_set(spec, split, v, error);
    return values_load(v, VALUE_INPUT, spec, error);
}
