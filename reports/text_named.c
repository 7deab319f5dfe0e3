/* SPDX-License-Identifier: Apache-2.0 */
/* What one family alone tells: tables below the one of layers, scalars among the totals. */
#include <math.h>
#include <string.h>

#include "reports/text.h"

enum { MAX_ROWS = 100 }; /* of a table; JSON has them all */

/* Units that prefixes are usual with: J, Hz, B/s. */
static bool is_symbol(const char *unit)
{
    return strcspn(unit, "/") <= 2;
}

static char *value_text(const struct text *t, const struct stat_desc *d,
                        const struct record_value *v)
{
    const char *unit = d->unit ? d->unit : "";
    switch (v->type) {
    case RECORD_COUNT:
        return text_grouped(v->count);
    case RECORD_REAL:
        if (!isfinite(v->real))
            return NULL;
        if (*unit && is_symbol(unit))
            return text_si(t, v->real, unit);
        if (v->real >= 1e4 && v->real < 1e15)
            return text_grouped((uint64_t)llround(v->real));
        return text_float("%.4g", v->real);
    case RECORD_TEXT:
        return v->text ? text_clean(t, v->text) : NULL;
    case RECORD_NONE:
        break;
    }
    return NULL;
}

/* A key as words, but for a unit at its end that the value is shown with: "energy_j". */
static char *spoken(const struct text *t, const struct stat_desc *d, const char *key)
{
    g_autofree char *unit = g_ascii_strdown(d->unit && is_symbol(d->unit) ? d->unit : "", -1);
    g_autofree char *end = g_strconcat("_", unit, NULL);
    g_autofree char *name = g_strdup(key);
    if (*unit && g_str_has_suffix(name, end))
        name[strlen(name) - strlen(end)] = '\0';
    return text_spoken(t, name);
}

/* Of a name with dots what stands before the last one; without, "" */
static char *object_name(const struct record_scalar *s)
{
    const char *dot = strrchr(s->desc->name, '.');
    return g_strndup(s->desc->name, dot ? (gsize)(dot - s->desc->name) : 0);
}

static void add_scalar(GString *body, const struct text *t, const struct record_scalar *s)
{
    const char *dot = strrchr(s->desc->name, '.');
    g_autofree char *value = value_text(t, s->desc, &s->value);
    if (!value)
        return;
    g_autofree char *name = spoken(t, s->desc, dot ? dot + 1 : s->desc->name);
    g_autofree char *part = g_strdup_printf("%s %s", name, value);
    g_auto(GStrv) words = g_strsplit(part, " ", -1);
    g_autofree char *hard = g_strjoinv(TEXT_HARD_SPACE, words);
    g_string_append_printf(body, "%s%s", body->len > 0 ? ", " : "", hard);
}

/* A paragraph an object, at its first scalar. */
void text_scalars(struct text *t, const struct record *r)
{
    for (int i = 0; i < r->n_scalar; i++) {
        g_autofree char *object = object_name(&r->scalars[i]);
        g_autoptr(GString) body = g_string_new(NULL);
        bool is_first = true;
        for (int j = 0; j < r->n_scalar; j++) {
            g_autofree char *other = object_name(&r->scalars[j]);
            if (strcmp(object, other) != 0)
                continue;
            is_first &= j >= i;
            add_scalar(body, t, &r->scalars[j]);
        }
        if (!is_first || body->len == 0)
            continue;
        const char *dot = strrchr(object, '.');
        g_autofree char *name = text_spoken(t, !*object ? "also" : dot ? dot + 1 : object);
        g_autofree char *label = text_fit(t, name, TEXT_LABEL - 1);
        text_paragraph(t, TEXT_BOLD, label, body->str);
    }
}

/* A table of one name, of the run or of all layers that have it. */
struct parts {
    const struct record_table_desc *desc;
    GPtrArray *tables;
    GPtrArray *layers; /* by table; NULL: of the run */
};

static void add_part(GArray *all, const struct record_table *table, const struct record_layer *l)
{
    guint i = 0;
    while (i < all->len &&
           strcmp(g_array_index(all, struct parts, i).desc->name, table->desc->name) != 0)
        i++;
    if (i == all->len) {
        const struct parts parts = {table->desc, g_ptr_array_new(), g_ptr_array_new()};
        g_array_append_val(all, parts);
    }
    struct parts *p = &g_array_index(all, struct parts, i);
    g_ptr_array_add(p->tables, (void *)table);
    g_ptr_array_add(p->layers, (void *)l);
}

static void put_heading(struct text *t, const struct record_table_desc *d)
{
    const char *dot = strrchr(d->name, '.');
    g_autofree char *name = text_spoken(t, dot ? dot + 1 : d->name), *help = text_clean(t, d->help);
    g_autofree char *label = text_fit(t, name, TEXT_LABEL - 1);
    g_string_append_c(t->out, '\n');
    text_paragraph(t, TEXT_BOLD, label, help);
}

static guint64 count_rows(const struct parts *p)
{
    guint64 n_row = 0;
    for (guint i = 0; i < p->tables->len; i++)
        n_row += (guint64)((const struct record_table *)g_ptr_array_index(p->tables, i))->n_row;
    return n_row;
}

/* The layer, where the table is of layers, then the table's own columns; of these the first ones
 * are kept longest. */
static struct text_column *columns_of(struct text *t, const struct parts *p, GPtrArray *heads)
{
    const struct record_table_desc *d = p->desc;
    const struct record_table *first = g_ptr_array_index(p->tables, 0);
    struct text_column *columns = g_new0(struct text_column, d->n_column + 1);
    columns[0] = (struct text_column){.head = "layer", .min_width = 7, .keep = d->n_column + 1};
    for (int j = 0; j < d->n_column; j++) {
        const bool is_text = first->n_row > 0 && first->cells[j].type == RECORD_TEXT;
        char *head = spoken(t, &d->columns[j], d->columns[j].name);
        g_ptr_array_add(heads, head);
        columns[j + 1] = (struct text_column){
            .head = head, .min_width = is_text ? 8 : 0, .keep = d->n_column - j, .right = !is_text};
    }
    return columns;
}

static void fill(const struct text *t, const struct parts *p, struct text_table *table, int n_row)
{
    const struct record_table_desc *d = p->desc;
    int row = 0;
    for (guint i = 0; i < p->tables->len; i++) {
        const struct record_table *part = g_ptr_array_index(p->tables, i);
        const struct record_layer *l = g_ptr_array_index(p->layers, i);
        for (int k = 0; k < part->n_row && row < n_row; k++, row++) {
            text_table_set(table, row, 0, l ? text_clean(t, l->name) : NULL, TEXT_PLAIN);
            for (int j = 0; j < d->n_column; j++) {
                const struct record_value *v = &part->cells[k * d->n_column + j];
                text_table_set(table, row, j + 1, value_text(t, &d->columns[j], v), TEXT_PLAIN);
            }
        }
    }
}

static void put_parts(struct text *t, const struct parts *p)
{
    const guint64 n_row = count_rows(p);
    const int n_shown = (int)MIN(n_row, MAX_ROWS);
    if (n_row == 0)
        return;
    g_autoptr(GPtrArray) heads = g_ptr_array_new_with_free_func(g_free);
    g_autofree struct text_column *columns = columns_of(t, p, heads);
    struct text_table *table = text_table_new(columns, p->desc->n_column + 1, n_shown, 0);
    fill(t, p, table, n_shown);
    put_heading(t, p->desc);
    text_table_put(t, table);
    if (n_row > MAX_ROWS) {
        g_autofree char *more = text_grouped(n_row - MAX_ROWS);
        g_autofree char *line = g_strdup_printf("and %s more, in JSON\n", more);
        text_put(t, TEXT_DIM, line);
    }
}

void text_tables(struct text *t, const struct record *r)
{
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct parts));
    for (int i = 0; i < r->n_table; i++)
        add_part(all, &r->tables[i], NULL);
    for (int i = 0; i < r->n_layer; i++)
        for (int j = 0; j < r->layers[i].n_table; j++)
            add_part(all, &r->layers[i].tables[j], &r->layers[i]);
    for (guint i = 0; i < all->len; i++) {
        struct parts *p = &g_array_index(all, struct parts, i);
        put_parts(t, p);
        g_ptr_array_unref(p->tables);
        g_ptr_array_unref(p->layers);
    }
}
