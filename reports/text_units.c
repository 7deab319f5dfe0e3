/* SPDX-License-Identifier: Apache-2.0 */
/* How each unit spent the run: a bar, and shares in words. */
#include "reports/text.h"

#include <math.h>

/* How a unit spent the run: parts that exclude each other, `active` first. */
struct part {
    const char *name;
    uint64_t cyc;
};

static GArray *split_of(const struct record_unit *u)
{
    GArray *split = g_array_new(FALSE, FALSE, sizeof(struct part));
    const struct part active = {"active", u->busy_cyc};
    g_array_append_val(split, active);
    for (int i = 0; i < u->n_cause; i++) {
        const struct part stall = {u->causes[i].name, u->stall_cyc[i]};
        if (!u->causes[i].overlaps && stall.cyc > 0)
            g_array_append_val(split, stall);
    }
    return split;
}

static const enum text_color split_colors[] = {TEXT_GREEN, TEXT_YELLOW, TEXT_MAGENTA, TEXT_BLUE};

/* Each part ends where the exact sum so far ends, so that rounding never adds up. */
static void put_split_bar(struct text *t, const struct record *r, const GArray *split)
{
    int width = MAX(0, MIN(60, t->width - TEXT_LABEL)), at = 0;
    double sum_cyc = 0;
    for (guint i = 0; i < split->len; i++) {
        sum_cyc += (double)g_array_index(split, struct part, i).cyc;
        int end = (int)lround(MIN(1.0, sum_cyc / (double)r->total_cyc) * width);
        text_repeat(t, split_colors[i % 4], t->glyphs->parts[i % 4], end - at);
        at = end;
    }
    g_string_append_c(t->out, '\n');
}

static void add_part(GString *body, const struct text *t, const char *before, const char *key,
                     double share)
{
    g_autofree char *name = text_spoken(t, key), *percent = text_percent(share, 1);
    g_autofree char *part = g_strdup_printf("%s%s %s", before, name, percent);
    g_auto(GStrv) words = g_strsplit(part, " ", -1);
    g_autofree char *hard = g_strjoinv(TEXT_HARD_SPACE, words);
    g_string_append(body, hard);
}

static void add_overlaps(GString *body, const struct text *t, const struct record *r,
                         const struct record_unit *u)
{
    const char *before = "(";
    for (int i = 0; i < u->n_cause; i++) {
        if (!u->causes[i].overlaps || u->stall_cyc[i] == 0)
            continue;
        g_string_append(body, *before == '(' ? "  " : ", ");
        add_part(body, t, before, u->causes[i].name,
                 (double)u->stall_cyc[i] / (double)r->total_cyc);
        before = "";
    }
    if (!*before)
        g_string_append(body, " within them)");
}

/* Active cycles, cut by how many of the multipliers work for the result. */
static void add_useful(GString *body, const struct text *t, const struct record *r,
                       const struct record_unit *u)
{
    if (u->useful_cyc <= 0)
        return;
    const double total = (double)r->total_cyc, useful = u->useful_cyc / total;
    g_string_append(body, "  ");
    add_part(body, t, "(useful MACs", "", useful);
    g_string_append(body, ", ");
    add_part(body, t, "unused", "", MAX((double)u->busy_cyc / total - useful, 0));
    g_string_append(body, " of active)");
}

static void put_unit(struct text *t, const struct record *r, const struct record_unit *u)
{
    g_autoptr(GArray) split = split_of(u);
    bool has_bar = split->len > 1;
    GString *body = g_string_new(NULL);
    for (guint i = 0; i < split->len; i++) {
        const struct part *p = &g_array_index(split, struct part, i);
        g_autofree char *glyph =
            g_strconcat(has_bar ? t->glyphs->parts[i % 4] : "", has_bar ? " " : "", NULL);
        g_string_append(body, i > 0 ? "  " : "");
        add_part(body, t, glyph, p->name, (double)p->cyc / (double)r->total_cyc);
    }
    add_overlaps(body, t, r, u);
    add_useful(body, t, r, u);
    g_autofree char *name = text_spoken(t, u->name), *label = text_fit(t, name, TEXT_LABEL - 1);
    if (has_bar) {
        text_put_padded(t, TEXT_BOLD, label, TEXT_LABEL, false);
        put_split_bar(t, r, split);
    }
    const gsize from = t->out->len;
    text_paragraph(t, TEXT_BOLD, has_bar ? "" : label, body->str);
    for (guint i = 0; has_bar && i < split->len; i++)
        text_color_at(t, from, t->glyphs->parts[i % 4], split_colors[i % 4]);
    g_string_free(body, TRUE);
}

void text_units(struct text *t, const struct record *r)
{
    for (int i = 0; i < r->n_unit && r->total_cyc > 0; i++)
        put_unit(t, r, &r->units[i]);
}
