/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/tensor/npy.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

#include "sim/base/error.h"
#include "workloads/tensor/npy_header.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data are read as they lie in the file");

/* The longest match, 258 bytes, in 2 bits: deflate packs no tighter. */
#define DEFLATE_MAX_RATIO 1032

/* The bytes of one array: a file, or a member of an archive. */
struct source {
    FILE *file;
    zip_file_t *member;
    uint64_t size_bytes;
};

static void free_tensor(gpointer p)
{
    tensor_clear(p);
    g_free(p);
}

GHashTable *npy_table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_tensor);
}

/* Up to `size` bytes; fewer at the end alone. */
static bool source_read(struct source *s, void *out, size_t size, size_t *got, GError **error)
{
    *got = 0;
    if (s->file) {
        *got = fread(out, 1, size, s->file);
        return !ferror(s->file) || error_set(error, ERROR_INPUT, "%s", g_strerror(errno));
    }
    while (*got < size) {
        const zip_int64_t n = zip_fread(s->member, (char *)out + *got, size - *got);
        if (n < 0)
            return error_set(error, ERROR_INPUT, "%s", zip_file_strerror(s->member));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

/* npy_take_fn of a struct source. */
static bool source_read_all(void *from, void *out, size_t size, GError **error)
{
    struct source *s = from;
    size_t got;
    if (!source_read(s, out, size, &got, error))
        return false;
    return got == size || error_set(error, ERROR_INPUT, "the array is cut short");
}

/* Reading to the very end is also what makes libzip compare the checksum. */
static bool source_at_end(struct source *s, GError **error)
{
    char byte;
    size_t got;
    if (!source_read(s, &byte, 1, &got, error))
        return false;
    return got == 0 || error_set(error, ERROR_INPUT, "bytes follow the array");
}

/* The array of a source as t. The source must have the size that the header asks for before
 * anything is allocated. */
static bool read_tensor(struct source *s, struct tensor *t, GError **error)
{
    struct npy_header h;
    size_t header_bytes = 0;
    if (!npy_header_take(source_read_all, s, &h, &header_bytes, error))
        return false;
    const uint64_t data_bytes =
        (uint64_t)shape_count(&h.shape) * number_bytes(h.type); /* <= 2^43 */
    if (header_bytes + data_bytes != s->size_bytes)
        return error_set(error, ERROR_INPUT,
                         "the header describes %" PRIu64 " bytes, but there are %" PRIu64,
                         header_bytes + data_bytes, s->size_bytes);
    if (!tensor_alloc(t, h.type, &h.shape, error))
        return false;
    if (!source_read_all(s, t->data, (size_t)data_bytes, error) || !source_at_end(s, error)) {
        tensor_clear(t);
        return false;
    }
    return true;
}

/* Adds the array of a source; "conv1.weight.npy" is named conv1.weight. */
static bool add_tensor(GHashTable *table, const char *file_name, struct source *s, GError **error)
{
    char *name = g_strdup(file_name);
    if (g_str_has_suffix(name, ".npy"))
        name[strlen(name) - strlen(".npy")] = '\0';
    struct tensor *t = g_new0(struct tensor, 1);
    bool ok = !g_hash_table_contains(table, name) ||
              error_set(error, ERROR_INPUT, "there are two arrays of this name");
    ok = ok && read_tensor(s, t, error);
    if (ok) {
        g_hash_table_insert(table, name, t);
    } else {
        g_free(name);
        free_tensor(t);
    }
    return ok;
}

static bool read_npy(GHashTable *table, const char *file, FILE *f, uint64_t size_bytes,
                     GError **error)
{
    struct source s = {.file = f, .size_bytes = size_bytes};
    char *base = g_path_get_basename(file);
    const bool ok = add_tensor(table, base, &s, error);
    g_free(base);
    if (!ok)
        g_prefix_error(error, "%s: ", file);
    return ok;
}

/* Whether a member's sizes can be true. `left_bytes` of the file are not claimed by earlier
 * members: so many members cannot share the same compressed bytes, and what is allocated for an
 * archive is bounded by its own size. */
static bool check_member(const zip_stat_t *st, uint64_t *left_bytes, GError **error)
{
    const zip_uint64_t need = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                              ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((st->valid & need) != need)
        return error_set(error, ERROR_INPUT, "its directory entry is incomplete");
    if (!g_str_has_suffix(st->name, ".npy"))
        return error_set(error, ERROR_INPUT, "its name does not end in .npy");
    if (st->encryption_method != ZIP_EM_NONE)
        return error_set(error, ERROR_INPUT, "it is encrypted");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return error_set(error, ERROR_INPUT, "compression method %d; known are stored and deflated",
                         (int)st->comp_method);
    const uint64_t ratio = st->comp_method == ZIP_CM_STORE ? 1 : DEFLATE_MAX_RATIO;
    if (st->comp_size > *left_bytes || st->size / ratio > st->comp_size)
        return error_set(error, ERROR_INPUT,
                         "a size of %" PRIu64 " bytes, packed into %" PRIu64
                         ", is impossible in this file",
                         (uint64_t)st->size, (uint64_t)st->comp_size);
    *left_bytes -= st->comp_size;
    return true;
}

static bool read_member(GHashTable *table, const char *file, zip_t *archive, zip_uint64_t i,
                        uint64_t *left_bytes, GError **error)
{
    zip_stat_t st;
    if (zip_stat_index(archive, i, 0, &st) != 0)
        return error_set(error, ERROR_INPUT, "%s: member %" PRIu64 ": %s", file, (uint64_t)i,
                         zip_strerror(archive));
    bool ok = check_member(&st, left_bytes, error);
    if (ok) {
        struct source s = {.member = zip_fopen_index(archive, i, 0), .size_bytes = st.size};
        ok = s.member ? add_tensor(table, st.name, &s, error)
                      : error_set(error, ERROR_INPUT, "%s", zip_strerror(archive));
        if (s.member)
            zip_fclose(s.member);
    }
    if (!ok) {
        char *printable = g_strdup(st.valid & ZIP_STAT_NAME ? st.name : "?");
        for (char *c = printable; *c; c++)
            *c = g_ascii_iscntrl(*c) ? '?' : *c;
        g_prefix_error(error, "%s: member '%s': ", file, printable);
        g_free(printable);
    }
    return ok;
}

static bool read_npz(GHashTable *table, const char *file, uint64_t size_bytes, GError **error)
{
    int code;
    zip_t *archive = zip_open(file, ZIP_RDONLY, &code);
    if (!archive) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, code);
        error_set(error, ERROR_INPUT, "%s: %s", file, zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return false;
    }
    const zip_int64_t n = zip_get_num_entries(archive, 0);
    bool ok = true;
    for (zip_int64_t i = 0; i < n && ok; i++)
        ok = read_member(table, file, archive, (zip_uint64_t)i, &size_bytes, error);
    zip_discard(archive);
    return ok;
}

GHashTable *npy_read(const char *file, GError **error)
{
    GStatBuf st;
    const bool found = g_stat(file, &st) == 0;
    if (found && !S_ISREG(st.st_mode)) { /* opening a pipe would wait */
        error_set(error, ERROR_INPUT, "%s: not a regular file", file);
        return NULL;
    }
    FILE *f = found ? g_fopen(file, "rb") : NULL;
    if (!f) {
        error_set(error, ERROR_INPUT, "%s: %s", file, g_strerror(errno));
        return NULL;
    }
    /* The content tells, so that a wrong ending does no harm. */
    char start[2] = "";
    const bool is_zip = fread(start, 1, 2, f) == 2 && memcmp(start, "PK", 2) == 0;
    rewind(f);
    GHashTable *table = npy_table_new();
    const uint64_t size_bytes = (uint64_t)st.st_size;
    if (!(is_zip ? read_npz(table, file, size_bytes, error)
                 : read_npy(table, file, f, size_bytes, error)))
        g_clear_pointer(&table, g_hash_table_destroy);
    fclose(f);
    return table;
}
