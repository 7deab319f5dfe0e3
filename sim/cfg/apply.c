/* SPDX-License-Identifier: Apache-2.0 */
/* Settings into structs by their field tables, and out again. */
#include <string.h>

#include "sim/base/error.h"
#include "sim/cfg/value.h"

enum { SHOWN_PATH_CHARS = 100 };

static bool refuse_value(const struct entry *e, const struct cfg_field *f, const char *problem,
                         GError **error)
{
    g_autoptr(GString) value = g_string_new(NULL);
    g_autoptr(GString) expected = g_string_new(NULL);
    value_print(&e->value, value);
    type_print_expected(f, expected);
    return error_set(error, ERROR_INPUT, "%s: %s = %s %s; %s is expected", e->origin, e->path,
                     value->str, problem, expected->str);
}

static bool is_inside(const char *path, const char *group)
{
    size_t n = strlen(group);
    return strncmp(path, group, n) == 0 && path[n] == '.';
}

/* The first n_part parts of a path, or NULL where that is all of it. */
static char *leading_parts(const char *path, int n_part)
{
    const char *end = path;
    for (int i = 0; i < n_part; i++) {
        end = strchr(end + (i > 0), '.');
        if (!end)
            return NULL;
    }
    return g_strndup(path, (gsize)(end - path));
}

static int count_parts(const char *path)
{
    int n = 1;
    for (; *path; path++)
        n += *path == '.';
    return n;
}

/* For a group the closest group is meant, for a setting the closest setting. */
static bool refuse_unknown(const struct entry *e, const GPtrArray *paths, GError **error)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(g_free);
    int n_part = count_parts(e->path);
    for (guint i = 0; i < paths->len; i++) {
        const char *path = paths->pdata[i];
        char *candidate = e->value.kind == VALUE_GROUP ? leading_parts(path, n_part) : NULL;
        g_ptr_array_add(candidates, candidate ? candidate : g_strdup(path));
    }
    const char *nearest =
        cfg_nearest(e->path, (const char *const *)candidates->pdata, candidates->len);
    if (!nearest)
        return error_set(error, ERROR_INPUT, "%s: unknown setting '%.*s'", e->origin,
                         SHOWN_PATH_CHARS, e->path);
    return error_set(error, ERROR_INPUT, "%s: unknown setting '%s', did you mean '%s'?", e->origin,
                     e->path, nearest);
}

static bool check_known(const struct entry *e, const GPtrArray *paths, GHashTable *fields,
                        GError **error)
{
    const struct cfg_field *field = g_hash_table_lookup(fields, e->path);
    if (field && e->value.kind == VALUE_GROUP)
        return refuse_value(e, field, "is a group", error); /* before its members are unknown */
    if (field)
        return true;
    for (guint i = 0; i < paths->len; i++) {
        const char *path = paths->pdata[i];
        if (is_inside(path, e->path) && e->value.kind == VALUE_GROUP)
            return true;
        if (is_inside(path, e->path))
            return error_set(error, ERROR_INPUT,
                             "%s: '%s' is a group of settings such as '%s', not a value", e->origin,
                             e->path, path);
        if (is_inside(e->path, path))
            return error_set(error, ERROR_INPUT,
                             "%s: unknown setting '%.*s': '%s' is a value, not a group", e->origin,
                             SHOWN_PATH_CHARS, e->path, path);
    }
    return refuse_unknown(e, paths, error);
}

static bool check_all_known(const struct cfg *cfg, const struct cfg_table *tables, size_t n_table,
                            GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(GHashTable) fields = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < n_table; i++) {
        for (const struct cfg_field *f = tables[i].fields; f->path; f++) {
            g_ptr_array_add(paths, (gpointer)f->path);
            g_hash_table_insert(fields, (gpointer)f->path, (gpointer)f);
        }
    }
    for (guint i = 0; i < cfg->entries->len; i++)
        if (!check_known(cfg->entries->pdata[i], paths, fields, error))
            return false;
    return true;
}

static bool fill(const struct cfg *cfg, const struct cfg_field *f, void *member,
                 struct arena *arena, GError **error)
{
    const struct entry *e = g_hash_table_lookup(cfg->by_path, f->path);
    if (!e && !f->def)
        return error_set(error, ERROR_INPUT, "%s: setting '%s' is missing", cfg->where, f->path);
    if (!e) {
        type_store_default(f, arena, member);
        return true;
    }
    const char *problem = type_store(f, &e->value, arena, member);
    return problem ? refuse_value(e, f, problem, error) : true;
}

bool cfg_apply(struct cfg *cfg, const struct cfg_table *tables, size_t n_table, struct arena *arena,
               GError **error)
{
    if (!check_all_known(cfg, tables, n_table, error))
        return false;
    for (size_t i = 0; i < n_table; i++)
        for (const struct cfg_field *f = tables[i].fields; f->path; f++)
            if (!fill(cfg, f, (char *)tables[i].out + f->offset, arena, error))
                return false;
    return true;
}

/* Compared as text, so that 1e3 and 1000 are the same. */
static bool is_default(const struct cfg_field *f, const char *value)
{
    union {
        int64_t i;
        double d;
        bool b;
        const char *s;
        int e;
        struct cfg_ints ints;
        struct cfg_strings strings;
    } member;
    if (!f->def)
        return false;
    struct arena *arena = arena_new();
    g_autoptr(GString) text = g_string_new(NULL);
    type_store_default(f, arena, &member);
    type_print(f, &member, text);
    arena_free(arena);
    return strcmp(text->str, value) == 0;
}

void cfg_visit(const struct cfg_table *table, cfg_visit_fn fn, void *user)
{
    for (const struct cfg_field *f = table->fields; f->path; f++) {
        g_autoptr(GString) value = g_string_new(NULL);
        type_print(f, (const char *)table->out + f->offset, value);
        fn(f, value->str, is_default(f, value->str), user);
    }
}
