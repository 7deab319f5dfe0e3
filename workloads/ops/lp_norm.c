/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors divided by their norm. */
#include <math.h>
#include <stddef.h>

#include "workloads/ops/axis.h"
#include "workloads/ops/neural.h"

static const struct cfg_field lp_norm_fields[] = {
    {"axis", CFG_INT, offsetof(struct norm_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "-1",
     NULL, "Dimension along which the norm is taken.", NULL},
    {"p", CFG_INT, offsetof(struct norm_attr, p), 1, 2, "2", NULL, "Exponent of the norm.", NULL},
    {0},
};

static bool lp_norm_infer(const struct op_infer *c, GError **error)
{
    c->out[0].shape = c->in[0]->shape;
    return axis_normalise(&((struct norm_attr *)c->attr)->axis, &c->in[0]->shape, error);
}

static bool lp_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct norm_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const int64_t n = in->dim[a->axis], inner = shape_count_from(in, (int)a->axis + 1);
    for (int64_t row = 0; row < shape_count(in) / n; row++) {
        const int64_t at = row / inner * n * inner + row % inner;
        const float *x = (const float *)c->in[0]->data + at;
        float *y = (float *)c->out[0]->data + at;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const double v = fabs((double)x[i * inner]);
            sum += a->p == 1 ? v : v * v;
        }
        const double norm = a->p == 1 ? sum : sqrt(sum);
        for (int64_t i = 0; i < n; i++)
            y[i * inner] = (float)((double)x[i * inner] / norm);
    }
    return true;
}

static void lp_norm_traits(const struct op_infer *c, struct traits *t)
{
    t->row = (struct traits_row){(int)((const struct norm_attr *)c->attr)->axis, 1, -1};
}

const struct op op_lp_norm = {
    .name = "lp_norm",
    .summary = "Vectors divided by their p-norm.",
    .fields = lp_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_ROW,
    .reads = 2,
    .infer = lp_norm_infer,
    .forward = lp_norm_forward,
    .traits = lp_norm_traits,
};
