/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that the host computes in fp32, on what it has and what the machine sent back. */
#pragma once

#include "mapper/plan.h"

/* Computes layer l into host[l->out], which is allocated. `host` has fp32 tensors by value (absent:
 * no data), `machine` int8 NHWC values by value for those that are absent. */
bool host_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                  struct tensor *host, int8_t *const *machine, GError **error);
