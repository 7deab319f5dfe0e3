/* SPDX-License-Identifier: Apache-2.0 */
/* What can execute a graph, step by step, and the values that go in and out: parameters, inputs,
 * states. The CPU reference is an executor (workloads/ref/ref.h).
 *
 * An executor is made for one graph, which outlives it. Legal order: load() as often as values
 * change, step() any number of times, save() between steps, free(). A step reads the inputs that it
 * is given, the parameters that were loaded and the present content of the states, computes every
 * node once, and leaves in each state the content of its next. Every node of a step reads the old
 * content of a state, wherever the graph places it: new contents are kept apart until the step is
 * done. A step that fails, or that its visitor stops, changes no state, so that it may be tried
 * again. Random operators follow from their seeds alone: every step draws the same numbers.
 *
 * A thousand steps need no more memory than one: buffers are made for the first and used by all.
 * Between calls no thread of an executor is alive, so that a process may fork. An executor is used
 * by one thread at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "workloads/graph.h"

/* Tensors by value index of one graph; an entry without data is absent. Those of constants are
 * there from the start and belong to the graph. */
struct values {
    const struct graph *graph;
    struct tensor *at; /* graph->n_value of them; what is not lent belongs to the values */
};

struct values *values_new(const struct graph *g);
void values_free(struct values *v); /* with the tensors' data */
void values_clear(struct values *v, int value); /* takes one away, with its data */
/* Copies the elements of an input, a parameter or a state, in the value's own format and shape.
 * ERROR_INPUT where there is none of that name, ERROR_LIMIT without memory. */
bool values_set(struct values *v, const char *name, const void *data, GError **error);
/* Whether a tensor has data and the value's format and shape; else ERROR_INPUT says what both
 * have. */
bool value_takes(const struct value *v, const struct tensor *t, GError **error);
/* The tensor of a name, NULL where it is absent. */
const struct tensor *values_get(const struct values *v, const char *name);

/* Gives every parameter of g that has no data yet seeded values: weights uniform with variance
 * 2 / fan_in (He et al. 2015, eq. 10), biases uniform in +-1/sqrt(fan_in of the weight); inputs
 * uniform in +-1, those of integers in [0, below); a state that is no parameter its first content.
 * The values depend on the seed and the value's name alone, an input's also on the position, so
 * that a larger batch begins with the same images. */
bool values_seed(struct values *v, uint64_t seed, GError **error);
/* Takes tensors from a table by name (npy_read()) and converts them to the value's format; `kind`
 * says which values are looked for, states with the parameters. A .npy file needs no matching name
 * where only one value is of that kind. Missing ones stay absent; an unknown name, or a shape that
 * does not fit, is an error. */
bool values_load(struct values *v, enum value_kind kind, const char *file, GError **error);

/* Called after each node with each of its values, which is freed after the call unless fetched.
 * Returning false stops the run; then *error is set. */
typedef bool (*executor_visit_fn)(const struct graph *g, int value, const struct tensor *t,
                                  void *user, GError **error);

struct executor {
    const char *name; /* "reference" */
    void *self;
    /* Takes what `v` has of parameters and states; entries without data leave what was there, of a
     * state its first content. States are copied. Parameters that are no states are borrowed: their
     * data stay where they are, and unchanged, until others are loaded or the executor is freed.
     * ERROR_INPUT where a format or shape is not the value's; then nothing is taken. */
    bool (*load)(void *self, const struct values *v, GError **error);
    /* `inputs` holds the inputs of this step, borrowed for the call; other entries are not looked
     * at; NULL where the graph has none. Values in `fetches` (may be NULL) whose entry in want[]
     * (graph->n_value flags, NULL: the outputs) is set are kept there, a state's old content.
     * ERROR_INPUT where an input or a parameter has no value, ERROR_LIMIT without memory, and what
     * operators tell. */
    bool (*step)(void *self, const struct values *inputs, struct values *fetches, const bool *want,
                 executor_visit_fn visit, void *user, GError **error);
    /* Puts a copy of each state's present content into `v`. With the parameters that were loaded,
     * and the same inputs, another executor that loads it goes on to the same bits. */
    bool (*save)(void *self, struct values *v, GError **error);
    void (*free)(void *self);
};

void executor_free(struct executor *e); /* NULL is ignored */
