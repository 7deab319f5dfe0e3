/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/pool.h"

static const struct cfg_field maxpool_fields[] = {POOL_FIELDS, {0}};

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

static bool maxpool_forward(const struct op_call *c, GError **error)
{
    (void)error;
    pool_run(c, maxpool_plane);
    return true;
}

const struct op op_maxpool = {
    .name = "maxpool",
    .summary = "The largest element of each window.",
    .fields = maxpool_fields,
    .attr_size = sizeof(struct pool_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = pool_infer,
    .forward = maxpool_forward,
};
