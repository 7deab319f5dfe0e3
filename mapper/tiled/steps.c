/* SPDX-License-Identifier: Apache-2.0 */
/* The list of steps: per group, chunk and layer, what to load, to compute and to store, and what
 * each step has to wait for. */
#include "mapper/plan_input.h"
#include "mapper/tiled/homes.h"
#include "mapper/tiled/steps.h"

struct emitter {
    struct plan *plan;
    GArray *steps;
    uint64_t *in_address; /* room for those of the computations to come */
    bool *on_machine;                        /* by value: already in the activation memory */
    bool *on_host;                           /* by value: already in host memory */
    int last_load, last_compute, last_store; /* steps; -1: none */
    int *weights; /* by layer: the step that loads its resident weights; -1: none */
};

/* A group's last steps of the two chunks before; -1: none yet. */
struct turns {
    int compute[2], store[2];
};

static int emit(struct emitter *e, const struct plan_step *s)
{
    g_array_append_vals(e->steps, s, 1);
    return (int)e->steps->len - 1;
}

static struct plan_step step_of(const struct plan_layer *l, enum step_kind kind, int turn)
{
    return (struct plan_step){.kind = kind,
                              .layer = l->index,
                              .turn = turn,
                              .after_load = -1,
                              .after_compute = -1,
                              .after_store = -1,
                              .after_weights = -1};
}

/* Where a region of a value lies while chunk i_chunk of a layer is computed. */
static uint64_t address_of(const struct plan *p, const struct plan_layer *l, int value,
                           int64_t i_chunk, const struct region *r)
{
    const struct pitch whole = plan_pitch_whole(p, value);
    if (p->homes[value].resident)
        return p->homes[value].address +
               (uint64_t)region_begin(r, &whole, plan_element_bytes(p, value));
    const struct plan_slot *slot = homes_slot(p, l, value);
    const int64_t i_copy = i_chunk / homes_slot_n_shared(p, l, slot);
    return slot->address +
           (uint64_t)(i_copy % homes_slot_n_copy(p, l, slot)) * homes_slot_bytes(p, l, slot);
}

/* Input i_in of a chunk, where it is not there yet. A resident input that comes from the host is
 * loaded whole images at a time, by its first reader. */
static void emit_load(struct emitter *e, const struct plan_layer *l, int i_in, int64_t i_chunk,
                      int turn, int after)
{
    const struct plan *p = e->plan;
    const int v = l->in[i_in];
    const struct region out = plan_chunk(p, l, i_chunk);
    struct plan_step s = step_of(l, STEP_LOAD, turn);
    s.value = v;
    s.after_compute = after;
    if (!plan_load_region(p, l, i_in, &out, &s.region) ||
        (p->homes[v].resident && e->on_machine[v]))
        return;
    s.address = address_of(p, l, v, i_chunk, &s.region);
    e->last_load = emit(e, &s);
}

/* What all layers of a group need of a chunk from the host; after: what frees its slots. Returns
 * the last load. */
static int emit_loads(struct emitter *e, const struct plan_group *g, int64_t i_chunk, int turn,
                      int after)
{
    for (int i = g->first; i <= g->last; i++) {
        const struct plan_layer *l = &e->plan->layers[i];
        for (int j = 0; j < l->n_in; j++)
            if (l->loads >> j & 1)
                emit_load(e, l, j, i_chunk, turn + i - g->first, after);
    }
    return e->last_load;
}

static void emit_store(struct emitter *e, const struct plan_layer *l, int i_out,
                       const struct plan_step *compute)
{
    const struct plan *p = e->plan;
    struct plan_step store = step_of(l, STEP_STORE, compute->turn);
    store.value = l->outs[i_out];
    store.region = plan_output_region(p, l, i_out, &compute->region);
    store.address = compute->out_address[i_out];
    store.after_compute = e->last_compute;
    e->last_store = emit(e, &store);
}

/* A chunk of a layer, its inputs on their way. */
static void emit_chunk(struct emitter *e, const struct plan_layer *l, int64_t i_chunk,
                       struct plan_step s)
{
    const struct plan *p = e->plan;
    s.region = plan_chunk(p, l, i_chunk);
    s.in_address = e->in_address;
    e->in_address += l->n_in;
    for (int k = 0; k < l->n_out; k++) {
        const struct region r = plan_output_region(p, l, k, &s.region);
        s.out_address[k] = address_of(p, l, l->outs[k], i_chunk, &r);
    }
    for (int j = 0; j < l->n_in; j++) {
        int64_t skip;
        const struct region r = plan_input_region(p, l, j, &s.region, &skip);
        s.in_address[j] = address_of(p, l, l->in[j], i_chunk, &r) +
                          (uint64_t)(skip * plan_element_bytes(p, l->in[j]));
    }
    if (l->stationary_is_activation)
        l->stationary_address[i_chunk] = s.in_address[1];
    e->last_compute = emit(e, &s);
    for (int k = 0; k < l->n_out; k++)
        if (l->stores >> k & 1)
            emit_store(e, l, k, &s);
}

/* Weights that stay for the group's layers, and for others behind it, that are not there yet. */
static void emit_weights(struct emitter *e, const struct plan_group *g, int turn, int after)
{
    for (int i = g->first; i <= g->last; i++) {
        const struct plan_layer *l = &e->plan->layers[i];
        if (!l->resident || l->weights_of != i)
            continue;
        struct plan_step s = step_of(l, STEP_WEIGHTS, turn + i - g->first);
        s.address = l->resident_address;
        s.after_compute = after;
        e->weights[i] = emit(e, &s);
    }
}

/* Layers of a group stand behind a full barrier, each chunk of one that is alone only behind that
 * of the layer before. */
static void emit_group(struct emitter *e, const struct plan_group *g, int turn)
{
    struct plan *p = e->plan;
    const bool alone = g->first == g->last;
    const int before = e->last_compute, stored = e->last_store;
    struct turns turns = {{before, before}, {stored, stored}};
    const int64_t n_chunk = plan_n_chunk(p, &p->layers[g->first]);
    const int n_layer = g->last - g->first + 1;
    /* Chunk c + 1 is loaded ahead of computing chunk c, whose results are then stored: the host
     * link works in order, and would otherwise wait for the results before it loads. */
    emit_weights(e, g, turn, before);
    int next = emit_loads(e, g, 0, turn, before);
    for (int64_t c = 0; c < n_chunk; c++) {
        const int here = turn + (alone ? 0 : (int)c * n_layer), loaded = next;
        if (c + 1 < n_chunk)
            next =
                emit_loads(e, g, c + 1, alone ? here : here + n_layer, turns.compute[(c + 1) % 2]);
        for (int i = g->first; i <= g->last; i++) {
            const struct plan_layer *l = &p->layers[i];
            struct plan_step s = step_of(l, STEP_COMPUTE, here + i - g->first);
            s.after_load = loaded;
            s.after_weights = l->resident ? e->weights[l->weights_of] : -1;
            s.after_compute = alone ? before : e->last_compute;
            s.after_store = plan_is_resident(p, l) ? stored : turns.store[c % 2];
            emit_chunk(e, l, c, s);
        }
        turns.compute[c % 2] = e->last_compute;
        turns.store[c % 2] = e->last_store;
    }
    for (int i = g->first; i <= g->last; i++) {
        const struct plan_layer *l = &p->layers[i];
        for (int k = 0; k < l->n_out; k++) {
            e->on_host[l->outs[k]] |= l->stores >> k & 1;
            e->on_machine[l->outs[k]] |= p->homes[l->outs[k]].resident;
        }
        for (int j = 0; j < l->n_in; j++)
            e->on_machine[l->in[j]] |= p->homes[l->in[j]].resident;
    }
}

/* A layer on the host: what it reads is stored first, unless it is there already. */
static void emit_host_layer(struct emitter *e, const struct plan_layer *l, int turn)
{
    const struct plan *p = e->plan;
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (p->homes[v].loaded || e->on_host[v])
            continue;
        const struct dims d = plan_dims(p, v);
        struct plan_step s = step_of(l, STEP_STORE, turn);
        s.value = v;
        s.region = region_whole(&d);
        s.address = p->homes[v].address;
        s.after_compute = e->last_compute;
        e->last_store = emit(e, &s);
        e->on_host[v] = true;
    }
    struct plan_step s = step_of(l, STEP_HOST, turn);
    s.value = l->out;
    emit(e, &s);
}

/* Whether there is memory for the steps; else ERROR_LIMIT. *n_in: inputs of all computations. */
static bool steps_fit(const struct plan *p, size_t *n_in, GError **error)
{
    enum { IN_BYTES = sizeof(uint64_t) };
    double n_step = 0;
    *n_in = 0;
    for (int i = 0; i < p->n_layer; i++) { /* a chunk: loads, the computation, stores */
        const struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_HOST)
            continue;
        const int64_t n_chunk = plan_n_chunk(p, l);
        n_step += (double)n_chunk * (l->n_in + l->n_out + 1) + 1;
        *n_in += (size_t)(n_chunk * l->n_in);
    }
    return plan_within_limit(p, n_step, sizeof(struct plan_step) + IN_BYTES, "steps", error);
}

bool steps_make(struct plan *p, GError **error)
{
    size_t n_in;
    if (!steps_fit(p, &n_in, error))
        return false;
    int64_t n_turn = 0;
    for (int i = 0; i < p->n_layer; i++)
        n_turn += MAX(p->layers[i].n_turn, 1);
    p->turn_layer = ARENA_ARRAY(p->arena, int, (size_t)n_turn);
    p->n_turn = 0;
    struct emitter e = {
        .plan = p,
        .steps = g_array_new(FALSE, TRUE, sizeof(struct plan_step)),
        .in_address = ARENA_ARRAY(p->arena, uint64_t, n_in),
        .on_machine = ARENA_ARRAY(p->arena, bool, p->graph->n_value),
        .on_host = ARENA_ARRAY(p->arena, bool, p->graph->n_value),
        .weights = ARENA_ARRAY(p->arena, int, p->n_layer),
        .last_load = -1,
        .last_compute = -1,
        .last_store = -1,
    };
    for (int i = 0; i < p->n_group; i++) {
        const struct plan_group *g = &p->groups[i];
        const struct plan_layer *l = &p->layers[g->first];
        const int turn = p->n_turn;
        const int64_t n_turn = l->kind == LAYER_HOST || g->first == g->last ? 1 : l->n_turn;
        for (int64_t i_turn = 0; i_turn < n_turn; i_turn++)
            for (int j = g->first; j <= g->last; j++)
                p->turn_layer[p->n_turn++] = j;
        for (int j = g->first; j <= g->last; j++)
            if (p->layers[j].stationary_is_activation)
                p->layers[j].stationary_address =
                    ARENA_ARRAY(p->arena, uint64_t, (size_t)plan_n_chunk(p, &p->layers[j]));
        if (l->kind == LAYER_HOST)
            emit_host_layer(&e, l, turn);
        else
            emit_group(&e, g, turn);
    }
    p->n_step = (int)e.steps->len;
    p->steps = arena_own(p->arena, g_array_free(e.steps, FALSE), g_free);
    return true;
}
