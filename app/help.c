/* SPDX-License-Identifier: Apache-2.0 */
/* --help, from the tables of subcommands and options. */
#include <string.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "sim/base/error.h"

enum { OPTION_WIDTH = 20 };

static const struct {
    int code;
    const char *means;
} exit_codes[] = {
    {0, "done, every check passed"},
    {ERROR_CHECK, "done, but values differ from the reference's, or a validation failed"},
    {ERROR_INPUT, "wrong usage, or an input file is missing, unreadable or bad"},
    {ERROR_UNSUPPORTED, "this machine cannot run this network"},
    {ERROR_OUTPUT, "an output could not be written"},
    {ERROR_LIMIT, "a limit of time or memory was reached"},
    {ERROR_BUG, "a bug of accsim, a deadlock of the simulated machine included"},
    {ERROR_INTERRUPTED, "interrupted"},
};

/* Whether the page of `name` (NULL: all) tells of this command. */
static bool is_shown(const struct command *c, const char *name)
{
    return !name || strcmp(c->name, name) == 0;
}

static void add_usage(GString *out, const char *name)
{
    g_string_append(out, "Usage\n");
    struct table *t = table_new("ll", NULL);
    for (const struct command *c = commands; c->name; c++) {
        if (!is_shown(c, name))
            continue;
        bool is_default = c == commands;
        GString *line = g_string_new("  accsim ");
        g_string_append_printf(line, is_default ? "[%s]" : "%s", c->name);
        if (c->kind)
            g_string_append_printf(line, " %s", c->kind);
        if (c->words)
            g_string_append_printf(line, " %s", c->words);
        table_row(t, line->str, c->summary);
        g_string_free(line, TRUE);
    }
    table_print(t, out);
}

static void add_options(GString *out, const char *name)
{
    unsigned uses = 0;
    for (const struct command *c = commands; c->name; c++)
        uses |= is_shown(c, name) ? c->options : 0;
    const char *group = NULL;
    struct table *t = NULL;
    for (const struct option_row *row = option_rows; row->name; row++) {
        group = row->group ? row->group : group;
        if (!(row->uses & uses))
            continue;
        if (group) {
            if (t)
                table_print(t, out);
            g_string_append_printf(out, "\n%s\n", group);
            t = table_new("ll", NULL);
            group = NULL;
        }
        char letter[8] = "";
        if (row->letter)
            g_snprintf(letter, sizeof letter, "-%c, ", row->letter);
        g_autofree char *words =
            g_strdup_printf("  %s--%s %s", letter, row->name, row->arg ? row->arg : "");
        g_autofree char *option =
            g_strdup_printf("%-*s", OPTION_WIDTH, words); /* as in all groups */
        table_row(t, option, row->help);
    }
    if (t)
        table_print(t, out);
}

static void add_examples(GString *out, const char *name)
{
    g_string_append(out, "\nExamples\n");
    for (const struct command *c = commands; c->name; c++) {
        for (size_t i = 0; is_shown(c, name) && i < G_N_ELEMENTS(c->examples); i++) {
            if (c->examples[i])
                g_string_append_printf(out, "  %s\n", c->examples[i]);
        }
    }
}

static void add_exit_codes(GString *out)
{
    g_string_append(out, "\nExit status\n");
    struct table *t = table_new("rl", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(exit_codes); i++) {
        g_autofree char *code = g_strdup_printf("  %3d", exit_codes[i].code);
        table_row(t, code, exit_codes[i].means);
    }
    table_print(t, out);
}

GString *help_text(const char *name)
{
    GString *out = g_string_new(NULL);
    if (!name)
        g_string_append_printf(out,
                               "accsim %s: a simulator of deep-learning accelerators.\n"
                               "Results go to standard output, messages to standard error.\n\n",
                               accsim_version());
    add_usage(out, name);
    add_options(out, name);
    add_examples(out, name);
    add_exit_codes(out);
    if (!name)
        g_string_append(out, "\nA and N are looked up in the working directory, in $ACCSIM_PATH, "
                             "then among what is shipped.\n'accsim COMMAND --help' tells of one "
                             "subcommand; the manual page is accsim(1).\n");
    return out;
}

bool cmd_help(const struct options *o, GError **error)
{
    const char *name = o->words[0];
    bool is_known = !name;
    for (const struct command *c = commands; c->name && !is_known; c++)
        is_known = strcmp(c->name, name) == 0;
    if (!is_known)
        return error_set(error, ERROR_INPUT,
                         "no help on '%s': there is no such subcommand; 'accsim help' lists them",
                         name);
    return emit_text("-", g_string_free(help_text(name), FALSE), error);
}
