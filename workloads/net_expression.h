/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic of whole numbers in .net files, private to net_repeat.c. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef bool (*expression_lookup_fn)(const void *user, const char *name, int64_t *out);

/* Reads a sum as far as it goes and returns what is behind it; *why tells a fault, else NULL. */
const char *expression_read(const char *text, expression_lookup_fn lookup, const void *user,
                            int64_t *out, const char **why);
