/* SPDX-License-Identifier: Apache-2.0 */
/* vector_compute(): an operator on a region. */
#include <string.h>

#include "mapper/broadcast.h"
#include "mapper/vector.h"
#include "sim/base/error.h"
#include "workloads/threads.h"

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
