/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping files: written from a plan, and a plan held to what a file says. */
#include <inttypes.h>
#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/tiled/mapping.h"
#include "mapper/tiled/groups.h"
#include "mapper/tiled/homes.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

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

static void put_field(const struct cfg_field *field, const char *value, bool is_default, void *out)
{
    (void)is_default;
    g_string_append_printf(out, " %s = %s;", field->path, value);
}

static void put_layer(GString *out, const struct plan *p, const struct target *t,
                      const struct plan_layer *l)
{
    if (l->kind == LAYER_MATRIX && t->choices) {
        struct choice choice = l->choice;
        const struct cfg_table table = {t->choices, &choice};
        cfg_visit(&table, put_field, out);
    }
    if (l->resident)
        g_string_append(out, " weights = \"chip\";");
    if (plan_is_alone(p, l) && (l->kind == LAYER_MATRIX || l->chunk_image < plan_dims(p, l->out).n))
        g_string_append_printf(out, " chunk_images = %" PRId64 ";", l->chunk_image);
    const struct dims o = plan_dims(p, l->out);
    if (l->chunk_row < o.h)
        g_string_append_printf(out, " chunk_rows = %" PRId64 ";", l->chunk_row);
    if (l->chunk_col < o.w)
        g_string_append_printf(out, " chunk_columns = %" PRId64 ";", l->chunk_col);
    if (l->chunk_channel < o.c)
        g_string_append_printf(out, " chunk_channels = %" PRId64 ";", l->chunk_channel);
}

/* "  { KEY = "name"; ", behind a comma where it is not the first of its list. */
static void put_name(GString *out, bool is_first, const char *key, const char *name)
{
    g_string_append_printf(out, "%s\n  { %s = ", is_first ? "" : ",", key);
    put_string(out, name);
    g_string_append_c(out, ';');
}

static void put_layers(GString *out, const struct plan *p, const struct target *t)
{
    bool is_first = true;
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        g_autoptr(GString) settings = g_string_new(NULL);
        if (l->kind != LAYER_HOST)
            put_layer(settings, p, t, l);
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

char *mapping_text(const struct plan *p, const struct target *t)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "# How accsim lays %s, batch %" PRId64 ", onto %s.\nlayers = (",
                           p->graph->name, p->graph->batch, p->machine->name);
    put_layers(out, p, t);
    g_string_append(out, "\n);\ngroups = (");
    put_groups(out, p);
    g_string_append(out, "\n);\nvalues = (");
    put_values(out, p);
    g_string_append(out, "\n);\n");
    return g_string_free(out, FALSE);
}

static int find_name(const struct plan *p, const char *name, const char *const *names, int n,
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

/* Calls take() for each entry of the file's setting `list`, if it has one, with its settings. */
static bool each_entry(const struct mapping *m, const char *list,
                       bool (*take)(void *user, struct cfg *cfg, GError **error), void *user,
                       GError **error)
{
    const config_setting_t *root = config_root_setting(&m->doc);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *l = config_setting_get_elem(root, (unsigned)i);
        for (int j = 0; !strcmp(config_setting_name(l), list) && j < config_setting_length(l);
             j++) {
            struct cfg *cfg =
                cfg_from_group(m->file, config_setting_get_elem(l, (unsigned)j), error);
            const bool ok = cfg && take(user, cfg, error);
            cfg_free(cfg);
            if (!ok)
                return false;
        }
    }
    return true;
}

static bool apply_entry(const struct mapping *m, struct cfg *cfg, const struct cfg_field *fields,
                        void *out, const char **origin, GError **error)
{
    const struct cfg_table table = {fields, out};
    *origin = arena_strdup(m->arena, cfg_origin(cfg, fields[0].path));
    return cfg_apply(cfg, &table, 1, m->arena, error);
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

/* How a mapping's file cuts layers. */

enum { WEIGHTS_MEMORY, WEIGHTS_CHIP };
static const char *const weights_names[] = {"memory", "chip", NULL};

struct entry {
    const char *name;
    int64_t chunk_images, chunk_rows, chunk_columns, chunk_channels; /* 0: as was found */
    int weights; /* WEIGHTS_MEMORY or WEIGHTS_CHIP */
};

static const struct cfg_field fields[] = {
    {"name", CFG_STRING, offsetof(struct entry, name), 0, 0, NULL, NULL, "the layer", NULL},
    {"chunk_images", CFG_INT, offsetof(struct entry, chunk_images), 1, 1e15, "", NULL,
     "images computed in one go", NULL},
    {"chunk_rows", CFG_INT, offsetof(struct entry, chunk_rows), 1, 1e15, "", NULL,
     "rows of an image computed in one go", NULL},
    {"chunk_columns", CFG_INT, offsetof(struct entry, chunk_columns), 1, 1e15, "", NULL,
     "columns of these", NULL},
    {"chunk_channels", CFG_INT, offsetof(struct entry, chunk_channels), 1, 1e15, "", NULL,
     "channels of these", NULL},
    {"weights", CFG_ENUM, offsetof(struct entry, weights), 0, 0, "memory", NULL,
     "where its weights are while it uses them: fetched from their memory, or whole on the chip",
     weights_names},
    {.path = NULL},
};

/* Which weights are to stay, before homes_fit(); the rest of a layer's entry is read when chunks
 * are known. */
struct staying {
    const struct mapping *mapping;
    struct plan *plan;
};

static bool take_weights(void *user, struct cfg *cfg, GError **error)
{
    const struct staying *s = user;
    const char *name = cfg_peek_string(cfg, "name"), *where = cfg_peek_string(cfg, "weights");
    const char *chip = weights_names[WEIGHTS_CHIP];
    for (int i = 0; name && where && !strcmp(where, chip) && i < s->plan->n_layer; i++) {
        const struct plan_layer *l = &s->plan->layers[i];
        if (strcmp(l->name, name) != 0)
            continue;
        if (l->kind != LAYER_MATRIX || l->stationary_is_activation || l->streamed ||
            !s->plan->machine->keeps_weights)
            return error_set(
                error, ERROR_INPUT,
                "%s: layer '%s': weights = \"chip\": it has none that %s can keep there, "
                "so \"memory\" is right",
                cfg_origin(cfg, "weights"), name, s->plan->machine->name);
        homes_set_resident(s->plan, l->weights_of, true);
    }
    return true;
}

/* Images that a layer may compute at once: of one alone in its group, as many as there is room for.
 */
static int64_t most_images(const struct plan *p, struct plan_layer *l)
{
    const struct dims o = plan_dims(p, l->out);
    const int64_t kept = l->chunk_image;
    if (l->n_turn > 1 || l->chunk_row < o.h)
        return kept;
    l->chunk_image = o.n;
    while (l->chunk_image > kept && !homes_chunk_fits(p, l))
        l->chunk_image -= plan_chunk_unit(l);
    const int64_t most = l->chunk_image;
    l->chunk_image = kept;
    return most;
}

/* One dimension of a chunk, in multiples of `unit`; 0: it is not cut. */
static bool set_part(const struct plan_layer *l, const char *key, int64_t asked, int64_t size,
                     int64_t unit, int64_t *part, const char *origin, GError **error)
{
    if (asked == 0 || asked == *part || asked == size ||
        (unit && asked < size && !(asked % unit))) {
        *part = asked ? asked : *part;
        return true;
    }
    if (!unit)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': %s = %" PRId64 ": it is not cut there: %" PRId64
                         " is right",
                         origin, l->name, key, asked, size);
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': %s = %" PRId64 ": %" PRId64 ", or a multiple of %" PRId64
                     " below, is right",
                     origin, l->name, key, asked, size, unit);
}

/* What of an image is computed in one go. */
static bool set_pieces(const struct plan *p, struct plan_layer *l, const struct entry *e,
                       const char *origin, GError **error)
{
    const struct plan_layer kept = *l;
    const struct dims o = plan_dims(p, l->out);
    const bool alone = l->n_turn <= 1;
    const int64_t rows = alone && !plan_layer_pool(p, l) ? 1 : 0;
    const int64_t cols = alone && plan_cuts_columns(p, l) ? 1 : 0;
    const int64_t unit = l->kind == LAYER_MATRIX ? l->channel_unit : 1;
    const int64_t channels = alone && plan_cuts_channels(p, l) ? unit : 0;
    if (!e->chunk_rows && !e->chunk_columns && !e->chunk_channels)
        return true;
    if (!set_part(l, "chunk_rows", e->chunk_rows, o.h, rows, &l->chunk_row, origin, error) ||
        !set_part(l, "chunk_columns", e->chunk_columns, o.w, cols, &l->chunk_col, origin, error) ||
        !set_part(l, "chunk_channels", e->chunk_channels, o.c, channels, &l->chunk_channel, origin,
                  error))
        return false;
    if (e->chunk_images && alone)
        l->chunk_image = MIN(l->chunk_image, e->chunk_images);
    if (l->chunk_row < o.h)
        l->chunk_image = 1;
    if (homes_chunk_fits(p, l))
        return true;
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': %s has no room for chunks of %" PRId64 " rows, %" PRId64
                     " columns and %" PRId64 " channels; of %" PRId64 ", %" PRId64 " and %" PRId64
                     " it has",
                     origin, l->name, p->machine->name, l->chunk_row, l->chunk_col,
                     l->chunk_channel, kept.chunk_row, kept.chunk_col, kept.chunk_channel);
}

static bool set_chunk(struct plan *p, struct plan_layer *l, const struct entry *e,
                      const char *origin, GError **error)
{
    const int64_t kept = l->chunk_image, most = most_images(p, l), unit = plan_chunk_unit(l);
    if (e->chunk_images == 0)
        return true;
    if (e->chunk_images % unit != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': chunk_images = %" PRId64 ": whole matrices of %" PRId64
                         " rows are computed, %" PRId64 " or a multiple",
                         origin, l->name, e->chunk_images, unit, unit);
    l->chunk_image = e->chunk_images;
    if (e->chunk_images == kept ||
        (e->chunk_images <= most && l->n_turn == 1 && homes_chunk_fits(p, l)))
        return true;
    l->chunk_image = kept;
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': chunk_images = %" PRId64 ": %s has room for %" PRId64
                     " images at once%s",
                     origin, l->name, e->chunk_images, p->machine->name, most,
                     l->n_turn == 1 ? ", or fewer" : ", as many as the layers beside it take");
}

/* The layers of the file so far. */
struct cutting {
    const struct mapping *mapping;
    struct plan *plan;
    const struct target *target;
    const char **names; /* by layer; NULL: on the host */
    bool *seen;         /* by layer */
};

static void find_given(const struct cfg_field *field, const char *value, bool is_default,
                       void *found)
{
    (void)value;
    const char **first = found;
    if (!is_default && !*first)
        *first = field->path;
}

/* What the family decides of a product; of another layer it decides nothing. */
static bool apply_choice(const struct cutting *c, struct cfg *cfg, const struct plan_layer *l,
                         struct entry *e, struct choice *choice, const char *origin, GError **error)
{
    size_t n = 0;
    while (c->target->choices && c->target->choices[n].path)
        n++;
    struct cfg_field *family = g_new0(struct cfg_field, n + 1);
    for (size_t i = 0; i < n; i++) {
        family[i] = c->target->choices[i];
        if (l->kind != LAYER_MATRIX)
            family[i].def = "";
    }
    const struct cfg_table tables[] = {{fields, e}, {family, choice}};
    bool ok = cfg_apply(cfg, tables, 2, c->mapping->arena, error);
    const char *given = NULL;
    if (ok && l->kind != LAYER_MATRIX)
        cfg_visit(&tables[1], find_given, &given);
    g_free(family);
    if (!ok && error && *error) { /* which of the entries on a line it is */
        GError *own = *error;
        *error = NULL;
        error_set(error, ERROR_INPUT, "%s (layer '%s')", own->message, l->name);
        g_error_free(own);
    }
    if (given)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': %s is given: it has no product to cut into blocks, "
                         "chunk_images, chunk_rows, chunk_columns and chunk_channels are its",
                         origin, l->name, given);
    return ok;
}

static bool take_layer(void *user, struct cfg *cfg, GError **error)
{
    struct cutting *c = user;
    struct plan *p = c->plan;
    const char *origin = arena_strdup(c->mapping->arena, cfg_origin(cfg, "name"));
    const char *name = cfg_peek_string(cfg, "name");
    struct entry e = {0};
    struct choice choice = {{0}};
    if (!name) { /* missing, or no string: it is told */
        const struct cfg_table tables[] = {{fields, &e}, {c->target->choices, &choice}};
        cfg_apply(cfg, tables, c->target->choices ? 2 : 1, c->mapping->arena, error);
        return false;
    }
    const int i = find_name(p, name, c->names, p->n_layer, "layer", origin, error);
    if (i < 0)
        return false;
    struct plan_layer *l = &p->layers[i];
    if (c->seen[i])
        return error_set(error, ERROR_INPUT, "%s: layer '%s' is given twice", origin, l->name);
    c->seen[i] = true;
    if (!apply_choice(c, cfg, l, &e, &choice, origin, error) ||
        !set_pieces(p, l, &e, origin, error) || !set_chunk(p, l, &e, origin, error))
        return false;
    if (e.weights == WEIGHTS_CHIP && !l->resident)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': weights = \"chip\": %s has no room for their %" PRIu64
                         " KiB beside what else is on the chip then, so \"memory\" is right",
                         origin, l->name, machine_memory(p->machine, ROLE_ACTIVATIONS)->name,
                         l->stored_bytes / 1024);
    if (l->kind != LAYER_MATRIX)
        return true;
    l->choice = choice;
    return !c->target->check_choice ||
           c->target->check_choice(c->target->self, p, l, origin, error);
}

bool mapping_apply(const struct mapping *m, struct plan *p, const struct target *t, GError **error)
{
    struct cutting c = {.mapping = m,
                        .plan = p,
                        .target = t,
                        .names = g_new0(const char *, (gsize)p->n_layer),
                        .seen = g_new0(bool, (gsize)p->n_layer)};
    for (int i = 0; i < p->n_layer; i++)
        c.names[i] = p->layers[i].kind == LAYER_HOST ? NULL : p->layers[i].name;
    const bool ok = each_entry(m, "layers", take_layer, &c, error);
    g_free(c.names);
    g_free(c.seen);
    return ok;
}

/* Which layers a mapping's file lets take turns, and where it puts activations. */

struct group_entry {
    const char *first, *last;
    int64_t images;
};

static const struct cfg_field group_fields[] = {
    {"first", CFG_STRING, offsetof(struct group_entry, first), 0, 0, NULL, NULL, "its first layer",
     NULL},
    {"last", CFG_STRING, offsetof(struct group_entry, last), 0, 0, NULL, NULL, "its last layer",
     NULL},
    {"images", CFG_INT, offsetof(struct group_entry, images), 1, 1e15, NULL, NULL,
     "images of a turn", NULL},
    {.path = NULL},
};

struct value_entry {
    const char *name;
    int home;
};

static const struct cfg_field value_fields[] = {
    {"name", CFG_STRING, offsetof(struct value_entry, name), 0, 0, NULL, NULL, "the activation",
     NULL},
    {"home", CFG_ENUM, offsetof(struct value_entry, home), 0, 0, NULL, NULL,
     "whole on the chip, on the host, or only the images of a turn on the chip",
     mapping_home_names},
    {.path = NULL},
};

struct reading {
    struct mapping *mapping;
    struct plan *plan;
    struct group_entry group;
    struct value_entry value;
    const char **names; /* of the layers, or of the values that are used */
};

/* Why a layer cannot take turns with the group's first one; NULL: it can. */
static const char *why_no_turns(const struct plan *p, const struct plan_layer *l, int64_t batch)
{
    if (l->kind == LAYER_HOST)
        return "it runs on the host";
    return groups_joins(p, l, batch) ? NULL : "it needs other images than those of a turn";
}

static bool check_group(const struct reading *r, const struct mapping_group *g, GError **error)
{
    const struct plan *p = r->plan;
    const int64_t batch = plan_dims(p, p->layers[g->first].out).n;
    if (g->last <= g->first)
        return error_set(error, ERROR_INPUT,
                         "%s: last = '%s': a layer behind '%s' is right, a group has two or more",
                         g->origin, p->layers[g->last].name, p->layers[g->first].name);
    if (g->images >= batch)
        return error_set(error, ERROR_INPUT,
                         "%s: images = %" PRId64 ": turns have fewer than the batch of %" PRId64,
                         g->origin, g->images, batch);
    for (int i = g->first; i <= g->last; i++) {
        const char *why = why_no_turns(p, &p->layers[i], batch);
        if (why)
            return error_set(error, ERROR_INPUT, "%s: '%s' to '%s': layer '%s' takes no turns: %s",
                             g->origin, p->layers[g->first].name, p->layers[g->last].name,
                             p->layers[i].name, why);
        if (!plan_is_alone(p, &p->layers[i]))
            return error_set(error, ERROR_INPUT, "%s: layer '%s' is in a group already", g->origin,
                             p->layers[i].name);
    }
    return true;
}

/* Marks the group's layers; number_groups() makes the partition. */
static bool take_group(void *user, struct cfg *cfg, GError **error)
{
    struct reading *r = user;
    struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    const char *origin;
    if (!apply_entry(m, cfg, group_fields, &r->group, &origin, error))
        return false;
    struct mapping_group g = {.images = r->group.images, .origin = origin};
    g.first = find_name(p, r->group.first, r->names, p->n_layer, "layer", origin, error);
    g.last = g.first < 0
                 ? -1
                 : find_name(p, r->group.last, r->names, p->n_layer, "layer", origin, error);
    if (g.last < 0 || !check_group(r, &g, error))
        return false;
    for (int i = g.first; i <= g.last; i++) {
        struct plan_layer *l = &p->layers[i];
        homes_take_turns(p, l, g.images);
        p->groups[l->group] = (struct plan_group){.first = g.first, .last = g.last};
    }
    m->groups[m->n_group++] = g;
    return true;
}

/* From a group a layer, those of several repeated, to a partition. */
static void number_groups(struct plan *p)
{
    p->n_group = 0;
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_group g = p->groups[i];
        if (g.first == i)
            p->groups[p->n_group++] = g;
        p->layers[i].group = p->n_group - 1;
    }
}

/* Whether one group of several layers alone has to do with the value, */
static bool is_in_group(const struct plan *p, const struct home *h)
{
    const struct plan_layer *first = &p->layers[h->first_layer];
    return !plan_is_alone(p, first) && first->group == p->layers[h->last_layer].group;
}

/* and makes it for itself. */
static bool stays_in_group(const struct plan *p, const struct home *h)
{
    return !h->loaded && !h->stored && is_in_group(p, h);
}

static bool take_value(void *user, struct cfg *cfg, GError **error)
{
    struct reading *r = user;
    const struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    const struct value_entry *e = &r->value;
    const char *origin;
    if (!apply_entry(m, cfg, value_fields, &r->value, &origin, error))
        return false;
    const int v = find_name(p, e->name, r->names, p->graph->n_value, "value", origin, error);
    if (v < 0)
        return false;
    struct home *h = &p->homes[v];
    if (m->origins[v])
        return error_set(error, ERROR_INPUT, "%s: value '%s' is given twice", origin, e->name);
    if (e->home == MAPPING_TURN && !stays_in_group(p, h))
        return error_set(
            error, ERROR_INPUT,
            "%s: value '%s': home = \"turn\": no group of several layers both makes it "
            "and keeps it to itself, so \"chip\" or \"host\" is right",
            origin, e->name);
    if (e->home == MAPPING_HOST && stays_in_group(p, h))
        return error_set(error, ERROR_INPUT,
                         "%s: value '%s': home = \"host\": one group makes it and reads it in the "
                         "same turn, so \"turn\" or \"chip\" is right",
                         origin, e->name);
    m->origins[v] = origin;
    m->homes[v] = (enum mapping_home)e->home;
    h->resident = e->home == MAPPING_CHIP;
    return true;
}

static bool read_groups(struct reading *r, GError **error)
{
    struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    m->groups = ARENA_ARRAY(m->arena, struct mapping_group, MAX(p->n_layer, 1));
    m->n_group = 0;
    for (int i = 0; i < p->n_layer; i++)
        r->names[i] = p->layers[i].name;
    if (!each_entry(m, "groups", take_group, r, error))
        return false;
    number_groups(p);
    if (m->n_group && !p->machine->interleaves)
        return error_set(error, ERROR_INPUT, "%s: layers of %s take no turns", m->groups[0].origin,
                         p->machine->name);
    return true;
}

static bool read_values(struct reading *r, GError **error)
{
    const struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    m->homes = ARENA_ARRAY(m->arena, enum mapping_home, MAX(p->graph->n_value, 1));
    m->origins = ARENA_ARRAY(m->arena, const char *, MAX(p->graph->n_value, 1));
    for (int v = 0; v < p->graph->n_value; v++) {
        m->homes[v] = MAPPING_FREE;
        r->names[v] = p->homes[v].used ? p->graph->values[v].name : NULL;
    }
    for (int v = 0; v < p->graph->n_value; v++) /* a turn's images need the least room */
        p->homes[v].resident = p->homes[v].used && !is_in_group(p, &p->homes[v]);
    return each_entry(m, "values", take_value, r, error);
}

bool mapping_layout(struct mapping *m, struct plan *p, GError **error)
{
    struct reading r = {
        .mapping = m,
        .plan = p,
        .names = g_new0(const char *, (gsize)MAX(p->n_layer, p->graph->n_value)),
    };
    struct staying s = {m, p};
    const bool ok = read_groups(&r, error) && read_values(&r, error) &&
                    each_entry(m, "layers", take_weights, &s, error);
    g_free(r.names);
    p->mapping = m;
    return ok;
}
