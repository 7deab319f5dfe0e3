/* SPDX-License-Identifier: Apache-2.0 */
/* The sum over layers in the shape of a layer, so that a total is rendered as its column is. */
#pragma once

#include "sim/stat/record.h"

struct arena;

/* Named "total" with index -1; its cycles are the run's, its check is the network's. */
const struct record_layer *total_layer(struct arena *arena, const struct record *r);
