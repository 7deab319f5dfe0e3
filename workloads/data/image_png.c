/* SPDX-License-Identifier: Apache-2.0 */
/* PNG through libpng's simplified interface, which catches its own errors: no jump crosses this
 * code. Transparent pixels are laid on black; 16 bits become 8. */
#include <png.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/data/image.h"

static const uint8_t magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static bool read_png(FILE *file, int channels, struct image *image, GError **error)
{
    static const png_color black = {0, 0, 0};
    png_image png = {.version = PNG_IMAGE_VERSION};
    bool ok = png_image_begin_read_from_stdio(&png, file) != 0;
    if (!ok)
        error_set(error, ERROR_INPUT, "bad PNG: %s", png.message);
    ok = ok && image_alloc(image, png.height, png.width, channels, error);
    image->channels = png.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
    if (ok && channels) {
        image->channels = channels;
        png.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
        ok = png_image_finish_read(&png, &black, image->pixels, 0, NULL) != 0 ||
             error_set(error, ERROR_INPUT, "bad PNG: %s", png.message);
    }
    png_image_free(&png);
    return ok;
}

const struct image_decoder image_png = {"PNG", sizeof(magic), magic, read_png};
