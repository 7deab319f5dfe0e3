/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU reference: any graph in fp32 on OpenBLAS. Each BLAS call is single-threaded and covers a
 * panel cut by shape alone, so the bits are the same for any number of threads. */
#pragma once

#include "workloads/executor.h"

/* The executor of `g` on `n_thread` threads (>= 1). NULL with ERROR_LIMIT where there is no memory
 * for its states. */
struct executor *ref_new(const struct graph *g, int n_thread, GError **error);

/* One step from the first state and no more: an executor is made, loads `v`, steps with the inputs
 * in it as step() says, and is freed. */
bool ref_run(const struct graph *g, int n_thread, const struct values *v, struct values *fetches,
             const bool *want, executor_visit_fn visit, void *user, GError **error);
