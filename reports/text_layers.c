/* SPDX-License-Identifier: Apache-2.0 */
/* The table of layers: rows of `contents` and `columns` say what stands in a column and how it
 * gives way. */
#include "reports/text.h"

#include <math.h>
#include <stddef.h>

#include "reports/total.h"
#include "sim/base/arena.h"

enum { BAR = 8 };

struct place {
    const struct text *t;
    const struct record *r;
    const struct record_layer *l; /* index -1: the total */
};

static char *percent(double share)
{
    return share > 0 && share < 0.005 ? g_strdup("<1 %") : text_percent(share, 0);
}

static char *cell_index(const struct place *at)
{
    return g_strdup_printf("%d", at->l->index);
}

static char *cell_macs(const struct place *at)
{
    return at->l->macs > 0 ? text_si(at->t, (double)at->l->macs, "") : NULL;
}

static char *cell_cycles(const struct place *at)
{
    return at->r->total_cyc > 0 ? text_si(at->t, (double)at->l->cycles, "") : NULL;
}

static char *cell_share(const struct place *at)
{
    if (at->r->total_cyc == 0)
        return NULL;
    return percent((double)at->l->cycles / (double)at->r->total_cyc);
}

static char *cell_peak(const struct place *at)
{
    if (at->l->peak_macs_per_cycle <= 0 || at->l->cycles == 0)
        return NULL;
    double share = record_layer_utilization(at->l);
    int n_eighth = (int)lround(CLAMP(share, 0.0, 1.0) * BAR * 8);
    GString *cell = g_string_new(NULL);
    for (int i = 0; i < BAR; i++)
        g_string_append(cell, at->t->glyphs->eighths[CLAMP(n_eighth - 8 * i, 0, 8)]);
    g_autofree char *number = percent(share);
    g_string_append_printf(cell, " %5s", number);
    return g_string_free(cell, FALSE);
}

static char *cell_bound(const struct place *at)
{
    return g_strdup(at->l->on_host ? "host" : record_bound_names[at->l->bound]);
}

static char *cell_off_chip(const struct place *at)
{
    bool any = false;
    for (int i = 0; i < at->r->n_memory; i++)
        any |= at->r->memory_place[i] != PLACE_ON_CHIP;
    if (!any)
        return NULL;
    const struct record_bytes bytes = record_off_chip_bytes(at->r, at->l->bytes);
    return text_si(at->t, (double)bytes.read + (double)bytes.write, "B");
}

static char *cell_energy(const struct place *at)
{
    if (at->r->n_component == 0)
        return NULL;
    return text_si(at->t, record_layer_energy_j(at->r, at->l), "J");
}

static char *cell_check(const struct place *at)
{
    const struct record_check *c = &at->l->check;
    if (!c->done)
        return NULL;
    const char *mark = c->pass ? at->t->glyphs->pass : at->t->glyphs->fail;
    if (c->has_exact && c->exact)
        return g_strdup_printf("%s exact", mark);
    if (c->has_exact && !c->pass)
        return g_strdup_printf("%s differs", mark);
    g_autofree char *error = text_float("%.1e", c->relative_l2_error);
    return g_strdup_printf("%s %s", mark, error);
}

static enum text_color color_bound(const struct record_layer *l)
{
    static const enum text_color colors[] = {
        [BOUND_COMPUTE] = TEXT_GREEN,
        [BOUND_MEMORY] = TEXT_YELLOW,
        [BOUND_LATENCY] = TEXT_MAGENTA,
        [BOUND_SYNC] = TEXT_BLUE,
    };
    return l->on_host ? TEXT_RED : colors[l->bound];
}

static enum text_color color_check(const struct record_layer *l)
{
    return !l->check.done ? TEXT_PLAIN : l->check.pass ? TEXT_GREEN : TEXT_RED;
}

static enum text_color color_peak(const struct record_layer *l)
{
    (void)l;
    return TEXT_CYAN;
}

/* A cell is NULL where it does not apply; a column that applies to no layer is not shown. */
static const struct content {
    size_t text_offset; /* of a string in struct record_layer, where there is no cell() */
    char *(*cell)(const struct place *at);
    enum text_color (*color)(const struct record_layer *l); /* NULL: plain */
} contents[] = {
    {.cell = cell_index},
    {.text_offset = offsetof(struct record_layer, name)},
    {.text_offset = offsetof(struct record_layer, op)},
    {.text_offset = offsetof(struct record_layer, shape)},
    {.cell = cell_macs},
    {.cell = cell_cycles},
    {.cell = cell_share},
    {.cell = cell_peak, .color = color_peak},
    {.cell = cell_bound, .color = color_bound},
    {.cell = cell_off_chip},
    {.cell = cell_energy},
    {.cell = cell_check, .color = color_check},
};
static const struct text_column columns[] = {
    {.head = "#", .keep = 2, .right = true},
    {.head = "layer", .min_width = 7, .keep = 9},
    {.head = "operator", .min_width = 8, .keep = 3},
    {.head = "output", .min_width = 8, .keep = 1},
    {.head = "MACs", .keep = 4, .right = true},
    {.head = "cycles", .keep = 9, .right = true},
    {.head = "share", .keep = 8, .right = true},
    {.head = "of peak", .keep = 6},
    {.head = "bound", .keep = 7},
    {.head = "off-chip", .keep = 4, .right = true},
    {.head = "energy", .keep = 5, .right = true},
    {.head = "check", .keep = 7},
};
enum { N_COLUMN = G_N_ELEMENTS(columns) };
_Static_assert(G_N_ELEMENTS(contents) == N_COLUMN, "what stands in each column");

static char *make_cell(const struct place *at, const struct content *c)
{
    if (at->l->index < 0 && (c->cell == cell_index || c->cell == cell_bound))
        return NULL;
    if (c->cell)
        return c->cell(at);
    const char *s = G_STRUCT_MEMBER(const char *, at->l, c->text_offset);
    return s && *s ? text_clean(at->t, s) : NULL;
}

static enum text_color color_of(const struct content *c, const struct record_layer *l)
{
    if (c->color)
        return c->color(l);
    return l->index < 0 ? TEXT_BOLD : TEXT_PLAIN;
}

void text_layers(struct text *t, const struct record *r)
{
    struct arena *arena = arena_new();
    const struct record_layer *total = total_layer(arena, r);
    struct text_table *table = text_table_new(columns, N_COLUMN, r->n_layer + 1, 1);
    for (int i = 0; i <= r->n_layer; i++) {
        const struct place at = {t, r, i < r->n_layer ? &r->layers[i] : total};
        for (int j = 0; j < N_COLUMN; j++)
            text_table_set(table, i, j, make_cell(&at, &contents[j]), color_of(&contents[j], at.l));
    }
    text_table_put(t, table);
    arena_free(arena);
}
