/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_blocks.h"

#include <glib.h>

/* Less of a burst is rounding. */
static const double least_cyc = 1e-6;

static struct blocks_waiting *waiting_at(struct blocks *b, uint64_t n)
{
    return &b->waiting[n % MOST_BLOCKS];
}

/* The engine takes a block when the one before has arrived. */
static void begin_next(struct blocks *b)
{
    b->due = INFINITY;
    if (b->n_arrived == b->n_block)
        return;
    const double before = b->n_arrived > 0 ? b->ends[b->n_arrived % MOST_ENDS] : 0;
    b->due = MAX(systolic_blocks_first(b)->begin, before);
}

uint64_t systolic_blocks_add(struct blocks *b, const double burst_cyc[N_BUS],
                             const struct blocks_waiting *block)
{
    if (b->n_block - b->n_arrived == MOST_BLOCKS)
        systolic_blocks_arrival(b, burst_cyc, b->n_arrived + 1);
    *waiting_at(b, ++b->n_block) = *block;
    if (b->n_block == b->n_arrived + 1)
        begin_next(b);
    return b->n_block;
}

/* Cycles of the bursts of a block that are due one after another: one, behind what others have
 * asked for, else all that are due before it is too late for another. */
static double due_cyc(const struct blocks *b, const struct blocks_waiting *w, double burst_cyc,
                      double until_cyc)
{
    if (b->bus[w->bus] > b->due)
        return MIN(burst_cyc, w->left_cyc);
    const double more = floor((until_cyc - b->due) / burst_cyc);
    return MIN((1 + more) * burst_cyc, w->left_cyc);
}

/* So much more of the first block has been moved, its bus is free then. */
static void put_bursts(struct blocks *b, double cyc, double bus_cyc)
{
    struct blocks_waiting *w = waiting_at(b, b->n_arrived + 1);
    b->bus[w->bus] = b->due = bus_cyc;
    b->moved[w->bus] += cyc;
    w->left_cyc -= cyc;
    if (w->left_cyc > least_cyc)
        return;
    b->n_arrived++;
    b->ends[b->n_arrived % MOST_ENDS] = bus_cyc + w->tail_cyc;
    begin_next(b);
}

void systolic_blocks_move(struct blocks *b, const double burst_cyc[N_BUS], double until_cyc,
                          uint64_t n)
{
    while (b->due <= until_cyc && b->n_arrived < MIN(n, b->n_block)) {
        const struct blocks_waiting *w = systolic_blocks_first(b);
        const double cyc = due_cyc(b, w, MAX(burst_cyc[w->bus], least_cyc), until_cyc);
        put_bursts(b, cyc, MAX(b->bus[w->bus], b->due) + cyc);
    }
}

void systolic_blocks_between(struct blocks *b, const double burst_cyc[N_BUS], int bus, double n)
{
    const double cyc = MIN(n * burst_cyc[bus], systolic_blocks_first(b)->left_cyc);
    put_bursts(b, cyc, b->bus[bus] + cyc);
}

double systolic_blocks_arrival(struct blocks *b, const double burst_cyc[N_BUS], uint64_t n)
{
    systolic_blocks_move(b, burst_cyc, INFINITY, n);
    return n > 0 && n + MOST_ENDS > b->n_arrived ? b->ends[n % MOST_ENDS] : 0;
}

double systolic_blocks_end(const struct blocks *b)
{
    double bus[N_BUS], end = b->n_arrived > 0 ? b->ends[b->n_arrived % MOST_ENDS] : 0;
    for (int i = 0; i < N_BUS; i++)
        bus[i] = b->bus[i];
    for (uint64_t n = b->n_arrived + 1; n <= b->n_block; n++) {
        const struct blocks_waiting *w = &b->waiting[n % MOST_BLOCKS];
        const double due = n == b->n_arrived + 1 ? b->due : MAX(w->begin, end);
        bus[w->bus] = MAX(bus[w->bus], due) + w->left_cyc;
        end = bus[w->bus] + w->tail_cyc;
    }
    return end;
}

double systolic_blocks_behind(const struct blocks *b, int bus)
{
    double cyc = 0;
    for (uint64_t n = b->n_arrived + 1; n <= b->n_block; n++) {
        const struct blocks_waiting *w = &b->waiting[n % MOST_BLOCKS];
        cyc += w->bus == bus ? w->left_cyc : 0;
    }
    return cyc;
}

double systolic_blocks_left(const struct blocks *b, int bus)
{
    double left_cyc = 0;
    for (uint64_t n = b->n_arrived + 1; n <= b->n_block; n++) {
        const struct blocks_waiting *w = &b->waiting[n % MOST_BLOCKS];
        if (w->bus != bus || w->begin > b->due)
            break;
        left_cyc += w->left_cyc;
    }
    return left_cyc;
}

void systolic_blocks_skip(struct blocks *b, int bus, double moved_cyc, double bus_cyc)
{
    if (moved_cyc > 0)
        put_bursts(b, moved_cyc, b->due + bus_cyc - b->bus[bus]);
    b->tile[bus] += bus_cyc - b->bus[bus];
    b->bus[bus] = bus_cyc;
}

void systolic_blocks_delay(struct blocks *b, double cyc)
{
    for (int i = 0; i < MOST_BLOCKS; i++)
        b->waiting[i].begin += cyc;
    for (int i = 0; i < MOST_ENDS; i++)
        b->ends[i] += cyc;
    b->due += cyc;
}
