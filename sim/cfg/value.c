/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cfg/value.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "sim/base/error.h"

enum { HEX = 16, DECIMAL = 10 };
enum { SHOWN_CHARS = 60, SHOWN_ELEMS = 10 }; /* in messages */

static const double PLAIN_BELOW = 1e18; /* whole numbers below it are printed digit by digit */

static enum number_result parse_int(const char *text, size_t length, int base, int64_t *out)
{
    g_autofree char *digits = g_strndup(text, length);
    errno = 0;
    *out = g_ascii_strtoll(digits, NULL, base);
    return errno == ERANGE ? NUMBER_TOO_LARGE : NUMBER_OK;
}

enum number_result value_number(const char *text, struct value *out)
{
    size_t length = strlen(text);
    size_t sign = *text == '+' || *text == '-';
    bool is_hex = g_ascii_strncasecmp(text + sign, "0x", 2) == 0;
    const char *digits = text + sign + (is_hex ? 2 : 0);
    size_t n_digit = strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789");
    const char *suffix = digits + n_digit;
    if (n_digit && (!*suffix || strcmp(suffix, "L") == 0 || strcmp(suffix, "LL") == 0)) {
        out->kind = VALUE_INT;
        return parse_int(text, (size_t)(suffix - text), is_hex ? HEX : DECIMAL, &out->i);
    }
    /* strtod alone would take "inf" and hexadecimal floats too */
    if (!length || strspn(text, "0123456789+-.eE") != length)
        return NUMBER_BAD;
    char *end;
    out->kind = VALUE_FLOAT;
    out->d = g_ascii_strtod(text, &end);
    if (end != text + length)
        return NUMBER_BAD;
    return isfinite(out->d) ? NUMBER_OK : NUMBER_TOO_LARGE;
}

static struct value list_of_setting(struct arena *arena, const config_setting_t *setting)
{
    size_t n = (size_t)config_setting_length(setting);
    struct value *v = ARENA_ARRAY(arena, struct value, n);
    for (size_t i = 0; i < n; i++)
        v[i] = value_of_setting(arena, config_setting_get_elem(setting, (unsigned)i));
    return (struct value){.kind = VALUE_LIST, .list = {v, n}};
}

struct value value_of_setting(struct arena *arena, const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return (struct value){.kind = VALUE_INT, .i = config_setting_get_int64(setting)};
    case CONFIG_TYPE_FLOAT:
        return (struct value){.kind = VALUE_FLOAT, .d = config_setting_get_float(setting)};
    case CONFIG_TYPE_BOOL:
        return (struct value){.kind = VALUE_BOOL, .b = config_setting_get_bool(setting)};
    case CONFIG_TYPE_STRING:
        return (struct value){.kind = VALUE_STRING,
                              .s = arena_strdup(arena, config_setting_get_string(setting))};
    case CONFIG_TYPE_GROUP:
        return (struct value){.kind = VALUE_GROUP};
    default:
        return list_of_setting(arena, setting);
    }
}

/* A quoted string or a list, which is libconfig's to read. */
static bool parse_compound(struct arena *arena, const char *origin, const char *text,
                           struct value *out, GError **error)
{
    g_autofree char *assignment = g_strdup_printf("value = %s;", text);
    config_t doc;
    if (!parse_text(origin, 0, assignment, &doc, error))
        return false;
    const config_setting_t *root = config_root_setting(&doc);
    bool ok = config_setting_length(root) == 1;
    if (ok)
        *out = value_of_setting(arena, config_setting_get_elem(root, 0));
    else
        error_set(error, ERROR_INPUT, "%s: more than one value", origin);
    config_destroy(&doc);
    return ok;
}

bool value_of_text(struct arena *arena, const char *origin, const char *text, struct value *out,
                   GError **error)
{
    if (!*text)
        return error_set(error, ERROR_INPUT, "%s: the value is missing", origin);
    if (*text == '{')
        return error_set(error, ERROR_INPUT, "%s: a group's settings are set one by one", origin);
    if (strchr("\"[(", *text))
        return parse_compound(arena, origin, text, out, error);
    enum number_result result = value_number(text, out);
    if (result == NUMBER_OK)
        return true;
    if (result == NUMBER_TOO_LARGE)
        return error_set(error, ERROR_INPUT, "%s: too large for a 64-bit number", origin);
    bool is_true = g_ascii_strcasecmp(text, "true") == 0;
    if (is_true || g_ascii_strcasecmp(text, "false") == 0)
        *out = (struct value){.kind = VALUE_BOOL, .b = is_true};
    else
        *out = (struct value){.kind = VALUE_STRING, .s = arena_strdup(arena, text)};
    return true;
}

void value_print_string(const char *s, size_t max_chars, GString *to)
{
    g_string_append_c(to, '"');
    size_t n_char = 0;
    for (; *s && (!max_chars || n_char < max_chars); s = g_utf8_next_char(s), n_char++) {
        if (*s == '"' || *s == '\\')
            g_string_append_printf(to, "\\%c", *s);
        else if (g_ascii_iscntrl(*s))
            g_string_append_printf(to, "\\x%02x", (unsigned)*s);
        else
            g_string_append_len(to, s, g_utf8_next_char(s) - s);
    }
    g_string_append(to, *s ? "...\"" : "\"");
}

void value_print_float(double d, GString *to)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    if (fabs(d) < PLAIN_BELOW && d == floor(d)) {
        g_string_append_printf(to, "%" G_GINT64_FORMAT, (int64_t)d);
        return;
    }
    g_ascii_formatd(text, sizeof(text), "%.15g", d);
    if (g_ascii_strtod(text, NULL) != d)
        g_ascii_dtostr(text, sizeof(text), d);
    g_string_append(to, text);
}

static void print_list(const struct value *v, GString *to)
{
    g_string_append_c(to, '[');
    for (size_t i = 0; i < MIN(v->list.n, SHOWN_ELEMS); i++) {
        if (i > 0)
            g_string_append(to, ", ");
        if (v->list.v[i].kind == VALUE_LIST)
            g_string_append(to, "[...]");
        else
            value_print(&v->list.v[i], to);
    }
    g_string_append(to, v->list.n > SHOWN_ELEMS ? ", ...]" : "]");
}

void value_print(const struct value *v, GString *to)
{
    switch (v->kind) {
    case VALUE_INT:
        g_string_append_printf(to, "%" G_GINT64_FORMAT, v->i);
        break;
    case VALUE_FLOAT: {
        gsize start = to->len;
        value_print_float(v->d, to);
        if (!strpbrk(to->str + start, ".e")) /* 16.0 is not to look like an integer */
            g_string_append(to, ".0");
        break;
    }
    case VALUE_BOOL:
        g_string_append(to, v->b ? "true" : "false");
        break;
    case VALUE_STRING:
        value_print_string(v->s, SHOWN_CHARS, to);
        break;
    case VALUE_LIST:
        print_list(v, to);
        break;
    case VALUE_GROUP:
        g_string_append(to, "{...}");
        break;
    }
}
