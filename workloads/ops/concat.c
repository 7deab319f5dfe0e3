/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/axis.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"
#include "workloads/threads.h"

static const struct cfg_field concat_fields[] = {
    {"axis", CFG_INT, offsetof(struct concat_attr, axis), -SHAPE_MAX_DIM, SHAPE_MAX_DIM - 1, "1",
     NULL, "Dimension along which the inputs follow each other; negative counts from the end.",
     NULL},
    {0},
};

static bool concat_infer(const struct op_infer *c, GError **error)
{
    struct concat_attr *a = c->attr;
    const struct shape *first = &c->in[0]->shape;
    struct shape *out = &c->out[0].shape;
    if (!axis_normalise(&a->axis, first, error) || !infer_one_type(c, error))
        return false;
    *out = *first;
    for (int i = 1; i < c->n_in; i++) {
        const struct shape *in = &c->in[i]->shape;
        if (in->n_dim != out->n_dim)
            return error_set(error, ERROR_INPUT, "input %d has %d dimensions, the first %d", i + 1,
                             in->n_dim, out->n_dim);
        for (int d = 0; d < out->n_dim; d++)
            if (d != a->axis && in->dim[d] != out->dim[d])
                return error_set(error, ERROR_INPUT,
                                 "dimension %d of input %d is %" G_GINT64_FORMAT
                                 ", that of the first %" G_GINT64_FORMAT,
                                 d, i + 1, in->dim[d], out->dim[d]);
        /* At most OP_MAX_IN dimensions of at most 2^40. */
        out->dim[a->axis] += in->dim[a->axis];
    }
    return true;
}

/* One input into its places in the output. */
static void concat_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct op_call *c = arg;
    int axis = (int)((const struct concat_attr *)c->attr)->axis;
    int64_t block = shape_count_from(&c->in[i_panel]->shape, axis);
    int64_t pitch = shape_count_from(&c->out[0]->shape, axis);
    int64_t n_block = shape_count(&c->out[0]->shape) / pitch;
    float *out = c->out[0]->data;
    for (int i = 0; i < i_panel; i++)
        out += shape_count_from(&c->in[i]->shape, axis);
    const float *in = c->in[i_panel]->data;
    for (int64_t i = 0; i < n_block; i++)
        memcpy(out + i * pitch, in + i * block, (size_t)block * sizeof(float));
}

static bool concat_forward(const struct op_call *c, GError **error)
{
    (void)error;
    threads_run(c->threads, c->n_data, concat_panel, (void *)c);
    return true;
}

const struct op op_concat = {
    .name = "concat",
    .summary = "Puts its inputs one after the other along one dimension.",
    .fields = concat_fields,
    .attr_size = sizeof(struct concat_attr),
    .min_data = 1,
    .max_data = OP_MAX_IN,
    .infer = concat_infer,
    .forward = concat_forward,
};
