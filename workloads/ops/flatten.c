/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/error.h"
#include "workloads/ops/ops.h"

static bool flatten_infer(const struct op_infer *c, GError **error)
{
    const struct shape *in = &c->in[0]->shape;
    if (in->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no dimension behind the batch");
    c->out[0].shape = (struct shape){2, {in->dim[0], shape_count_from(in, 1)}};
    return true;
}

const struct op op_flatten = {
    .name = "flatten",
    .summary = "Makes one row of all that is behind the batch.",
    .min_data = 1,
    .max_data = 1,
    .infer = flatten_infer,
};
