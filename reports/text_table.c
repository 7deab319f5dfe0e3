/* SPDX-License-Identifier: Apache-2.0 */
/* Tables on a terminal: where the columns have no room, the widest ones are shortened, then those
 * that are kept least go. */
#include "reports/text.h"

struct cell {
    char *text; /* NULL: it does not apply */
    enum text_color color;
};

struct text_table {
    const struct text_column *columns;
    int n_column, n_row;
    int n_foot; /* last rows, below a rule of their own */
    struct cell *cells;
    int *width; /* by column; 0: not shown */
    int gap;
};

struct text_table *text_table_new(const struct text_column *columns, int n_column, int n_row,
                                  int n_foot)
{
    struct text_table *table = g_new0(struct text_table, 1);
    table->columns = columns;
    table->n_column = n_column;
    table->n_row = n_row;
    table->n_foot = n_foot;
    table->cells = g_new0(struct cell, (gsize)n_row * (gsize)n_column);
    table->width = g_new0(int, n_column);
    return table;
}

static struct cell *cell_at(const struct text_table *table, int row, int column)
{
    return &table->cells[(gsize)row * (gsize)table->n_column + (gsize)column];
}

void text_table_set(struct text_table *table, int row, int column, char *text,
                    enum text_color color)
{
    *cell_at(table, row, column) = (struct cell){text, color};
}

static int width_of(const struct text_table *table, int column)
{
    int width = 0;
    for (int i = 0; i < table->n_row; i++)
        if (cell_at(table, i, column)->text)
            width = MAX(width, text_columns(cell_at(table, i, column)->text));
    return width > 0 ? MAX(width, text_columns(table->columns[column].head)) : 0;
}

static int total_width(const struct text_table *table)
{
    int width = -table->gap; /* none before the first */
    for (int i = 0; i < table->n_column; i++)
        width += table->width[i] > 0 ? table->width[i] + table->gap : 0;
    return width;
}

/* Shortens the column that has most to spare by one; false when none has any. */
static bool shorten(struct text_table *table)
{
    int best = -1, best_spare = 0;
    for (int i = 0; i < table->n_column; i++) {
        const int min_width = table->columns[i].min_width;
        int spare = min_width > 0 ? table->width[i] - min_width : 0;
        if (spare > best_spare) {
            best = i;
            best_spare = spare;
        }
    }
    if (best >= 0)
        table->width[best]--;
    return best >= 0;
}

static bool drop(struct text_table *table)
{
    int least = -1, n_shown = 0;
    for (int i = 0; i < table->n_column; i++) {
        if (table->width[i] == 0)
            continue;
        n_shown++;
        if (least < 0 || table->columns[i].keep < table->columns[least].keep)
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

static void put_row(struct text *t, const struct text_table *table, int row)
{
    const char *none = row >= table->n_row - table->n_foot ? "" : t->glyphs->dash;
    int gap = 0;
    for (int i = 0; i < table->n_column; i++) {
        if (table->width[i] == 0)
            continue;
        const struct cell *cell = cell_at(table, row, i);
        g_autofree char *fit = text_fit(t, cell->text ? cell->text : none, table->width[i]);
        g_string_append_printf(t->out, "%*s", gap, "");
        text_put_padded(t, cell->text ? cell->color : TEXT_DIM, fit, table->width[i],
                        table->columns[i].right);
        gap = table->gap;
    }
    end_line(t);
}

static void put_head(struct text *t, const struct text_table *table)
{
    int gap = 0;
    for (int i = 0; i < table->n_column; i++) {
        if (table->width[i] == 0)
            continue;
        g_autofree char *fit = text_fit(t, table->columns[i].head, table->width[i]);
        g_string_append_printf(t->out, "%*s", gap, "");
        text_put_padded(t, TEXT_BOLD, fit, table->width[i], table->columns[i].right);
        gap = table->gap;
    }
    end_line(t);
}

static void put_rule(struct text *t, const struct text_table *table)
{
    text_repeat(t, TEXT_DIM, t->glyphs->rule, total_width(table));
    g_string_append_c(t->out, '\n');
}

static void table_free(struct text_table *table)
{
    for (gsize i = 0; i < (gsize)table->n_row * (gsize)table->n_column; i++)
        g_free(table->cells[i].text);
    g_free(table->cells);
    g_free(table->width);
    g_free(table);
}

void text_table_put(struct text *t, struct text_table *table)
{
    for (int j = 0; j < table->n_column; j++)
        table->width[j] = width_of(table, j);
    table->gap = 2;
    if (total_width(table) > t->width)
        table->gap = 1;
    while (total_width(table) > t->width && (shorten(table) || drop(table)))
        ;
    put_head(t, table);
    put_rule(t, table);
    for (int i = 0; i < table->n_row; i++) {
        if (table->n_foot > 0 && i == table->n_row - table->n_foot)
            put_rule(t, table);
        put_row(t, table, i);
    }
    table_free(table);
}
