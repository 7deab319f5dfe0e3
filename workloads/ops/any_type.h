/* SPDX-License-Identifier: Apache-2.0 */
/* An operator of elements of any type, of indices.c and data_shaped.c: NAME_infer() and
 * NAME_forward() are its functions; what is behind `most` are further members of struct op. */
#pragma once

#include "workloads/op.h"

#define OPERATOR(op_name, text, table, attr_bytes, least, most, ...)                               \
    const struct op op_##op_name = {.name = #op_name,                                              \
                                    .summary = text,                                               \
                                    .fields = table,                                               \
                                    .attr_size = attr_bytes,                                       \
                                    .min_data = least,                                             \
                                    .max_data = most,                                              \
                                    .types = OP_ANY,                                               \
                                    .infer = op_name##_infer,                                      \
                                    .forward = op_name##_forward,                                  \
                                    __VA_ARGS__};
