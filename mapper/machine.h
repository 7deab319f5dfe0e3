/* SPDX-License-Identifier: Apache-2.0 */
/* A machine as the mapper and the reports see it: memories and rates. Filled by a family's
 * create(); plain data, in the machine's arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/stat/record.h"
#include "workloads/tensor/number.h"

/* A physical memory; each stands once, whatever moves through it. Alike ones are one entry. */
struct machine_memory {
    const char *name;     /* as in memory.NAME.* */
    const char *help;     /* a sentence */
    int parent;           /* index of the memory it is filled from; -1: the root */
    int64_t count;        /* of alike ones; 0: one */
    uint64_t size_bytes;  /* of all of them; 0: without limit */
    double bytes_per_cyc; /* the same: peak, read and written together; 0: unlimited */
    enum record_place place;
};

/* What a device keeps where: a role names a memory, and several may name the same one. */
enum machine_role {
    ROLE_ACTIVATIONS, /* whole ones between layers; never a scratchpad for tiles */
    ROLE_WEIGHTS,     /* parameters */
    ROLE_INPUTS,      /* what the network is given and gives, states, and what the host works on */
    ROLE_SPILL,       /* activations that find no room with the others */
    N_ROLE
};
extern const char *const machine_role_names[N_ROLE];

/* What computes, with memories of its own or shared. Alike ones are one entry. */
struct machine_device {
    const char *name;
    int64_t count;     /* of alike ones; 0: one */
    int roles[N_ROLE]; /* indices of memories */
};
enum { MACHINE_MAX_DEVICE = 4 };

/* mapper.search: how much of the mapping space is looked at. */
enum machine_search { SEARCH_HEURISTIC, SEARCH_SEARCH, SEARCH_EXHAUSTIVE };
extern const char *const machine_search_names[]; /* NULL-terminated, for CFG_ENUM */

/* mapper.objective: what the search makes small. */
enum machine_objective { OBJECTIVE_CYCLES, OBJECTIVE_TRAFFIC };
extern const char *const machine_objective_names[]; /* NULL-terminated, for CFG_ENUM */

struct machine {
    const char *name, *family, *file;
    double clock_hz;
    struct machine_memory *memories;
    int n_memory;
    struct machine_device devices[MACHINE_MAX_DEVICE];
    int n_device;
    double peak_macs_per_cyc[NUMBER_COUNT]; /* 0: the format is not supported */
    enum number precision;                  /* of matrix operands, unless asked otherwise */
    bool host_fallback;                     /* an operator that it lacks runs on the host */
    bool interleaves;                       /* layers may take turns, a chunk of each at a time */
    bool moves_free; /* no byte takes time: rates say what the mapper makes small, bound nothing */
    enum machine_search search;
    enum machine_objective objective;
    bool streams_weights; /* those that find no room in their memory lie in that of the inputs */
    bool keeps_weights;   /* the memory of activations can hold weights for the unit, too */
    double area_mm2;      /* of the die; 0: not known */
    struct record_area *areas;
    int n_area;
    const char *known_error; /* a sentence: how far the model is known to be off, with its source */
    const struct record_cause *causes; /* why the main matrix unit waits */
    int n_cause;
    const struct stat_desc *components; /* of the energy */
    int n_component;
};

/* The memory of a role, by its index and itself: of the first device, which computes all layers. */
static inline int machine_index(const struct machine *m, enum machine_role role)
{
    return m->devices[0].roles[role];
}

static inline const struct machine_memory *machine_memory(const struct machine *m,
                                                          enum machine_role role)
{
    return &m->memories[machine_index(m, role)];
}

/* Weights and activations lie in one memory, whose size is for both. */
static inline bool machine_shares_weights(const struct machine *m)
{
    return machine_index(m, ROLE_WEIGHTS) == machine_index(m, ROLE_ACTIVATIONS);
}
