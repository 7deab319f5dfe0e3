/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/op.h"
#include "workloads/ops/ops.h"

#include <string.h>

const struct op *const op_table[] = {
#define OP(name) &op_##name,
#include "workloads/ops.def"
#undef OP
    NULL,
};

const struct op *op_find(const char *name)
{
    for (const struct op *const *op = op_table; *op; op++)
        if (strcmp((*op)->name, name) == 0)
            return *op;
    return NULL;
}
