/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of what one family alone tells: scalars and tables under their names. */
#include <glib.h>
#include <string.h>

#include "reports/json_parts.h"

static void put_value(json_t *o, const char *key, const struct record_value *v)
{
    g_assert(!json_object_get(o, key));
    switch (v->type) {
    case RECORD_COUNT:
        json_put_count(o, key, v->count);
        break;
    case RECORD_REAL:
        json_put_real(o, key, v->real);
        break;
    case RECORD_TEXT:
        json_put_text(o, key, v->text);
        break;
    case RECORD_NONE:
        break;
    }
}

/* The object that a dotted name leads to from o, made where it is not there; *key: the rest. */
static json_t *object_of(json_t *o, const char *name, const char **key)
{
    const char *dot;
    for (; (dot = strchr(name, '.')); name = dot + 1) {
        g_autofree char *word = g_strndup(name, (gsize)(dot - name));
        if (!json_object_get(o, word))
            json_object_set_new(o, word, json_object());
        o = json_object_get(o, word);
    }
    *key = name;
    return o;
}

static json_t *table_array(const struct record_table *t)
{
    json_t *rows = json_array();
    for (int i = 0; i < t->n_row; i++) {
        json_t *row = json_object();
        for (int j = 0; j < t->desc->n_column; j++)
            put_value(row, t->desc->columns[j].name, &t->cells[i * t->desc->n_column + j]);
        json_array_append_new(rows, row);
    }
    return rows;
}

void json_put_tables(json_t *o, const struct record_table *tables, int n)
{
    for (int i = 0; i < n; i++) {
        const char *key;
        json_t *in = object_of(o, tables[i].desc->name, &key);
        g_assert(!json_object_get(in, key));
        json_object_set_new(in, key, table_array(&tables[i]));
    }
}

void json_put_named(json_t *o, const struct record *r)
{
    for (int i = 0; i < r->n_scalar; i++) {
        const struct record_scalar *s = &r->scalars[i];
        const char *key;
        const bool is_total = !strchr(s->desc->name, '.');
        json_t *in = is_total ? json_object_get(o, "totals") : o;
        in = object_of(in, s->desc->name, &key);
        put_value(in, key, &s->value);
    }
    json_put_tables(o, r->tables, r->n_table);
}

static void add_table_legend(json_t *legends, const struct record_table_desc *d)
{
    size_t i;
    json_t *before;
    json_array_foreach(
        legends, i,
        before) if (!strcmp(json_string_value(json_object_get(before, "name")), d->name)) return;
    json_t *o = json_object(), *columns = json_array();
    json_put_text(o, "name", d->name);
    json_put_text(o, "help", d->help);
    for (int j = 0; j < d->n_column; j++)
        json_array_append_new(columns, json_legend(&d->columns[j]));
    json_object_set_new(o, "columns", columns);
    json_array_append_new(legends, o);
}

static void put_unless_empty(json_t *o, const char *key, json_t *list)
{
    if (json_array_size(list) > 0)
        json_object_set(o, key, list);
    json_decref(list);
}

void json_put_named_legends(json_t *o, const struct record *r)
{
    json_t *scalars = json_array(), *tables = json_array();
    for (int i = 0; i < r->n_scalar; i++)
        json_array_append_new(scalars, json_legend(r->scalars[i].desc));
    for (int i = 0; i < r->n_table; i++)
        add_table_legend(tables, r->tables[i].desc);
    for (int i = 0; i < r->n_layer; i++)
        for (int j = 0; j < r->layers[i].n_table; j++)
            add_table_legend(tables, r->layers[i].tables[j].desc);
    put_unless_empty(o, "scalars", scalars);
    put_unless_empty(o, "tables", tables);
}
