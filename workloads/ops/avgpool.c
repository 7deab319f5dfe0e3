/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/pool.h"

static const struct cfg_field avgpool_fields[] = {
    POOL_FIELDS,
    {"count_pad", CFG_BOOL, offsetof(struct pool_attr, count_pad), 0, 0, "false", NULL,
     "Divides by the whole window where it covers padding, not by the real elements.", NULL},
    {0},
};

static void avgpool_plane(const struct pool_plane *p)
{
    float *out = p->out;
    for (int64_t oy = 0; oy < p->out_size[0]; oy++) {
        struct pool_span y = pool_span(p, 0, oy);
        for (int64_t ox = 0; ox < p->out_size[1]; ox++) {
            struct pool_span x = pool_span(p, 1, ox);
            int64_t n =
                p->attr->count_pad ? y.padded * x.padded : (y.end - y.begin) * (x.end - x.begin);
            double sum = 0;
            for (int64_t iy = y.begin; iy < y.end; iy++) {
                const float *row = p->in + iy * p->in_size[1];
                for (int64_t ix = x.begin; ix < x.end; ix++)
                    sum += row[ix];
            }
            *out++ = (float)(sum / (double)n);
        }
    }
}

static void average(const struct op_call *c, const struct pool_window *w, int64_t i_out,
                    int64_t plane_count, int64_t i_plane)
{
    (void)plane_count, (void)i_plane;
    double sum = 0;
    for (int64_t k = 0; k < w->n; k++)
        sum += (double)((const float *)w->in)[w->at[k]];
    ((float *)c->out[0]->data)[i_out] =
        (float)(sum / (double)(w->attr->count_pad ? w->n_window : MAX(w->n, 1)));
}

static bool avgpool_forward(const struct op_call *c, GError **error)
{
    if (!pool_is_plain(c))
        return pool_windows(c, average, error);
    pool_run(c, avgpool_plane);
    return true;
}

static void avgpool_traits(const struct op_infer *c, struct traits *t)
{
    pool_traits(c, t);
    t->pool.is_mean = true;
    t->pool.counts_pad = ((const struct pool_attr *)c->attr)->count_pad;
}

const struct op op_avgpool = {
    .name = "avgpool",
    .summary = "The mean of each window.",
    .fields = avgpool_fields,
    .attr_size = sizeof(struct pool_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_WINDOW,
    .reads = 1,
    .infer = pool_infer,
    .forward = avgpool_forward,
    .traits = avgpool_traits,
};
