/* SPDX-License-Identifier: Apache-2.0 */
/* What each type of setting accepts, how it is stored, printed and described. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "sim/cfg/value.h"

static const double INT64_END = 0x1p63; /* the first double beyond int64_t */

static bool int_in_range(const struct cfg_field *f, int64_t i)
{
    /* compared as integers: a double has 53 bits */
    return (f->min <= -INT64_END || i >= (int64_t)ceil(f->min)) &&
           (f->max >= INT64_END || i <= (int64_t)floor(f->max));
}

static const char *store_int(const struct cfg_field *f, const struct value *v, struct arena *arena,
                             void *member)
{
    (void)arena;
    if (v->kind != VALUE_INT)
        return "is not an integer";
    if (!int_in_range(f, v->i))
        return "is out of range";
    *(int64_t *)member = v->i;
    return NULL;
}

static const char *store_float(const struct cfg_field *f, const struct value *v,
                               struct arena *arena, void *member)
{
    (void)arena;
    if (v->kind != VALUE_INT && v->kind != VALUE_FLOAT)
        return "is not a number";
    double d = v->kind == VALUE_INT ? (double)v->i : v->d;
    if (!(d >= f->min && d <= f->max))
        return "is out of range";
    *(double *)member = d;
    return NULL;
}

static const char *store_bool(const struct cfg_field *f, const struct value *v, struct arena *arena,
                              void *member)
{
    (void)f, (void)arena;
    if (v->kind != VALUE_BOOL)
        return "is not a boolean";
    *(bool *)member = v->b;
    return NULL;
}

static const char *store_string(const struct cfg_field *f, const struct value *v,
                                struct arena *arena, void *member)
{
    (void)f;
    if (v->kind != VALUE_STRING)
        return "is not a string";
    *(const char **)member = arena_strdup(arena, v->s);
    return NULL;
}

/* -1: it is none of the legal strings. */
static int index_of_name(const struct cfg_field *f, const char *s)
{
    for (int i = 0; f->names[i]; i++)
        if (strcmp(f->names[i], s) == 0)
            return i;
    return -1;
}

static const char *store_enum(const struct cfg_field *f, const struct value *v, struct arena *arena,
                              void *member)
{
    (void)arena;
    if (v->kind != VALUE_STRING)
        return "is not a string";
    const int i = index_of_name(f, v->s);
    if (i < 0)
        return "is unknown";
    *(int *)member = i;
    return NULL;
}

/* What may be left out may be empty too: so a file takes away what its base has. */
static bool is_optional(const struct cfg_field *f)
{
    return f->def && !*f->def;
}

static const char *store_ints(const struct cfg_field *f, const struct value *v, struct arena *arena,
                              void *member)
{
    struct cfg_ints *ints = member;
    struct value one = *v; /* a single value stands for a list of one */
    const struct value *elems = v->kind == VALUE_LIST ? v->list.v : &one;
    size_t n = v->kind == VALUE_LIST ? v->list.n : 1;
    if (n > CFG_MAX_INTS)
        return "is too long";
    if (n == 0 && !is_optional(f))
        return "is empty";
    memset(ints, 0, sizeof(*ints));
    for (size_t i = 0; i < n; i++) {
        const char *problem = store_int(f, &elems[i], arena, &ints->v[i]);
        if (problem)
            return v->kind == VALUE_LIST && elems[i].kind != VALUE_INT
                       ? "has an element that is not an integer"
                       : problem;
    }
    ints->n = (int)n;
    return NULL;
}

static const char *store_strings(const struct cfg_field *f, const struct value *v,
                                 struct arena *arena, void *member)
{
    struct cfg_strings *strings = member;
    struct value one = *v;
    const struct value *elems = v->kind == VALUE_LIST ? v->list.v : &one;
    size_t n = v->kind == VALUE_LIST ? v->list.n : 1;
    const char **copies = ARENA_ARRAY(arena, const char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *problem = store_string(f, &elems[i], arena, &copies[i]);
        if (problem)
            return v->kind == VALUE_LIST ? "has an element that is not a string" : problem;
        if (f->names && index_of_name(f, copies[i]) < 0)
            return v->kind == VALUE_LIST ? "has an unknown element" : "is unknown";
    }
    if (f->names && n == 0 && !is_optional(f))
        return "is empty";
    *strings = (struct cfg_strings){(int)n, copies};
    return NULL;
}

static void print_int(const struct cfg_field *f, const void *member, GString *to)
{
    (void)f;
    g_string_append_printf(to, "%" G_GINT64_FORMAT, *(const int64_t *)member);
}

static void print_float(const struct cfg_field *f, const void *member, GString *to)
{
    (void)f;
    value_print_float(*(const double *)member, to);
}

static void print_bool(const struct cfg_field *f, const void *member, GString *to)
{
    (void)f;
    g_string_append(to, *(const bool *)member ? "true" : "false");
}

static void print_string(const struct cfg_field *f, const void *member, GString *to)
{
    (void)f;
    const char *s = *(const char *const *)member;
    value_print_string(s ? s : "", 0, to);
}

static void print_enum(const struct cfg_field *f, const void *member, GString *to)
{
    value_print_string(f->names[*(const int *)member], 0, to);
}

static void print_ints(const struct cfg_field *f, const void *member, GString *to)
{
    const struct cfg_ints *ints = member;
    g_string_append_c(to, '[');
    for (int i = 0; i < ints->n; i++) {
        g_string_append(to, i > 0 ? ", " : "");
        print_int(f, &ints->v[i], to);
    }
    g_string_append_c(to, ']');
}

static void print_strings(const struct cfg_field *f, const void *member, GString *to)
{
    const struct cfg_strings *strings = member;
    g_string_append_c(to, '[');
    for (int i = 0; i < strings->n; i++) {
        g_string_append(to, i > 0 ? ", " : "");
        print_string(f, &strings->v[i], to);
    }
    g_string_append_c(to, ']');
}

/* Bounds that every number meets are not worth a word. */
static void print_range(const struct cfg_field *f, double end, GString *to)
{
    bool has_min = f->min > -end, has_max = f->max < end;
    if (has_min) {
        g_string_append(to, has_max ? " from " : " of at least ");
        value_print_float(f->min, to);
    }
    if (has_max) {
        g_string_append(to, has_min ? " to " : " of at most ");
        value_print_float(f->max, to);
    }
    if (f->unit && (has_min || has_max))
        g_string_append_printf(to, " %s", f->unit);
}

static void expect_int(const struct cfg_field *f, GString *to)
{
    g_string_append(to, "an integer");
    print_range(f, INT64_END, to);
}

static void expect_float(const struct cfg_field *f, GString *to)
{
    g_string_append(to, "a number");
    print_range(f, DBL_MAX, to);
}

static void expect_bool(const struct cfg_field *f, GString *to)
{
    (void)f;
    g_string_append(to, "true or false");
}

static void expect_string(const struct cfg_field *f, GString *to)
{
    (void)f;
    g_string_append(to, "a string");
}

static void expect_enum(const struct cfg_field *f, GString *to)
{
    g_string_append(to, "one of ");
    for (int i = 0; f->names[i]; i++) {
        g_string_append(to, i > 0 ? ", " : "");
        value_print_string(f->names[i], 0, to);
    }
}

static void expect_ints(const struct cfg_field *f, GString *to)
{
    expect_int(f, to);
    g_string_append_printf(to, " or a list of up to %d of them", CFG_MAX_INTS);
}

static void expect_strings(const struct cfg_field *f, GString *to)
{
    if (!f->names) {
        g_string_append(to, "a string or a list of strings");
        return;
    }
    expect_enum(f, to);
    g_string_append(to, " or a list of them");
}

static const struct {
    size_t size_bytes;
    const char *(*store)(const struct cfg_field *f, const struct value *v, struct arena *arena,
                         void *member);
    void (*print)(const struct cfg_field *f, const void *member, GString *to);
    void (*expect)(const struct cfg_field *f, GString *to);
} types[] = {
    [CFG_INT] = {sizeof(int64_t), store_int, print_int, expect_int},
    [CFG_FLOAT] = {sizeof(double), store_float, print_float, expect_float},
    [CFG_BOOL] = {sizeof(bool), store_bool, print_bool, expect_bool},
    [CFG_STRING] = {sizeof(const char *), store_string, print_string, expect_string},
    [CFG_ENUM] = {sizeof(int), store_enum, print_enum, expect_enum},
    [CFG_INTS] = {sizeof(struct cfg_ints), store_ints, print_ints, expect_ints},
    [CFG_STRINGS] = {sizeof(struct cfg_strings), store_strings, print_strings, expect_strings},
};
_Static_assert(G_N_ELEMENTS(types) == CFG_STRINGS + 1, "a row for every type");

const char *type_store(const struct cfg_field *f, const struct value *v, struct arena *arena,
                       void *member)
{
    if (v->kind == VALUE_GROUP)
        return "is a group";
    return types[f->type].store(f, v, arena, member);
}

void type_store_default(const struct cfg_field *f, struct arena *arena, void *member)
{
    if (!*f->def) {
        memset(member, 0, types[f->type].size_bytes);
        return;
    }
    struct value v;
    g_autoptr(GError) error = NULL;
    const char *problem = NULL;
    if (value_of_text(arena, "the default", f->def, &v, &error))
        problem = type_store(f, &v, arena, member);
    if (!error && !problem)
        return;
    g_autofree char *message = g_strdup_printf("field table: %s = %s %s", f->path, f->def,
                                               error ? error->message : problem);
    g_assertion_message(G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, message);
}

void type_print_expected(const struct cfg_field *f, GString *to)
{
    types[f->type].expect(f, to);
}

void type_print(const struct cfg_field *f, const void *member, GString *to)
{
    types[f->type].print(f, member, to);
}
