/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/net.h"

#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/net_csv.h"
#include "workloads/onnx/onnx.h"

#define NET_ENDING ".net"

static struct graph *read_net(const char *file, const struct net_options *o, GError **error)
{
    return net_read(file, o->batch, error);
}

/* Files by their ending; a name without one, as of a pipe, is taken for the first. */
static const struct {
    const char *ending;
    struct graph *(*read)(const char *file, const struct net_options *o, GError **error);
} readers[] = {
    {NET_ENDING, read_net},
    {".onnx", onnx_read},
    {".csv", net_csv_read},
};

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_DIR);
}

static struct graph *read_file(const char *file, const struct net_options *o, GError **error)
{
    g_autofree char *base = g_path_get_basename(file);
    const char *dot = strrchr(base, '.');
    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
        if (!dot || dot == base || strcmp(dot, readers[i].ending) == 0)
            return readers[i].read(file, o, error);
    g_autoptr(GString) known = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
        g_string_append_printf(known, "%s'%s'", i ? ", " : "", readers[i].ending);
    error_set(error, ERROR_INPUT, "%s: '%s' files are not readable by this version, only %s are",
              file, dot, known->str);
    return NULL;
}

/* A name that ends as a file does is no shipped net's, even where there is no such file. */
static bool is_file_name(const char *spec)
{
    for (size_t i = 1; i < G_N_ELEMENTS(readers); i++)
        if (g_str_has_suffix(spec, readers[i].ending))
            return true;
    return strchr(spec, '/') != NULL;
}

/* NAME or NAME.net in a directory; NULL: neither. The caller frees it. */
static char *find_in(const char *dir, const char *name)
{
    char *path = g_build_filename(dir, name, NULL);
    if (is_file(path))
        return path;
    char *with_ending = g_strconcat(path, NET_ENDING, NULL);
    g_free(path);
    if (is_file(with_ending))
        return with_ending;
    g_free(with_ending);
    return NULL;
}

static void collect_names(const char *dir, GPtrArray *names)
{
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    const char *file;
    while (d && (file = g_dir_read_name(d)))
        if (g_str_has_suffix(file, NET_ENDING))
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(NET_ENDING)));
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name that is there, but is no file that could be read. */
static bool explain(const char *spec, GError **error)
{
    if (g_file_test(spec, G_FILE_TEST_IS_DIR))
        return error_set(error, ERROR_INPUT, "%s: is a directory; a network is expected", spec);
    if (g_file_test(spec, G_FILE_TEST_IS_SYMLINK))
        return error_set(error, ERROR_INPUT, "%s: a link that leads to no file", spec);
    return true;
}

static void not_found(const char *spec, const char *const *dirs, GError **error)
{
    if (!explain(spec, error))
        return;
    g_autoptr(GString) where = g_string_new("the working directory");
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    collect_names(".", names);
    for (int i = 0; dirs && dirs[i]; i++) {
        g_string_append_printf(where, ", %s", dirs[i]);
        collect_names(dirs[i], names);
    }
    g_ptr_array_sort(names, compare_names); /* of two that are as near, always the same one */
    g_autofree char *suggestion =
        message_suggest(spec, (const char *const *)names->pdata, names->len);
    error_set(error, ERROR_INPUT, "no network '%s'%s (looked for %s and %s" NET_ENDING " in %s)",
              spec, suggestion, spec, spec, where->str);
}

struct graph *net_load(const char *spec, const char *const *dirs, const struct net_options *options,
                       GError **error)
{
    const char *shape = options->shapes ? options->shapes[0] : NULL;
    if (shape && !g_str_has_suffix(spec, ".onnx")) {
        error_set(error, ERROR_INPUT,
                  "--shape %s: only .onnx networks have free dimensions, '%s' has none", shape,
                  spec);
        return NULL;
    }
    bool is_shape;
    struct graph *g = net_from_shape(spec, options->batch, &is_shape, error);
    if (is_shape)
        return g;
    if (is_file_name(spec))
        return read_file(spec, options, error);
    char *path = is_file(spec) ? g_strdup(spec) : g_strconcat(spec, NET_ENDING, NULL);
    if (!is_file(path)) {
        g_free(path);
        path = NULL;
    }
    for (int i = 0; !path && dirs && dirs[i]; i++)
        path = find_in(dirs[i], spec);
    if (path)
        g = read_file(path, options, error);
    else
        not_found(spec, dirs, error);
    g_free(path);
    return g;
}
