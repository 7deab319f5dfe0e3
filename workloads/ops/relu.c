/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

static bool relu_shape(void *attr, const struct shape *const *in, int n_in, struct shape *out,
                       GError **error)
{
    (void)attr, (void)n_in, (void)error;
    *out = *in[0];
    return true;
}

static void relu_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const float *x = c->in[0]->data;
    float *y = c->out->data;
    struct panel p = panel_at(shape_count(&c->out->shape), PANEL_ELEMENTS, i_panel);
    for (int64_t i = p.begin; i < p.end; i++)
        y[i] = x[i] < 0 ? 0 : x[i]; /* a NaN stays one */
}

static bool relu_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, panel_count(shape_count(&c->out->shape), PANEL_ELEMENTS), relu_panel,
                (void *)c);
    return true;
}

const struct op op_relu = {
    .name = "relu",
    .summary = "Rectifier: the larger of x and 0.",
    .min_data = 1,
    .max_data = 1,
    .in_place = true,
    .shape = relu_shape,
    .forward = relu_forward,
};
