/* SPDX-License-Identifier: Apache-2.0 */
/* Output files: nothing half-written, nothing lost.
 *
 * A regular file is written beside itself and renamed when all of it is there; links are
 * followed; devices and pipes are written directly; "-" is standard output, and so is the file
 * that standard output was sent to. A program that writes outputs ignores SIGPIPE, so that a
 * closed pipe is an error like a full disk. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes `size` bytes to `path` by these rules; ERROR_OUTPUT names the path and the reason. */
bool out_write(const char *path, const void *data, size_t size, GError **error);

/* Whether both name one file, that is there or not yet: the second would replace the first.
 * Devices, pipes and the file behind standard output are never the same: they take both. */
bool out_is_same(const char *a, const char *b);

/* Whether `path` could be written: its directory exists and is writable, it is no directory.
 * Called before a long run, so that the run is not lost. */
bool out_probe(const char *path, GError **error);
