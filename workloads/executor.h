/* SPDX-License-Identifier: Apache-2.0 */
/* What can execute a graph: run(graph, feeds, fetches). The CPU reference is one, a machine with
 * its plan another. Also the values that a run needs: parameters and inputs. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/graph.h"

/* Tensors by value index of one graph; an entry without data is absent. Those of constants are
 * there from the start and belong to the graph. */
struct values {
    const struct graph *graph;
    struct tensor *at; /* graph->n_value of them */
};

struct values *values_new(const struct graph *g);
void values_free(struct values *v); /* with the tensors' data */
void values_clear(struct values *v, int value); /* takes one away, with its data */
/* Copies the elements of an input or a parameter, in the value's own format and shape. ERROR_INPUT
 * where there is none of that name, ERROR_LIMIT without memory. */
bool values_set(struct values *v, const char *name, const void *data, GError **error);
/* The tensor of a name, NULL where it is absent. */
const struct tensor *values_get(const struct values *v, const char *name);

/* Gives every parameter of g that has no data yet seeded values: weights uniform with variance
 * 2 / fan_in (He et al. 2015, eq. 10), biases uniform in +-1/sqrt(fan_in of the weight); inputs
 * uniform in +-1, those of integers in
 * [0, below). The values depend on the seed and the value's name alone, an input's also on the
 * position, so that a larger batch begins with the same images. */
bool values_seed(struct values *v, uint64_t seed, GError **error);
/* Takes tensors from a table by name (npy_read()) and converts them to the value's
 * format; `kind` says which
 * values are looked for. A .npy file needs no matching name where only one value is of that kind.
 * Missing ones stay absent; an unknown name, or a shape that does not fit, is an error. */
bool values_load(struct values *v, enum value_kind kind, const char *file, GError **error);

/* Called after each node with each of its values, which is freed after the call unless fetched.
 * Returning false stops the run; then *error is set. */
typedef bool (*executor_visit_fn)(const struct graph *g, int value, const struct tensor *t,
                                  void *user, GError **error);

struct executor {
    const char *name;
    void *self;
    /* `feeds` holds inputs and parameters. Values in `fetches` (may be NULL) whose entry in
     * want[] (graph->n_value flags, NULL: the outputs) is set are kept there. */
    bool (*run)(void *self, const struct graph *g, const struct values *feeds,
                struct values *fetches, const bool *want, executor_visit_fn visit, void *user,
                GError **error);
};
