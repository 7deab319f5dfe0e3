/* SPDX-License-Identifier: Apache-2.0 */
/* The converters that ops.def names: of one node of the model into nodes of the graph. */
#pragma once

#include "workloads/onnx/import.h"

#define CONVERT(name)                                                                              \
    bool onnx_convert_##name(struct onnx_node *n, const struct onnx_op *row, GError **error)

CONVERT(plain); /* one to one */

/* convert.c: layers */
CONVERT(batch_norm);
CONVERT(by_rank);
CONVERT(dropout);
CONVERT(gemm);
CONVERT(lrn);
CONVERT(matmul);
CONVERT(pool);
CONVERT(recurrent);
CONVERT(softmax);

/* convert_values.c: constants, shapes, old ways of broadcasting */
CONVERT(binary);
CONVERT(concat);
CONVERT(constant);
CONVERT(constant_of_shape);
CONVERT(identity);
CONVERT(prelu);
CONVERT(resize);
CONVERT(upsample);

/* control.c */
CONVERT(branch);
CONVERT(loop);

/* sequence.c */
CONVERT(concat_from_sequence);
CONVERT(sequence_at);
CONVERT(sequence_construct);
CONVERT(sequence_empty);
CONVERT(sequence_erase);
CONVERT(sequence_insert);
CONVERT(sequence_length);
CONVERT(split_to_sequence);
