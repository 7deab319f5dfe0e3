/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy array, for what reads or writes arrays itself: eight bytes of magic and
 * version, a little-endian length (2 bytes in version 1, 4 in version 2), then a Python dictionary
 * with exactly the keys descr, fortran_order and shape, padded with white space. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "workloads/tensor/tensor.h"

#define NPY_MAGIC          "\x93NUMPY"
#define NPY_MAGIC_BYTES    6
#define NPY_MAX_DICT_BYTES 65535 /* a shape of 8 dimensions needs 200 */

struct npy_header {
    enum number type;
    struct shape shape;
};

/* Parses the dictionary of `size` bytes. ERROR_INPUT says what was expected and at which byte; the
 * caller prefixes the file. */
bool npy_header_parse(const char *text, size_t size, struct npy_header *h, GError **error);

/* Takes `size` bytes from a source of the caller's; false with *error where there are fewer. */
typedef bool (*npy_take_fn)(void *from, void *out, size_t size, GError **error);
/* Takes a whole header, magic included; *header_bytes is its length, where the data begin. */
bool npy_header_take(npy_take_fn take, void *from, struct npy_header *h, size_t *header_bytes,
                     GError **error);

/* The whole header, magic included, padded so that the data begin at a multiple of 64 bytes. There
 * is no bf16 in NumPy. */
GString *npy_header_format(enum number type, const struct shape *shape);
