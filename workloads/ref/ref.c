/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ref/ref.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/base/error.h"
#include "workloads/ref/lifetimes.h"
#include "workloads/threads.h"

struct ref {
    struct executor executor;
    int n_thread;
};

/* Values share data where an operator only gives its input another shape, or computes in place. */
struct run {
    const struct graph *g;
    struct arena *arena;
    struct pool_threads *threads;
    struct tensor *at; /* by value */
    struct lifetimes life;
    char *block;   /* of the activations */
    int *n_wanted; /* by owner: wanted values that share its data and are not yet fetched */
};

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
    return true;
}

/* A large block in large pages where the system has them: a run touches all of it, and a fault for
 * each small page took a sixth of MobileNet v2's time at batch 8. A small one would waste memory.
 */
#define PAGE_BYTES  (2 << 20)
#define LARGE_BYTES (16 * PAGE_BYTES)

static void *block_alloc(int64_t bytes)
{
    void *block = NULL;
    if (bytes < LARGE_BYTES)
        return g_try_malloc((gsize)MAX(bytes, 1));
    if (posix_memalign(&block, PAGE_BYTES, (size_t)bytes) != 0)
        return NULL;
    madvise(block, (size_t)bytes, MADV_HUGEPAGE); /* a wish: the result does not matter */
    return block;
}

static bool begin(struct run *r, const struct values *feeds, const bool *want, GError **error)
{
    const struct graph *g = r->g;
    r->at = ARENA_ARRAY(r->arena, struct tensor, (size_t)g->n_value);
    r->n_wanted = ARENA_ARRAY(r->arena, int, (size_t)g->n_value);
    r->life = lifetimes_of(g, want, r->arena);
    for (int i = 0; i < g->n_value; i++) {
        if (want[i] && r->life.owner[i] != LIFETIME_FED)
            r->n_wanted[r->life.owner[i]]++;
        if (g->values[i].kind != VALUE_NODE && r->life.n_due[i] > 0 &&
            !take_feed(r, feeds, &g->values[i], error))
            return false;
    }
    r->block = block_alloc(r->life.block_bytes);
    return r->block ||
           error_set(error, ERROR_LIMIT, "no memory for activations of %" G_GINT64_FORMAT " bytes",
                     r->life.block_bytes);
}

/* Gives a node's outputs memory. */
static bool place(struct run *r, const struct node *n, GError **error)
{
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        const struct value *out = &r->g->values[n->out[i]];
        struct tensor *t = &r->at[out->index];
        if (r->life.owner[out->index] != out->index)
            *t = (struct tensor){out->type, out->shape, r->at[n->in[0]].data};
        else if (r->life.offset[out->index] >= 0)
            *t = (struct tensor){out->type, out->shape, r->block + r->life.offset[out->index]};
        else if (!tensor_alloc(t, out->type, &out->shape, error))
            return false;
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

static void release_one(struct run *r, int value, int i_node)
{
    const int owner = value < 0 ? LIFETIME_FED : r->life.owner[value];
    if (owner != LIFETIME_FED && r->life.last[owner] == i_node && r->life.offset[owner] < 0)
        tensor_clear(&r->at[owner]);
}

static void release(struct run *r, int i_node)
{
    const struct node *n = &r->g->nodes[i_node];
    for (int i = 0; i < n->n_in; i++)
        release_one(r, n->in[i], i_node);
    for (int i = 0; i < n->n_out; i++)
        release_one(r, n->out[i], i_node);
}

/* Moves the wanted values out, or copies what others share. */
static bool fetch(struct run *r, struct values *fetches, const bool *want, GError **error)
{
    for (int i = 0; i < r->g->n_value; i++) {
        if (!want[i])
            continue;
        struct tensor *to = &fetches->at[i];
        values_clear(fetches, i);
        const int owner = r->life.owner[i];
        if (owner != LIFETIME_FED && --r->n_wanted[owner] == 0) {
            *to = r->at[i];
            r->at[owner].data = NULL;
        } else {
            if (!tensor_alloc(to, r->at[i].type, &r->at[i].shape, error))
                return false;
            memcpy(to->data, r->at[i].data, tensor_bytes(to));
        }
    }
    return true;
}

/* What is still there: values that were wanted only to be seen, or all after an error. */
static void end(struct run *r)
{
    for (int i = 0; i < r->g->n_value; i++)
        if (r->life.owner[i] == i && r->life.offset[i] < 0)
            tensor_clear(&r->at[i]);
    free(r->block);
    threads_free(r->threads);
    arena_free(r->arena);
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
        release(r, i);
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
    end(&r);
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
