/* SPDX-License-Identifier: Apache-2.0 */
/* Picture files as bytes. Private to workloads/data/. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { IMAGE_MAX_SIDE = 16384 };
#define IMAGE_MAX_PIXEL (INT64_C(1) << 26) /* 64 million; a decoded picture is at most 192 MiB */

struct image {
    int64_t height, width, channels; /* channels: 1 grey, 3 red, green, blue */
    uint8_t *pixels;                 /* [height][width][channels]; NULL: only the size was read */
};

/* What a decoder is: reads the size; where `channels` is not 0 also the pixels, as so many
 * channels. The error says what is wrong; the caller names the file. */
struct image_decoder {
    const char *name;
    int n_magic;
    const uint8_t *magic; /* what a file begins with */
    bool (*read)(FILE *file, int channels, struct image *image, GError **error);
};
extern const struct image_decoder image_png, image_jpeg;

/* Reads a PNG or JPEG, told by its content; channels 0: the size alone. */
bool image_read(const char *path, int channels, struct image *image, GError **error);
void image_clear(struct image *image);

/* Checks a size that a header gives, and allocates the pixels where channels is not 0; for
 * decoders. */
bool image_alloc(struct image *image, uint64_t height, uint64_t width, int channels,
                 GError **error);

/* The image as height x width numbers a channel, one channel after the other, in [0, 1]. One of
 * another size is scaled to cover this one, then the middle is cut out. Scaling is bilinear, over
 * as many pixels as become one where it shrinks. ERROR_LIMIT without memory. */
bool image_fit(const struct image *image, int64_t height, int64_t width, float *out,
               GError **error);
