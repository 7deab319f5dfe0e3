/* SPDX-License-Identifier: Apache-2.0 */
/* Where parameters lie: in their memory, or, streamed, in that of the inputs. */
#include "mapper/values/lookup.h"
#include "mapper/tiled/rooms.h"
#include "mapper/tiled/weights.h"
#include "sim/base/size.h"

#define BUFFER_ADDRESS (UINT64_C(1) << 62)

/* Layers that look up the same table share it. */
static bool same_table(const struct plan_layer *l, const struct plan_layer *o)
{
    return o->lookup && o->lookup->table == l->lookup->table && o->format == l->format;
}

/* The value that a product's weights are. */
static int weight_of(const struct plan *p, const struct plan_layer *l)
{
    return p->graph->nodes[l->nodes[0]].in[plan_layer_traits(p, l)->product.stationary];
}

static bool own_weights(const struct plan *p, const struct plan_layer *l)
{
    return l->stationary_is_activation || p->graph->values[weight_of(p, l)].n_reader < 2 ||
           plan_layer_affine(p, l);
}

/* Layers that read the same parameter share its tiles, unless a normalisation is folded into it. */
static bool same_weights(const struct plan *p, const struct plan_layer *l,
                         const struct plan_layer *o)
{
    return o->kind == LAYER_MATRIX && !o->stationary_is_activation &&
           weight_of(p, o) == weight_of(p, l) && !plan_layer_affine(p, o) &&
           o->weight_format == l->weight_format && o->packed == l->packed &&
           o->channels == l->channels && o->gemm.k == l->gemm.k;
}

/* The first layer with the same weights, or table: itself or one before it. */
static int find_first(const struct plan *p, const struct plan_layer *l)
{
    const bool is_lookup = l->kind == LAYER_LOOKUP;
    if (!is_lookup && own_weights(p, l))
        return l->index;
    for (int i = 0; i < l->index; i++) {
        const struct plan_layer *o = &p->layers[i];
        if (is_lookup ? same_table(l, o) : same_weights(p, l, o))
            return i;
    }
    return l->index;
}

/* A table's rows lie one behind the other; how a product's weights lie is the family's to say. */
static uint64_t stored_bytes(const struct plan_layer *l)
{
    if (l->kind == LAYER_LOOKUP)
        return rooms_align((uint64_t)(l->lookup->rows * l->lookup->width) *
                           number_bytes(l->format));
    return l->stored_bytes;
}

uint64_t plan_streamed_bytes(const struct plan_layer *l)
{
    return l->streamed ? stored_bytes(l) : 0;
}

/* Behind `end`, which moves on. */
static void place(struct plan_layer *l, uint64_t *end)
{
    l->weight_address = l->kind == LAYER_LOOKUP ? rooms_align(*end) : *end;
    *end = l->weight_address + stored_bytes(l);
}

/* Whether the layer brings parameters of its own, that lie in a memory. */
static bool has_own(const struct plan_layer *l)
{
    return (l->kind == LAYER_MATRIX || l->kind == LAYER_LOOKUP) && !l->stationary_is_activation &&
           l->weights_of == l->index;
}

void weights_place(struct plan *p)
{
    const struct machine *m = p->machine;
    const uint64_t size = machine_memory(m, ROLE_WEIGHTS)->size_bytes;
    const uint64_t taken = machine_shares_weights(m) ? rooms_align(p->activation_bytes) : 0;
    const uint64_t capacity = size - MIN(taken, size);
    p->weight_bytes = 0;
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        uint64_t end = p->weight_bytes;
        l->weights_of = l->kind == LAYER_MATRIX || l->kind == LAYER_LOOKUP ? find_first(p, l) : i;
        if (l->stationary_is_activation) /* of no memory: tiles are told apart by them */
            l->weight_address = BUFFER_ADDRESS + ((uint64_t)l->index << 40);
        if (!has_own(l))
            continue;
        place(l, &end);
        l->streamed = m->streams_weights && end > capacity;
        p->weight_bytes = l->streamed ? p->weight_bytes : end;
    }
    uint64_t end = p->weight_bytes;
    for (int i = 0; i < p->n_layer; i++) {
        struct plan_layer *l = &p->layers[i];
        if (has_own(l) && l->streamed)
            place(l, &end);
        l->streamed = p->layers[l->weights_of].streamed;
        l->weight_address = p->layers[l->weights_of].weight_address;
    }
    p->streamed_bytes = end - p->weight_bytes;
}
