/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/out.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/error.h"

enum {
    MAX_LINKS = 40, /* Linux's own limit on a path */
    MODE_BITS = 07777,
    PIPE_PATIENCE_MS = 10000,
    PIPE_RETRY_MS = 20,
};

static bool fail(const char *path, int reason, GError **error)
{
    return error_set(error, ERROR_OUTPUT, "cannot write '%s': %s", path, g_strerror(reason));
}

/* 0, or the errno of the write that failed. A closed pipe is EPIPE: see out.h on SIGPIPE. */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Data may be refused as late as at close, by a quota or a network file system. */
static int write_and_close(int fd, const char *data, size_t size)
{
    int reason = write_all(fd, data, size);
    if (close(fd) != 0 && !reason && errno != EINTR)
        reason = errno;
    return reason;
}

static bool is_fifo(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static bool write_stdout(const void *data, size_t size, GError **error)
{
    errno = 0;
    if ((size > 0 && fwrite(data, 1, size, stdout) != size) || fflush(stdout) != 0)
        return fail("standard output", errno ? errno : EIO, error);
    return true;
}

/* A pipe that nobody reads is given some time: its reader may be on its way. */
static int open_device(const char *path)
{
    int fd = -1;
    for (int ms = 0; ms < PIPE_PATIENCE_MS; ms += PIPE_RETRY_MS) {
        fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (fd >= 0 || errno != ENXIO || !is_fifo(path))
            break;
        g_usleep(PIPE_RETRY_MS * 1000);
    }
    if (fd >= 0)
        fcntl(fd, F_SETFL, 0); /* from now on a write waits */
    return fd;
}

static bool write_device(const char *path, const void *data, size_t size, GError **error)
{
    int fd = open_device(path);
    if (fd < 0 && errno == ENXIO && is_fifo(path))
        return error_set(error, ERROR_OUTPUT, "cannot write '%s': nobody read this pipe for %d s",
                         path, PIPE_PATIENCE_MS / 1000);
    if (fd < 0)
        return fail(path, errno, error);
    int reason = write_and_close(fd, data, size);
    return reason ? fail(path, reason, error) : true;
}

/* What a new file at `path` would really be: links that lead nowhere yet are followed too, so
 * that a link is not replaced by a file. NULL with errno where it cannot be told. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (real) {
        char *copy = g_strdup(real); /* one allocator for the callers */
        free(real);
        return copy;
    }
    g_autofree char *at = g_strdup(path);
    for (int i = 0; i < MAX_LINKS; i++) {
        if (!g_file_test(at, G_FILE_TEST_IS_SYMLINK))
            return g_steal_pointer(&at);
        g_autofree char *link = g_file_read_link(at, NULL);
        g_autofree char *dir = g_path_get_dirname(at);
        if (!link)
            break;
        g_free(at);
        at = g_path_is_absolute(link) ? g_strdup(link) : g_build_filename(dir, link, NULL);
    }
    errno = ELOOP;
    return NULL;
}

/* Whether `path` is a regular file that standard output was sent to ("/dev/stdout", or the name
 * given to the shell). Renaming over it would lose what was printed there. */
static bool is_stdout(const struct stat *path)
{
    struct stat own;
    return fstat(STDOUT_FILENO, &own) == 0 && own.st_dev == path->st_dev &&
           own.st_ino == path->st_ino;
}

/* Opens a temporary file beside `target` and gives its name. -1 with errno. */
static int open_beside(const char *target, char **temporary)
{
    g_autofree char *dir = g_path_get_dirname(target);
    *temporary = g_build_filename(dir, ".accsim-XXXXXX", NULL);
    return g_mkstemp_full(*temporary, O_WRONLY | O_CLOEXEC, 0666);
}

/* Writes a temporary file in the target's directory and renames it. `old` is the file that is
 * replaced, whose mode is kept, or NULL. */
static bool replace(const char *path, const char *target, const struct stat *old, const void *data,
                    size_t size, GError **error)
{
    if (old && access(target, W_OK) != 0) /* rename would not ask */
        return fail(path, errno, error);
    g_autofree char *temporary = NULL;
    int fd = open_beside(target, &temporary);
    if (fd < 0)
        return fail(path, errno, error);
    int reason = 0;
    if (old && fchmod(fd, old->st_mode & MODE_BITS) != 0)
        reason = errno;
    int write_reason = write_and_close(fd, data, size);
    if (!reason)
        reason = write_reason;
    if (!reason && rename(temporary, target) != 0)
        reason = errno;
    if (!reason)
        return true;
    g_unlink(temporary);
    return fail(path, reason, error);
}

bool out_write(const char *path, const void *data, size_t size, GError **error)
{
    if (strcmp(path, "-") == 0)
        return write_stdout(data, size, error);
    struct stat old;
    bool exists = stat(path, &old) == 0;
    if (!exists && errno != ENOENT)
        return fail(path, errno, error);
    if (exists && S_ISDIR(old.st_mode))
        return fail(path, EISDIR, error);
    if (exists && S_ISREG(old.st_mode) && is_stdout(&old))
        return write_stdout(data, size, error);
    if (exists && !S_ISREG(old.st_mode))
        return write_device(path, data, size, error);
    g_autofree char *target = resolve(path);
    if (!target)
        return fail(path, errno, error);
    return replace(path, target, exists ? &old : NULL, data, size, error);
}

bool out_is_same(const char *a, const char *b)
{
    struct stat at_a, at_b;
    bool has_a = stat(a, &at_a) == 0, has_b = stat(b, &at_b) == 0;
    if (has_a != has_b)
        return false;
    if (has_a)
        return S_ISREG(at_a.st_mode) && !is_stdout(&at_a) && at_a.st_dev == at_b.st_dev &&
               at_a.st_ino == at_b.st_ino;
    g_autofree char *target_a = resolve(a), *target_b = resolve(b);
    if (!target_a || !target_b)
        return false;
    g_autofree char *name_a = g_path_get_basename(target_a), *dir_a = g_path_get_dirname(target_a);
    g_autofree char *name_b = g_path_get_basename(target_b), *dir_b = g_path_get_dirname(target_b);
    bool has_dirs = stat(dir_a, &at_a) == 0 && stat(dir_b, &at_b) == 0;
    return has_dirs && at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino &&
           strcmp(name_a, name_b) == 0;
}

bool out_probe(const char *path, GError **error)
{
    if (strcmp(path, "-") == 0)
        return true;
    if (!*path)
        return error_set(error, ERROR_OUTPUT, "an output was given an empty name");
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (!exists && errno != ENOENT)
        return fail(path, errno, error);
    if (exists && S_ISDIR(st.st_mode))
        return fail(path, EISDIR, error);
    if (exists && access(path, W_OK) != 0)
        return fail(path, errno, error);
    if (exists && (!S_ISREG(st.st_mode) || is_stdout(&st)))
        return true;
    g_autofree char *target = resolve(path);
    if (!target)
        return fail(path, errno, error);
    g_autofree char *dir = g_path_get_dirname(target);
    if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
        return error_set(error, ERROR_OUTPUT, "cannot write '%s': there is no directory '%s'", path,
                         dir);
    g_autofree char *temporary = NULL;
    int fd = open_beside(target, &temporary); /* access() would say yes to root in /proc */
    if (fd < 0)
        return fail(path, errno, error);
    close(fd);
    g_unlink(temporary);
    return true;
}
