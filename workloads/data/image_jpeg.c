/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG through libjpeg, whose errors come back by a jump. What it warns of is let pass, but for a
 * file that ends too early. */
#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

#include "sim/base/error.h"
#include "workloads/data/image.h"

/* A progressive file may describe the same pixels again and again; cameras and encoders make about
 * ten scans. */
enum { MAX_SCAN = 100 };

static const uint8_t magic[] = {0xff, 0xd8, 0xff};

struct decoding {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
};

static void fail(j_common_ptr jpeg)
{
    struct decoding *d = jpeg->client_data;
    jpeg->err->format_message(jpeg, d->message);
    longjmp(d->back, 1);
}

static void fail_if_cut_short(j_common_ptr jpeg, int level)
{
    if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF)
        fail(jpeg);
}

static void fail_after_many_scans(j_common_ptr jpeg)
{
    struct decoding *d = jpeg->client_data;
    if (d->jpeg.input_scan_number > MAX_SCAN) {
        g_strlcpy(d->message, "too many scans", sizeof(d->message));
        longjmp(d->back, 1);
    }
}

/* False: *error is set, or d->message after a jump. */
static bool decode(struct decoding *d, FILE *file, int channels, struct image *image,
                   GError **error)
{
    jpeg_create_decompress(&d->jpeg);
    d->jpeg.progress = &d->progress;
    jpeg_stdio_src(&d->jpeg, file);
    jpeg_read_header(&d->jpeg, TRUE);
    if (!image_alloc(image, d->jpeg.image_height, d->jpeg.image_width, channels, error))
        return false;
    image->channels = d->jpeg.num_components == 1 ? 1 : 3;
    if (channels == 0)
        return true;
    image->channels = channels;
    d->jpeg.out_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    d->jpeg.dct_method = JDCT_ISLOW; /* the exact one */
    jpeg_start_decompress(&d->jpeg);
    const size_t row_bytes = (size_t)image->width * (size_t)channels;
    while (d->jpeg.output_scanline < d->jpeg.output_height) {
        JSAMPROW row = image->pixels + d->jpeg.output_scanline * row_bytes;
        jpeg_read_scanlines(&d->jpeg, &row, 1);
    }
    jpeg_finish_decompress(&d->jpeg);
    return true;
}

static bool read_jpeg(FILE *file, int channels, struct image *image, GError **error)
{
    /* Not on the stack: what changes between setjmp() and the jump keeps its value. */
    struct decoding *d = g_new0(struct decoding, 1);
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = fail;
    d->errors.emit_message = fail_if_cut_short;
    d->progress.progress_monitor = fail_after_many_scans;
    d->jpeg.client_data = d;
    bool ok = false;
    if (setjmp(d->back) == 0) {
        ok = decode(d, file, channels, image, error);
    } else {
        error_set(error, ERROR_INPUT, "bad JPEG: %s", d->message);
    }
    jpeg_destroy_decompress(&d->jpeg);
    g_free(d);
    return ok;
}

const struct image_decoder image_jpeg = {"JPEG", sizeof(magic), magic, read_jpeg};
