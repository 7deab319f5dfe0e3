/* SPDX-License-Identifier: Apache-2.0 */
/* The values of a tiled plan's run in host memory, and what moves between it and the memory of
 * activations.
 *
 * Host memory holds what crosses the link, NHWC of the whole batch as a machine stores it: inputs
 * and states of the graph, outputs, values that are not resident.
 *
 *     transfers_init(&t, plan, error);         once a run
 *     t.values = values;                       whenever a run is given values
 *     transfers_begin(&t);                     a step of the graph: its inputs are in host memory
 *     transfers_in(&t, step, at);              STEP_LOAD, to where it lies on the machine
 *     transfers_out(&t, step, at);             STEP_STORE
 *     transfers_on_host(&t, layer, error);     STEP_HOST
 *     transfers_keep(&t, step, memory);        a region of outputs is complete
 *     transfers_clear(&t);
 */
#pragma once

#include "arch/arch.h"

struct transfers {
    const struct plan *plan;
    struct arch_values *values; /* the caller's */
    void **host;                /* by value; NULL: it does not cross the link */
};

/* ERROR_LIMIT where there is no memory; then *t is clear again. */
bool transfers_init(struct transfers *t, const struct plan *p, GError **error);
void transfers_clear(struct transfers *t);
void transfers_begin(const struct transfers *t);
/* What steps before have left in host memory shows no more. */
void transfers_forget(const struct transfers *t);

/* Bytes that what a STEP_LOAD or STEP_STORE moves is spread over on the machine: more than it has
 * where it is a part of rows or pixels that lie there as a whole. */
size_t transfers_extent(const struct transfers *t, const struct plan_step *s);
void transfers_in(const struct transfers *t, const struct plan_step *s, void *at);
void transfers_out(const struct transfers *t, const struct plan_step *s, const void *at);
/* A layer that the host computes; errors are the operator's. */
bool transfers_on_host(const struct transfers *t, const struct plan_layer *l, GError **error);
/* Keeps what is wanted of a layer's outputs as a step leaves them: of those that go to the host
 * when a STEP_STORE has brought them there, else when a STEP_COMPUTE has made them in the memory of
 * activations, whose first byte is at `memory`. */
void transfers_keep(const struct transfers *t, const struct plan_step *s, const uint8_t *memory);
