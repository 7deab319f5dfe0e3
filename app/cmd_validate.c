/* SPDX-License-Identifier: Apache-2.0 */
/* accsim validate: simulated against published figures, error beside each. The figures are in
 * arch/F/reference.csv; docs/validation.md tells what a quantity is. */
#include <math.h>
#include <string.h>

#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "app/validate.h"
#include "sim/base/csv.h"
#include "sim/base/error.h"

/* One line of the file, and what came out. */
struct figure {
    char **cells; /* in the order of the heading */
    bool has_value, has_low, has_high;
    double value, low, high, simulated;
    bool pass;
};

struct validation {
    const char *family, *file;
    GArray *figures;  /* struct figure */
    GHashTable *runs; /* what tells a run -> struct accsim */
    int n_failed, n_judged;
};

enum { ARCH, NET, BATCH, SET, QUANTITY, VALUE, UNIT, LOW, HIGH, SOURCE, N_CELL };

static const char *const heads[] = {"arch", "net", "batch", "set",    "quantity", "value",
                                    "unit", "low", "high",  "source", NULL};

static void clear_figure(gpointer f)
{
    g_strfreev(((struct figure *)f)->cells);
}

/* An empty cell is no number. */
static bool take_number(const char *cell, bool *has, double *out)
{
    char *end;
    *out = g_ascii_strtod(cell, &end);
    *has = end != cell;
    return !*end && isfinite(*out);
}

static bool read_figure(struct validation *v, char **cells, int line, GError **error)
{
    struct figure f = {.cells = cells};
    bool has_batch;
    double batch;
    g_array_append_val(v->figures, f);
    struct figure *at = &g_array_index(v->figures, struct figure, v->figures->len - 1);
    if (g_strv_length(cells) != N_CELL)
        return error_set(error, ERROR_INPUT, "%s, line %d: %u cells, %d are expected", v->file,
                         line, g_strv_length(cells), N_CELL);
    if (!take_number(cells[VALUE], &at->has_value, &at->value) ||
        !take_number(cells[LOW], &at->has_low, &at->low) ||
        !take_number(cells[HIGH], &at->has_high, &at->high) ||
        !take_number(cells[BATCH], &has_batch, &batch) || !has_batch || batch < 1)
        return error_set(error, ERROR_INPUT,
                         "%s, line %d: value, low and high are numbers or empty, batch a number "
                         "from 1",
                         v->file, line);
    return true;
}

/* Lines of '#' and empty ones are skipped; a cell with a comma in it is quoted. */
static bool read_figures(struct validation *v, GError **error)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(v->file, &text, NULL, NULL))
        return error_set(error, ERROR_INPUT, "%s cannot be read", v->file);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool has_heading = false, ok = true;
    for (int i = 0; ok && lines[i]; i++) {
        if (lines[i][0] == '#' || !*g_strchomp(lines[i]))
            continue;
        char **cells = csv_split(lines[i]);
        if (!cells)
            return error_set(error, ERROR_INPUT,
                             "%s, line %d: a quoted cell ends with a quotation mark, and behind it "
                             "comes a comma or nothing",
                             v->file, i + 1);
        if (has_heading) {
            ok = read_figure(v, cells, i + 1, error);
            continue;
        }
        has_heading = g_strv_equal((const char *const *)cells, heads);
        g_strfreev(cells);
        if (!has_heading)
            ok = error_set(error, ERROR_INPUT, "%s, line %d: not the heading of published figures",
                           v->file, i + 1);
    }
    return ok;
}

/* The run of a figure, with its settings or without; each is made once. */
static const struct record *run_of(struct validation *v, const struct figure *f, const char *set,
                                   GError **error)
{
    char *key = g_strjoin("\n", f->cells[ARCH], f->cells[NET], f->cells[BATCH], set, NULL);
    struct accsim *a = g_hash_table_lookup(v->runs, key);
    if (a) {
        g_free(key);
        return accsim_record(a);
    }
    g_auto(GStrv) sets = g_strsplit(set, " ", -1);
    struct accsim_options o = accsim_options_default();
    o.arch = f->cells[ARCH];
    o.net = f->cells[NET];
    o.batch = g_ascii_strtoll(f->cells[BATCH], NULL, 10);
    o.set = *set ? (const char *const *)sets : NULL;
    o.mode = ACCSIM_TIMING;
    a = accsim_new(&o, error);
    if (!a || !accsim_run(a, error)) {
        accsim_free(a);
        g_free(key);
        return NULL;
    }
    g_hash_table_insert(v->runs, key, a);
    return accsim_record(a);
}

static bool simulate(struct validation *v, struct figure *f, GError **error)
{
    const struct record *r = run_of(v, f, f->cells[SET], error);
    const struct record *plain = r ? run_of(v, f, "", error) : NULL;
    if (!plain)
        return false;
    if (!validate_quantity(f->cells[QUANTITY], r, plain, &f->simulated))
        return error_set(error, ERROR_INPUT, "%s: there is no quantity '%s' of %s on %s", v->file,
                         f->cells[QUANTITY], f->cells[NET], f->cells[ARCH]);
    f->pass = (!f->has_low || f->simulated >= f->low) && (!f->has_high || f->simulated <= f->high);
    const bool is_judged = f->has_low || f->has_high;
    v->n_judged += is_judged;
    v->n_failed += is_judged && !f->pass;
    return true;
}

static const char *verdict(const struct figure *f)
{
    if (!f->has_low && !f->has_high)
        return "told";
    return f->pass ? "ok" : "FAILED";
}

static char *text_of(bool has, double x, const char *format)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    return has ? g_strdup(g_ascii_formatd(text, sizeof text, format, x)) : g_strdup("");
}

/* In words, which a narrow column can be broken between: "stall: weight stall". */
static char *words_of(const char *quantity)
{
    g_auto(GStrv) parts = g_strsplit(quantity, ":", -1);
    char *words = g_strjoinv(": ", parts);
    return g_strdelimit(words, "_", ' ');
}

static char *allowed_of(const struct figure *f)
{
    g_autofree char *low = text_of(f->has_low, f->low, "%g");
    g_autofree char *high = text_of(f->has_high, f->high, "%g");
    if (!f->has_low)
        return f->has_high ? g_strdup_printf("<= %s", high) : g_strdup("");
    return f->has_high ? g_strdup_printf("%s..%s", low, high) : g_strdup_printf(">= %s", low);
}

static void add_text(const struct figure *f, struct table *t)
{
    char **c = f->cells;
    g_autofree char *what = *c[SET] ? g_strdup_printf("%s, %s", c[NET], c[SET]) : g_strdup(c[NET]);
    g_autofree char *published = text_of(f->has_value, f->value, "%.1f");
    g_autofree char *simulated = text_of(true, f->simulated, "%.2f");
    g_autofree char *error = text_of(f->has_value, f->simulated - f->value, "%+.2f");
    g_autofree char *quantity = words_of(c[QUANTITY]), *allowed = allowed_of(f);
    table_row(t, c[ARCH], what, quantity, published, simulated, error, c[UNIT], allowed,
              verdict(f));
}

static json_t *figure_json(const struct figure *f)
{
    json_t *item = json_object();
    json_put_text(item, "arch", f->cells[ARCH]);
    json_put_text(item, "net", f->cells[NET]);
    json_put_count(item, "batch", g_ascii_strtoull(f->cells[BATCH], NULL, 10));
    json_put_text(item, "set", *f->cells[SET] ? f->cells[SET] : NULL);
    json_put_text(item, "quantity", f->cells[QUANTITY]);
    json_put_text(item, "unit", f->cells[UNIT]);
    json_put_real(item, "simulated", f->simulated);
    if (f->has_value) {
        json_put_real(item, "published", f->value);
        json_put_real(item, "error", f->simulated - f->value);
    }
    if (f->has_low)
        json_put_real(item, "low", f->low);
    if (f->has_high)
        json_put_real(item, "high", f->high);
    if (f->has_low || f->has_high)
        json_object_set_new(item, "pass", json_boolean(f->pass));
    json_put_text(item, "source", f->cells[SOURCE]);
    return item;
}

static void add_csv(const struct figure *f, GString *csv)
{
    g_autofree char *simulated = text_of(true, f->simulated, "%.6g");
    g_autofree char *error = text_of(f->has_value, f->simulated - f->value, "%.6g");
    for (int i = 0; i < N_CELL; i++) {
        csv_put(csv, f->cells[i]);
        g_string_append_c(csv, ',');
    }
    g_string_append_printf(csv, "%s,%s,%s\n", simulated, error, verdict(f));
}

static bool validate_family(struct validation *v, struct table *t, GString *csv, json_t *items,
                            GError **error)
{
    if (!read_figures(v, error))
        return false;
    for (guint i = 0; i < v->figures->len; i++) {
        struct figure *f = &g_array_index(v->figures, struct figure, i);
        if (!simulate(v, f, error))
            return false;
        add_text(f, t);
        add_csv(f, csv);
        json_array_append_new(items, figure_json(f));
    }
    return true;
}

/* Where a family's figures are: in the working directory, beside its machines, or installed in one
 * folder with all. NULL: nowhere. */
static char *find_figures(const char *family)
{
    g_auto(GStrv) dirs = accsim_arch_dirs();
    g_autofree char *installed = g_strdup_printf("%s-reference.csv", family);
    if (g_file_test(installed, G_FILE_TEST_IS_REGULAR))
        return g_strdup(installed);
    for (int i = 0; dirs[i]; i++) {
        g_autofree char *folder = g_path_get_basename(dirs[i]);
        char *path = g_build_filename(
            dirs[i], strcmp(folder, family) == 0 ? "reference.csv" : installed, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
            return path;
        g_free(path);
    }
    return NULL;
}

static void free_run(gpointer a)
{
    accsim_free(a);
}

/* Writes what was found, whether it passes or not. */
static bool write_all(const struct options *o, struct table *t, GString *csv, json_t *items,
                      int n_judged, int n_failed, GError **error)
{
    json_t *doc = emit_doc("accsim-validate/1");
    json_object_set_new(doc, "figures", items);
    json_put_count(doc, "judged", (uint64_t)n_judged);
    json_put_count(doc, "failed", (uint64_t)n_failed);
    GString *text = g_string_new(NULL);
    table_print(t, text);
    g_string_append_printf(text, "\n%d figures judged, %d outside of what is allowed\n", n_judged,
                           n_failed);
    char *rows = g_string_free(csv, FALSE);
    const bool ok = !o->csv || emit_text(o->csv, g_strdup(rows), error);
    g_free(rows);
    if (ok)
        return emit(o, text, doc, error);
    g_string_free(text, TRUE);
    json_decref(doc);
    return false;
}

bool cmd_validate(const struct options *o, GError **error)
{
    const char *asked = o->words[0];
    struct table *t =
        table_new("lllrrrlll", (const char *const[]){"machine", "network", "quantity", "published",
                                                     "simulated", "error", "", "allowed", ""});
    GString *csv = g_string_new(NULL);
    json_t *items = json_array();
    for (int i = 0; heads[i]; i++)
        g_string_append_printf(csv, "%s,", heads[i]);
    g_string_append(csv, "simulated,error,verdict\n");
    int n_judged = 0, n_failed = 0, n_family = 0;
    bool ok = true;
    for (int i = 0; ok && i < accsim_n_family(); i++) {
        const char *family = accsim_family_name(i);
        g_autofree char *file = asked && strcmp(asked, family) ? NULL : find_figures(family);
        if (!file)
            continue;
        n_family++;
        struct validation v = {.family = family, .file = file};
        v.figures = g_array_new(FALSE, FALSE, sizeof(struct figure));
        g_array_set_clear_func(v.figures, clear_figure);
        v.runs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_run);
        ok = validate_family(&v, t, csv, items, error);
        n_judged += v.n_judged;
        n_failed += v.n_failed;
        g_hash_table_destroy(v.runs);
        g_array_free(v.figures, TRUE);
    }
    if (ok && n_family == 0)
        ok = error_set(error, ERROR_INPUT,
                       "there are no published figures of family '%s' ('accsim list families')",
                       asked ? asked : "any");
    if (!ok) {
        GString *unused = g_string_new(NULL);
        table_print(t, unused);
        g_string_free(unused, TRUE);
        g_string_free(csv, TRUE);
        json_decref(items);
        return false;
    }
    if (!write_all(o, t, csv, items, n_judged, n_failed, error))
        return false;
    return n_failed == 0 ||
           error_set(error, ERROR_CHECK, "%d of %d figures are outside of what is allowed",
                     n_failed, n_judged);
}
