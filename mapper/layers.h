/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of layers_make(); private to layers*.c. */
#pragma once

#include "mapper/passes.h"

/* Why a layer with a view of an image is not the machine's. */
#define LAYERS_REORDERED "the values of a flattened image lie in another order"

struct layers_builder {
    struct plan *plan;
    const struct target *target;
    const bool *no_fuse; /* by node: it is to stay a layer of its own */
    bool *taken;         /* by node: already in a layer */
    int *n_reader;       /* by root value: layers' nodes that read it, and outputs of the graph */
    int *reader;         /* by root value: the node that reads it last; -1: none */
};

/* layers_fuse.c: plan->roots and who reads them, before any layer is made. */
void layers_find_roots(struct layers_builder *b);
/* Whether the node changes no value, so that its output is a view of its input. */
bool layers_is_view(const struct node *n);
/* Joins what follows the layer's last node, as long as nobody else reads in between. */
void layers_fuse_tails(struct layers_builder *b, struct plan_layer *l);

/* layers_legal.c: whether the machine's units can run the node, in the format of the layer that
 * begins with it; if not, why goes to *why. */
bool layers_can_run(const struct layers_builder *b, const struct plan_layer *l,
                    const struct node *n, GString *why);
/* Whether the accumulators hold the sums of l->gemm; else ERROR_UNSUPPORTED. */
bool layers_sums_fit(const struct plan *p, const struct plan_layer *l, const struct node *n,
                     GError **error);
/* Whether the machine multiplies operands of this format; else ERROR_UNSUPPORTED names those that
 * it does. */
bool layers_multiplies(const struct machine *m, const struct node *n, enum number format,
                       GError **error);

/* Whether the node is a product of two activations. */
bool layers_is_batched(const struct node *n);
/* Bit j of the result: operand j is of another shape than the output. */
uint32_t layers_broadcast(const struct graph *g, const struct node *n);
