/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/column.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <unistd.h>

#include "sim/base/error.h"

size_t column_record_bytes(const struct column *c)
{
    return (size_t)c->count * number_bytes(c->type);
}

bool column_check(struct column *c, const struct stream *s, const char *path, const char *member,
                  GError **error)
{
    c->fd = -1;
    c->path = g_strdup(path);
    c->member = g_strdup(member);
    if (!c->stride_bytes)
        c->stride_bytes = (int64_t)column_record_bytes(c);
    if (!c->size_bytes)
        c->size_bytes = c->offset_bytes + c->n * c->stride_bytes;
    return stream_check_size(s, (uint64_t)c->size_bytes, error);
}

static bool open_column(struct column *c, GError **error)
{
    struct stream *s = stream_open(c->path, c->member, error);
    if (!s)
        return false;
    if (stream_is_packed(s)) {
        c->fd = stream_unpack(s, (uint64_t)c->size_bytes, error);
    } else if (stream_check_size(s, (uint64_t)c->size_bytes, error)) {
        c->fd = g_open(c->path, O_RDONLY | O_CLOEXEC, 0);
        if (c->fd < 0)
            error_set(error, ERROR_INPUT, "%s: %s", c->path, g_strerror(errno));
    }
    stream_close(s);
    return c->fd >= 0;
}

bool column_read(struct column *c, int64_t i, void *raw, GError **error)
{
    g_assert(i >= 0 && i < c->n);
    if (c->fd < 0 && !open_column(c, error))
        return false;
    const size_t size = column_record_bytes(c);
    const off_t from = c->offset_bytes + i * c->stride_bytes;
    for (size_t got = 0; got < size;) {
        const ssize_t n = pread(c->fd, (char *)raw + got, size - got, from + (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set(error, ERROR_INPUT, "%s: record %" PRId64 ": %s", c->path, i,
                             n < 0 ? g_strerror(errno) : "the file became shorter");
        got += (size_t)n;
    }
    return true;
}

void column_clear(struct column *c)
{
    if (c->path && c->fd >= 0)
        close(c->fd);
    g_free(c->path);
    g_free(c->member);
    *c = (struct column){.fd = -1};
}
