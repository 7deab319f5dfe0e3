/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/threads.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct pool_threads {
    GMutex mutex; /* guards what follows */
    GCond start, done;
    uint64_t n_job; /* jobs begun: a thread that sees a new one takes part in it */
    void (*fn)(void *arg, int i_panel, int i_thread);
    void *arg;
    int n_panel, next_panel;
    int n_busy; /* threads that have not left the job */
    bool stopping;

    int n_thread;
    struct worker {
        struct pool_threads *pool;
        GThread *thread;
        int i_thread;
    } workers[]; /* [0] is the caller's thread */
};

/* Takes panels until there are none. Called and left with the mutex held, which is free while a
 * panel runs. */
static void take_panels(struct pool_threads *t, int i_thread)
{
    while (t->next_panel < t->n_panel) {
        const int i_panel = t->next_panel++;
        g_mutex_unlock(&t->mutex);
        t->fn(t->arg, i_panel, i_thread);
        g_mutex_lock(&t->mutex);
    }
}

static gpointer work(gpointer data)
{
    const struct worker *w = data;
    struct pool_threads *t = w->pool;
    uint64_t n_seen = 0;
    g_mutex_lock(&t->mutex);
    for (;;) {
        while (t->n_job == n_seen && !t->stopping)
            g_cond_wait(&t->start, &t->mutex);
        if (t->stopping)
            break;
        n_seen = t->n_job;
        take_panels(t, w->i_thread);
        if (--t->n_busy == 0)
            g_cond_signal(&t->done);
    }
    g_mutex_unlock(&t->mutex);
    return NULL;
}

struct pool_threads *threads_new(int n_thread)
{
    g_assert(n_thread >= 1);
    const size_t workers_bytes = (size_t)n_thread * sizeof(struct worker);
    struct pool_threads *t = g_malloc0(sizeof(*t) + workers_bytes);
    g_mutex_init(&t->mutex);
    g_cond_init(&t->start);
    g_cond_init(&t->done);
    for (t->n_thread = 1; t->n_thread < n_thread; t->n_thread++) {
        struct worker *w = &t->workers[t->n_thread];
        w->pool = t;
        w->i_thread = t->n_thread;
        w->thread = g_thread_try_new("panels", work, w, NULL);
        if (!w->thread)
            break; /* fewer threads give the same bits */
    }
    return t;
}

void threads_free(struct pool_threads *t)
{
    if (!t)
        return;
    g_mutex_lock(&t->mutex);
    t->stopping = true;
    g_cond_broadcast(&t->start);
    g_mutex_unlock(&t->mutex);
    for (int i = 1; i < t->n_thread; i++)
        g_thread_join(t->workers[i].thread);
    g_cond_clear(&t->done);
    g_cond_clear(&t->start);
    g_mutex_clear(&t->mutex);
    g_free(t);
}

int threads_count(const struct pool_threads *t)
{
    return t->n_thread;
}

void threads_run(struct pool_threads *t, int n_panel,
                 void (*fn)(void *arg, int i_panel, int i_thread), void *arg)
{
    if (t->n_thread == 1 || n_panel <= 1) {
        for (int i = 0; i < n_panel; i++)
            fn(arg, i, 0);
        return;
    }
    g_mutex_lock(&t->mutex);
    g_assert(t->n_busy == 0); /* a panel that runs panels would wait for itself */
    t->fn = fn;
    t->arg = arg;
    t->n_panel = n_panel;
    t->next_panel = 0;
    t->n_busy = t->n_thread - 1;
    t->n_job++;
    g_cond_broadcast(&t->start);
    take_panels(t, 0);
    while (t->n_busy > 0)
        g_cond_wait(&t->done, &t->mutex);
    g_mutex_unlock(&t->mutex);
}
