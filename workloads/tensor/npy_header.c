/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/tensor/npy_header.h"

#include <inttypes.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"

static const struct {
    const char *descr;
    enum number type;
} types[] = {
    {"|i1", NUMBER_int8},   {"<i2", NUMBER_int16},  {"<i4", NUMBER_int32},  {"<i8", NUMBER_int64},
    {"|u1", NUMBER_uint8},  {"<u2", NUMBER_uint16}, {"<u4", NUMBER_uint32}, {"<u8", NUMBER_uint64},
    {"<f2", NUMBER_fp16},   {"<f4", NUMBER_fp32},   {"<f8", NUMBER_fp64},   {"|b1", NUMBER_bool},
    {"<i2", NUMBER_flex16}, /* written so; what is read is int16, the first of the name */
};

struct cursor {
    const char *start, *at, *end;
};

static bool expected(const struct cursor *c, const char *what, GError **error)
{
    return error_set(error, ERROR_INPUT, "bad header: %s expected at byte %td of the dictionary",
                     what, c->at - c->start);
}

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && memchr(" \t\r\n", *c->at, 4))
        c->at++;
}

/* Takes `word` if it comes next, after white space. */
static bool accept(struct cursor *c, const char *word)
{
    skip_space(c);
    const size_t n = strlen(word);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A string literal of printable characters without escapes; `size` counts the final NUL. */
static bool take_string(struct cursor *c, char *out, size_t size, GError **error)
{
    const char quote = accept(c, "'") ? '\'' : accept(c, "\"") ? '"' : 0;
    if (!quote)
        return expected(c, "a string", error);
    size_t n = 0;
    while (c->at < c->end && *c->at != quote) {
        if (!g_ascii_isprint(*c->at) || *c->at == '\\' || n + 1 == size)
            return expected(c, "a short plain string", error);
        out[n++] = *c->at++;
    }
    out[n] = '\0';
    return accept(c, quote == '"' ? "\"" : "'") || expected(c, "the end of the string", error);
}

static bool take_dim(struct cursor *c, int64_t *out, GError **error)
{
    skip_space(c);
    if (c->at == c->end || !g_ascii_isdigit(*c->at))
        return expected(c, "a dimension", error);
    for (*out = 0; c->at < c->end && g_ascii_isdigit(*c->at); c->at++) {
        if (!int64_mul(out, *out, 10) || !int64_add(out, *out, *c->at - '0'))
            return expected(c, "a dimension below 2^63", error);
    }
    return true;
}

static bool parse_descr(struct cursor *c, struct npy_header *h, GError **error)
{
    char descr[32];
    if (accept(c, "["))
        return error_set(error, ERROR_INPUT, "arrays with fields are not supported");
    if (!take_string(c, descr, sizeof(descr), error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(descr, types[i].descr) == 0) {
            h->type = types[i].type;
            return true;
        }
    }
    if (descr[0] == '>')
        return error_set(error, ERROR_INPUT,
                         "type '%s' is big-endian; save it as x.astype('<%s') instead", descr,
                         descr + 1);
    return error_set(error, ERROR_INPUT,
                     "type '%s' is not supported; known are int8, int16, int32, uint8, float16, "
                     "float32 and float64",
                     descr);
}

static bool parse_fortran_order(struct cursor *c, struct npy_header *h, GError **error)
{
    (void)h;
    if (accept(c, "True"))
        return error_set(error, ERROR_INPUT,
                         "the array is in Fortran order; save numpy.ascontiguousarray(x) instead");
    return accept(c, "False") || expected(c, "True or False", error);
}

/* (), (3,), (3, 4) and (3, 4,), but not (3), which is no tuple in Python. */
static bool parse_shape(struct cursor *c, struct npy_header *h, GError **error)
{
    if (!accept(c, "("))
        return expected(c, "a tuple", error);
    bool comma = true;
    int n = 0;
    while (!accept(c, ")")) {
        if (!comma)
            return expected(c, "',' or ')'", error);
        if (n == SHAPE_MAX_DIM)
            return expected(c, "no more than " G_STRINGIFY(SHAPE_MAX_DIM) " dimensions", error);
        if (!take_dim(c, &h->shape.dim[n++], error))
            return false;
        comma = accept(c, ",");
    }
    h->shape.n_dim = n;
    if (n == 1 && !comma)
        return expected(c, "a tuple: (n,)", error);
    const char *why;
    return shape_check(&h->shape, &why) ||
           error_set(error, ERROR_INPUT, "the shape is not supported: %s", why);
}

static const struct {
    const char *key;
    bool (*parse)(struct cursor *c, struct npy_header *h, GError **error);
} keys[] = {
    {"descr", parse_descr},
    {"fortran_order", parse_fortran_order},
    {"shape", parse_shape},
};

/* One "key: value" whose key is not in *seen yet. */
static bool parse_item(struct cursor *c, struct npy_header *h, unsigned *seen, GError **error)
{
    char name[32];
    if (!take_string(c, name, sizeof(name), error))
        return false;
    if (!accept(c, ":"))
        return expected(c, "':'", error);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(name, keys[i].key) != 0)
            continue;
        if (*seen & 1u << i)
            return error_set(error, ERROR_INPUT, "bad header: '%s' is given twice", name);
        *seen |= 1u << i;
        return keys[i].parse(c, h, error);
    }
    return error_set(error, ERROR_INPUT, "bad header: unknown key '%s'", name);
}

bool npy_header_parse(const char *text, size_t size, struct npy_header *h, GError **error)
{
    *h = (struct npy_header){0};
    if (size == 0)
        return error_set(error, ERROR_INPUT, "bad header: the dictionary is empty");
    struct cursor c = {text, text, text + size};
    if (!accept(&c, "{"))
        return expected(&c, "'{'", error);
    unsigned seen = 0;
    for (bool comma = true; !accept(&c, "}"); comma = accept(&c, ",")) {
        if (!comma)
            return expected(&c, "',' or '}'", error);
        if (!parse_item(&c, h, &seen, error))
            return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!(seen & 1u << i))
            return error_set(error, ERROR_INPUT, "bad header: '%s' is missing", keys[i].key);
    }
    skip_space(&c);
    return c.at == c.end || expected(&c, "nothing but white space", error);
}

bool npy_header_take(npy_take_fn take, void *from, struct npy_header *h, size_t *header_bytes,
                     GError **error)
{
    uint8_t start[NPY_MAGIC_BYTES + 2], length[4] = {0};
    if (!take(from, start, sizeof(start), error))
        return false;
    if (memcmp(start, NPY_MAGIC, NPY_MAGIC_BYTES) != 0)
        return error_set(error, ERROR_INPUT, "not an array in .npy format");
    const int version = start[NPY_MAGIC_BYTES];
    if (version != 1 && version != 2)
        return error_set(error, ERROR_INPUT, "version %d of the .npy format; known are 1 and 2",
                         version);
    const size_t length_bytes = version == 1 ? 2 : 4;
    if (!take(from, length, length_bytes, error))
        return false;
    const uint32_t dict_bytes = length[0] | (uint32_t)length[1] << 8 | (uint32_t)length[2] << 16 |
                                (uint32_t)length[3] << 24;
    if (dict_bytes > NPY_MAX_DICT_BYTES)
        return error_set(error, ERROR_INPUT, "bad header: %" PRIu32 " bytes long, at most %d",
                         dict_bytes, NPY_MAX_DICT_BYTES);
    char *dict = g_malloc(dict_bytes);
    const bool ok =
        take(from, dict, dict_bytes, error) && npy_header_parse(dict, dict_bytes, h, error);
    g_free(dict);
    *header_bytes = sizeof(start) + length_bytes + dict_bytes;
    return ok;
}

GString *npy_header_format(enum number type, const struct shape *shape)
{
    size_t row = 0;
    while (types[row].type != type) {
        row++;
        g_assert(row < G_N_ELEMENTS(types));
    }
    GString *s = g_string_new(NULL);
    g_string_append_len(s, NPY_MAGIC "\x01\x00\x00\x00", NPY_MAGIC_BYTES + 4);
    g_string_append_printf(s, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                           types[row].descr);
    for (int i = 0; i < shape->n_dim; i++)
        g_string_append_printf(s, "%s%" PRId64, i ? ", " : "", shape->dim[i]);
    g_string_append(s, shape->n_dim == 1 ? ",), }" : "), }");
    while (s->len % 64 != 63)
        g_string_append_c(s, ' ');
    g_string_append_c(s, '\n');
    const size_t dict_bytes = s->len - (NPY_MAGIC_BYTES + 4);
    s->str[NPY_MAGIC_BYTES + 2] = (char)(dict_bytes & 0xff);
    s->str[NPY_MAGIC_BYTES + 3] = (char)(dict_bytes >> 8);
    return s;
}
