/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators the lanes compute, and of which nodes. */
#include "mapper/vector.h"

#include <string.h>

#include "mapper/broadcast.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/ops.h"

enum kind { ELEMENT, ROW, IMAGE, MOVE, LOOKUP };

static const struct {
    const char *op;
    enum kind kind;
    int reads;
} operators[] = {
#define VECTOR(op, kind, reads) {#op, kind, reads},
#include "mapper/vector.def"
#undef VECTOR
};

const char *const vector_names[] = {
    "all",
#define VECTOR(op, kind, reads) #op,
#include "mapper/vector.def"
#undef VECTOR
    NULL,
};

static int find(const char *op)
{
    for (size_t i = 0; i < G_N_ELEMENTS(operators); i++)
        if (!strcmp(operators[i].op, op))
            return (int)i;
    return -1;
}

bool vector_moves(const char *op)
{
    const int i = find(op);
    return i >= 0 && operators[i].kind == MOVE;
}

bool vector_looks_up(const char *op)
{
    const int i = find(op);
    return i >= 0 && operators[i].kind == LOOKUP;
}

int vector_reads(const char *op)
{
    const int i = find(op);
    return i < 0 ? 0 : operators[i].reads;
}

/* The dimension that a reduction leaves one value of; -1: others, or it is not left there. */
static int64_t reduced_axis(const struct reduce_attr *a, int n_dim)
{
    if (!a->keepdims || a->axes.n != 1)
        return -1;
    return a->axes.v[0] < 0 ? a->axes.v[0] + n_dim : a->axes.v[0];
}

/* The first dimension of a row, counted from 0. */
static int64_t row_axis(const struct graph *g, const struct node *n)
{
    if (g_str_has_prefix(n->op->name, "reduce_"))
        return reduced_axis(n->attr, g->values[n->in[0]].shape.n_dim);
    if (!strcmp(n->op->name, "scaled_softmax"))
        return g->values[n->in[0]].shape.n_dim - 1;
    if (strstr(n->op->name, "softmax"))
        return ((const struct softmax_attr *)n->attr)->axis;
    return ((const struct norm_attr *)n->attr)->axis;
}

static bool refuse(GString *why, const char *reason)
{
    g_string_assign(why, reason);
    return false;
}

bool vector_broadcasts(const char *op)
{
    const int i = find(op);
    return !strcmp(op, "add") || (i >= 0 && operators[i].kind == ELEMENT);
}

bool vector_operands_fit(const struct graph *g, const struct node *n, GString *why)
{
    struct broadcast b;
    for (int i = 0; i < n->n_data; i++)
        if (!broadcast_make(&g->values[n->out[0]].shape, &g->values[n->in[i]].shape, &b))
            return refuse(why,
                          "the channels of an operand of another shape do not lie side by side");
    return true;
}

bool vector_possible(const struct graph *g, const struct node *n, GString *why)
{
    const struct shape *shape = &g->values[n->in[0]].shape;
    const int i = find(n->op->name);
    if (i < 0)
        return refuse(why, "it is no operator between matrix products");
    switch (operators[i].kind) {
    case ELEMENT:
        return vector_operands_fit(g, n, why);
    case ROW: {
        /* Channels of an image are innermost, of its row the last dimension is. */
        const bool is_image = shape->n_dim == 4;
        const bool is_softmax =
            !strcmp(n->op->name, "softmax") || !strcmp(n->op->name, "log_softmax");
        const int64_t innermost = is_image && is_softmax ? 1 : shape->n_dim - 1;
        return ((!is_image || is_softmax) && row_axis(g, n) == innermost) ||
               refuse(why, "its rows are not the innermost dimension");
    }
    case IMAGE:
        return shape->n_dim == 4 || (shape->n_dim == 2 && !strcmp(n->op->name, "batch_norm")) ||
               refuse(why, "it takes images alone");
    case MOVE:
    case LOOKUP:
        return true;
    }
    return false;
}
