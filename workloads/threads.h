/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the CPU reference. Work is cut into panels whose number depends on the shapes alone,
 * never on the number of threads, and no panel reads what another writes: so the bits are the same
 * for any number of threads. The threads live as long as the pool; none may be alive at a fork. */
#pragma once

struct pool_threads;

/* n_thread >= 1, the caller's among them: 1 starts none. Fewer where the system refuses more. */
struct pool_threads *threads_new(int n_thread);
void threads_free(struct pool_threads *t); /* joins; NULL is ignored */
int threads_count(const struct pool_threads *t);

/* Calls fn(arg, i_panel, i_thread) for 0 <= i_panel < n_panel, 0 <= i_thread < threads_count(t),
 * and returns when all are done. Threads take panels as they become free. fn does not call
 * threads_run() of the same pool. */
void threads_run(struct pool_threads *t, int n_panel,
                 void (*fn)(void *arg, int i_panel, int i_thread), void *arg);
