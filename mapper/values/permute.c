/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/values/permute.h"

#include <string.h>

#include "mapper/plan_input.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/base/size.h"
#include "workloads/threads.h"

/* An element's number in its operand, behind the operand's number. */
enum { OPERAND_SHIFT = 44 };
#define ELEMENT_MASK (((int64_t)1 << OPERAND_SHIFT) - 1)

/* The input that tells what goes where, behind those that are moved; 0: none. Rows of a table that
 * are looked up by known indices are moved as well. */
static int told_by(const struct node *n)
{
    const struct traits *t = n->traits;
    if (t->kind == TRAITS_LOOKUP)
        return t->lookup.indices > t->lookup.table ? t->lookup.indices : 0;
    return t->kind == TRAITS_MOVE ? t->move.told_by : 0;
}

/* Whether it moves activations to places that are known. */
static bool is_told(const struct graph *g, const struct node *n)
{
    const int i = told_by(n);
    return i > 0 && g->values[n->in[0]].kind != VALUE_PARAM && g->values[n->in[i]].data;
}

int permute_n_in(const struct graph *g, const struct node *n)
{
    return is_told(g, n) ? told_by(n) : n->n_data;
}

bool permute_is(const struct graph *g, const struct node *n)
{
    return is_told(g, n) || (n->traits->kind == TRAITS_MOVE && told_by(n) == 0);
}

/* Where an element of a tensor lies as a machine stores it: images turned to channels last. */
static int64_t stored_at(const struct shape *s, int64_t i)
{
    if (s->n_dim != 4)
        return i;
    const int64_t c = s->dim[1], hw = s->dim[2] * s->dim[3], image = i / (c * hw);
    return image * c * hw + i % hw * c + i / hw % c;
}

/* Numbers of all elements of operand j. */
static bool number_elements(struct tensor *t, const struct shape *s, int j, GError **error)
{
    if (!tensor_alloc(t, NUMBER_int64, s, error))
        return false;
    int64_t *x = t->data;
    for (int64_t i = 0; i < shape_count(s); i++)
        x[i] = ((int64_t)j << OPERAND_SHIFT) + i;
    return true;
}

/* By place in an output as stored, whose elements were numbered. */
static void place_elements(const struct plan *p, const struct plan_layer *l,
                           const struct tensor *out, int64_t *from)
{
    for (int64_t i = 0; i < shape_count(&out->shape); i++) {
        const int64_t v = ((const int64_t *)out->data)[i], j = v >> OPERAND_SHIFT;
        const struct shape *root = &p->graph->values[l->in[j]].shape;
        from[stored_at(&out->shape, i)] = (j << OPERAND_SHIFT) + stored_at(root, v & ELEMENT_MASK);
    }
}

/* By place in the outputs as stored, one output behind the other: operand and place there as
 * stored. g_free() it. */
static int64_t *sources(const struct plan *p, const struct plan_layer *l, GError **error)
{
    const struct graph *g = p->graph;
    const struct node *n = &g->nodes[l->nodes[0]];
    struct tensor in[PLAN_MAX_IN] = {{0}}, out[PLAN_MAX_OUT] = {{0}}, *outs[OP_MAX_OUT] = {0};
    const struct tensor *ins[PLAN_MAX_IN] = {0};
    bool ok = true;
    int64_t n_element = 0;
    for (int i = 0, k = 0; ok && i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        n_element += shape_count(&g->values[n->out[i]].shape);
        outs[i] = &out[k++];
        ok = tensor_alloc(outs[i], NUMBER_int64, &g->values[n->out[i]].shape, error);
    }
    for (int j = 0; ok && j < l->n_in; j++) {
        ok = number_elements(&in[j], &g->values[n->in[j]].shape, j, error);
        ins[j] = &in[j];
    }
    struct tensor where = {0};
    if (is_told(g, n)) {
        const struct value *v = &g->values[n->in[told_by(n)]];
        where = (struct tensor){v->type, v->shape, (void *)g_bytes_get_data(v->data, NULL)};
        ins[told_by(n)] = &where;
    }
    struct pool_threads *threads = threads_new(1);
    const struct op_call call = {n->attr, outs, n->n_out, ins, n->n_in, n->n_data, threads};
    ok = ok && op_run(n->op, &call, error);
    threads_free(threads);
    int64_t *from = ok ? g_try_new(int64_t, n_element) : NULL, *next = from;
    for (int k = 0; from && k < l->n_out; next += shape_count(&out[k++].shape))
        place_elements(p, l, &out[k], next);
    if (ok && !from)
        error_set(error, ERROR_LIMIT, "no memory to lay out layer '%s'", l->name);
    for (int j = 0; j < l->n_in; j++)
        tensor_clear(&in[j]);
    for (int k = 0; k < l->n_out; k++)
        tensor_clear(&out[k]);
    return from;
}

static void add_run(GArray *runs, int64_t length)
{
    for (guint i = 0; i < runs->len; i++) {
        struct permute_runs *r = &g_array_index(runs, struct permute_runs, i);
        if (r->length == length) {
            r->count++;
            return;
        }
    }
    const struct permute_runs r = {length, 1};
    g_array_append_val(runs, r);
}

static int64_t elements_of(const struct plan *p, int value)
{
    return shape_count(&p->graph->values[value].shape);
}

static void find_runs(struct plan *p, const struct plan_layer *l, const int64_t *from,
                      struct plan_permute *m)
{
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(struct permute_runs));
    for (int k = 0; k < l->n_out; from += elements_of(p, l->outs[k++])) {
        const int64_t n = elements_of(p, l->outs[k]), pixel = plan_dims(p, l->outs[k]).c;
        int64_t first = 0;
        for (int64_t i = 1; i <= n; i++) {
            if (i < n && i % pixel && from[i] == from[i - 1] + 1)
                continue;
            add_run(runs, i - first);
            first = i;
        }
    }
    m->n_run = (int)runs->len;
    m->runs = ARENA_ARRAY(p->arena, struct permute_runs, runs->len);
    memcpy(m->runs, runs->data, runs->len * sizeof(struct permute_runs));
}

/* Of one output. */
static void find_images(const struct plan *p, const struct plan_layer *l, int value,
                        const int64_t *from, struct plan_permute *m)
{
    const struct dims o = plan_dims(p, value);
    int64_t size[PLAN_MAX_IN];
    for (int j = 0; j < l->n_in; j++) {
        const struct dims d = plan_dims(p, l->in[j]);
        size[j] = dims_image(&d);
    }
    for (int64_t i = 0; i < o.n * dims_image(&o); i++) {
        const int64_t j = from[i] >> OPERAND_SHIFT, image = (from[i] & ELEMENT_MASK) / size[j];
        int64_t *first = &m->first_image[j * o.n + i / dims_image(&o)];
        int64_t *end = &m->end_image[j * o.n + i / dims_image(&o)];
        *first = *end == 0 ? image : MIN(*first, image);
        *end = MAX(*end, image + 1);
    }
}

/* The dimension that is innermost as a machine stores it. */
static int innermost(const struct shape *s)
{
    return s->n_dim == 4 ? 1 : s->n_dim - 1;
}

static void find_turned(const struct plan *p, const struct plan_layer *l, struct plan_permute *m)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    const struct shape *in = &p->graph->values[n->in[0]].shape;
    const struct shape *root = &p->graph->values[l->in[0]].shape;
    const struct traits *t = n->traits;
    if (t->kind != TRAITS_MOVE || !t->move.transposes || (in->n_dim == 4) != (root->n_dim == 4))
        return;
    const int from = innermost(in);
    const int to = (int)t->move.perm[innermost(&p->graph->values[n->out[0]].shape)];
    if (from == to)
        return;
    m->cols = in->dim[from];
    m->rows = in->dim[to];
    m->n_turned = shape_count(in) / (m->rows * m->cols);
}

static struct plan_permute *make(struct plan *p, const struct plan_layer *l, GError **error)
{
    const struct dims o = plan_dims(p, l->out);
    g_autofree int64_t *from = sources(p, l, error);
    if (!from)
        return NULL;
    struct plan_permute *m = ARENA_NEW(p->arena, struct plan_permute);
    m->first_image = ARENA_ARRAY(p->arena, int64_t, (size_t)(l->n_in * o.n));
    m->end_image = ARENA_ARRAY(p->arena, int64_t, (size_t)(l->n_in * o.n));
    find_runs(p, l, from, m);
    const int64_t *next = from;
    for (int k = 0; k < l->n_out; next += elements_of(p, l->outs[k++]))
        find_images(p, l, l->outs[k], next, m);
    find_turned(p, l, m);
    return m;
}

/* All that a move follows from: moves that are alike in it, as those of equal blocks of a network
 * are, are worked out once. */
static GBytes *key_of(const struct plan *p, const struct plan_layer *l)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    GByteArray *key = g_byte_array_new();
    g_byte_array_append(key, (const guint8 *)&n->op, sizeof(n->op));
    g_byte_array_append(key, (const guint8 *)n->attr, (guint)n->op->attr_size);
    for (int i = 0; i < n->n_out; i++) {
        const struct value *v = n->out[i] < 0 ? NULL : &p->graph->values[n->out[i]];
        if (!v)
            continue;
        g_byte_array_append(key, (const guint8 *)&i, sizeof(i));
        g_byte_array_append(key, (const guint8 *)&v->shape, sizeof(v->shape));
    }
    for (int j = 0; j < n->n_in; j++) {
        const struct value *v = n->in[j] < 0 ? NULL : &p->graph->values[n->in[j]];
        const struct value *root = j < l->n_in ? &p->graph->values[l->in[j]] : v;
        if (!v)
            continue;
        g_byte_array_append(key, (const guint8 *)&j, sizeof(j));
        g_byte_array_append(key, (const guint8 *)&v->shape, sizeof(v->shape));
        g_byte_array_append(key, (const guint8 *)&root->shape, sizeof(root->shape));
        g_byte_array_append(key, (const guint8 *)&v->data, sizeof(v->data));
    }
    return g_byte_array_free_to_bytes(key);
}

struct plan_permute *permute_make(struct plan *p, const struct plan_layer *l, GError **error)
{
    if (!p->permutes)
        p->permutes = arena_own(
            p->arena,
            g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL),
            (GDestroyNotify)g_hash_table_unref);
    GBytes *key = key_of(p, l);
    struct plan_permute *m = g_hash_table_lookup(p->permutes, key);
    if (m || !(m = make(p, l, error))) {
        g_bytes_unref(key);
        return m;
    }
    g_hash_table_insert(p->permutes, key, m);
    return m;
}

void permute_images(const struct plan *p, const struct plan_layer *l, int i_in,
                    const struct region *out, int64_t *image, int64_t *n_image)
{
    const int64_t n = plan_dims(p, l->out).n;
    int64_t first = INT64_MAX, end = 0;
    for (int64_t i = i_in * n + out->image; i < i_in * n + out->image + out->n_image; i++) {
        if (l->permute->end_image[i] == 0)
            continue;
        first = MIN(first, l->permute->first_image[i]);
        end = MAX(end, l->permute->end_image[i]);
    }
    *image = end ? first : 0;
    *n_image = end ? end - first : 1;
}

/* A square takes as long as its longer side; the last one's columns leave behind it. */
static int64_t turned_beats(const struct plan_permute *m, int64_t side)
{
    const int64_t r = m->rows / side, c = m->cols / side;
    const int64_t rest_r = m->rows % side, rest_c = m->cols % side;
    const int64_t whole = r * c + (rest_c ? r : 0) + (rest_r ? c : 0);
    const int64_t rest = rest_r && rest_c ? MAX(rest_r, rest_c) : 0;
    return m->n_turned * (whole * side + rest) + (rest_c ? rest_c : side);
}

uint64_t permute_beats(const struct plan *p, const struct plan_layer *l, const struct region *out,
                       int64_t path_bytes, bool turns)
{
    const struct dims o = plan_dims(p, l->out);
    const int64_t size = plan_element_bytes(p, l->out), rows = out->n_image * out->n_row;
    int64_t beats = 0;
    for (int i = 0; i < l->permute->n_run; i++)
        beats +=
            l->permute->runs[i].count * int64_div_up(l->permute->runs[i].length * size, path_bytes);
    if (turns && l->permute->n_turned)
        beats = MIN(beats, turned_beats(l->permute, MAX(path_bytes / size, 1)));
    return (uint64_t)(((__int128)beats * rows + o.n * o.h - 1) / (o.n * o.h));
}

void permute_table_clear(struct permute_table *t)
{
    g_clear_pointer(&t->from, g_free);
}

static const int64_t *table_of(const struct plan *p, const struct plan_layer *l,
                               struct permute_table *t, GError **error)
{
    if (!t->from || t->layer != l->index) {
        permute_table_clear(t);
        *t = (struct permute_table){l->index, sources(p, l, error)};
    }
    return t->from;
}

/* A region of one output; skip[j]: elements of operand j before in[j]. */
static void run_output(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                       int value, const struct region *r, const int64_t *from,
                       const void *const *in, const int64_t *skip, void *out)
{
    const struct dims o = plan_dims(p, value);
    const struct storage to = quant_storage(p, q, value);
    struct storage own[PLAN_MAX_IN];
    for (int j = 0; j < l->n_in; j++)
        own[j] = quant_storage(p, q, l->in[j]);
    const size_t size = number_bytes(to.format);
    const int64_t row = o.w * o.c, first = (r->image * o.h + r->row) * row;
    for (int64_t i = 0; i < (r->n_image - 1) * o.h * row + r->n_row * row; i++) {
        const int64_t j = from[first + i] >> OPERAND_SHIFT;
        const char *x = (const char *)in[j] + ((from[first + i] & ELEMENT_MASK) - skip[j]) *
                                                  (int64_t)number_bytes(own[j].format);
        float v;
        if (own[j].format == to.format && own[j].scale == to.scale) {
            memcpy((char *)out + (size_t)i * size, x, size);
        } else {
            storage_decode(own[j], &v, x, 1);
            storage_encode(to, (char *)out + (size_t)i * size, &v, 1);
        }
    }
}

bool permute_run(const struct plan *p, const struct quant *q, const struct plan_layer *l,
                 const struct region *r, const void *const *in, void *const *out,
                 struct permute_table *t, GError **error)
{
    const int64_t *from = table_of(p, l, t, error);
    int64_t skip[PLAN_MAX_IN];
    if (!from)
        return false;
    for (int j = 0; j < l->n_in; j++) {
        const struct dims d = plan_dims(p, l->in[j]);
        skip[j] = plan_input_region(p, l, j, r, &(int64_t){0}).image * dims_image(&d);
    }
    for (int k = 0; k < l->n_out; from += elements_of(p, l->outs[k++]))
        run_output(p, q, l, l->outs[k], r, from, in, skip, out[k]);
    return true;
}
