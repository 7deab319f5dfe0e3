/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/stream.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include "sim/base/error.h"

enum {
    /* The longest match, 258 bytes, in 2 bits: deflate packs no tighter. */
    DEFLATE_MAX_RATIO = 1032,
    CHUNK_BYTES = 1 << 16,
};

struct stream {
    char *name;
    gzFile gz; /* reads plain files as they are */
    zip_t *archive;
    zip_file_t *member;
    bool is_packed;
    uint64_t stored_bytes; /* in the file */
    uint64_t size_bytes;   /* unpacked; UINT64_MAX: not known */
};

static bool open_file(struct stream *s, const char *path, GError **error)
{
    GStatBuf st;
    if (g_stat(path, &st) != 0)
        return error_set(error, ERROR_INPUT, "%s: %s", path, g_strerror(errno));
    if (!S_ISREG(st.st_mode)) /* opening a pipe would wait */
        return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
    s->gz = gzopen(path, "rb");
    if (!s->gz)
        return error_set(error, ERROR_INPUT, "%s: %s", path,
                         errno ? g_strerror(errno) : "no memory");
    s->is_packed = !gzdirect(s->gz);
    s->stored_bytes = (uint64_t)st.st_size;
    s->size_bytes = s->is_packed ? UINT64_MAX : s->stored_bytes;
    return true;
}

static bool open_member(struct stream *s, const char *path, const char *member, GError **error)
{
    int code;
    s->archive = zip_open(path, ZIP_RDONLY, &code);
    if (!s->archive) {
        zip_error_t reason;
        zip_error_init_with_code(&reason, code);
        error_set(error, ERROR_INPUT, "%s: %s", path, zip_error_strerror(&reason));
        zip_error_fini(&reason);
        return false;
    }
    zip_stat_t st;
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if (zip_stat(s->archive, member, 0, &st) != 0 || (st.valid & need) != need)
        return error_set(error, ERROR_INPUT, "%s: %s", s->name, zip_strerror(s->archive));
    s->member = zip_fopen(s->archive, member, 0);
    if (!s->member)
        return error_set(error, ERROR_INPUT, "%s: %s", s->name, zip_strerror(s->archive));
    s->is_packed = true; /* the place of a stored one is not told by the library */
    s->stored_bytes = st.comp_size;
    s->size_bytes = st.size;
    return true;
}

struct stream *stream_open(const char *path, const char *member, GError **error)
{
    struct stream *s = g_new0(struct stream, 1);
    s->name = member ? g_strdup_printf("%s: member '%s'", path, member) : g_strdup(path);
    errno = 0;
    if (member ? open_member(s, path, member, error) : open_file(s, path, error))
        return s;
    stream_close(s);
    return NULL;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->gz)
        gzclose_r(s->gz);
    if (s->member)
        zip_fclose(s->member);
    if (s->archive)
        zip_discard(s->archive);
    g_free(s->name);
    g_free(s);
}

const char *stream_name(const struct stream *s)
{
    return s->name;
}

bool stream_is_packed(const struct stream *s)
{
    return s->is_packed;
}

bool stream_check_size(const struct stream *s, uint64_t size_bytes, GError **error)
{
    if (s->size_bytes != UINT64_MAX && s->size_bytes != size_bytes)
        return error_set(error, ERROR_INPUT,
                         "%s: the header describes %" PRIu64 " bytes, but there are %" PRIu64,
                         s->name, size_bytes, s->size_bytes);
    if (s->is_packed && size_bytes / DEFLATE_MAX_RATIO > s->stored_bytes)
        return error_set(error, ERROR_INPUT,
                         "%s: the header describes %" PRIu64 " bytes, which cannot be packed into "
                         "%" PRIu64,
                         s->name, size_bytes, s->stored_bytes);
    return true;
}

/* Bytes read, 0 at the end; -1 with *why. */
static int64_t read_some(struct stream *s, void *out, size_t size, const char **why)
{
    if (s->member) {
        const zip_int64_t n = zip_fread(s->member, out, size);
        *why = n < 0 ? zip_file_strerror(s->member) : NULL;
        return n;
    }
    const int n = gzread(s->gz, out, (unsigned)size);
    int code = Z_OK;
    const char *message = gzerror(s->gz, &code);
    if (n > 0 && code == Z_BUF_ERROR)
        return n; /* the next call tells of the end that came too early */
    if (code == Z_OK || code == Z_STREAM_END)
        return n;
    *why = code == Z_BUF_ERROR ? "the file is cut short" : message;
    return -1;
}

bool stream_read(struct stream *s, void *out, size_t size, size_t *got, GError **error)
{
    *got = 0;
    while (*got < size) {
        const char *why = NULL;
        const int64_t n = read_some(s, (char *)out + *got, MIN(size - *got, (size_t)1 << 30), &why);
        if (n < 0)
            return error_set(error, ERROR_INPUT, "%s: %s", s->name, why);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

bool stream_take(void *stream, void *out, size_t size, GError **error)
{
    struct stream *s = stream;
    size_t got;
    if (!stream_read(s, out, size, &got, error))
        return false;
    return got == size || error_set(error, ERROR_INPUT, "%s: the file is cut short", s->name);
}

static bool write_all(int fd, const char *data, size_t size, const char *name, GError **error)
{
    while (size > 0) {
        const ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(error, ERROR_OUTPUT, "%s: cannot unpack it into %s: %s", name,
                             g_get_tmp_dir(), g_strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool copy_rest(struct stream *s, int fd, uint64_t size_bytes, GError **error)
{
    g_autofree char *chunk = g_malloc(CHUNK_BYTES);
    uint64_t done = 0;
    for (size_t got = 1; got > 0; done += got) {
        if (!stream_read(s, chunk, CHUNK_BYTES, &got, error))
            return false;
        if (got > size_bytes - done)
            return error_set(error, ERROR_INPUT, "%s: bytes follow the data", s->name);
        if (!write_all(fd, chunk, got, s->name, error))
            return false;
    }
    return done == size_bytes ||
           error_set(error, ERROR_INPUT, "%s: the file is cut short", s->name);
}

int stream_unpack(struct stream *s, uint64_t size_bytes, GError **error)
{
    g_autofree char *path = NULL;
    GError *reason = NULL;
    const int fd = g_file_open_tmp("accsim-XXXXXX", &path, &reason);
    if (fd < 0) {
        error_set(error, ERROR_OUTPUT, "%s: cannot unpack it: %s", s->name, reason->message);
        g_error_free(reason);
        return -1;
    }
    g_unlink(path);
    if (copy_rest(s, fd, size_bytes, error))
        return fd;
    close(fd);
    return -1;
}
