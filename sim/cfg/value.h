/* SPDX-License-Identifier: Apache-2.0 */
/* Inside sim/cfg: a setting's value before its table is known, the map of settings, and the text
 * pass that both files and --set go through. */
#pragma once

#include "sim/cfg/cfg.h"

enum value_kind {
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_BOOL,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_GROUP, /* marks the path of a group; its members have paths of their own */
};

struct value {
    enum value_kind kind;
    union {
        int64_t i;
        double d;
        bool b;
        const char *s;
        struct {
            struct value *v;
            size_t n;
        } list;
    };
};

struct entry {
    const char *path, *origin;
    struct value value;
};

struct cfg {
    struct arena *arena;
    const char *file;
    const char *where;   /* the file, or file:line of the group these settings came from */
    GHashTable *by_path; /* path -> struct entry */
    GPtrArray *entries;  /* in the order met, so that errors come in the order of the file */
};

enum number_result { NUMBER_OK, NUMBER_BAD, NUMBER_TOO_LARGE };

/* A literal of a file: decimal or hexadecimal with an optional sign and suffix L, or a float. */
enum number_result value_number(const char *text, struct value *out);

/* A copy in the arena of what libconfig has read. */
struct value value_of_setting(struct arena *arena, const config_setting_t *setting);

/* A value given as text, as in a file; a bare word is a string. `origin` starts messages. */
bool value_of_text(struct arena *arena, const char *origin, const char *text, struct value *out,
                   GError **error);

/* The value for a message: as written in a file, long ones cut. */
void value_print(const struct value *v, GString *to);
/* Quoted, as written in a file, and cut after max_chars; 0: never. */
void value_print_string(const char *s, size_t max_chars, GString *to);
/* The shortest text that reads back as the same number. */
void value_print_float(double d, GString *to);

/* What cfg_parse_file() does once it has the text. `line` is the first one's number, or 0 where
 * `origin` alone says where the text is from. */
bool parse_text(const char *origin, int line, const char *text, config_t *doc, GError **error);

/* Converts and checks. Returns NULL, or what is wrong ("is out of range"). Strings are copied into
 * the arena. */
const char *type_store(const struct cfg_field *f, const struct value *v, struct arena *arena,
                       void *member);
/* The default, or zeroes where the setting is optional. The table's own mistakes are asserted. */
void type_store_default(const struct cfg_field *f, struct arena *arena, void *member);
/* "an integer from 1 to 4096" */
void type_print_expected(const struct cfg_field *f, GString *to);
void type_print(const struct cfg_field *f, const void *member, GString *to);
