/* SPDX-License-Identifier: Apache-2.0 */
/* Where weights lie in the weight memory, and which layers share them. */
#include "mapper/layers.h"
#include "mapper/lookup.h"
#include "sim/base/size.h"

#define BUFFER_ADDRESS (UINT64_C(1) << 62)

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + PLACE_ALIGN_BYTES - 1) / PLACE_ALIGN_BYTES * PLACE_ALIGN_BYTES;
}

/* Rows one behind the other; layers that look up the same share them. */
void layers_place_table(struct plan *p, struct plan_layer *l)
{
    l->weights_of = l->index;
    for (int i = 0; i < l->index; i++) {
        const struct plan_layer *o = &p->layers[i];
        if (!o->lookup || o->lookup->table != l->lookup->table || o->format != l->format)
            continue;
        l->weights_of = i;
        l->weight_address = o->weight_address;
        return;
    }
    const uint64_t bytes = (uint64_t)(l->lookup->rows * l->lookup->width) * number_bytes(l->format);
    l->weight_address = aligned(p->weight_bytes);
    p->weight_bytes = aligned(l->weight_address + bytes);
}

/* Layers that read the same parameter share its tiles, unless a normalisation is folded into it. */
void layers_place_weights(struct plan *p, struct plan_layer *l)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    const bool is_own = l->from_buffer || p->graph->values[n->in[n->n_data]].n_reader < 2 ||
                        plan_layer_node(p, l, "batch_norm");
    l->weights_of = l->index;
    if (l->from_buffer) { /* of no memory: tiles are told apart by them */
        l->weight_address = BUFFER_ADDRESS + ((uint64_t)l->index << 40);
        return;
    }
    for (int i = 0; i < l->index && !is_own; i++) {
        const struct plan_layer *o = &p->layers[i];
        const struct node *other = &p->graph->nodes[o->nodes[0]];
        if (o->kind != LAYER_MATRIX || o->from_buffer ||
            other->in[other->n_data] != n->in[n->n_data] || plan_layer_node(p, o, "batch_norm") ||
            o->weight_format != l->weight_format || o->packed != l->packed ||
            o->channels != l->channels || o->gemm.k != l->gemm.k)
            continue;
        l->weights_of = i;
        l->weight_address = o->weight_address;
        return;
    }
    l->weight_address = p->weight_bytes;
    p->weight_bytes += (uint64_t)(l->gemm.groups * int64_div_up(l->gemm.n, p->machine->tile_n) *
                                  int64_div_up(l->gemm.k, p->machine->tile_k) * p->machine->tile_n *
                                  p->machine->tile_k) *
                       number_bytes(l->weight_format);
}
