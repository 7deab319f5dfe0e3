/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a plan and its layers. */
#include <inttypes.h>
#include <math.h>

#include "mapper/plan.h"
#include "mapper/plan_layer.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

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

int plan_output_of(const struct plan_layer *l, int value)
{
    for (int k = 0; k < l->n_out; k++)
        if (l->outs[k] == value)
            return k;
    return -1;
}

int64_t plan_out_row_bytes(const struct plan *p, const struct plan_layer *l)
{
    int64_t bytes = 0;
    for (int k = 0; k < l->n_out; k++)
        bytes += plan_row_bytes(p, l->outs[k]);
    return bytes;
}

bool plan_is_resident(const struct plan *p, const struct plan_layer *l)
{
    for (int k = 0; k < l->n_out; k++)
        if (!p->homes[l->outs[k]].resident)
            return false;
    return true;
}

const struct traits *plan_layer_traits(const struct plan *p, const struct plan_layer *l)
{
    return p->graph->nodes[l->nodes[0]].traits;
}

/* The first of the nodes behind the first one that is of a kind, or NULL. */
static const struct node *tail_of(const struct plan *p, const struct plan_layer *l,
                                  enum traits_kind kind)
{
    for (int i = 1; i < l->n_node; i++)
        if (p->graph->nodes[l->nodes[i]].traits->kind == kind)
            return &p->graph->nodes[l->nodes[i]];
    return NULL;
}

const struct node *plan_layer_affine(const struct plan *p, const struct plan_layer *l)
{
    return tail_of(p, l, TRAITS_IMAGE);
}

struct plan_cut plan_layer_cut(const struct plan *p, const struct plan_layer *l)
{
    struct plan_cut cut = {.upper = INFINITY};
    for (int i = 1; i < l->n_node; i++) {
        const struct traits *t = p->graph->nodes[l->nodes[i]].traits;
        if (t->kind != TRAITS_ELEMENT || !t->element.clamps)
            continue;
        cut.at_zero = true;
        cut.upper = MIN(cut.upper, t->element.hi);
    }
    return cut;
}

const struct node *plan_layer_sum(const struct plan *p, const struct plan_layer *l)
{
    for (int i = 1; i < l->n_node && l->added; i++) {
        const struct node *n = &p->graph->nodes[l->nodes[i]];
        if (n->traits->kind == TRAITS_ELEMENT && n->traits->element.adds)
            return n;
    }
    return NULL;
}

const struct node *plan_layer_pool(const struct plan *p, const struct plan_layer *l)
{
    return tail_of(p, l, TRAITS_WINDOW);
}

int64_t plan_first_matrix(const struct plan_layer *l, const struct region *out)
{
    return l->stationary_is_activation ? out->image / l->gemm.m : 0;
}

int64_t plan_groups(const struct plan_layer *l, const struct region *out)
{
    return l->stationary_is_activation ? out->n_image / l->gemm.m : l->gemm.groups;
}

int64_t plan_chunk_unit(const struct plan_layer *l)
{
    return l->stationary_is_activation ? l->gemm.m : 1;
}

int64_t plan_gemm_rows(const struct plan *p, const struct plan_layer *l, const struct region *out)
{
    const struct dims o = plan_dims(p, l->out);
    if (l->stationary_is_activation)
        return l->gemm.m; /* of a matrix */
    const int64_t image_rows = l->gemm.m / o.n;
    /* Only whole images are pooled on the way out, so pixels of an image are rows of the product.
     */
    return out->n_row == o.h && out->n_col == o.w ? out->n_image * image_rows
                                                  : out->n_image * out->n_row * out->n_col;
}

int64_t plan_gemm_columns(const struct plan *p, const struct plan_layer *l,
                          const struct region *out)
{
    return out->n_channel < plan_dims(p, l->out).c ? out->n_channel : l->gemm.n;
}

void plan_chunk_whole(const struct plan *p, struct plan_layer *l)
{
    const struct dims o = plan_dims(p, l->out);
    l->chunk_image = o.n;
    l->chunk_row = o.h;
    l->chunk_col = o.w;
    l->chunk_channel = o.c;
}

/* Chunks of a dimension. */
static int64_t n_part(int64_t size, int64_t part)
{
    return part == size ? 1 : int64_div_up(size, part);
}

int64_t plan_n_chunk_of_pixels(const struct plan *p, const struct plan_layer *l)
{
    return n_part(plan_dims(p, l->out).c, l->chunk_channel);
}

int64_t plan_n_chunk_of_image(const struct plan *p, const struct plan_layer *l)
{
    const struct dims o = plan_dims(p, l->out);
    return n_part(o.h, l->chunk_row) * n_part(o.w, l->chunk_col) * n_part(o.c, l->chunk_channel);
}

int64_t plan_n_chunk(const struct plan *p, const struct plan_layer *l)
{
    g_assert(l->kind != LAYER_HOST);
    return n_part(plan_dims(p, l->out).n, l->chunk_image) * plan_n_chunk_of_image(p, l);
}

int64_t plan_n_full_turn(const struct plan *p, const struct plan_layer *l)
{
    return plan_dims(p, l->out).n - l->n_turn * (l->chunk_image - 1);
}

/* Of a dimension the part that *i counts in, and leaves to the dimension around it. */
static void take_part(int64_t *i, int64_t size, int64_t part, int64_t *first, int64_t *n)
{
    const int64_t n_all = n_part(size, part);
    *first = n_all == 1 ? 0 : *i % n_all * part;
    *n = MIN(part, size - *first);
    *i = n_all == 1 ? *i : *i / n_all;
}

struct region plan_chunk(const struct plan *p, const struct plan_layer *l, int64_t i_chunk)
{
    const struct dims o = plan_dims(p, l->out);
    const int64_t per_image = plan_n_chunk_of_image(p, l), i = i_chunk / per_image;
    struct region r = {.image = i * l->chunk_image};
    int64_t within = i_chunk % per_image;
    take_part(&within, o.c, l->chunk_channel, &r.channel, &r.n_channel);
    take_part(&within, o.w, l->chunk_col, &r.col, &r.n_col);
    take_part(&within, o.h, l->chunk_row, &r.row, &r.n_row);
    r.n_image = MIN(l->chunk_image, o.n - r.image);
    const int64_t shorter = l->n_turn > 1 ? i - plan_n_full_turn(p, l) : -1;
    if (shorter >= 0) {
        r.image -= shorter;
        r.n_image = l->chunk_image - 1;
    }
    return r;
}

int64_t plan_element_bytes(const struct plan *p, int value)
{
    return (int64_t)number_bytes(p->formats[value]);
}

int64_t plan_row_bytes(const struct plan *p, int value)
{
    const struct dims d = plan_dims(p, value);
    return d.w * d.c * plan_element_bytes(p, value);
}

int64_t plan_image_bytes(const struct plan *p, int value)
{
    const struct dims d = plan_dims(p, value);
    return d.h * plan_row_bytes(p, value);
}

struct pitch plan_pitch_whole(const struct plan *p, int value)
{
    const struct dims d = plan_dims(p, value);
    const struct region all = region_whole(&d);
    return region_pitch(&all, plan_element_bytes(p, value));
}

struct pitch plan_pitch(const struct plan *p, int value, const struct region *r)
{
    return p->homes[value].resident ? plan_pitch_whole(p, value)
                                    : region_pitch(r, plan_element_bytes(p, value));
}

uint64_t plan_region_bytes(const struct plan *p, int value, const struct region *r)
{
    return (uint64_t)(region_elements(r) * plan_element_bytes(p, value));
}

uint64_t plan_outside_address(const struct plan *p, int value, const struct region *r)
{
    const struct pitch whole = plan_pitch_whole(p, value);
    return p->homes[value].outside_address +
           (uint64_t)region_begin(r, &whole, plan_element_bytes(p, value));
}

double plan_outside_cyc(const struct plan *p, int value)
{
    const struct home *h = &p->homes[value];
    const double rate = p->machine->memories[h->outside].bytes_per_cyc;
    return rate > 0 ? (double)h->size_bytes / rate : 0;
}

bool plan_is_local(const struct plan *p, int value)
{
    const struct home *h = &p->homes[value];
    return !h->resident && !h->loaded && !h->stored &&
           p->layers[h->first_layer].group == p->layers[h->last_layer].group &&
           !plan_is_alone(p, &p->layers[h->first_layer]);
}

bool plan_is_alone(const struct plan *p, const struct plan_layer *l)
{
    return p->groups[l->group].first == p->groups[l->group].last;
}

bool plan_within_limit(const struct plan *p, double n, size_t size_bytes, const char *what,
                       GError **error)
{
    if (p->memory_limit_bytes == 0 || n * (double)size_bytes <= (double)p->memory_limit_bytes)
        return true;
    return error_set(error, ERROR_LIMIT,
                     "%s at batch %" PRId64
                     " becomes about %.3g %s for %s, %.0f MiB of memory; the "
                     "limit is %.0f MiB",
                     p->graph->name, p->graph->batch, n, what, p->machine->name,
                     n * (double)size_bytes / 0x1p20, (double)p->memory_limit_bytes / 0x1p20);
}

struct plan *plan_begin(const struct graph *g, const struct machine *m)
{
    struct arena *arena = arena_new();
    struct plan *p = ARENA_NEW(arena, struct plan);
    p->arena = arena;
    p->graph = g;
    p->machine = m;
    p->n_run_step = 1;
    return p;
}

void plan_add_layers(struct plan *p)
{
    const struct graph *g = p->graph;
    p->layers = ARENA_ARRAY(p->arena, struct plan_layer, (size_t)g->n_node);
    p->n_layer = g->n_node;
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        p->layers[i] =
            (struct plan_layer){.index = i,
                                .name = n->name,
                                .op = n->op->name,
                                .shape = shape_text(&g->values[n->out[0]].shape, 1, p->arena),
                                .kind = LAYER_OWN,
                                .nodes = {i},
                                .n_node = 1,
                                .out = n->out[0],
                                .n_out = 1,
                                .macs = n->macs};
    }
}

void plan_free(struct plan *p)
{
    if (p)
        arena_free(p->arena);
}
