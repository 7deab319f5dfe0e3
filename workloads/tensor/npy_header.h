/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy array, private to npy_read.c and npy_write.c: eight bytes of magic and
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

/* The whole header, magic included, padded so that the data begin at a multiple of 64 bytes. There
 * is no bf16 in NumPy. */
GString *npy_header_format(enum number type, const struct shape *shape);
