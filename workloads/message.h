/* SPDX-License-Identifier: Apache-2.0 */
/* The two forms that messages about networks share. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets *error to "ORIGIN: layer 'NAME': ..." with ERROR_INPUT and returns false. `origin` is
 * "x.net:12", or NULL. */
bool message_layer(GError **error, const char *origin, const char *name, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* ", did you mean 'NAME'?" with the nearest of `n` names, or "" where none is near. The caller
 * frees it with g_free(). */
char *message_suggest(const char *word, const char *const *names, size_t n);
