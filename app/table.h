/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text for people: columns as wide as their cells, 100 characters in all; where that is
 * too little, the widest left-aligned columns wrap. Nothing is cut off.
 *
 *     struct table *t = table_new("lr", (const char *[]){"Name", "MACs"});
 *     table_row(t, "conv1", number_count(105415200).text);
 *     table_print(t, out);     prints and frees it
 */
#pragma once

#include <glib.h>
#include <stdint.h>

enum { TABLE_MAX_COLUMN = 12, TABLE_WIDTH = 100 };

struct table;

/* A letter of `align` a column: l, r. `headings` may be NULL. */
struct table *table_new(const char *align, const char *const *headings);

/* As many strings as there are columns; NULL is an empty cell. They are copied, and control
 * characters in them replaced. */
void table_cells(struct table *t, int n, const char *const *cells);
#define table_row(t, ...)                                                                          \
    table_cells((t), (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)),                \
                (const char *[]){__VA_ARGS__})

void table_print(struct table *t, GString *out);

/* Numbers as a person reads them, in a value that lives to the end of the expression. */
struct number_text {
    char text[48];
};
struct number_text number_count(uint64_t x);             /* "724,406,816" */
struct number_text number_size(double bytes);            /* "58.1 MiB", "512 B" */
struct number_text number_fixed(double x, int decimals); /* "12.50" */
