/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const struct text_glyphs glyphs_utf8 = {
    .rule = "─",
    .ellipsis = "…",
    .dot = "·",
    .dash = "–",
    .pass = "✓",
    .fail = "✗",
    .micro = "µ",
    .square = "²",
    .eighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
    .levels = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
    .parts = {"█", "▓", "▒", "░"},
};

static const struct text_glyphs glyphs_ascii = {
    .rule = "-",
    .ellipsis = "~",
    .dot = "|",
    .dash = "-",
    .pass = "ok",
    .fail = "BAD",
    .micro = "u",
    .square = "2",
    .eighths = {" ", " ", " ", " ", "-", "-", "-", "-", "#"},
    .levels = {"_", ".", ":", "-", "=", "+", "*", "#"},
    .parts = {"#", "=", "-", "."},
};

static const char *const color_codes[] = {
    [TEXT_PLAIN] = "",        [TEXT_BOLD] = "\033[1m",     [TEXT_DIM] = "\033[2m",
    [TEXT_RED] = "\033[31m",  [TEXT_GREEN] = "\033[32m",   [TEXT_YELLOW] = "\033[33m",
    [TEXT_BLUE] = "\033[34m", [TEXT_MAGENTA] = "\033[35m", [TEXT_CYAN] = "\033[36m",
};

struct text text_begin(const struct report_style *style)
{
    return (struct text){
        .out = g_string_new(NULL),
        .glyphs = style->ascii ? &glyphs_ascii : &glyphs_utf8,
        .color = style->color,
        .power = style->power,
        .width = style->width > 0 ? style->width : 100,
    };
}

static int char_columns(gunichar c)
{
    return g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
}

int text_columns(const char *s)
{
    int n = 0;
    for (; *s; s = g_utf8_next_char(s))
        n += char_columns(g_utf8_get_char(s));
    return n;
}

char *text_clean(const struct text *t, const char *s)
{
    g_autofree char *valid = g_utf8_make_valid(s ? s : "", -1);
    gunichar last = t->glyphs == &glyphs_ascii ? 0x7e : G_MAXUINT32;
    GString *clean = g_string_new(NULL);
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        bool shown = c <= last && (g_unichar_isprint(c) || g_unichar_ismark(c));
        g_string_append_unichar(clean, shown ? c : '?');
    }
    return g_string_free(clean, FALSE);
}

char *text_spoken(const struct text *t, const char *key)
{
    return g_strdelimit(text_clean(t, key), "_", ' ');
}

/* The start of the longest tail of s that takes at most `width` columns. */
static const char *tail(const char *s, int width)
{
    while (text_columns(s) > width)
        s = g_utf8_next_char(s);
    return s;
}

char *text_fit(const struct text *t, const char *s, int width)
{
    if (text_columns(s) <= width)
        return g_strdup(s);
    int head = (width - 1) / 2, n = 0;
    const char *p = s;
    while (n + char_columns(g_utf8_get_char(p)) <= head) {
        n += char_columns(g_utf8_get_char(p));
        p = g_utf8_next_char(p);
    }
    return g_strdup_printf("%.*s%s%s", (int)(p - s), s, t->glyphs->ellipsis,
                           tail(p, width - 1 - n));
}

char *text_float(const char *format, double v)
{
    char s[G_ASCII_DTOSTR_BUF_SIZE + 320];
    return g_strdup(g_ascii_formatd(s, sizeof(s), format, v));
}

char *text_si(const struct text *t, double v, const char *unit)
{
    static const char prefixes[] = "pnum kMGTPE";
    enum { ONE = 4, LAST = sizeof(prefixes) - 2 };
    if (!isfinite(v))
        return g_strdup(t->glyphs->dash);
    bool is_count = v == floor(v);
    int i = ONE;
    for (; v >= 999.5 && i < LAST; i++)
        v /= 1e3;
    for (; v > 0 && v < 0.9995 && i > 0; i--)
        v *= 1e3;
    if (i == ONE && is_count) {
        g_autofree char *s = text_float("%.0f", v);
        return g_strconcat(s, *unit ? " " : "", unit, NULL);
    }
    g_autofree char *s = text_float(v < 9.995 ? "%.2f" : v < 99.95 ? "%.1f" : "%.0f", v);
    const char prefix[2] = {prefixes[i] == ' ' ? '\0' : prefixes[i], '\0'};
    const char *shown = prefixes[i] == 'u' ? t->glyphs->micro : prefix;
    return g_strconcat(s, *shown || *unit ? " " : "", shown, unit, NULL);
}

char *text_grouped(uint64_t v)
{
    g_autofree char *digits = g_strdup_printf("%" PRIu64, v);
    GString *grouped = g_string_new(digits);
    for (gssize i = (gssize)grouped->len - 3; i > 0; i -= 3)
        g_string_insert_c(grouped, i, ',');
    return g_string_free(grouped, FALSE);
}

char *text_percent(double share, int n_decimal)
{
    const char format[] = {'%', '.', (char)('0' + n_decimal), 'f', '\0'};
    g_autofree char *number = text_float(format, 100.0 * share);
    return g_strconcat(number, " %", NULL);
}

void text_put(struct text *t, enum text_color color, const char *s)
{
    bool colored = t->color && color != TEXT_PLAIN && *s;
    if (colored)
        g_string_append(t->out, color_codes[color]);
    g_string_append(t->out, s);
    if (colored)
        g_string_append(t->out, "\033[0m");
}

void text_color_at(struct text *t, gsize from, const char *s, enum text_color color)
{
    const char *found = t->color ? strstr(t->out->str + from, s) : NULL;
    if (!found)
        return;
    const gssize at = found - t->out->str;
    g_string_insert(t->out, at + (gssize)strlen(s), "\033[0m");
    g_string_insert(t->out, at, color_codes[color]);
}

void text_put_padded(struct text *t, enum text_color color, const char *s, int width, bool right)
{
    int n = MAX(0, width - text_columns(s));
    if (right)
        g_string_append_printf(t->out, "%*s", n, "");
    text_put(t, color, s);
    if (!right)
        g_string_append_printf(t->out, "%*s", n, "");
}

void text_repeat(struct text *t, enum text_color color, const char *s, int n)
{
    GString *run = g_string_new(NULL);
    for (int i = 0; i < n; i++)
        g_string_append(run, s);
    text_put(t, color, run->str);
    g_string_free(run, TRUE);
}

/* Where the word that begins at s, blanks before it included, ends. */
static const char *word_end(const char *s)
{
    const char *p = s + strspn(s, " ");
    while (*p && !(*p == ' ' && !g_ascii_isdigit(p[-1])))
        p++;
    return p;
}

static char *soften(char *s)
{
    g_auto(GStrv) parts = g_strsplit(s, TEXT_HARD_SPACE, -1);
    g_free(s);
    return g_strjoinv(" ", parts);
}

void text_paragraph(struct text *t, enum text_color color, const char *label, const char *body)
{
    text_put_padded(t, color, label, TEXT_LABEL, false);
    int at = TEXT_LABEL;
    while (*body) {
        const char *end = word_end(body);
        g_autofree char *word = soften(g_strndup(body, (gsize)(end - body)));
        if (at > TEXT_LABEL && at + text_columns(word) > t->width) {
            g_string_append_printf(t->out, "\n%*s", TEXT_LABEL, "");
            at = TEXT_LABEL;
        }
        const char *shown = at == TEXT_LABEL ? word + strspn(word, " ") : word;
        g_string_append(t->out, shown);
        at += text_columns(shown);
        body = end;
    }
    g_string_append_c(t->out, '\n');
}
