/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <string.h>

#include "sim/base/error.h"
#include "sim/base/out.h"
#include "sim/cfg/cfg.h"

enum { MAX_ROW = 64 };

void options_init(struct options *o)
{
    *o = (struct options){.precision = -1, .seed = 1, .threads = 1};
}

static void *member(struct options *o, const struct option_row *row)
{
    return (char *)o + row->offset;
}

void options_clear(struct options *o)
{
    for (const struct option_row *row = option_rows; row->name; row++) {
        if (row->kind == OPTION_TEXT)
            g_clear_pointer((char **)member(o, row), g_free);
        if (row->kind == OPTION_TEXTS)
            g_clear_pointer((char ***)member(o, row), g_strfreev);
    }
    g_clear_pointer(&o->words, g_strfreev);
}

static bool expected(const char *option, const char *value, const char *what, GError **error)
{
    return error_set(error, ERROR_INPUT, "%s %s: %s is expected", option, *value ? value : "''",
                     what);
}

static bool take_choice(const struct option_row *row, const char *option, const char *value,
                        int *out, GError **error)
{
    for (int i = 0; row->names[i]; i++) {
        if (strcmp(row->names[i], value) == 0) {
            *out = i;
            return true;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)row->names);
    g_autofree char *what = g_strdup_printf("one of %s", all);
    return expected(option, value, what, error);
}

static bool take_int(const struct option_row *row, const char *option, const char *value,
                     int64_t *out, GError **error)
{
    if (g_ascii_string_to_signed(value, 10, row->min, row->max, out, NULL))
        return true;
    g_autofree char *what = g_strdup_printf(
        "a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, row->min, row->max);
    return expected(option, value, what, error);
}

static bool take_seconds(const struct option_row *row, const char *option, const char *value,
                         double *out, GError **error)
{
    char *end;
    double x = g_ascii_strtod(value, &end);
    bool is_plain = g_ascii_isdigit(value[0]) || value[0] == '.'; /* no sign, space, "inf" */
    if (is_plain && end != value && !*end && x > 0 && x <= (double)row->max) {
        *out = x;
        return true;
    }
    return expected(option, value, "a number of seconds above 0", error);
}

static void take_texts(const char *value, char ***out)
{
    guint n = *out ? g_strv_length(*out) : 0;
    *out = g_renew(char *, *out, n + 2);
    (*out)[n] = g_strdup(value);
    (*out)[n + 1] = NULL;
}

/* `option` as the user wrote it ("--batch"); `value` is NULL for a flag. */
static bool take(struct options *o, const struct option_row *row, const char *option,
                 const char *value, GError **error)
{
    void *out = member(o, row);
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)out = true;
        return true;
    case OPTION_TEXT:
    case OPTION_TEXTS:
        if (!*value)
            return expected(option, value, "a value", error);
        if (row->kind == OPTION_TEXTS) {
            take_texts(value, out);
        } else {
            g_free(*(char **)out);
            *(char **)out = g_strdup(value);
        }
        return true;
    case OPTION_INT:
        return take_int(row, option, value, out, error);
    case OPTION_UINT:
        return g_ascii_string_to_unsigned(value, 10, 0, UINT64_MAX, out, NULL) ||
               expected(option, value, "a whole number from 0 to 18446744073709551615", error);
    case OPTION_SECONDS:
        return take_seconds(row, option, value, out, error);
    case OPTION_CHOICE:
        return take_choice(row, option, value, out, error);
    }
    g_assert_not_reached();
}

/* GOptionArgFunc; `data` is the struct options. */
static gboolean on_option(const gchar *option, const gchar *value, gpointer data, GError **error)
{
    for (const struct option_row *row = option_rows; row->name; row++) {
        bool is_letter = option[1] != '-' && option[1] == row->letter;
        if (is_letter || strcmp(option + 2, row->name) == 0)
            return take(data, row, option, value, error);
    }
    g_assert_not_reached();
}

/* The entries that `use` takes; returns how many. */
static int make_entries(enum option_use use, GOptionEntry *entries)
{
    int n = 0;
    for (const struct option_row *row = option_rows; row->name; row++) {
        if (!(row->uses & use))
            continue;
        g_assert(n < MAX_ROW);
        entries[n++] = (GOptionEntry){
            .long_name = row->name,
            .short_name = row->letter,
            .flags = row->kind == OPTION_FLAG ? G_OPTION_FLAG_NO_ARG : G_OPTION_FLAG_FILENAME,
            .arg = G_OPTION_ARG_CALLBACK,
            .arg_data = (gpointer)on_option,
        };
    }
    return n;
}

static bool unknown_option(enum option_use use, const char *who, const char *word, GError **error)
{
    const char *names[MAX_ROW];
    size_t n = 0;
    for (const struct option_row *row = option_rows; row->name; row++) {
        if (row->uses & use)
            names[n++] = row->name;
    }
    g_autofree char *name = g_strndup(word, strcspn(word, "="));
    const char *near = cfg_nearest(name + strspn(name, "-"), names, n);
    if (near)
        return error_set(error, ERROR_INPUT,
                         "unknown option '%s' of 'accsim %s', did you mean "
                         "'--%s'?",
                         name, who, near);
    return error_set(error, ERROR_INPUT,
                     "unknown option '%s' of 'accsim %s'; 'accsim %s --help' lists them", name, who,
                     who);
}

static char *shell_word(const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+=:,./_-";
    return *s && s[strspn(s, plain)] == '\0' ? g_strdup(s) : g_shell_quote(s);
}

char *options_command_line(char **args)
{
    GString *out = g_string_new(NULL);
    for (int i = 0; args[i]; i++) {
        g_autofree char *word = shell_word(args[i]);
        g_string_append_printf(out, "%s%s", i ? " " : "", word);
    }
    return g_string_free(out, FALSE);
}

/* GLib's own complaints ("Missing argument for --batch") as ours. */
static bool reword(GError *inner, GError **error)
{
    if (inner->domain == ACCSIM_ERROR) {
        g_propagate_error(error, inner);
        return false;
    }
    error_set(error, ERROR_INPUT, "%c%s", g_ascii_tolower(inner->message[0]), inner->message + 1);
    g_error_free(inner);
    return false;
}

bool options_parse(struct options *o, enum option_use use, const char *who, char **args,
                   GError **error)
{
    GOptionEntry entries[MAX_ROW + 1] = {{.long_name = NULL}};
    make_entries(use, entries);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    GOptionGroup *group = g_option_group_new("main", "", "", o, NULL);
    g_option_group_add_entries(group, entries);
    g_option_context_set_main_group(context, group);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_set_ignore_unknown_options(context, TRUE); /* named below, with a suggestion */

    g_auto(GStrv) rest = g_strdupv(args);
    GError *inner = NULL;
    if (!g_option_context_parse_strv(context, &rest, &inner))
        return reword(inner, error);
    for (int i = 1; rest[i]; i++) {
        if (rest[i][0] == '-' && rest[i][1])
            return unknown_option(use, who, rest[i], error);
    }
    o->words = g_strdupv(rest + 1);
    return true;
}

struct output {
    const char *option, *path;
    bool may_be_stdout;
};

static bool is_stdout(const struct output *out)
{
    return strcmp(out->path, "-") == 0;
}

static bool is_same(const struct output *a, const struct output *b)
{
    return is_stdout(a) ? is_stdout(b) : !is_stdout(b) && out_is_same(a->path, b->path);
}

static bool keeps_inputs(const struct options *o, const struct output *out, GError **error)
{
    const char *const inputs[] = {o->arch, o->net, o->input, o->weights, o->calibrate, o->words[0]};
    for (size_t i = 0; i < G_N_ELEMENTS(inputs); i++) {
        if (inputs[i] && g_file_test(inputs[i], G_FILE_TEST_IS_REGULAR) && !is_stdout(out) &&
            out_is_same(inputs[i], out->path))
            return error_set(error, ERROR_INPUT, "%s would overwrite '%s', which is read",
                             out->option, inputs[i]);
    }
    return true;
}

bool options_check_outputs(const struct options *o, GError **error)
{
    const struct output outputs[] = {{"--output", o->output, false},
                                     {"--json", o->json, true},
                                     {"--csv", o->csv, true},
                                     {"--power", o->power, true},
                                     {"--vcd", o->vcd, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        const struct output *out = &outputs[i];
        if (!out->path)
            continue;
        if (is_stdout(out) && !out->may_be_stdout)
            return error_set(
                error, ERROR_INPUT,
                "%s -: a file is expected; only --json, --csv and --power go to standard output",
                out->option);
        for (size_t j = 0; j < i; j++) {
            if (outputs[j].path && is_same(&outputs[j], out))
                return error_set(error, ERROR_INPUT, "%s and %s cannot both go to '%s'",
                                 outputs[j].option, out->option, out->path);
        }
        if (!keeps_inputs(o, out, error) || !out_probe(out->path, error))
            return false;
    }
    return true;
}

bool options_want_text(const struct options *o)
{
    return !o->quiet && g_strcmp0(o->json, "-") != 0 && g_strcmp0(o->csv, "-") != 0 &&
           g_strcmp0(o->power, "-") != 0;
}

bool options_need_machine_and_net(const struct options *o, const char *who, GError **error)
{
    if (o->arch && o->net)
        return true;
    return error_set(error, ERROR_INPUT, "%s missing; 'accsim %s --help' tells more",
                     o->arch  ? "--net is"
                     : o->net ? "--arch is"
                              : "--arch and --net are",
                     who);
}
