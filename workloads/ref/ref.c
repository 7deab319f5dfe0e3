/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ref/ref.h"

#include <cblas.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/threads.h"

struct ref {
    struct executor executor;
    int n_thread;
};

/* Values share data where an operator only gives its input another shape, or computes in place.
 * `owner` is the value whose tensor the data was allocated for, FED for data of the caller. */
#define FED (-1)

struct run {
    const struct graph *g;
    struct arena *arena;
    struct pool_threads *threads;
    struct tensor *at; /* by value */
    int *owner;
    int *n_due; /* reads of the value still to come; a wanted value is read once more, at the end */
    int *n_live; /* by owner: values that are not yet dead and share its data */
};

static void drop(struct run *r, int value)
{
    int owner = r->owner[value];
    if (owner != FED && --r->n_live[owner] == 0)
        tensor_clear(&r->at[owner]);
}

static bool take_feed(struct run *r, const struct values *feeds, const struct value *v,
                      GError **error)
{
    const struct tensor *t = &feeds->at[v->index];
    const char *kind = v->kind == VALUE_PARAM ? "parameter" : "input";
    if (!t->data)
        return error_set(error, ERROR_INPUT, "%s '%s' has no value", kind, v->name);
    if (t->type != v->type || !shape_equal(&t->shape, &v->shape))
        return error_set(error, ERROR_INPUT, "%s '%s' is %s of shape %s, not %s of shape %s", kind,
                         v->name, number_names[t->type], shape_text(&t->shape, 0, r->arena),
                         number_names[v->type], shape_text(&v->shape, 0, r->arena));
    r->at[v->index] = *t;
    r->owner[v->index] = FED;
    return true;
}

static bool begin(struct run *r, const struct values *feeds, const bool *want, GError **error)
{
    const struct graph *g = r->g;
    size_t n = (size_t)g->n_value;
    r->at = ARENA_ARRAY(r->arena, struct tensor, n);
    r->owner = ARENA_ARRAY(r->arena, int, n);
    r->n_due = ARENA_ARRAY(r->arena, int, n);
    r->n_live = ARENA_ARRAY(r->arena, int, n);
    for (int i = 0; i < g->n_node; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] >= 0)
                r->n_due[g->nodes[i].in[k]]++;
    for (int i = 0; i < g->n_value; i++) {
        r->n_due[i] += want[i];
        if (g->values[i].kind != VALUE_NODE && r->n_due[i] > 0 &&
            !take_feed(r, feeds, &g->values[i], error))
            return false;
    }
    return true;
}

static bool may_overwrite(const struct run *r, const struct node *n, const struct value *out)
{
    int first = n->n_in > 0 ? n->in[0] : -1;
    if (!n->op->in_place || first < 0 || r->owner[first] == FED || r->n_due[first] != 1 ||
        r->n_live[r->owner[first]] != 1)
        return false;
    const struct tensor *x = &r->at[first];
    return x->type == out->type && shape_equal(&x->shape, &out->shape);
}

/* Gives a node's outputs memory: the first one its input's where it may have that. */
static bool place(struct run *r, const struct node *n, GError **error)
{
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        const struct value *out = &r->g->values[n->out[i]];
        struct tensor *t = &r->at[out->index];
        if (i == 0 && (!n->op->forward || may_overwrite(r, n, out))) {
            r->owner[out->index] = r->owner[n->in[0]];
            *t = r->at[n->in[0]];
            t->shape = out->shape;
        } else {
            if (!tensor_alloc(t, out->type, &out->shape, error))
                return false;
            r->owner[out->index] = out->index;
        }
        if (r->owner[out->index] != FED)
            r->n_live[r->owner[out->index]]++;
    }
    return true;
}

static bool run_node(struct run *r, const struct node *n, GError **error)
{
    if (!place(r, n, error))
        return false;
    if (!n->op->forward)
        return true;
    const struct tensor *in[OP_MAX_IN];
    struct tensor *out[OP_MAX_OUT];
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i] < 0 ? NULL : &r->at[n->in[i]];
    for (int i = 0; i < n->n_out; i++)
        out[i] = n->out[i] < 0 ? NULL : &r->at[n->out[i]];
    const struct op_call call = {n->attr, out, n->n_out, in, n->n_in, n->n_data, r->threads};
    if (op_run(n->op, &call, error))
        return true;
    g_prefix_error(error, "%s%slayer '%s': ", n->origin ? n->origin : "", n->origin ? ": " : "",
                   n->name);
    return false;
}

static void release(struct run *r, const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && --r->n_due[n->in[i]] == 0)
            drop(r, n->in[i]);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0 && r->n_due[n->out[i]] == 0)
            drop(r, n->out[i]);
}

/* Moves the wanted values out, or copies what others share. */
static bool fetch(struct run *r, struct values *fetches, const bool *want, GError **error)
{
    for (int i = 0; i < r->g->n_value; i++) {
        if (!want[i])
            continue;
        struct tensor *to = &fetches->at[i];
        values_clear(fetches, i);
        int owner = r->owner[i];
        if (owner != FED && r->n_live[owner] == 1) {
            *to = r->at[i];
            r->n_live[owner] = 0;
        } else {
            if (!tensor_alloc(to, r->at[i].type, &r->at[i].shape, error))
                return false;
            memcpy(to->data, r->at[i].data, tensor_bytes(to));
            drop(r, i);
        }
    }
    return true;
}

static bool run_all(struct run *r, struct values *fetches, const bool *want,
                    executor_visit_fn visit, void *user, GError **error)
{
    for (int i = 0; i < r->g->n_node; i++) {
        const struct node *n = &r->g->nodes[i];
        if (!run_node(r, n, error))
            return false;
        for (int k = 0; visit && k < n->n_out; k++)
            if (n->out[k] >= 0 && !visit(r->g, n->out[k], &r->at[n->out[k]], user, error))
                return false;
        release(r, n);
    }
    return !fetches || fetch(r, fetches, want, error);
}

static const bool *choose_wanted(struct arena *arena, const struct graph *g, bool is_fetching,
                                 const bool *want)
{
    if (is_fetching && want)
        return want;
    bool *chosen = ARENA_ARRAY(arena, bool, (size_t)g->n_value);
    for (int i = 0; is_fetching && i < g->n_output; i++)
        chosen[g->outputs[i]] = true;
    return chosen;
}

static bool ref_run(void *self, const struct graph *g, const struct values *feeds,
                    struct values *fetches, const bool *want, executor_visit_fn visit, void *user,
                    GError **error)
{
    const struct ref *ref = self;
    struct run r = {.g = g, .arena = arena_new(), .threads = threads_new(ref->n_thread)};
    const bool *wanted = choose_wanted(r.arena, g, fetches != NULL, want);
    bool ok = begin(&r, feeds, wanted, error) && run_all(&r, fetches, wanted, visit, user, error);
    for (int i = 0; i < g->n_value; i++)
        if (r.n_live[i] > 0) /* only after an error */
            tensor_clear(&r.at[i]);
    threads_free(r.threads);
    arena_free(r.arena);
    return ok;
}

struct executor *ref_new(int n_thread)
{
    openblas_set_num_threads(1); /* the panels are the parallel work */
    struct ref *ref = g_new(struct ref, 1);
    ref->executor = (struct executor){.name = "reference", .self = ref, .run = ref_run};
    /* The sequential build of OpenBLAS shares buffers between callers without a lock. */
    ref->n_thread = openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? 1 : n_thread;
    return &ref->executor;
}

void ref_free(struct executor *e)
{
    if (e)
        g_free(e->self);
}
