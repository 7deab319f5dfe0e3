/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a tick: the machine has them, and so has its twin, which differs in how inputs are
 * summed up. */
#pragma once

#include "workloads/executor.h"

struct spikes_neurons {
    struct executor executor; /* the twin's */
    struct values *v;
    void (*sum)(const float *x, const float *w, int64_t n, int64_t k, float *y);
};

/* Spike by spike, each to all neurons: y[n] of x[k], w[n][k]. */
void spikes_sum(const float *x, const float *w, int64_t n, int64_t k, float *y);
bool spikes_neurons_init(struct spikes_neurons *t, const struct graph *g, GError **error);
/* Copies inputs, or parameters and states, by value. */
bool spikes_neurons_take(struct spikes_neurons *t, const struct tensor *from, bool inputs,
                         GError **error);
/* A tick: all nodes in order, each shown to visit() (may be NULL), then the states' new contents.
 */
bool spikes_neurons_tick(struct spikes_neurons *t, const struct tensor *inputs,
                         executor_visit_fn visit, void *user, GError **error);
void spikes_neurons_save(const struct spikes_neurons *t, struct tensor *to); /* states */
/* See struct arch_family: sums neuron by neuron, all inputs in order. */
struct executor *spikes_twin_new(const struct graph *g, GError **error);
