/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/pool.h"

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

bool pool_infer(const struct op_infer *c, GError **error)
{
    struct pool_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const struct window w = {.kernel = &a->kernel,
                             .stride = &a->stride,
                             .pad = &a->pad,
                             .dilation = &a->dilation,
                             .stride_is_kernel = a->stride.n == 0,
                             .ceil = a->ceil,
                             .auto_pad = &a->auto_pad};
    if (!window_shape(&w, in, in->n_dim > 1 ? in->dim[1] : 0, &c->out[0].shape, error))
        return false;
    /* Else a window could lie in the padding alone. */
    for (int i = 0; i < a->pad.n; i++) {
        const int d = i % a->kernel.n;
        const int64_t extent = (a->kernel.v[d] - 1) * a->dilation.v[d] + 1;
        if (a->pad.v[i] >= extent)
            return error_set(error, ERROR_INPUT,
                             "pad %" G_GINT64_FORMAT
                             " is not smaller than the kernel's %" G_GINT64_FORMAT,
                             a->pad.v[i], extent);
    }
    for (int i = 1; i < c->n_out; i++)
        c->out[i] = (struct operand){NUMBER_int64, c->out[0].shape, NULL};
    return true;
}

void pool_traits(const struct op_infer *c, struct traits *t)
{
    const struct pool_attr *a = c->attr;
    if (c->in[0]->shape.n_dim == 4)
        window_traits(&a->kernel, &a->stride, &a->dilation, &a->pad, &t->window);
}

bool pool_is_plain(const struct op_call *c)
{
    const struct pool_attr *a = c->attr;
    return c->in[0]->shape.n_dim == 4 && c->in[0]->type == NUMBER_fp32 && c->n_out == 1 &&
           a->dilation.v[0] == 1 && a->dilation.v[1] == 1;
}

/* The inputs that one window sees along dimension i: [first, last) of the kernel. */
static void window_range(const struct pool_attr *a, const struct shape *in, int i, int64_t o,
                         int64_t *begin, int64_t *first, int64_t *last, int64_t *padded)
{
    const int n = a->kernel.n;
    const int64_t step = a->dilation.v[i], dim = in->dim[2 + i];
    *begin = o * a->stride.v[i] - a->pad.v[i];
    *first = *begin < 0 ? int64_div_up(-*begin, step) : 0;
    *last = *begin < dim ? MIN(a->kernel.v[i], int64_div_up(dim - *begin, step)) : 0;
    *padded = MIN(a->kernel.v[i], int64_div_up(dim + a->pad.v[n + i] - *begin, step));
}

/* Fills at[] with the places that output element o of a plane sees. */
static void find_window(const struct pool_attr *a, const struct shape *in, const struct shape *out,
                        int64_t o, int64_t *at, struct pool_window *w)
{
    const int n = a->kernel.n;
    w->n = w->n_window = 1;
    at[0] = 0;
    for (int i = 0; i < n; i++) {
        const int64_t inner = shape_count_from(out, 3 + i);
        int64_t begin, first, last, padded;
        window_range(a, in, i, o / inner % out->dim[2 + i], &begin, &first, &last, &padded);
        const int64_t n_now = MAX(last - first, 0);
        for (int64_t k = w->n - 1; k >= 0; k--) /* each place so far becomes n_now of them */
            for (int64_t r = n_now - 1; r >= 0; r--)
                at[k * n_now + r] = at[k] * in->dim[2 + i] + begin + (first + r) * a->dilation.v[i];
        w->n *= n_now;
        w->n_window *= padded;
    }
}

bool pool_windows(const struct op_call *c,
                  void (*reduce)(const struct op_call *c, const struct pool_window *w,
                                 int64_t i_out, int64_t plane_count, int64_t i_plane),
                  GError **error)
{
    const struct shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    struct pool_window w = {.attr = c->attr};
    const int64_t in_count = shape_count_from(in, 2), out_count = shape_count_from(out, 2);
    int64_t *at = g_try_malloc_n((gsize)in_count, sizeof(*at)); /* a window is within a plane */
    if (!at)
        return error_set(error, ERROR_LIMIT, "no memory for the places of a window");
    w.at = at;
    for (int64_t o = 0; o < out_count; o++) {
        find_window(w.attr, in, out, o, at, &w);
        for (int64_t plane = 0; plane < in->dim[0] * in->dim[1]; plane++) {
            w.in = (const char *)c->in[0]->data +
                   (size_t)(plane * in_count) * number_bytes(c->in[0]->type);
            reduce(c, &w, plane * out_count + o, in_count, plane);
        }
    }
    g_free(at);
    return true;
}

struct pool_span pool_span(const struct pool_plane *p, int i, int64_t o)
{
    int64_t begin = o * p->attr->stride.v[i] - p->attr->pad.v[i];
    int64_t end = begin + p->attr->kernel.v[i];
    int64_t padded_end = p->in_size[i] + p->attr->pad.v[2 + i];
    return (struct pool_span){MAX(begin, 0), MIN(end, p->in_size[i]), MIN(end, padded_end) - begin};
}

struct pool {
    const struct op_call *call;
    void (*plane)(const struct pool_plane *p);
    int64_t n_plane, in_count, out_count, per_panel; /* counts: elements of a plane */
};

static void pool_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct pool *pool = arg;
    const struct op_call *c = pool->call;
    struct panel p = panel_at(pool->n_plane, pool->per_panel, i_panel);
    struct pool_plane plane = {
        .attr = c->attr,
        .in_size = &c->in[0]->shape.dim[2],
        .out_size = &c->out[0]->shape.dim[2],
    };
    for (int64_t i = p.begin; i < p.end; i++) {
        plane.in = (const float *)c->in[0]->data + i * pool->in_count;
        plane.out = (float *)c->out[0]->data + i * pool->out_count;
        pool->plane(&plane);
    }
}

void pool_run(const struct op_call *c, void (*plane)(const struct pool_plane *p))
{
    struct pool pool = {
        .call = c,
        .plane = plane,
        .in_count = shape_count_from(&c->in[0]->shape, 2),
        .out_count = shape_count_from(&c->out[0]->shape, 2),
    };
    pool.n_plane = shape_count(&c->out[0]->shape) / pool.out_count;
    pool.per_panel = panel_items(pool.in_count);
    threads_run(c->threads, panel_count(pool.n_plane, pool.per_panel), pool_panel, &pool);
}
