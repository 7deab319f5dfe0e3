/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "workloads/ops/pool.h"

static const struct cfg_field maxpool_fields[] = {
    POOL_FIELDS,
    POOL_DILATION,
    {"storage_order", CFG_BOOL, offsetof(struct pool_attr, storage_order), 0, 0, "false", NULL,
     "The second output's places in a plane count column by column.", NULL},
    {0},
};

static void maxpool_plane(const struct pool_plane *p)
{
    float *out = p->out;
    for (int64_t oy = 0; oy < p->out_size[0]; oy++) {
        struct pool_span y = pool_span(p, 0, oy);
        for (int64_t ox = 0; ox < p->out_size[1]; ox++) {
            struct pool_span x = pool_span(p, 1, ox);
            float largest = p->in[y.begin * p->in_size[1] + x.begin];
            for (int64_t iy = y.begin; iy < y.end; iy++) {
                const float *row = p->in + iy * p->in_size[1];
                for (int64_t ix = x.begin; ix < x.end; ix++)
                    largest = row[ix] > largest ? row[ix] : largest;
            }
            *out++ = largest;
        }
    }
}

/* Rows and columns change places in the last two dimensions. */
static int64_t column_first(int64_t at, const struct shape *in)
{
    const int64_t cols = in->dim[in->n_dim - 1], rows = in->n_dim > 3 ? in->dim[in->n_dim - 2] : 1;
    const int64_t plane = at / (rows * cols), row = at / cols % rows, col = at % cols;
    return plane * rows * cols + col * rows + row;
}

static void largest(const struct op_call *c, const struct pool_window *w, int64_t i_out,
                    int64_t plane_count, int64_t i_plane)
{
    const enum number type = c->in[0]->type;
    double most = -INFINITY;
    int64_t place = 0;
    for (int64_t k = 0; k < w->n; k++) {
        const double x = number_get_fp64(w->in, type, (size_t)w->at[k]);
        if (k == 0 || x > most) {
            most = x;
            place = w->at[k];
        }
    }
    number_convert((char *)c->out[0]->data + (size_t)i_out * number_bytes(type), type, &most,
                   NUMBER_fp64, 1);
    if (c->n_out > 1 && c->out[1])
        ((int64_t *)c->out[1]->data)[i_out] =
            i_plane * plane_count +
            (w->attr->storage_order ? column_first(place, &c->in[0]->shape) : place);
}

static bool maxpool_forward(const struct op_call *c, GError **error)
{
    if (!pool_is_plain(c))
        return pool_windows(c, largest, error);
    pool_run(c, maxpool_plane);
    return true;
}

const struct op op_maxpool = {
    .name = "maxpool",
    .summary = "The largest element of each window, and its place.",
    .fields = maxpool_fields,
    .attr_size = sizeof(struct pool_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = 2,
    .types = OP_NUMBER,
    .kind = TRAITS_WINDOW,
    .reads = 1,
    .infer = pool_infer,
    .forward = maxpool_forward,
    .traits = pool_traits,
};
