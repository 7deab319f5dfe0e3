/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a file from front to back: plain, gzip (found by its content), or a member of a zip
 * archive. Private to workloads/data/. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;

/* `member` NULL: the file itself, which must be a regular one. NULL on error, which names both. */
struct stream *stream_open(const char *path, const char *member, GError **error);
void stream_close(struct stream *s); /* NULL is ignored */

/* "x.npz: member 'y.npy'"; for messages. */
const char *stream_name(const struct stream *s);
bool stream_is_packed(const struct stream *s);

/* Whether the content can be `size_bytes` long, told without reading it: exactly where the length
 * is known, else by what deflate can pack. */
bool stream_check_size(const struct stream *s, uint64_t size_bytes, GError **error);

/* Up to `size` bytes; fewer at the end alone. */
bool stream_read(struct stream *s, void *out, size_t size, size_t *got, GError **error);
/* All of them; takes a struct stream, so that it serves npy_header_take(). */
bool stream_take(void *stream, void *out, size_t size, GError **error);

/* The rest, which must be `size_bytes` long, in a temporary file without a name; -1 on error. */
int stream_unpack(struct stream *s, uint64_t size_bytes, GError **error);
