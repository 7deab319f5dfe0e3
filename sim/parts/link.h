/* SPDX-License-Identifier: Apache-2.0 */
/* A point-to-point link (PCIe and the like): transfers one after another, each paying a start-up
 * latency and its bytes over the effective bandwidth. */
#pragma once

#include <stdint.h>

struct link {
    double cyc_per_byte;
    uint64_t latency_cyc;
    uint64_t busy_cyc, busy_bytes; /* busy_bytes were sent without a pause since busy_cyc */
    uint64_t sent_bytes;
    double carried_cyc; /* that the link took for all so far, without waits and pauses */
};

void link_init(struct link *l, double bandwidth_gb_s, double latency_ns, double clock_hz);

/* The cycle at which the last of `bytes` has arrived. Calls come with now_cyc not decreasing. */
uint64_t link_send(struct link *l, uint64_t bytes, uint64_t now_cyc);
/* The same of more of a transfer that has begun: it pays no start-up latency. */
uint64_t link_send_more(struct link *l, uint64_t bytes, uint64_t now_cyc);
/* When the link has sent what it was given so far. */
double link_free_cyc(const struct link *l);
