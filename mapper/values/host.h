/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that the host computes in fp32, on what it has and what the machine sent back. */
#pragma once

#include "mapper/plan.h"

struct quant;

/* What a layer on the host takes: an operation for each value that it makes, or two for each
 * multiply-accumulate; bytes of what it reads and writes, of parameters that are looked up the rows
 * that are read. */
struct host_work {
    double operations, bytes;
};
struct host_work host_work(const struct plan *p, const struct plan_layer *l);

/* Computes layer l into host[l->out], which is allocated. `host` has fp32 tensors by value (absent:
 * no data), `machine` NHWC values by value, as stored, for those that are absent. */
bool host_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                  struct tensor *host, void *const *machine, GError **error);
