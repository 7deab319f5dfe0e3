/* SPDX-License-Identifier: Apache-2.0 */
/* Where machines, nets and data sets are found. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

enum { MAX_PREFIX_DEPTH = 4 }; /* PREFIX/lib/x86_64-linux-gnu/libaccsim.so, and one to spare */

static void add_env(GPtrArray *dirs)
{
    const char *path = g_getenv("ACCSIM_PATH");
    g_auto(GStrv) parts = g_strsplit(path ? path : "", ":", -1);
    for (int i = 0; parts[i]; i++)
        if (*parts[i])
            g_ptr_array_add(dirs, g_strdup(parts[i]));
}

/* The file that this code was loaded from: libaccsim.so, or the program. NULL: not known. */
static char *own_file(void)
{
    Dl_info info;
    const bool is_library = dladdr(own_file, &info) && strstr(info.dli_fname, ".so");
    char *real = realpath(is_library ? info.dli_fname : "/proc/self/exe", NULL);
    char *copy = g_strdup(real); /* one allocator for the callers */
    free(real);
    return copy;
}

static bool is_below(const char *file, const char *dir)
{
    char *real = realpath(dir, NULL);
    const bool below = real && g_str_has_prefix(file, real) && file[strlen(real)] == '/';
    free(real);
    return below;
}

/* Where the data were installed: share/accsim in a folder above this code, wherever all of it was
 * moved to; else where the build was told to install. */
static char *installed_data(const char *own)
{
    g_autofree char *dir = g_path_get_dirname(own ? own : ".");
    for (int i = 0; own && i < MAX_PREFIX_DEPTH; i++) {
        char *data = g_build_filename(dir, "share", "accsim", NULL);
        if (g_file_test(data, G_FILE_TEST_IS_DIR))
            return data;
        g_free(data);
        char *up = g_path_get_dirname(dir);
        g_free(dir);
        dir = up;
    }
    return g_strdup(ACCSIM_DATA_DIR);
}

/* The source tree where this code lies in its build folder, else the installed data. */
static char **list_dirs(const char *const *source, int n_source, const char *installed)
{
    GPtrArray *dirs = g_ptr_array_new();
    add_env(dirs);
    g_autofree char *own = own_file();
    if (own && is_below(own, ACCSIM_BUILD_DIR)) {
        for (int i = 0; i < n_source; i++)
            g_ptr_array_add(dirs, g_build_filename(ACCSIM_SOURCE_DIR, source[i], NULL));
    } else {
        g_autofree char *data = installed_data(own);
        g_ptr_array_add(dirs, g_build_filename(data, installed, NULL));
    }
    g_ptr_array_add(dirs, NULL);
    return (char **)g_ptr_array_free(dirs, FALSE);
}

char **accsim_arch_dirs(void)
{
    g_autoptr(GPtrArray) source = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; arch_families[i]; i++)
        g_ptr_array_add(source, g_strdup_printf("arch/%s", arch_families[i]->name));
    return list_dirs((const char *const *)source->pdata, (int)source->len, "arch");
}

char **accsim_net_dirs(void)
{
    const char *const source[] = {"workloads/nets"};
    return list_dirs(source, 1, "nets");
}

char **accsim_data_dirs(void)
{
    GPtrArray *dirs = g_ptr_array_new();
    g_ptr_array_add(dirs, g_strdup("."));
    add_env(dirs);
    g_ptr_array_add(dirs, NULL);
    return (char **)g_ptr_array_free(dirs, FALSE);
}

static char *try_dir(const char *dir, const char *spec, const char *suffix)
{
    const char *const endings[] = {"", suffix};
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *name = g_strconcat(spec, endings[i], NULL);
        char *path = dir ? g_build_filename(dir, name, NULL) : g_strdup(name);
        if (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_DIR))
            return path;
        g_free(path);
    }
    return NULL;
}

/* The name nearest to spec among the files of dirs with this suffix; NULL: none. */
static char *suggest(const char *spec, const char *suffix, char *const *dirs)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; dirs[i]; i++) {
        GDir *dir = g_dir_open(dirs[i], 0, NULL);
        for (const char *name; dir && (name = g_dir_read_name(dir));)
            if (g_str_has_suffix(name, suffix))
                g_ptr_array_add(names, g_strndup(name, strlen(name) - strlen(suffix)));
        if (dir)
            g_dir_close(dir);
    }
    return g_strdup(cfg_nearest(spec, (const char *const *)names->pdata, names->len));
}

char *find_file(const char *spec, const char *suffix, char *const *dirs, const char *what,
                GError **error)
{
    char *found = try_dir(NULL, spec, suffix);
    for (int i = 0; !found && dirs[i] && !strchr(spec, '/'); i++)
        found = try_dir(dirs[i], spec, suffix);
    if (found)
        return found;
    if (g_file_test(spec, G_FILE_TEST_IS_DIR)) {
        error_set(error, ERROR_INPUT, "%s: is a directory; a %s file is expected", spec, suffix);
        return NULL;
    }
    if (g_file_test(spec, G_FILE_TEST_IS_SYMLINK)) {
        error_set(error, ERROR_INPUT, "%s: a link that leads to no file", spec);
        return NULL;
    }
    g_autofree char *nearest = suggest(spec, suffix, dirs);
    g_autofree char *where = g_strjoinv(", ", (char **)dirs);
    error_set(error, ERROR_INPUT,
              "no %s '%s'%s%s%s (looked for %s and %s%s in the working directory, %s)", what, spec,
              nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", spec,
              spec, suffix, where);
    return NULL;
}
