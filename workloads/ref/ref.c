/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ref/ref.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/base/error.h"
#include "workloads/ref/lifetimes.h"
#include "workloads/threads.h"

/* A state's content and the place of the next, which change places after each step. */
struct state {
    int value;
    void *now, *next;
    bool has_content; /* of a parameter: only once it is loaded */
};

/* Where the values of a step lie; made anew where other values are wanted than in the last one. */
struct layout {
    struct arena *arena;
    bool *want; /* by value */
    struct lifetimes life;
    int *n_wanted;       /* by owner: wanted values that share its data */
    struct state **home; /* by owner: the state whose next content it is; NULL: none */
    char *block;         /* of the activations */
};

struct ref {
    struct executor executor;
    struct arena *arena;
    const struct graph *g;
    int n_thread;
    const void **parameters; /* by value: constants and what was loaded, borrowed; else NULL */
    struct state *states;    /* g->n_state of them */
    struct state **state_at; /* by value; NULL: it is none */
    struct layout layout;    /* without an arena: none yet */
};

/* Values share data where an operator only gives its input another shape, or computes in place. */
struct step {
    const struct ref *ref;
    const struct graph *g;
    const struct layout *l;
    struct pool_threads *threads;
    struct tensor *at; /* by value */
    int *n_wanted;     /* by owner: of those of the layout, what is not yet fetched */
};

static size_t value_bytes(const struct value *v)
{
    return (size_t)shape_count(&v->shape) * number_bytes(v->type);
}

/* A large block in large pages where the system has them: a step touches all of it, and a fault for
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

static void layout_clear(struct layout *l)
{
    free(l->block);
    arena_free(l->arena);
    *l = (struct layout){0};
}

/* What a node makes as the next content of a state is made where that state wants it, but for what
 * several states become, or what is there already. */
static void find_homes(const struct ref *ref, struct layout *l)
{
    const struct graph *g = ref->g;
    for (int i = 0; i < g->n_state; i++) {
        const struct value *v = &g->values[g->states[i]];
        const int owner = l->life.owner[v->next];
        if (owner != LIFETIME_FED && !l->home[owner] &&
            value_bytes(&g->values[owner]) == value_bytes(v))
            l->home[owner] = &ref->states[i];
    }
}

static bool layout_make(struct ref *ref, const bool *want, GError **error)
{
    const struct graph *g = ref->g;
    const size_t n = (size_t)g->n_value;
    struct layout *l = &ref->layout;
    if (l->arena && !memcmp(l->want, want, n * sizeof(*want)))
        return true;
    layout_clear(l);
    l->arena = arena_new();
    l->want = ARENA_ARRAY(l->arena, bool, n);
    memcpy(l->want, want, n * sizeof(*want));
    l->life = lifetimes_of(g, want, l->arena);
    l->n_wanted = ARENA_ARRAY(l->arena, int, n);
    l->home = ARENA_ARRAY(l->arena, struct state *, n);
    for (int i = 0; i < g->n_value; i++)
        if (want[i] && l->life.owner[i] != LIFETIME_FED)
            l->n_wanted[l->life.owner[i]]++;
    find_homes(ref, l);
    l->block = block_alloc(l->life.block_bytes);
    if (l->block)
        return true;
    error_set(error, ERROR_LIMIT, "no memory for activations of %" G_GINT64_FORMAT " bytes",
              l->life.block_bytes);
    layout_clear(l);
    return false;
}

/* What is there before the step and read in it. */
static bool take(struct step *s, const struct values *inputs, GError **error)
{
    const struct ref *ref = s->ref;
    for (int i = 0; i < s->g->n_value; i++) {
        const struct value *v = &s->g->values[i];
        if (v->kind == VALUE_NODE || s->l->life.n_due[i] == 0)
            continue;
        const struct state *state = ref->state_at[i];
        const void *data = !state ? ref->parameters[i] : state->has_content ? state->now : NULL;
        s->at[i] = (struct tensor){v->type, v->shape, (void *)data};
        if (v->kind == VALUE_INPUT && inputs)
            s->at[i] = inputs->at[i];
        if (!value_takes(v, &s->at[i], error))
            return false;
    }
    return true;
}

/* Gives a node's outputs memory. */
static bool place(struct step *s, const struct node *n, GError **error)
{
    const struct layout *l = s->l;
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        const struct value *out = &s->g->values[n->out[i]];
        struct tensor *t = &s->at[out->index];
        *t = (struct tensor){out->type, out->shape, NULL};
        if (l->life.owner[out->index] != out->index)
            t->data = s->at[n->in[0]].data;
        else if (l->home[out->index])
            t->data = l->home[out->index]->next;
        else if (l->life.offset[out->index] >= 0)
            t->data = l->block + l->life.offset[out->index];
        else if (!tensor_alloc(t, out->type, &out->shape, error))
            return false;
    }
    return true;
}

static bool run_node(struct step *s, const struct node *n, GError **error)
{
    if (!place(s, n, error))
        return false;
    if (!n->op->forward)
        return true;
    const struct tensor *in[OP_MAX_IN];
    struct tensor *out[OP_MAX_OUT];
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i] < 0 ? NULL : &s->at[n->in[i]];
    for (int i = 0; i < n->n_out; i++)
        out[i] = n->out[i] < 0 ? NULL : &s->at[n->out[i]];
    const struct op_call call = {n->attr, out, n->n_out, in, n->n_in, n->n_data, s->threads};
    if (op_run(n->op, &call, error))
        return true;
    g_prefix_error(error, "%s%slayer '%s': ", n->origin ? n->origin : "", n->origin ? ": " : "",
                   n->name);
    return false;
}

/* Whether the memory is this step's own, neither in the block nor a state's. */
static bool is_allocated(const struct layout *l, int owner)
{
    return l->life.offset[owner] < 0 && !l->home[owner];
}

static void release_one(struct step *s, int value, int i_node)
{
    const int owner = value < 0 ? LIFETIME_FED : s->l->life.owner[value];
    if (owner != LIFETIME_FED && s->l->life.last[owner] == i_node && is_allocated(s->l, owner))
        tensor_clear(&s->at[owner]);
}

static void release(struct step *s, int i_node)
{
    const struct node *n = &s->g->nodes[i_node];
    for (int i = 0; i < n->n_in; i++)
        release_one(s, n->in[i], i_node);
    for (int i = 0; i < n->n_out; i++)
        release_one(s, n->out[i], i_node);
}

/* What is still there: values that were wanted only to be seen or to become a state's, or all
 * after an error. */
static void release_all(struct step *s)
{
    for (int i = 0; i < s->g->n_value; i++)
        if (s->l->life.owner[i] == i && is_allocated(s->l, i))
            tensor_clear(&s->at[i]);
}

/* Makes the new contents that no node has made in their place. */
static void write_states(const struct step *s)
{
    for (int i = 0; i < s->g->n_state; i++) {
        const struct state *state = &s->ref->states[i];
        const struct tensor *from = &s->at[s->g->values[state->value].next];
        if (from->data != state->next)
            memcpy(state->next, from->data, tensor_bytes(from));
    }
}

static void swap_states(const struct ref *ref)
{
    for (int i = 0; i < ref->g->n_state; i++) {
        struct state *state = &ref->states[i];
        void *now = state->next;
        state->next = state->now;
        state->now = now;
        state->has_content = true;
    }
}

/* Moves the wanted values out, or copies what others share. */
static bool fetch(struct step *s, struct values *fetches, GError **error)
{
    for (int i = 0; i < s->g->n_value; i++) {
        if (!s->l->want[i])
            continue;
        struct tensor *to = &fetches->at[i];
        values_clear(fetches, i);
        const int owner = s->l->life.owner[i];
        if (owner != LIFETIME_FED && --s->n_wanted[owner] == 0 && !s->l->home[owner]) {
            *to = s->at[i];
            s->at[owner].data = NULL;
        } else {
            if (!tensor_alloc(to, s->at[i].type, &s->at[i].shape, error))
                return false;
            memcpy(to->data, s->at[i].data, tensor_bytes(to));
        }
    }
    return true;
}

static bool run_all(struct step *s, struct values *fetches, executor_visit_fn visit, void *user,
                    GError **error)
{
    for (int i = 0; i < s->g->n_node; i++) {
        const struct node *n = &s->g->nodes[i];
        if (!run_node(s, n, error))
            return false;
        for (int k = 0; visit && k < n->n_out; k++)
            if (n->out[k] >= 0 && !visit(s->g, n->out[k], &s->at[n->out[k]], user, error))
                return false;
        release(s, i);
    }
    write_states(s); /* before values are moved out */
    return !fetches || fetch(s, fetches, error);
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

static bool ref_step(void *self, const struct values *inputs, struct values *fetches,
                     const bool *want, executor_visit_fn visit, void *user, GError **error)
{
    struct ref *ref = self;
    const struct graph *g = ref->g;
    g_assert((!inputs || inputs->graph == g) && (!fetches || fetches->graph == g));
    struct arena *arena = arena_new();
    bool ok = layout_make(ref, choose_wanted(arena, g, fetches != NULL, want), error);
    if (ok) {
        const size_t n = (size_t)g->n_value;
        struct step s = {.ref = ref,
                         .g = g,
                         .l = &ref->layout,
                         .threads = threads_new(ref->n_thread),
                         .at = ARENA_ARRAY(arena, struct tensor, n),
                         .n_wanted = ARENA_ARRAY(arena, int, n)};
        memcpy(s.n_wanted, s.l->n_wanted, n * sizeof(*s.n_wanted));
        ok = take(&s, inputs, error) && run_all(&s, fetches, visit, user, error);
        release_all(&s);
        threads_free(s.threads);
    }
    if (ok)
        swap_states(ref);
    arena_free(arena);
    return ok;
}

static bool ref_load(void *self, const struct values *v, GError **error)
{
    struct ref *ref = self;
    const struct graph *g = ref->g;
    g_assert(v->graph == g);
    for (int i = 0; i < g->n_value; i++)
        if (v->at[i].data && (g->values[i].kind == VALUE_PARAM || g->values[i].next >= 0) &&
            !value_takes(&g->values[i], &v->at[i], error))
            return false;
    for (int i = 0; i < g->n_value; i++)
        if (v->at[i].data && g->values[i].kind == VALUE_PARAM && g->values[i].next < 0)
            ref->parameters[i] = v->at[i].data;
    for (int i = 0; i < g->n_state; i++) {
        struct state *state = &ref->states[i];
        const struct tensor *t = &v->at[state->value];
        if (!t->data)
            continue;
        memcpy(state->now, t->data, tensor_bytes(t));
        state->has_content = true;
    }
    return true;
}

static bool ref_save(void *self, struct values *v, GError **error)
{
    const struct ref *ref = self;
    g_assert(v->graph == ref->g);
    for (int i = 0; i < ref->g->n_state; i++) {
        const struct state *state = &ref->states[i];
        const struct value *value = &ref->g->values[state->value];
        struct tensor *t = &v->at[state->value];
        if (!state->has_content)
            continue;
        values_clear(v, state->value);
        if (!tensor_alloc(t, value->type, &value->shape, error))
            return false;
        memcpy(t->data, state->now, tensor_bytes(t));
    }
    return true;
}

static void ref_free(void *self)
{
    struct ref *ref = self;
    for (int i = 0; i < ref->g->n_state; i++) {
        g_free(ref->states[i].now);
        g_free(ref->states[i].next);
    }
    layout_clear(&ref->layout);
    arena_free(ref->arena);
}

static bool make_states(struct ref *ref, GError **error)
{
    const struct graph *g = ref->g;
    ref->states = ARENA_ARRAY(ref->arena, struct state, (size_t)g->n_state);
    ref->state_at = ARENA_ARRAY(ref->arena, struct state *, (size_t)g->n_value);
    for (int i = 0; i < g->n_state; i++) {
        struct state *state = &ref->states[i];
        const struct value *v = &g->values[g->states[i]];
        const size_t n = value_bytes(v);
        *state = (struct state){v->index, g_try_malloc(n), g_try_malloc(n), false};
        ref->state_at[v->index] = state;
        if (!state->now || !state->next)
            return error_set(error, ERROR_LIMIT, "no memory for state '%s'", v->name);
        if (v->kind != VALUE_STATE)
            continue;
        graph_first_content(g, v->index, state->now);
        state->has_content = true;
    }
    return true;
}

struct executor *ref_new(const struct graph *g, int n_thread, GError **error)
{
    openblas_set_num_threads(1); /* the panels are the parallel work */
    struct arena *arena = arena_new();
    struct ref *ref = ARENA_NEW(arena, struct ref);
    *ref = (struct ref){
        .executor = {"reference", ref, ref_load, ref_step, ref_save, ref_free},
        .arena = arena,
        .g = g,
        /* The sequential build of OpenBLAS shares buffers between callers without a lock. */
        .n_thread = openblas_get_parallel() == OPENBLAS_SEQUENTIAL ? 1 : n_thread,
        .parameters = ARENA_ARRAY(arena, const void *, (size_t)g->n_value),
    };
    for (int i = 0; i < g->n_value; i++)
        if (g->values[i].data)
            ref->parameters[i] = g_bytes_get_data(g->values[i].data, NULL);
    if (make_states(ref, error))
        return &ref->executor;
    ref_free(ref);
    return NULL;
}

bool ref_run(const struct graph *g, int n_thread, const struct values *v, struct values *fetches,
             const bool *want, executor_visit_fn visit, void *user, GError **error)
{
    struct executor *ref = ref_new(g, n_thread, error);
    const bool ok = ref && ref->load(ref->self, v, error) &&
                    ref->step(ref->self, v, fetches, want, visit, user, error);
    executor_free(ref);
    return ok;
}
