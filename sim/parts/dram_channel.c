/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/dram_channel.h"

#include <glib.h>
#include <string.h>

#define LONG_AGO (-((int64_t)1 << 40))

void dram_channel_init(struct dram_channel *c, const struct dram_spec *s)
{
    *c = (struct dram_channel){0};
    for (int i = 0; i < s->n_bank; i++)
        c->open_row[i] = DRAM_CLOSED;
    for (int r = 0; r < s->extent[DRAM_RA]; r++) {
        for (int i = 0; i < 4; i++)
            c->act_clk[r][i] = LONG_AGO;
        /* Ranks take turns, so that the bus never stands still for two of them at once. */
        c->due_clk[r] = s->n.REFI + s->n.REFI * r / s->extent[DRAM_RA];
    }
}

static int64_t earliest_refresh(const struct dram_channel *c, const struct dram_spec *s, int rank)
{
    int64_t clk = c->ranks[rank].next_clk[DRAM_REF];
    for (int i = rank * s->n_bank_rank; i < (rank + 1) * s->n_bank_rank; i++)
        clk = MAX(clk, c->banks[i].next_clk[DRAM_REF]);
    return clk;
}

int64_t dram_channel_earliest(const struct dram_channel *c, const struct dram_spec *s,
                              enum dram_command command, int bank)
{
    const int rank = s->rank_of[bank];
    if (command == DRAM_REF)
        return earliest_refresh(c, s, rank);
    int64_t clk = MAX(c->banks[bank].next_clk[command], c->ranks[rank].next_clk[command]);
    clk = MAX(clk, c->groups[s->group_of[bank]].next_clk[command]);
    if (command == DRAM_ACT)
        clk = MAX(clk, c->act_clk[rank][c->i_act[rank]] + s->n.FAW);
    return clk;
}

static void hold(struct dram_node *node, enum dram_command command, int64_t clk)
{
    node->next_clk[command] = MAX(node->next_clk[command], clk);
}

static void apply_rule(struct dram_channel *c, const struct dram_spec *s,
                       const struct dram_rule *rule, int bank, int64_t clk)
{
    const int rank = s->rank_of[bank];
    switch (rule->level) {
    case DRAM_BANK:
        hold(&c->banks[bank], rule->after, clk + rule->clk);
        break;
    case DRAM_GROUP:
        hold(&c->groups[s->group_of[bank]], rule->after, clk + rule->clk);
        break;
    case DRAM_RANK:
        hold(&c->ranks[rank], rule->after, clk + rule->clk);
        break;
    case DRAM_SIBLING:
        for (int r = 0; r < s->extent[DRAM_RA]; r++)
            if (r != rank)
                hold(&c->ranks[r], rule->after, clk + rule->clk);
        break;
    }
}

void dram_channel_issue(struct dram_channel *c, const struct dram_spec *s,
                        enum dram_command command, int bank, int64_t row, int64_t clk)
{
    const int rank = s->rank_of[bank];
    for (int i = s->first_rule[command]; i < s->first_rule[command + 1]; i++)
        apply_rule(c, s, &s->rules[i], bank, clk);
    c->last_clk = MAX(c->last_clk, clk);
    if (command == DRAM_ACT) {
        c->open_row[bank] = row;
        c->n_open[rank]++;
        c->counts.n_activate++;
        c->act_clk[rank][c->i_act[rank]] = clk;
        c->i_act[rank] = (c->i_act[rank] + 1) % 4;
    } else if (command == DRAM_PRE) {
        c->open_row[bank] = DRAM_CLOSED;
        c->n_open[rank]--;
    }
}

/* The refresh that is due: all open banks are precharged at once, as soon as each may be. */
static void refresh(struct dram_channel *c, const struct dram_spec *s, int rank)
{
    const int first = rank * s->n_bank_rank, end = first + s->n_bank_rank;
    int64_t clk = c->due_clk[rank];
    for (int i = first; i < end; i++) {
        const int64_t ready_clk = dram_channel_earliest(c, s, DRAM_PRE, i);
        if (c->open_row[i] != DRAM_CLOSED)
            clk = MAX(clk, ready_clk);
    }
    for (int i = first; i < end; i++)
        if (c->open_row[i] != DRAM_CLOSED)
            dram_channel_issue(c, s, DRAM_PRE, i, DRAM_CLOSED, clk);
    const int64_t ready_clk = earliest_refresh(c, s, rank);
    clk = MAX(c->due_clk[rank], ready_clk);
    dram_channel_issue(c, s, DRAM_REF, first, DRAM_CLOSED, clk);
    c->due_clk[rank] += s->n.REFI;
}

/* Refreshes of a rank with no row open, up to clk: each begins when it is due, and only the last
 * one can still be felt. */
static void refresh_idle(struct dram_channel *c, const struct dram_spec *s, int rank, int64_t clk)
{
    const int64_t n_more = (clk - c->due_clk[rank]) / s->n.REFI;
    c->due_clk[rank] += n_more * s->n.REFI;
    refresh(c, s, rank);
}

void dram_channel_settle(struct dram_channel *c, const struct dram_spec *s, int64_t now_clk)
{
    for (int r = 0; r < s->extent[DRAM_RA]; r++) {
        if (c->due_clk[r] <= now_clk)
            refresh(c, s, r);
        if (c->due_clk[r] <= now_clk)
            refresh_idle(c, s, r, now_clk);
    }
}

static bool equal_nodes(const struct dram_node *a, const struct dram_node *b, int n,
                        int64_t now_clk)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < DRAM_N_COMMAND; k++)
            if (MAX(a[i].next_clk[k], now_clk) != MAX(b[i].next_clk[k], now_clk))
                return false;
    return true;
}

static bool equal_windows(const struct dram_channel *a, const struct dram_channel *b,
                          const struct dram_spec *s, int rank, int64_t now_clk)
{
    const int64_t from_clk = now_clk - s->n.FAW;
    for (int i = 0; i < 4; i++) {
        const int64_t x = a->act_clk[rank][(a->i_act[rank] + i) % 4];
        const int64_t y = b->act_clk[rank][(b->i_act[rank] + i) % 4];
        if (MAX(x, from_clk) != MAX(y, from_clk))
            return false;
    }
    return true;
}

static bool equal_queues(const struct dram_channel *a, const struct dram_channel *b,
                         int64_t now_clk)
{
    for (uint64_t i = 1; i <= DRAM_QUEUE; i++) {
        const int64_t x = a->column_clk[(a->n_column - i) % DRAM_QUEUE];
        const int64_t y = b->column_clk[(b->n_column - i) % DRAM_QUEUE];
        if (MAX(x, now_clk) != MAX(y, now_clk))
            return false;
    }
    return true;
}

bool dram_channel_equal(const struct dram_channel *a, const struct dram_channel *b,
                        const struct dram_spec *s, int64_t now_clk)
{
    const int n_rank = (int)s->extent[DRAM_RA];
    if (memcmp(a->open_row, b->open_row, (size_t)s->n_bank * sizeof(a->open_row[0])))
        return false;
    for (int r = 0; r < n_rank; r++)
        if (a->due_clk[r] != b->due_clk[r])
            return false;
    if (MAX(a->last_clk, b->last_clk) + s->longest_clk <= now_clk)
        return true;
    for (int r = 0; r < n_rank; r++)
        if (!equal_windows(a, b, s, r, now_clk))
            return false;
    return equal_queues(a, b, now_clk) && equal_nodes(a->ranks, b->ranks, n_rank, now_clk) &&
           equal_nodes(a->groups, b->groups, s->n_group, now_clk) &&
           equal_nodes(a->banks, b->banks, s->n_bank, now_clk);
}

#define COPY(member, n) memcpy(to->member, from->member, (size_t)(n) * sizeof(to->member[0]))
void dram_channel_copy(struct dram_channel *to, const struct dram_channel *from,
                       const struct dram_spec *s)
{
    COPY(banks, s->n_bank);
    COPY(groups, s->n_group);
    COPY(ranks, s->extent[DRAM_RA]);
    COPY(open_row, s->n_bank);
    COPY(n_open, s->extent[DRAM_RA]);
    COPY(act_clk, s->extent[DRAM_RA]);
    COPY(i_act, s->extent[DRAM_RA]);
    COPY(due_clk, s->extent[DRAM_RA]);
    COPY(column_clk, DRAM_QUEUE);
    to->n_column = from->n_column;
    to->last_clk = from->last_clk;
    to->counts = (struct dram_counts){0};
}
#undef COPY

int64_t dram_channel_access(struct dram_channel *c, const struct dram_spec *s,
                            enum dram_command column, int bank, int64_t row, int64_t arrival_clk,
                            bool *opened)
{
    const int rank = s->rank_of[bank];
    *opened = c->open_row[bank] != row;
    if (!*opened)
        c->counts.n_hit++;
    else if (c->open_row[bank] == DRAM_CLOSED)
        c->counts.n_miss++;
    else
        c->counts.n_conflict++;
    for (;;) {
        const enum dram_command command = c->open_row[bank] == row           ? column
                                          : c->open_row[bank] == DRAM_CLOSED ? DRAM_ACT
                                                                             : DRAM_PRE;
        const int64_t ready_clk = dram_channel_earliest(c, s, command, bank);
        const int64_t clk = MAX(arrival_clk, ready_clk);
        if (clk >= c->due_clk[rank]) {
            *opened = true;
            if (c->n_open[rank] > 0)
                refresh(c, s, rank);
            else
                refresh_idle(c, s, rank, clk);
            continue;
        }
        dram_channel_issue(c, s, command, bank, row, clk);
        if (command == column)
            return clk;
    }
}
