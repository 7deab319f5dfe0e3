/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that the host computes in fp32, on what it has and what the machine sent back. */
#pragma once

#include "mapper/plan.h"

/* Computes layer l into host[l->out], which is allocated. `host` has fp32 tensors by value (absent:
 * no data), `machine` NHWC values by value, as stored, for those that are absent. */
bool host_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                  struct tensor *host, void *const *machine, GError **error);
