/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cfg/cfg.h"

#include <string.h>

/* Insertions, deletions, substitutions, and neighbours swapped, between two words of n_a and n_b
 * letters: the table of the textbook, of which three rows are kept. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t width = n_b + 1;
    g_autofree size_t *rows = g_new(size_t, 3 * width);
    size_t *before = rows, *above = rows + width, *row = rows + 2 * width;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = MIN(row[j], MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
    }
    return row[n_b];
}

const char *cfg_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t length = strlen(word);
    size_t limit = length / 3;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!candidates[i])
            continue;
        size_t other = strlen(candidates[i]);
        /* a word of a megabyte must cost nothing */
        if (MAX(length, other) - MIN(length, other) > limit)
            continue;
        size_t distance = edit_distance(word, length, candidates[i], other);
        if (distance > limit || (nearest && distance == limit))
            continue;
        nearest = candidates[i];
        limit = distance;
    }
    return nearest;
}
