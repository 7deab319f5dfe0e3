/* SPDX-License-Identifier: Apache-2.0 */
/* What no mapping can do without: each weight once from its memory, each input and output of the
 * network once from and to theirs, and the cycles that the family says its layer takes at least. */
#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "mapper/plan.h"

/* From and to the memory of inputs so far, by value. */
struct crossed {
    bool *to_machine, *to_host;
};

static int64_t batch_of(const struct plan *p, int value)
{
    return plan_dims(p, value).n;
}

static uint64_t value_bytes(const struct plan *p, int value)
{
    return (uint64_t)(batch_of(p, value) * plan_image_bytes(p, value));
}

/* A layer on the host needs what the machine made. */
static void add_host_layer(const struct plan *p, const struct plan_layer *l, struct crossed *c,
                           struct record_bytes *host)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (p->homes[v].used && !p->homes[v].loaded && !c->to_host[v])
            host->write += value_bytes(p, v);
        c->to_host[v] = true;
    }
}

static void add_layer(const struct plan *p, const struct plan_layer *l, struct crossed *c,
                      struct record_bytes *host)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (p->homes[v].loaded && !c->to_machine[v])
            host->read += (uint64_t)(batch_of(p, v) * plan_rows_needed(p, l, j) *
                                     plan_columns_needed(p, l, j) * plan_dims(p, v).c *
                                     plan_element_bytes(p, v));
        c->to_machine[v] = true;
    }
    for (int k = 0; k < l->n_out; k++) {
        if (!p->homes[l->outs[k]].stored)
            continue;
        host->write += value_bytes(p, l->outs[k]);
        c->to_host[l->outs[k]] = true;
    }
}

void plan_bound(const struct plan *p, const struct target *t, struct record_layer *layers)
{
    const struct machine *m = p->machine;
    g_autofree bool *to_machine = g_new0(bool, (gsize)p->graph->n_value);
    g_autofree bool *to_host = g_new0(bool, (gsize)p->graph->n_value);
    struct crossed c = {to_machine, to_host};
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        struct record_bytes *moved = layers[i].compulsory;
        const int from = machine_index(m, l->streamed ? ROLE_INPUTS : ROLE_WEIGHTS);
        struct record_bytes *inputs = &moved[machine_index(m, ROLE_INPUTS)];
        if (l->kind == LAYER_MATRIX && !l->stationary_is_activation && l->weights_of == i)
            moved[from].read = (uint64_t)(l->gemm.groups * l->gemm.n * l->gemm.k / l->packed) *
                               number_bytes(l->weight_format);
        if (l->kind == LAYER_LOOKUP) /* a row once, however often it is asked for */
            moved[from].read =
                (uint64_t)(MIN(batch_of(p, l->out), l->lookup->rows) * lookup_row_bytes(p, l));
        if (l->kind == LAYER_HOST)
            add_host_layer(p, l, &c, inputs);
        else
            add_layer(p, l, &c, inputs);
        layers[i].bound_cyc = t->bound && l->kind != LAYER_HOST ? t->bound(t->self, p, i) : 0;
    }
}
