/* SPDX-License-Identifier: Apache-2.0 */
/* What a run tells of one layer, and what its counters are called; mapper and families fill it
 * without knowing the rest of the record. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A counter's name as it appears in JSON, its unit and a sentence for the manual. */
struct stat_desc {
    const char *name;
    const char *unit;
    const char *help;
};

/* Why a unit waits, in cycles. */
struct record_cause {
    const char *name, *help;
    bool overlaps; /* with other causes: given beside them, not added up; JSON "overlapping" */
};

enum record_bound { BOUND_NONE, BOUND_COMPUTE, BOUND_MEMORY, BOUND_LATENCY, BOUND_SYNC };
extern const char *const record_bound_names[]; /* NULL for BOUND_NONE, then "compute" ... */

/* Where a memory is. The host's is off the chip too, and behind a link. */
enum record_place { PLACE_ON_CHIP, PLACE_OFF_CHIP, PLACE_HOST };

struct record_bytes {
    uint64_t read, write;
};

/* Comparison of values with a reference. Only meaningful where `done`. */
struct record_check {
    bool done;
    bool has_exact; /* an exact twin exists for this layer (integer and bit-true formats) */
    bool exact;     /* equal, bit for bit, to the same arithmetic done untiled by other code */
    bool pass;
    const char *reference; /* "fp32 OpenBLAS" */
    double max_abs_error;
    double relative_l2_error; /* NaN never: 0 where the reference is 0 */
};

/* What one family alone tells: scalars and tables, which every report shows by their names without
 * knowing them. */
enum record_type { RECORD_NONE, RECORD_COUNT, RECORD_REAL, RECORD_TEXT };

/* RECORD_NONE, a real that is not finite, a text that is NULL: it does not apply. */
struct record_value {
    enum record_type type;
    union {
        uint64_t count;
        double real;
        const char *text;
    };
};

/* Names are keys of JSON, with the unit in them. */
struct record_table_desc {
    const char *name;
    const char *help; /* a sentence */
    const struct stat_desc *columns;
    int n_column;
};

struct record_table {
    const struct record_table_desc *desc;
    int n_row;
    struct record_value *cells; /* by row, then by column */
};

/* Its arrays are as long as the record's tables of causes, memories and components: by
 * record_layers_new(). */
struct record_layer {
    int index;         /* position in the record */
    const char *name;  /* first node of the fused group: "conv1" */
    const char *op;    /* "conv2d+relu" */
    const char *shape; /* of the output, "96x55x55", without the batch */
    int device;
    bool on_host;                       /* ran on the host, timed over the host link */
    const char *format, *weight_format; /* of its values and weights on a machine; NULL: none */
    uint64_t macs;
    uint64_t cycles; /* its share of the total; shares add up to the total */
    uint64_t start_cycle, end_cycle;
    double peak_macs_per_cycle; /* 0 where the layer multiplies nothing */
    enum record_bound bound;
    uint64_t *stall_cyc;
    struct record_bytes *bytes;
    uint64_t bound_cyc; /* no mapping of it on this machine takes less; 0: not known */
    /* What any mapping must move: each weight, input and output of the network once. */
    struct record_bytes *compulsory;
    uint64_t streamed_bytes; /* its weights or table, which find no room in the weight memory and
                              * come over the host link each time; 0: none */
    double *energy_pj;
    bool has_saturated; /* its format is one of integers, and values were computed */
    uint64_t saturated; /* values that it could not hold */
    uint64_t host_cyc;  /* on_host: that the host computes, at its rates */
    struct record_check check;
    struct record_table *tables; /* by record_add_table() */
    int n_table;
};

/* macs / (cycles * peak); 0 where not applicable. */
double record_layer_utilization(const struct record_layer *l);
