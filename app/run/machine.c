/* SPDX-License-Identifier: Apache-2.0 */
/* A machine: its settings file, the family that it names, the instance. */
#include <string.h>

#include "app/run/internal.h"
#include "sim/base/error.h"

int accsim_n_family(void)
{
    int n = 0;
    while (arch_families[n])
        n++;
    return n;
}

const char *accsim_family_name(int i)
{
    return arch_families[i]->name;
}

const char *accsim_family_summary(int i)
{
    return arch_families[i]->summary;
}

static const struct arch_family *find_family(const struct cfg *cfg, GError **error)
{
    const char *name = cfg_peek_string(cfg, "family"), *origin = cfg_origin(cfg, "family");
    const struct arch_family *f = name ? arch_find(name) : NULL;
    if (f)
        return f;
    g_autoptr(GString) known = g_string_new(NULL);
    for (int i = 0; arch_families[i]; i++)
        g_string_append_printf(known, "%s%s", i ? ", " : "", arch_families[i]->name);
    if (name)
        error_set(error, ERROR_INPUT, "%s: family = \"%s\" is unknown; families are: %s", origin,
                  name, known->str);
    else if (strcmp(origin, cfg_file(cfg)) != 0)
        error_set(error, ERROR_INPUT, "%s: family is not a string; families are: %s", origin,
                  known->str);
    else
        error_set(error, ERROR_INPUT, "%s: setting 'family' is missing; families are: %s", origin,
                  known->str);
    return NULL;
}

static void keep_setting(const struct cfg_field *field, const char *value, bool is_default,
                         void *user)
{
    struct accsim_machine *m = user;
    const bool is_string = field->type == CFG_STRING || field->type == CFG_ENUM;
    g_autofree char *bare = g_strdup(value);
    const size_t n = strlen(bare);
    if (is_string && n >= 2 && bare[0] == '"') {
        bare[n - 1] = '\0';
        memmove(bare, bare + 1, n - 1);
    }
    m->settings[m->n_setting++] = (struct record_setting){.path = field->path,
                                                          .value = arena_strdup(m->arena, bare),
                                                          .unit = field->unit,
                                                          .help = field->help,
                                                          .is_default = is_default,
                                                          .is_string = is_string};
}

/* A value that the machine worked out takes the place of the one that left it to it. */
struct resolution {
    struct record_setting *at;
    struct arena *arena;
};

static void resolve_setting(const struct cfg_field *field, const char *value, bool is_default,
                            void *user)
{
    (void)is_default;
    struct resolution *r = user;
    struct record_setting *s = r->at++;
    g_assert(s->path == field->path);
    if (s->is_string || strcmp(s->value, value) == 0)
        return;
    s->value = arena_strdup(r->arena, value);
    s->is_derived = true;
}

static void resolve_settings(struct accsim_machine *m)
{
    if (!m->family->settings)
        return;
    struct resolution r = {m->settings, m->arena};
    /* cfg_visit() only reads. */
    const struct cfg_table table = {m->family->fields, (void *)m->family->settings(m->self)};
    cfg_visit(&table, resolve_setting, &r);
}

static bool apply(struct accsim_machine *m, struct cfg *cfg, const char *const *set, GError **error)
{
    for (int i = 0; set && set[i]; i++)
        if (!cfg_set(cfg, set[i], error))
            return false;
    m->family = find_family(cfg, error);
    if (!m->family)
        return false;
    m->cfg = arena_alloc(m->arena, m->family->cfg_size);
    const struct cfg_table table = {m->family->fields, m->cfg};
    if (!cfg_apply(cfg, &table, 1, m->arena, error))
        return false;
    int n = 0;
    while (m->family->fields[n].path)
        n++;
    m->settings = ARENA_ARRAY(m->arena, struct record_setting, (size_t)n);
    cfg_visit(&table, keep_setting, m);
    return true;
}

/* Whether a setting stands in the file itself or in --set, not in what the file is based on. */
static bool is_own(const struct cfg *cfg, const char *path)
{
    const char *origin = cfg_origin(cfg, path), *file = cfg_file(cfg);
    return g_str_has_prefix(origin, "--set ") ||
           (g_str_has_prefix(origin, file) && origin[strlen(file)] == ':');
}

/* Settings of the mapper, and names, make no other machine. */
static bool changes_machine(const char *set)
{
    return !g_str_has_prefix(set, "mapper.") && !g_str_has_prefix(set, "name=") &&
           !g_str_has_prefix(set, "known_error=");
}

/* The settings that are totals of the chip as it was measured, and are kept. */
static void put_totals(const struct accsim_machine *m, const struct cfg *cfg, GString *out)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (const char *const *total = m->family->totals; total && *total; total++)
        for (int i = 0; i < m->n_setting; i++) {
            const struct record_setting *s = &m->settings[i];
            const char *origin = cfg_origin(cfg, s->path);
            if (!strcmp(s->path, *total) && !s->is_default && !g_str_has_prefix(origin, "--set "))
                g_string_append_printf(names, "%s%s = %s %s", names->len ? ", " : "", s->path,
                                       s->value, s->unit ? s->unit : "");
        }
    if (names->len)
        g_string_append_printf(out, " Kept from it, though measured of the whole chip: %s.",
                               names->str);
}

/* What is known of a machine's error holds for its file as it is: where settings are changed, by
 * --set or by a file that is based on it, the sentence says so. */
static const char *known_error(struct accsim_machine *m, const struct cfg *cfg,
                               const char *const *set)
{
    const char *claim = m->machine.known_error;
    const bool is_based = claim && *claim && !is_own(cfg, "known_error");
    g_autoptr(GString) out = g_string_new(NULL);
    for (int i = 0; set && set[i]; i++)
        if (changes_machine(set[i]))
            g_string_append_printf(out, "%s%s", out->len ? ", " : "Changed: ", set[i]);
    if (!is_based && !out->len)
        return claim;
    g_string_append_printf(out, "%sHow far the model is off is not known of this machine. ",
                           out->len ? ". " : "");
    if (claim && *claim)
        g_string_append_printf(out, "Of the machine that it is made from: %s", claim);
    put_totals(m, cfg, out);
    return arena_strdup(m->arena, out->str);
}

static const char *machine_name(struct accsim_machine *m, const struct cfg *cfg)
{
    const char *name = cfg_peek_string(cfg, "name");
    if (name && *name && is_own(cfg, "name"))
        return arena_strdup(m->arena, name);
    g_autofree char *base = g_path_get_basename(cfg_file(cfg));
    char *dot = strrchr(base, '.');
    if (dot && dot != base)
        *dot = '\0';
    return arena_strdup(m->arena, base);
}

struct accsim_machine *accsim_machine_load(const char *arch, const char *const *set, GError **error)
{
    g_auto(GStrv) dirs = accsim_arch_dirs();
    g_autofree char *file = find_file(arch, ".cfg", dirs, "machine", error);
    struct cfg *cfg = file ? cfg_load(file, dirs, error) : NULL;
    if (!cfg)
        return NULL;
    struct arena *arena = arena_new();
    struct accsim_machine *m = ARENA_NEW(arena, struct accsim_machine);
    m->arena = arena;
    bool ok = apply(m, cfg, set, error);
    if (ok) {
        m->machine.name = machine_name(m, cfg);
        m->machine.family = m->family->name;
        m->machine.file = arena_strdup(arena, file);
        m->self = m->family->create(m->cfg, file, &m->machine, arena, error);
        ok = m->self != NULL;
    }
    if (ok) {
        resolve_settings(m);
        m->machine.known_error = known_error(m, cfg, set);
    }
    cfg_free(cfg);
    if (ok)
        return m;
    accsim_machine_free(m);
    return NULL;
}

const struct machine *accsim_machine_view(const struct accsim_machine *m)
{
    return &m->machine;
}

const struct record_setting *accsim_machine_settings(const struct accsim_machine *m, int *n)
{
    *n = m->n_setting;
    return m->settings;
}

void accsim_machine_free(struct accsim_machine *m)
{
    if (m)
        arena_free(m->arena);
}
