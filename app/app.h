/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: a table of subcommands, each a function of its parsed options. Nothing
 * includes this folder. Results go to standard output through out_write(), so that a full disk or
 * a closed pipe is an error; messages go to standard error. A failure travels up as a GError whose
 * code is the exit status; main() alone prints it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "app/options.h"
#include "app/run/accsim.h"

struct command {
    const char *name;    /* "show" */
    const char *kind;    /* "net"; NULL where the subcommand has no kinds */
    const char *words;   /* what must follow, for the usage line: "N"; NULL: nothing */
    int n_word;          /* how many of it are operands */
    const char *summary; /* a sentence */
    const char *examples[3];
    unsigned options; /* bit of enum option_use: the options it takes */
    bool (*run)(const struct options *o, GError **error);
};

/* Kinds of one subcommand stand together; the first is the default; ends with name NULL. */
extern const struct command commands[];

/* cmd_run.c */
bool cmd_run(const struct options *o, GError **error);

/* cmd_validate.c */
bool cmd_validate(const struct options *o, GError **error);

/* show_arch.c, show_net.c, show_op.c, show_plan.c */
bool show_arch(const struct options *o, GError **error);
bool show_net(const struct options *o, GError **error);
bool show_op(const struct options *o, GError **error);
bool show_plan(const struct options *o, GError **error);

/* list.c */
bool list_archs(const struct options *o, GError **error);
bool list_nets(const struct options *o, GError **error);
bool list_ops(const struct options *o, GError **error);
bool list_families(const struct options *o, GError **error);
bool list_datasets(const struct options *o, GError **error);

/* The library's options from the command line's; they point into *o. */
struct accsim_options run_options(const struct options *o);

/* help.c: what --help prints of one subcommand, or of all (NULL); g_string_free() it. */
GString *help_text(const char *name);
bool cmd_help(const struct options *o, GError **error);
