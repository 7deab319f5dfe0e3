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

/* What the windows of [*at, *at + *n) along rows (dim 0) or columns (1) cover of size_in. */
static void cover(const struct plan *p, const struct plan_layer *l, int i_in, int dim,
                  int64_t size_in, int64_t *at, int64_t *n)
{
    if (is_added(l, i_in))
        return;
    const struct traits_window *w = &plan_layer_traits(p, l)->window;
    const int64_t extent = (w->kernel[dim] - 1) * w->dilation[dim] + 1;
    const int64_t first = *at * w->stride[dim] - w->pad[dim];
    const int64_t end = (*at + *n - 1) * w->stride[dim] - w->pad[dim] + extent;
    *at = CLAMP(first, 0, size_in - 1);
    *n = CLAMP(end, *at + 1, size_in) - *at;
}

void plan_input_rows(const struct plan *p, const struct plan_layer *l, int i_in,
                     const struct region *out, int64_t *row, int64_t *n_row)
{
    const struct dims in = plan_dims(p, l->in[i_in]);
    const bool all = out->n_row == plan_dims(p, l->out).h;
    *row = all ? 0 : out->row;
    *n_row = all ? in.h : out->n_row;
    if (!all)
        cover(p, l, i_in, 0, in.h, row, n_row);
}

void plan_input_columns(const struct plan *p, const struct plan_layer *l, int i_in,
                        const struct region *out, int64_t *col, int64_t *n_col)
{
    const struct dims in = plan_dims(p, l->in[i_in]);
    const bool all = out->n_col == plan_dims(p, l->out).w;
    *col = all ? 0 : out->col;
    *n_col = all ? in.w : out->n_col;
    if (!all)
        cover(p, l, i_in, 1, in.w, col, n_col);
}

bool plan_needs_all_channels(const struct plan *p, const struct plan_layer *l)
{
    return plan_layer_traits(p, l)->kind == TRAITS_PRODUCT;
}

struct region plan_input_pixels(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out)
{
    struct region r = *out;
    plan_input_rows(p, l, i_in, out, &r.row, &r.n_row);
    plan_input_columns(p, l, i_in, out, &r.col, &r.n_col);
    if (out->n_channel == plan_dims(p, l->out).c || plan_needs_all_channels(p, l)) {
        r.channel = is_added(l, i_in) ? out->channel : 0;
        r.n_channel = plan_dims(p, l->in[i_in]).c;
    }
    return r;
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
    struct region r = region_whole(&root);
    if (!is_read_twice(l, i_in)) {
        r.image = first / image;
        r.n_image = int64_div_up(end, image) - r.image;
    }
    *skip = first - r.image * image;
    return r;
}

struct region plan_input_region(const struct plan *p, const struct plan_layer *l, int i_in,
                                const struct region *out, int64_t *skip)
{
    const struct dims root = plan_dims(p, l->in[i_in]);
    struct region r = region_whole(&root);
    *skip = 0;
    if (!plan_is_mapped(p, l, i_in))
        return plan_input_pixels(p, l, i_in, out);
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

struct region plan_output_region(const struct plan *p, const struct plan_layer *l, int i_out,
                                 const struct region *out)
{
    const struct dims d = plan_dims(p, l->outs[i_out]);
    struct region r = *out;
    if (i_out == 0)
        return r;
    r.n_col = d.w; /* only layers of one output are cut there */
    r.n_channel = d.c;
    return r;
}

bool plan_load_region(const struct plan *p, const struct plan_layer *l, int i_in,
                      const struct region *out, struct region *load)
{
    const struct dims root = plan_dims(p, l->in[i_in]);
    int64_t skip;
    const bool is_first = out->row == 0 && out->col == 0 && out->channel == 0; /* of its images */
    *load = plan_input_region(p, l, i_in, out, &skip);
    if (!p->homes[l->in[i_in]].resident)
        return out->channel == 0 || !plan_needs_all_channels(p, l);
    const struct region needed = *load;
    *load = region_whole(&root);
    if (plan_is_mapped(p, l, i_in))
        return out->image == 0 && is_first;
    load->image = needed.image;
    load->n_image = needed.n_image;
    return is_first;
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
    return out->n_image * (out->n_row == o.h ? d.h : out->n_row) *
           (out->n_col == o.w ? d.w : out->n_col);
}

int64_t plan_pixels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                         const struct region *out)
{
    int64_t row, n_row, col, n_col = plan_in_dims(p, l, i_in).w;
    if (is_broadcast(l, i_in))
        return pixels_made(p, l, out);
    plan_input_rows(p, l, i_in, out, &row, &n_row);
    if (out->n_col < plan_dims(p, l->out).w)
        plan_input_columns(p, l, i_in, out, &col, &n_col);
    return out->n_image * n_row * n_col;
}

int64_t plan_channels_read(const struct plan *p, const struct plan_layer *l, int i_in,
                           const struct region *out)
{
    struct broadcast b;
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    if (out->n_channel < plan_dims(p, l->out).c)
        return out->n_channel;
    if (!is_broadcast(l, i_in))
        return plan_in_dims(p, l, i_in).c;
    broadcast_make(&p->graph->values[n->out[0]].shape, &p->graph->values[n->in[i_in]].shape, &b);
    return b.c;
}

/* Of size_in rows or columns those that some window of n_out covers. */
static int64_t n_covered(const struct plan *p, const struct plan_layer *l, int i_in, int dim,
                         int64_t size_in, int64_t n_out)
{
    int64_t sum = 0, before = 0;
    if (n_out == 1)
        return size_in; /* all of them are read */
    for (int64_t i = 0; i < n_out; i++) {
        int64_t at = i, n = 1;
        cover(p, l, i_in, dim, size_in, &at, &n);
        sum += MAX(at + n - MAX(at, before), 0);
        before = MAX(before, at + n);
    }
    return sum;
}

int64_t plan_rows_needed(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const struct dims in = plan_dims(p, l->in[i_in]);
    if (plan_layer_pool(p, l) || plan_is_mapped(p, l, i_in))
        return in.h; /* is not cut into rows */
    return n_covered(p, l, i_in, 0, in.h, plan_dims(p, l->out).h);
}

int64_t plan_columns_needed(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const struct dims in = plan_dims(p, l->in[i_in]);
    return plan_cuts_columns(p, l) ? n_covered(p, l, i_in, 1, in.w, plan_dims(p, l->out).w) : in.w;
}

/* What is summed, pooled or moved on the way out, comes from elsewhere in its image, or lies
 * otherwise than it is seen. */
static bool is_cut_by_pixels(const struct plan *p, const struct plan_layer *l)
{
    for (int j = 0; j < l->n_in && l->kind == LAYER_VECTOR; j++)
        if (plan_is_mapped(p, l, j))
            return false;
    return (l->kind == LAYER_MATRIX || l->kind == LAYER_VECTOR) && l->n_out == 1 &&
           !plan_layer_pool(p, l) && !l->added && !l->permute && !l->broadcast &&
           !l->stationary_is_activation;
}

bool plan_cuts_columns(const struct plan *p, const struct plan_layer *l)
{
    const struct traits *t = plan_layer_traits(p, l);
    if (!is_cut_by_pixels(p, l) || p->graph->values[l->out].shape.n_dim != 4)
        return false;
    switch (t->kind) {
    case TRAITS_PRODUCT:
        return traits_convolves(t);
    case TRAITS_ROW:
        return t->row.repeated < 0;
    case TRAITS_IMAGE:
        return t->image.is_affine;
    default:
        return true;
    }
}

/* Where others are read as well, or parameters of each channel, they are not cut. */
bool plan_cuts_channels(const struct plan *p, const struct plan_layer *l)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    if (!is_cut_by_pixels(p, l))
        return false;
    if (l->kind == LAYER_MATRIX)
        return l->channel_unit > 0 && l->gemm.groups == 1 && l->gemm.n == plan_dims(p, l->out).c;
    const bool pools =
        n->traits->kind == TRAITS_WINDOW && p->graph->values[l->out].shape.n_dim == 4;
    return n->n_in == n->n_data && (pools || n->traits->kind == TRAITS_ELEMENT);
}
