/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "workloads/ops/pool.h"

static const struct cfg_field lp_pool_fields[] = {
    POOL_FIELDS,
    {"p", CFG_INT, offsetof(struct pool_attr, p), 1, 64, "2", NULL, "Exponent of the norm.", NULL},
    {0},
};

static void norm(const struct op_call *c, const struct pool_window *w, int64_t i_out,
                 int64_t plane_count, int64_t i_plane)
{
    (void)plane_count, (void)i_plane;
    const double p = (double)w->attr->p;
    double sum = 0;
    for (int64_t k = 0; k < w->n; k++)
        sum += pow(fabs((double)((const float *)w->in)[w->at[k]]), p);
    ((float *)c->out[0]->data)[i_out] = (float)pow(sum, 1 / p);
}

static bool lp_pool_forward(const struct op_call *c, GError **error)
{
    return pool_windows(c, norm, error);
}

const struct op op_lp_pool = {
    .name = "lp_pool",
    .summary = "The p-norm of each window.",
    .fields = lp_pool_fields,
    .attr_size = sizeof(struct pool_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = pool_infer,
    .forward = lp_pool_forward,
};
