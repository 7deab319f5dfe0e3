/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/neural.h"

#define DEVIATION_FLOOR 1e-9 /* as ONNX defines the operator */

static const struct cfg_field mean_variance_norm_fields[] = {
    {"axes", CFG_INTS, offsetof(struct norm_attr, axes), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "",
     NULL, "Dimensions that belong together; all but the second where none are named.", NULL},
    {0},
};

static bool flags_of(const struct norm_attr *a, int n, bool *flags, GError **error)
{
    for (int d = 0; d < n; d++)
        flags[d] = a->axes.n == 0 && d != 1;
    return infer_axes(&a->axes, n, flags, error);
}

static bool mean_variance_norm_infer(const struct op_infer *c, GError **error)
{
    bool flags[SHAPE_MAX_DIM];
    return flags_of(c->attr, c->in[0]->shape.n_dim, flags, error) && infer_as_first(c, error);
}

/* Which of the kept places element i belongs to. */
static int64_t place_of(const struct shape *s, const bool *flags, int64_t i)
{
    int64_t at = 0, step = 1;
    for (int d = s->n_dim - 1; d >= 0; d--) {
        at += flags[d] ? 0 : i % s->dim[d] * step;
        step *= flags[d] ? 1 : s->dim[d];
        i /= s->dim[d];
    }
    return at;
}

static bool mean_variance_norm_forward(const struct op_call *c, GError **error)
{
    const struct shape *s = &c->in[0]->shape;
    const int64_t n = shape_count(s);
    const float *x = c->in[0]->data;
    bool flags[SHAPE_MAX_DIM];
    int64_t n_place = 1;
    if (!flags_of(c->attr, s->n_dim, flags, error))
        return false;
    for (int d = 0; d < s->n_dim; d++)
        n_place *= flags[d] ? 1 : s->dim[d];
    double *sums = g_try_malloc0_n((gsize)n_place, 2 * sizeof(double));
    if (!sums)
        return error_set(error, ERROR_LIMIT, "no memory for means");
    const double count = (double)(n / n_place);
    for (int64_t i = 0; i < n; i++)
        sums[2 * place_of(s, flags, i)] += (double)x[i] / count;
    for (int64_t i = 0; i < n; i++) {
        double *sum = &sums[2 * place_of(s, flags, i)];
        sum[1] += ((double)x[i] - sum[0]) * ((double)x[i] - sum[0]) / count;
    }
    for (int64_t i = 0; i < n; i++) {
        const double *sum = &sums[2 * place_of(s, flags, i)];
        ((float *)c->out[0]->data)[i] =
            (float)(((double)x[i] - sum[0]) / (sqrt(sum[1]) + DEVIATION_FLOOR));
    }
    g_free(sums);
    return true;
}

const struct op op_mean_variance_norm = {
    .name = "mean_variance_norm",
    .summary = "Elements by the mean and deviation over some dimensions.",
    .fields = mean_variance_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = mean_variance_norm_infer,
    .forward = mean_variance_norm_forward,
};
