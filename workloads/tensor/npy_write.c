/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/tensor/npy.h"

#include <zip.h>

#include "sim/base/arena.h"
#include "sim/base/error.h"
#include "sim/base/out.h"
#include "workloads/tensor/npy_header.h"

/* 1 January 1980, the first date that a zip file can hold. */
#define DOS_TIME 0
#define DOS_DATE (1 << 5 | 1)

static bool zip_failed(const char *file, zip_error_t *reason, GError **error)
{
    const bool no_memory = zip_error_code_zip(reason) == ZIP_ER_MEMORY;
    return error_set(error, no_memory ? ERROR_LIMIT : ERROR_OUTPUT, "%s: cannot be packed: %s",
                     file, zip_error_strerror(reason));
}

/* What NumPy can hold of t: itself, or bf16 as fp32. New data live in the arena. */
static bool numpy_tensor(const struct tensor *t, struct tensor *out, struct arena *a,
                         GError **error)
{
    *out = *t;
    if (t->type != NUMBER_bf16)
        return true;
    out->type = NUMBER_fp32;
    out->data = arena_try_alloc(a, tensor_bytes(out));
    if (!out->data)
        return error_set(error, ERROR_LIMIT, "no memory for a tensor of %zu bytes",
                         tensor_bytes(out));
    number_convert(out->data, out->type, t->data, t->type, (size_t)shape_count(&t->shape));
    return true;
}

/* Adds one member. libzip reads its bytes when the archive is closed: until then the arena and t
 * hold them. */
static bool add_member(zip_t *archive, struct arena *a, const char *name, const struct tensor *t,
                       GError **error)
{
    struct tensor array;
    if (!numpy_tensor(t, &array, a, error))
        return false;
    GString *header = npy_header_format(array.type, &array.shape);
    const size_t header_bytes = header->len;
    zip_buffer_fragment_t parts[] = {
        {arena_own(a, g_string_free(header, FALSE), g_free), header_bytes},
        {array.data, tensor_bytes(&array)},
    };
    zip_source_t *source = zip_source_buffer_fragment(archive, parts, G_N_ELEMENTS(parts), 0);
    const char *member = arena_printf(a, "%s.npy", name);
    const zip_int64_t i = source ? zip_file_add(archive, member, source, ZIP_FL_ENC_UTF_8) : -1;
    if (i < 0)
        zip_source_free(source);
    return (i >= 0 && zip_set_file_compression(archive, (zip_uint64_t)i, ZIP_CM_STORE, 0) == 0 &&
            zip_file_set_dostime(archive, (zip_uint64_t)i, DOS_TIME, DOS_DATE, 0) == 0) ||
           zip_failed(name, zip_get_error(archive), error);
}

/* Fills `memory`, which libzip writes to as to a file. */
static bool pack(zip_source_t *memory, const char *file, struct arena *a, const char *const *names,
                 const struct tensor *const *tensors, int n, GError **error)
{
    zip_error_t reason;
    zip_error_init(&reason);
    zip_source_keep(memory); /* zip_close() gives up a reference */
    zip_t *archive = zip_open_from_source(memory, ZIP_CREATE | ZIP_TRUNCATE, &reason);
    if (!archive) {
        zip_source_free(memory);
        zip_failed(file, &reason, error);
        zip_error_fini(&reason);
        return false;
    }
    zip_error_fini(&reason);
    for (int i = 0; i < n; i++) {
        if (!add_member(archive, a, names[i], tensors[i], error)) {
            g_prefix_error(error, "%s: ", file);
            zip_discard(archive);
            return false;
        }
    }
    if (zip_close(archive) != 0) {
        zip_failed(file, zip_get_error(archive), error);
        zip_discard(archive);
        return false;
    }
    return true;
}

/* Writes the archive in `memory` to the file. */
static bool unload(zip_source_t *memory, const char *file, GError **error)
{
    zip_stat_t st;
    if (zip_source_stat(memory, &st) != 0 || zip_source_open(memory) != 0)
        return zip_failed(file, zip_source_error(memory), error);
    void *bytes = g_try_malloc(st.size);
    bool ok =
        bytes || error_set(error, ERROR_LIMIT, "%s: no memory for %" G_GUINT64_FORMAT " bytes",
                           file, (guint64)st.size);
    ok = ok && (zip_source_read(memory, bytes, st.size) == (zip_int64_t)st.size ||
                zip_failed(file, zip_source_error(memory), error));
    ok = ok && out_write(file, bytes, st.size, error);
    g_free(bytes);
    zip_source_close(memory);
    return ok;
}

bool npy_write_npz(const char *file, const char *const *names, const struct tensor *const *tensors,
                   int n, GError **error)
{
    g_assert(n >= 1); /* libzip writes no empty archive */
    zip_error_t reason;
    zip_error_init(&reason);
    zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, &reason);
    bool ok = memory || zip_failed(file, &reason, error);
    zip_error_fini(&reason);
    struct arena *a = arena_new();
    ok = ok && pack(memory, file, a, names, tensors, n, error) && unload(memory, file, error);
    arena_free(a);
    zip_source_free(memory);
    return ok;
}
