/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/ops/elementwise.h"

#include <string.h>

#include "workloads/ops/panel.h"
#include "workloads/threads.h"

#define BLOCK 512 /* elements: blocks of four operands stay in the first-level cache */

enum number elementwise_canonical(enum number type)
{
    if (number_is_float(type))
        return type == NUMBER_fp64 ? NUMBER_fp64 : NUMBER_fp32;
    return type == NUMBER_uint64 ? NUMBER_uint64 : NUMBER_int64;
}

/* The output's dimensions, neighbours merged where every input runs through both; and how far an
 * input moves at a step of each, 0 where it is broadcast. */
struct walk {
    const struct elementwise *e;
    int n_dim;
    int64_t dim[SHAPE_MAX_DIM];
    int64_t step[ELEMENTWISE_MAX_IN][SHAPE_MAX_DIM];
    int64_t count;
};

static int64_t step_of(const struct shape *s, int n_dim, int d)
{
    int own = d - (n_dim - s->n_dim);
    return own < 0 || s->dim[own] == 1 ? 0 : shape_count_from(s, own + 1);
}

static bool can_merge(const struct walk *w, const int64_t *step, int64_t dim)
{
    for (int k = 0; k < w->e->n_in; k++)
        if (w->step[k][w->n_dim - 1] != step[k] * dim)
            return false;
    return true;
}

static struct walk walk_make(const struct elementwise *e)
{
    const struct shape *out = &e->out->shape;
    struct walk w = {.e = e, .count = shape_count(out)};
    for (int d = 0; d < out->n_dim; d++) {
        int64_t step[ELEMENTWISE_MAX_IN];
        if (out->dim[d] == 1)
            continue;
        for (int k = 0; k < e->n_in; k++)
            step[k] = step_of(&e->in[k]->shape, out->n_dim, d);
        bool merges = w.n_dim > 0 && can_merge(&w, step, out->dim[d]);
        int at = merges ? w.n_dim - 1 : w.n_dim++;
        w.dim[at] = (merges ? w.dim[at] : 1) * out->dim[d];
        for (int k = 0; k < e->n_in; k++)
            w.step[k][at] = step[k];
    }
    if (w.n_dim == 0)
        w.dim[w.n_dim++] = 1;
    return w;
}

/* Elements of an input from `at` on in their canonical format: where they lie, or in `block`. */
static const void *load(const struct elementwise *e, int k, int64_t at, int64_t step, int64_t n,
                        void *block)
{
    const struct tensor *t = e->in[k];
    const char *src = (const char *)t->data + (size_t)at * number_bytes(t->type);
    const size_t size = number_bytes(e->in_as[k]);
    if (step == 1 && t->type == e->in_as[k])
        return src;
    if (step == 1) {
        number_cast(block, e->in_as[k], src, t->type, (size_t)n);
        return block;
    }
    number_cast(block, e->in_as[k], src, t->type, 1); /* one element for all */
    for (int64_t i = 1; i < n; i++)
        memcpy((char *)block + (size_t)i * size, block, size);
    return block;
}

static void run_block(const struct walk *w, int64_t flat, const int64_t *at, int64_t n,
                      uint64_t (*blocks)[BLOCK])
{
    const struct elementwise *e = w->e;
    const void *in[ELEMENTWISE_MAX_IN];
    for (int k = 0; k < e->n_in; k++)
        in[k] = load(e, k, at[k], w->step[k][w->n_dim - 1], n, blocks[k]);
    char *y = (char *)e->out->data + (size_t)flat * number_bytes(e->out->type);
    if (e->out->type == e->out_as) {
        e->fn(y, in, n, &e->scalars);
        return;
    }
    e->fn(blocks[ELEMENTWISE_MAX_IN], in, n, &e->scalars);
    number_cast(y, e->out->type, blocks[ELEMENTWISE_MAX_IN], e->out_as, (size_t)n);
}

/* Nothing is converted or repeated: rows need no blocks. */
static bool is_plain(const struct walk *w)
{
    const struct elementwise *e = w->e;
    bool plain = e->out->type == e->out_as;
    for (int k = 0; k < e->n_in; k++)
        plain &= e->in[k]->type == e->in_as[k] && w->step[k][w->n_dim - 1] == 1;
    return plain;
}

static void run_panel(void *arg, int i_panel, int i_thread)
{
    (void)i_thread;
    const struct walk *w = arg;
    g_autofree uint64_t(*blocks)[BLOCK] = g_malloc(sizeof(uint64_t[ELEMENTWISE_MAX_IN + 1][BLOCK]));
    struct panel p = panel_at(w->count, PANEL_ELEMENTS, i_panel);
    const int64_t row = w->dim[w->n_dim - 1], most = is_plain(w) ? PANEL_ELEMENTS : BLOCK;
    for (int64_t flat = p.begin; flat < p.end;) {
        int64_t at[ELEMENTWISE_MAX_IN] = {0}, rest = flat;
        for (int d = w->n_dim - 1; d >= 0; d--) {
            for (int k = 0; k < w->e->n_in; k++)
                at[k] += rest % w->dim[d] * w->step[k][d];
            rest /= w->dim[d];
        }
        int64_t n = MIN(MIN(p.end - flat, row - flat % row), most);
        run_block(w, flat, at, n, blocks);
        flat += n;
    }
}

void elementwise_run(const struct elementwise *e, struct pool_threads *threads)
{
    struct walk w = walk_make(e);
    threads_run(threads, panel_count(w.count, PANEL_ELEMENTS), run_panel, &w);
}
