/* SPDX-License-Identifier: Apache-2.0 */
/* Attention by parts: heads are brought side by side, [batch heads, steps, features]; then scores,
 * their softmax, the weighted values, and heads back. */
#include <math.h>
#include <string.h>

#include "workloads/expand_draft.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/attention.h"
#include "workloads/ops/ops.h"

enum { IN_QUERY, IN_KEY, IN_VALUE, IN_MASK };

bool attention_expands(const struct graph *g, const struct node *n, const char **why)
{
    const int mask = n->n_data > IN_MASK ? n->in[IN_MASK] : -1;
    *why = "its mask is not known before the run";
    return mask < 0 || g->values[mask].data;
}

static const int64_t *dims(const struct expand_draft *d, int i_in)
{
    return d->from->values[d->node->in[i_in]].shape.dim;
}

/* The middle dimensions of [batch, a, b, width] change places. */
static const char *turn(struct expand_draft *d, const char *what, const char *x, int64_t a,
                        int64_t b, int64_t width)
{
    const struct transpose_attr perm = {{5, {0, 1, 3, 2, 4}}};
    x = expand_reshape(d, expand_name(d, "%s_apart", what), NULL, x, 5,
                       (int64_t[]){1, -1, a, b, width});
    if (a == 1 || b == 1)
        return x;
    return expand_node(d, expand_name(d, "%s_turned", what), &op_transpose, &perm, &x, 1);
}

/* [batch, steps, heads width] to [batch heads, steps, width]. */
static const char *heads_of(struct expand_draft *d, const char *what, int i_in)
{
    const struct attention_attr *a = d->node->attr;
    const int64_t *s = dims(d, i_in), width = s[2] / a->heads;
    const char *x = d->from->values[d->node->in[i_in]].name;
    if (a->heads == 1)
        return x;
    return expand_reshape(d, expand_name(d, "%s", what), NULL,
                          turn(d, what, x, s[1], a->heads, width), 3, (int64_t[]){-1, s[1], width});
}

/* The mask and what is not to be seen; NULL: all is seen. */
static const char *mask_of(struct expand_draft *d)
{
    const struct attention_attr *a = d->node->attr;
    const int64_t n_query = dims(d, IN_QUERY)[1], n_key = dims(d, IN_KEY)[1];
    const int given = d->node->n_data > IN_MASK ? d->node->in[IN_MASK] : -1;
    if (given < 0 && (!a->causal || n_query == 1))
        return NULL;
    const float *own = given < 0 ? NULL : g_bytes_get_data(d->from->values[given].data, NULL);
    float *mask = g_new0(float, n_query *n_key);
    for (int64_t i = 0; i < n_query; i++)
        for (int64_t k = 0; k < n_key; k++) {
            const bool is_seen = !a->causal || k < CLAMP(n_key - n_query + i + 1, 1, n_key);
            mask[i * n_key + k] = !is_seen ? -INFINITY : own ? own[i * n_key + k] : 0;
        }
    const gsize bytes = (gsize)(n_query * n_key) * sizeof(float);
    g_autoptr(GBytes) data = g_bytes_new_take(mask, bytes);
    const char *name = expand_name(d, "mask");
    d->ok = d->ok && graph_add_constant(d->to, name, NUMBER_fp32,
                                        &(struct shape){2, {n_query, n_key}}, data, d->error);
    return name;
}

void attention_expand(struct expand_draft *d)
{
    const struct attention_attr *a = d->node->attr;
    const int64_t *q = dims(d, IN_QUERY), *v = dims(d, IN_VALUE);
    const double width = (double)q[2] / (double)a->heads;
    const struct batched_product_attr across = {.transpose = true}, along = {.transpose = false};
    const struct scaled_softmax_attr soft = {.scale = a->scale > 0 ? a->scale : 1 / sqrt(width)};
    const char *output = d->from->values[d->node->out[0]].name, *mask = mask_of(d);
    const char *in[] = {heads_of(d, "query", IN_QUERY), heads_of(d, "key", IN_KEY)};
    const char *scores =
        expand_node(d, expand_name(d, "scores"), &op_batched_product, &across, in, 2);
    const char *weigh[] = {scores, mask};
    const char *weights =
        expand_node(d, expand_name(d, "weights"), &op_scaled_softmax, &soft, weigh, mask ? 2 : 1);
    const char *sum[] = {weights, heads_of(d, "value", IN_VALUE)};
    const char *y = expand_node(d, expand_name(d, "sums"), &op_batched_product, &along, sum, 2);
    if (a->heads > 1)
        y = turn(d, "sums", y, a->heads, q[1], v[2] / a->heads);
    expand_reshape(d, expand_name(d, "out"), output, y, 3, (int64_t[]){-1, q[1], v[2]});
}
