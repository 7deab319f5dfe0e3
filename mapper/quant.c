/* SPDX-License-Identifier: Apache-2.0 */
/* quant_new(): scales, then the numbers of each layer. */
#include "mapper/lookup.h"
#include "mapper/quant_parts.h"
#include "sim/base/error.h"

struct storage quant_storage(const struct plan *p, const struct quant *q, int value)
{
    return (struct storage){p->formats[value], q->scale[value]};
}

/* Rows of the table as the layer's output has them. */
static bool table_params(struct quant *q, const struct plan *p, const struct plan_layer *l,
                         const struct values *params, GError **error)
{
    struct quant_layer *ql = &q->layers[l->index];
    const struct tensor *table = &params->at[l->lookup->table];
    if (l->weights_of != l->index) {
        ql->weight = q->layers[l->weights_of].weight;
        return true;
    }
    ql->weight = arena_try_alloc(q->arena, (size_t)(l->lookup->rows * lookup_row_bytes(p, l)));
    if (!ql->weight)
        return error_set(error, ERROR_LIMIT, "no memory for the table of layer '%s'", l->name);
    storage_encode(quant_storage(p, q, l->out), ql->weight, table->data,
                   shape_count(&table->shape));
    return true;
}

struct quant *quant_new(const struct plan *p, const struct values *params,
                        const struct quant_ranges *ranges, GError **error)
{
    struct arena *arena = arena_new();
    struct quant *q = ARENA_NEW(arena, struct quant);
    q->arena = arena;
    q->scale = ARENA_ARRAY(arena, float, (size_t)p->graph->n_value);
    q->layers = ARENA_ARRAY(arena, struct quant_layer, (size_t)p->n_layer);
    quant_set_scales(q, p, params, ranges);
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        if (l->kind == LAYER_VECTOR)
            quant_vector_params(q, p, l);
        if ((l->kind == LAYER_MATRIX && !quant_matrix_params(q, p, l, params, error)) ||
            (l->kind == LAYER_LOOKUP && !table_params(q, p, l, params, error))) {
            quant_free(q);
            return NULL;
        }
    }
    return q;
}

void quant_free(struct quant *q)
{
    if (q)
        arena_free(q->arena);
}
