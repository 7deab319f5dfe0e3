/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/plan_chunk.h"

#include "mapper/plan.h"
#include "sim/base/size.h"

int64_t plan_chunk_unit(const struct plan_layer *l)
{
    return l->from_buffer ? l->gemm.m : 1;
}

int64_t plan_gemm_rows(const struct plan *p, const struct plan_layer *l, const struct region *out)
{
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    if (l->from_buffer)
        return l->gemm.m; /* of a matrix */
    const int64_t image_rows = l->gemm.m / o.n;
    /* Only whole images are pooled on the way out, so rows of an image are rows of the product. */
    return out->n_row == o.h ? out->n_image * image_rows : out->n_row * o.w;
}

int64_t plan_block_rows(const struct plan *p, const struct plan_layer *l, const struct region *out)
{
    return p->machine->block_of_n ? l->gemm.n : plan_gemm_rows(p, l, out);
}

int64_t plan_n_chunk(const struct plan *p, const struct plan_layer *l)
{
    g_assert(l->kind != LAYER_HOST);
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    return int64_div_up(o.n, l->chunk_image) * int64_div_up(o.h, l->chunk_row);
}

int64_t plan_n_full_turn(const struct plan *p, const struct plan_layer *l)
{
    return dims_of(&p->graph->values[l->out].shape).n - l->n_pass * (l->chunk_image - 1);
}

struct region plan_chunk(const struct plan *p, const struct plan_layer *l, int64_t i_chunk)
{
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    const int64_t per_image = int64_div_up(o.h, l->chunk_row), i = i_chunk / per_image;
    struct region r = {.image = i * l->chunk_image, .row = i_chunk % per_image * l->chunk_row};
    r.n_image = MIN(l->chunk_image, o.n - r.image);
    r.n_row = MIN(l->chunk_row, o.h - r.row);
    const int64_t shorter = l->n_pass > 1 ? i - plan_n_full_turn(p, l) : -1;
    if (shorter >= 0) {
        r.image -= shorter;
        r.n_image = l->chunk_image - 1;
    }
    return r;
}
