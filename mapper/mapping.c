/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/mapping.h"

#include <inttypes.h>
#include <string.h>

#include "mapper/passes.h"
#include "sim/base/error.h"

static const char *const lists[] = {"layers", "groups", "values", NULL};

/* Quoted as libconfig reads it: UTF-8 stays as it is. */
static void put_string(GString *out, const char *s)
{
    g_string_append_c(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *s);
    }
    g_string_append_c(out, '"');
}

static void put_layer(GString *out, const struct plan *p, const struct plan_layer *l)
{
    const int64_t batch = dims_of(&p->graph->values[l->out].shape).n;
    if (l->kind == LAYER_MATRIX)
        g_string_append_printf(
            out, " block_rows = %" PRId64 "; order = \"%s\"; halves = %s; parts = %d;",
            l->tiling.block_m, loop_order_names[l->tiling.order],
            l->tiling.double_buffer ? "true" : "false", l->tiling.parts);
    if (plan_is_alone(p, l) && (l->kind == LAYER_MATRIX || l->chunk_image < batch))
        g_string_append_printf(out, " chunk_images = %" PRId64 ";", l->chunk_image);
}

/* "  { KEY = "name"; ", behind a comma where it is not the first of its list. */
static void put_name(GString *out, bool is_first, const char *key, const char *name)
{
    g_string_append_printf(out, "%s\n  { %s = ", is_first ? "" : ",", key);
    put_string(out, name);
    g_string_append_c(out, ';');
}

static void put_layers(GString *out, const struct plan *p)
{
    bool is_first = true;
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        g_autoptr(GString) settings = g_string_new(NULL);
        if (l->kind != LAYER_HOST)
            put_layer(settings, p, l);
        if (!settings->len)
            continue;
        put_name(out, is_first, "name", l->name);
        g_string_append_printf(out, "%s }", settings->str);
        is_first = false;
    }
}

static void put_groups(GString *out, const struct plan *p)
{
    bool is_first = true;
    for (int i = 0; i < p->n_group; i++) {
        const struct plan_group *g = &p->groups[i];
        if (g->first == g->last)
            continue;
        put_name(out, is_first, "first", p->layers[g->first].name);
        g_string_append(out, " last = ");
        put_string(out, p->layers[g->last].name);
        g_string_append_printf(out, "; images = %" PRId64 "; }", p->layers[g->first].chunk_image);
        is_first = false;
    }
}

static void put_values(GString *out, const struct plan *p)
{
    bool is_first = true;
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        if (!h->used)
            continue;
        put_name(out, is_first, "name", p->graph->values[v].name);
        g_string_append_printf(out, " home = \"%s\"; }",
                               mapping_home_names[h->resident           ? MAPPING_CHIP
                                                  : plan_is_local(p, v) ? MAPPING_TURN
                                                                        : MAPPING_HOST]);
        is_first = false;
    }
}

char *mapping_text(const struct plan *p)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "# How accsim lays %s, batch %" PRId64 ", onto %s.\nlayers = (",
                           p->graph->name, p->graph->batch, p->machine->name);
    put_layers(out, p);
    g_string_append(out, "\n);\ngroups = (");
    put_groups(out, p);
    g_string_append(out, "\n);\nvalues = (");
    put_values(out, p);
    g_string_append(out, "\n);\n");
    return g_string_free(out, FALSE);
}

int mapping_find(const struct plan *p, const char *name, const char *const *names, int n,
                 const char *what, const char *origin, GError **error)
{
    for (int i = 0; i < n; i++)
        if (names[i] && !strcmp(names[i], name))
            return i;
    const char *near = cfg_nearest(name, names, (size_t)n);
    error_set(error, ERROR_INPUT, "%s: %s has no %s '%s' on %s%s%s%s", origin, p->graph->name, what,
              name, p->machine->name, near ? ", did you mean '" : "", near ? near : "",
              near ? "'?" : "");
    return -1;
}

static bool take_entry(const struct mapping *m, const config_setting_t *group,
                       const struct cfg_field *fields, void *out,
                       bool (*take)(void *user, const char *origin, GError **error), void *user,
                       GError **error)
{
    struct cfg *cfg = cfg_from_group(m->file, group, error);
    if (!cfg)
        return false;
    const struct cfg_table table = {fields, out};
    const bool ok = cfg_apply(cfg, &table, 1, m->arena, error) &&
                    take(user, arena_strdup(m->arena, cfg_origin(cfg, fields[0].path)), error);
    cfg_free(cfg);
    return ok;
}

bool mapping_each(const struct mapping *m, const char *list, const struct cfg_field *fields,
                  void *out, bool (*take)(void *user, const char *origin, GError **error),
                  void *user, GError **error)
{
    const config_setting_t *root = config_root_setting(&m->doc);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *l = config_setting_get_elem(root, (unsigned)i);
        for (int j = 0; !strcmp(config_setting_name(l), list) && j < config_setting_length(l); j++)
            if (!take_entry(m, config_setting_get_elem(l, (unsigned)j), fields, out, take, user,
                            error))
                return false;
    }
    return true;
}

static bool check_lists(struct mapping *m, GError **error)
{
    const config_setting_t *root = config_root_setting(&m->doc);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *list = config_setting_get_elem(root, (unsigned)i);
        const char *name = config_setting_name(list);
        if (!g_strv_contains(lists, name) || !config_setting_is_list(list))
            return error_set(error, ERROR_INPUT,
                             "%s:%u: '%s': a mapping has 'layers', 'groups' and 'values', lists "
                             "( ... ) of groups { ... }",
                             m->file, config_setting_source_line(list), name);
        m->has_groups |= !strcmp(name, "groups");
    }
    return true;
}

struct mapping *mapping_new(const char *file, GError **error)
{
    struct mapping *m = g_new0(struct mapping, 1);
    m->file = file;
    if (!cfg_parse_file(file, &m->doc, error)) {
        g_free(m);
        return NULL;
    }
    m->arena = arena_new();
    if (check_lists(m, error))
        return m;
    mapping_free(m);
    return NULL;
}

void mapping_free(struct mapping *m)
{
    if (!m)
        return;
    arena_free(m->arena);
    config_destroy(&m->doc);
    g_free(m);
}
