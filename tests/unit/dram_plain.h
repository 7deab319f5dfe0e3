/* SPDX-License-Identifier: Apache-2.0 */
/* `bank` DRAM told plainly, to hold sim/parts/dram_bank.c against: burst by burst, refresh by
 * refresh, each command asked of every earlier one. It shares the numbers of struct dram_spec with
 * the model and nothing else. */
#pragma once

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "sim/parts/dram_bank.h"
#include "tests/unit/test.h"

struct plain_channel {
    int64_t last_clk[DRAM_N_COMMAND][DRAM_MAX_BANK]; /* of each command to each bank */
    int64_t row[DRAM_MAX_BANK];
    GArray *acts[DRAM_MAX_RANK]; /* int64_t: all activates */
    GArray *columns;             /* int64_t: all bursts */
    int64_t due_clk[DRAM_MAX_RANK];
};

struct plain {
    const struct dram_spec *s;
    const char *mapping;
    struct plain_channel *channels;
    struct dram_counts n;
};

enum { PLAIN_NEVER = -1000000 };

static struct plain *plain_new(const struct dram_spec *s, const char *mapping)
{
    struct plain *p = g_new0(struct plain, 1);
    p->s = s;
    p->mapping = mapping;
    p->channels = g_new0(struct plain_channel, (gsize)s->extent[DRAM_CH]);
    for (int64_t i = 0; i < s->extent[DRAM_CH]; i++) {
        struct plain_channel *c = &p->channels[i];
        c->columns = g_array_new(FALSE, FALSE, sizeof(int64_t));
        for (int b = 0; b < s->n_bank; b++) {
            c->row[b] = -1;
            for (int k = 0; k < DRAM_N_COMMAND; k++)
                c->last_clk[k][b] = PLAIN_NEVER;
        }
        for (int64_t r = 0; r < s->extent[DRAM_RA]; r++) {
            c->acts[r] = g_array_new(FALSE, FALSE, sizeof(int64_t));
            c->due_clk[r] = s->n.REFI + s->n.REFI * r / s->extent[DRAM_RA];
        }
    }
    return p;
}

static void plain_free(struct plain *p)
{
    for (int64_t i = 0; i < p->s->extent[DRAM_CH]; i++) {
        g_array_free(p->channels[i].columns, TRUE);
        for (int64_t r = 0; r < p->s->extent[DRAM_RA]; r++)
            g_array_free(p->channels[i].acts[r], TRUE);
    }
    g_free(p->channels);
    g_free(p);
}

/* Clocks that command b to bank j has to stay behind command a to bank i; 0: none. */
static int64_t plain_distance(const struct dram_spec *s, int a, int i, int b, int j)
{
    const struct dram_timing *n = &s->n;
    const bool same_bank = i == j, same_rank = s->rank_of[i] == s->rank_of[j];
    const bool same_group = s->group_of[i] == s->group_of[j];
    switch (a * DRAM_N_COMMAND + b) {
    case DRAM_ACT *DRAM_N_COMMAND + DRAM_ACT:
        return same_bank ? n->RC : same_group ? n->RRD_L : same_rank ? n->RRD_S : 0;
    case DRAM_ACT *DRAM_N_COMMAND + DRAM_PRE:
        return same_bank ? n->RAS : 0;
    case DRAM_ACT *DRAM_N_COMMAND + DRAM_RD:
    case DRAM_ACT *DRAM_N_COMMAND + DRAM_WR:
        return same_bank ? n->RCD : 0;
    case DRAM_ACT *DRAM_N_COMMAND + DRAM_REF:
        return same_rank ? n->RC : 0;
    case DRAM_PRE *DRAM_N_COMMAND + DRAM_ACT:
        return same_bank ? n->RP : 0;
    case DRAM_PRE *DRAM_N_COMMAND + DRAM_REF:
        return same_rank ? n->RP : 0;
    case DRAM_RD *DRAM_N_COMMAND + DRAM_PRE:
        return same_bank ? n->RTP : 0;
    case DRAM_WR *DRAM_N_COMMAND + DRAM_PRE:
        return same_bank ? n->CWL + n->BL + n->WR : 0;
    case DRAM_RD *DRAM_N_COMMAND + DRAM_RD:
    case DRAM_WR *DRAM_N_COMMAND + DRAM_WR:
        return same_group ? n->CCD_L : same_rank ? n->CCD_S : n->BL + n->RTR;
    case DRAM_RD *DRAM_N_COMMAND + DRAM_WR:
        return n->CL + n->BL + n->RTR - n->CWL;
    case DRAM_WR *DRAM_N_COMMAND + DRAM_RD:
        return same_group  ? n->CWL + n->BL + n->WTR_L
               : same_rank ? n->CWL + n->BL + n->WTR_S
                           : MAX(n->CWL + n->BL + n->RTR - n->CL, 1);
    case DRAM_REF *DRAM_N_COMMAND + DRAM_ACT:
    case DRAM_REF *DRAM_N_COMMAND + DRAM_REF:
        return same_rank ? n->RFC : 0;
    default:
        return 0;
    }
}

static int64_t plain_ready(const struct plain *p, const struct plain_channel *c, int b, int bank)
{
    const struct dram_spec *s = p->s;
    int64_t clk = 0;
    for (int a = 0; a < DRAM_N_COMMAND; a++)
        for (int i = 0; i < s->n_bank; i++) {
            const int64_t distance = plain_distance(s, a, i, b, bank);
            if (distance > 0)
                clk = MAX(clk, c->last_clk[a][i] + distance);
        }
    const GArray *acts = c->acts[s->rank_of[bank]];
    if (b == DRAM_ACT && acts->len >= 4)
        clk = MAX(clk, g_array_index(acts, int64_t, acts->len - 4) + s->n.FAW);
    return clk;
}

static void plain_refresh(struct plain *p, struct plain_channel *c, int rank)
{
    const struct dram_spec *s = p->s;
    int64_t clk = c->due_clk[rank];
    for (int i = 0; i < s->n_bank; i++)
        if (s->rank_of[i] == rank && c->row[i] >= 0)
            clk = MAX(clk, plain_ready(p, c, DRAM_PRE, i));
    for (int i = 0; i < s->n_bank; i++)
        if (s->rank_of[i] == rank && c->row[i] >= 0) {
            c->row[i] = -1;
            c->last_clk[DRAM_PRE][i] = clk;
        }
    clk = MAX(c->due_clk[rank], plain_ready(p, c, DRAM_REF, rank * s->n_bank_rank));
    c->last_clk[DRAM_REF][rank * s->n_bank_rank] = clk;
    c->due_clk[rank] += s->n.REFI;
}

static int64_t plain_burst(struct plain *p, struct plain_channel *c, int column, int bank,
                           int64_t row, int64_t now_clk)
{
    const int rank = p->s->rank_of[bank];
    const GArray *done = c->columns;
    if (done->len >= DRAM_QUEUE)
        now_clk = MAX(now_clk, g_array_index(done, int64_t, done->len - DRAM_QUEUE));
    *(c->row[bank] == row ? &p->n.n_hit : c->row[bank] < 0 ? &p->n.n_miss : &p->n.n_conflict) += 1;
    for (;;) {
        const int command = c->row[bank] == row ? column : c->row[bank] < 0 ? DRAM_ACT : DRAM_PRE;
        const int64_t clk = MAX(now_clk, plain_ready(p, c, command, bank));
        if (clk >= c->due_clk[rank]) {
            plain_refresh(p, c, rank);
            continue;
        }
        c->last_clk[command][bank] = clk;
        if (command == DRAM_ACT) {
            p->n.n_activate++;
            g_array_append_val(c->acts[rank], clk);
        }
        if (command != column) {
            c->row[bank] = command == DRAM_ACT ? row : -1;
            continue;
        }
        g_array_append_val(c->columns, clk);
        return clk + (column == DRAM_RD ? p->s->n.CL : p->s->n.CWL) + p->s->n.BL;
    }
}

/* Takes the name of the mapping apart, from its end. */
static void plain_decode(const struct plain *p, uint64_t burst, int64_t digit[DRAM_N_DIGIT])
{
    static const char *const names[DRAM_N_DIGIT] = {"Ch", "Bg", "Ba", "Ra", "Co", "Ro"};
    const bool has_group = strstr(p->mapping, "Bg");
    for (const char *at = p->mapping + strlen(p->mapping) - 2; at >= p->mapping; at -= 2)
        for (int i = 0; i < DRAM_N_DIGIT; i++) {
            if (strncmp(at, names[i], 2))
                continue;
            if (i == DRAM_BA && !has_group) {
                digit[DRAM_BG] = (int64_t)burst % p->s->extent[DRAM_BG];
                burst /= (uint64_t)p->s->extent[DRAM_BG];
            }
            digit[i] = (int64_t)burst % p->s->extent[i];
            burst /= (uint64_t)p->s->extent[i];
        }
}

static int64_t plain_access(struct plain *p, uint64_t address, uint64_t bytes, bool is_write,
                            int64_t now_clk)
{
    const struct dram_spec *s = p->s;
    const uint64_t size = (uint64_t)s->burst_bytes;
    int64_t end_clk = 0;
    for (int64_t i = 0; i < s->extent[DRAM_CH]; i++)
        for (int64_t r = 0; r < s->extent[DRAM_RA]; r++)
            while (p->channels[i].due_clk[r] <= now_clk)
                plain_refresh(p, &p->channels[i], (int)r);
    for (uint64_t burst = address / size; burst * size < address + bytes; burst++) {
        int64_t d[DRAM_N_DIGIT];
        plain_decode(p, burst, d);
        const int64_t bank =
            (d[DRAM_RA] * s->extent[DRAM_BG] + d[DRAM_BG]) * s->extent[DRAM_BA] + d[DRAM_BA];
        const int64_t clk = plain_burst(p, &p->channels[d[DRAM_CH]], is_write ? DRAM_WR : DRAM_RD,
                                        (int)bank, d[DRAM_RO], now_clk);
        end_clk = MAX(end_clk, clk);
    }
    return end_clk;
}
