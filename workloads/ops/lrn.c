/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define BLOCK 256 /* pixels: the channels' window over a block stays in the first-level cache */

static const struct cfg_field lrn_fields[] = {
    {"size", CFG_INT, offsetof(struct lrn_attr, size), 1, 65536, "5", "channels",
     "Channels that are summed around each.", NULL},
    {"alpha", CFG_FLOAT, offsetof(struct lrn_attr, alpha), 0, 1e6, "1e-4", NULL,
     "Weight of the sum; it is divided by size.", NULL},
    {"beta", CFG_FLOAT, offsetof(struct lrn_attr, beta), 0, 100, "0.75", NULL,
     "Exponent of the divisor.", NULL},
    {"k", CFG_FLOAT, offsetof(struct lrn_attr, k), 0, 1e6, "1.0", NULL,
     "Added to the weighted sum.", NULL},
    {0},
};

static bool lrn_infer(const struct op_infer *c, GError **error)
{
    const struct lrn_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    if (c->in[0]->shape.n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no channels");
    return a->size >= 1 ||
           error_set(error, ERROR_INPUT, "size %" G_GINT64_FORMAT " is not positive", a->size);
}

struct lrn {
    const struct lrn_attr *attr;
    const float *x;
    float *y;
    int64_t n_channel, n_pixel, n_block; /* n_block: of one image */
};

/* y = x / scale^beta, for n pixels. */
static void divide(float *y, const float *x, const float *scale, int64_t n, double beta)
{
    if (beta == 0.75) {
        for (int64_t i = 0; i < n; i++) {
            float root = sqrtf(scale[i]);
            y[i] = x[i] / (root * sqrtf(root));
        }
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * powf(scale[i], (float)-beta);
    }
}

/* An even window reaches one channel further up than down, as ONNX has it. */
static void lrn_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct lrn *l = arg;
    const struct lrn_attr *a = l->attr;
    struct panel p = panel_at(l->n_pixel, BLOCK, i_panel % l->n_block);
    int64_t n = p.end - p.begin;
    int64_t origin = i_panel / l->n_block * l->n_channel * l->n_pixel + p.begin;
    float alpha = (float)(a->alpha / (double)a->size), k = (float)a->k, scale[BLOCK];
    for (int64_t c = 0; c < l->n_channel; c++) {
        int64_t first = MAX(c - (a->size - 1) / 2, 0);
        int64_t last = MIN(c + a->size / 2, l->n_channel - 1);
        for (int64_t i = 0; i < n; i++)
            scale[i] = 0;
        for (int64_t near = first; near <= last; near++) {
            const float *x = l->x + origin + near * l->n_pixel;
            for (int64_t i = 0; i < n; i++)
                scale[i] += x[i] * x[i];
        }
        for (int64_t i = 0; i < n; i++)
            scale[i] = k + alpha * scale[i];
        int64_t at = origin + c * l->n_pixel;
        divide(l->y + at, l->x + at, scale, n, a->beta);
    }
}

static bool lrn_forward(const struct op_call *c, GError **error)
{
    const struct shape *shape = &c->out[0]->shape;
    struct lrn l = {
        .attr = c->attr,
        .x = c->in[0]->data,
        .y = c->out[0]->data,
        .n_channel = shape->dim[1],
        .n_pixel = shape_count_from(shape, 2),
    };
    l.n_block = int64_div_up(l.n_pixel, BLOCK);
    int64_t n_panel = shape->dim[0] * l.n_block;
    if (n_panel > INT_MAX)
        return error_set(error, ERROR_LIMIT, "the layer has more than 2^31 panels");
    threads_run(c->threads, (int)n_panel, lrn_panel, &l);
    return true;
}

static void lrn_traits(const struct op_infer *c, struct traits *t)
{
    const struct lrn_attr *a = c->attr;
    t->norm = (struct traits_norm){a->size, a->alpha, a->beta, a->k};
}

const struct op op_lrn = {
    .name = "lrn",
    .summary = "Local response normalisation across channels.",
    .fields = lrn_fields,
    .attr_size = sizeof(struct lrn_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_NORM,
    .reads = 1,
    .infer = lrn_infer,
    .forward = lrn_forward,
    .traits = lrn_traits,
};
