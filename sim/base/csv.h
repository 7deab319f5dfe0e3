/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of lines of comma-separated values, quoted by RFC 4180 but for cells that span lines. */
#pragma once

#include <glib.h>

/* The cells, to be freed by g_strfreev(); NULL where a quotation does not end, or text follows it.
 */
char **csv_split(const char *line);
/* Appends a cell, quoted if it has to be. */
void csv_put(GString *to, const char *cell);
