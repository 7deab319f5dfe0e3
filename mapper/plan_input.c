/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/plan_input.h"

#include "mapper/values/broadcast.h"
#include "mapper/values/permute.h"
#include "mapper/plan.h"
#include "sim/base/size.h"

/* It has the shape of the output. */
static bool is_added(const struct plan_layer *l, int i_in)
{
    return i_in > 0 && i_in == l->added;
}

void plan_input_rows(const struct plan *p, const struct plan_layer *l, int i_in,
                     const struct region *out, int64_t *row, int64_t *n_row)
{
    const struct dims in = plan_dims(p, l->in[i_in]);
    const struct dims o = plan_dims(p, l->out);
    if (out->n_row == o.h) {
        *row = 0;
        *n_row = in.h;
        return;
    }
    if (is_added(l, i_in)) {
        *row = out->row;
        *n_row = out->n_row;
        return;
    }
    const struct traits_window *w = &plan_layer_traits(p, l)->window;
    const int64_t extent = (w->kernel[0] - 1) * w->dilation[0] + 1;
    int64_t first = out->row * w->stride[0] - w->pad[0];
    int64_t end = (out->row + out->n_row - 1) * w->stride[0] - w->pad[0] + extent;
    *row = CLAMP(first, 0, in.h - 1);
    *n_row = CLAMP(end, *row + 1, in.h) - *row;
}

struct dims plan_in_dims(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    if (l->lookup) /* an index is what a row of the output needs */
        return (struct dims){shape_count(&g->values[l->in[0]].shape), 1, 1, 1};
    if (is_added(l, i_in))
        return plan_dims(p, l->in[i_in]);
    const struct shape *root = &g->values[l->in[i_in]].shape, *own = &g->values[n->in[i_in]].shape;
    if (root->n_dim == 4 || own->n_dim == 4)
        return plan_dims(p, l->in[i_in]);
    if (n->traits->kind != TRAITS_PRODUCT)
        return plan_dims(p, n->in[i_in]);
    const int64_t k = shape_count_from(own, n->traits->product.axis);
    return (struct dims){.n = shape_count(own) / k, .h = 1, .w = 1, .c = k};
}

static bool is_broadcast(const struct plan_layer *l, int i_in)
{
    return l->broadcast >> i_in & 1;
}

/* An operand without an image for each of the output's is needed as a whole for any of them. */
static bool is_for_all_images(const struct plan *p, const struct plan_layer *l, int i_in)
{
    if (!is_broadcast(l, i_in))
        return false;
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    const struct shape *own = &p->graph->values[n->in[i_in]].shape;
    const struct shape *out = &p->graph->values[n->out[0]].shape;
    return (own->n_dim == 4) != (out->n_dim == 4) ||
           plan_dims(p, n->in[i_in]).n != plan_dims(p, n->out[0]).n;
}

bool plan_is_mapped(const struct plan *p, const struct plan_layer *l, int i_in)
{
    return l->permute || l->stationary_is_activation || is_for_all_images(p, l, i_in) ||
           plan_in_dims(p, l, i_in).n != plan_dims(p, l->in[i_in]).n;
}

/* A value that is read twice has one slot. */
static bool is_read_twice(const struct plan_layer *l, int i_in)
{
    for (int j = 0; j < l->n_in; j++)
        if (j != i_in && l->in[j] == l->in[i_in])
            return true;
    return false;
}

/* Where matrices of a stack lie in the value that it is a view of. */
static struct region matrices_region(const struct plan *p, const struct plan_layer *l, int i_in,
                                     const struct region *out, int64_t *skip)
{
    const struct dims root = plan_dims(p, l->in[i_in]);
    const int64_t matrix = l->gemm.k * (i_in == 0 ? l->gemm.m : l->gemm.n);
    const int64_t first = plan_first_matrix(l, out) * matrix;
    const int64_t end = first + plan_groups(l, out) * matrix, image = dims_image(&root);
    struct region r = {.image = first / image, .n_row = root.h};
    r.n_image = int64_div_up(end, image) - r.image;
    if (is_read_twice(l, i_in))
        r = (struct region){.n_image = root.n, .n_row = root.h};
    *skip = first - r.image * image;
    return r;
}

struct region plan_input_region(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out, int64_t *skip)
{
    const struct dims root = plan_dims(p, l->in[i_in]);
    struct region r = *out;
    *skip = 0;
    if (!plan_is_mapped(p, l, i_in)) {
        plan_input_rows(p, l, i_in, out, &r.row, &r.n_row);
        return r;
    }
    r = (struct region){.n_image = root.n, .n_row = root.h};
    if (is_for_all_images(p, l, i_in))
        return r;
    if (l->stationary_is_activation)
        return matrices_region(p, l, i_in, out, skip);
    if (l->permute) {
        if (!is_read_twice(l, i_in))
            permute_images(p, l, i_in, out, &r.image, &r.n_image);
        return r;
    }
    const int64_t own = plan_in_dims(p, l, i_in).c, first = out->image * own;
    r.image = is_read_twice(l, i_in) ? 0 : first / root.c;
    r.n_image = is_read_twice(l, i_in) ? root.n
                                       : int64_div_up(first + out->n_image * own, root.c) - r.image;
    *skip = first - r.image * root.c;
    return r;
}

bool plan_load_region(const struct plan *p, const struct plan_layer *l, int i_in,
                      const struct region *out, struct region *load)
{
    const struct dims root = plan_dims(p, l->in[i_in]);
    int64_t skip;
    *load = plan_input_region(p, l, i_in, out, &skip);
    if (!p->homes[l->in[i_in]].resident)
        return true;
    load->row = 0;
    load->n_row = root.h;
    if (!plan_is_mapped(p, l, i_in))
        return out->row == 0;
    load->image = 0;
    load->n_image = root.n;
    return out->image == 0 && out->row == 0;
}

int64_t plan_first_needed(const struct plan *p, const struct plan_layer *l, int i_in,
                          const struct region *out)
{
    const struct dims d = plan_in_dims(p, l, i_in);
    int64_t row, n_row;
    if (is_for_all_images(p, l, i_in))
        return 0;
    plan_input_rows(p, l, i_in, out, &row, &n_row);
    return (out->image * d.h + row) * d.w * d.c;
}

/* Pixels of the output of a layer's first node, which pooling on the way out may make fewer of. */
static int64_t pixels_made(const struct plan *p, const struct plan_layer *l,
                           const struct region *out)
{
    const struct dims o = plan_dims(p, l->out);
    const struct dims d = plan_dims(p, p->graph->nodes[l->nodes[0]].out[0]);
    return out->n_image * (out->n_row == o.h ? d.h : out->n_row) * d.w;
}

int64_t plan_pixels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                         const struct region *out)
{
    int64_t row, n_row;
    if (is_broadcast(l, i_in))
        return pixels_made(p, l, out);
    plan_input_rows(p, l, i_in, out, &row, &n_row);
    return out->n_image * n_row * plan_in_dims(p, l, i_in).w;
}

int64_t plan_channels_read(const struct plan *p, const struct plan_layer *l, int i_in)
{
    struct broadcast b;
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    if (!is_broadcast(l, i_in))
        return plan_in_dims(p, l, i_in).c;
    broadcast_make(&p->graph->values[n->out[0]].shape, &p->graph->values[n->in[i_in]].shape, &b);
    return b.c;
}

int64_t plan_rows_needed(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const int64_t h = plan_dims(p, l->out).h;
    int64_t n = 0, end = 0;
    if (plan_layer_pool(p, l) || plan_is_mapped(p, l, i_in))
        return plan_dims(p, l->in[i_in]).h; /* is not cut into rows */
    for (int64_t y = 0; y < h; y++) {
        const struct region r = {.n_image = 1, .row = y, .n_row = 1};
        int64_t row, n_row;
        plan_input_rows(p, l, i_in, &r, &row, &n_row);
        n += MAX(row + n_row - MAX(row, end), 0);
        end = MAX(end, row + n_row);
    }
    return n;
}
