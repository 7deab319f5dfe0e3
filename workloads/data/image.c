/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/image.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/base/error.h"

static const struct image_decoder *const decoders[] = {&image_png, &image_jpeg};

bool image_alloc(struct image *image, uint64_t height, uint64_t width, int channels, GError **error)
{
    if (height < 1 || width < 1 || height > IMAGE_MAX_SIDE || width > IMAGE_MAX_SIDE ||
        (int64_t)(height * width) > IMAGE_MAX_PIXEL)
        return error_set(error, ERROR_INPUT,
                         "%" PRIu64 " x %" PRIu64 " pixels; at most %d a side and %" PRId64
                         " in all are supported",
                         width, height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXEL);
    image->height = (int64_t)height;
    image->width = (int64_t)width;
    if (channels == 0)
        return true;
    image->channels = channels;
    image->pixels = g_try_malloc((gsize)(height * width) * (gsize)channels);
    return image->pixels ||
           error_set(error, ERROR_LIMIT, "no memory for %" PRIu64 " x %" PRIu64 " pixels", width,
                     height);
}

void image_clear(struct image *image)
{
    g_free(image->pixels);
    image->pixels = NULL;
}

static const struct image_decoder *find_decoder(FILE *file)
{
    uint8_t start[8];
    const size_t n = fread(start, 1, sizeof(start), file);
    rewind(file);
    for (size_t i = 0; i < G_N_ELEMENTS(decoders); i++)
        if (n >= (size_t)decoders[i]->n_magic &&
            memcmp(start, decoders[i]->magic, (size_t)decoders[i]->n_magic) == 0)
            return decoders[i];
    return NULL;
}

bool image_read(const char *path, int channels, struct image *image, GError **error)
{
    *image = (struct image){0};
    GStatBuf st;
    const bool found = g_stat(path, &st) == 0;
    if (found && !S_ISREG(st.st_mode)) /* opening a pipe would wait */
        return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
    FILE *file = found ? g_fopen(path, "rbe") : NULL;
    if (!file)
        return error_set(error, ERROR_INPUT, "%s: %s", path, g_strerror(errno));
    const struct image_decoder *decoder = find_decoder(file);
    bool ok = decoder || error_set(error, ERROR_INPUT, "neither PNG nor JPEG");
    ok = ok && decoder->read(file, channels, image, error);
    fclose(file);
    if (ok)
        return true;
    image_clear(image);
    g_prefix_error(error, "%s: ", path);
    return false;
}
