/* SPDX-License-Identifier: Apache-2.0 */
/* Off-chip memory, seen from one requester: "ready = f(state, request, now)".
 *
 * Models: `ideal` answers in the same cycle, without limit (to see what a machine would do if
 * memory were free); `fixed` is a peak bandwidth and a constant latency: transfers are served one
 * after another in the order of the calls, latencies overlap. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"

enum dram_model { DRAM_IDEAL, DRAM_FIXED };
extern const char *const dram_model_names[]; /* NULL-terminated, for CFG_ENUM */

/* Settings memory.NAME.*; a family places one in its config struct by DRAM_FIELDS. */
struct dram_cfg {
    double size_kib;
    double bandwidth_gb_s; /* 1 GB = 1e9 bytes */
    double latency_ns;
    int model; /* enum dram_model */
};

/* Field table rows of a struct dram_cfg `member` of `type` under `prefix` ("memory.weights");
 * the defaults are strings. */
/* clang-format off */
#define DRAM_FIELDS(prefix, type, member, size, bandwidth, latency)                                \
    {prefix ".size_kib", CFG_FLOAT, offsetof(type, member.size_kib), 1, 1e12, size, "KiB",         \
     "capacity", NULL},                                                                            \
    {prefix ".bandwidth_gb_s", CFG_FLOAT, offsetof(type, member.bandwidth_gb_s), 1e-6, 1e6,        \
     bandwidth, "GB/s", "peak bandwidth", NULL},                                                   \
    {prefix ".latency_ns", CFG_FLOAT, offsetof(type, member.latency_ns), 0, 1e6, latency, "ns",    \
     "time from a request to its first byte", NULL},                                               \
    {prefix ".model", CFG_ENUM, offsetof(type, member.model), 0, 0, "fixed", NULL,                 \
     "ideal (free) or fixed (latency and peak bandwidth)", dram_model_names}
/* clang-format on */

struct dram {
    enum dram_model model;
    double cyc_per_byte;
    uint64_t latency_cyc;
    /* The bus has moved busy_bytes without a pause since busy_cyc, and is then free: counted so,
     * fractions of a cycle are neither lost nor added up. */
    uint64_t busy_cyc, busy_bytes;
    uint64_t read_bytes, write_bytes;
};

struct dram_request {
    uint64_t bytes;
    bool is_write;
};

void dram_init(struct dram *d, const struct dram_cfg *cfg, double clock_hz);

/* The cycle at which the last byte has arrived (a read) or was taken (a write, without latency).
 * Calls come with now_cyc not decreasing. */
uint64_t dram_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc);

/* bytes per cycle; 0 where unlimited. */
double dram_bytes_per_cyc(const struct dram *d);
