/* SPDX-License-Identifier: Apache-2.0 */
/* Where activations live. Every activation starts as resident for its lifetime. What does not fit
 * makes the largest activation alive beside it move to the host, from where its layers stream it
 * through slots, in chunks of images or, where one image is too large, of rows. */
#include <inttypes.h>
#include <string.h>

#include "mapper/mapping.h"
#include "mapper/passes.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

static void extend(struct home *h, int layer)
{
    if (!h->used) {
        h->used = true;
        h->resident = true;
        h->first_layer = layer;
    }
    h->last_layer = layer;
}

/* Who makes a value decides whether it has to come from the host, who wants it whether it goes. */
static void find_transfers(struct plan *p)
{
    for (int v = 0; v < p->graph->n_value; v++)
        p->homes[v].loaded = true;
    for (int i = 0; i < p->n_layer; i++)
        p->homes[p->layers[i].out].loaded = p->layers[i].kind == LAYER_HOST;
    for (int i = 0; i < p->graph->n_output; i++) {
        struct home *h = &p->homes[p->roots[p->graph->outputs[i]]];
        h->stored = !h->loaded;
    }
}

static void find_lifetimes(struct plan *p)
{
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        for (int j = 0; j < l->n_in; j++) {
            struct home *h = &p->homes[l->in[j]];
            /* A layer on the host reads copies; what it reads must last until it is copied. */
            if (l->kind != LAYER_HOST || (h->used && !h->loaded))
                extend(h, i);
        }
        if (l->kind != LAYER_HOST)
            extend(&p->homes[l->out], i);
    }
    for (int v = 0; v < p->graph->n_value; v++) {
        if (!p->homes[v].used)
            continue;
        struct dims d = dims_of(&p->graph->values[v].shape);
        const uint64_t bytes = (uint64_t)(d.n * plan_image_bytes(p, v));
        p->homes[v].size_bytes =
            (bytes + PLACE_ALIGN_BYTES - 1) / PLACE_ALIGN_BYTES * PLACE_ALIGN_BYTES;
    }
}

void homes_find(struct plan *p)
{
    size_t n_operand = 0;
    p->homes = ARENA_ARRAY(p->arena, struct home, p->graph->n_value);
    p->groups = ARENA_ARRAY(p->arena, struct plan_group, p->n_layer);
    p->n_group = p->n_layer;
    for (int i = 0; i < p->n_layer; i++) {
        p->groups[i] = (struct plan_group){.first = i, .last = i};
        p->layers[i].group = i;
        n_operand += (size_t)p->layers[i].n_in + 1;
    }
    p->slots = ARENA_ARRAY(p->arena, struct plan_slot, n_operand);
    find_transfers(p);
    find_lifetimes(p);
}

/* The largest resident activation alive in any of these layers, of those that a file does not want
 * on the chip, or of those that it does; -1: none. */
static int largest_beside(const struct plan *p, int first, int last, bool wanted)
{
    int found = -1;
    for (int v = 0; v < p->graph->n_value; v++) {
        const struct home *h = &p->homes[v];
        if (!h->used || !h->resident || wanted != (mapping_home(p->mapping, v) == MAPPING_CHIP))
            continue;
        const bool beside = p->groups[p->layers[h->first_layer].group].first <= last &&
                            first <= p->groups[p->layers[h->last_layer].group].last;
        if (beside && (found < 0 || h->size_bytes > p->homes[found].size_bytes))
            found = v;
    }
    return found;
}

static bool is_streamed(const struct plan *p, const struct plan_layer *l)
{
    return p->groups[l->group].n_slot > 0;
}

/* Whole images where they fit, else as many rows as do. */
static bool smallest_chunk(struct plan *p, struct plan_layer *l, int *unfuse, GError **error)
{
    const uint64_t capacity = place_capacity(p);
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    l->n_pass = 1;
    l->chunk_image = is_streamed(p, l) ? plan_chunk_unit(l) : o.n;
    l->chunk_row = o.h;
    if (layer_stage_bytes(p, l) <= capacity)
        return true;
    const struct node *pool = plan_layer_pool(p, l);
    if (pool) {
        *unfuse = pool->index;
        return false;
    }
    for (l->chunk_row = o.h; l->chunk_row > 1 && layer_stage_bytes(p, l) > capacity;)
        l->chunk_row = int64_div_up(l->chunk_row, 2);
    if (layer_stage_bytes(p, l) <= capacity)
        return true;
    if (l->move || l->from_buffer || l->broadcast) { /* the host can */
        *unfuse = l->nodes[0];
        return false;
    }
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s: layer '%s': one row of it needs %" PRIu64 " KiB of %s, which has %" PRIu64 " KiB",
        p->graph->nodes[l->nodes[0]].origin, l->name, (layer_stage_bytes(p, l) + 1023) / 1024,
        p->machine->memories[p->machine->activation_memory].name, capacity / 1024);
}

/* Larger chunks load weights less often: doubles them as long as everything still fits. */
static void grow_chunks(struct plan *p)
{
    int first, last;
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_HOST || !plan_is_alone(p, l) || !is_streamed(p, l))
            continue;
        const struct dims o = dims_of(&p->graph->values[l->out].shape);
        while (l->chunk_row == o.h && l->chunk_image < o.n) {
            int64_t before = l->chunk_image;
            l->chunk_image = MIN(2 * before, o.n);
            if (place_all(p, &first, &last))
                continue;
            l->chunk_image = before;
            break;
        }
    }
    bool placed = place_all(p, &first, &last);
    g_assert(placed);
}

void homes_take_turns(const struct plan *p, struct plan_layer *l, int64_t images)
{
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    l->n_pass = int64_div_up(o.n, images);
    l->chunk_image = int64_div_up(o.n, l->n_pass);
    l->chunk_row = o.h;
}

/* A chunk more for the first group of several layers among these; false: there is none that has
 * more than an image in a chunk. */
static bool shrink_group(struct plan *p, int first, int last)
{
    for (int i = first; i <= last; i++) {
        struct plan_layer *l = &p->layers[i];
        const struct plan_group *g = &p->groups[l->group];
        if (plan_is_alone(p, l) || l->chunk_image == 1)
            continue;
        const int64_t batch = dims_of(&p->graph->values[l->out].shape).n;
        const int64_t image = MIN(l->chunk_image - 1, int64_div_up(batch, l->n_pass + 1));
        for (int j = g->first; j <= g->last; j++)
            homes_take_turns(p, &p->layers[j], image);
        return true;
    }
    return false;
}

static bool spill(struct plan *p, int first, int last, bool wanted)
{
    const int spilled = largest_beside(p, first, last, wanted);
    if (spilled >= 0)
        p->homes[spilled].resident = false;
    return spilled >= 0;
}

/* What a file asks for goes last; mapping_kept() tells that it went. */
static bool make_room(struct plan *p, int first, int last)
{
    const bool asked = p->mapping && p->mapping->has_groups;
    return (!asked && shrink_group(p, first, last)) || spill(p, first, last, false) ||
           (asked && shrink_group(p, first, last)) || spill(p, first, last, true);
}

bool homes_fit(struct plan *p, int *unfuse, GError **error)
{
    *unfuse = -1;
    for (;;) {
        place_slots(p);
        for (int i = 0; i < p->n_layer; i++) {
            struct plan_layer *l = &p->layers[i];
            if (l->kind != LAYER_HOST && plan_is_alone(p, l) &&
                !smallest_chunk(p, l, unfuse, error))
                return false;
        }
        int first, last;
        if (place_all(p, &first, &last))
            break;
        if (!make_room(p, first, last)) /* for a group; a layer alone fits: smallest_chunk() */
            return p->mapping && mapping_no_room(p->mapping, p, first, last, error);
    }
    grow_chunks(p);
    return true;
}
