/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

static void relu_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const float *x = c->in[0]->data;
    float *y = c->out[0]->data;
    struct panel p = panel_at(shape_count(&c->out[0]->shape), PANEL_ELEMENTS, i_panel);
    for (int64_t i = p.begin; i < p.end; i++)
        y[i] = x[i] < 0 ? 0 : x[i]; /* a NaN stays one */
}

static bool relu_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, panel_count(shape_count(&c->out[0]->shape), PANEL_ELEMENTS), relu_panel,
                (void *)c);
    return true;
}

const struct op op_relu = {
    .name = "relu",
    .summary = "Rectifier: the larger of x and 0.",
    .min_data = 1,
    .max_data = 1,
    .in_place = true,
    .infer = infer_as_first,
    .forward = relu_forward,
};
