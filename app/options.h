/* SPDX-License-Identifier: Apache-2.0 */
/* Options: one table gives the parser, the check, the default and the line in --help.
 *
 *     struct options o;
 *     options_init(&o);
 *     options_parse(&o, USE_RUN, "run", args, &error);   args[0] is the program
 *     options_clear(&o);
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which subcommand takes an option: bits of option_row.uses. */
enum option_use {
    USE_RUN = 1 << 0,
    USE_SHOW_ARCH = 1 << 1,
    USE_SHOW_NET = 1 << 2,
    USE_SHOW_OP = 1 << 3,
    USE_SHOW_PLAN = 1 << 4,
    USE_LIST = 1 << 5,
    USE_HELP = 1 << 6,
    USE_VALIDATE = 1 << 7,
    USE_ALL = (1 << 8) - 1,
};

struct options {
    char *arch, *net;
    int64_t batch;
    char **set, **shape; /* NULL-terminated; NULL: none */
    int mode, fidelity; /* enum accsim_mode, enum accsim_fidelity */
    int csv_rows;       /* enum report_csv_rows */
    int check;          /* enum accsim_check */
    int precision;      /* enum number; -1: not given */
    char *input, *weights, *calibrate;
    uint64_t seed;
    int64_t threads;
    char *layers;
    char *mapping, *save_mapping, *output, *json, *csv, *power, *vcd;
    int64_t memory_limit_mib; /* 0: not given */
    double time_limit_s;      /* 0: not given */
    bool quiet, verbose, no_color, help, version;

    char **words;        /* operands: what is no option; NULL-terminated */
    const char *command; /* the whole command line; the caller's */
};

enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* char *, not empty */
    OPTION_TEXTS,   /* char **, may be repeated */
    OPTION_INT,     /* int64_t within [min, max] */
    OPTION_UINT,    /* uint64_t, any */
    OPTION_SECONDS, /* double above 0, up to max */
    OPTION_CHOICE,  /* int, index into names */
};

struct option_row {
    const char *group; /* heading in --help, given on the first row of a group; else NULL */
    const char *name;  /* without the dashes; NULL ends the table */
    char letter;       /* '-h'; 0: none */
    enum option_kind kind;
    size_t offset; /* of the member in struct options */
    unsigned uses; /* bits of enum option_use */
    const char *arg;
    const char *help; /* with unit and default */
    int64_t min, max;
    const char *const *names;
};

extern const struct option_row option_rows[]; /* ends with name NULL */

void options_init(struct options *o);
void options_clear(struct options *o);

/* Parses args (args[0] is the program, NULL-terminated, left as it is). `who` names the subcommand
 * in messages. Errors are ERROR_INPUT: "--batch 0: a whole number from 1 to 1000000 is expected".
 */
bool options_parse(struct options *o, enum option_use use, const char *who, char **args,
                   GError **error);

/* Outputs that cannot go together or cannot be written are found before a long run is spent. */
bool options_check_outputs(const struct options *o, GError **error);

/* Whether the text a person reads is wanted on standard output: not with --quiet, and not where a
 * rendering takes that place. */
bool options_want_text(const struct options *o);

/* --arch and --net, without which `who` has nothing to do. */
bool options_need_machine_and_net(const struct options *o, const char *who, GError **error);

/* The words as they could be given to a shell again; the caller frees it. */
char *options_command_line(char **args);
