/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: one field table per config struct gives parser, range check, default, unit, help,
 * dump and the docs page.
 *
 * A `struct cfg` is a flat map from path ("array.rows") to a value with its origin (file, line).
 * Legal order: cfg_load() or cfg_from_group(); any number of cfg_set(); one cfg_apply() over all
 * tables that may name a setting; cfg_free(). Strings put into structs by cfg_apply() live in the
 * arena given.
 *
 * The libconfig that Debian packages wraps integers beyond 32 bits in silence and cannot tell a
 * missing key from a wrong type. So cfg_parse_file() reads the text once itself: it gives every
 * integer literal the suffix L, refuses those beyond 64 bits and nesting deeper than 32, puts files
 * in place of @include "FILE" (beside the including one), and the settings are walked here and
 * never looked up through libconfig. */
#pragma once

#include <glib.h>
#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/base/arena.h"

enum cfg_type {
    CFG_INT,    /* int64_t */
    CFG_FLOAT,  /* double; an integer literal is accepted; never NaN or infinite */
    CFG_BOOL,   /* bool */
    CFG_STRING, /* const char *, in the arena */
    CFG_ENUM,   /* int: index of the string in `names` */
    CFG_INTS,   /* struct cfg_ints: a single integer or a list of 1 to CFG_MAX_INTS; an empty list
                 * where the setting is optional */
    CFG_STRINGS /* struct cfg_strings: a single string or a list */
};

#define CFG_MAX_INTS 64

struct cfg_ints {
    int n; /* 0: not given and no default */
    int64_t v[CFG_MAX_INTS];
};

struct cfg_strings {
    int n;
    const char **v;
};

struct cfg_field {
    const char *path; /* "array.rows"; NULL ends a table */
    enum cfg_type type;
    size_t offset;    /* of the member in the config struct */
    double min, max;  /* inclusive range of numbers (of each element of CFG_INTS) */
    const char *def;  /* default, as written in a file ("256", "true", "ws"); NULL: required;
                       * "" : optional: 0, false, NULL or n = 0 when absent */
    const char *unit; /* "MHz"; NULL where there is none */
    const char *help; /* a sentence */
    /* CFG_ENUM, CFG_STRINGS: NULL-terminated list of legal strings; of CFG_STRINGS NULL: any; else
     * there is one at least, unless the setting is optional. */
    const char *const *names;
};

/* A table and the struct it fills. */
struct cfg_table {
    const struct cfg_field *fields; /* ends with path NULL */
    void *out;
};

struct cfg;

/* Parses a libconfig file into *doc (config_init()ed here, config_destroy()ed by the caller on
 * success). The error names file and line; a directory, an empty file and a file larger than
 * 16 MiB are refused. */
bool cfg_parse_file(const char *file, config_t *doc, GError **error);

/* Loads a settings file. `base = "other.cfg"` is followed first, looked up beside the file, then,
 * where it names no folder, in `dirs` (ends with NULL; NULL: nowhere else); settings of the file
 * override those of its base; a chain that meets itself is an error. */
struct cfg *cfg_load(const char *file, char *const *dirs, GError **error);

/* The scalars, arrays and nested groups of one libconfig group, e.g. a layer of a .net file.
 * `file` is used in messages; it is copied. */
struct cfg *cfg_from_group(const char *file, const config_setting_t *group, GError **error);

/* Overrides one setting: "array.rows=64". The value is parsed as in a file; a bare word is a
 * string. Its origin is "--set array.rows=64". Whether the path exists is cfg_apply()'s to say. */
bool cfg_set(struct cfg *cfg, const char *assignment, GError **error);

/* The string at `path`, or NULL when it is absent or no string: to look at a setting before its
 * table is known ("family", "op"). Lives as long as cfg. */
const char *cfg_peek_string(const struct cfg *cfg, const char *path);
/* "file:line" of a setting; of an absent one the file, with the line of the group that
 * cfg_from_group() was given. Lives as long as cfg. */
const char *cfg_origin(const struct cfg *cfg, const char *path);
const char *cfg_file(const struct cfg *cfg);

/* Fills every table's struct. Errors: an unknown path (with the closest known one suggested:
 * "tpu.cfg:12: unknown setting 'array.row', did you mean 'array.rows'?"), a wrong type, a value
 * out of range or not in the enumeration (the legal ones are listed), a required one missing. */
bool cfg_apply(struct cfg *cfg, const struct cfg_table *tables, size_t n_table, struct arena *arena,
               GError **error);

/* Calls fn for each field of a table with its present value as text ("256", "\"ws\""), unit and
 * help; for `show arch`, JSON settings and docs. Strings are quoted and lists in brackets ("[]"
 * where n = 0); an absent string is "\"\"". `is_default` tells whether it equals its default. */
typedef void (*cfg_visit_fn)(const struct cfg_field *field, const char *value, bool is_default,
                             void *user);
void cfg_visit(const struct cfg_table *table, cfg_visit_fn fn, void *user);

void cfg_free(struct cfg *cfg);

/* The name among `n` candidates (NULLs skipped) nearest to `word` in edit distance, or NULL where
 * none is near (more than a third of the word away). For "did you mean". */
const char *cfg_nearest(const char *word, const char *const *candidates, size_t n);
