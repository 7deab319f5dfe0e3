/* SPDX-License-Identifier: Apache-2.0 */
/* What small processes of tests of the kernel share, and some such processes: void *arg is a struct
 * scene. */
#pragma once

#include "sim/kernel/sk.h"

struct scene {
    struct sk_event *done;
    uint64_t n_item;
    uint64_t seen_cyc[4];
    uint64_t value;
};

static inline void produce_at_cycle_5(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(5);
    s->n_item++;
    sk_notify(s->done);
}

static inline void wait_forever(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(123);
    for (;;)
        sk_wait(s->done);
}

static inline void stop_at_7(void *arg)
{
    struct scene *s = arg;
    sk_wait_cycles(7);
    s->value = 9;
    sk_stop();
    sk_wait_cycles(1);
    s->value = 10;
}
