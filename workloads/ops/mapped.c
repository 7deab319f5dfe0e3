/* SPDX-License-Identifier: Apache-2.0 */
/* The copies behind layout.h. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/layout.h"
#include "workloads/ops/panel.h"
#include "workloads/threads.h"

struct mapped mapped_of(const struct op_call *c)
{
    struct mapped m = {.src = c->in[0]->data,
                       .dst = c->out[0]->data,
                       .size = number_bytes(c->in[0]->type),
                       .out = c->out[0]->shape};
    const struct shape *in = &c->in[0]->shape; /* leading dimensions of 1 are added */
    m.in.n_dim = m.out.n_dim;
    for (int d = 0; d < m.in.n_dim; d++) {
        int own = d - (m.out.n_dim - in->n_dim);
        m.in.dim[d] = own < 0 ? 1 : in->dim[own];
    }
    return m;
}

int64_t *mapped_dim(struct mapped *m, int d, GError **error)
{
    m->map[d] = g_try_malloc_n((gsize)MAX(m->out.dim[d], 1), sizeof(int64_t));
    if (!m->map[d])
        error_set(error, ERROR_LIMIT, "no memory for the indices of a copy");
    return m->map[d];
}

void mapped_clear(struct mapped *m)
{
    for (int d = 0; d < SHAPE_MAX_DIM; d++)
        g_free(m->map[d]);
}

/* A row is the last dimension that is mapped; what is behind it moves in one piece. */
struct rows {
    const struct mapped *m;
    int last;      /* that dimension; -1: nothing is mapped */
    size_t piece;  /* bytes of what lies behind it */
    int64_t n_row, row; /* rows, and pieces in one */
    int64_t step[SHAPE_MAX_DIM]; /* pieces, of the source */
};

static void copy_pieces(char *dst, const char *src, const int64_t *map, int64_t n, size_t size,
                        const void *fill)
{
#define PIECES(type)                                                                               \
    for (int64_t i = 0; i < n; i++)                                                                \
        ((type *)dst)[i] = map[i] < 0 ? *(const type *)fill : ((const type *)src)[map[i]];
    bool is_run = n > 0 && map[0] >= 0;
    for (int64_t i = 1; is_run && i < n; i++)
        is_run = map[i] == map[0] + i;
    if (is_run) {
        memcpy(dst, src + (size_t)map[0] * size, (size_t)n * size);
    } else if (size == 1) {
        PIECES(uint8_t)
    } else if (size == 2) {
        PIECES(uint16_t)
    } else if (size == 4) {
        PIECES(uint32_t)
    } else if (size == 8) {
        PIECES(uint64_t)
    } else {
        for (int64_t i = 0; i < n; i++)
            memcpy(dst + (size_t)i * size, src + (size_t)map[i] * size, size);
    }
}

static void fill_row(const struct rows *r, char *dst)
{
    size_t size = r->m->size, n = (size_t)r->row * r->piece / size;
    for (size_t i = 0; i < n; i++)
        memcpy(dst + i * size, r->m->fill, size);
}

/* Pieces wider than an element with some of them filled. */
static void copy_filled(const struct rows *r, char *dst, const char *src, const int64_t *map)
{
    const struct mapped *m = r->m;
    for (int64_t i = 0; i < r->row; i++, dst += r->piece) {
        if (map[i] >= 0)
            memcpy(dst, src + (size_t)map[i] * r->piece, r->piece);
        for (size_t k = 0; map[i] < 0 && k < r->piece; k += m->size)
            memcpy(dst + k, m->fill, m->size);
    }
}

static void mapped_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct rows *r = arg;
    const struct mapped *m = r->m;
    struct panel p = panel_at(r->n_row, panel_items(r->row), i_panel);
    for (int64_t i = p.begin; i < p.end; i++) {
        int64_t at = 0, rest = i;
        bool is_filled = false;
        for (int d = r->last - 1; d >= 0; d--) {
            int64_t own = rest % m->out.dim[d];
            int64_t from = m->map[d] ? m->map[d][own] : own;
            rest /= m->out.dim[d];
            is_filled |= from < 0;
            at += from * r->step[d];
        }
        char *dst = (char *)m->dst + (size_t)(i * r->row) * r->piece;
        const char *src = (const char *)m->src + (size_t)(is_filled ? 0 : at) * r->piece;
        if (is_filled)
            fill_row(r, dst);
        else if (r->piece != m->size && m->fill)
            copy_filled(r, dst, src, m->map[r->last]);
        else
            copy_pieces(dst, src, m->map[r->last], r->row, r->piece, m->fill);
    }
}

void mapped_run(const struct mapped *m, struct pool_threads *threads)
{
    struct rows r = {.m = m, .last = m->out.n_dim - 1, .piece = m->size};
    if (shape_count(&m->out) == 0)
        return;
    while (r.last >= 0 && !m->map[r.last])
        r.piece *= (size_t)m->out.dim[r.last--];
    if (r.last < 0) {
        memcpy(m->dst, m->src, r.piece);
        return;
    }
    r.row = m->out.dim[r.last];
    r.n_row = 1;
    for (int d = r.last - 1; d >= 0; d--)
        r.n_row *= m->out.dim[d];
    r.step[r.last] = 1;
    for (int d = r.last - 1; d >= 0; d--)
        r.step[d] = r.step[d + 1] * m->in.dim[d + 1];
    threads_run(threads, panel_count(r.n_row, panel_items(r.row)), mapped_panel, &r);
}

#define TILE 16 /* of a transposition: lines of both sides stay in the first-level cache */

struct permuted {
    char *dst;
    const char *src;
    size_t size;
    int n_dim;
    int64_t dim[SHAPE_MAX_DIM], step[SHAPE_MAX_DIM]; /* of the output; the source's step */
    int64_t n_plane, per_panel; /* of the last two dimensions */
};

#define TRANSPOSE(type)                                                                            \
    for (int64_t i = i0; i < i1; i++)                                                              \
        for (int64_t k = k0; k < k1; k++)                                                          \
            ((type *)dst)[i * cols + k] = ((const type *)src)[i * si + k * sk];

static void transpose_plane(const struct permuted *p, char *dst, const char *src)
{
    const int64_t rows = p->dim[p->n_dim - 2], cols = p->dim[p->n_dim - 1];
    const int64_t si = p->step[p->n_dim - 2], sk = p->step[p->n_dim - 1];
    for (int64_t i = 0; sk == 1 && i < rows; i++)
        memcpy(dst + (size_t)(i * cols) * p->size, src + (size_t)(i * si) * p->size,
               (size_t)cols * p->size);
    for (int64_t i0 = 0; sk != 1 && i0 < rows; i0 += TILE)
        for (int64_t k0 = 0; k0 < cols; k0 += TILE) {
            const int64_t i1 = MIN(i0 + TILE, rows), k1 = MIN(k0 + TILE, cols);
            if (p->size == 1) {
                TRANSPOSE(uint8_t)
            } else if (p->size == 2) {
                TRANSPOSE(uint16_t)
            } else if (p->size == 4) {
                TRANSPOSE(uint32_t)
            } else {
                TRANSPOSE(uint64_t)
            }
        }
}

static void permute_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct permuted *p = arg;
    struct panel panel = panel_at(p->n_plane, p->per_panel, i_panel);
    const int64_t plane = p->dim[p->n_dim - 2] * p->dim[p->n_dim - 1];
    for (int64_t i = panel.begin; i < panel.end; i++) {
        int64_t at = 0, rest = i;
        for (int d = p->n_dim - 3; d >= 0; d--) {
            at += rest % p->dim[d] * p->step[d];
            rest /= p->dim[d];
        }
        transpose_plane(p, p->dst + (size_t)(i * plane) * p->size, p->src + (size_t)at * p->size);
    }
}

void permute(void *dst, const void *src, size_t size, const struct shape *in, const int64_t *perm,
             struct pool_threads *threads)
{
    struct permuted p = {.dst = dst, .src = src, .size = size};
    if (shape_count(in) == 0)
        return;
    for (int d = 0; d < in->n_dim; d++) {
        const int64_t dim = in->dim[perm[d]], step = shape_count_from(in, (int)perm[d] + 1);
        if (dim == 1)
            continue;
        if (p.n_dim > 0 && p.step[p.n_dim - 1] == step * dim) { /* still neighbours */
            p.dim[p.n_dim - 1] *= dim;
            p.step[p.n_dim - 1] = step;
        } else {
            p.dim[p.n_dim] = dim;
            p.step[p.n_dim++] = step;
        }
    }
    while (p.n_dim < 2) { /* a row at least */
        memmove(p.dim + 1, p.dim, (size_t)p.n_dim * sizeof(*p.dim));
        memmove(p.step + 1, p.step, (size_t)p.n_dim * sizeof(*p.step));
        p.dim[0] = 1;
        p.step[0] = p.n_dim == 0 ? 1 : 0;
        p.n_dim++;
    }
    const int64_t plane = p.dim[p.n_dim - 2] * p.dim[p.n_dim - 1];
    p.n_plane = shape_count(in) / plane;
    p.per_panel = panel_items(plane);
    threads_run(threads, panel_count(p.n_plane, p.per_panel), permute_panel, &p);
}
