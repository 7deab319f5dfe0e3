/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/data/augment.h"

#include <math.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/mix.h"

#define ROW(member, kind, max_, def_, unit_, help_)                                                \
    {                                                                                              \
        .path = "augment." #member, .type = CFG_##kind,                                            \
        .offset = offsetof(struct augment_config, member), .max = max_, .def = def_,               \
        .unit = unit_, .help = help_                                                               \
    }

const struct cfg_field augment_fields[] = {
    ROW(flip, FLOAT, 1, "0.0", NULL, "probability that left and right are exchanged"),
    ROW(flip_vertical, FLOAT, 1, "0.0", NULL, "probability that top and bottom are exchanged"),
    ROW(crop_pad_px, INT, 1024, "0", "pixels",
        "a border of zeros of this width is added, then an image of the old size cut out anywhere"),
    ROW(scale, FLOAT, 0.9, "0.0", NULL, "largest part by which the image grows or shrinks"),
    ROW(rotate_deg, FLOAT, 180, "0.0", "degrees", "largest angle, either way"),
    ROW(translate, FLOAT, 1, "0.0", NULL, "largest shift, as a part of height and width"),
    ROW(elastic_alpha_px, FLOAT, 1000, "0.0", "pixels",
        "strength of elastic distortion (Simard, Steinkraus, Platt 2003, whose digits took 34)"),
    ROW(elastic_sigma_px, FLOAT, 100, "4.0", "pixels",
        "width of the Gaussian that smooths the displacements"),
    {.path = NULL},
};

/* What is drawn for an image, in this order; the position of a draw is its own for ever. */
enum draw {
    DRAW_FLIP,
    DRAW_FLIP_VERTICAL,
    DRAW_CROP_X,
    DRAW_CROP_Y,
    DRAW_SCALE,
    DRAW_ROTATE,
    DRAW_TRANSLATE_X,
    DRAW_TRANSLATE_Y,
    N_DRAW
};

struct augment {
    struct augment_config config;
    int64_t channels, height, width;
    float *copy;         /* of the image */
    float *shift, *line; /* displacements in x and y; a row or column of them */
    float *kernel;       /* half a Gaussian, from the middle on */
    int64_t radius;
};

/* Source coordinates of the pixel at (x, y) from the middle: xx * x + xy * y + x0. */
struct affine {
    double xx, xy, x0, yx, yy, y0;
};

static bool is_elastic(const struct augment *a)
{
    return a->config.elastic_alpha_px > 0;
}

/* The Gaussian is cut at 3 sigma and scaled to the sum 1. */
static bool make_kernel(struct augment *a, GError **error)
{
    const double sigma = a->config.elastic_sigma_px;
    if (!(sigma > 0))
        return error_set(error, ERROR_INPUT,
                         "augment.elastic_sigma_px must be greater than 0 where "
                         "augment.elastic_alpha_px is");
    const int64_t area = a->height * a->width;
    a->radius = (int64_t)ceil(3 * sigma);
    a->kernel = g_new(float, (gsize)a->radius + 1);
    a->shift = g_try_new(float, (gsize)(2 * area));
    a->line = g_try_new(float, (gsize)MAX(a->height, a->width));
    if (!a->shift || !a->line)
        return error_set(error, ERROR_LIMIT, "no memory to distort images");
    double sum = 0;
    for (int64_t i = -a->radius; i <= a->radius; i++)
        sum += exp(-0.5 * (double)(i * i) / (sigma * sigma));
    for (int64_t i = 0; i <= a->radius; i++)
        a->kernel[i] = (float)(exp(-0.5 * (double)(i * i) / (sigma * sigma)) / sum);
    return true;
}

struct augment *augment_new(const struct augment_config *config, const struct shape *chw,
                            GError **error)
{
    g_assert(chw->n_dim == 3);
    struct augment *a = g_new0(struct augment, 1);
    a->config = *config;
    a->channels = chw->dim[0];
    a->height = chw->dim[1];
    a->width = chw->dim[2];
    a->copy = g_try_new(float, (gsize)shape_count(chw));
    if (!a->copy)
        error_set(error, ERROR_LIMIT, "no memory to change images");
    if (a->copy && (!is_elastic(a) || make_kernel(a, error)))
        return a;
    augment_free(a);
    return NULL;
}

void augment_free(struct augment *a)
{
    if (!a)
        return;
    g_free(a->copy);
    g_free(a->shift);
    g_free(a->line);
    g_free(a->kernel);
    g_free(a);
}

/* n numbers, `step` apart, smoothed; beyond the ends is 0. */
static void smooth(const struct augment *a, float *x, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < n; i++)
        a->line[i] = x[i * step];
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t j = MAX(0, i - a->radius); j <= MIN(n - 1, i + a->radius); j++)
            sum += a->kernel[j > i ? j - i : i - j] * a->line[j];
        x[i * step] = sum;
    }
}

/* Uniform displacements in +-1, smoothed along both axes. */
static void make_shift(struct augment *a, uint64_t seed, uint64_t stream)
{
    const int64_t area = a->height * a->width;
    tensor_fill_uniform(a->shift, (size_t)(2 * area), 1, seed, stream);
    for (float *field = a->shift; field < a->shift + 2 * area; field += area) {
        for (int64_t y = 0; y < a->height; y++)
            smooth(a, field + y * a->width, a->width, 1);
        for (int64_t x = 0; x < a->width; x++)
            smooth(a, field + x, a->height, a->width);
    }
}

/* The draw u in [-1, 1) falls below probability p. */
static bool happens(float u, double p)
{
    return (u + 1) / 2 < p;
}

/* A whole number in [-pad, pad], each as likely. */
static double crop_shift(float u, int64_t pad)
{
    return floor((u + 1) / 2 * (double)(2 * pad + 1)) - (double)pad;
}

/* From the result back to the image: the inverse of flip, scale, rotate, translate. */
static struct affine make_affine(const struct augment *a, const float *u)
{
    const struct augment_config *c = &a->config;
    const double angle = u[DRAW_ROTATE] * c->rotate_deg * (G_PI / 180);
    const double shrink = 1 / (1 + u[DRAW_SCALE] * c->scale);
    const double x = happens(u[DRAW_FLIP], c->flip) ? -shrink : shrink;
    const double y = happens(u[DRAW_FLIP_VERTICAL], c->flip_vertical) ? -shrink : shrink;
    const double dx = u[DRAW_TRANSLATE_X] * c->translate * (double)a->width +
                      crop_shift(u[DRAW_CROP_X], c->crop_pad_px);
    const double dy = u[DRAW_TRANSLATE_Y] * c->translate * (double)a->height +
                      crop_shift(u[DRAW_CROP_Y], c->crop_pad_px);
    struct affine m = {
        .xx = x * cos(angle), .xy = x * sin(angle), .yx = -y * sin(angle), .yy = y * cos(angle)};
    m.x0 = -(m.xx * dx + m.xy * dy);
    m.y0 = -(m.yx * dx + m.yy * dy);
    return m;
}

static bool is_identity(const struct affine *m)
{
    return m->xx == 1 && m->yy == 1 && m->xy == 0 && m->yx == 0 && m->x0 == 0 && m->y0 == 0;
}

static float pixel(const struct augment *a, const float *plane, int64_t x, int64_t y)
{
    return x >= 0 && x < a->width && y >= 0 && y < a->height ? plane[y * a->width + x] : 0;
}

static float bilinear(const struct augment *a, const float *plane, double x, double y)
{
    if (!(x > -1 && x < (double)a->width && y > -1 && y < (double)a->height))
        return 0;
    const double x0 = floor(x), y0 = floor(y);
    const float fx = (float)(x - x0), fy = (float)(y - y0);
    const int64_t i = (int64_t)x0, j = (int64_t)y0;
    const float top = pixel(a, plane, i, j) * (1 - fx) + pixel(a, plane, i + 1, j) * fx;
    const float bottom = pixel(a, plane, i, j + 1) * (1 - fx) + pixel(a, plane, i + 1, j + 1) * fx;
    return top * (1 - fy) + bottom * fy;
}

static void resample(const struct augment *a, float *image, const struct affine *m)
{
    const int64_t area = a->height * a->width;
    const double middle_x = (double)(a->width - 1) / 2, middle_y = (double)(a->height - 1) / 2;
    const double alpha = a->config.elastic_alpha_px;
    for (int64_t i = 0; i < area; i++) {
        const double x = (double)(i % a->width) - middle_x, y = (double)(i / a->width) - middle_y;
        double from_x = m->xx * x + m->xy * y + m->x0 + middle_x;
        double from_y = m->yx * x + m->yy * y + m->y0 + middle_y;
        if (is_elastic(a)) {
            from_x += alpha * a->shift[i];
            from_y += alpha * a->shift[area + i];
        }
        for (int64_t c = 0; c < a->channels; c++)
            image[c * area + i] = bilinear(a, a->copy + c * area, from_x, from_y);
    }
}

void augment_apply(struct augment *a, float *image, uint64_t seed, uint64_t epoch, uint64_t sample)
{
    const uint64_t stream = mix64(mix64(epoch + MIX64_STEP) + sample);
    float u[N_DRAW];
    tensor_fill_uniform(u, N_DRAW, 1, seed, stream);
    if (is_elastic(a))
        make_shift(a, seed, stream + MIX64_STEP);
    const struct affine m = make_affine(a, u);
    if (is_identity(&m) && !is_elastic(a))
        return;
    memcpy(a->copy, image, (size_t)(a->channels * a->height * a->width) * sizeof(float));
    resample(a, image, &m);
}
