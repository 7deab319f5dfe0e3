/* SPDX-License-Identifier: Apache-2.0 */
/* Writing results, and what `show` and `list` print: the same facts as text and as JSON. */
#pragma once

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "app/options.h"
#include "reports/json_put.h"

/* "accsim: KIND: TEXT" on standard error. The text may quote what the user gave: control characters
 * in it do not steer the terminal. NULL: nothing. */
void emit_message(const char *kind, const char *text);

/* Writes to a path by the rules of sim/base/out.h, putting Ctrl-C off while a file is replaced, so
 * that no part of one is left. Takes the text over. */
bool emit_text(const char *path, char *text, GError **error);

/* Writes the JSON where --json asks for it and the text to standard output where it is wanted.
 * Takes both over. */
bool emit(const struct options *o, GString *text, json_t *doc, GError **error);

/* {"schema": schema}; what follows is set by reports/json_put.h. */
json_t *emit_doc(const char *schema);
