/* SPDX-License-Identifier: Apache-2.0 */
/* Two forms, told apart by the columns that their header names, in any order: convolutions, whose
 * input is padded already, as SCALE-Sim has it, and products (M, N, K). */
#include "workloads/net_csv.h"

#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/message.h"
#include "workloads/ops/ops.h"

#define LD             G_GINT64_FORMAT
#define MAX_FILE_BYTES (16 << 20)
#define MAX_NUMBER     INT64_C(0x7fffffff)

enum { MAX_CELL = 64 };

/* A column's heading, and how else it is written: small letters and digits alone. */
enum column {
    IN_H,
    IN_W,
    FILTER_H,
    FILTER_W,
    CHANNELS,
    FILTERS,
    STRIDE,
    STRIDE_W,
    GEMM_M,
    GEMM_N,
    GEMM_K,
    BATCH,
    SPARSITY,
    NAME,
    N_COLUMN
};
static const struct {
    const char *heading, *spellings;
} columns[N_COLUMN] = {
    [IN_H] = {"IFMAP Height", " ifmapheight ifmaph inputheight "},
    [IN_W] = {"IFMAP Width", " ifmapwidth ifmapw inputwidth "},
    [FILTER_H] = {"Filter Height", " filterheight filterh kernelheight "},
    [FILTER_W] = {"Filter Width", " filterwidth filterw kernelwidth "},
    [CHANNELS] = {"Channels", " channels channel numchannels inputchannels "},
    [FILTERS] = {"Num Filter", " numfilter numfilters filters numberoffilters outputchannels "},
    [STRIDE] = {"Strides", " strides stride strideheight strideh stridesheight stridesh "},
    [STRIDE_W] = {"Stride Width", " stridewidth stridew strideswidth stridesw "},
    [GEMM_M] = {"M", " m "},
    [GEMM_N] = {"N", " n "},
    [GEMM_K] = {"K", " k "},
    [BATCH] = {"Batch Size", " batchsize batch "},
    [SPARSITY] = {"Sparsity", " sparsity sparsityratio sparsitysupport sparseratio "},
    [NAME] = {"Layer name", " layername layer name layers "},
};
/* What a row cannot do without. */
static const enum column of_conv[] = {IN_H, IN_W, FILTER_H, FILTER_W, CHANNELS, FILTERS, STRIDE};
static const enum column of_gemm[] = {GEMM_M, GEMM_N, GEMM_K};

struct row {
    int line;
    char *name;
    bool is_gemm;
    int64_t v[NAME];
};

struct reader {
    const char *file;
    int line;
    char separator;
    int at[N_COLUMN]; /* cell of a column, -1: it has none */
    int n_heading;    /* 0: there was no header yet */
    bool is_gemm;
    char *cells[MAX_CELL];
    int n_cell;
    GArray *rows;      /* struct row */
    GString *left_out; /* headings of columns that are not read */
    GError **error;
};

static bool bad(const struct reader *r, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool bad(const struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(r->error, ERROR_INPUT, "%s:%d: %s", r->file, r->line, what);
}

/* Up to a cell that begins a comment. Empty cells at the end are those of a trailing comma. */
static bool split(struct reader *r, char *text)
{
    r->n_cell = 0;
    for (char *cell = text, *next; cell; cell = next) {
        next = strchr(cell, r->separator);
        if (next)
            *next++ = '\0';
        g_strstrip(cell);
        if (cell[0] == '#')
            break;
        if (r->n_cell == MAX_CELL)
            return bad(r, "more than %d cells", MAX_CELL);
        r->cells[r->n_cell++] = cell;
    }
    while (r->n_cell > 0 && r->cells[r->n_cell - 1][0] == '\0')
        r->n_cell--;
    return true;
}

static enum column column_of(const char *heading)
{
    g_autoptr(GString) plain = g_string_new(" ");
    for (const char *c = heading; *c; c++)
        if (g_ascii_isalnum(*c))
            g_string_append_c(plain, g_ascii_tolower(*c));
    g_string_append_c(plain, ' ');
    enum column i = 0;
    while (i < N_COLUMN && (plain->len < 3 || !strstr(columns[i].spellings, plain->str)))
        i++;
    return i;
}

/* A heading of no column, where the file usually has one that is missing, is taken for it. */
static void take_by_place(const struct reader *r, int *at)
{
    size_t n_known = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(of_conv); i++)
        n_known += at[of_conv[i]] >= 0;
    for (int i = 0; i < (int)G_N_ELEMENTS(of_conv) && 2 * n_known > G_N_ELEMENTS(of_conv); i++)
        if (at[of_conv[i]] < 0 && 1 + i < r->n_cell && column_of(r->cells[1 + i]) == N_COLUMN)
            at[of_conv[i]] = 1 + i;
}

static const char *lacks(const int *at, const enum column *needed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[needed[i]] < 0)
            return columns[needed[i]].heading;
    return NULL;
}

/* Headings that are not read, for the warning. */
static void note_left_out(struct reader *r)
{
    for (int i = 0; i < r->n_cell; i++) {
        bool is_read = i == r->at[NAME] || r->cells[i][0] == '\0';
        for (enum column c = 0; c < NAME; c++)
            is_read |= r->at[c] == i && (c >= BATCH || r->is_gemm == (c >= GEMM_M));
        if (!is_read)
            g_string_append_printf(r->left_out, "%s'%.40s'", r->left_out->len ? ", " : "",
                                   r->cells[i]);
    }
}

/* Where the row's cells are headings, they hold from here on. */
static bool take_header(struct reader *r)
{
    int at[N_COLUMN];
    memset(at, -1, sizeof(at));
    for (int i = 0; i < r->n_cell; i++) {
        const enum column c = column_of(r->cells[i]);
        /* Some files say "IFMAP Width" twice, of height and width. */
        if (c == IN_W && at[IN_W] >= 0 && at[IN_H] < 0) {
            at[IN_H] = at[IN_W];
            at[IN_W] = i;
        } else if (c < N_COLUMN && at[c] < 0) {
            at[c] = i;
        }
    }
    if (at[NAME] < 0 && column_of(r->cells[0]) == N_COLUMN)
        at[NAME] = 0; /* whatever it is called */
    take_by_place(r, at);
    const char *no_gemm = lacks(at, of_gemm, G_N_ELEMENTS(of_gemm));
    const char *no_conv = lacks(at, of_conv, G_N_ELEMENTS(of_conv));
    if (no_gemm && no_conv && r->n_heading == 0 && at[IN_W] >= 0)
        return bad(r, "the header has no column '%s'", no_conv);
    if (no_gemm && no_conv)
        return false;
    r->is_gemm = !no_gemm;
    memcpy(r->at, at, sizeof(at));
    r->n_heading = r->n_cell;
    note_left_out(r);
    return true;
}

static bool read_number(const struct reader *r, enum column c, int cell, int64_t *v)
{
    guint64 value;
    const char *text = cell < r->n_cell ? r->cells[cell] : "";
    if (!g_ascii_string_to_unsigned(text, 10, 1, MAX_NUMBER, &value, NULL))
        return bad(r, "column %d, '%s', is '%.40s', expected a whole number from 1 to %" LD,
                   cell + 1, columns[c].heading, text, MAX_NUMBER);
    *v = (int64_t)value;
    return true;
}

/* "2:4": so many of so many weights are there. */
static bool check_dense(const struct reader *r, int cell)
{
    const char *text = cell < r->n_cell ? r->cells[cell] : "";
    const char *of = strchr(text, ':');
    if (!of || strtoull(text, NULL, 10) == strtoull(of + 1, NULL, 10))
        return true;
    bad(r, "column %d, '%.40s': sparse layers are not supported", cell + 1, text);
    (*r->error)->code = ERROR_UNSUPPORTED;
    return false;
}

/* Cells behind the header's columns: a stride of its own for the width, as SCALE-Sim 2 has it, and
 * a sparsity. */
static bool read_behind(struct reader *r, struct row *row)
{
    for (int i = r->n_heading; i < r->n_cell; i++) {
        guint64 value;
        const bool is_stride =
            i == r->n_heading && !r->is_gemm && r->at[STRIDE_W] < 0 &&
            g_ascii_string_to_unsigned(r->cells[i], 10, 1, MAX_NUMBER, &value, NULL);
        if (is_stride)
            row->v[STRIDE_W] = (int64_t)value;
        else if (!check_dense(r, i))
            return false;
    }
    return true;
}

static bool read_row(struct reader *r)
{
    struct row row = {.line = r->line, .is_gemm = r->is_gemm, .v = {[BATCH] = 1}};
    const int name = r->at[NAME];
    int n_filled = 0;
    for (int i = 0; i < r->n_cell; i++)
        n_filled += i != name && r->cells[i][0] != '\0';
    if (n_filled == 0)
        return true; /* the title of a section */
    for (enum column c = 0; c < SPARSITY; c++) {
        const bool is_mine = c == BATCH || r->is_gemm == (c >= GEMM_M);
        if (is_mine && r->at[c] >= 0 && !read_number(r, c, r->at[c], &row.v[c]))
            return false;
    }
    if ((r->at[SPARSITY] >= 0 && !check_dense(r, r->at[SPARSITY])) || !read_behind(r, &row))
        return false;
    row.name = g_strdup(name >= 0 && name < r->n_cell ? r->cells[name] : "");
    g_array_append_val(r->rows, row);
    return true;
}

static bool read_line(struct reader *r, char *text)
{
    r->line++;
    if (r->n_heading == 0)
        r->separator = strchr(text, ',') ? ',' : strchr(text, '\t') ? '\t' : ';';
    if (!split(r, text))
        return false;
    if (r->n_cell == 0 || take_header(r))
        return true;
    if (r->n_heading > 0)
        return read_row(r);
    if (*r->error)
        return false;
    return bad(r,
               "expected a header with the columns Layer name, IFMAP Height, IFMAP Width, Filter "
               "Height, Filter Width, Channels, Num Filter and Strides, or Layer, M, N and K");
}

static bool read_text(struct reader *r, char *text)
{
    char *next;
    for (char *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!read_line(r, line))
            return false;
    }
    return r->rows->len > 0 || error_set(r->error, ERROR_INPUT, "%s: no layers", r->file);
}

static bool add_layer(struct graph *g, const struct reader *r, const struct row *row,
                      const struct op *op, const void *attr, const struct shape *shape)
{
    g_autofree char *origin = g_strdup_printf("%s:%d", r->file, row->line);
    const char *given = row->name[0] ? row->name : op->name;
    g_autofree char *name = g_strdup(given);
    for (int i = 2; graph_has_node(g, name); i++) { /* names may repeat */
        g_free(name);
        name = g_strdup_printf("%s#%d", given, i);
    }
    g_autofree char *input = g_strconcat(name, ".input", NULL);
    const char *in = input;
    if (graph_add_input_shape(g, input, shape, r->error) < 0) {
        g_prefix_error(r->error, "%s: ", origin);
        return false;
    }
    return graph_add_node(g, name, op, attr, &in, 1, origin, r->error);
}

/* Rows whose name begins with DP are split by channel, as in SCALE-Sim 3. */
static bool add_conv(struct graph *g, const struct reader *r, const struct row *row, int64_t batch)
{
    const int64_t *v = row->v;
    const bool is_depthwise = g_str_has_prefix(row->name, "DP");
    struct conv2d_attr attr = {
        .channels = v[FILTERS],
        .kernel = {2, {v[FILTER_H], v[FILTER_W]}},
        .stride = {2, {v[STRIDE], v[STRIDE_W] ? v[STRIDE_W] : v[STRIDE]}},
        .groups = is_depthwise ? v[CHANNELS] : 1,
    };
    const struct shape shape = {4, {batch, v[CHANNELS], v[IN_H], v[IN_W]}};
    if (is_depthwise && !int64_mul(&attr.channels, v[FILTERS], v[CHANNELS]))
        return bad(r, "%" LD " filters of %" LD " channels are too many", v[FILTERS], v[CHANNELS]);
    return add_layer(g, r, row, &op_conv2d, &attr, &shape);
}

static bool add_gemm(struct graph *g, const struct reader *r, const struct row *row, int64_t batch)
{
    const struct fc_attr attr = {.features = row->v[GEMM_N], .axis = 1};
    struct shape shape = {2, {row->v[GEMM_M], row->v[GEMM_K]}};
    if (!int64_mul(&shape.dim[0], shape.dim[0], batch))
        return bad(r, "batch %" LD " is too large", batch);
    return add_layer(g, r, row, &op_fc, &attr, &shape);
}

/* The batch is what all rows have in common; a row of more images has them for each of it. */
static struct graph *build(struct reader *r, const char *name, int64_t batch)
{
    int64_t common = 0;
    for (guint i = 0; i < r->rows->len; i++)
        common = int64_gcd(g_array_index(r->rows, struct row, i).v[BATCH], common);
    int64_t whole;
    if (!int64_mul(&whole, batch, common)) {
        bad(r, "batch %" LD " of %" LD " images is too large", batch, common);
        return NULL;
    }
    struct graph *g = graph_new(name, r->file, whole);
    g->source = "a topology file of SCALE-Sim: each layer by itself";
    bool ok = true;
    for (guint i = 0; i < r->rows->len && ok; i++) {
        const struct row *row = &g_array_index(r->rows, struct row, i);
        int64_t images;
        r->line = row->line;
        ok =
            int64_mul(&images, batch, row->v[BATCH]) || bad(r, "batch %" LD " is too large", batch);
        ok = ok && (row->is_gemm ? add_gemm : add_conv)(g, r, row, images);
    }
    if (ok && r->left_out->len > 0)
        graph_warn(g, "%s: columns that are not read: %s", r->file, r->left_out->str);
    if (ok && graph_finish(g, NULL, 0, r->error))
        return g;
    graph_free(g);
    return NULL;
}

/* UTF-8 without the mark that some programs put in front. */
static char *load(const char *file, GError **error)
{
    char *text = NULL;
    gsize n;
    GError *why = NULL;
    g_autoptr(GMappedFile) map = g_mapped_file_new(file, FALSE, &why);
    if (!map) {
        error_set(error, ERROR_INPUT, "%s: %s", file, why->message);
        g_error_free(why);
        return NULL;
    }
    n = g_mapped_file_get_length(map);
    if (n > MAX_FILE_BYTES || !g_utf8_validate(g_mapped_file_get_contents(map), (gssize)n, NULL)) {
        error_set(error, ERROR_INPUT, "%s: larger than 16 MiB, or no text", file);
        return NULL;
    }
    text = g_strndup(n ? g_mapped_file_get_contents(map) : "", n);
    if (g_str_has_prefix(text, "\xef\xbb\xbf"))
        memmove(text, text + 3, strlen(text + 3) + 1);
    return text;
}

static void clear_row(void *row)
{
    g_free(((struct row *)row)->name);
}

struct graph *net_csv_read(const char *file, const struct net_options *options, GError **error)
{
    g_autofree char *text = load(file, error);
    if (!text)
        return NULL;
    g_autofree char *name = g_path_get_basename(file);
    if (g_str_has_suffix(name, ".csv"))
        name[strlen(name) - strlen(".csv")] = '\0';
    g_autoptr(GString) left_out = g_string_new(NULL);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(struct row));
    g_array_set_clear_func(rows, clear_row);
    GError *why = NULL;
    struct reader r = {.file = file, .rows = rows, .left_out = left_out, .error = &why};
    struct graph *g = read_text(&r, text) ? build(&r, name, options->batch) : NULL;
    if (!g)
        g_propagate_error(error, why);
    return g;
}
