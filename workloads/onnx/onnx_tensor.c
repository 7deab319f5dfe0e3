/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors of a model. Their numbers lie in raw bytes, in lists by format, or in a file beside. */
#include <stdlib.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/onnx/import.h"
#include "workloads/onnx/wire.h"

#define T(name) ONNX__TENSOR_PROTO__DATA_TYPE__##name

bool onnx_number(int32_t data_type, enum number *out)
{
    static const struct {
        int32_t theirs;
        enum number ours;
    } rows[] = {
        {T(FLOAT), NUMBER_fp32},    {T(DOUBLE), NUMBER_fp64},   {T(FLOAT16), NUMBER_fp16},
        {T(BFLOAT16), NUMBER_bf16}, {T(INT8), NUMBER_int8},     {T(INT16), NUMBER_int16},
        {T(INT32), NUMBER_int32},   {T(INT64), NUMBER_int64},   {T(UINT8), NUMBER_uint8},
        {T(UINT16), NUMBER_uint16}, {T(UINT32), NUMBER_uint32}, {T(UINT64), NUMBER_uint64},
        {T(BOOL), NUMBER_bool},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].theirs == data_type) {
            *out = rows[i].ours;
            return true;
        }
    return false;
}

static const char *name_of(const Onnx__TensorProto *t)
{
    return t->name && t->name[0] ? t->name : "(constant)";
}

/* The list that holds the elements of a format, its length and the size of one of its entries. */
static const void *typed_list(const Onnx__TensorProto *t, size_t *n, size_t *entry_bytes)
{
    switch (t->data_type) {
    case T(FLOAT):
        *n = t->n_float_data, *entry_bytes = sizeof(float);
        return t->float_data;
    case T(DOUBLE):
        *n = t->n_double_data, *entry_bytes = sizeof(double);
        return t->double_data;
    case T(INT64):
        *n = t->n_int64_data, *entry_bytes = sizeof(int64_t);
        return t->int64_data;
    case T(UINT32):
    case T(UINT64):
        *n = t->n_uint64_data, *entry_bytes = sizeof(uint64_t);
        return t->uint64_data;
    default: /* the narrow formats, one to an entry of 32 bits */
        *n = t->n_int32_data, *entry_bytes = sizeof(int32_t);
        return t->int32_data;
    }
}

/* Entries are wider than the elements of narrow formats, whose bytes are the lower ones. */
static GBytes *bytes_of_list(const Onnx__TensorProto *t, enum number type, size_t count,
                             const char *file, GError **error)
{
    size_t n, entry, size = number_bytes(type);
    const char *list = typed_list(t, &n, &entry);
    if (n != count) {
        error_set(error, ERROR_INPUT, "%s: tensor '%s' has %zu elements, its shape needs %zu", file,
                  name_of(t), n, count);
        return NULL;
    }
    char *data = g_try_malloc_n(MAX(count, 1), size);
    if (!data) {
        error_set(error, ERROR_LIMIT, "%s: no memory for tensor '%s'", file, name_of(t));
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(data + i * size, list + i * entry, size);
    return g_bytes_new_take(data, count * size);
}

static GBytes *bytes_of_raw(const Onnx__TensorProto *t, size_t size, const char *file,
                            GError **error)
{
    const size_t n = wire_raw_bytes(&t->raw_data);
    if (n != size) {
        error_set(error, ERROR_INPUT, "%s: tensor '%s' has %zu bytes, its shape needs %zu", file,
                  name_of(t), n, size);
        return NULL;
    }
    GBytes *data = wire_raw_copy(&t->raw_data);
    if (!data)
        error_set(error, ERROR_LIMIT, "%s: no memory for tensor '%s'", file, name_of(t));
    return data;
}

static const char *entry_of(const Onnx__TensorProto *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++)
        if (g_strcmp0(t->external_data[i]->key, key) == 0)
            return t->external_data[i]->value;
    return NULL;
}

/* A part of a file that lies beside the model or below it. */
static GBytes *bytes_of_file(const Onnx__TensorProto *t, size_t size, const char *file,
                             GError **error)
{
    const char *location = entry_of(t, "location"), *at = entry_of(t, "offset");
    guint64 offset = 0;
    bool is_below = location && !g_path_is_absolute(location) && !strstr(location, "..");
    if (!is_below || (at && !g_ascii_string_to_unsigned(at, 10, 0, G_MAXINT64, &offset, NULL))) {
        error_set(error, ERROR_INPUT, "%s: tensor '%s' lies in no file below the model's folder",
                  file, name_of(t));
        return NULL;
    }
    g_autofree char *dir = g_path_get_dirname(file);
    g_autofree char *path = g_build_filename(dir, location, NULL);
    g_autoptr(GMappedFile) map = g_mapped_file_new(path, FALSE, NULL);
    size_t length = map ? g_mapped_file_get_length(map) : 0;
    if (!map || offset > length || size > length - offset) {
        error_set(error, ERROR_INPUT, "%s: tensor '%s': '%s' %s", file, name_of(t), path,
                  map ? "is too short" : "cannot be read");
        return NULL;
    }
    g_autoptr(GBytes) whole = g_mapped_file_get_bytes(map);
    return g_bytes_new_from_bytes(whole, offset, size);
}

bool onnx_tensor(const char *file, const Onnx__TensorProto *t, enum number *type,
                 struct shape *shape, GBytes **data, GError **error)
{
    if (!onnx_number(t->data_type, type))
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: tensor '%s' is of data type %d (text, complex or unknown)", file,
                         name_of(t), t->data_type);
    const char *why = "more than 8 dimensions";
    if (t->n_dims <= SHAPE_MAX_DIM)
        *shape = shape_make((int)t->n_dims, t->dims);
    if (t->n_dims > SHAPE_MAX_DIM || !shape_fits(shape, &why))
        return error_set(error, ERROR_INPUT, "%s: tensor '%s': %s", file, name_of(t), why);
    if (t->segment)
        return error_set(error, ERROR_UNSUPPORTED, "%s: tensor '%s' is one of several segments",
                         file, name_of(t));
    size_t count = (size_t)shape_count(shape), size = count * number_bytes(*type);
    if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        *data = bytes_of_file(t, size, file, error);
    else if (t->has_raw_data)
        *data = bytes_of_raw(t, size, file, error);
    else
        *data = bytes_of_list(t, *type, count, file, error);
    return *data != NULL;
}
