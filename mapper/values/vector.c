/* SPDX-License-Identifier: Apache-2.0 */
/* Which operators the lanes compute, of which nodes, and an operator on a region. */
#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/values/broadcast.h"
#include "mapper/values/vector.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "workloads/threads.h"

/* Which operators the lanes compute, and of which nodes. */

bool vector_is_function(const struct traits *t)
{
    switch (t->kind) {
    case TRAITS_ELEMENT:
        return t->reads > 0 && !t->element.adds && !traits_rectifies(t);
    case TRAITS_ROW:
    case TRAITS_IMAGE:
        return t->reads > 0;
    default:
        return false;
    }
}

static bool refuse(GString *why, const char *reason)
{
    g_string_assign(why, reason);
    return false;
}

bool vector_broadcasts(const struct traits *t)
{
    return t->kind == TRAITS_ELEMENT && t->reads > 0;
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

/* Channels of an image are innermost, of a row the last dimension is. */
static bool is_innermost(const struct shape *s, const struct traits_row *row)
{
    return row->n_axis == 1 && row->axis == (s->n_dim == 4 ? 1 : s->n_dim - 1);
}

bool vector_possible(const struct graph *g, const struct node *n, GString *why)
{
    const struct shape *shape = &g->values[n->in[0]].shape;
    switch (n->traits->kind) {
    case TRAITS_ELEMENT:
        return vector_operands_fit(g, n, why);
    case TRAITS_ROW:
        return is_innermost(shape, &n->traits->row) ||
               refuse(why, "its rows are not the innermost dimension");
    case TRAITS_IMAGE:
        return shape->n_dim == 4 || shape->n_dim == 2 || refuse(why, "it takes images alone");
    case TRAITS_MOVE:
    case TRAITS_LOOKUP:
        return true;
    default:
        return refuse(why, "it is no operator between matrix products");
    }
}

/* vector_compute(): an operator on a region. */

/* A chunk's part of a value, in the rank that the operator's attributes refer to. */
static struct shape part_shape(const struct shape *whole, const struct region *r)
{
    struct shape s = *whole;
    if (s.n_dim == 4)
        return (struct shape){4, {r->n_image, r->n_channel, r->n_row, r->n_col}};
    if (s.n_dim > 0)
        s.dim[s.n_dim - 1] = r->n_channel;
    for (int i = 0; i < s.n_dim - 1; i++)
        s.dim[i] = 1;
    if (s.n_dim > 1)
        s.dim[s.n_dim - 2] = r->n_image; /* rows of features */
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

/* What a region needs of operand j, in the shape that the operator sees it in. */
static struct region part_of(const struct plan *p, const struct plan_layer *l, int j,
                             const struct shape *own, const struct region *r)
{
    const struct dims o = plan_dims(p, l->out), d = dims_of(own);
    struct region needed = plan_input_pixels(p, l, j, r);
    needed.n_row = r->n_row == o.h ? d.h : needed.n_row;
    needed.n_col = r->n_col == o.w ? d.w : needed.n_col;
    return needed;
}

/* Operand j of a region in fp32: of the whole output in its own shape, else in the region's. */
static bool load_part(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                      const struct region *r, bool all, int j, const void *in, struct tensor *part,
                      GError **error)
{
    const struct graph *g = p->graph;
    const struct shape *own = &g->values[g->nodes[l->nodes[0]].in[j]].shape;
    const bool spreads = !all && l->broadcast >> j & 1;
    struct region needed = *r;
    if (!spreads && plan_is_mapped(p, l, j)) /* rows of features, seen otherwise */
        needed.n_channel = plan_in_dims(p, l, j).c;
    else if (!spreads)
        needed = part_of(p, l, j, own, r);
    const struct shape s =
        all ? *own : part_shape(spreads ? &g->values[l->out].shape : own, &needed);
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
    const bool all = r->n_image == o.n && region_has_images(r, &o);
    bool ok = true;
    for (int j = 0; j < l->n_in && ok; j++) {
        ok = load_part(p, q, l, r, all, j, in[j], &parts[j], error);
        operands[j] = &parts[j];
    }
    for (int j = n->n_data; j < n->n_in; j++)
        operands[j] = n->in[j] < 0 ? NULL : &host[n->in[j]];
    struct tensor mask = {0};
    const int repeated = n->traits->kind == TRAITS_ROW ? n->traits->row.repeated : -1;
    if (repeated >= 0) {
        ok = ok && turn_mask(&host[n->in[repeated]], r->image, &mask, error);
        operands[repeated] = &mask;
    }
    const struct shape *whole = &g->values[l->out].shape;
    const struct shape s = all ? *whole : part_shape(whole, r);
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
