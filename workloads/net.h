/* SPDX-License-Identifier: Apache-2.0 */
/* Networks by name: a .net file (libconfig; docs/nets.md), a shipped net's name, or a shape
 * "gemm:MxNxK" and "conv:NxCxHxWxK,RxS,stride,pad[,groups]". */
#pragma once

#include <glib.h>

#include "workloads/graph.h"

struct net_options {
    int64_t batch;  /* >= 1; multiplies the leading dimension of shapes */
    bool any_batch; /* nobody asked for that one: where a file's inputs, or the tensors that will be
                     * fed, have another, it is the network's */
    const char *const *shapes; /* "NAME=DIMS", NULL-terminated: free dimensions of an imported
                                * network, or of its inputs; NULL: none */
    GHashTable *known;         /* npy_read()'s: tensors that will be fed, for shapes that depend on
                                * them; NULL: none */
};

/* `spec` as given on the command line. `dirs` (NULL-terminated) are searched for NAME and NAME.net
 * after the working directory. */
struct graph *net_load(const char *spec, const char *const *dirs, const struct net_options *options,
                       GError **error);

/* A .net file. */
struct graph *net_read(const char *file, int64_t batch, GError **error);
/* gemm: and conv:; *is_shape tells whether spec was of that form at all. */
struct graph *net_from_shape(const char *spec, int64_t batch, bool *is_shape, GError **error);
