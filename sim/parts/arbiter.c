/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/parts/arbiter.h"

#include <glib.h>
#include <math.h>

#include "sim/parts/cycles.h"

enum { FIRST_SIZE = 1024 };

void arbiter_init(struct arbiter *a, struct dram *dram, struct link *link, uint64_t burst_bytes,
                  bool has_blocks)
{
    g_assert(burst_bytes > 0 && (dram == NULL) != (link == NULL));
    *a = (struct arbiter){.dram = dram,
                          .link = link,
                          .burst_bytes = burst_bytes,
                          .has_blocks = has_blocks,
                          .size = FIRST_SIZE,
                          .waiting = g_new(struct arbiter_waiting, FIRST_SIZE),
                          .arrivals = g_new0(uint64_t, FIRST_SIZE)};
}

void arbiter_clear(struct arbiter *a)
{
    g_free(a->waiting);
    g_free(a->arrivals);
    a->waiting = NULL;
    a->arrivals = NULL;
}

static double cyc_per_byte(const struct arbiter *a)
{
    return a->link ? a->link->cyc_per_byte : a->dram->cyc_per_byte;
}

/* When what was asked for so far has been moved. */
static double free_cyc(const struct arbiter *a)
{
    return a->link ? link_free_cyc(a->link) : dram_free_cyc(a->dram);
}

/* Its rows and banks do not move all bursts at one pace. */
static bool has_banks(const struct arbiter *a)
{
    return a->dram && a->dram->model == DRAM_BANKS;
}

static struct arbiter_waiting *waiting_at(const struct arbiter *a, uint64_t number)
{
    return &a->waiting[number & (a->size - 1)];
}

static double request_due_cyc(const struct arbiter *a)
{
    if (a->n_moved == a->n_asked)
        return INFINITY;
    return MAX((double)waiting_at(a, a->n_moved)->asked_cyc, a->request_free_cyc);
}

static double burst_due_cyc(const struct arbiter *a)
{
    return a->left.bytes > 0 ? a->burst_due_cyc : INFINITY;
}

/* What is due in the course of a cycle finds the bytes before it still moving. */
static uint64_t ask(struct arbiter *a, const struct dram_request *r, double due_cyc, bool goes_on)
{
    const uint64_t at_cyc = (uint64_t)due_cyc;
    if (!a->link)
        return dram_access(a->dram, r, at_cyc);
    return goes_on ? link_send_more(a->link, r->bytes, at_cyc)
                   : link_send(a->link, r->bytes, at_cyc);
}

static void move_request(struct arbiter *a, double due_cyc)
{
    a->arrivals[a->n_moved & (a->size - 1)] =
        ask(a, &waiting_at(a, a->n_moved)->request, due_cyc, false);
    a->n_moved++;
    a->request_free_cyc = MAX(due_cyc, free_cyc(a));
    a->burst_was_last = false;
}

/* As many bursts as are due one after another before until_cyc, while no request is. One, where it
 * begins a block over a link, which has to start up, and where they have no pace. */
static uint64_t due_bytes(const struct arbiter *a, double until_cyc)
{
    const double burst_cyc = (double)a->burst_bytes * cyc_per_byte(a);
    if (burst_cyc == 0)
        return a->left.bytes;
    if (has_banks(a) || (a->link && !a->begun) || free_cyc(a) > a->burst_due_cyc)
        return MIN(a->burst_bytes, a->left.bytes);
    const double more = (double)(a->left.bytes / a->burst_bytes);
    const double n = 1 + CLAMP((until_cyc - a->burst_due_cyc) / burst_cyc, 0, more);
    return MIN((uint64_t)n * a->burst_bytes, a->left.bytes);
}

static void move_bursts(struct arbiter *a, double until_cyc)
{
    const struct dram_request r = {
        .bytes = due_bytes(a, until_cyc), .is_write = a->left.is_write, .address = a->left.address};
    a->block_end_cyc = ask(a, &r, a->burst_due_cyc, a->begun);
    a->begun = true;
    a->left.bytes -= r.bytes;
    a->left.address += r.bytes;
    a->burst_due_cyc = MAX(a->burst_due_cyc, free_cyc(a));
    a->burst_was_last = true;
}

void arbiter_catch_up(struct arbiter *a, uint64_t now_cyc)
{
    const double until_cyc = (double)now_cyc + CYCLES_SLACK;
    for (;;) {
        const double request_cyc = request_due_cyc(a), burst_cyc = burst_due_cyc(a);
        if (MIN(request_cyc, burst_cyc) > until_cyc)
            return;
        if (request_cyc < burst_cyc || (request_cyc == burst_cyc && a->burst_was_last))
            move_request(a, request_cyc);
        else
            move_bursts(a, MIN(until_cyc, request_cyc));
    }
}

static void grow(struct arbiter *a)
{
    const uint64_t size = 2 * a->size;
    struct arbiter_waiting *waiting = g_new(struct arbiter_waiting, size);
    uint64_t *arrivals = g_new0(uint64_t, size);
    for (uint64_t i = a->n_asked - MIN(a->size, a->n_asked); i < a->n_asked; i++) {
        waiting[i & (size - 1)] = a->waiting[i & (a->size - 1)];
        arrivals[i & (size - 1)] = a->arrivals[i & (a->size - 1)];
    }
    g_free(a->waiting);
    g_free(a->arrivals);
    a->waiting = waiting;
    a->arrivals = arrivals;
    a->size = size;
}

uint64_t arbiter_ask(struct arbiter *a, const struct dram_request *r, uint64_t now_cyc)
{
    arbiter_catch_up(a, now_cyc);
    if (a->n_asked - a->n_moved == a->size / 2)
        grow(a);
    a->sum_bytes += r->bytes;
    *waiting_at(a, a->n_asked) = (struct arbiter_waiting){*r, now_cyc, a->sum_bytes};
    a->n_asked++;
    if (!a->has_blocks)
        move_request(a, (double)now_cyc);
    return a->n_asked - 1;
}

/* Of `number`, no earlier than when those before it and the bursts between them have been moved. */
static double least_cyc(const struct arbiter *a, uint64_t number)
{
    const struct arbiter_waiting *first = waiting_at(a, a->n_moved), *last = waiting_at(a, number);
    const double per_byte = cyc_per_byte(a), due_cyc = request_due_cyc(a);
    const double bytes = (double)(last->sum_bytes - first->sum_bytes + first->request.bytes);
    const double begin_cyc = MAX(due_cyc, free_cyc(a));
    double burst_bytes = 0;
    if (burst_due_cyc(a) <= begin_cyc)
        burst_bytes =
            MIN((double)a->left.bytes, (double)(number - a->n_moved) * (double)a->burst_bytes);
    return begin_cyc + (bytes + burst_bytes) * per_byte;
}

bool arbiter_arrival(struct arbiter *a, uint64_t number, uint64_t now_cyc, uint64_t *at_cyc)
{
    const uint64_t oldest = a->n_asked - MIN(a->size, a->n_asked);
    g_assert(number < a->n_asked);
    number = MAX(number, oldest);
    if (number >= a->n_moved)
        arbiter_catch_up(a, now_cyc);
    if (number < a->n_moved) {
        *at_cyc = a->arrivals[number & (a->size - 1)];
        return true;
    }
    *at_cyc = MAX(cycles_ceil(least_cyc(a, number)), now_cyc + 1);
    return false;
}

void arbiter_begin_block(struct arbiter *a, const struct dram_request *block, uint64_t begin_cyc)
{
    g_assert(a->has_blocks && a->left.bytes == 0);
    a->left = *block;
    a->begun = false;
    a->burst_due_cyc = (double)begin_cyc;
    a->block_end_cyc = begin_cyc;
}

bool arbiter_block_arrival(struct arbiter *a, uint64_t now_cyc, uint64_t *at_cyc)
{
    arbiter_catch_up(a, now_cyc);
    if (a->left.bytes == 0) {
        *at_cyc = a->block_end_cyc;
        return true;
    }
    const uint64_t before_last = (a->left.bytes - 1) / a->burst_bytes * a->burst_bytes;
    const double last_due_cyc = a->burst_due_cyc + (double)before_last * cyc_per_byte(a);
    *at_cyc = MAX(cycles_ceil(last_due_cyc), now_cyc + 1);
    return false;
}
