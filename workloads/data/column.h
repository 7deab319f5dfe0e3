/* SPDX-License-Identifier: Apache-2.0 */
/* Records of equal size in a file, read by number. Private to workloads/data/. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/data/stream.h"
#include "workloads/tensor/number.h"

struct column {
    char *path, *member; /* member NULL: the file itself */
    enum number type;
    int64_t count;        /* numbers of a record */
    int64_t n;            /* records */
    int64_t offset_bytes; /* of record 0 in the content */
    int64_t stride_bytes; /* from one record to the next; 0 is set to what a record takes */
    int64_t size_bytes;   /* of the content; 0 is set to where the last record ends */
    int fd;               /* -1: not opened yet */
};

/* Checks the length of the content, whose stream has been read up to offset_bytes or less, against
 * the records. The caller has filled in all but path, member, fd; dimensions are such that the
 * sizes fit (shape_check()). */
bool column_check(struct column *c, const struct stream *s, const char *path, const char *member,
                  GError **error);
/* Record i as it lies in the file; the first call unpacks what is packed. */
bool column_read(struct column *c, int64_t i, void *raw, GError **error);
void column_clear(struct column *c);

size_t column_record_bytes(const struct column *c);
