/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/pool.h"

#include "sim/base/error.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

bool pool_infer(const struct op_infer *c, GError **error)
{
    struct pool_attr *a = c->attr;
    const struct shape *in = &c->in[0]->shape;
    const struct window w = {.kernel = &a->kernel,
                             .stride = &a->stride,
                             .pad = &a->pad,
                             .stride_is_kernel = true,
                             .ceil = a->ceil};
    if (!window_shape(&w, in, in->n_dim > 1 ? in->dim[1] : 0, &c->out[0].shape, error))
        return false;
    /* Else a window could lie in the padding alone. */
    for (int i = 0; i < 4; i++)
        if (a->pad.v[i] >= a->kernel.v[i % 2])
            return error_set(error, ERROR_INPUT,
                             "pad %" G_GINT64_FORMAT
                             " is not smaller than the kernel's %" G_GINT64_FORMAT,
                             a->pad.v[i], a->kernel.v[i % 2]);
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
