/* SPDX-License-Identifier: Apache-2.0 */
/* One channel of `bank` DRAM: which commands may be issued when. Times are command clocks and are
 * arguments; nothing happens between calls. */
#pragma once

#include "sim/parts/dram_spec.h"

#define DRAM_QUEUE  32 /* bursts that a channel's controller looks ahead: a power of two */
#define DRAM_CLOSED (-1)

/* By command, the clock from which on it may be issued here. */
struct dram_node {
    int64_t next_clk[DRAM_N_COMMAND];
};

struct dram_counts {
    uint64_t n_hit, n_miss, n_conflict; /* bursts that found their row open, none open, another */
    uint64_t n_activate;
};

struct dram_channel {
    struct dram_node banks[DRAM_MAX_BANK], groups[DRAM_MAX_BANK], ranks[DRAM_MAX_RANK];
    int64_t open_row[DRAM_MAX_BANK]; /* DRAM_CLOSED: none */
    int n_open[DRAM_MAX_RANK];
    int64_t act_clk[DRAM_MAX_RANK][4]; /* the last four activates, a ring */
    int i_act[DRAM_MAX_RANK];          /* the oldest of them */
    int64_t due_clk[DRAM_MAX_RANK];    /* of the next refresh */
    int64_t column_clk[DRAM_QUEUE];    /* of the last bursts, a ring over n_column */
    uint64_t n_column;
    int64_t last_clk;          /* at which anything was issued */
    struct dram_counts counts; /* since the caller last took them */
};

void dram_channel_init(struct dram_channel *c, const struct dram_spec *s);

/* The first clock at which the command may go to the bank (a refresh: to the bank's rank). */
int64_t dram_channel_earliest(const struct dram_channel *c, const struct dram_spec *s,
                              enum dram_command command, int bank);
/* Issues it at that clock or later. An activate opens the row. */
void dram_channel_issue(struct dram_channel *c, const struct dram_spec *s,
                        enum dram_command command, int bank, int64_t row, int64_t clk);

/* Does the refreshes that are due at now_clk or before: nothing is to be issued before it any more.
 */
void dram_channel_settle(struct dram_channel *c, const struct dram_spec *s, int64_t now_clk);

/* Whether two settled channels cannot be told apart by anything issued from now_clk on. */
bool dram_channel_equal(const struct dram_channel *a, const struct dram_channel *b,
                        const struct dram_spec *s, int64_t now_clk);
/* All but the counts, which begin at 0. */
void dram_channel_copy(struct dram_channel *to, const struct dram_channel *from,
                       const struct dram_spec *s);

/* Opens the row if need be, does the refreshes that are due before, and issues the column command:
 * its clock. Nothing is issued before `arrival_clk`. *opened tells whether the row was closed. */
int64_t dram_channel_access(struct dram_channel *c, const struct dram_spec *s,
                            enum dram_command column, int bank, int64_t row, int64_t arrival_clk,
                            bool *opened);
