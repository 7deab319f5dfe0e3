/* SPDX-License-Identifier: Apache-2.0 */
/* The record: everything a run tells. Reports are renderings of it and of nothing else.
 *
 * Plain data with counters as integers; the units are in the names. The machine's description names
 * stall causes, memories and energy components once, as many as it has; layers index into these
 * tables. What a run fills lies in the arena that holds the record, which is a shared one where a
 * forked simulation fills it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/stat/record_layer.h"

struct arena;

enum { RECORD_MAX_POWER = 128 };

/* What a memory that knows rows and banks did over the whole run. Only meaningful where `known`. */
struct record_dram {
    bool known;
    const char *standard;                         /* "DDR3" */
    uint64_t row_hits, row_misses, row_conflicts; /* bursts: row open, none open, another open */
    uint64_t activates, refreshes;
    uint64_t busy_cyc; /* data moved, or could have, the latency of a first one over */
    uint64_t peak_cyc; /* what the same bytes take at the peak bandwidth */
    bool priced;       /* what follows is known, and in a component of the layers' energy */
    double access_pj, activate_pj, refresh_pj, background_pj;
};

/* A hardware unit over the whole run; of several alike their mean. Of one that multiplies matrices
 * busy_cyc and the exclusive causes add up to the total. */
struct record_unit {
    const char *name; /* has "matrix" in it where the unit multiplies matrices */
    uint64_t count;   /* alike instances; 0: one */
    uint64_t busy_cyc;
    const struct record_cause *causes; /* its own */
    int n_cause;
    uint64_t *stall_cyc; /* by cause */
    double useful_cyc; /* of busy_cyc, weighted by the share of multipliers that do useful MACs; 0:
                        * not known */
};

/* A part of the die. */
struct record_area {
    const char *name;
    double mm2, leakage_w;
};

/* Of a run, by one family alone. A name without dots is a key of JSON's totals; the first words of
 * one with dots are an object of its own: "spiking.neurobench.activation_sparsity". */
struct record_scalar {
    const struct stat_desc *desc;
    struct record_value value;
};

struct record_setting {
    const char *path, *value, *unit, *help;
    bool is_default;
    bool is_string;
    bool is_derived; /* left to the machine, which worked the value out */
};

struct record {
    struct arena *arena; /* that holds it */

    /* the run */
    const char *version, *command, *mode, *fidelity;
    uint64_t seed;

    /* the machine */
    const char *arch_name, *arch_family, *arch_file;
    const char *precision;
    double clock_hz;
    double peak_macs_per_cycle;
    const char *known_error; /* how far this model is known to be off, with its source */
    struct record_setting *settings;
    int n_setting;
    const char *const *overrides; /* what --set changed, "array.rows=64" */
    int n_override;
    const struct record_cause *causes; /* of layers' stalls: those of the main matrix unit */
    int n_cause;
    const struct stat_desc *memories;
    int n_memory;
    const enum record_place *memory_place;
    const double *memory_bytes_per_cyc; /* peak bandwidth; 0: unlimited */
    struct record_dram *drams;          /* by memory */
    const struct stat_desc *components;
    int n_component;

    /* the network */
    const char *net_name, *net_file;
    const char *mapping_file; /* that it was mapped by; NULL: by the search */
    uint64_t batch, net_layers, net_macs, net_parameters; /* of one inference */

    /* results */
    struct record_layer *layers;
    int n_layer;
    struct record_unit *units;
    int n_unit;
    uint64_t total_cyc;
    uint64_t n_event;                /* activations of SystemC processes; 0 in analytic runs */
    double area_mm2;                 /* of the die; 0: not known */
    const struct record_area *areas; /* that make it up */
    int n_area;
    double power_w[RECORD_MAX_POWER]; /* mean of each of n_power equal intervals of the run */
    int n_power;                      /* 0: not known */
    uint64_t n_mapping;               /* of layers, that the mapper looked at */
    double map_seconds;               /* processor time that it took for them */
    double host_seconds;
    struct record_scalar *scalars;
    int n_scalar;
    struct record_table *tables; /* of the run; layers have their own */
    int n_table;

    /* the network's values */
    struct record_check check;
    bool has_snr;
    double snr_db;         /* of the output before any softmax; infinite where exact */
    double top1_agreement; /* share of the batch; negative: not applicable */
};

/* n layers, whose arrays are as long as the record's tables; all of it zero. */
struct record_layer *record_layers_new(struct arena *arena, const struct record *r, int n);
/* What they take of an arena, at most. False where that is no size. */
bool record_layers_bytes(const struct record *r, int n, size_t *bytes);
/* Adds a unit like *u, whose stalls are copied. */
void record_add_unit(struct record *r, const struct record_unit *u);
static inline struct record_value record_count(uint64_t v)
{
    return (struct record_value){.type = RECORD_COUNT, .count = v};
}
static inline struct record_value record_real(double v)
{
    return (struct record_value){.type = RECORD_REAL, .real = v};
}
/* Not copied: the text lives as long as the record. */
static inline struct record_value record_text(const char *s)
{
    return (struct record_value){.type = RECORD_TEXT, .text = s};
}
void record_add_scalar(struct record *r, const struct stat_desc *desc, struct record_value v);
/* Adds a table of a layer, or of the run where l is NULL; a name once to each. Returns its cells,
 * to be filled: of n_row rows, by row. NULL with ERROR_LIMIT where there is no room for them. */
struct record_value *record_add_table(struct record *r, struct record_layer *l,
                                      const struct record_table_desc *desc, int n_row,
                                      GError **error);

/* Sums over layers. */
uint64_t record_macs(const struct record *r);
/* Values that formats of integers could not hold; false where none was computed in one. */
bool record_saturated(const struct record *r, uint64_t *n);
/* Cycles in which the host computes layers of its own. */
uint64_t record_host_cyc(const struct record *r);
double record_energy_j(const struct record *r);
double record_seconds(const struct record *r); /* total_cyc / clock_hz */
struct record_bytes record_memory_bytes(const struct record *r, int i_memory);
/* Whether its bytes are among totals.dram_*: those of the machine's own memories off the chip, or,
 * where it has none there, of the host's. */
bool record_is_dram(const struct record *r, int i_memory);
/* Of bytes by memory, a layer's or the run's, what those moved together. */
struct record_bytes record_dram_bytes(const struct record *r, const struct record_bytes *bytes);
/* The same of all that is off the chip, the host's memory among it. */
struct record_bytes record_off_chip_bytes(const struct record *r, const struct record_bytes *bytes);
struct record_bytes record_compulsory_bytes(const struct record *r, int i_memory);
/* No mapping takes less: the sum of the layers' bounds, or what the compulsory bytes of a memory
 * take at its peak bandwidth. 0: not known. */
uint64_t record_bound_cyc(const struct record *r);
/* cycles / bound - 1; negative where there is no bound. */
double record_gap(uint64_t cycles, uint64_t bound_cyc);
/* Of one layer, over all components. */
double record_layer_energy_j(const struct record *r, const struct record_layer *l);
/* macs / (cycles * peak) of the whole run. */
double record_utilization(const struct record *r);
