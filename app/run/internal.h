/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a run; private to app/run/. */
#pragma once

#include "app/run/accsim.h"
#include "arch/arch.h"
#include "mapper/graph/expand.h"
#include "mapper/plan.h"
#include "mapper/values/quant.h"
#include "workloads/data/data.h"
#include "workloads/executor.h"

/* A machine as loaded. */
struct accsim_machine {
    struct arena *arena;
    const struct arch_family *family;
    void *cfg;  /* the family's config struct */
    void *self; /* its instance */
    struct machine machine;
    struct record_setting *settings;
    int n_setting;
};

struct accsim {
    struct accsim_options options;
    struct arena *arena;            /* private */
    struct arena *shared;           /* what a forked simulation makes: values, */
    struct arena *told;             /* and the record */
    struct accsim_machine *machine; /* NULL: the CPU reference */
    struct graph *whole;            /* the network as read */
    struct graph *asked;            /* the same, or the layers asked for */
    struct expansion *expansion;    /* of `asked`; NULL: none */
    const struct graph *graph;      /* what is run: `asked`, or what it is written out to */
    struct target target;
    struct plan *plan;
    struct values *values; /* of graph: parameters and inputs */
    struct quant *quant;
    struct arch_values io;
    void *run; /* of the machine's family */
    bool has_run;
    struct record *record;
};

/* paths.c: PATH, or NAME or NAME.suffix in one of dirs; ERROR_INPUT says where it was looked for.
 */
char *find_file(const char *spec, const char *suffix, char *const *dirs, const char *what,
                GError **error);

/* layers.c: a graph of the layers in "conv1,3-5" alone. */
struct graph *select_layers(const struct graph *g, const char *list, GError **error);

/* inputs.c: whether the values of a run can be had within the memory limit. */
bool values_within_memory(const struct accsim *a, GError **error);
/* Parameters and inputs, from files or seeded, for a->graph. */
bool make_values(struct accsim *a, GError **error);
/* Ranges by value of a->graph, whose parameters and inputs are `v`, from a reference run on the
 * first images (or --calibrate), where they are needed; else zeros. */
bool calibrate(struct accsim *a, const struct values *v, bool is_needed,
               struct quant_ranges *ranges, GError **error);

/* input_set.c: the inputs of v's graph from a .npy or .npz, or from the first images of a data set:
 * of `split`, or of the only one that it has. */
bool load_inputs(const char *spec, enum data_split split, struct values *v, GError **error);

/* record.c: what is known before the run, in place of what was told before. */
bool make_record(struct accsim *a, GError **error);

/* io.c: room for what a run reads and makes, all of it in the shared arena, which is the caller's;
 * parameters, inputs and states are not there yet. NULL: no memory. */
struct arena *make_io(const struct accsim *a, struct arch_values *io, GError **error);
/* The machine's value as the graph has it, of a value that a layer makes: copied to *t, which is
 * allocated. */
void read_io(const struct accsim *a, const struct arch_values *io, int i_layer, int value,
             struct tensor *t);

/* simulate.c: whether a run computes values, be it for its cycles alone. */
bool computes_values(const struct accsim *a);
/* Steps of `run` by events, in a child that ends with them, and without events: into a->record. */
bool run_events(struct accsim *a, void *run, int64_t first_step, int64_t n_step, const char *vcd,
                GError **error);
bool estimate(struct accsim *a, GError **error);
/* The machine's cycles and values into a->record and a->io. */
bool simulate(struct accsim *a, GError **error);

/* check.c: every layer against its twin and the fp32 reference. */
bool check_values(struct accsim *a, GError **error);

/* output.c: the outputs of the network as .npz. */
bool write_output(struct accsim *a, GError **error);

/* The executor of the CPU reference alone: values without cycles. */
bool run_reference(struct accsim *a, GError **error);

void progress(const struct accsim *a, const char *what, double share);
