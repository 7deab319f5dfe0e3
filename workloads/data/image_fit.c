/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing pictures to one size. */
#include <math.h>

#include "sim/base/error.h"
#include "workloads/data/image.h"

/* Weights of `n_tap` source positions from first[i] on for each result i of one axis. */
struct taps {
    int64_t n, n_tap;
    int64_t *first;
    float *weight; /* [n][n_tap] */
};

/* A triangle as wide as two source pixels, or two results where the image shrinks; cut at the ends
 * of the axis and scaled to the sum 1. */
static bool make_taps(struct taps *t, int64_t n_from, int64_t n, double scale, GError **error)
{
    const double reach = MAX(1, 1 / scale);
    t->n = n;
    t->n_tap = MIN((int64_t)ceil(2 * reach) + 1, n_from);
    t->first = g_try_new(int64_t, (gsize)n);
    t->weight = g_try_malloc_n((gsize)n, (gsize)t->n_tap * sizeof(float));
    if (!t->first || !t->weight)
        return error_set(error, ERROR_LIMIT, "no memory to scale an image");
    for (int64_t i = 0; i < n; i++) {
        const double middle = ((double)i + 0.5 - (double)n / 2) / scale + (double)n_from / 2 - 0.5;
        const int64_t first = (int64_t)ceil(middle - reach);
        t->first[i] = CLAMP(first, 0, n_from - t->n_tap);
        float *weight = t->weight + i * t->n_tap, sum = 0;
        for (int64_t j = 0; j < t->n_tap; j++) {
            const double distance = fabs((double)(t->first[i] + j) - middle) / reach;
            weight[j] = (float)MAX(0, 1 - distance);
            sum += weight[j];
        }
        for (int64_t j = 0; j < t->n_tap; j++)
            weight[j] /= sum;
    }
    return true;
}

static void free_taps(struct taps *t)
{
    g_free(t->first);
    g_free(t->weight);
}

/* Each row of one channel, scaled: [height][x->n]. */
static void scale_rows(const struct image *image, int64_t channel, const struct taps *x, float *out)
{
    for (int64_t row = 0; row < image->height; row++) {
        const uint8_t *from = image->pixels + row * image->width * image->channels + channel;
        for (int64_t i = 0; i < x->n; i++, out++) {
            *out = 0;
            for (int64_t j = 0; j < x->n_tap; j++)
                *out += x->weight[i * x->n_tap + j] * from[(x->first[i] + j) * image->channels];
        }
    }
}

static void scale_columns(const float *rows, int64_t width, const struct taps *y, float *out)
{
    for (int64_t i = 0; i < y->n; i++) {
        for (int64_t x = 0; x < width; x++, out++) {
            float sum = 0;
            for (int64_t j = 0; j < y->n_tap; j++)
                sum += y->weight[i * y->n_tap + j] * rows[(y->first[i] + j) * width + x];
            *out = sum / 255;
        }
    }
}

static bool fit(const struct image *image, int64_t height, int64_t width, float *out,
                GError **error)
{
    const double scale =
        MAX((double)height / (double)image->height, (double)width / (double)image->width);
    struct taps x = {0}, y = {0};
    float *rows = g_try_malloc_n((gsize)image->height, (gsize)width * sizeof(float));
    bool ok = rows || error_set(error, ERROR_LIMIT, "no memory to scale an image");
    ok = ok && make_taps(&x, image->width, width, scale, error) &&
         make_taps(&y, image->height, height, scale, error);
    for (int64_t c = 0; ok && c < image->channels; c++) {
        scale_rows(image, c, &x, rows);
        scale_columns(rows, width, &y, out + c * height * width);
    }
    g_free(rows);
    free_taps(&x);
    free_taps(&y);
    return ok;
}

bool image_fit(const struct image *image, int64_t height, int64_t width, float *out, GError **error)
{
    if (image->height != height || image->width != width)
        return fit(image, height, width, out, error);
    const int64_t area = height * width;
    for (int64_t c = 0; c < image->channels; c++)
        for (int64_t i = 0; i < area; i++)
            out[c * area + i] = (float)image->pixels[i * image->channels + c] / 255.0f;
    return true;
}
