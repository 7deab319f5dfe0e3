/* SPDX-License-Identifier: Apache-2.0 */
/* The network's outputs as .npz, in fp32. */
#include <string.h>

#include "app/run/internal.h"
#include "sim/base/error.h"
#include "workloads/ref/ref.h"
#include "workloads/tensor/npy.h"

static bool write_tensors(const struct accsim *a, const struct tensor *t, GError **error)
{
    const struct graph *g = a->graph;
    g_autofree const char **names = g_new(const char *, (gsize)g->n_output);
    g_autofree const struct tensor **at = g_new(const struct tensor *, (gsize)g->n_output);
    for (int i = 0; i < g->n_output; i++) {
        names[i] = g->values[g->outputs[i]].name;
        at[i] = &t[i];
    }
    return npy_write_npz(a->options.output, names, at, g->n_output, error);
}

/* One output in the shape that the graph gives it. */
static bool machine_output(const struct accsim *a, int value, struct tensor *t, GError **error)
{
    const struct graph *g = a->graph;
    const int root = a->plan->roots ? a->plan->roots[value] : value;
    if (!tensor_alloc(t, g->values[root].type, &g->values[root].shape, error))
        return false;
    for (int i = 0; i < a->plan->n_layer; i++)
        for (int k = 0; k < a->plan->layers[i].n_out; k++)
            if (a->plan->layers[i].outs[k] == root)
                read_io(a, &a->io, i, root, t);
    if (a->io.host[root].data)
        memcpy(t->data, a->io.host[root].data, tensor_bytes(t));
    t->shape = g->values[value].shape;
    return true;
}

bool write_output(struct accsim *a, GError **error)
{
    const struct graph *g = a->graph;
    struct tensor *t = g_new0(struct tensor, g->n_output);
    bool ok = true;
    for (int i = 0; i < g->n_output && ok; i++)
        ok = machine_output(a, g->outputs[i], &t[i], error);
    ok = ok && write_tensors(a, t, error);
    for (int i = 0; i < g->n_output; i++)
        tensor_clear(&t[i]);
    g_free(t);
    return ok;
}

static bool report_progress(const struct graph *g, int value, const struct tensor *t, void *user,
                            GError **error)
{
    (void)t;
    (void)error;
    progress(user, "computing", (double)value / g->n_value);
    return true;
}

bool run_reference(struct accsim *a, GError **error)
{
    const struct graph *g = a->graph;
    struct values *fetched = values_new(g);
    bool ok = ref_run(g, a->options.threads, a->values, fetched, NULL, report_progress, a, error);
    if (ok && a->options.output) {
        g_autofree struct tensor *t = g_new(struct tensor, (gsize)g->n_output);
        for (int i = 0; i < g->n_output; i++)
            t[i] = fetched->at[g->outputs[i]];
        ok = write_tensors(a, t, error);
    }
    values_free(fetched);
    return ok;
}
