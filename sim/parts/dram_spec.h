/* SPDX-License-Identifier: Apache-2.0 */
/* What `bank` DRAM is made of: the tables of standards and address orders, and one memory's numbers
 * from them, all times in clocks of its commands. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DRAM_MAX_RANK 8
#define DRAM_MAX_BANK (16 * DRAM_MAX_RANK) /* of a channel */

/* TIMING(NAME): in the order of the standards' tables; the data burst BL is beside them. */
/* clang-format off */
#define DRAM_TIMINGS(TIMING)                                                                       \
    TIMING(CL) TIMING(CWL) TIMING(RCD) TIMING(RP) TIMING(RAS) TIMING(RC) TIMING(RRD_S)             \
    TIMING(RRD_L) TIMING(FAW) TIMING(CCD_S) TIMING(CCD_L) TIMING(WR) TIMING(WTR_S) TIMING(WTR_L)   \
    TIMING(RTP) TIMING(RFC) TIMING(REFI) TIMING(RTR)
/* clang-format on */

struct dram_time {
    double ns;
    int min_clk;
};

struct dram_standard {
    const char *name;
    double rate_min_mts, rate_max_mts; /* transfers of a pin, 1e6 a second */
    int width_bits;                    /* of a channel */
    int n_beat, beats_per_clk;         /* of a burst; a clock is that of commands */
    int row_bytes;                     /* of a bank, over all devices of the channel */
    int n_group, n_bank;               /* groups of banks, and banks in each */
#define TIMING(NAME) struct dram_time t##NAME;
    DRAM_TIMINGS(TIMING)
#undef TIMING
    /* Supply power of one device, supplies added up, at power_rate_mts: rows opened and closed one
     * after another (IDD0), all banks closed (IDD2N), a row open (IDD3N), reading (IDD4R), writing
     * (IDD4W), refreshing (IDD5). n_device: of a channel; 0: not known. */
    double n_device, power_rate_mts;
    double cycle_mw, closed_mw, open_mw, read_mw, write_mw, refresh_mw;
};

extern const struct dram_standard dram_standards[]; /* by index of dram_standard_names, from 1 on */
extern const char *const dram_standard_names[];     /* "none", "DDR3", ...; NULL-terminated */
extern const char *const dram_mapping_names[];      /* NULL-terminated */

struct dram_timing {
    int64_t BL;
#define TIMING(NAME) int64_t NAME;
    DRAM_TIMINGS(TIMING)
#undef TIMING
};

enum dram_command { DRAM_ACT, DRAM_PRE, DRAM_RD, DRAM_WR, DRAM_REF, DRAM_N_COMMAND };
enum dram_level { DRAM_BANK, DRAM_GROUP, DRAM_RANK, DRAM_SIBLING };

struct dram_rule {
    enum dram_command before, after;
    enum dram_level level;
    int64_t clk;
};
#define DRAM_MAX_RULE 32

enum dram_digit { DRAM_CH, DRAM_BG, DRAM_BA, DRAM_RA, DRAM_CO, DRAM_RO, DRAM_N_DIGIT };

/* One memory. Banks of a channel are numbered through: rank, then group, then bank. */
struct dram_spec {
    const struct dram_standard *standard;
    double clock_hz; /* of commands */
    struct dram_timing n;
    struct dram_rule rules[DRAM_MAX_RULE]; /* in the order of `before` */
    int first_rule[DRAM_N_COMMAND + 1];    /* rules[first_rule[c]] is the first one of command c */
    int64_t longest_clk;                   /* that any rule makes a command wait for another */
    int burst_bytes;
    int64_t extent[DRAM_N_DIGIT]; /* how many channels, groups a rank, banks a group, ... */
    int n_bank, n_group;          /* of a channel */
    int n_bank_rank;
    uint8_t group_of[DRAM_MAX_BANK], rank_of[DRAM_MAX_BANK]; /* of a channel's banks */
    /* The address order. `inner` digits are those below the column: a stream visits n_inner banks
     * in turn, burst by burst, and comes back to each at its next column. */
    bool interleaved; /* the channel is the lowest digit; else the highest */
    enum dram_digit outer[DRAM_N_DIGIT];
    int n_outer;
    int n_inner;
    uint8_t inner_bank[DRAM_MAX_BANK];
    bool rank_is_inner, row_is_next; /* the digit above the column is the row's */
};

/* Settings that a spec follows from. */
struct dram_choice {
    int standard, mapping; /* of the names above; standard from 1 on */
    int64_t n_channel, n_rank;
    double bandwidth_gb_s, size_kib;
};

/* NULL, or what is wrong, to be freed. */
char *dram_spec_check(const struct dram_choice *c);
/* Of a checked choice. The data rate follows from bandwidth, channels and their width. */
void dram_spec_init(struct dram_spec *s, const struct dram_choice *c);

double dram_spec_peak_bytes_per_s(const struct dram_spec *s);
/* Of a long sequential read, in closed form: column commands at their distance, rows opened as far
 * as that does not hide behind them, refresh. */
double dram_spec_stream_bytes_per_s(const struct dram_spec *s);
/* From a read's arrival at a closed row to its first data. */
double dram_spec_latency_ns(const struct dram_spec *s);
