/* SPDX-License-Identifier: Apache-2.0 */
/* The public interface of libaccsim: a network on a machine, the record of it.
 *
 *     struct accsim_options o = accsim_options_default();
 *     o.arch = "tpu"; o.net = "alexnet";
 *     struct accsim *a = accsim_new(&o, &error);      map the network onto the machine
 *     accsim_run(a, &error);                          simulate it and check the values
 *     const struct record *r = accsim_record(a);      what came out
 *     accsim_free(a);
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mapper/machine.h"
#include "sim/stat/record.h"
#include "workloads/executor.h"
#include "workloads/graph.h"

enum accsim_mode { ACCSIM_FUNCTIONAL, ACCSIM_TIMING };
enum accsim_fidelity { ACCSIM_EVENT, ACCSIM_ANALYTIC };
enum accsim_check { ACCSIM_CHECK_FULL, ACCSIM_CHECK_SAMPLE, ACCSIM_CHECK_NONE };

/* Called with what is being done ("mapping", "simulating", "checking") and how far it is (0..1). */
typedef void (*accsim_progress_fn)(const char *what, double share, void *user);

struct accsim_options {
    const char *arch;            /* path or name; "reference": the CPU reference alone */
    const char *net;             /* path, name or shape; or a graph of one's own: */
    const struct graph *graph;   /* finished; copied. NULL: `net` */
    const struct values *values; /* of `graph`: inputs and parameters that are set; NULL: none */
    int64_t batch; /* 0: the network's own, where its file or its inputs have one, else 1 */
    const char *const *shapes; /* "NAME=1x3x224x224": free dimensions of an imported network, or of
                                * its inputs; NULL-terminated; NULL: none */
    const char *const *set;    /* "array.rows=64", NULL-terminated; NULL: none */
    enum accsim_mode mode;
    enum accsim_fidelity fidelity;
    enum accsim_check check;
    const char *precision;         /* NULL: the machine's */
    const char *input, *calibrate; /* files or data sets; NULL: seeded */
    const char *weights;           /* file; NULL: seeded */
    const char *layers;            /* "conv1,3-5"; NULL: all */
    uint64_t seed;
    int threads;
    uint64_t memory_limit_bytes; /* 0: three quarters of the memory, or half of RLIMIT_AS */
    double time_limit_s;         /* 0: none */
    const char *mapping;         /* file of a mapping to be used; NULL: the search's */
    const char *save_mapping;    /* file to keep the mapping in; NULL: none */
    const char *output;          /* .npz of the network's outputs; NULL: none */
    const char *vcd;             /* waveform; NULL: none */
    const char *command;         /* for the record; NULL: "" */
    accsim_progress_fn progress; /* may be NULL */
    void *progress_user;
};

struct accsim_options accsim_options_default(void);

/* A graph of one's own (workloads/graph.h: graph_new(), graph_add_input(), graph_add_variable(),
 * graph_add_constant(), graph_add_node() with op_find("fc"), graph_finish()) on the CPU reference:
 * `feeds` has its inputs and variables (values_new(), values_set()), `fetches` (values_new()) gets
 * its outputs. Of a graph with state this is the first step. */
bool accsim_evaluate(const struct graph *g, const struct values *feeds, struct values *fetches,
                     int threads, GError **error);

struct accsim;

/* Loads and maps; nothing is simulated. NULL on error. Strings in the options must live as long as
 * the object. */
struct accsim *accsim_new(const struct accsim_options *o, GError **error);

/* Simulates and, in functional mode, checks. A value that differs is no error: see
 * record.check.pass. May be called again: the record is then that of the new run, for which
 * nothing is mapped, read or made anew. */
bool accsim_run(struct accsim *a, GError **error);

/* The machine as an executor of accsim_graph(a), which steps: loaded and mapped already, its values
 * computed as the machine would, without time. `a` outlives it; executor_free() ends it. NULL on
 * error. ERROR_UNSUPPORTED of a step names a value that was wanted and that the machine makes only
 * on its way to another: outputs and what becomes of states are none. */
struct executor *accsim_executor(struct accsim *a, GError **error);
/* The executor's next step takes time, too: what it takes is in accsim_record(a) behind it. */
void accsim_time_step(struct executor *e);

const struct record *accsim_record(const struct accsim *a);
const struct graph *accsim_graph(const struct accsim *a);
/* The mapped program as text; the caller frees it with g_free(). NULL for "reference". */
char *accsim_plan_text(const struct accsim *a);
/* What the mapper did: mappings of layers that it evaluated, and the seconds that it took. */
struct accsim_mapping {
    uint64_t n_tried;
    double seconds;
};
struct accsim_mapping accsim_mapping(const struct accsim *a); /* zeros for "reference" */
void accsim_free(struct accsim *a);                           /* NULL is ignored */

/* The version, "0.1.0". */
const char *accsim_version(void);

/* Where machines and nets are looked up, after the working directory: $ACCSIM_PATH, then the
 * source tree (from its build folder) or the installed data. NULL-terminated; g_strfreev() it. */
char **accsim_arch_dirs(void);
char **accsim_net_dirs(void);
/* Where data sets are looked up: the working directory, then $ACCSIM_PATH. */
char **accsim_data_dirs(void);

/* A machine's resolved settings, for `show arch`: calls fn for each setting, in table order. The
 * summary and the neutral machine are given too; they live until accsim_machine_free(). */
struct accsim_machine;
struct accsim_machine *accsim_machine_load(const char *arch, const char *const *set,
                                           GError **error);
const struct machine *accsim_machine_view(const struct accsim_machine *m);
const struct record_setting *accsim_machine_settings(const struct accsim_machine *m, int *n);
void accsim_machine_free(struct accsim_machine *m);

/* Families built in: names and summaries, in the order of families.def. */
int accsim_n_family(void);
const char *accsim_family_name(int i);
const char *accsim_family_summary(int i);
