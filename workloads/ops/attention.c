/* SPDX-License-Identifier: Apache-2.0 */
/* Scaled dot-product attention (Vaswani et al. 2017), and embeddings. A head of a sequence is a
 * panel: scores [queries, keys], their softmax row by row, then the weighted values. */
#include <cblas.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/attention.h"
#include "workloads/ops/vector_math.h"
#include "workloads/threads.h"

#define LD G_GINT64_FORMAT

static const struct cfg_field attention_fields[] = {
    {"heads", CFG_INT, offsetof(struct attention_attr, heads), 1, 65536, "1", NULL,
     "Heads that the last dimension is divided among.", NULL},
    {"scale", CFG_FLOAT, offsetof(struct attention_attr, scale), 0, 1e30, "0.0", NULL,
     "Factor of the scores; 0: one over the square root of a head's size.", NULL},
    {"causal", CFG_BOOL, offsetof(struct attention_attr, causal), 0, 0, "false", NULL,
     "A query sees no later key; the last query sees all.", NULL},
    {0},
};

static bool attention_infer(const struct op_infer *c, GError **error)
{
    const struct attention_attr *a = c->attr;
    const struct shape *q = &c->in[0]->shape, *k = &c->in[1]->shape, *v = &c->in[2]->shape;
    const struct operand *mask = infer_input(c, 3);
    bool fits = q->n_dim == 3 && k->n_dim == 3 && v->n_dim == 3 && q->dim[0] == k->dim[0] &&
                k->dim[0] == v->dim[0] && k->dim[1] == v->dim[1] && q->dim[2] == k->dim[2] &&
                q->dim[2] % a->heads == 0 && v->dim[2] % a->heads == 0;
    if (!fits)
        return error_set(error, ERROR_INPUT,
                         "queries, keys and values (each batch, steps, heads "
                         "times features) do not fit together");
    if (mask && (mask->shape.n_dim != 2 || mask->shape.dim[0] != q->dim[1] ||
                 mask->shape.dim[1] != k->dim[1]))
        return error_set(error, ERROR_INPUT, "the mask is not [queries, keys]");
    c->out[0].shape = (struct shape){3, {q->dim[0], q->dim[1], v->dim[2]}};
    return true;
}

static uint64_t attention_macs(const struct op_infer *c)
{
    const int64_t *q = c->in[0]->shape.dim, *v = c->in[2]->shape.dim;
    return op_product(4, (int64_t[]){q[0], q[1], v[1], q[2] + v[2]});
}

struct attention {
    const struct op_call *c;
    const struct attention_attr *a;
    int64_t n_query, n_key, q_width, v_width; /* widths of all heads */
    float scale;
    float *scores; /* a matrix for each thread */
};

VECTOR_CLONES
static void exp_row(float *x, int64_t n, float most)
{
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++)
        x[i] = vm_exp(x[i] - most);
}

/* Keys beyond `n_seen` weigh nothing. */
static void softmax(float *x, int64_t n, int64_t n_seen)
{
    float most = -INFINITY;
    double sum = 0;
    for (int64_t i = 0; i < n_seen; i++)
        most = x[i] > most ? x[i] : most;
    exp_row(x, n_seen, most);
    for (int64_t i = 0; i < n_seen; i++)
        sum += (double)x[i];
    const float inverse = (float)(1 / sum);
    for (int64_t i = 0; i < n_seen; i++)
        x[i] *= inverse;
    memset(x + n_seen, 0, (size_t)(n - n_seen) * sizeof(float));
}

static void weigh(const struct attention *t, float *scores)
{
    const struct tensor *mask = t->c->n_in > 3 ? t->c->in[3] : NULL;
    for (int64_t i = 0; i < t->n_query; i++) {
        float *row = scores + i * t->n_key;
        for (int64_t k = 0; mask && k < t->n_key; k++)
            row[k] += ((const float *)mask->data)[i * t->n_key + k];
        const int64_t seen = t->n_key - t->n_query + i + 1;
        softmax(row, t->n_key, t->a->causal ? CLAMP(seen, 1, t->n_key) : t->n_key);
    }
}

static void attention_panel(void *arg, int i_panel, int i_thread)
{
    const struct attention *t = arg;
    const int64_t batch = i_panel / t->a->heads, head = i_panel % t->a->heads;
    const int64_t dq = t->q_width / t->a->heads, dv = t->v_width / t->a->heads;
    const float *q = (const float *)t->c->in[0]->data + batch * t->n_query * t->q_width + head * dq;
    const float *k = (const float *)t->c->in[1]->data + batch * t->n_key * t->q_width + head * dq;
    const float *v = (const float *)t->c->in[2]->data + batch * t->n_key * t->v_width + head * dv;
    float *y = (float *)t->c->out[0]->data + batch * t->n_query * t->v_width + head * dv;
    float *scores = t->scores + i_thread * t->n_query * t->n_key;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)t->n_query, (int)t->n_key, (int)dq,
                t->scale, q, (int)t->q_width, k, (int)t->q_width, 0, scores, (int)t->n_key);
    weigh(t, scores);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)t->n_query, (int)dv, (int)t->n_key,
                1, scores, (int)t->n_key, v, (int)t->v_width, 0, y, (int)t->v_width);
}

static bool attention_forward(const struct op_call *c, GError **error)
{
    const struct attention_attr *a = c->attr;
    const int64_t *q = c->in[0]->shape.dim;
    struct attention t = {.c = c,
                          .a = a,
                          .n_query = q[1],
                          .n_key = c->in[1]->shape.dim[1],
                          .q_width = q[2],
                          .v_width = c->in[2]->shape.dim[2]};
    int64_t n_panel;
    t.scale = (float)(a->scale > 0 ? a->scale : 1 / sqrt((double)q[2] / (double)a->heads));
    if (!int64_mul(&n_panel, q[0], a->heads) ||
        MAX(MAX(n_panel, t.q_width), MAX(MAX(t.v_width, t.n_query), t.n_key)) > INT32_MAX)
        return error_set(error, ERROR_LIMIT, "the attention is too large for OpenBLAS");
    t.scores = g_try_malloc_n((gsize)threads_count(c->threads) * (gsize)t.n_query,
                              (gsize)t.n_key * sizeof(float));
    if (!t.scores)
        return error_set(error, ERROR_LIMIT, "no memory for the scores of an attention");
    threads_run(c->threads, (int)n_panel, attention_panel, &t);
    g_free(t.scores);
    return true;
}

const struct op op_attention = {
    .name = "attention",
    .summary = "Values weighted by the softmax of queries times keys, head by head.",
    .fields = attention_fields,
    .attr_size = sizeof(struct attention_attr),
    .min_data = 3,
    .max_data = 4,
    .infer = attention_infer,
    .macs = attention_macs,
    .forward = attention_forward,
    .expands = attention_expands,
    .expand = attention_expand,
};

static const struct cfg_field embedding_fields[] = {
    {"rows", CFG_INT, offsetof(struct embedding_attr, rows), 1, INT32_MAX, "1", NULL,
     "Rows of the table; a table that is given tells them.", NULL},
    {"width", CFG_INT, offsetof(struct embedding_attr, width), 1, INT32_MAX, "1", NULL,
     "Elements of a row.", NULL},
    {"padding_idx", CFG_INT, offsetof(struct embedding_attr, padding_idx), -1, INT32_MAX, "-1",
     NULL, "Index that gives zeros; -1: none.", NULL},
    {0},
};

static bool embedding_infer(const struct op_infer *c, GError **error)
{
    struct embedding_attr *a = c->attr;
    const struct operand *table = infer_input(c, 1);
    if (number_is_float(c->in[0]->type) || c->in[0]->shape.n_dim == SHAPE_MAX_DIM ||
        (table && table->shape.n_dim != 2))
        return error_set(error, ERROR_INPUT, "the indices are no integers, or the table no matrix");
    if (table) {
        a->rows = table->shape.dim[0];
        a->width = table->shape.dim[1];
    }
    c->out[0].shape = c->in[0]->shape;
    c->out[0].shape.dim[c->out[0].shape.n_dim++] = a->width;
    c->out[0].type = NUMBER_fp32;
    return true;
}

static int embedding_params(const struct op_infer *c, struct op_param *out)
{
    const struct embedding_attr *a = c->attr;
    out[0] = (struct op_param){"weight", {2, {a->rows, a->width}}, a->width, false, 0, 0};
    return 1;
}

static bool embedding_forward(const struct op_call *c, GError **error)
{
    const struct embedding_attr *a = c->attr;
    const size_t row = (size_t)a->width * sizeof(float);
    for (int64_t i = 0; i < shape_count(&c->in[0]->shape); i++) {
        const int64_t index = number_get_int64(c->in[0]->data, c->in[0]->type, (size_t)i);
        float *y = (float *)c->out[0]->data + i * a->width;
        if (index < 0 || index >= a->rows)
            return error_set(error, ERROR_INPUT, "index %" LD " of a table of %" LD " rows", index,
                             a->rows);
        if (index == a->padding_idx)
            memset(y, 0, row);
        else
            memcpy(y, (const float *)c->in[1]->data + index * a->width, row);
    }
    return true;
}

static void embedding_traits(const struct op_infer *c, struct traits *t)
{
    const struct embedding_attr *a = c->attr;
    t->lookup = (struct traits_lookup){.table = 1, .indices = 0, .padding = a->padding_idx};
}

const struct op op_embedding = {
    .name = "embedding",
    .summary = "Rows of a table by their indices.",
    .fields = embedding_fields,
    .attr_size = sizeof(struct embedding_attr),
    .min_data = 1,
    .max_data = 1,
    .types = OP_NUMBER,
    .kind = TRAITS_LOOKUP,
    .is_sparse = true,
    .infer = embedding_infer,
    .params = embedding_params,
    .forward = embedding_forward,
    .traits = embedding_traits,
};
