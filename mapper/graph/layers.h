/* SPDX-License-Identifier: Apache-2.0 */
/* Fold and fuse: from the nodes of a graph to the layers of a plan. */
#pragma once

#include "mapper/plan.h"

/* Fills plan->roots, plan->formats and plan->layers. no_fuse[i] keeps node i a layer of its own.
 * ERROR_UNSUPPORTED where neither the machine nor its host runs a node. */
bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error);
/* Whether a machine's layer can make all outputs of a node: of a move several, of as many images
 * and rows of them. */
bool layers_outputs_fit(const struct graph *g, const struct node *n);
