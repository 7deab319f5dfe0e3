/* SPDX-License-Identifier: Apache-2.0 */
/* accsim: finds the subcommand, runs it, prints its error and exits with the error's code. */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/limits.h"
#include "app/signals.h"
#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

enum { MAX_NAME = 16 };

/* Suggests the nearest of `n` names, or lists them where none is near. `before` is what stands
 * before `word` in the subcommand: "show " or nothing. */
static bool unknown(const char *before, const char *word, const char **names, size_t n,
                    GError **error)
{
    const char *near = cfg_nearest(word, names, n);
    if (near)
        return error_set(error, ERROR_INPUT, "unknown subcommand '%s%s', did you mean '%s%s'?",
                         before, word, before, near);
    names[n] = NULL;
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    return error_set(error, ERROR_INPUT, "unknown subcommand '%s%s'; there are: %s", before, word,
                     all);
}

static const struct command *find_name(const char *name, GError **error)
{
    const char *names[MAX_NAME + 1];
    size_t n = 0;
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        g_assert(n < MAX_NAME);
        if (n == 0 || strcmp(names[n - 1], c->name) != 0)
            names[n++] = c->name;
    }
    unknown("", name, names, n, error);
    return NULL;
}

/* `first` is the first of the commands of its name; `kind` is NULL where the user gave none. */
static const struct command *find_kind(const struct command *first, const char *kind,
                                       GError **error)
{
    const char *kinds[MAX_NAME + 1];
    size_t n = 0;
    for (const struct command *c = first; c->name && strcmp(c->name, first->name) == 0; c++) {
        if (kind && strcmp(c->kind, kind) == 0)
            return c;
        g_assert(n < MAX_NAME);
        kinds[n++] = c->kind;
    }
    if (kind) {
        g_autofree char *before = g_strconcat(first->name, " ", NULL);
        unknown(before, kind, kinds, n, error);
        return NULL;
    }
    kinds[n] = NULL;
    g_autofree char *all = g_strjoinv(", ", (char **)kinds);
    error_set(error, ERROR_INPUT, "'accsim %s': one of %s is expected", first->name, all);
    return NULL;
}

static bool print(GString *text, GError **error)
{
    return emit_text("-", g_string_free(text, FALSE), error);
}

static bool print_version(GError **error)
{
    GString *text = g_string_new(NULL);
    g_string_printf(text, "accsim %s\n", accsim_version());
    return print(text, error);
}

static bool check_words(const struct command *c, const char *who, char **words, GError **error)
{
    int n = (int)g_strv_length(words);
    bool is_optional = c->words && c->words[0] == '[';
    if (n > c->n_word)
        return error_set(error, ERROR_INPUT, "unexpected argument '%s' of 'accsim %s'",
                         words[c->n_word], who);
    if (n < c->n_word && !is_optional)
        return error_set(error, ERROR_INPUT, "'accsim %s' needs %s; 'accsim %s --help' tells more",
                         who, c->words, who);
    return true;
}

/* `args` begins with the program, as options_parse() wants it; `line` is the whole command line. */
static bool run_command(const struct command *c, char **args, const char *line, GError **error)
{
    g_autofree char *who = c->kind ? g_strdup_printf("%s %s", c->name, c->kind) : g_strdup(c->name);
    struct options o;
    options_init(&o);
    bool ok = options_parse(&o, c->options, who, args, error);
    o.command = line;
    if (ok && o.help)
        ok = print(help_text(c->name), error);
    else if (ok && o.version)
        ok = print_version(error);
    else
        ok = ok && check_words(c, who, o.words, error) && options_check_outputs(&o, error) &&
             c->run(&o, error);
    options_clear(&o);
    return ok;
}

static bool is_option(const char *word)
{
    return !word || word[0] == '-';
}

static bool dispatch(int argc, char **argv, GError **error)
{
    g_autofree char *line = options_command_line(argv);
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
        return print(help_text(NULL), error);
    if (is_option(word))
        return run_command(&commands[0], argv, line, error);
    const struct command *c = find_name(word, error);
    if (!c)
        return false;
    int n_skip = 1;
    if (c->kind) {
        const char *kind = argv[2];
        if (kind && (strcmp(kind, "--help") == 0 || strcmp(kind, "-h") == 0))
            return print(help_text(c->name), error);
        c = find_kind(c, is_option(kind) ? NULL : kind, error);
        if (!c)
            return false;
        n_skip = 2;
    }
    argv[n_skip] = argv[0]; /* the program stands before the options */
    return run_command(c, argv + n_skip, line, error);
}

/* A closed descriptor would be given to the next file opened, and text meant for a terminal would
 * go there. Standard output is opened for reading alone, so that writing to it stays an error. */
static void open_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* Who has closed the pipe behind standard output (`accsim ... | head`) has seen enough. */
static bool is_reader_gone(void)
{
    struct pollfd pipe = {STDOUT_FILENO, POLLOUT, 0};
    return poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR);
}

static void print_error(const GError *error)
{
    if (error->code != ERROR_OUTPUT || !is_reader_gone())
        emit_message("error", error->message);
}

/* Everything is written by now. OpenBLAS would wait for its threads, which never end where their
 * memory could not be had; the sanitizers look for leaks only in a regular end. */
static int leave(int code)
{
#ifndef __SANITIZE_ADDRESS__
    fflush(NULL);
    _exit(code);
#endif
    return code;
}

int main(int argc, char **argv)
{
    open_standard_files();
    setlocale(LC_CTYPE, ""); /* for the terminal's characters; numbers stay as in C */
    signals_install();
    limits_install();
    g_autoptr(GError) error = NULL;
    if (dispatch(argc, argv, &error))
        return leave(0);
    print_error(error);
    return leave(error->domain == ACCSIM_ERROR ? error->code : ERROR_BUG);
}
