/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/net_repeat.h"

#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/net_expression.h"

void repeat_scope_init(struct repeat_scope *s, const struct repeat_scope *outer)
{
    *s = (struct repeat_scope){.outer = outer,
                               .values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                               NULL)};
    config_init(&s->doc);
    config_setting_add(config_root_setting(&s->doc), "values", CONFIG_TYPE_LIST);
}

void repeat_scope_clear(struct repeat_scope *s)
{
    g_hash_table_unref(s->values);
    config_destroy(&s->doc);
}

static const config_setting_t *find(const struct repeat_scope *s, const char *name)
{
    for (; s; s = s->outer) {
        const config_setting_t *value = g_hash_table_lookup(s->values, name);
        if (value)
            return value;
    }
    return NULL;
}

static config_setting_t *place(struct repeat_scope *s, const char *name, int type)
{
    config_setting_t *values = config_setting_get_elem(config_root_setting(&s->doc), 0);
    config_setting_t *value = config_setting_add(values, NULL, type);
    g_hash_table_insert(s->values, g_strdup(name), value);
    return value;
}

void repeat_set_int(struct repeat_scope *s, const char *name, int64_t value)
{
    config_setting_set_int64(place(s, name, CONFIG_TYPE_INT64), value);
}

void repeat_set_text(struct repeat_scope *s, const char *name, const char *value)
{
    config_setting_set_string(place(s, name, CONFIG_TYPE_STRING), value);
}

/* What is being expanded, for messages. */
struct expansion {
    const struct repeat_scope *scope;
    const char *file;
    int line;
    GError **error;
};

static bool is_int(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64;
}

static int64_t int_of(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s)
                                                     : config_setting_get_int64(s);
}

static bool lookup(const void *user, const char *name, int64_t *out)
{
    const config_setting_t *value = find(user, name);
    if (!value || !is_int(value))
        return false;
    *out = int_of(value);
    return true;
}

static bool unknown(const struct expansion *e, const char *name)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (const struct repeat_scope *s = e->scope; s; s = s->outer) {
        GHashTableIter it;
        gpointer key;
        g_hash_table_iter_init(&it, s->values);
        while (g_hash_table_iter_next(&it, &key, NULL))
            g_ptr_array_add(names, key);
    }
    g_autofree char *suggestion =
        message_suggest(name, (const char *const *)names->pdata, names->len);
    return error_set(e->error, ERROR_INPUT, "%s:%d: unknown name '$%s'%s", e->file, e->line, name,
                     suggestion);
}

/* $name, ${name} or $(expression) at text[0] == '$'. Either *value or *number tells what it means;
 * returns what is behind it, NULL on error. */
static const char *read_reference(const struct expansion *e, const char *text,
                                  const config_setting_t **value, int64_t *number)
{
    *value = NULL;
    if (text[1] == '(') {
        const char *why;
        const char *end = expression_read(text + 2, lookup, e->scope, number, &why);
        if (!why && *end == ')')
            return end + 1;
        error_set(e->error, ERROR_INPUT, "%s:%d: '%s': %s", e->file, e->line, text,
                  why ? why : "a parenthesis is not closed");
        return NULL;
    }
    const bool is_braced = text[1] == '{';
    const char *start = text + 1 + is_braced, *end = start;
    while (g_ascii_isalnum(*end) || (*end == '_' && (is_braced || g_ascii_isalnum(end[1]))))
        end++;
    g_autofree char *name = g_strndup(start, (gsize)(end - start));
    if (!is_braced && !find(e->scope, name)) /* "$i_a": the name is i */
        for (char *bar; (bar = strrchr(name, '_')) && !find(e->scope, name);) {
            *bar = '\0';
            end = start + strlen(name);
        }
    *value = find(e->scope, name);
    if (!*value || (is_braced && *end != '}')) {
        unknown(e, name);
        return NULL;
    }
    return end + is_braced;
}

static bool append_value(const struct expansion *e, GString *out, const config_setting_t *value)
{
    if (is_int(value))
        g_string_append_printf(out, "%" G_GINT64_FORMAT, int_of(value));
    else if (config_setting_type(value) == CONFIG_TYPE_STRING)
        g_string_append(out, config_setting_get_string(value));
    else
        return error_set(e->error, ERROR_INPUT,
                         "%s:%d: inside a text only numbers and texts can be put", e->file,
                         e->line);
    return true;
}

static bool expand_text(const struct expansion *e, const char *text, GString *out)
{
    while (*text) {
        const config_setting_t *value;
        int64_t number;
        if (*text != '$' || text[1] == '$') {
            g_string_append_c(out, *text);
            text += *text == '$' ? 2 : 1;
            continue;
        }
        text = read_reference(e, text, &value, &number);
        if (!text || (value && !append_value(e, out, value)))
            return false;
        if (!value)
            g_string_append_printf(out, "%" G_GINT64_FORMAT, number);
    }
    return true;
}

static bool copy_into(struct expansion *e, config_setting_t *parent, const char *name,
                      const config_setting_t *from);

static bool copy_scalar(struct expansion *e, config_setting_t *parent, const char *name,
                        const config_setting_t *from)
{
    const int type = is_int(from) ? CONFIG_TYPE_INT64 : config_setting_type(from);
    config_setting_t *to = config_setting_add(parent, name, type);
    if (!to)
        return error_set(e->error, ERROR_INPUT, "%s:%d: a list of different types", e->file,
                         e->line);
    to->line = (unsigned)e->line;
    if (type == CONFIG_TYPE_INT64)
        config_setting_set_int64(to, int_of(from));
    else if (type == CONFIG_TYPE_FLOAT)
        config_setting_set_float(to, config_setting_get_float(from));
    else if (type == CONFIG_TYPE_BOOL)
        config_setting_set_bool(to, config_setting_get_bool(from));
    else
        config_setting_set_string(to, config_setting_get_string(from));
    return true;
}

static bool copy_string(struct expansion *e, config_setting_t *parent, const char *name,
                        const char *text)
{
    const config_setting_t *value = NULL;
    int64_t number;
    if (text[0] == '$' && text[1] != '$') { /* nothing else: the value itself */
        const char *end = read_reference(e, text, &value, &number);
        if (!end)
            return false;
        if (*end == '\0' && value)
            return copy_into(e, parent, name, value);
        if (*end == '\0') {
            config_setting_t *to = config_setting_add(parent, name, CONFIG_TYPE_INT64);
            if (!to)
                return error_set(e->error, ERROR_INPUT, "%s:%d: a list of different types",
                                 e->file, e->line);
            to->line = (unsigned)e->line;
            config_setting_set_int64(to, number);
            return true;
        }
    }
    g_autoptr(GString) out = g_string_new(NULL);
    if (!expand_text(e, text, out))
        return false;
    config_setting_t *to = config_setting_add(parent, name, CONFIG_TYPE_STRING);
    if (!to)
        return error_set(e->error, ERROR_INPUT, "%s:%d: a list of different types", e->file,
                         e->line);
    to->line = (unsigned)e->line;
    config_setting_set_string(to, out->str);
    return true;
}

static bool copy_members(struct expansion *e, config_setting_t *to, const config_setting_t *from)
{
    for (int i = 0; i < config_setting_length(from); i++) {
        const config_setting_t *member = config_setting_get_elem(from, (unsigned)i);
        if (!copy_into(e, to, config_setting_name(member), member))
            return false;
    }
    return true;
}

/* Arrays become lists: what a name stands for may have another type than the text. */
static bool copy_into(struct expansion *e, config_setting_t *parent, const char *name,
                      const config_setting_t *from)
{
    if (config_setting_source_line(from) > 0)
        e->line = (int)config_setting_source_line(from);
    if (config_setting_type(from) == CONFIG_TYPE_STRING)
        return copy_string(e, parent, name, config_setting_get_string(from));
    if (!config_setting_is_aggregate(from))
        return copy_scalar(e, parent, name, from);
    const int type = config_setting_is_group(from) ? CONFIG_TYPE_GROUP : CONFIG_TYPE_LIST;
    config_setting_t *to = config_setting_add(parent, name, type);
    g_assert(to);
    to->line = (unsigned)e->line;
    return copy_members(e, to, from);
}

bool repeat_set(struct repeat_scope *s, const char *name, const config_setting_t *value,
                const char *file, GError **error)
{
    struct expansion e = {s, file, (int)config_setting_source_line(value), error};
    config_setting_t *values = config_setting_get_elem(config_root_setting(&s->doc), 0);
    if (!copy_into(&e, values, NULL, value))
        return false;
    config_setting_t *copy =
        config_setting_get_elem(values, (unsigned)config_setting_length(values) - 1);
    g_hash_table_insert(s->values, g_strdup(name), copy);
    return true;
}

config_setting_t *repeat_expand(const struct repeat_scope *s, const config_setting_t *group,
                                const char *file, config_t *doc, GError **error)
{
    struct expansion e = {s, file, (int)config_setting_source_line(group), error};
    config_init(doc);
    config_setting_t *copy =
        config_setting_add(config_root_setting(doc), "copy", CONFIG_TYPE_GROUP);
    copy->line = (unsigned)e.line;
    if (copy_members(&e, copy, group))
        return copy;
    config_destroy(doc);
    return NULL;
}

/* A count, or the common length of the lists. */
static int64_t count_of(const config_setting_t *repeat, const char *file, int line, GError **error)
{
    int64_t n = -1;
    if (is_int(repeat))
        n = int_of(repeat);
    for (int i = 0; config_setting_is_group(repeat) && i < config_setting_length(repeat); i++) {
        const config_setting_t *list = config_setting_get_elem(repeat, (unsigned)i);
        const int64_t own = config_setting_is_aggregate(list) ? config_setting_length(list) : -1;
        if (own < 0 || (i > 0 && own != n)) {
            error_set(error, ERROR_INPUT, "%s:%d: '%s' is no list as long as the others", file,
                      line, config_setting_name(list));
            return -1;
        }
        n = own;
    }
    if (n < 0)
        error_set(error, ERROR_INPUT,
                  "%s:%d: 'repeat' is a count, or a group of lists: repeat = { i = [1, 2, 3]; }",
                  file, line);
    return n;
}

int64_t repeat_count(const struct repeat_scope *s, const config_setting_t *repeat, const char *file,
                     GError **error)
{
    if (config_setting_is_group(repeat))
        return count_of(repeat, file, (int)config_setting_source_line(repeat), error);
    struct repeat_scope copy;
    repeat_scope_init(&copy, s);
    const int line = (int)config_setting_source_line(repeat);
    int64_t n = repeat_set(&copy, "repeat", repeat, file, error)
                    ? count_of(find(&copy, "repeat"), file, line, error)
                    : -1;
    repeat_scope_clear(&copy);
    return n;
}

bool repeat_set_step(struct repeat_scope *s, const config_setting_t *repeat, int64_t step,
                     const char *file, GError **error)
{
    if (!config_setting_is_group(repeat)) {
        repeat_set_int(s, "i", step);
        return true;
    }
    for (int i = 0; i < config_setting_length(repeat); i++) {
        const config_setting_t *list = config_setting_get_elem(repeat, (unsigned)i);
        const config_setting_t *value = config_setting_get_elem(list, (unsigned)step);
        if (!value || !repeat_set(s, config_setting_name(list), value, file, error))
            return false;
    }
    return true;
}
