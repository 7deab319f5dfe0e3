/* SPDX-License-Identifier: Apache-2.0 */
/* Inside reports/: what the parts of the text rendering share. Strings returned as char * are the
 * caller's; numbers have three digits, their unit, and a point whatever the locale. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "reports/report.h"

enum text_color {
    TEXT_PLAIN,
    TEXT_BOLD,
    TEXT_DIM,
    TEXT_RED,
    TEXT_GREEN,
    TEXT_YELLOW,
    TEXT_BLUE,
    TEXT_MAGENTA,
    TEXT_CYAN,
};

/* The characters beyond letters and digits, in UTF-8 or in ASCII. */
struct text_glyphs {
    const char *rule, *ellipsis, *dot, *dash, *pass, *fail;
    const char *micro, *square;
    const char *eighths[9]; /* of a bar's last character: 0/8 to 8/8 */
    const char *levels[8];  /* a column that is 1/8 to 8/8 full */
    const char *parts[4];   /* of a bar that is split among causes, in turn */
};

struct text {
    GString *out;
    const struct text_glyphs *glyphs;
    bool color, power;
    int width;
};

struct text text_begin(const struct report_style *style);

/* Columns on a terminal: wide characters take two, combining ones none. */
int text_columns(const char *s);
/* Valid, printable, and ASCII where the style says so; NULL gives "". */
char *text_clean(const struct text *t, const char *s);
/* A name that is a key, of a cause or a component: its underscores read as blanks. */
char *text_spoken(const struct text *t, const char *key);
/* At most `width` columns; the middle gives way, since both ends of a name tell layers apart. */
char *text_fit(const struct text *t, const char *s, int width);

char *text_float(const char *format, double v); /* one conversion, nothing around it */
char *text_si(const struct text *t, double v, const char *unit); /* "1.76 ms"; a dash if infinite */
char *text_grouped(uint64_t v);                                  /* "1,234,567" */
char *text_percent(double share, int n_decimal);                 /* "12.7 %" */

void text_put(struct text *t, enum text_color color, const char *s);
/* Colours the first `s` in what was put from `from` on: for words within a paragraph, whose width
 * is counted without colours. */
void text_color_at(struct text *t, gsize from, const char *s, enum text_color color);
void text_put_padded(struct text *t, enum text_color color, const char *s, int width, bool right);
void text_repeat(struct text *t, enum text_color color, const char *s, int n);
/* `body` in lines of the style's width, beside a label of TEXT_LABEL columns. A line ends neither
 * between a number and its unit nor at a TEXT_HARD_SPACE, which is shown as a blank. */
void text_paragraph(struct text *t, enum text_color color, const char *label, const char *body);

enum { TEXT_LABEL = 17 }; /* "activation unit" and two blanks */
#define TEXT_HARD_SPACE "\u00a0"

/* A table. */
struct text_column {
    const char *head;
    int min_width; /* it may be shortened to this; 0: never shortened */
    int keep;      /* where there is no room, the column that is kept least goes first */
    bool right;
};
struct text_table;
/* The last n_foot rows stand below a rule of their own. */
struct text_table *text_table_new(const struct text_column *columns, int n_column, int n_row,
                                  int n_foot);
/* Takes the text over; NULL: it does not apply. A column of such cells alone is not shown. */
void text_table_set(struct text_table *table, int row, int column, char *text,
                    enum text_color color);
void text_table_put(struct text *t, struct text_table *table); /* which ends it */

/* The parts themselves. */
void text_layers(struct text *t, const struct record *r);
void text_totals(struct text *t, const struct record *r);
void text_words(struct text *t, const struct record *r);
void text_tables(struct text *t, const struct record *r);
/* Subjects of text_totals(). */
void text_memories(struct text *t, const struct record *r);
void text_energy(struct text *t, const struct record *r);
void text_units(struct text *t, const struct record *r);
void text_scalars(struct text *t, const struct record *r);
