/* SPDX-License-Identifier: Apache-2.0 */
/* The twin: each layer over whole tensors in the plainest order, to compare a machine's
 * values with. Nothing here is shared with a machine's own arithmetic but the parameters. */
#include <math.h>
#include <string.h>

#include "mapper/host.h"
#include "mapper/lookup.h"
#include "mapper/move.h"
#include "mapper/twin.h"
#include "mapper/vector.h"
#include "sim/base/error.h"

/* Of integers, and of floating-point numbers. */
static const struct {
    const char *op;
    void (*run[2])(const struct job *j, void *out);
} runs[] = {
#define TWIN(op) {#op, {twin_integer_##op, twin_float_##op}},
    TWINS(TWIN)
#undef TWIN
};

/* A value's elements in the wider format that layers of this kind are computed in. */
static void *widened(const void *stored, enum number format, int64_t n, enum number wide)
{
    void *x = g_try_malloc((gsize)MAX(n, 1) * number_bytes(wide));
    if (x)
        number_convert(x, wide, stored, format, (size_t)n);
    return x;
}

/* Place of an element as stored, channels of images last, from its indices, and back. */
static int64_t at_indices(const struct shape *s, const int64_t *i)
{
    if (s->n_dim == 4)
        return ((i[0] * s->dim[2] + i[2]) * s->dim[3] + i[3]) * s->dim[1] + i[1];
    int64_t at = 0;
    for (int d = 0; d < s->n_dim; d++)
        at = at * s->dim[d] + i[d];
    return at;
}

static void indices_at(const struct shape *s, int64_t at, int64_t *i)
{
    static const int inward[] = {1, 3, 2, 0}; /* of NHWC, the innermost first */
    for (int k = 0; k < s->n_dim; k++) {
        const int d = s->n_dim == 4 ? inward[k] : s->n_dim - 1 - k;
        i[d] = at % s->dim[d];
        at /= s->dim[d];
    }
}

int64_t twin_operand_at(const struct job *j, int k, int64_t i_out)
{
    const struct value *values = j->t->plan->graph->values;
    const struct shape *out = &values[j->n->out[0]].shape, *own = &values[j->n->in[k]].shape;
    if (shape_equal(out, own))
        return i_out;
    int64_t i[SHAPE_MAX_DIM], *mine = i + out->n_dim - own->n_dim;
    indices_at(out, i_out, i);
    for (int d = 0; d < own->n_dim; d++)
        mine[d] = own->dim[d] == 1 ? 0 : mine[d];
    return at_indices(own, mine);
}

static bool run_node(struct job *j, bool is_float, void **out)
{
    size_t i = 0;
    while (strcmp(runs[i].op, j->n->op->name))
        g_assert(++i < G_N_ELEMENTS(runs));
    *out = g_try_malloc((gsize)MAX(j->out.n * dims_image(&j->out), 1) * sizeof(float));
    if (*out)
        runs[i].run[is_float](j, *out);
    return *out != NULL;
}

/* The layer's first node, then the pooling on its way out. */
static bool run_nodes(struct twin *t, const struct plan_layer *l, struct job *j, enum number wide,
                      void **out)
{
    const struct graph *g = t->plan->graph;
    const bool is_float = wide == NUMBER_fp32;
    for (int k = 0; k < l->n_in; k++) {
        const int v = l->in[k];
        const int64_t n = shape_count(&g->values[v].shape);
        if (!(j->x[k] = widened(t->at[v], t->plan->formats[v], n, wide)))
            return false;
    }
    if (!run_node(j, is_float, out))
        return false;
    struct job pool = {.t = t,
                       .l = l,
                       .n = plan_layer_pool(t->plan, l),
                       .in = j->out,
                       .cut = {.upper = INFINITY},
                       .x = {*out}};
    if (!pool.n)
        return true;
    pool.out = dims_of(&g->values[l->out].shape);
    void *before = *out;
    const bool ok = run_node(&pool, is_float, out);
    g_free(before);
    return ok;
}

static void *new_value(const struct twin *t, int value, GError **error)
{
    const struct dims d = dims_of(&t->plan->graph->values[value].shape);
    void *q = g_try_malloc((gsize)(d.n * plan_image_bytes(t->plan, value)));
    if (!q)
        error_set(error, ERROR_LIMIT, "no memory to check '%s'",
                  t->plan->graph->values[value].name);
    return q;
}

/* Bytes of an input before the first image that is needed. */
static int64_t first_needed(const struct plan *p, const struct plan_layer *l, int i_in,
                            const struct region *out)
{
    int64_t skip;
    return plan_input_region(p, l, i_in, out, &skip).image * plan_image_bytes(p, l->in[i_in]);
}

/* An operator of mapper/vector.h, or a move: all of it is one chunk. */
static bool vector_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct dims o = dims_of(&t->plan->graph->values[l->out].shape);
    const struct region all = {.n_image = o.n, .n_row = o.h};
    const void *in[PLAN_MAX_IN];
    for (int j = 0; j < l->n_in; j++)
        in[j] = (const char *)t->at[l->in[j]] + first_needed(t->plan, l, j, &all);
    t->at[l->out] = new_value(t, l->out, error);
    if (!t->at[l->out])
        return false;
    if (l->move) {
        struct move_table table = {0};
        const bool ok = move_run(t->plan, t->quant, l, &all, in, t->at[l->out], &table, error);
        move_table_clear(&table);
        return ok;
    }
    return vector_compute(t->plan, t->quant, l, &all, t->host, in, t->at[l->out], error);
}

/* Each row from the graph's table, stored by itself. */
static bool lookup_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct plan *p = t->plan;
    const int64_t n = shape_count(&p->graph->values[l->in[0]].shape), width = l->lookup->width;
    const float *table = t->host[l->lookup->table].data;
    g_autofree float *zeros = g_new0(float, width);
    if (!(t->at[l->out] = new_value(t, l->out, error)))
        return false;
    for (int64_t i = 0; i < n; i++) {
        const int64_t index = number_get_int64(t->at[l->in[0]], p->formats[l->in[0]], (size_t)i);
        const int64_t row = lookup_row(p, l, index, error);
        if (row < 0)
            return false;
        storage_encode(quant_storage(p, t->quant, l->out),
                       (char *)t->at[l->out] + i * lookup_row_bytes(p, l),
                       row == l->lookup->padding ? zeros : table + row * width, width);
    }
    return true;
}

static bool layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    if (l->lookup)
        return lookup_layer(t, l, error);
    if (l->move || vector_reads(t->plan->graph->nodes[l->nodes[0]].op->name) > 0)
        return vector_layer(t, l, error);
    const struct graph *g = t->plan->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    struct job j = {.t = t,
                    .l = l,
                    .n = n,
                    .in = plan_in_dims(t->plan, l, 0),
                    .out = dims_of(&g->values[n->out[0]].shape),
                    .cut = plan_layer_cut(t->plan, l)};
    const enum number wide = number_is_float(l->format) ? NUMBER_fp32 : NUMBER_int16;
    void *out = NULL;
    const bool ok = run_nodes(t, l, &j, wide, &out);
    if (ok)
        t->at[l->out] = widened(out, wide, shape_count(&g->values[l->out].shape), l->format);
    for (int k = 0; k < l->n_in; k++)
        g_free((void *)j.x[k]);
    g_free(out);
    if (ok && t->at[l->out])
        return true;
    return error_set(error, ERROR_LIMIT, "no memory to check layer '%s'", l->name);
}

static bool host_layer(struct twin *t, const struct plan_layer *l, GError **error)
{
    const struct graph *g = t->plan->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++) {
        const struct value *v = n->out[i] < 0 ? NULL : &g->values[n->out[i]];
        if (v && !tensor_alloc(&t->host[v->index], v->type, &v->shape, error))
            return false;
    }
    return host_compute(t->plan, t->quant, l, t->host, t->at, error);
}

/* What a layer on the machine reads of the host's is quantised there. */
static bool take_inputs(struct twin *t, const struct plan_layer *l, GError **error)
{
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (t->at[v])
            continue;
        if (!(t->at[v] = new_value(t, v, error)))
            return false;
        storage_to_nhwc(t->at[v], &t->host[v], quant_storage(t->plan, t->quant, v));
    }
    return true;
}

static bool machine_layer(struct twin *t, const struct plan_layer *l, const void *instead,
                          GError **error)
{
    const struct dims o = dims_of(&t->plan->graph->values[l->out].shape);
    if (!instead)
        return take_inputs(t, l, error) && layer(t, l, error);
    if (!(t->at[l->out] = new_value(t, l->out, error)))
        return false;
    memcpy(t->at[l->out], instead, (size_t)(o.n * plan_image_bytes(t->plan, l->out)));
    return true;
}

/* A value is held until its last reader; layers on the host may read later than the machine does.
 */
static void forget(struct twin *t, int i_layer)
{
    const struct plan *p = t->plan;
    for (int v = 0; v < p->graph->n_value; v++)
        if (t->at[v] && p->homes[v].last_layer <= i_layer)
            g_clear_pointer(&t->at[v], g_free);
}

static bool execute_layer(struct twin *t, int i, const bool *skip, void *const *machine,
                          quant_visit_fn visit, void *user, GError **error)
{
    const struct plan_layer *l = &t->plan->layers[i];
    const bool skipped = skip && skip[i];
    const int64_t n =
        shape_count(&t->plan->graph->values[l->out].shape) * plan_element_bytes(t->plan, l->out);
    if (l->kind == LAYER_HOST)
        return host_layer(t, l, error) &&
               visit(i, t->host[l->out].data, tensor_bytes(&t->host[l->out]), user, error);
    return machine_layer(t, l, skipped ? machine[i] : NULL, error) &&
           (skipped || visit(i, t->at[l->out], (size_t)n, user, error));
}

bool quant_execute(const struct plan *p, const struct quant *q, const struct tensor *host,
                   const bool *skip, void *const *machine, quant_visit_fn visit, void *user,
                   GError **error)
{
    struct twin t = {p, q, g_new0(void *, p->graph->n_value),
                     g_new0(struct tensor, p->graph->n_value)};
    bool ok = true;
    for (int v = 0; v < p->graph->n_value; v++)
        if (p->graph->values[v].kind != VALUE_NODE)
            t.host[v] = host[v];
    for (int i = 0; i < p->n_layer && ok; i++) {
        ok = execute_layer(&t, i, skip, machine, visit, user, error);
        forget(&t, i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        g_free(t.at[v]);
        if (p->graph->values[v].kind == VALUE_NODE)
            tensor_clear(&t.host[v]);
    }
    g_free(t.at);
    g_free(t.host);
    return ok;
}
