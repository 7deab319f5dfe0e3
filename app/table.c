/* SPDX-License-Identifier: Apache-2.0 */
#include "app/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { GAP = 2, MIN_WIDTH = 8 };

struct table {
    int n_column;
    char align[TABLE_MAX_COLUMN];
    bool has_heading;
    GPtrArray *cells; /* char *, row by row; the heading first */
};

struct table *table_new(const char *align, const char *const *headings)
{
    struct table *t = g_new0(struct table, 1);
    t->n_column = (int)strlen(align);
    g_assert(t->n_column <= TABLE_MAX_COLUMN);
    memcpy(t->align, align, strlen(align));
    t->cells = g_ptr_array_new_with_free_func(g_free);
    t->has_heading = headings != NULL;
    if (headings)
        table_cells(t, t->n_column, headings);
    return t;
}

/* Names come from files and must not steer a terminal. */
static char *clean(const char *s)
{
    char *text = g_utf8_make_valid(s ? s : "", -1);
    for (char *c = text; *c; c++) {
        if (g_ascii_iscntrl(*c))
            *c = '?';
    }
    return text;
}

void table_cells(struct table *t, int n, const char *const *cells)
{
    g_assert(n == t->n_column);
    for (int i = 0; i < n; i++)
        g_ptr_array_add(t->cells, clean(cells[i]));
}

static int longest_word(const char *s)
{
    g_auto(GStrv) words = g_strsplit(s, " ", -1);
    int longest = 0;
    for (int i = 0; words[i]; i++)
        longest = MAX(longest, (int)g_utf8_strlen(words[i], -1));
    return longest;
}

/* The widest column of text that is wider than `least` says; -1: none. */
static int widest_column(const struct table *t, const int *width, const int *least)
{
    int widest = -1;
    for (int c = 0; c < t->n_column; c++)
        if (t->align[c] == 'l' && width[c] > MAX(least ? least[c] : 0, MIN_WIDTH) &&
            (widest < 0 || width[c] > width[widest]))
            widest = c;
    return widest;
}

/* Columns of text give way where a line is too long; words are cut only where all have given what
 * they can. */
static void column_widths(const struct table *t, int *width)
{
    int total = -GAP, least[TABLE_MAX_COLUMN] = {0};
    for (int c = 0; c < t->n_column; c++) {
        width[c] = 0;
        for (guint i = (guint)c; i < t->cells->len; i += (guint)t->n_column) {
            width[c] = MAX(width[c], (int)g_utf8_strlen(t->cells->pdata[i], -1));
            least[c] = MAX(least[c], longest_word(t->cells->pdata[i]));
        }
        total += width[c] + GAP;
    }
    for (; total > TABLE_WIDTH; total--) {
        int widest = widest_column(t, width, least);
        widest = widest < 0 ? widest_column(t, width, NULL) : widest;
        if (widest < 0)
            return;
        width[widest]--;
    }
}

/* Bytes of `s` that go onto a line of `width` characters: up to the last space, else all. */
static size_t line_bytes(const char *s, int width)
{
    if (g_utf8_strlen(s, -1) <= width)
        return strlen(s);
    size_t limit = (size_t)(g_utf8_offset_to_pointer(s, width) - s);
    for (size_t i = limit; i > 0; i--) {
        if (s[i] == ' ')
            return i;
    }
    return limit;
}

static void pad(GString *out, int n)
{
    for (int i = 0; i < n; i++)
        g_string_append_c(out, ' ');
}

/* Appends the next line of each cell, moves them on, and tells whether any is left. */
static bool print_line(const struct table *t, const int *width, const char **rest, GString *out)
{
    bool more = false;
    int column = 0, at = 0; /* where the next cell begins, where the line ends */
    for (int c = 0; c < t->n_column; c++) {
        size_t n = line_bytes(rest[c], width[c]);
        int space = width[c] - (int)g_utf8_strlen(rest[c], (gssize)n);
        int indent = t->align[c] == 'r' ? space : 0;
        if (n > 0) {
            pad(out, column + indent - at); /* nothing trails a line */
            g_string_append_len(out, rest[c], (gssize)n);
            at = column + indent + width[c] - space;
        }
        column += width[c] + GAP;
        rest[c] += n;
        while (*rest[c] == ' ')
            rest[c]++;
        more = more || *rest[c];
    }
    g_string_append_c(out, '\n');
    return more;
}

void table_print(struct table *t, GString *out)
{
    int width[TABLE_MAX_COLUMN];
    column_widths(t, width);
    for (guint i = 0; i < t->cells->len; i += (guint)t->n_column) {
        const char *rest[TABLE_MAX_COLUMN];
        for (int c = 0; c < t->n_column; c++)
            rest[c] = t->cells->pdata[i + (guint)c];
        while (print_line(t, width, rest, out))
            continue;
        if (i == 0 && t->has_heading) {
            int total = -GAP;
            for (int c = 0; c < t->n_column; c++)
                total += width[c] + GAP;
            for (int c = 0; c < total; c++)
                g_string_append_c(out, '-');
            g_string_append_c(out, '\n');
        }
    }
    g_ptr_array_free(t->cells, TRUE);
    g_free(t);
}

struct number_text number_count(uint64_t x)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" G_GUINT64_FORMAT, x);
    struct number_text out = {{0}};
    for (int i = 0, at = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    return out;
}

struct number_text number_size(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t i = 0;
    for (; bytes >= 1024 && i + 1 < G_N_ELEMENTS(units); i++)
        bytes /= 1024;
    struct number_text out;
    snprintf(out.text, sizeof out.text, "%.*f %s", i == 0 ? 0 : 1, bytes, units[i]);
    return out;
}

struct number_text number_fixed(double x, int decimals)
{
    struct number_text out;
    snprintf(out.text, sizeof out.text, "%.*f", decimals, x);
    return out;
}
