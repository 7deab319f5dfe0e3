/* SPDX-License-Identifier: Apache-2.0 */
/* Off-chip memory: "ready = f(state, request, now)". All that moves through one physical memory
 * asks the same struct dram, in the order of time.
 *
 * Models: `ideal` answers in the same cycle, without limit (to see what a machine would do if
 * memory were free); `fixed` is a peak bandwidth and a constant latency: transfers are served one
 * after another in the order of the calls, latencies overlap; `bank` has channels, banks whose rows
 * are opened and closed, and refresh (dram_bank.h). Bandwidth and latency mean the same in both:
 * the peak, from which the data rate of `bank` follows, and the time to the first byte from a
 * closed row.
 *
 * Legal order: dram_check(), dram_init(), any number of calls, dram_clear(). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/cfg/cfg.h"
#include "sim/parts/dram_spec.h"
#include "sim/stat/record.h"

enum dram_model { DRAM_IDEAL, DRAM_FIXED, DRAM_BANKS };
extern const char *const dram_model_names[]; /* NULL-terminated, for CFG_ENUM */

/* Settings memory.NAME.*; a family places one in its config struct by DRAM_FIELDS. */
struct dram_cfg {
    double size_kib;
    double bandwidth_gb_s; /* 1 GB = 1e9 bytes */
    double latency_ns;
    int model; /* enum dram_model */
    /* of `bank` alone */
    int standard; /* of dram_standard_names */
    int64_t n_channel, n_rank;
    int mapping; /* of dram_mapping_names */
};

/* Field table rows of a struct dram_cfg `member` of `type` under `prefix` ("memory.weights");
 * the defaults are strings. Where size and bandwidth are "" they may be left out: there is no such
 * memory then. */
/* clang-format off */
#define DRAM_FIELDS(prefix, type, member, size, bandwidth, latency)                                \
    {prefix ".size_kib", CFG_FLOAT, offsetof(type, member.size_kib), 1, 1e12, size, "KiB",         \
     "capacity", NULL},                                                                            \
    {prefix ".bandwidth_gb_s", CFG_FLOAT, offsetof(type, member.bandwidth_gb_s), 1e-6, 1e6,        \
     bandwidth, "GB/s", "peak bandwidth", NULL},                                                   \
    {prefix ".latency_ns", CFG_FLOAT, offsetof(type, member.latency_ns), 0, 1e6, latency, "ns",    \
     "time from a request to its first byte", NULL},                                               \
    {prefix ".model", CFG_ENUM, offsetof(type, member.model), 0, 0, "fixed", NULL,                 \
     "ideal (free), fixed (latency and peak bandwidth) or bank (rows, banks, refresh)",            \
     dram_model_names},                                                                            \
    {prefix ".standard", CFG_ENUM, offsetof(type, member.standard), 0, 0, "none", NULL,            \
     "of bank: what the memory is made of", dram_standard_names},                                  \
    {prefix ".channels", CFG_INT, offsetof(type, member.n_channel), 1, 1024, "1", NULL,            \
     "of bank: channels; of HBM2 pseudo channels, 16 a stack", NULL},                              \
    {prefix ".ranks", CFG_INT, offsetof(type, member.n_rank), 1, DRAM_MAX_RANK, "1", NULL,         \
     "of bank: ranks of a channel", NULL},                                                         \
    {prefix ".mapping", CFG_ENUM, offsetof(type, member.mapping), 0, 0, "RoBaRaCoBgCh", NULL,      \
     "of bank: what address bits choose, from the highest down", dram_mapping_names}
/* clang-format on */

struct dram_bank;

struct dram {
    enum dram_model model;
    double cyc_per_byte, stream_cyc_per_byte;
    uint64_t latency_cyc;  /* of `bank`: what is not the memory's own */
    double first_byte_cyc; /* from a request to its first byte */
    /* The bus has moved busy_bytes without a pause since busy_cyc, and is then free: counted so,
     * fractions of a cycle are neither lost nor added up. */
    uint64_t busy_cyc, busy_bytes;
    uint64_t read_bytes, write_bytes;
    struct dram_bank *bank; /* of DRAM_BANKS */
    double clk_per_cyc;     /* its command clocks in a cycle */
};

struct dram_request {
    uint64_t bytes;
    bool is_write;
    uint64_t address;
};

/* Whether the settings say that there is such a memory. */
bool dram_is_given(const struct dram_cfg *cfg);
/* Whether the settings of `prefix`, which are given, fit together. The error names `file` and the
 * setting. */
bool dram_check(const struct dram_cfg *cfg, const char *file, const char *prefix, GError **error);

void dram_init(struct dram *d, const struct dram_cfg *cfg, double clock_hz);
void dram_clear(struct dram *d);

/* The cycle at which the last byte has arrived (a read) or was taken (a write, without latency).
 * Calls come with now_cyc not decreasing. */
uint64_t dram_access(struct dram *d, const struct dram_request *r, uint64_t now_cyc);

/* When the memory can begin to move what is asked for next: what has been asked for so far has been
 * moved by then, but for what overlaps the time to a first byte. Nothing is free later than it has
 * to be: who streams asks for its next part at this cycle, or the fraction of one. */
double dram_free_cyc(const struct dram *d);

/* Peak, in bytes per cycle; 0 where unlimited. */
double dram_bytes_per_cyc(const struct dram *d);
/* What a long sequential read gets of it; 0 where unlimited. */
double dram_stream_bytes_per_cyc(const struct dram *d);

/* What `bank` counted up to now_cyc; out->known is false with other models. */
void dram_collect(const struct dram *d, uint64_t now_cyc, struct record_dram *out);
