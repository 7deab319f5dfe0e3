/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's operators and ours. */
#include <stdlib.h>
#include <string.h>

#include "workloads/onnx/convert.h"

#define WINDOW    "kernel_shape=kernel strides=stride pads=pad dilations=dilation group=groups"
#define RECURRENT "hidden_size=hidden"

static const struct onnx_op rows[] = {
#define ONNX(name, op, attrs, convert)                                                             \
    {#name, op, attrs, onnx_needs_##convert, onnx_convert_##convert},
#include "workloads/onnx/ops.def"
#undef ONNX
};

static int compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct onnx_op *)row)->name);
}

const struct onnx_op *onnx_find_op(const char *name)
{
    return bsearch(name, rows, G_N_ELEMENTS(rows), sizeof(*rows), compare);
}

void onnx_list_ops(void (*fn)(const char *onnx, const char *op, void *user), void *user)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        fn(rows[i].name, rows[i].op, user);
}
