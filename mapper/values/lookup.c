/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/lookup.h"

#include <inttypes.h>

#include "mapper/values/permute.h"
#include "mapper/plan.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

static bool find(const struct graph *g, const struct node *n, struct plan_lookup *out)
{
    const struct traits_lookup *t = &n->traits->lookup;
    if (n->traits->kind != TRAITS_LOOKUP)
        return false;
    *out = (struct plan_lookup){n->in[t->table], t->indices, .padding = t->padding,
                                .from_end = t->from_end};
    const struct shape *table = &g->values[out->table].shape;
    out->rows = table->n_dim == 2 ? table->dim[0] : 0;
    out->width = table->n_dim == 2 ? table->dim[1] : 0;
    return true;
}

bool lookup_of(const struct graph *g, const struct node *n, struct plan_lookup *out, GString *why)
{
    if (!find(g, n, out) || permute_is(g, n))
        return false;
    const struct value *table = &g->values[out->table], *at = &g->values[n->in[out->i_indices]];
    const char *fault = NULL;
    if (table->kind != VALUE_PARAM || table->type != NUMBER_fp32 || out->rows * out->width == 0)
        fault = "its table is no matrix of parameters";
    else if ((at->type != NUMBER_int32 && at->type != NUMBER_int64) || shape_count(&at->shape) == 0)
        fault = "its indices are no int32 or int64, or none";
    else if (at->shape.n_dim == 4 || g->values[n->out[0]].shape.n_dim == 4)
        fault = "the rows that it finds would be columns of images";
    if (fault)
        g_string_assign(why, fault);
    return !fault;
}

int64_t lookup_row(const struct plan *p, const struct plan_layer *l, int64_t index, GError **error)
{
    const struct plan_lookup *t = l->lookup;
    const int64_t row = t->from_end && index < 0 ? index + t->rows : index;
    if (row >= 0 && row < t->rows)
        return row;
    error_set(error, ERROR_INPUT,
              "%s: layer '%s': index %" PRId64 " of a table of %" PRId64 " rows",
              p->graph->nodes[l->nodes[0]].origin, l->name, index, t->rows);
    return -1;
}

int64_t lookup_row_bytes(const struct plan *p, const struct plan_layer *l)
{
    return l->lookup->width * plan_element_bytes(p, l->out);
}

/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014). */
static uint64_t drawn(uint64_t i)
{
    uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t lookup_address(const struct plan *p, const struct plan_layer *l, int64_t i_image)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    const struct value *indices = &p->graph->values[n->in[l->lookup->i_indices]];
    const uint64_t rows = (uint64_t)l->lookup->rows;
    uint64_t row = ((drawn((uint64_t)i_image) >> 32) * rows) >> 32;
    if (indices->data) {
        const void *known = g_bytes_get_data(indices->data, NULL);
        const int64_t index = number_get_int64(known, indices->type, (size_t)i_image);
        row = (uint64_t)CLAMP(index < 0 ? index + l->lookup->rows : index, 0, l->lookup->rows - 1);
    }
    return l->weight_address + row * (uint64_t)lookup_row_bytes(p, l);
}
