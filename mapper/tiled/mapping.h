/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings as files (docs/mapping.md): how layers are cut, which of them take turns, and where
 * activations live, to be kept, edited and given back. */
#pragma once

#include "mapper/tiled/mapping_asked.h"

/* The plan's mapping as text; the caller frees it. */
char *mapping_text(const struct plan *p, const struct target *t);

/* Reads a file, which the functions below then hold against a plan. Errors, here and below, are
 * ERROR_INPUT and name file and line, and what would be right. */
struct mapping *mapping_new(const char *file, GError **error);
void mapping_free(struct mapping *m); /* NULL is ignored */

/* Groups and homes of the plan as the file says, before homes_fit(), which keeps to them as far as
 * they fit. */
bool mapping_layout(struct mapping *m, struct plan *p, GError **error);
/* Cuts the plan's layers as the file says; layers that it does not name keep what the search found.
 * Before the steps are made. */
bool mapping_apply(const struct mapping *m, struct plan *p, const struct target *t, GError **error);
