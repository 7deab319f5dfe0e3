/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in ONNX files (https://onnx.ai), operator sets 6 to 17.
 *
 * A model becomes a graph node by node: constants are folded, identities are names of what they
 * pass on, branches whose condition is known and loops whose length is known are written out.
 * What has no counterpart is refused by operator, node and operator set (ERROR_UNSUPPORTED); no
 * attribute is ever passed over. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "workloads/net.h"

#define ONNX_MIN_OPSET 6
#define ONNX_MAX_OPSET 17

struct graph *onnx_read(const char *file, const struct net_options *options, GError **error);

/* A tensor as ONNX stores it (TensorProto), as in the test data of its backends. The caller frees
 * it with tensor_clear(); NULL name is ignored. */
struct tensor;
bool onnx_read_tensor(const char *file, struct tensor *out, char **name, GError **error);

/* Calls fn for every operator of ONNX that is read, in alphabetical order, with ours. */
void onnx_list_ops(void (*fn)(const char *onnx, const char *op, void *user), void *user);
