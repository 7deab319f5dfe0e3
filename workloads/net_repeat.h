/* SPDX-License-Identifier: Apache-2.0 */
/* Names for values in a .net file: `let`, and the variables of a repetition. A string that is "$x"
 * or "$(2 * x + 1)" takes the value's place; inside other strings "$x" and "${x}" are replaced by
 * its text, "$$" by a dollar. */
#pragma once

#include <glib.h>
#include <libconfig.h>
#include <stdbool.h>
#include <stdint.h>

#define REPEAT_MAX_DEPTH 8

/* A chain of scopes: inner names hide outer ones. */
struct repeat_scope {
    const struct repeat_scope *outer;
    GHashTable *values; /* name -> config_setting_t * of any scalar or list type */
    config_t doc;       /* that holds them */
};

void repeat_scope_init(struct repeat_scope *s, const struct repeat_scope *outer);
void repeat_scope_clear(struct repeat_scope *s);
void repeat_set_int(struct repeat_scope *s, const char *name, int64_t value);
void repeat_set_text(struct repeat_scope *s, const char *name, const char *value);
/* The value of a setting, with what it names itself already in its place. */
bool repeat_set(struct repeat_scope *s, const char *name, const config_setting_t *value,
                const char *file, GError **error);

/* A copy of a group with all names in their places, in *doc, which is config_init()ed here and
 * destroyed by the caller on success. Lines stay those of the file. NULL on error. */
config_setting_t *repeat_expand(const struct repeat_scope *s, const config_setting_t *group,
                                const char *file, config_t *doc, GError **error);

/* A repetition's steps: `repeat` is a number, which counts $i from 0, or a group of lists that are
 * walked side by side. -1 with an error. */
int64_t repeat_count(const struct repeat_scope *s, const config_setting_t *repeat, const char *file,
                     GError **error);
bool repeat_set_step(struct repeat_scope *s, const config_setting_t *repeat, int64_t step,
                     const char *file, GError **error);
