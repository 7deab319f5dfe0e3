/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers a mapping's file lets take turns, and where it puts activations. */
#include <inttypes.h>
#include <string.h>

#include "mapper/mapping.h"
#include "mapper/passes.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

const char *const mapping_home_names[] = {"chip", "host", "turn", NULL};

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
    const int64_t batch = dims_of(&p->graph->values[p->layers[g->first].out].shape).n;
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
static bool take_group(void *user, const char *origin, GError **error)
{
    struct reading *r = user;
    struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    struct mapping_group g = {.images = r->group.images, .origin = origin};
    g.first = mapping_find(p, r->group.first, r->names, p->n_layer, "layer", origin, error);
    g.last = g.first < 0
                 ? -1
                 : mapping_find(p, r->group.last, r->names, p->n_layer, "layer", origin, error);
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

static bool take_value(void *user, const char *origin, GError **error)
{
    struct reading *r = user;
    const struct plan *p = r->plan;
    struct mapping *m = r->mapping;
    const struct value_entry *e = &r->value;
    const int v = mapping_find(p, e->name, r->names, p->graph->n_value, "value", origin, error);
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
    if (!mapping_each(m, "groups", group_fields, &r->group, take_group, r, error))
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
    return mapping_each(m, "values", value_fields, &r->value, take_value, r, error);
}

bool mapping_layout(struct mapping *m, struct plan *p, GError **error)
{
    struct reading r = {
        .mapping = m,
        .plan = p,
        .names = g_new0(const char *, (gsize)MAX(p->n_layer, p->graph->n_value)),
    };
    const bool ok = read_groups(&r, error) && read_values(&r, error);
    g_free(r.names);
    p->mapping = m;
    return ok;
}

bool mapping_kept(const struct mapping *m, const struct plan *p, GError **error)
{
    const struct machine_memory *memory = &p->machine->memories[p->machine->activation_memory];
    for (int i = 0; i < m->n_group; i++) {
        const struct mapping_group *g = &m->groups[i];
        const struct plan_layer *l = &p->layers[g->first];
        const int64_t images = l->chunk_image, batch = dims_of(&p->graph->values[l->out].shape).n;
        if (l->n_pass != int64_div_up(batch, g->images))
            return error_set(error, ERROR_INPUT,
                             "%s: '%s' to '%s': images = %" PRId64 ": %s has room for %" PRId64,
                             g->origin, p->layers[g->first].name, p->layers[g->last].name,
                             g->images, memory->name, images);
    }
    for (int v = 0; v < p->graph->n_value; v++)
        if (m->homes[v] == MAPPING_CHIP && !p->homes[v].resident)
            return error_set(error, ERROR_INPUT,
                             "%s: value '%s': home = \"chip\": %s has no room for its %" PRIu64
                             " KiB beside what else is on the chip then, so \"%s\" is right",
                             m->origins[v], p->graph->values[v].name, memory->name,
                             p->homes[v].size_bytes / 1024,
                             mapping_home_names[plan_is_local(p, v) ? MAPPING_TURN : MAPPING_HOST]);
    return true;
}

bool mapping_no_room(const struct mapping *m, const struct plan *p, int first, int last,
                     GError **error)
{
    const struct machine_memory *memory = &p->machine->memories[p->machine->activation_memory];
    for (int i = 0; i < m->n_group; i++) {
        const struct mapping_group *g = &m->groups[i];
        if (g->first <= last && first <= g->last)
            return error_set(error, ERROR_INPUT,
                             "%s: '%s' to '%s': %s has no room for one image of them all: fewer "
                             "layers, or a group each",
                             g->origin, p->layers[g->first].name, p->layers[g->last].name,
                             memory->name);
    }
    return error_set(error, ERROR_INPUT, "%s: %s has no room for its homes", m->file, memory->name);
}
