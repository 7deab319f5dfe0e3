/* SPDX-License-Identifier: Apache-2.0 */
/* How a mapping's file cuts layers. */
#include <inttypes.h>
#include <string.h>

#include "mapper/mapping.h"
#include "mapper/passes.h"
#include "sim/base/error.h"

struct entry {
    const char *name;
    int64_t block_rows, parts, chunk_images;
    int order;
    bool halves;
};

static const struct cfg_field fields[] = {
    {"name", CFG_STRING, offsetof(struct entry, name), 0, 0, NULL, NULL, "the layer", NULL},
    {"block_rows", CFG_INT, offsetof(struct entry, block_rows), 1, 1e15, "", NULL,
     "rows of a block of partial sums", NULL},
    {"order", CFG_ENUM, offsetof(struct entry, order), 0, 0, "nm", NULL,
     "which loop is outer: output tiles (nm) or row blocks (mn)", loop_order_names},
    {"halves", CFG_BOOL, offsetof(struct entry, halves), 0, 0, "false", NULL,
     "two blocks take turns in the accumulators", NULL},
    {"parts", CFG_INT, offsetof(struct entry, parts), 1, TILING_MAX_PARTS, "1", NULL,
     "pieces in which a block leaves the accumulators", NULL},
    {"chunk_images", CFG_INT, offsetof(struct entry, chunk_images), 1, 1e15, "", NULL,
     "images computed in one go", NULL},
    {.path = NULL},
};

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
        l->chunk_image -= plan_chunk_unit(l);
    const int64_t most = l->chunk_image;
    l->chunk_image = kept;
    return most;
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

/* The layers of the file so far. */
struct cutting {
    struct plan *plan;
    struct entry entry;
    const char **names; /* by layer; NULL: on the host */
    bool *seen;         /* by layer */
};

static bool take_layer(void *user, const char *origin, GError **error)
{
    struct cutting *c = user;
    struct plan *p = c->plan;
    const struct entry *e = &c->entry;
    const int i = mapping_find(p, e->name, c->names, p->n_layer, "layer", origin, error);
    if (i < 0)
        return false;
    struct plan_layer *l = &p->layers[i];
    if (c->seen[i])
        return error_set(error, ERROR_INPUT, "%s: layer '%s' is given twice", origin, l->name);
    c->seen[i] = true;
    if (l->kind == LAYER_MATRIX && e->block_rows == 0)
        return error_set(error, ERROR_INPUT, "%s: layer '%s': block_rows is missing", origin,
                         l->name);
    if (l->kind != LAYER_MATRIX && e->block_rows > 0)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': block_rows = %" PRId64
                         ": it has no product to cut into blocks, chunk_images alone is its",
                         origin, l->name, e->block_rows);
    return set_chunk(p, l, e, origin, error) &&
           (l->kind != LAYER_MATRIX || set_blocks(p, l, e, origin, error));
}

bool mapping_apply(const struct mapping *m, struct plan *p, GError **error)
{
    struct cutting c = {.plan = p,
                        .names = g_new0(const char *, (gsize)p->n_layer),
                        .seen = g_new0(bool, (gsize)p->n_layer)};
    for (int i = 0; i < p->n_layer; i++)
        c.names[i] = p->layers[i].kind == LAYER_HOST ? NULL : p->layers[i].name;
    const bool ok = mapping_each(m, "layers", fields, &c.entry, take_layer, &c, error);
    g_free(c.names);
    g_free(c.seen);
    return ok;
}
