/* SPDX-License-Identifier: Apache-2.0 */
/* The map of settings: from a file and those it is based on, from a group, from --set. */
#include "sim/cfg/cfg.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/cfg/value.h"

enum { MAX_BASES = 16 };

/* A file that is being loaded, and the one whose base it is. */
struct chain {
    const struct chain *up;
    const char *file;
    char *const *dirs; /* where a base that is not beside it is looked up, or NULL */
    int depth;
};

static struct cfg *cfg_new(const char *file)
{
    struct cfg *cfg = g_new0(struct cfg, 1);
    cfg->arena = arena_new();
    cfg->file = cfg->where = arena_strdup(cfg->arena, file);
    cfg->by_path = g_hash_table_new(g_str_hash, g_str_equal);
    cfg->entries = g_ptr_array_new();
    return cfg;
}

void cfg_free(struct cfg *cfg)
{
    if (!cfg)
        return;
    g_ptr_array_unref(cfg->entries);
    g_hash_table_unref(cfg->by_path);
    arena_free(cfg->arena);
    g_free(cfg);
}

/* All strings are in cfg's arena already. */
static void put(struct cfg *cfg, const char *path, const char *origin, struct value value)
{
    struct entry *e = g_hash_table_lookup(cfg->by_path, path);
    if (!e) {
        e = ARENA_NEW(cfg->arena, struct entry);
        e->path = path;
        g_hash_table_insert(cfg->by_path, (gpointer)e->path, e);
        g_ptr_array_add(cfg->entries, e);
    }
    e->origin = origin;
    e->value = value;
}

/* `skipped` is a member that is not a setting of its own, or NULL. */
static void put_group(struct cfg *cfg, const char *file, const config_setting_t *group,
                      const char *prefix, const config_setting_t *skipped)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        if (member == skipped)
            continue;
        const char *path = arena_printf(cfg->arena, "%s%s", prefix, config_setting_name(member));
        const char *origin =
            arena_printf(cfg->arena, "%s:%u", file, config_setting_source_line(member));
        put(cfg, path, origin, value_of_setting(cfg->arena, member));
        if (config_setting_is_group(member)) {
            g_autofree char *inner = g_strconcat(path, ".", NULL);
            put_group(cfg, file, member, inner, NULL);
        }
    }
}

static const config_setting_t *find_base(const config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *member = config_setting_get_elem(root, (unsigned)i);
        if (strcmp(config_setting_name(member), "base") == 0)
            return member;
    }
    return NULL;
}

static char *beside(const char *file, const char *name)
{
    if (g_path_is_absolute(name) || !strchr(file, G_DIR_SEPARATOR))
        return g_strdup(name);
    g_autofree char *dir = g_path_get_dirname(file);
    return g_build_filename(dir, name, NULL);
}

/* Beside the file that names it; else, of a name without a folder, in the first of dirs that has
 * it. NULL: nowhere. */
static char *find_base_file(const struct chain *at, const char *name)
{
    char *file = beside(at->file, name);
    const bool is_bare = !strchr(name, G_DIR_SEPARATOR);
    for (int i = 0; !g_file_test(file, G_FILE_TEST_EXISTS); i++) {
        g_free(file);
        if (!is_bare || !at->dirs || !at->dirs[i])
            return NULL;
        file = g_build_filename(at->dirs[i], name, NULL);
    }
    return file;
}

/* "base = ...: there is no file ...", with all the folders that were looked through. */
static bool set_no_base(const struct chain *at, unsigned line, const char *name, GError **error)
{
    g_autofree char *file = beside(at->file, name);
    const bool looks = !strchr(name, G_DIR_SEPARATOR) && at->dirs && at->dirs[0];
    g_autofree char *dirs = looks ? g_strjoinv(", ", (char **)at->dirs) : NULL;
    return error_set(error, ERROR_INPUT, "%s:%u: base = \"%s\": there is no file '%s'%s%s",
                     at->file, line, name, file, dirs ? ", nor one of that name in " : "",
                     dirs ? dirs : "");
}

static bool is_same_file(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = real_a && real_b && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

static bool load(struct cfg *cfg, const struct chain *at, GError **error);

static bool load_base(struct cfg *cfg, const struct chain *at, const config_setting_t *base,
                      GError **error)
{
    unsigned line = config_setting_source_line(base);
    const char *name = config_setting_get_string(base);
    if (!name)
        return error_set(error, ERROR_INPUT, "%s:%u: base is not a string; a file is expected",
                         at->file, line);
    g_autofree char *file = find_base_file(at, name);
    if (!file)
        return set_no_base(at, line, name, error);
    for (const struct chain *c = at; c; c = c->up)
        if (is_same_file(file, c->file))
            return error_set(error, ERROR_INPUT, "%s:%u: base = \"%s\" leads back to '%s'",
                             at->file, line, name, c->file);
    if (at->depth == MAX_BASES)
        return error_set(error, ERROR_INPUT, "%s:%u: base = \"%s\": more than %d files in a chain",
                         at->file, line, name, MAX_BASES);
    const struct chain next = {at, file, at->dirs, at->depth + 1};
    return load(cfg, &next, error);
}

static bool load(struct cfg *cfg, const struct chain *at, GError **error)
{
    config_t doc;
    if (!cfg_parse_file(at->file, &doc, error))
        return false;
    const config_setting_t *root = config_root_setting(&doc);
    const config_setting_t *base = find_base(root);
    bool ok = !base || load_base(cfg, at, base, error);
    if (ok)
        put_group(cfg, at->file, root, "", base);
    config_destroy(&doc);
    return ok;
}

struct cfg *cfg_load(const char *file, char *const *dirs, GError **error)
{
    struct cfg *cfg = cfg_new(file);
    if (load(cfg, &(struct chain){.file = cfg->file, .dirs = dirs, .depth = 1}, error))
        return cfg;
    cfg_free(cfg);
    return NULL;
}

struct cfg *cfg_from_group(const char *file, const config_setting_t *group, GError **error)
{
    if (!config_setting_is_group(group)) {
        error_set(error, ERROR_INPUT, "%s:%u: a group { ... } is expected", file,
                  config_setting_source_line(group));
        return NULL;
    }
    struct cfg *cfg = cfg_new(file);
    if (!config_setting_is_root(group))
        cfg->where = arena_printf(cfg->arena, "%s:%u", file, config_setting_source_line(group));
    put_group(cfg, file, group, "", NULL);
    return cfg;
}

static bool is_path(const char *s)
{
    return *s && strspn(s, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_*.") == strlen(s);
}

bool cfg_set(struct cfg *cfg, const char *assignment, GError **error)
{
    if (!g_utf8_validate(assignment, -1, NULL))
        return error_set(error, ERROR_INPUT, "--set: not UTF-8 text");
    const char *origin = arena_printf(cfg->arena, "--set %s", assignment);
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return error_set(error, ERROR_INPUT, "%s: PATH=VALUE is expected", origin);
    g_autofree char *path = g_strstrip(g_strndup(assignment, (gsize)(equals - assignment)));
    g_autofree char *text = g_strstrip(g_strdup(equals + 1));
    if (!is_path(path))
        return error_set(error, ERROR_INPUT, "%s: '%s' is not the path of a setting", origin, path);
    struct value value;
    if (!value_of_text(cfg->arena, origin, text, &value, error))
        return false;
    put(cfg, arena_strdup(cfg->arena, path), origin, value);
    return true;
}

const char *cfg_peek_string(const struct cfg *cfg, const char *path)
{
    const struct entry *e = g_hash_table_lookup(cfg->by_path, path);
    return e && e->value.kind == VALUE_STRING ? e->value.s : NULL;
}

const char *cfg_origin(const struct cfg *cfg, const char *path)
{
    const struct entry *e = g_hash_table_lookup(cfg->by_path, path);
    return e ? e->origin : cfg->where;
}

const char *cfg_file(const struct cfg *cfg)
{
    return cfg->file;
}
