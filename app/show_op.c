/* SPDX-License-Identifier: Apache-2.0 */
/* accsim show op: an operator and its attributes. */
#include <math.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "sim/base/error.h"
#include "workloads/op.h"

#define MAX_EXACT 9007199254740992.0 /* 2^53: up to here a double is an exact integer */

static const char *const type_names[] = {
    [CFG_INT] = "integer",
    [CFG_FLOAT] = "number",
    [CFG_BOOL] = "true or false",
    [CFG_STRING] = "string",
    [CFG_ENUM] = "name",
    [CFG_INTS] = "integer or list",
    [CFG_STRINGS] = "string or list",
};

static bool is_number(const struct cfg_field *f)
{
    return f->type == CFG_INT || f->type == CFG_FLOAT || f->type == CFG_INTS;
}

/* "1 .. 65536"; the caller frees it. */
static char *range_text(const struct cfg_field *f)
{
    if (f->type == CFG_ENUM)
        return g_strjoinv(", ", (char **)f->names);
    if (!is_number(f))
        return g_strdup("");
    return g_strdup_printf("%.10g .. %.10g", f->min, f->max);
}

static const char *default_text(const struct cfg_field *f)
{
    return !f->def ? "required" : *f->def ? f->def : "none";
}

/* Limits of integers are integers. */
static json_t *limit_doc(const struct cfg_field *f, double limit)
{
    bool is_whole = f->type != CFG_FLOAT && fabs(limit) <= MAX_EXACT;
    return is_whole ? json_integer((json_int_t)limit) : json_real(limit);
}

static json_t *field_doc(const struct cfg_field *f)
{
    json_t *field = json_object();
    json_put_text(field, "name", f->path);
    json_put_text(field, "type", type_names[f->type]);
    json_object_set_new(field, "required", json_boolean(!f->def));
    json_put_text(field, "default", f->def && *f->def ? f->def : NULL);
    if (is_number(f)) {
        json_object_set_new(field, "min", limit_doc(f, f->min));
        json_object_set_new(field, "max", limit_doc(f, f->max));
    }
    if (f->type == CFG_ENUM) {
        json_t *names = json_array();
        for (int i = 0; f->names[i]; i++)
            json_array_append_new(names, json_string(f->names[i]));
        json_object_set_new(field, "values", names);
    }
    json_put_text(field, "unit", f->unit);
    json_put_text(field, "help", f->help);
    return field;
}

static json_t *op_doc(const struct op *op)
{
    json_t *doc = emit_doc("accsim-op/1");
    json_put_text(doc, "name", op->name);
    json_put_text(doc, "summary", op->summary);
    json_put_count(doc, "min_inputs", (uint64_t)op->min_data);
    json_put_count(doc, "max_inputs", (uint64_t)op->max_data);
    json_object_set_new(doc, "matrix", json_boolean(op->kind == TRAITS_PRODUCT));
    json_put_text(doc, "kind", traits_kind_names[op->forward ? op->kind : TRAITS_VIEW]);
    json_t *fields = json_array();
    for (const struct cfg_field *f = op->fields; f && f->path; f++)
        json_array_append_new(fields, field_doc(f));
    json_object_set_new(doc, "attributes", fields);
    return doc;
}

static GString *op_text(const struct op *op)
{
    static const char *const headings[] = {"attribute", "type", "default", "range", "unit", "help"};
    GString *out = g_string_new(NULL);
    struct table *head = table_new("ll", NULL);
    table_row(head, "operator", op->name);
    table_row(head, "summary", op->summary);
    g_autofree char *inputs = op->min_data == op->max_data
                                  ? g_strdup_printf("%d", op->min_data)
                                  : g_strdup_printf("%d to %d", op->min_data, op->max_data);
    table_row(head, "inputs", inputs);
    table_row(head, "matrix unit", op->kind == TRAITS_PRODUCT ? "yes" : "no");
    table_row(head, "kind", traits_kind_names[op->forward ? op->kind : TRAITS_VIEW]);
    table_print(head, out);
    g_string_append_c(out, '\n');
    if (!op->fields || !op->fields->path) {
        g_string_append(out, "It has no attributes.\n");
        return out;
    }
    struct table *t = table_new("llllll", headings);
    for (const struct cfg_field *f = op->fields; f->path; f++) {
        g_autofree char *range = range_text(f);
        table_row(t, f->path, type_names[f->type], default_text(f), range, f->unit, f->help);
    }
    table_print(t, out);
    return out;
}

bool show_op(const struct options *o, GError **error)
{
    const char *name = o->words[0];
    const struct op *op = op_find(name);
    if (op)
        return emit(o, op_text(op), op_doc(op), error);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (int i = 0; op_table[i]; i++)
        g_ptr_array_add(names, (gpointer)op_table[i]->name);
    const char *near = cfg_nearest(name, (const char *const *)names->pdata, names->len);
    if (near)
        return error_set(error, ERROR_INPUT, "unknown operator '%s', did you mean '%s'?", name,
                         near);
    return error_set(error, ERROR_INPUT, "unknown operator '%s'; 'accsim list ops' lists them",
                     name);
}
