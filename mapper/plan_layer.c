/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/plan_layer.h"

#include <math.h>
#include <string.h>

#include "mapper/plan.h"
#include "workloads/ops/elementwise.h"

const char *const loop_order_names[] = {"nm", "mn", NULL};

struct gemm plan_operator_gemm(const struct plan_layer *l)
{
    return (struct gemm){.m = l->gemm.m,
                         .n = l->gemm.n / l->packed,
                         .k = l->gemm.k / l->packed,
                         .groups = l->gemm.groups * l->packed};
}

int64_t plan_sum_words(const struct plan *p, const struct plan_layer *l)
{
    const enum number in = p->formats[l->in[0]];
    return !number_is_float(in) && number_bits[in] + number_bits[l->weight_format] > 16 ? 2 : 1;
}

const struct node *plan_layer_node(const struct plan *p, const struct plan_layer *l, const char *op)
{
    const struct node *found = NULL;
    for (int i = 0; i < l->n_node; i++) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        if (!strcmp(n->op->name, op))
            found = n;
    }
    return found;
}

struct plan_cut plan_layer_cut(const struct plan *p, const struct plan_layer *l)
{
    struct plan_cut cut = {.upper = INFINITY};
    for (int i = 1; i < l->n_node; i++) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        const bool is_clip = !strcmp(n->op->name, "clip");
        cut.at_zero |= is_clip || !strcmp(n->op->name, "relu");
        if (is_clip)
            cut.upper = MIN(cut.upper, ((const struct clip_attr *)n->attr)->max);
    }
    return cut;
}

const struct node *plan_layer_pool(const struct plan *p, const struct plan_layer *l)
{
    for (int i = 1; i < l->n_node; i++)
        if (strstr(p->graph->nodes[l->nodes[i]].op->name, "pool"))
            return &p->graph->nodes[l->nodes[i]];
    return NULL;
}

int64_t plan_first_matrix(const struct plan_layer *l, const struct region *out)
{
    return l->from_buffer ? out->image / l->gemm.m : 0;
}

int64_t plan_groups(const struct plan_layer *l, const struct region *out)
{
    return l->from_buffer ? out->n_image / l->gemm.m : l->gemm.groups;
}
