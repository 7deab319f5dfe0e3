/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation (Ioffe, Szegedy 2015). Statistics are summed in fp64, in the order of the
 * elements. */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/normalise.h"
#include "workloads/threads.h"

static const struct cfg_field batch_norm_fields[] = {
    NORM_EPSILON("1e-5"),
    {"momentum", CFG_FLOAT, offsetof(struct norm_attr, momentum), 0, 1, "0.9", NULL,
     "Share of the old running statistics at training.", NULL},
    {"training", CFG_BOOL, offsetof(struct norm_attr, training), 0, 0, "false", NULL,
     "Uses the batch's own statistics, and gives new running ones.", NULL},
    {0},
};

static bool batch_norm_infer(const struct op_infer *c, GError **error)
{
    const struct norm_attr *a = c->attr;
    if (!norm_check_channels(c, 1, 4, error))
        return false;
    if (c->n_out > 1 && (!a->training || c->n_out > 3))
        return error_set(error, ERROR_UNSUPPORTED, "%d outputs %s training", c->n_out,
                         a->training ? "at" : "without");
    c->out[0].shape = c->in[0]->shape;
    for (int i = 1; i < c->n_out; i++)
        c->out[i].shape = (struct shape){1, {c->in[0]->shape.dim[1]}};
    return true;
}

static int batch_norm_params(const struct op_infer *c, struct op_param *out)
{
    const struct shape row = {1, {c->in[0]->shape.dim[1]}};
    out[0] = (struct op_param)NORM_SCALE(row);
    out[1] = (struct op_param)NORM_BIAS(row);
    out[2] = (struct op_param){"mean", row, 0, true, 0.0f, 0.1f};
    out[3] = (struct op_param){"var", row, 0, true, 1.0f, 0.5f};
    return 4;
}

static struct moments batch_moments(const struct op_call *c, int64_t channel)
{
    const struct shape *in = &c->in[0]->shape;
    const int64_t inner = shape_count_from(in, 2), n = in->dim[0];
    double sum = 0, squares = 0, count = (double)n * (double)inner;
    for (int64_t i = 0; i < n; i++) {
        const float *x = (const float *)c->in[0]->data + (i * in->dim[1] + channel) * inner;
        for (int64_t k = 0; k < inner; k++)
            sum += (double)x[k];
    }
    for (int64_t i = 0; i < n; i++) {
        const float *x = (const float *)c->in[0]->data + (i * in->dim[1] + channel) * inner;
        for (int64_t k = 0; k < inner; k++)
            squares += ((double)x[k] - sum / count) * ((double)x[k] - sum / count);
    }
    return (struct moments){sum / count, squares / count};
}

static void keep_running(const struct op_call *c, int64_t channel, struct moments m)
{
    const double momentum = ((const struct norm_attr *)c->attr)->momentum;
    const double now[] = {m.mean, m.variance};
    for (int i = 1; i < c->n_out; i++)
        if (c->out[i])
            ((float *)c->out[i]->data)[channel] =
                (float)((double)((const float *)c->in[i + 2]->data)[channel] * momentum +
                        now[i - 1] * (1 - momentum));
}

static void batch_norm_panel(void *arg, int channel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    const struct norm_attr *attr = c->attr;
    const struct shape *in = &c->in[0]->shape;
    struct moments m = {(double)((const float *)c->in[3]->data)[channel],
                        (double)((const float *)c->in[4]->data)[channel]};
    if (attr->training) {
        m = batch_moments(c, channel);
        keep_running(c, channel, m);
    }
    const double a =
        (double)((const float *)c->in[1]->data)[channel] / sqrt(m.variance + attr->epsilon);
    const double b = (double)((const float *)c->in[2]->data)[channel] - m.mean * a;
    const int64_t inner = shape_count_from(in, 2);
    for (int64_t i = 0; i < in->dim[0]; i++) {
        const int64_t at = (i * in->dim[1] + channel) * inner;
        norm_scale((float *)c->out[0]->data + at, (const float *)c->in[0]->data + at, inner,
                   (float)a, (float)b);
    }
}

static bool batch_norm_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, (int)c->in[0]->shape.dim[1], batch_norm_panel, (void *)c);
    return true;
}

/* At training an image depends on the others of its batch. */
static void batch_norm_traits(const struct op_infer *c, struct traits *t)
{
    const struct norm_attr *a = c->attr;
    if (a->training)
        *t = (struct traits){.kind = TRAITS_OPAQUE};
    else
        t->image = (struct traits_image){true, 1, 2, 3, 4, a->epsilon};
}

const struct op op_batch_norm = {
    .name = "batch_norm",
    .summary = "Channels by their mean and deviation over the batch, known or its own.",
    .fields = batch_norm_fields,
    .attr_size = sizeof(struct norm_attr),
    .min_data = 1,
    .max_data = 1,
    .max_out = 3,
    .kind = TRAITS_IMAGE,
    .reads = 1,
    .infer = batch_norm_infer,
    .params = batch_norm_params,
    .forward = batch_norm_forward,
    .traits = batch_norm_traits,
};
