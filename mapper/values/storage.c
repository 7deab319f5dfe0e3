/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/storage.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#include "mapper/values/autoflex.h"
#include "mapper/dims.h"

int32_t storage_limit(enum number format)
{
    if (number_is_float(format))
        return 0;
    return format == NUMBER_int8 ? 127 : 32767;
}

int64_t storage_bound(struct storage s, double upper)
{
    return (int64_t)rint(MIN(upper / s.scale, 0x1p40));
}

float storage_scale(float max_abs, enum number format)
{
    if (number_is_float(format) || !(max_abs > 0) || !isfinite(max_abs))
        return 1;
    return format == NUMBER_flex16 ? autoflex_scale(max_abs)
                                   : max_abs / (float)storage_limit(format);
}

void storage_encode(struct storage s, void *stored, const float *x, int64_t n)
{
    const float inverse = 1.0f / s.scale;
    if (s.format == NUMBER_int8)
        for (int64_t i = 0; i < n; i++)
            ((int8_t *)stored)[i] = MAX(int8_from_fp32(x[i] * inverse), (int8_t)-127);
    else if (!number_is_float(s.format))
        for (int64_t i = 0; i < n; i++)
            ((int16_t *)stored)[i] = MAX(int16_from_fp32(x[i] * inverse), (int16_t)-32767);
    else
        number_convert(stored, s.format, x, NUMBER_fp32, (size_t)n);
}

void storage_decode(struct storage s, float *x, const void *stored, int64_t n)
{
    if (s.format == NUMBER_int8)
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)((const int8_t *)stored)[i] * s.scale;
    else if (!number_is_float(s.format))
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)((const int16_t *)stored)[i] * s.scale;
    else
        number_convert(x, NUMBER_fp32, stored, s.format, (size_t)n);
}

void storage_to_nhwc(void *stored, const struct tensor *t, struct storage s)
{
    const struct dims d = dims_of(&t->shape);
    const float *x = t->data;
    const int64_t row_bytes = d.c * (int64_t)number_bytes(s.format);
    if (t->type != NUMBER_fp32) { /* indices */
        g_assert(t->type == s.format && t->shape.n_dim != 4);
        memcpy(stored, t->data, tensor_bytes(t));
        return;
    }
    g_autofree float *pixel = g_new(float, d.c);
    for (int64_t i = 0; i < d.n * d.h * d.w; i++) {
        const float *first = x + i / (d.h * d.w) * dims_image(&d) + i % (d.h * d.w);
        for (int64_t c = 0; c < d.c; c++)
            pixel[c] = first[c * d.h * d.w];
        storage_encode(s, (char *)stored + i * row_bytes, pixel, d.c);
    }
}

void storage_from_nhwc(struct tensor *t, const void *stored, struct storage s)
{
    const struct dims d = dims_of(&t->shape);
    float *x = t->data;
    const int64_t row_bytes = d.c * (int64_t)number_bytes(s.format);
    g_autofree float *pixel = g_new(float, d.c);
    for (int64_t i = 0; i < d.n * d.h * d.w; i++) {
        float *first = x + i / (d.h * d.w) * dims_image(&d) + i % (d.h * d.w);
        storage_decode(s, pixel, (const char *)stored + i * row_bytes, d.c);
        for (int64_t c = 0; c < d.c; c++)
            first[c * d.h * d.w] = pixel[c];
    }
}
