/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"

static const struct cfg_field dropout_fields[] = {
    {"rate", CFG_FLOAT, offsetof(struct dropout_attr, rate), 0, 1, "0.5", NULL,
     "Share of the elements that training sets to 0.", NULL},
    {0},
};

const struct op op_dropout = {
    .name = "dropout",
    .summary = "Drops elements at random while training; the identity at inference.",
    .fields = dropout_fields,
    .attr_size = sizeof(struct dropout_attr),
    .min_data = 1,
    .max_data = 1,
    .infer = infer_as_first,
};
