/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of layers that take turns on some images at a time. */
#pragma once

#include "mapper/plan.h"
#include "mapper/tiled/search.h"

/* Where activations were spilled, makes layers take turns on chunks of the same images, if that has
 * a lower score than the plan as it is. Returns what the plan then has. */
struct search_result groups_improve(struct plan *p, const struct target *t,
                                    struct search_result present);
/* Whether a layer can take turns with others that compute `batch` images: it computes as many, and
 * each of them needs the same image of its inputs and no other. */
bool groups_joins(const struct plan *p, const struct plan_layer *l, int64_t batch);
