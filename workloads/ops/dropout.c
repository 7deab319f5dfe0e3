/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "workloads/ops/ops.h"

static const struct cfg_field dropout_fields[] = {
    {"rate", CFG_FLOAT, offsetof(struct dropout_attr, rate), 0, 1, "0.5", NULL,
     "Share of the elements that training sets to 0.", NULL},
    {0},
};

static bool dropout_shape(void *attr, const struct shape *const *in, int n_in, struct shape *out,
                          GError **error)
{
    (void)attr, (void)n_in, (void)error;
    *out = *in[0];
    return true;
}

const struct op op_dropout = {
    .name = "dropout",
    .summary = "Drops elements at random while training; the identity at inference.",
    .fields = dropout_fields,
    .attr_size = sizeof(struct dropout_attr),
    .min_data = 1,
    .max_data = 1,
    .shape = dropout_shape,
};
