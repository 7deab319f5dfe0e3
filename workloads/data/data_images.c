/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of pictures: CLASS/x.png, or train/CLASS/x.png and test/CLASS/x.png. Classes are the
 * subfolders' names, sorted; pictures of a class are sorted by name, so that the order does not
 * depend on the file system. The memory is that of the names. */
#include <inttypes.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/data/format.h"
#include "workloads/data/image.h"

struct image_folder {
    GPtrArray *classes;             /* names */
    GPtrArray *files[DATA_N_SPLIT]; /* paths */
    GArray *labels[DATA_N_SPLIT];   /* int64_t */
    int64_t height, width;          /* asked for; 0: all must have the first one's size */
};

static const char *const endings[] = {".png", ".jpg", ".jpeg"};
static const char *const split_folders[DATA_N_SPLIT][4] = {{"train"}, {"test", "val", "valid"}};

static bool is_picture(const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (lower[0] != '.' && g_str_has_suffix(lower, endings[i]))
            return true;
    return false;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in a folder, sorted: pictures, or subfolders that hold a picture. */
static GPtrArray *names_in(const char *path, bool (*is_wanted)(const char *dir, const char *name))
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (is_wanted(path, name))
            g_ptr_array_add(names, g_strdup(name));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(names, compare);
    return names;
}

static bool want_picture(const char *dir, const char *name)
{
    (void)dir;
    return is_picture(name);
}

static bool want_class(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    GDir *inner = g_dir_open(path, 0, NULL);
    bool found = false;
    for (const char *file; inner && !found && (file = g_dir_read_name(inner));)
        found = is_picture(file);
    if (inner)
        g_dir_close(inner);
    return found;
}

/* The subfolder of a split; NULL: there is none. The caller frees it. */
static char *split_folder(const char *path, enum data_split split)
{
    for (int i = 0; split_folders[split][i]; i++) {
        char *folder = g_build_filename(path, split_folders[split][i], NULL);
        g_autoptr(GPtrArray) classes = names_in(folder, want_class);
        if (classes->len > 0)
            return folder;
        g_free(folder);
    }
    return NULL;
}

static bool probe(const char *path)
{
    g_autoptr(GPtrArray) classes = names_in(path, want_class);
    for (int split = 0; split < DATA_N_SPLIT && classes->len == 0; split++) {
        g_autofree char *folder = split_folder(path, split);
        if (folder)
            return true;
    }
    return classes->len > 0;
}

/* The splits must have the same classes, or a label would mean two things. */
static bool take_classes(struct image_folder *f, GPtrArray *classes, const char *folder,
                         GError **error)
{
    if (!f->classes) {
        f->classes = g_ptr_array_ref(classes);
        return true;
    }
    bool same = classes->len == f->classes->len;
    for (guint i = 0; same && i < classes->len; i++)
        same = strcmp(classes->pdata[i], f->classes->pdata[i]) == 0;
    return same ||
           error_set(error, ERROR_INPUT, "%s: its %u classes are not the %u of the other split",
                     folder, classes->len, f->classes->len);
}

static bool add_folder(struct data_set *d, enum data_split split, const char *folder,
                       GError **error)
{
    struct image_folder *f = d->folder;
    g_autoptr(GPtrArray) classes = names_in(folder, want_class);
    if (!take_classes(f, classes, folder, error))
        return false;
    for (int64_t label = 0; label < classes->len; label++) {
        g_autofree char *dir = g_build_filename(folder, classes->pdata[label], NULL);
        g_autoptr(GPtrArray) names = names_in(dir, want_picture);
        for (guint i = 0; i < names->len; i++) {
            g_ptr_array_add(f->files[split], g_build_filename(dir, names->pdata[i], NULL));
            g_array_append_val(f->labels[split], label);
        }
    }
    d->info.n[split] = f->files[split]->len;
    return true;
}

/* C, H, W: what was asked for, else the first picture's. */
static bool decide_shape(struct data_set *d, const struct data_options *o, GError **error)
{
    const enum data_split split = d->info.n[DATA_TRAIN] > 0 ? DATA_TRAIN : DATA_TEST;
    if (d->info.n[split] == 0)
        return error_set(error, ERROR_INPUT, "%s: no picture is left in it", d->info.path);
    const char *first = g_ptr_array_index(d->folder->files[split], 0);
    struct image image;
    if (!image_read(first, 0, &image, error))
        return false;
    if ((o->height > 0) != (o->width > 0) || o->height < 0 || o->width < 0 ||
        (o->channels != 0 && o->channels != 1 && o->channels != 3))
        return error_set(error, ERROR_INPUT,
                         "%s: height and width are given both or not at all, channels are 1 or 3",
                         d->info.path);
    d->folder->height = o->height;
    d->folder->width = o->width;
    d->info.shape = shape_make(3, (const int64_t[]){o->channels ? o->channels : image.channels,
                                                    o->height ? o->height : image.height,
                                                    o->width ? o->width : image.width});
    d->info.n_class = d->folder->classes->len;
    return data_check_shape(&d->info.shape, o->height ? d->info.path : first, error);
}

static bool open_set(struct data_set *d, const struct data_options *o, GError **error)
{
    struct image_folder *f = d->folder = g_new0(struct image_folder, 1);
    bool has_splits = false;
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        f->files[split] = g_ptr_array_new_with_free_func(g_free);
        f->labels[split] = g_array_new(FALSE, FALSE, sizeof(int64_t));
    }
    for (int split = 0; split < DATA_N_SPLIT; split++) {
        g_autofree char *folder = split_folder(d->info.path, split);
        if (folder && !add_folder(d, split, folder, error))
            return false;
        has_splits = has_splits || folder;
    }
    if (!has_splits && !add_folder(d, DATA_TRAIN, d->info.path, error))
        return false;
    return decide_shape(d, o, error);
}

static bool read_picture(struct data_set *d, enum data_split split, int64_t i, float *out,
                         int64_t *label, GError **error)
{
    const struct image_folder *f = d->folder;
    const int64_t *chw = d->info.shape.dim;
    const char *path = g_ptr_array_index(f->files[split], (guint)i);
    struct image image;
    if (!image_read(path, (int)chw[0], &image, error))
        return false;
    *label = g_array_index(f->labels[split], int64_t, i);
    bool ok = f->height > 0 || (image.height == chw[1] && image.width == chw[2]) ||
              error_set(error, ERROR_INPUT,
                        "%s: %" PRId64 " x %" PRId64 " pixels, the first image has %" PRId64
                        " x %" PRId64 "; ask for one height and width to have them scaled",
                        path, image.width, image.height, chw[2], chw[1]);
    ok = ok && image_fit(&image, chw[1], chw[2], out, error);
    image_clear(&image);
    return ok;
}

static void close_set(struct data_set *d)
{
    for (int split = 0; d->folder && split < DATA_N_SPLIT; split++) {
        g_ptr_array_unref(d->folder->files[split]);
        g_array_unref(d->folder->labels[split]);
    }
    if (d->folder && d->folder->classes)
        g_ptr_array_unref(d->folder->classes);
    g_free(d->folder);
}

const struct data_format data_images = {
    .name = "images",
    .looks = "a folder of PNG and JPEG images, a subfolder a class",
    .probe = probe,
    .open = open_set,
    .read = read_picture,
    .close = close_set,
};
