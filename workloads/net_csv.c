/* SPDX-License-Identifier: Apache-2.0 */
/* Two forms, told apart by their header: convolutions (name, input height and width, filter height
 * and width, channels, filters, stride, perhaps a second stride) and products (name, M, N, K). The
 * input of a convolution is padded already, as SCALE-Sim has it. */
#include "workloads/net_csv.h"

#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/message.h"
#include "workloads/ops/ops.h"

#define LD             G_GINT64_FORMAT
#define MAX_FILE_BYTES (16 << 20)
#define MAX_CELL       16
#define MAX_NUMBER     (INT64_C(1) << 20)

/* Columns behind the name, in the order of the file. */
static const char *const conv_columns[] = {"IFMAP Height", "IFMAP Width",  "Filter Height",
                                           "Filter Width", "Channels",     "Num Filter",
                                           "Strides",      "Stride Width", NULL};
static const char *const gemm_columns[] = {"M", "N", "K", NULL};
enum { IN_H, IN_W, FILTER_H, FILTER_W, CHANNELS, FILTERS, STRIDE, STRIDE_W };
enum { GEMM_M, GEMM_N, GEMM_K };

struct reader {
    const char *file;
    struct graph *g;
    int line, n_layer;
    bool is_gemm;
    char *cells[MAX_CELL];
    int n_cell;
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

/* Empty cells at the end are those of a trailing comma. */
static bool split(struct reader *r, char *text)
{
    r->n_cell = 0;
    for (char *cell = text, *next; cell; cell = next) {
        next = strchr(cell, ',');
        if (next)
            *next++ = '\0';
        if (r->n_cell == MAX_CELL)
            return bad(r, "more than %d cells", MAX_CELL);
        r->cells[r->n_cell++] = g_strstrip(cell);
    }
    while (r->n_cell > 0 && r->cells[r->n_cell - 1][0] == '\0')
        r->n_cell--;
    return true;
}

/* The first row that is not empty tells the form. */
static bool read_header(struct reader *r)
{
    r->is_gemm = r->n_cell >= 4 && g_ascii_strcasecmp(r->cells[1], "M") == 0 &&
                 g_ascii_strcasecmp(r->cells[2], "N") == 0 &&
                 g_ascii_strcasecmp(r->cells[3], "K") == 0;
    g_autofree char *second = g_ascii_strdown(r->n_cell > 1 ? r->cells[1] : "", -1);
    if (r->is_gemm || (r->n_cell >= 8 && strstr(second, "height")))
        return true;
    return bad(r,
               "expected a header: 'Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter "
               "Width, Channels, Num Filter, Strides' or 'Layer, M, N, K'");
}

/* Columns of a layer's row; what is behind them may only be a dense sparsity ("1:1"). */
static bool read_row(struct reader *r, int64_t *v, int *n)
{
    const char *const *names = r->is_gemm ? gemm_columns : conv_columns;
    const int least = r->is_gemm ? 3 : 7, most = r->is_gemm ? 3 : 8;
    if (r->n_cell < 1 + least)
        return bad(r, "%d cells, expected a name and %d numbers", r->n_cell, least);
    for (*n = 0; *n < most && 1 + *n < r->n_cell; ++*n) {
        const char *cell = r->cells[1 + *n];
        guint64 value;
        if (*n >= least && strchr(cell, ':'))
            break;
        if (!g_ascii_string_to_unsigned(cell, 10, 1, MAX_NUMBER, &value, NULL))
            return bad(r, "'%s' is '%.40s', expected a whole number from 1 to %" LD, names[*n],
                       cell, MAX_NUMBER);
        v[*n] = (int64_t)value;
    }
    for (int i = 1 + *n; i < r->n_cell; i++)
        if (strcmp(r->cells[i], "1:1") != 0) {
            bad(r, "'%.40s': sparse layers are not supported", r->cells[i]);
            if (r->error)
                (*r->error)->code = ERROR_UNSUPPORTED;
            return false;
        }
    return true;
}

static bool add_layer(struct reader *r, const struct op *op, const void *attr,
                      const struct shape *shape)
{
    g_autofree char *origin = g_strdup_printf("%s:%d", r->file, r->line);
    g_autofree char *given = g_strdup(r->cells[0][0] ? r->cells[0] : op->name);
    g_autofree char *name = g_strdup(given);
    for (int i = 2; graph_has_node(r->g, name); i++) { /* names may repeat */
        g_free(name);
        name = g_strdup_printf("%s#%d", given, i);
    }
    g_autofree char *input = g_strconcat(name, ".input", NULL);
    const char *in = input;
    if (graph_add_input_shape(r->g, input, shape, r->error) < 0) {
        g_prefix_error(r->error, "%s: ", origin);
        return false;
    }
    r->n_layer++;
    return graph_add_node(r->g, name, op, attr, &in, 1, origin, r->error);
}

static bool add_conv(struct reader *r, const int64_t *v, int n)
{
    const struct conv2d_attr attr = {
        .channels = v[FILTERS],
        .kernel = {2, {v[FILTER_H], v[FILTER_W]}},
        .stride = {2, {v[STRIDE], n > STRIDE_W ? v[STRIDE_W] : v[STRIDE]}},
        .groups = 1,
    };
    const struct shape shape = {4, {r->g->batch, v[CHANNELS], v[IN_H], v[IN_W]}};
    return add_layer(r, &op_conv2d, &attr, &shape);
}

static bool add_gemm(struct reader *r, const int64_t *v)
{
    const struct fc_attr attr = {.features = v[GEMM_N], .axis = 1};
    struct shape shape = {2, {v[GEMM_M], v[GEMM_K]}};
    if (!int64_mul(&shape.dim[0], shape.dim[0], r->g->batch))
        return bad(r, "batch %" LD " is too large", r->g->batch);
    return add_layer(r, &op_fc, &attr, &shape);
}

static bool read_line(struct reader *r, char *text, bool *has_header)
{
    int64_t v[MAX_CELL];
    int n = 0;
    r->line++;
    if (!split(r, text))
        return false;
    if (r->n_cell == 0)
        return true;
    if (!*has_header) {
        *has_header = true;
        return read_header(r);
    }
    return read_row(r, v, &n) && (r->is_gemm ? add_gemm(r, v) : add_conv(r, v, n));
}

static bool read_text(struct reader *r, char *text)
{
    bool has_header = false;
    char *next;
    for (char *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!read_line(r, line, &has_header))
            return false;
    }
    if (r->n_layer == 0)
        return error_set(r->error, ERROR_INPUT, "%s: no layers", r->file);
    return graph_finish(r->g, NULL, 0, r->error);
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

struct graph *net_csv_read(const char *file, const struct net_options *options, GError **error)
{
    g_autofree char *text = load(file, error);
    if (!text)
        return NULL;
    g_autofree char *name = g_path_get_basename(file);
    if (g_str_has_suffix(name, ".csv"))
        name[strlen(name) - strlen(".csv")] = '\0';
    struct reader r = {.file = file, .g = graph_new(name, file, options->batch), .error = error};
    r.g->source = "a topology file of SCALE-Sim: each layer by itself";
    if (read_text(&r, text))
        return r.g;
    graph_free(r.g);
    return NULL;
}
