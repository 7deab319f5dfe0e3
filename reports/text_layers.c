/* SPDX-License-Identifier: Apache-2.0 */
/* The table of layers: a row of `columns` says what stands in a column and how it gives way. */
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
    if (at->r->dram_memory < 0)
        return NULL;
    struct record_bytes bytes = at->l->bytes[at->r->dram_memory];
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
static const struct column {
    const char *head;
    size_t text_offset; /* of a string in struct record_layer, where there is no cell() */
    char *(*cell)(const struct place *at);
    enum text_color (*color)(const struct record_layer *l); /* NULL: plain */
    int min_width; /* it may be shortened to this; 0: never shortened */
    int keep;      /* where there is no room, the column that is kept least goes first */
    bool right;
} columns[] = {
    {.head = "#", .cell = cell_index, .keep = 2, .right = true},
    {.head = "layer", offsetof(struct record_layer, name), .min_width = 7, .keep = 9},
    {.head = "operator", offsetof(struct record_layer, op), .min_width = 8, .keep = 3},
    {.head = "output", offsetof(struct record_layer, shape), .min_width = 8, .keep = 1},
    {.head = "MACs", .cell = cell_macs, .keep = 4, .right = true},
    {.head = "cycles", .cell = cell_cycles, .keep = 9, .right = true},
    {.head = "share", .cell = cell_share, .keep = 8, .right = true},
    {.head = "of peak", .cell = cell_peak, .color = color_peak, .keep = 6},
    {.head = "bound", .cell = cell_bound, .color = color_bound, .keep = 7},
    {.head = "off-chip", .cell = cell_off_chip, .keep = 4, .right = true},
    {.head = "energy", .cell = cell_energy, .keep = 5, .right = true},
    {.head = "check", .cell = cell_check, .color = color_check, .keep = 7},
};

enum { N_COLUMN = G_N_ELEMENTS(columns) };

struct table {
    const struct record_layer **rows; /* the layers, then the total */
    int n_row;
    char *(*cells)[N_COLUMN];
    int width[N_COLUMN]; /* 0: not shown */
    int gap;
};

static char *make_cell(const struct place *at, const struct column *c)
{
    if (at->l->index < 0 && (c->cell == cell_index || c->cell == cell_bound))
        return NULL;
    if (c->cell)
        return c->cell(at);
    const char *s = G_STRUCT_MEMBER(const char *, at->l, c->text_offset);
    return s && *s ? text_clean(at->t, s) : NULL;
}

static int width_of(const struct table *table, int i_column)
{
    int width = 0;
    for (int i = 0; i < table->n_row; i++)
        if (table->cells[i][i_column])
            width = MAX(width, text_columns(table->cells[i][i_column]));
    return width > 0 ? MAX(width, text_columns(columns[i_column].head)) : 0;
}

static int total_width(const struct table *table)
{
    int width = -table->gap; /* none before the first */
    for (int i = 0; i < N_COLUMN; i++)
        width += table->width[i] > 0 ? table->width[i] + table->gap : 0;
    return width;
}

/* Shortens the column that has most to spare by one; false when none has any. */
static bool shorten(struct table *table)
{
    int best = -1, best_spare = 0;
    for (int i = 0; i < N_COLUMN; i++) {
        int spare = columns[i].min_width > 0 ? table->width[i] - columns[i].min_width : 0;
        if (spare > best_spare) {
            best = i;
            best_spare = spare;
        }
    }
    if (best >= 0)
        table->width[best]--;
    return best >= 0;
}

static bool drop(struct table *table)
{
    int least = -1, n_shown = 0;
    for (int i = 0; i < N_COLUMN; i++) {
        if (table->width[i] == 0)
            continue;
        n_shown++;
        if (least < 0 || columns[i].keep < columns[least].keep)
            least = i;
    }
    if (n_shown > 1)
        table->width[least] = 0;
    return n_shown > 1;
}

static void end_line(struct text *t)
{
    while (t->out->len > 0 && t->out->str[t->out->len - 1] == ' ')
        g_string_truncate(t->out, t->out->len - 1);
    g_string_append_c(t->out, '\n');
}

static enum text_color color_of(const struct column *c, const struct record_layer *l)
{
    if (c->color)
        return c->color(l);
    return l->index < 0 ? TEXT_BOLD : TEXT_PLAIN;
}

static void put_row(struct text *t, const struct table *table, int i_row)
{
    const struct record_layer *l = table->rows[i_row];
    int gap = 0;
    for (int i = 0; i < N_COLUMN; i++) {
        if (table->width[i] == 0)
            continue;
        const char *cell = table->cells[i_row][i];
        const char *none = l->index < 0 ? "" : t->glyphs->dash;
        g_autofree char *fit = text_fit(t, cell ? cell : none, table->width[i]);
        enum text_color color = cell ? color_of(&columns[i], l) : TEXT_DIM;
        g_string_append_printf(t->out, "%*s", gap, "");
        text_put_padded(t, color, fit, table->width[i], columns[i].right);
        gap = table->gap;
    }
    end_line(t);
}

static void put_head(struct text *t, const struct table *table)
{
    int gap = 0;
    for (int i = 0; i < N_COLUMN; i++) {
        if (table->width[i] == 0)
            continue;
        g_string_append_printf(t->out, "%*s", gap, "");
        text_put_padded(t, TEXT_BOLD, columns[i].head, table->width[i], columns[i].right);
        gap = table->gap;
    }
    end_line(t);
}

static void put_rule(struct text *t, const struct table *table)
{
    text_repeat(t, TEXT_DIM, t->glyphs->rule, total_width(table));
    g_string_append_c(t->out, '\n');
}

static void put_table(struct text *t, const struct table *table)
{
    put_head(t, table);
    put_rule(t, table);
    for (int i = 0; i < table->n_row - 1; i++)
        put_row(t, table, i);
    put_rule(t, table);
    put_row(t, table, table->n_row - 1);
}

void text_layers(struct text *t, const struct record *r)
{
    struct arena *arena = arena_new();
    const struct record_layer *total = total_layer(arena, r);
    struct table table = {.n_row = r->n_layer + 1};
    table.rows = g_new(const struct record_layer *, table.n_row);
    table.cells = g_malloc_n((gsize)table.n_row, sizeof(*table.cells));
    for (int i = 0; i < table.n_row; i++) {
        table.rows[i] = i < r->n_layer ? &r->layers[i] : total;
        struct place at = {t, r, table.rows[i]};
        for (int j = 0; j < N_COLUMN; j++)
            table.cells[i][j] = make_cell(&at, &columns[j]);
    }
    for (int j = 0; j < N_COLUMN; j++)
        table.width[j] = width_of(&table, j);
    table.gap = 2;
    if (total_width(&table) > t->width)
        table.gap = 1;
    while (total_width(&table) > t->width && (shorten(&table) || drop(&table)))
        ;
    put_table(t, &table);
    for (int i = 0; i < table.n_row; i++)
        for (int j = 0; j < N_COLUMN; j++)
            g_free(table.cells[i][j]);
    g_free(table.cells);
    g_free(table.rows);
    arena_free(arena);
}
