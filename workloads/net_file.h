/* SPDX-License-Identifier: Apache-2.0 */
/* A .net file on its way into a graph; private to net_*.c. */
#pragma once

#include "sim/cfg/cfg.h"
#include "workloads/graph.h"
#include "workloads/net_repeat.h"

/* A file's settings at the top level; NULL: absent. */
struct net_file {
    const char *path;
    config_setting_t *name, *source, *let, *inputs, *states, *layers, *outputs;
};

struct net_builder {
    const struct net_file *f;
    struct graph *g;
    struct arena *scratch;
    const char *previous; /* the value that a layer without inputs reads; in the scratch arena */
    int n_layer;          /* so far, for names */
};

/* Adds the nodes of f->layers to the graph, repetitions written out. Errors name file and line. */
bool net_layers(struct net_builder *b, const struct repeat_scope *names, GError **error);
