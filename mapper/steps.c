/* SPDX-License-Identifier: Apache-2.0 */
/* The list of steps: per layer and chunk, what to load, to compute and to store, and what each step
 * has to wait for. */
#include <string.h>

#include "mapper/passes.h"

struct emitter {
    struct plan *plan;
    GArray *steps;
    bool *on_machine;                        /* by value: already in the activation memory */
    bool *on_host;                           /* by value: already in host memory */
    int last_load, last_compute, last_store; /* steps; -1: none */
};

static int emit(struct emitter *e, const struct plan_step *s)
{
    g_array_append_vals(e->steps, s, 1);
    return (int)e->steps->len - 1;
}

static struct plan_step step_of(const struct plan_layer *l, enum step_kind kind)
{
    return (struct plan_step){
        .kind = kind, .layer = l->index, .after_load = -1, .after_compute = -1, .after_store = -1};
}

/* The step `back` chunks before in an array of steps of this layer, or `otherwise`. */
static int chunk_before(const int *steps, int64_t i_chunk, int64_t back, int otherwise)
{
    return i_chunk >= back ? steps[(i_chunk - back) % 2] : otherwise;
}

/* Where a staging slot of an operand starts: inputs in order, then the output, two slots each. */
static uint64_t slot_address(const struct plan *p, const struct plan_layer *l, int i_in,
                             int64_t i_chunk)
{
    const int n_slot = plan_n_chunk(p, l) > 1 ? 2 : 1;
    uint64_t at = l->stage_address;
    for (int j = 0; j < (i_in < 0 ? l->n_in : i_in); j++)
        at += (uint64_t)(n_slot * stage_slot_bytes(p, l, j));
    return at + (uint64_t)(i_chunk % n_slot * stage_slot_bytes(p, l, i_in));
}

static uint64_t home_address(const struct plan *p, int value, int64_t image, int64_t row)
{
    return p->homes[value].address +
           (uint64_t)(image * plan_image_bytes(p, value) + row * plan_row_bytes(p, value));
}

/* Input i_in of a chunk: finds its address, and loads it where it is not there yet. A resident
 * input that comes from the host is loaded whole images at a time, by its first reader. */
static void emit_input(struct emitter *e, const struct plan_layer *l, int i_in, int64_t i_chunk,
                       struct plan_step *compute, int after)
{
    const struct plan *p = e->plan;
    const int v = l->in[i_in];
    const struct home *h = &p->homes[v];
    const struct dims d = dims_of(&p->graph->values[v].shape);
    struct plan_step s = step_of(l, STEP_LOAD);
    s.value = v;
    s.region = compute->region;
    s.after_compute = after;
    plan_input_rows(p, l, i_in, &compute->region, &s.region.row, &s.region.n_row);
    compute->in_row[i_in] = s.region.row;
    if (!h->resident) {
        s.address = slot_address(p, l, i_in, i_chunk);
        compute->in_address[i_in] = s.address;
        e->last_load = emit(e, &s);
        return;
    }
    compute->in_address[i_in] = home_address(p, v, s.region.image, s.region.row);
    if (!h->loaded || e->on_machine[v] || compute->region.row > 0)
        return;
    s.region.row = 0;
    s.region.n_row = d.h;
    s.address = home_address(p, v, s.region.image, 0);
    e->last_load = emit(e, &s);
}

/* The computation of a chunk, its inputs on their way; after: what frees its staging slots. */
static struct plan_step emit_inputs(struct emitter *e, const struct plan_layer *l, int64_t i_chunk,
                                    int after)
{
    struct plan_step s = step_of(l, STEP_COMPUTE);
    s.region = plan_chunk(e->plan, l, i_chunk);
    for (int j = 0; j < l->n_in; j++)
        emit_input(e, l, j, i_chunk, &s, after);
    s.after_load = e->last_load;
    return s;
}

/* Chunk c + 1 is loaded ahead of computing chunk c, whose results are then stored: the host link
 * works in order, and would otherwise wait for the results before it loads. */
static void emit_layer(struct emitter *e, const struct plan_layer *l)
{
    const struct plan *p = e->plan;
    const struct home *h = &p->homes[l->out];
    const int before = e->last_compute, stored = e->last_store; /* a full barrier between layers */
    int computes[2], stores[2];
    const int64_t n_chunk = plan_n_chunk(p, l);
    struct plan_step next = emit_inputs(e, l, 0, before);
    for (int64_t c = 0; c < n_chunk; c++) {
        struct plan_step s = next;
        s.after_compute = before;
        s.after_store = h->resident ? stored : chunk_before(stores, c, 2, stored);
        if (c + 1 < n_chunk)
            next = emit_inputs(e, l, c + 1, chunk_before(computes, c + 1, 2, before));
        s.address = h->resident ? home_address(p, l->out, s.region.image, s.region.row)
                                : slot_address(p, l, -1, c);
        computes[c % 2] = e->last_compute = emit(e, &s);
        if (h->resident && !h->stored)
            continue;
        struct plan_step store = step_of(l, STEP_STORE);
        store.value = l->out;
        store.region = s.region;
        store.address = s.address;
        store.after_compute = e->last_compute;
        stores[c % 2] = e->last_store = emit(e, &store);
    }
    e->on_host[l->out] = !h->resident || h->stored;
    e->on_machine[l->out] = h->resident;
    for (int j = 0; j < l->n_in; j++)
        e->on_machine[l->in[j]] |= p->homes[l->in[j]].resident;
}

/* A layer on the host: what it reads is stored first, unless it is there already. */
static void emit_host_layer(struct emitter *e, const struct plan_layer *l)
{
    const struct plan *p = e->plan;
    for (int j = 0; j < l->n_in; j++) {
        const int v = l->in[j];
        if (p->homes[v].loaded || e->on_host[v])
            continue;
        const struct dims d = dims_of(&p->graph->values[v].shape);
        struct plan_step s = step_of(l, STEP_STORE);
        s.value = v;
        s.region = (struct region){.n_image = d.n, .n_row = d.h};
        s.address = p->homes[v].address;
        s.after_compute = e->last_compute;
        e->last_store = emit(e, &s);
        e->on_host[v] = true;
    }
    struct plan_step s = step_of(l, STEP_HOST);
    s.value = l->out;
    emit(e, &s);
}

bool steps_make(struct plan *p, GError **error)
{
    double n_step = 0;
    for (int i = 0; i < p->n_layer; i++) /* a chunk: loads, the computation, a store */
        if (p->layers[i].kind != LAYER_HOST)
            n_step += (double)plan_n_chunk(p, &p->layers[i]) * (p->layers[i].n_in + 2);
    if (!plan_within_limit(p, n_step, 2 * sizeof(struct plan_step), "steps", error))
        return false; /* twice: once in a growing array, once in the arena */
    struct emitter e = {
        .plan = p,
        .steps = g_array_new(FALSE, TRUE, sizeof(struct plan_step)),
        .on_machine = ARENA_ARRAY(p->arena, bool, p->graph->n_value),
        .on_host = ARENA_ARRAY(p->arena, bool, p->graph->n_value),
        .last_load = -1,
        .last_compute = -1,
        .last_store = -1,
    };
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        l->first_step = (int)e.steps->len;
        if (l->kind == LAYER_HOST)
            emit_host_layer(&e, l);
        else
            emit_layer(&e, l);
        l->n_step = (int)e.steps->len - l->first_step;
    }
    p->n_step = (int)e.steps->len;
    p->steps = ARENA_ARRAY(p->arena, struct plan_step, e.steps->len);
    memcpy(p->steps, e.steps->data, e.steps->len * sizeof(struct plan_step));
    g_array_free(e.steps, TRUE);
    return true;
}
