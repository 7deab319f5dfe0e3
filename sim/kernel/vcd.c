/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memmem */
#include "sim/kernel/vcd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/base/error.h"
#include "sim/base/out.h"

static const char header[] = "$version\n accsim\n$end\n\n";
static const char end_comment[] = "$comment\n" VCD_END "\n$end\n";

/* The file is as large as the waveform, so it lies on the target's disk; a device has none. */
static char *temporary_dir(const char *target)
{
    if (strcmp(target, "-") == 0 ||
        (g_file_test(target, G_FILE_TEST_EXISTS) && !g_file_test(target, G_FILE_TEST_IS_REGULAR)))
        return g_strdup(g_get_tmp_dir());
    return g_path_get_dirname(target);
}

int vcd_create(const char *target, char **stem, GError **error)
{
    if (!out_probe(target, error))
        return -1;
    g_autofree char *dir = temporary_dir(target);
    g_autofree char *path = g_build_filename(dir, ".accsim-XXXXXX.vcd", NULL);
    int fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(error, ERROR_OUTPUT, "cannot write a temporary file in '%s': %s", dir,
                  g_strerror(errno));
        return -1;
    }
    *stem = g_strndup(path, strlen(path) - strlen(".vcd"));
    return fd;
}

void vcd_unlink(const char *stem)
{
    g_autofree char *path = g_strconcat(stem, ".vcd", NULL);
    unlink(path);
}

/* Puts the dateless header and the closing time in place of SystemC's, both of which are longer,
 * in the private copy `text`. NULL when SystemC could not write all of it. */
static char *normalise(char *text, size_t size, uint64_t end_ps, size_t *new_size)
{
    char *begin = memmem(text, size, "$timescale", strlen("$timescale"));
    size_t tail = MIN(size, (size_t)256);
    char *end = memmem(text + size - tail, tail, end_comment, strlen(end_comment));
    if (!begin || !end || (size_t)(begin - text) < strlen(header))
        return NULL;
    begin -= strlen(header);
    memcpy(begin, header, strlen(header));
    int n_stamp = snprintf(end, strlen(end_comment), "#%" PRIu64 "\n", end_ps);
    *new_size = (size_t)(end - begin) + (size_t)n_stamp;
    return begin;
}

bool vcd_deliver(int fd, const char *target, uint64_t end_ps, GError **error)
{
    GError *cause = NULL;
    GMappedFile *file = g_mapped_file_new_from_fd(fd, TRUE, &cause);
    close(fd);
    if (!file) {
        error_set(error, ERROR_OUTPUT, "cannot write '%s': %s", target, cause->message);
        g_error_free(cause);
        return false;
    }
    size_t size = g_mapped_file_get_length(file), new_size = 0;
    char *text = g_mapped_file_get_contents(file);
    text = text ? normalise(text, size, end_ps, &new_size) : NULL;
    bool ok = text ? out_write(target, text, new_size, error)
                   : error_set(error, ERROR_OUTPUT,
                               "cannot write '%s': the waveform is incomplete, is the disk full?",
                               target);
    g_mapped_file_unref(file);
    return ok;
}
