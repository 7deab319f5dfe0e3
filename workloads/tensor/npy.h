/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy files: .npy (versions 1 and 2, C order, little endian: i1 i2 i4 i8 u1 u2 u4 u8
 * f2 f4 f8 b1) and .npz (a zip of them, stored or deflated).
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "workloads/tensor/tensor.h"

/* A set of named tensors. Values are `struct tensor *`, owned by the table. */
GHashTable *npy_table_new(void);

/* Reads x.npy (one tensor, named by the file's base name without its ending) or x.npz. NULL on
 * error, which names the file and the member. Sizes are checked against the file before anything
 * is allocated. */
GHashTable *npy_read(const char *file, GError **error);

/* Writes n >= 1 tensors as .npz, in the order of `names` (all different), without dates, so that
 * equal contents give equal bytes; by the rules of sim/base/out.h. The archive is built in memory.
 * bf16 is written as fp32. ERROR_OUTPUT on failure, ERROR_LIMIT without memory. */
bool npy_write_npz(const char *file, const char *const *names, const struct tensor *const *tensors,
                   int n, GError **error);
