/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/mapping.h"

#include <inttypes.h>
#include <string.h>

#include "mapper/passes.h"
#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

struct entry {
    const char *name;
    int64_t block_rows, parts, chunk_images;
    int order;
    bool halves;
};

static const struct cfg_field fields[] = {
    {"name", CFG_STRING, offsetof(struct entry, name), 0, 0, NULL, NULL, "the layer", NULL},
    {"block_rows", CFG_INT, offsetof(struct entry, block_rows), 1, 1e15, NULL, NULL,
     "rows of a block of partial sums", NULL},
    {"order", CFG_ENUM, offsetof(struct entry, order), 0, 0, NULL, NULL,
     "which loop is outer: output tiles (nm) or row blocks (mn)", loop_order_names},
    {"halves", CFG_BOOL, offsetof(struct entry, halves), 0, 0, NULL, NULL,
     "two blocks take turns in the accumulators", NULL},
    {"parts", CFG_INT, offsetof(struct entry, parts), 1, TILING_MAX_PARTS, "1", NULL,
     "pieces in which a block leaves the accumulators", NULL},
    {"chunk_images", CFG_INT, offsetof(struct entry, chunk_images), 1, 1e15, NULL, NULL,
     "images computed in one go", NULL},
    {.path = NULL},
};

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

char *mapping_text(const struct plan *p)
{
    GString *out = g_string_new(NULL);
    g_string_append_printf(out, "# How accsim cuts %s, batch %" PRId64 ", on %s.\nlayers = (",
                           p->graph->name, p->graph->batch, p->machine->name);
    const char *separator = "\n";
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind != LAYER_MATRIX)
            continue;
        g_string_append_printf(out, "%s  { name = ", separator);
        put_string(out, l->name);
        g_string_append_printf(
            out,
            "; block_rows = %" PRId64
            "; order = \"%s\"; halves = %s; parts = %d; chunk_images = %" PRId64 "; }",
            l->tiling.block_m, loop_order_names[l->tiling.order],
            l->tiling.double_buffer ? "true" : "false", l->tiling.parts, l->chunk_image);
        separator = ",\n";
    }
    g_string_append(out, "\n);\n");
    return g_string_free(out, FALSE);
}

/* A layer with a product of that name; NULL with an error. */
static struct plan_layer *find_layer(struct plan *p, const char *name, const char *origin,
                                     GError **error)
{
    g_autofree const char **names = g_new0(const char *, (gsize)p->n_layer);
    for (int i = 0; i < p->n_layer; i++) {
        if (p->layers[i].kind != LAYER_MATRIX)
            continue;
        if (!strcmp(p->layers[i].name, name))
            return &p->layers[i];
        names[i] = p->layers[i].name;
    }
    const char *near = cfg_nearest(name, names, (size_t)p->n_layer);
    error_set(error, ERROR_INPUT, "%s: %s has no layer '%s' that %s multiplies%s%s%s", origin,
              p->graph->name, name, p->machine->name, near ? ", did you mean '" : "",
              near ? near : "", near ? "'?" : "");
    return NULL;
}

/* Images that a layer may compute at once: of one alone in its group, as many as there is room for.
 */
static int64_t most_images(const struct plan *p, struct plan_layer *l)
{
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    const int64_t kept = l->chunk_image;
    if (l->n_pass > 1 || l->chunk_row < o.h)
        return kept;
    l->chunk_image = o.n;
    while (l->chunk_image > kept && !chunk_fits(p, l))
        l->chunk_image--;
    const int64_t most = l->chunk_image;
    l->chunk_image = kept;
    return most;
}

static bool set_chunk(struct plan *p, struct plan_layer *l, const struct entry *e,
                      const char *origin, GError **error)
{
    const int64_t kept = l->chunk_image, most = most_images(p, l);
    l->chunk_image = e->chunk_images;
    if (e->chunk_images == kept || (e->chunk_images <= most && l->n_pass == 1 && chunk_fits(p, l)))
        return true;
    l->chunk_image = kept;
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': chunk_images = %" PRId64 ": %s has room for %" PRId64
                     " images at once%s",
                     origin, l->name, e->chunk_images, p->machine->name, most,
                     l->n_pass == 1 ? ", or fewer" : ", as many as the layers beside it take");
}

/* Pieces of a block of the size given. */
static bool check_parts(const struct plan *p, const struct plan_layer *l, const char *origin,
                        GError **error)
{
    const struct machine *m = p->machine;
    if (tiles_possible(p, l))
        return true;
    if (l->tiling.double_buffer || l->gemm.k <= m->tile_k || m->block_parts == 1)
        return error_set(error, ERROR_INPUT, "%s: layer '%s': parts = %d: %s, so 1 is right",
                         origin, l->name, l->tiling.parts,
                         l->tiling.double_buffer ? "halves leave the accumulators whole"
                                                 : "its blocks leave the accumulators whole");
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': parts = %d: 1 to %d pieces, at least %" PRId64
                     " of block_rows = %" PRId64 " in each and room for whole ones",
                     origin, l->name, l->tiling.parts, m->block_parts, m->piece_rows,
                     l->tiling.block_m);
}

static bool set_blocks(const struct plan *p, struct plan_layer *l, const struct entry *e,
                       const char *origin, GError **error)
{
    const struct region chunk = plan_chunk(p, l, 0);
    const int64_t entries = p->machine->max_tile_m / plan_sum_words(p, l);
    const int64_t rows = plan_block_rows(p, l, &chunk), unit = MAX(p->machine->block_unit, 1);
    const int64_t most = MIN(e->halves ? entries / 2 : entries, rows);
    const bool is_whole =
        e->block_rows % unit == 0 || e->block_rows == rows || e->block_rows < unit;
    if (e->block_rows > most || !is_whole)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': block_rows = %" PRId64 ": 1 to %" PRId64
                         " fit, in whole units of %" PRId64,
                         origin, l->name, e->block_rows, most, unit);
    l->tiling = (struct tiling){.block_m = e->block_rows,
                                .order = (enum loop_order)e->order,
                                .double_buffer = e->halves,
                                .parts = (int)e->parts};
    return check_parts(p, l, origin, error);
}

static bool apply_entry(struct plan *p, const char *file, const config_setting_t *group, bool *seen,
                        struct arena *arena, GError **error)
{
    struct cfg *cfg = cfg_from_group(file, group, error);
    if (!cfg)
        return false;
    struct entry e = {0};
    const struct cfg_table table = {fields, &e};
    bool ok = cfg_apply(cfg, &table, 1, arena, error);
    const char *origin = ok ? cfg_origin(cfg, "name") : NULL;
    struct plan_layer *l = ok ? find_layer(p, e.name, origin, error) : NULL;
    ok = l != NULL;
    if (ok && seen[l->index])
        ok = error_set(error, ERROR_INPUT, "%s: layer '%s' is given twice", origin, l->name);
    ok = ok && set_chunk(p, l, &e, origin, error) && set_blocks(p, l, &e, origin, error);
    if (ok)
        seen[l->index] = true;
    cfg_free(cfg);
    return ok;
}

static bool apply_root(struct plan *p, const char *file, const config_setting_t *root,
                       struct arena *arena, GError **error)
{
    g_autofree bool *seen = g_new0(bool, (gsize)p->n_layer);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *list = config_setting_get_elem(root, (unsigned)i);
        const unsigned line = config_setting_source_line(list);
        if (strcmp(config_setting_name(list), "layers") || !config_setting_is_list(list))
            return error_set(error, ERROR_INPUT,
                             "%s:%u: '%s': a mapping has 'layers', a list of groups, alone", file,
                             line, config_setting_name(list));
        for (int j = 0; j < config_setting_length(list); j++) {
            const config_setting_t *group = config_setting_get_elem(list, (unsigned)j);
            if (!config_setting_is_group(group))
                return error_set(error, ERROR_INPUT, "%s:%u: a layer is a group: { name = ...; }",
                                 file, config_setting_source_line(group));
            if (!apply_entry(p, file, group, seen, arena, error))
                return false;
        }
    }
    return true;
}

bool mapping_apply(struct plan *p, const char *file, GError **error)
{
    config_t doc;
    if (!cfg_parse_file(file, &doc, error))
        return false;
    struct arena *arena = arena_new();
    const bool ok = apply_root(p, file, config_root_setting(&doc), arena, error);
    arena_free(arena);
    config_destroy(&doc);
    return ok;
}
