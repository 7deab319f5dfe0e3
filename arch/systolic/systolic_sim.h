/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the machine's contents, and the state that its processes share. */
#pragma once

#include "arch/shares.h"
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_count.h"
#include "arch/systolic/systolic_state.h"
#include "sim/kernel/sk.h"

struct array_sim;

/* What issues instructions, in program order. */
struct controller {
    int array;
    struct varints list; /* of each instruction that it issues, how far behind the one before */
    size_t n_read;       /* bytes of the list */
    size_t last, next;   /* places in the program: of the last one listed, of the next to issue */
    uint64_t n_left;
    uint64_t free_cyc; /* it can issue the next one from here on */
};

struct queued {
    size_t place; /* in the program */
    uint64_t issue_cyc;
};

/* Instructions waiting at a unit, and the counter that its Sync set raises. */
struct unit_state {
    struct sim *sim;
    struct array_sim *array; /* NULL: the host */
    enum unit unit;
    struct controller *controller;
    struct queued *queue; /* ring */
    uint32_t head, n_queued;
    uint64_t n_left;
    struct sk_event *filled;
    GArray *set_cyc; /* uint64_t: when the i-th set takes effect */
    struct sk_event *set;
    struct insn now; /* being executed */
    uint64_t busy, busy_cyc;
    uint64_t layer, n_begun; /* for waveforms */
    bool has_begun;
    uint64_t sums_cyc; /* array: when the sums of what it has done are in the accumulators */
};

/* A tile on its way: a request at some ports, or what the buffer sends, whose arrival is known. */
struct coming {
    struct arbiter *ports; /* NULL: it is known */
    uint64_t number, arrival_cyc;
};

struct fifo_slot {
    uint64_t tile; /* its address */
    int32_t layer;
    uint64_t shift_cyc;
    struct coming coming;
};

/* When a kind of unit was at work on a step, from first to last; end 0: never. */
struct step_span {
    uint64_t start_cyc, end_cyc;
};

/* An array, what feeds it and what it feeds. */
struct array_sim {
    struct sim *sim;
    int index;
    struct unit_state units[N_UNIT]; /* but for the host */
    struct fifo_slot *fifo;          /* ring */
    uint64_t fifo_head, fifo_level;
    struct sk_event *fifo_filled, *fifo_freed;
    bool shadow_full, shadow_free;
    struct in_array before;
    uint64_t shift_start_cyc;
    uint64_t path_free_cyc; /* when the buffer has sent the tiles asked for */
    struct sk_event *shadow_filled, *shadow_freed;
    uint64_t n_tile;   /* that the loader will shift in */
    uint64_t n_shift;  /* begun so far, for waveforms */
    uint64_t idle_cyc; /* when the last product ended */
    /* By cause: when what the next product waits for was there; 0: it waits for nothing. */
    uint64_t met_cyc[N_CAUSE];
    GArray *waits;        /* struct shares_wait, by start: CAUSE_RAW, CAUSE_INPUT */
    struct sk_event *met; /* the other arrays have come to where this one waits for them */
};

/* An instruction that several arrays' units meet at. */
struct meeting {
    int n_here;           /* units that have come since all were here the last time */
    uint32_t n_met;       /* how often all were */
    struct coming coming; /* READ_WEIGHTS: the tile that they met for the last time */
};

struct sim {
    struct arena *arena;
    const struct systolic *self;
    const struct plan *plan;
    const struct program *program;
    const char *prefix; /* of names */
    struct systolic_core core;
    struct machine_state *state; /* NULL in timing mode */
    struct unit_state host;
    struct array_sim *arrays; /* array.count */
    struct controller *controllers;
    struct meeting *meetings; /* by insn.meeting; NULL with one array */
    struct tally *layers;
    struct shares *shares;
    struct step_span *step_spans; /* by step and kind of unit */
    GError *error;                /* of a process; the run was stopped */
};
