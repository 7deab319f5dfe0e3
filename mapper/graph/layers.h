/* SPDX-License-Identifier: Apache-2.0 */
/* Fold and fuse: from the nodes of a graph to the layers of a plan. */
#pragma once

#include "mapper/plan.h"

/* Fills plan->roots, plan->formats and plan->layers. no_fuse[i] keeps node i a layer of its own.
 * ERROR_UNSUPPORTED where neither the machine nor its host runs a node. */
bool layers_make(struct plan *p, const struct target *t, const bool *no_fuse, GError **error);
