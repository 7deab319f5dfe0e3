/* SPDX-License-Identifier: Apache-2.0 */
/* --layers: names, numbers as `show net` gives them, and ranges of either. */
#include <string.h>

#include "app/run/internal.h"
#include "sim/base/error.h"
#include "sim/cfg/cfg.h"

static int find_layer(const struct graph *g, const char *word, GError **error)
{
    for (int i = 0; i < g->n_node; i++)
        if (!strcmp(g->nodes[i].name, word))
            return i;
    guint64 number;
    if (g_ascii_string_to_unsigned(word, 10, 0, (guint64)g->n_node - 1, &number, NULL))
        return (int)number;
    g_autofree const char **names = g_new(const char *, (gsize)g->n_node);
    for (int i = 0; i < g->n_node; i++)
        names[i] = g->nodes[i].name;
    const char *near = cfg_nearest(word, names, (size_t)g->n_node);
    error_set(error, ERROR_INPUT,
              "--layers: %s has no layer '%s'%s%s%s; a name or a number from 0 to %d is expected",
              g->name, word, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
              g->n_node - 1);
    return -1;
}

/* "conv1" or "3-5" (a name that holds a dash is tried whole first). */
static bool mark(const struct graph *g, const char *word, bool *keep, GError **error)
{
    int first = find_layer(g, word, NULL), last = first;
    const char *dash = strchr(word, '-');
    if (first < 0 && dash) {
        g_autofree char *from = g_strndup(word, (gsize)(dash - word));
        if ((first = find_layer(g, from, error)) < 0 || (last = find_layer(g, dash + 1, error)) < 0)
            return false;
    }
    if (first < 0)
        return find_layer(g, word, error) >= 0;
    if (last < first)
        return error_set(error, ERROR_INPUT, "--layers: %s runs backwards", word);
    for (int i = first; i <= last; i++)
        keep[i] = true;
    return true;
}

struct graph *select_layers(const struct graph *g, const char *list, GError **error)
{
    g_autofree bool *keep = g_new0(bool, (gsize)g->n_node);
    g_auto(GStrv) words = g_strsplit(list, ",", -1);
    for (int i = 0; words[i]; i++)
        if (!mark(g, g_strstrip(words[i]), keep, error))
            return NULL;
    return graph_select(g, keep, error);
}
