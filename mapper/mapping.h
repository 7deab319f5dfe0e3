/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings as files (docs/mapping.md): how each layer with a product is cut, to be kept, edited and
 * given back. Where activations live and which layers take turns is the mapper's own and follows
 * from machine and network. */
#pragma once

#include "mapper/plan.h"

/* The plan's mapping as text; the caller frees it. */
char *mapping_text(const struct plan *p);

/* Cuts the plan's layers as the file says; layers that it does not name keep what the search found.
 * Before the steps are made. ERROR_INPUT names file and line, and what would be right. */
bool mapping_apply(struct plan *p, const char *file, GError **error);
