/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/csv.h"

#include <stdbool.h>
#include <string.h>

/* Takes a quoted cell that begins at `at`, behind its quotation mark, and goes to what follows the
 * one that ends it. */
static const char *take_quoted(const char *at, GString *cell)
{
    for (;;) {
        const char *mark = strchr(at, '"');
        if (!mark)
            return NULL;
        g_string_append_len(cell, at, mark - at);
        if (mark[1] != '"')
            return mark + 1;
        g_string_append_c(cell, '"');
        at = mark + 2;
    }
}

char **csv_split(const char *line)
{
    GPtrArray *cells = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) cell = g_string_new(NULL);
    for (const char *at = line; at;) {
        g_string_truncate(cell, 0);
        const bool is_quoted = *at == '"';
        const char *end = is_quoted ? take_quoted(at + 1, cell) : at + strcspn(at, ",");
        if (!end || (*end && *end != ',')) {
            g_ptr_array_free(cells, TRUE);
            return NULL;
        }
        if (!is_quoted)
            g_string_append_len(cell, at, end - at);
        g_ptr_array_add(cells, g_strdup(cell->str));
        at = *end ? end + 1 : NULL;
    }
    g_ptr_array_add(cells, NULL);
    return (char **)g_ptr_array_free(cells, FALSE);
}

void csv_put(GString *to, const char *cell)
{
    const bool is_quoted = strpbrk(cell, ",\"\r\n") != NULL;
    if (is_quoted)
        g_string_append_c(to, '"');
    for (const char *p = cell; *p; p++) {
        if (*p == '"')
            g_string_append_c(to, '"');
        g_string_append_c(to, *p);
    }
    if (is_quoted)
        g_string_append_c(to, '"');
}
