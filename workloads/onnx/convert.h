/* SPDX-License-Identifier: Apache-2.0 */
/* The converters that ops.def names: of one node of the model into nodes of the graph. */
#pragma once

#include "workloads/onnx/import.h"

/* The first n_needed inputs are tensors; plain ones are checked with our operator. */
#define CONVERT(name, n_needed)                                                                    \
    enum { onnx_needs_##name = n_needed };                                                         \
    bool onnx_convert_##name(struct onnx_node *n, const struct onnx_op *row, GError **error)

CONVERT(plain, 0); /* one to one */

/* convert.c: layers */
CONVERT(batch_norm, 0);
CONVERT(by_rank, 2);
CONVERT(dropout, 1);
CONVERT(gemm, 2);
CONVERT(lrn, 0);
CONVERT(matmul, 2);
CONVERT(pool, 0);
CONVERT(recurrent, 3);
CONVERT(softmax, 1);

/* convert_values.c: constants, shapes, old ways of broadcasting */
CONVERT(binary, 2);
CONVERT(concat, 1);
CONVERT(constant, 0);
CONVERT(constant_of_shape, 1);
CONVERT(identity, 0);
CONVERT(prelu, 2);
CONVERT(resize, 1);
CONVERT(upsample, 1);

/* control.c */
CONVERT(branch, 1);
CONVERT(loop, 0);

/* sequence.c */
CONVERT(concat_from_sequence, 0);
CONVERT(sequence_at, 0);
CONVERT(sequence_construct, 0);
CONVERT(sequence_empty, 0);
CONVERT(sequence_erase, 0);
CONVERT(sequence_insert, 0);
CONVERT(sequence_length, 0);
CONVERT(split_to_sequence, 1);
