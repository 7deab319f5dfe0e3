/* SPDX-License-Identifier: Apache-2.0 */
#include <cblas.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define PANEL_FEATURES 768

/* For few rows, packing the weights for a matrix product costs more than the product; so each row
 * is multiplied with a block of weights that stays in the second-level cache for the next row.
 * Measured on OpenBLAS 0.3.21. */
#define VECTOR_MAX_ROWS 8
#define VECTOR_FEATURES 32

static const struct cfg_field fc_fields[] = {
    {"features", CFG_INT, offsetof(struct fc_attr, features), 1, INT32_MAX, NULL, NULL,
     "Output features.", NULL},
    {"bias", CFG_BOOL, offsetof(struct fc_attr, bias), 0, 0, "true", NULL,
     "Adds one number to each output feature.", NULL},
    {"axis", CFG_INT, offsetof(struct fc_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1", NULL,
     "First dimension of a row: 1 takes all behind the batch, -1 the last dimension alone.", NULL},
    {0},
};

static struct shape weight_shape(const struct op_infer *c)
{
    const struct fc_attr *a = c->attr;
    return (struct shape){2, {a->features, shape_count_from(&c->in[0]->shape, (int)a->axis)}};
}

static bool fc_infer(const struct op_infer *c, GError **error)
{
    struct fc_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    if (in->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no dimension behind the batch");
    a->axis = a->axis ? a->axis : 1;
    if (!axis_normalise(&a->axis, in, error))
        return false;
    const struct operand *given = infer_input(c, 1);
    if (given)
        a->features = given->shape.dim[0];
    if (given)
        a->bias = infer_input(c, 2) != NULL;
    const struct shape weight = weight_shape(c);
    const char *why;
    if (!shape_check(&weight, &why))
        return error_set(error, ERROR_INPUT, "weight: %s", why);
    if (given && !shape_equal(&given->shape, &weight))
        return error_set(error, ERROR_INPUT, "the weight is not [features, %" G_GINT64_FORMAT "]",
                         weight.dim[1]);
    struct shape *out = &c->out[0].shape;
    *out = *in;
    out->n_dim = (int)a->axis + 1;
    out->dim[a->axis] = a->features;
    return true;
}

static int fc_params(const struct op_infer *c, struct op_param *out)
{
    const struct fc_attr *a = c->attr;
    const struct shape weight = weight_shape(c);
    out[0] = (struct op_param){"weight", weight, weight.dim[1], false, 0, 0};
    out[1] = (struct op_param){"bias", {1, {a->features}}, 0, false, 0, 0};
    return a->bias ? 2 : 1;
}

static uint64_t fc_macs(const struct op_infer *c)
{
    return op_product(2, (int64_t[]){shape_count(&c->out[0].shape), weight_shape(c).dim[1]});
}

struct fc {
    const float *x, *weight, *bias; /* bias may be NULL */
    float *y;
    int64_t n_row, depth, features;
};

static void multiply_rows(const struct fc *f, struct panel p)
{
    for (int64_t first = p.begin; first < p.end; first += VECTOR_FEATURES) {
        int n = (int)MIN(VECTOR_FEATURES, p.end - first), depth = (int)f->depth;
        for (int64_t row = 0; row < f->n_row; row++)
            cblas_sgemv(CblasRowMajor, CblasNoTrans, n, depth, 1, f->weight + first * f->depth,
                        depth, f->x + row * f->depth, 1, f->bias ? 1 : 0,
                        f->y + row * f->features + first, 1);
    }
}

static void multiply_matrix(const struct fc *f, struct panel p)
{
    int depth = (int)f->depth;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)f->n_row, (int)(p.end - p.begin),
                depth, 1, f->x, depth, f->weight + p.begin * f->depth, depth, f->bias ? 1 : 0,
                f->y + p.begin, (int)f->features);
}

static void fc_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct fc *f = arg;
    struct panel p = panel_at(f->features, PANEL_FEATURES, i_panel);
    if (f->bias)
        for (int64_t row = 0; row < f->n_row; row++)
            memcpy(f->y + row * f->features + p.begin, f->bias + p.begin,
                   (size_t)(p.end - p.begin) * sizeof(float));
    if (f->n_row <= VECTOR_MAX_ROWS)
        multiply_rows(f, p);
    else
        multiply_matrix(f, p);
}

static bool fc_forward(const struct op_call *c, GError **error)
{
    const struct fc_attr *a = c->attr;
    struct fc f = {
        .x = c->in[0]->data,
        .weight = c->in[1]->data,
        .bias = a->bias ? c->in[2]->data : NULL,
        .y = c->out[0]->data,
        .n_row = shape_count(&c->out[0]->shape) / a->features,
        .depth = c->in[1]->shape.dim[1],
        .features = a->features,
    };
    if (MAX(MAX(f.n_row, f.depth), f.features) > INT_MAX)
        return error_set(error, ERROR_LIMIT, "the layer is too large for OpenBLAS");
    threads_run(c->threads, panel_count(f.features, PANEL_FEATURES), fc_panel, &f);
    return true;
}

static void fc_traits(const struct op_infer *c, struct traits *t)
{
    const struct fc_attr *a = c->attr;
    t->product = (struct traits_product){.m = shape_count(&c->out[0].shape) / a->features,
                                         .n = a->features,
                                         .k = weight_shape(c).dim[1],
                                         .groups = 1,
                                         .stationary = 1,
                                         .has_weights = true,
                                         .transposed = true,
                                         .bias = c->n_in > 2 ? 2 : -1,
                                         .axis = (int)a->axis};
}

const struct op op_fc = {
    .name = "fc",
    .summary = "Fully connected layer: every feature sees the whole input.",
    .fields = fc_fields,
    .attr_size = sizeof(struct fc_attr),
    .min_data = 1,
    .max_data = 1,
    .kind = TRAITS_PRODUCT,
    .infer = fc_infer,
    .params = fc_params,
    .macs = fc_macs,
    .forward = fc_forward,
    .traits = fc_traits,
};
