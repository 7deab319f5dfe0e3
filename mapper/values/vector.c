/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators the lanes compute, of which nodes, and an operator on a region. */
#include <string.h>

#include "mapper/values/broadcast.h"
#include "mapper/values/vector.h"
#include "sim/base/error.h"
#include "workloads/ops/neural.h"
#include "workloads/ops/ops.h"
#include "workloads/threads.h"

/* Which operators the lanes compute, and of which nodes. */

enum kind { ELEMENT, ROW, IMAGE, MOVE, LOOKUP };

static const struct {
    const char *op;
    enum kind kind;
    int reads;
} operators[] = {
#define VECTOR(op, kind, reads) {#op, kind, reads},
#include "mapper/values/vector.def"
#undef VECTOR
};

const char *const vector_names[] = {
    "all",
#define VECTOR(op, kind, reads) #op,
#include "mapper/values/vector.def"
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

/* vector_compute(): an operator on a region. */

/* A chunk's part of a value, in the rank that the operator's attributes refer to. */
static struct shape part_shape(const struct shape *whole, int64_t n_image, int64_t n_row)
{
    struct shape s = *whole;
    if (s.n_dim < 2)
        return s;
    if (s.n_dim == 4) {
        s.dim[0] = n_image;
        s.dim[2] = n_row;
        return s;
    }
    for (int i = 0; i < s.n_dim - 1; i++)
        s.dim[i] = 1;
    s.dim[s.n_dim - 2] = n_image; /* rows of features */
    return s;
}

/* The rows of a mask from that of a region's first row on, each as often as before. */
static bool turn_mask(const struct tensor *mask, int64_t first, struct tensor *out, GError **error)
{
    const int64_t rows = mask->shape.dim[0], n = mask->shape.dim[1];
    if (!tensor_alloc(out, mask->type, &mask->shape, error))
        return false;
    for (int64_t i = 0; i < rows; i++)
        memcpy((float *)out->data + i * n, (const float *)mask->data + (first + i) % rows * n,
               (size_t)n * sizeof(float));
    return true;
}

/* An operand that is broadcast, each pixel of the region with its own: as stored. NULL: no memory.
 */
static void *spread(const struct plan *p, const struct plan_layer *l, const struct region *r, int j,
                    const void *in)
{
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    const struct dims o = dims_of(&g->values[l->out].shape);
    const size_t size = (size_t)plan_element_bytes(p, l->in[j]);
    const int64_t first = plan_first_needed(p, l, j, r), rows = r->n_row * o.w;
    struct broadcast b;
    broadcast_make(&g->values[l->out].shape, &g->values[n->in[j]].shape, &b);
    char *all = g_try_malloc_n((gsize)(r->n_image * rows * o.c), size);
    for (int64_t i = 0; all && i < r->n_image * rows; i++) {
        const int64_t pixel = ((r->image + i / rows) * o.h + r->row) * o.w + i % rows;
        const char *from = (const char *)in + (size_t)(broadcast_at(&b, pixel) - first) * size;
        for (int64_t c = 0; c < o.c; c += b.c)
            memcpy(all + (size_t)(i * o.c + c) * size, from, (size_t)b.c * size);
    }
    return all;
}

/* Operand j of a region in fp32: of the whole output in its own shape, else in the region's. */
static bool load_part(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                      const struct region *r, bool all, int j, const void *in, struct tensor *part,
                      GError **error)
{
    const struct graph *g = p->graph;
    const struct shape *own = &g->values[g->nodes[l->nodes[0]].in[j]].shape;
    const bool spreads = !all && l->broadcast >> j & 1;
    int64_t row, n_row;
    plan_input_rows(p, l, j, r, &row, &n_row);
    const struct shape s = all       ? *own
                           : spreads ? part_shape(&g->values[l->out].shape, r->n_image, r->n_row)
                                     : part_shape(own, r->n_image, n_row);
    g_autofree void *stored = spreads ? spread(p, l, r, j, in) : NULL;
    if (spreads && !stored)
        return error_set(error, ERROR_LIMIT, "no memory for an operand of layer '%s'", l->name);
    if (!tensor_alloc(part, NUMBER_fp32, &s, error))
        return false;
    storage_from_nhwc(part, spreads ? stored : in, quant_storage(p, q, l->in[j]));
    return true;
}

bool vector_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                    const struct region *r, const struct tensor *host, const void *const *in,
                    void *out, GError **error)
{
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    struct tensor parts[OP_MAX_IN] = {{0}}, result = {0}, *results[OP_MAX_OUT] = {&result};
    const struct tensor *operands[OP_MAX_IN] = {0};
    const struct dims o = dims_of(&g->values[l->out].shape);
    const bool all = r->n_image == o.n && r->n_row == o.h;
    bool ok = true;
    for (int j = 0; j < l->n_in && ok; j++) {
        ok = load_part(p, q, l, r, all, j, in[j], &parts[j], error);
        operands[j] = &parts[j];
    }
    for (int j = n->n_data; j < n->n_in; j++)
        operands[j] = n->in[j] < 0 ? NULL : &host[n->in[j]];
    struct tensor mask = {0};
    if (!strcmp(n->op->name, "scaled_softmax") && n->n_in > 1) {
        ok = ok && turn_mask(&host[n->in[1]], r->image, &mask, error);
        operands[1] = &mask;
    }
    const struct shape *whole = &g->values[l->out].shape;
    const struct shape s = all ? *whole : part_shape(whole, r->n_image, r->n_row);
    ok = ok && tensor_alloc(&result, NUMBER_fp32, &s, error);
    struct pool_threads *threads = threads_new(1);
    const struct op_call call = {n->attr, results, 1, operands, n->n_in, n->n_data, threads};
    ok = ok && op_run(n->op, &call, error);
    threads_free(threads);
    if (ok)
        storage_to_nhwc(out, &result, quant_storage(p, q, l->out));
    for (int j = 0; j < l->n_in; j++)
        tensor_clear(&parts[j]);
    tensor_clear(&result);
    tensor_clear(&mask);
    return ok;
}
