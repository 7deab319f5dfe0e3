/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU reference: any graph in fp32 on OpenBLAS. Each BLAS call is single-threaded and covers a
 * panel cut by shape alone, so the bits are the same for any number of threads. */
#pragma once

#include "workloads/executor.h"

/* `n_thread` threads (>= 1). */
struct executor *ref_new(int n_thread);
void ref_free(struct executor *e);
