/* SPDX-License-Identifier: Apache-2.0 */
/* A machine as the mapper and the reports see it: memories and rates. Filled by a family's
 * create(); plain data, in the machine's arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sim/stat/record.h"
#include "workloads/tensor/number.h"

struct machine_memory {
    const char *name; /* as in memory.NAME.* */
    const char *help; /* a sentence */
    int parent;       /* index of the memory it is filled from; -1: the root */
    uint64_t size_bytes;
    double bytes_per_cyc; /* peak; 0: unlimited */
};

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
    int activation_memory;                  /* where activations live between layers */
    int weight_memory;                      /* where parameters are streamed from */
    int host_memory;                        /* where inputs, outputs and spilled activations are */
    double peak_macs_per_cyc[NUMBER_COUNT]; /* 0: the format is not supported */
    enum number precision;                  /* of matrix operands, unless asked otherwise */
    bool host_fallback;                     /* an operator that it lacks runs on the host */
    bool interleaves;                       /* layers may take turns, a chunk of each at a time */
    bool moves_free; /* no byte takes time: rates say what the mapper makes small, bound nothing */
    enum machine_search search;
    enum machine_objective objective;
    bool streams_weights; /* what the weight memory has no room for comes over the host link */
    bool keeps_weights;   /* the memory of activations can hold weights for the unit, too */
    bool shares_memory;   /* the weight memory is that of activations: its size is for both */
    double area_mm2;      /* of the die; 0: not known */
    struct record_area *areas;
    int n_area;
    const char *known_error; /* a sentence: how far the model is known to be off, with its source */
    const struct record_cause *causes; /* why the main matrix unit waits */
    int n_cause;
    const struct stat_desc *components; /* of the energy */
    int n_component;
};
