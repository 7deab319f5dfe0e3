/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of one layer, written as a shape. */
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "sim/cfg/cfg.h"
#include "workloads/net.h"

#define GEMM_PREFIX "gemm:"
#define CONV_PREFIX "conv:"
#define GEMM_FORM   "gemm:MxNxK (C[M,N] = A[M,K] B[K,N]), as in gemm:128x256x512"
#define CONV_FORM   "conv:NxCxHxWxK,RxS,stride,pad[,groups], as in conv:1x3x227x227x96,11x11,4,0"

/* n numbers of digits alone with `separator` between them; *at moves behind the last. */
static bool read_numbers(const char **at, int64_t *out, int n, char separator)
{
    for (int i = 0; i < n; i++) {
        if (i > 0 && *(*at)++ != separator)
            return false;
        guint64 value;
        const char *p = *at;
        while (g_ascii_isdigit(**at))
            (*at)++;
        g_autofree char *digits = g_strndup(p, (gsize)(*at - p));
        if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, &value, NULL))
            return false;
        out[i] = (int64_t)value;
    }
    return true;
}

static bool read_char(const char **at, char c)
{
    return *(*at)++ == c;
}

/* What is wrong with an attribute is said without the line of a file that nobody wrote. */
static bool apply_text(const char *spec, const config_t *doc, const struct op *op, void *attr,
                       struct arena *a, GError **error)
{
    GError *why = NULL;
    struct cfg *cfg = cfg_from_group(spec, config_root_setting(doc), &why);
    const struct cfg_table table = {op->fields, attr};
    bool ok = cfg && cfg_apply(cfg, &table, 1, a, &why);
    cfg_free(cfg);
    if (ok)
        return true;
    const char *line = g_str_has_prefix(why->message, spec) ? why->message + strlen(spec) : NULL;
    const char *what = line ? strstr(line, ": ") : NULL;
    error_set(error, ERROR_INPUT, "%s: %s", spec, what ? what + strlen(": ") : why->message);
    g_error_free(why);
    return false;
}

/* Attributes from text, so that the ranges and defaults are those of a .net file. */
static bool add_node(struct graph *g, const char *name, const char *op_name, const char *text,
                     const char *input, GError **error)
{
    const struct op *op = op_find(op_name);
    g_assert(op);
    config_t doc;
    config_init(&doc);
    int parsed = config_read_string(&doc, text);
    g_assert(parsed == CONFIG_TRUE);
    void *attr = arena_alloc(g->arena, op->attr_size);
    bool ok = apply_text(g->name, &doc, op, attr, g->arena, error) &&
              graph_add_node(g, name, op, attr, &input, 1, g->name, error);
    config_destroy(&doc);
    return ok;
}

static bool add_input(struct graph *g, const char *name, struct shape shape, GError **error)
{
    if (!int64_mul(&shape.dim[0], shape.dim[0], g->batch))
        return error_set(error, ERROR_INPUT, "%s: batch %" G_GINT64_FORMAT " is too large", g->name,
                         g->batch);
    if (graph_add_input_shape(g, name, &shape, error) >= 0)
        return true;
    g_prefix_error(error, "%s: ", g->name);
    return false;
}

static bool build_gemm(struct graph *g, const char *text, GError **error)
{
    int64_t mnk[3];
    if (!read_numbers(&text, mnk, 3, 'x') || *text)
        return error_set(error, ERROR_INPUT, "%s: expected " GEMM_FORM, g->name);
    g_autofree char *attr =
        g_strdup_printf("features = %" G_GINT64_FORMAT "L; bias = false;", mnk[1]);
    return add_input(g, "a", (struct shape){2, {mnk[0], mnk[2]}}, error) &&
           add_node(g, "gemm", "fc", attr, "a", error);
}

static bool read_conv(const char *text, int64_t *nchwk, int64_t *rs, int64_t *rest)
{
    rest[2] = 1;
    if (!read_numbers(&text, nchwk, 5, 'x') || !read_char(&text, ',') ||
        !read_numbers(&text, rs, 2, 'x') || !read_char(&text, ',') ||
        !read_numbers(&text, rest, 2, ','))
        return false;
    if (*text == ',') {
        text++;
        if (!read_numbers(&text, &rest[2], 1, ','))
            return false;
    }
    return *text == '\0';
}

static bool build_conv(struct graph *g, const char *text, GError **error)
{
    int64_t d[5], rs[2], rest[3];
    if (!read_conv(text, d, rs, rest))
        return error_set(error, ERROR_INPUT, "%s: expected " CONV_FORM, g->name);
    g_autofree char *attr = g_strdup_printf(
        "channels = %" G_GINT64_FORMAT "L; kernel = [%" G_GINT64_FORMAT "L, %" G_GINT64_FORMAT
        "L]; stride = %" G_GINT64_FORMAT "L; pad = %" G_GINT64_FORMAT
        "L; groups = %" G_GINT64_FORMAT "L; bias = false;",
        d[4], rs[0], rs[1], rest[0], rest[1], rest[2]);
    return add_input(g, "data", (struct shape){4, {d[0], d[1], d[2], d[3]}}, error) &&
           add_node(g, "conv", "conv2d", attr, "data", error);
}

struct graph *net_from_shape(const char *spec, int64_t batch, bool *is_shape, GError **error)
{
    bool is_gemm = g_str_has_prefix(spec, GEMM_PREFIX);
    *is_shape = is_gemm || g_str_has_prefix(spec, CONV_PREFIX);
    if (!*is_shape)
        return NULL;
    struct graph *g = graph_new(spec, NULL, batch);
    bool ok = is_gemm ? build_gemm(g, spec + strlen(GEMM_PREFIX), error)
                      : build_conv(g, spec + strlen(CONV_PREFIX), error);
    if (ok && graph_finish(g, NULL, 0, error))
        return g;
    graph_free(g);
    return NULL;
}
