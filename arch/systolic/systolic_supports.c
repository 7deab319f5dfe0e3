/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine can run, and if not, why. */
#include <string.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_vector.h"
#include "mapper/move.h"
#include "mapper/vector.h"
#include "workloads/ops/ops.h"

static bool has_function(const struct systolic *s, const char *op)
{
    for (int i = 0; i < s->cfg.functions.n; i++)
        if (!strcmp(s->cfg.functions.v[i], "all") || !strcmp(s->cfg.functions.v[i], op))
            return true;
    return false;
}

bool systolic_supports(const void *self, const struct graph *g, const struct node *n,
                       enum number precision, GString *why)
{
    (void)precision;
    if (!strcmp(n->op->name, "batched_product")) {
        const bool can = ((const struct systolic *)self)->cfg.stationary_from_buffer;
        g_string_assign(why, can ? ""
                                 : "weights come from their memory alone: "
                                   "array.stationary_from_buffer is false");
        return can;
    }
    if (n->op->is_matrix)
        return true;
    const bool has = has_function(self, n->op->name);
    const bool could =
        vector_reads(n->op->name) > 0 || move_is(g, n) || vector_looks_up(n->op->name);
    if (has && could)
        return vector_possible(g, n, why);
    if (!vector_supports(n->op->name) || move_is(g, n)) {
        g_string_assign(why, could ? "it is not one of activation.functions"
                                   : "the activation unit has no such function");
        return false;
    }
    const int n_dim = g->values[n->in[0]].shape.n_dim;
    const int channel = n_dim == 4 ? 1 : n_dim - 1; /* the dimension that is innermost here */
    if (!strcmp(n->op->name, "lrn") && channel != 1) {
        g_string_assign(why, "only channels of images or rows are normalised");
        return false;
    }
    if (!strcmp(n->op->name, "concat"))
        return true; /* of channels */
    if (strstr(n->op->name, "pool")) {
        const struct pool_attr *a = n->attr;
        if (g->values[n->in[0]].shape.n_dim == 4 && a->dilation.v[0] == 1 && a->dilation.v[1] == 1)
            return true;
        g_string_assign(why, "only windows of images without dilation are pooled");
        return false;
    }
    return strcmp(n->op->name, "add") || vector_operands_fit(g, n, why);
}
