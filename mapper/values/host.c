/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/host.h"

#include <string.h>

#include "mapper/values/quant.h"
#include "workloads/threads.h"

struct host {
    const struct plan *plan;
    const struct quant *quant;
    struct tensor *host;
    void *const *machine;
};

/* fp32 of what a node reads, in the shape that it expects. */
static bool operand(const struct host *h, const struct node *n, int i_in, struct tensor *x,
                    GError **error)
{
    const struct graph *g = h->plan->graph;
    const int root = h->plan->roots[n->in[i_in]];
    if (!tensor_alloc(x, g->values[root].type, &g->values[n->in[i_in]].shape, error))
        return false;
    if (h->host[root].data) {
        memcpy(x->data, h->host[root].data, tensor_bytes(x));
        return true;
    }
    const struct shape shape = x->shape;
    x->shape = g->values[root].shape;
    storage_from_nhwc(x, h->machine[root], quant_storage(h->plan, h->quant, root));
    x->shape = shape;
    return true;
}

static double value_bytes(const struct graph *g, int value)
{
    const struct value *v = &g->values[value];
    return (double)shape_count(&v->shape) * (double)number_bytes(v->type);
}

struct host_work host_work(const struct plan *p, const struct plan_layer *l)
{
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    const bool looks_up = n->traits->is_sparse;
    struct host_work work = {0};
    double made = 0;
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        made += (double)shape_count(&g->values[n->out[i]].shape);
        work.bytes += (looks_up ? 2 : 1) * value_bytes(g, n->out[i]);
    }
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && !(looks_up && number_is_float(g->values[n->in[i]].type)))
            work.bytes += value_bytes(g, n->in[i]);
    work.operations = MAX(2 * (double)n->macs, made);
    return work;
}

bool host_compute(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                  struct tensor *host, void *const *machine, GError **error)
{
    const struct host h = {p, q, host, machine};
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    g_autofree struct tensor *operands = g_new0(struct tensor, n->n_in);
    const struct tensor *in[OP_MAX_IN];
    struct tensor *out[OP_MAX_OUT];
    bool ok = true;
    for (int i = 0; i < n->n_in && ok; i++) {
        in[i] = n->in[i] < 0 ? NULL : &operands[i];
        ok = n->in[i] < 0 || operand(&h, n, i, &operands[i], error);
    }
    for (int i = 0; i < n->n_out; i++)
        out[i] = n->out[i] < 0 ? NULL : &host[n->out[i]];
    struct pool_threads *threads = threads_new(1);
    const struct op_call call = {n->attr, out, n->n_out, in, n->n_in, n->n_data, threads};
    ok = ok && op_run(n->op, &call, error);
    threads_free(threads);
    for (int i = 0; i < n->n_in; i++)
        tensor_clear(&operands[i]);
    return ok;
}
