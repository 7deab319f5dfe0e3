/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a value that is moved or computed in one go: some images, and of each of them some
 * rows, columns and channels. NHWC, as machines store it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mapper/dims.h"

struct region {
    int64_t image, n_image, row, n_row, col, n_col, channel, n_channel;
};

/* Bytes from an image, a row and a pixel to the next, where a region lies. Channels of a pixel lie
 * side by side. */
struct pitch {
    int64_t image, row, pixel;
};

struct region region_whole(const struct dims *d);
int64_t region_elements(const struct region *r);
/* Whether it has all rows, columns and channels of its images. */
bool region_has_images(const struct region *r, const struct dims *d);
/* Of a region that lies by itself, one of elements of size_bytes; of region_whole() the value's. */
struct pitch region_pitch(const struct region *r, int64_t size_bytes);
/* Bytes before a region in what lies with this pitch from image, row, column and channel 0 on; and
 * from its first byte to the end of its last. */
int64_t region_begin(const struct region *r, const struct pitch *pitch, int64_t size_bytes);
size_t region_extent(const struct region *r, const struct pitch *pitch, int64_t size_bytes);
/* Its elements from where they lie one way to where they lie another. */
void region_copy(const struct region *r, int64_t size_bytes, void *to, const struct pitch *to_pitch,
                 const void *from, const struct pitch *from_pitch);
