/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/base/error.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

static bool add_infer(const struct op_infer *c, GError **error)
{
    c->out[0].shape = c->in[0]->shape;
    if (shape_equal(&c->in[0]->shape, &c->in[1]->shape))
        return true;
    struct arena *a = arena_new();
    error_set(error, ERROR_INPUT, "the inputs' shapes %s and %s are not equal",
              shape_text(&c->in[0]->shape, 0, a), shape_text(&c->in[1]->shape, 0, a));
    arena_free(a);
    return false;
}

static void add_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const float *a = c->in[0]->data, *b = c->in[1]->data;
    float *y = c->out[0]->data;
    struct panel p = panel_at(shape_count(&c->out[0]->shape), PANEL_ELEMENTS, i_panel);
    for (int64_t i = p.begin; i < p.end; i++)
        y[i] = a[i] + b[i];
}

static bool add_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, panel_count(shape_count(&c->out[0]->shape), PANEL_ELEMENTS), add_panel,
                (void *)c);
    return true;
}

const struct op op_add = {
    .name = "add",
    .summary = "Sum of two values of one shape, element by element.",
    .min_data = 2,
    .max_data = 2,
    .in_place = true,
    .infer = add_infer,
    .forward = add_forward,
};
