/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers: what their operators (recurrent.c), their arithmetic (recurrent_run.c) and
 * their form in simpler operators (recurrent_expand.c) share. */
#pragma once

#include "workloads/op.h"
#include "workloads/ops/matrix.h"

enum { IN_X, IN_LENGTHS, IN_H, IN_C }; /* a node's data */

struct recurrent_pass;

/* How one kind of layer computes. */
struct recurrent_kind {
    int n_gate, n_state; /* n_state: outputs behind the first */
    int n_data;
    const char *defaults[3]; /* activations */
    int n_activation;
    /* A step: from pass->sums to the next state [batch, hidden] and, of an LSTM, cell. */
    void (*step)(struct recurrent_pass *p, float *next, float *next_cell);
};
extern const struct recurrent_kind recurrent_rnn, recurrent_gru, recurrent_lstm;

static inline int recurrent_n_direction(const struct recurrent_attr *a)
{
    return a->direction == DIRECTION_BIDIRECTIONAL ? 2 : 1;
}

typedef float (*recurrent_activation)(float x);
recurrent_activation recurrent_find_activation(const char *name); /* NULL: there is none */

/* An operator's forward(). */
bool recurrent_run(const struct op_call *c, const struct recurrent_kind *k, GError **error);
/* An operator's expands() and expand(): the layer by steps. */
bool recurrent_expands(const struct graph *g, const struct node *n, const struct recurrent_kind *k,
                       const char **why);
void recurrent_expand(struct expand_draft *d, const struct recurrent_kind *k);
