/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of pictures. */
#include <math.h>
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include "tests/unit/data_files.h"

/* A picture whose byte at (x, y, channel) is what a pattern says. */
typedef uint8_t (*pattern_fn)(int x, int y, int c);

static uint8_t ramp(int x, int y, int c)
{
    return (uint8_t)(9 * x + 20 * y + 50 * c);
}

static uint8_t flat(int x, int y, int c)
{
    (void)x;
    (void)y;
    return (uint8_t)(60 + 40 * c);
}

static uint8_t *draw(int width, int height, int channels, pattern_fn pattern)
{
    uint8_t *pixels = g_malloc((gsize)(width * height * channels));
    for (int i = 0; i < width * height * channels; i++)
        pixels[i] = pattern(i / channels % width, i / channels / width, i % channels);
    return pixels;
}

static void write_png(const char *folder, const char *name, int width, int height, int channels,
                      pattern_fn pattern)
{
    g_autofree uint8_t *pixels = draw(width, height, channels, pattern);
    g_autofree char *path = files_path(folder, name);
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    ck_assert(png_image_write_to_file(&png, path, 0, pixels, 0, NULL));
}

static void write_jpeg(const char *folder, const char *name, int width, int height, int channels,
                       pattern_fn pattern)
{
    g_autofree uint8_t *pixels = draw(width, height, channels, pattern);
    g_autofree char *path = files_path(folder, name);
    FILE *file = fopen(path, "wb");
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct jpeg = {.err = jpeg_std_error(&errors)};
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW row = pixels + jpeg.next_scanline * (JDIMENSION)(width * channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

START_TEST(test_classes_are_subfolders_in_order_of_names)
{
    char *folder = files_folder();
    write_png(folder, "train/dog/b.png", 4, 3, 3, ramp);
    write_png(folder, "train/dog/a.PNG", 4, 3, 3, flat);
    write_png(folder, "train/cat/z.png", 4, 3, 3, flat);
    write_png(folder, "val/cat/q.png", 4, 3, 3, ramp);
    write_png(folder, "val/dog/q.png", 4, 3, 3, ramp);
    files_write(folder, "train/readme.txt", "no picture", 10);
    files_write(folder, "train/dog/notes.txt", "no picture", 10);
    struct data_set *d = files_open(folder, NULL);
    const struct data_info *info = data_describe(d);
    ck_assert_str_eq(info->format, "images");
    ck_assert_int_eq(info->n[DATA_TRAIN], 3);
    ck_assert_int_eq(info->n[DATA_TEST], 2);
    ck_assert_int_eq(info->n_class, 2);
    GError *error = NULL;
    float image[3 * 3 * 4];
    int64_t label;
    for (int64_t i = 0; i < 3; i++) { /* cat/z, dog/a, dog/b */
        ck_ok(data_read(d, DATA_TRAIN, i, image, &label, &error), error);
        ck_assert_int_eq(label, i > 0);
        for (int at = 0; at < 36; at++) {
            const int c = at / 12, y = at / 4 % 3, x = at % 4;
            ck_assert_float_eq(image[at], (float)(i == 2 ? ramp(x, y, c) : flat(x, y, c)) / 255.0f);
        }
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_png_and_jpeg_mix)
{
    char *folder = files_folder();
    write_png(folder, "a/1.png", 8, 8, 1, ramp);
    write_jpeg(folder, "a/2.jpg", 8, 8, 1, ramp);
    write_jpeg(folder, "b/3.jpeg", 8, 8, 3, flat);
    struct data_set *d = files_open(folder, NULL);
    ck_assert_int_eq(data_describe(d)->n[DATA_TRAIN], 3);
    ck_assert_int_eq(data_describe(d)->shape.dim[0], 1); /* the first one is grey */
    float from_png[64], from_jpeg[64];
    int64_t label;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TRAIN, 0, from_png, &label, &error), error);
    ck_ok(data_read(d, DATA_TRAIN, 1, from_jpeg, &label, &error), error);
    for (int i = 0; i < 64; i++) /* JPEG at its best quality rounds its cosines to integers */
        ck_assert_float_eq_tol(from_png[i], from_jpeg[i], 3.0f / 255);
    ck_ok(data_read(d, DATA_TRAIN, 2, from_jpeg, &label, &error), error);
    ck_assert_int_eq(label, 1);
    const float grey = (0.299f * 60 + 0.587f * 100 + 0.114f * 140) / 255; /* ITU-R BT.601 */
    for (int i = 0; i < 64; i++)
        ck_assert_float_eq_tol(from_jpeg[i], grey, 2.0f / 255);
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_unequal_sizes_need_one_to_be_asked_for)
{
    char *folder = files_folder();
    write_png(folder, "a/1.png", 8, 8, 3, flat);
    write_png(folder, "a/2.png", 20, 9, 3, flat);
    write_jpeg(folder, "a/3.jpg", 5, 16, 3, flat);
    float image[3 * 6 * 7];
    int64_t label;
    GError *error = NULL;
    struct data_set *d = files_open(folder, NULL);
    g_autofree float *own = g_new(float, 3 * 8 * 8);
    ck_ok(data_read(d, DATA_TRAIN, 0, own, &label, &error), error);
    ck_error(data_read(d, DATA_TRAIN, 1, own, &label, &error), error, ERROR_INPUT,
             "2.png: 20 x 9 pixels, the first image has 8 x 8");
    data_close(d);
    d = files_open(folder, &(struct data_options){.height = 6, .width = 7});
    ck_assert_int_eq(data_describe(d)->shape.dim[1], 6);
    ck_assert_int_eq(data_describe(d)->shape.dim[2], 7);
    for (int64_t i = 0; i < 3; i++) { /* what is flat stays flat, up or down */
        ck_ok(data_read(d, DATA_TRAIN, i, image, &label, &error), error);
        for (int at = 0; at < 126; at++)
            ck_assert_float_eq_tol(image[at], (float)flat(0, 0, at / 42) / 255, 2.0f / 255);
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

START_TEST(test_scaling_keeps_the_middle)
{
    char *folder = files_folder();
    write_png(folder, "a/1.png", 16, 8, 1, ramp); /* shrunk to 8 x 4, the middle 4 cut out */
    struct data_set *d =
        files_open(folder, &(struct data_options){.height = 4, .width = 4, .channels = 1});
    float image[16];
    int64_t label;
    GError *error = NULL;
    ck_ok(data_read(d, DATA_TRAIN, 0, image, &label, &error), error);
    for (int at = 0; at < 16; at++) {
        const int x = at % 4, y = at / 4;
        if (y == 0 || y == 3)
            continue; /* at the rim the triangle is cut */
        const double value = 9 * (4.5 + 2 * x) + 20 * (0.5 + 2 * y); /* of a straight ramp */
        ck_assert_double_eq_tol(image[at], value / 255, 1e-5);
    }
    data_close(d);
    files_remove(folder);
}
END_TEST

/* Cuts a file to part / 8 of its length. */
static void cut(const char *folder, const char *name, off_t part)
{
    g_autofree char *path = files_path(folder, name);
    GStatBuf st;
    ck_assert_int_eq(g_stat(path, &st), 0);
    ck_assert_int_eq(truncate(path, st.st_size * part / 8), 0);
}

START_TEST(test_broken_pictures_are_errors)
{
    static const char *const names[] = {"a/2.png", "a/3.jpg"};
    static const char *const texts[] = {"2.png: bad PNG", "3.jpg: bad JPEG"};
    g_autofree float *image = g_new(float, 3 * 32 * 32);
    for (off_t part = 1; part < 8; part++) {
        char *folder = files_folder();
        write_png(folder, "a/1.png", 32, 32, 3, ramp);
        write_png(folder, "a/2.png", 32, 32, 3, ramp);
        write_jpeg(folder, "a/3.jpg", 32, 32, 3, ramp);
        struct data_set *d = files_open(folder, NULL);
        for (int i = 0; i < 2; i++) {
            int64_t label;
            GError *error = NULL;
            cut(folder, names[i], part);
            ck_error(data_read(d, DATA_TRAIN, i + 1, image, &label, &error), error, ERROR_INPUT,
                     texts[i]);
        }
        data_close(d);
        files_remove(folder);
    }
}
END_TEST

START_TEST(test_a_huge_picture_is_refused_before_it_is_decoded)
{
    char *folder = files_folder();
    /* A PNG of 60000 x 60000 pixels that ends where its data begin. */
    uint8_t png[33 + 8] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0";
    const uint32_t crc = GUINT32_TO_BE((uint32_t)crc32(0, png + 12, 17));
    memcpy(png + 29, &crc, 4);
    memcpy(png + 33, "\0\0\1\0IDAT", 8);
    files_write(folder, "a/1.png", png, sizeof(png));
    files_refused(folder, "1.png: 60000 x 60000 pixels; at most 16384 a side");
    files_remove(folder);
}
END_TEST

START_TEST(test_what_is_no_picture_is_refused)
{
    char *folder = files_folder();
    files_write(folder, "a/1.png", "GIF89a", 6);
    files_refused(folder, "1.png: neither PNG nor JPEG");
    files_write(folder, "a/1.png", "", 0);
    files_refused(folder, "1.png: neither PNG nor JPEG");
    files_remove(folder);
}
END_TEST

START_TEST(test_splits_must_have_the_same_classes)
{
    char *folder = files_folder();
    write_png(folder, "train/a/1.png", 4, 3, 3, ramp);
    write_png(folder, "train/b/1.png", 4, 3, 3, ramp);
    write_png(folder, "test/a/1.png", 4, 3, 3, ramp);
    files_refused(folder, "its 1 classes are not the 2");
    files_remove(folder);
}
END_TEST

TEST_MAIN("data_images", test_classes_are_subfolders_in_order_of_names, test_png_and_jpeg_mix,
          test_unequal_sizes_need_one_to_be_asked_for, test_scaling_keeps_the_middle,
          test_broken_pictures_are_errors, test_a_huge_picture_is_refused_before_it_is_decoded,
          test_what_is_no_picture_is_refused, test_splits_must_have_the_same_classes)
