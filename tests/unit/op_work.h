/* SPDX-License-Identifier: Apache-2.0 */
/* One operator at work outside a graph, for the tests of operators: work_make(), then
 * work_result(), then work_clear(). */
#pragma once

#include "tests/unit/test.h"
#include "workloads/op.h"
#include "workloads/threads.h"

#define WORK_MAX_IN 4

/* The caller sets op, attr, n_data and the data inputs' shapes. */
struct work {
    const struct op *op;
    void *attr;
    int n_data, n_in;
    struct shape shapes[WORK_MAX_IN];
    struct tensor in[WORK_MAX_IN], out; /* in: data inputs, then parameters */
};

static inline void fill(struct tensor *t, const struct shape *shape, GRand *rand)
{
    GError *error = NULL;
    ck_ok(tensor_alloc(t, NUMBER_fp32, shape, &error), error);
    for (int64_t i = 0; i < shape_count(shape); i++)
        ((float *)t->data)[i] = (float)g_rand_double_range(rand, -1, 1);
}

/* Shapes, parameters and random contents. */
static inline void work_make(struct work *w, GRand *rand)
{
    GError *error = NULL;
    struct operand in[WORK_MAX_IN], out = {.type = NUMBER_fp32};
    const struct operand *refs[WORK_MAX_IN];
    for (int i = 0; i < w->n_data; i++) {
        in[i] = (struct operand){NUMBER_fp32, w->shapes[i], NULL};
        refs[i] = &in[i];
    }
    const struct op_infer infer = {w->attr, refs, w->n_data, &out, 1};
    ck_ok(w->op->infer(&infer, &error), error);
    struct op_param params[OP_MAX_PARAM];
    int n_param = w->op->params ? w->op->params(&infer, params) : 0;
    for (int i = 0; i < w->n_data; i++)
        fill(&w->in[i], &w->shapes[i], rand);
    for (int i = 0; i < n_param; i++)
        fill(&w->in[w->n_data + i], &params[i].shape, rand);
    w->n_in = w->n_data + n_param;
    fill(&w->out, &out.shape, rand);
}

static inline void work_run(struct work *w, int n_thread)
{
    const struct tensor *in[WORK_MAX_IN];
    for (int i = 0; i < w->n_in; i++)
        in[i] = &w->in[i];
    struct tensor *out = &w->out;
    struct op_call call = {.attr = w->attr,
                           .out = &out,
                           .n_out = 1,
                           .in = in,
                           .n_in = w->n_in,
                           .n_data = w->n_data,
                           .threads = threads_new(n_thread)};
    GError *error = NULL;
    ck_ok(w->op->forward(&call, &error), error);
    threads_free(call.threads);
}

/* With 1, 2 and 3 threads, which must agree bit for bit. */
static inline const float *work_result(struct work *w)
{
    work_run(w, 1);
    void *first = g_memdup2(w->out.data, tensor_bytes(&w->out));
    for (int n_thread = 2; n_thread <= 3; n_thread++) {
        memset(w->out.data, 0xff, tensor_bytes(&w->out)); /* NaN where nothing is written */
        work_run(w, n_thread);
        ck_assert_mem_eq(first, w->out.data, tensor_bytes(&w->out));
    }
    g_free(first);
    return w->out.data;
}

static inline void work_clear(struct work *w)
{
    for (int i = 0; i < w->n_in; i++)
        tensor_clear(&w->in[i]);
    tensor_clear(&w->out);
}

/* The element at (n, c, y, x), or `outside`. */
static inline double image_at(const struct tensor *t, int64_t n, int64_t c, int64_t y, int64_t x,
                              double outside)
{
    const int64_t *d = t->shape.dim;
    if (y < 0 || x < 0 || y >= d[2] || x >= d[3])
        return outside;
    return ((const float *)t->data)[((n * d[1] + c) * d[2] + y) * d[3] + x];
}
