/* SPDX-License-Identifier: Apache-2.0 */
/* What a run reads and makes, in memory that a forked simulation shares. */
#include <string.h>

#include "app/run/internal.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

enum { ALIGN_BYTES = 64 }; /* of an arena's blocks */

/* A value as the graph has it, or as a tiled plan stores it. */
static size_t graph_bytes(const struct accsim *a, int value)
{
    const struct value *v = &a->graph->values[value];
    return (size_t)shape_count(&v->shape) * number_bytes(v->type);
}

static size_t stored_bytes(const struct accsim *a, int value)
{
    return (size_t)(shape_count(&a->graph->values[value].shape) *
                    plan_element_bytes(a->plan, value));
}

static bool is_tensor(const struct plan_layer *l)
{
    return l->kind == LAYER_HOST || l->kind == LAYER_OWN;
}

static bool room_bytes(const struct accsim *a, size_t *bytes)
{
    const size_t n_layer = (size_t)a->plan->n_layer, n_value = (size_t)a->graph->n_value;
    *bytes = (n_layer + n_value + 4) * (sizeof(struct tensor) + ALIGN_BYTES);
    for (int i = 0; i < a->plan->n_layer; i++) {
        const struct plan_layer *l = &a->plan->layers[i];
        const struct node *n = &a->graph->nodes[l->nodes[0]];
        for (int k = 0; !is_tensor(l) && k < l->n_out; k++)
            if (!size_add(bytes, *bytes, stored_bytes(a, l->outs[k]) + ALIGN_BYTES))
                return false;
        for (int k = 0; is_tensor(l) && k < n->n_out; k++)
            if (n->out[k] >= 0 && !size_add(bytes, *bytes, graph_bytes(a, n->out[k]) + ALIGN_BYTES))
                return false;
    }
    return true;
}

static bool make_outputs(const struct accsim *a, const struct node *n, struct arch_values *io,
                         struct arena *arena)
{
    for (int k = 0; k < n->n_out; k++) {
        if (n->out[k] < 0)
            continue;
        const struct value *v = &a->graph->values[n->out[k]];
        struct tensor *t = &io->host[v->index];
        *t = (struct tensor){v->type, v->shape, NULL};
        if (!(t->data = arena_try_alloc(arena, MAX(tensor_bytes(t), 1))))
            return false;
    }
    return true;
}

struct arena *make_io(const struct accsim *a, struct arch_values *io, GError **error)
{
    const struct plan *p = a->plan;
    size_t bytes;
    struct arena *arena = room_bytes(a, &bytes) ? arena_new_shared(bytes) : NULL;
    if (!arena) {
        error_set(error, ERROR_LIMIT, "no memory for the values of %s", a->graph->name);
        return NULL;
    }
    *io = (struct arch_values){.host = ARENA_ARRAY(arena, struct tensor, (size_t)a->graph->n_value),
                               .out = ARENA_ARRAY(arena, void *, (size_t)a->graph->n_value),
                               .saturated = ARENA_ARRAY(arena, uint64_t, (size_t)p->n_layer)};
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        bool ok = true;
        if (is_tensor(l))
            ok = make_outputs(a, &a->graph->nodes[l->nodes[0]], io, arena);
        for (int k = 0; ok && !is_tensor(l) && k < l->n_out; k++)
            ok =
                (io->out[l->outs[k]] = arena_try_alloc(arena, stored_bytes(a, l->outs[k]))) != NULL;
        if (ok)
            continue;
        error_set(error, ERROR_LIMIT, "no memory for the output of layer '%s'", l->name);
        arena_free(arena);
        return NULL;
    }
    return arena;
}

void read_io(const struct accsim *a, const struct arch_values *io, int i_layer, int value,
             struct tensor *t)
{
    const struct plan_layer *l = &a->plan->layers[i_layer];
    if (is_tensor(l))
        memcpy(t->data, io->host[value].data, tensor_bytes(t));
    else
        storage_from_nhwc(t, io->out[value], quant_storage(a->plan, io->quant, value));
}
