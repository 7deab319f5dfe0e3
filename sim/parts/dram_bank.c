/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram_bank.h"

#include <glib.h>

struct dram_bank *dram_bank_new(const struct dram_choice *choice)
{
    struct dram_bank *b = g_new0(struct dram_bank, 1);
    dram_spec_init(&b->spec, choice);
    b->channels = g_new(struct dram_channel, (gsize)choice->n_channel);
    dram_channel_init(&b->channels[0], &b->spec);
    b->run_end = g_new(int64_t, (gsize)choice->n_channel);
    b->run_end[0] = choice->n_channel;
    return b;
}

void dram_bank_free(struct dram_bank *b)
{
    if (!b)
        return;
    g_free(b->channels);
    g_free(b->run_end);
    g_free(b);
}

/* Bursts of one channel one after another that stay within one row of each inner bank. */
struct piece {
    enum dram_command column;
    int64_t row, now_clk;
    int bank;      /* of the outer digits; inner_bank[] adds to it */
    int64_t inner; /* which inner bank is next */
    int64_t n_left;
    /* How regular it has been: bursts since the first one or the last that opened a row, the
     * distance to the burst before of the same bank, and how many have had the same one. */
    int64_t n_open, period_clk, n_equal;
};

static int64_t *column_slot(struct dram_channel *c, uint64_t i)
{
    return &c->column_clk[i % DRAM_QUEUE];
}

static void step(struct dram_channel *c, const struct dram_spec *s, struct piece *p)
{
    int64_t *slot = column_slot(c, c->n_column);
    const int64_t before_clk = *column_slot(c, c->n_column - (uint64_t)s->n_inner);
    bool opened;
    /* The slot holds the burst that has to leave the queue for this one to come in. */
    *slot = dram_channel_access(c, s, p->column, p->bank + s->inner_bank[p->inner], p->row,
                                MAX(p->now_clk, *slot), &opened);
    const int64_t period_clk = *slot - before_clk;
    p->n_open = opened ? 0 : p->n_open + 1;
    p->n_equal = p->n_open < s->n_inner ? 0 : period_clk == p->period_clk ? p->n_equal + 1 : 1;
    p->period_clk = period_clk;
    p->inner = p->inner + 1 == s->n_inner ? 0 : p->inner + 1;
    p->n_left--;
    c->n_column++;
}

static int64_t first_due_clk(const struct dram_channel *c, const struct dram_spec *s,
                             const struct piece *p)
{
    if (!s->rank_is_inner)
        return c->due_clk[s->rank_of[p->bank]];
    int64_t clk = c->due_clk[0];
    for (int r = 1; r < s->extent[DRAM_RA]; r++)
        clk = MIN(clk, c->due_clk[r]);
    return clk;
}

/* A whole round of hits came the same time after the round before: nothing but column commands
 * holds them, so each further round does so too, until the row ends or a refresh is due. Its
 * commands leave the state that those of the last round leave. */
static void skip_rounds(struct dram_channel *c, const struct dram_spec *s, struct piece *p)
{
    const int n_inner = s->n_inner;
    int64_t round_clk[DRAM_QUEUE];
    const int64_t last_clk = *column_slot(c, c->n_column - 1);
    const int64_t until_due = (first_due_clk(c, s, p) - 1 - last_clk) / p->period_clk;
    const int64_t n = MIN(p->n_left / n_inner, until_due);
    if (n <= 0)
        return;
    for (int i = 0; i < n_inner; i++)
        round_clk[i] = *column_slot(c, c->n_column - (uint64_t)(n_inner - i));
    for (int i = 0; i < n_inner; i++)
        dram_channel_issue(c, s, p->column, p->bank + s->inner_bank[(p->inner + i) % n_inner],
                           p->row, round_clk[i] + n * p->period_clk);
    c->n_column += (uint64_t)(n * n_inner);
    const int64_t n_kept = MIN(n * n_inner, DRAM_QUEUE);
    int i = n_inner;
    int64_t clk = n * p->period_clk;
    for (int64_t j = 1; j <= n_kept; j++) {
        *column_slot(c, c->n_column - (uint64_t)j) = round_clk[--i] + clk;
        if (i == 0) {
            i = n_inner;
            clk -= p->period_clk;
        }
    }
    c->counts.n_hit += (uint64_t)(n * n_inner);
    p->n_left -= n * n_inner;
}

static void walk_piece(struct dram_channel *c, const struct dram_spec *s, struct piece *p)
{
    const bool can_skip = s->n_inner <= DRAM_QUEUE;
    while (p->n_left > 0) {
        step(c, s, p);
        if (can_skip && p->n_equal >= s->n_inner && p->n_left >= s->n_inner)
            skip_rounds(c, s, p);
    }
}

/* Bursts first to end - 1 of those of one channel: the clock after their last data. */
static int64_t walk(struct dram_channel *c, const struct dram_spec *s, enum dram_command column,
                    int64_t first, int64_t end, int64_t now_clk)
{
    const int64_t n_piece = s->n_inner * s->extent[DRAM_CO];
    while (first < end) {
        struct piece p = {.column = column, .now_clk = now_clk, .n_open = -1};
        p.inner = first % s->n_inner;
        p.n_left = MIN(end, (first / n_piece + 1) * n_piece) - first;
        int64_t digit[DRAM_N_DIGIT] = {0}, rest = first / n_piece;
        for (int i = 0; i < s->n_outer; i++) {
            const int64_t extent = s->extent[s->outer[i]];
            digit[s->outer[i]] = extent == 1 ? 0 : rest % extent;
            rest = extent == 1 ? rest : rest / extent;
        }
        p.row = digit[DRAM_RO];
        p.bank = (int)((digit[DRAM_RA] * s->extent[DRAM_BG] + digit[DRAM_BG]) * s->extent[DRAM_BA] +
                       digit[DRAM_BA]);
        first += p.n_left;
        walk_piece(c, s, &p);
    }
    const int64_t data_clk = column == DRAM_RD ? s->n.CL : s->n.CWL;
    return *column_slot(c, c->n_column - 1) + data_clk + s->n.BL;
}

/* Runs that time has made alike become one. */
static void join_runs(struct dram_bank *b, int64_t now_clk)
{
    const struct dram_spec *s = &b->spec;
    const int64_t n = s->extent[DRAM_CH];
    dram_channel_settle(&b->channels[0], s, now_clk);
    for (int64_t i = 0; b->run_end[i] < n;) {
        const int64_t next = b->run_end[i];
        dram_channel_settle(&b->channels[next], s, now_clk);
        if (dram_channel_equal(&b->channels[i], &b->channels[next], s, now_clk))
            b->run_end[i] = b->run_end[next];
        else
            i = next;
    }
}

/* A run begins at the channel. */
static void part_run(struct dram_bank *b, int64_t channel)
{
    int64_t i = 0;
    if (channel == b->spec.extent[DRAM_CH])
        return;
    while (b->run_end[i] <= channel)
        i = b->run_end[i];
    if (i == channel)
        return;
    dram_channel_copy(&b->channels[channel], &b->channels[i], &b->spec);
    b->run_end[channel] = b->run_end[i];
    b->run_end[i] = channel;
}

static int64_t walk_run(struct dram_bank *b, int64_t i, enum dram_command column, int64_t first,
                        int64_t end, int64_t now_clk)
{
    struct dram_channel *c = &b->channels[i];
    const uint64_t n_channel = (uint64_t)(b->run_end[i] - i);
    const int64_t end_clk = walk(c, &b->spec, column, first, end, now_clk);
    b->counts.n_hit += n_channel * c->counts.n_hit;
    b->counts.n_miss += n_channel * c->counts.n_miss;
    b->counts.n_conflict += n_channel * c->counts.n_conflict;
    b->counts.n_activate += n_channel * c->counts.n_activate;
    c->counts = (struct dram_counts){0};
    return end_clk;
}

/* The channel is the lowest digit: each takes every n-th burst. */
static int64_t access_interleaved(struct dram_bank *b, enum dram_command column, int64_t first,
                                  int64_t end, int64_t now_clk)
{
    const int64_t n = b->spec.extent[DRAM_CH];
    int64_t end_clk = 0;
    part_run(b, first % n);
    part_run(b, end % n);
    for (int64_t i = 0; i < n; i = b->run_end[i]) {
        const int64_t from = (first - i + n - 1) / n, to = (end - i + n - 1) / n;
        const int64_t clk = from < to ? walk_run(b, i, column, from, to, now_clk) : 0;
        end_clk = MAX(end_clk, clk);
    }
    return end_clk;
}

/* The channel is the highest digit: each has a range of addresses of its own. */
static int64_t access_ranges(struct dram_bank *b, enum dram_command column, int64_t first,
                             int64_t end, int64_t now_clk)
{
    const struct dram_spec *s = &b->spec;
    const int64_t n_burst = s->n_bank * s->extent[DRAM_CO] * s->extent[DRAM_RO];
    int64_t end_clk = 0;
    while (first < end) {
        const int64_t range = first / n_burst, to = MIN(end, (range + 1) * n_burst);
        const int64_t i = range % s->extent[DRAM_CH];
        part_run(b, i);
        part_run(b, i + 1);
        const int64_t clk =
            walk_run(b, i, column, first - range * n_burst, to - range * n_burst, now_clk);
        end_clk = MAX(end_clk, clk);
        first = to;
    }
    return end_clk;
}

/* Busy is the memory while it moves data, or could: from the time at which a closed row's first
 * data would be there, had nothing else been asked for. */
static void count_busy(struct dram_bank *b, uint64_t bytes, int64_t data_clk, int64_t now_clk,
                       int64_t end_clk)
{
    const struct dram_spec *s = &b->spec;
    const uint64_t round_bytes = (uint64_t)(s->burst_bytes * s->extent[DRAM_CH]);
    const int64_t peak_clk = (int64_t)((bytes + round_bytes - 1) / round_bytes) * s->n.BL;
    const int64_t first_clk = MIN(now_clk + s->n.RCD + data_clk, end_clk - peak_clk);
    b->busy_clk += MAX(end_clk - MAX(first_clk, b->end_clk), 0);
    b->end_clk = MAX(b->end_clk, end_clk);
}

int64_t dram_bank_access(struct dram_bank *b, uint64_t address, uint64_t bytes, bool is_write,
                         int64_t now_clk)
{
    const uint64_t burst = (uint64_t)b->spec.burst_bytes;
    const int64_t first = (int64_t)(address / burst);
    const int64_t end = (int64_t)((address + bytes + burst - 1) / burst);
    if (bytes == 0)
        return now_clk;
    const enum dram_command column = is_write ? DRAM_WR : DRAM_RD;
    join_runs(b, now_clk);
    const int64_t end_clk = b->spec.interleaved ? access_interleaved(b, column, first, end, now_clk)
                                                : access_ranges(b, column, first, end, now_clk);
    count_busy(b, bytes, is_write ? b->spec.n.CWL : b->spec.n.CL, now_clk, end_clk);
    return end_clk;
}

/* Those of rank r fall due at (k + r / ranks) nREFI, k = 1, 2, ... */
uint64_t dram_bank_refreshes(const struct dram_bank *b, int64_t now_clk)
{
    const struct dram_spec *s = &b->spec;
    uint64_t n = 0;
    for (int64_t r = 0; r < s->extent[DRAM_RA]; r++) {
        const int64_t first = s->n.REFI + s->n.REFI * r / s->extent[DRAM_RA];
        n += now_clk < first ? 0 : (uint64_t)((now_clk - first) / s->n.REFI + 1);
    }
    return n * (uint64_t)s->extent[DRAM_CH];
}
