/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/error.h"
#include "workloads/ops/ops.h"

static bool flatten_shape(void *attr, const struct shape *const *in, int n_in, struct shape *out,
                          GError **error)
{
    (void)attr, (void)n_in;
    if (in[0]->n_dim < 2)
        return error_set(error, ERROR_INPUT, "the input has no dimension behind the batch");
    *out = (struct shape){2, {in[0]->dim[0], shape_count_from(in[0], 1)}};
    return true;
}

const struct op op_flatten = {
    .name = "flatten",
    .summary = "Makes one row of all that is behind the batch.",
    .min_data = 1,
    .max_data = 1,
    .shape = flatten_shape,
};
