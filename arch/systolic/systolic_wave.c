/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that are dealt to several arrays, wave by wave. The array that has the most to do is
 * followed; of the others, what they take from the memory and the buffer at the same time. */
#include "arch/systolic/systolic_nest.h"
#include "sim/base/size.h"

/* Waves of a nest, of n_array blocks each; they begin at the first of them. */
struct waves {
    const struct nest *nest;
    int64_t n_array, array;   /* the one that is followed, */
    bool coupled;             /* or of each wave the slowest: they wait for one another's reads */
    int64_t n_inner, n_outer; /* blocks that follow one another; how often they do */
    int64_t begin;            /* of the group, in blocks */
    int64_t first;            /* wave of those that are repeated */
};

static int64_t in_group(const struct nest *n)
{
    return n->tiles * n->n_block;
}

static int64_t n_all(const struct nest *n)
{
    return n->groups * in_group(n);
}

static struct place place_at(const struct waves *w, int64_t t)
{
    const struct nest *n = w->nest;
    const int64_t group = t / in_group(n), i = t - group * in_group(n);
    const int64_t outer = i / w->n_inner, inner = i - outer * w->n_inner;
    return (struct place){group, n->inner ? outer : inner, n->inner ? inner : outer};
}

static void next_place(const struct nest *n, struct place *at)
{
    int64_t *fast = n->inner ? &at->block : &at->tile, *slow = n->inner ? &at->tile : &at->block;
    if (++*fast < (n->inner ? n->n_block : n->tiles))
        return;
    *fast = 0;
    if (++*slow < (n->inner ? n->tiles : n->n_block))
        return;
    *slow = 0;
    at->group++;
}

/* Weights that a block needs: which tile is the first, and columns of all that are fetched, each
 * with all of K. */
struct need {
    int64_t first, columns;
    bool read; /* its array has them not */
};

static struct need need_of(const struct units *u, const struct nest *n, const struct place *at)
{
    const int64_t cols = u->s->cfg.cols, block_m = u->l->tiling.block_m;
    const bool trimmed = u->s->cfg.edge == EDGE_TRIMMED;
    if (!n->is) {
        const int64_t columns = trimmed ? units_part(n->across, cols, at->tile) : cols;
        const int64_t rows = units_part(n->size, block_m, at->block);
        const bool anew = u->s->cfg.dataflow == FLOW_OS && u->tiles_k > 1;
        return (struct need){.first = at->group * n->tiles + at->tile,
                             .columns =
                                 anew ? columns * int64_div_up(rows, u->s->cfg.rows) : columns};
    }
    const int64_t begin = at->block * block_m / cols;
    const int64_t end = int64_div_up(MIN((at->block + 1) * block_m, n->size), cols);
    const int64_t columns = (trimmed ? MIN(end * cols, n->size) : end * cols) - begin * cols;
    return (struct need){.first = at->group * int64_div_up(n->size, cols) + begin,
                         .columns = columns};
}

/* The block that the array had before its block t. */
static int64_t block_before(const struct waves *w, int64_t t)
{
    return t >= w->n_array ? t - w->n_array
                           : t + (n_all(w->nest) - 1 - t) / w->n_array * w->n_array;
}

/* What is read for block `before` of a wave, if there is one, is what block i needs. */
static bool serves(const struct need *needs, int64_t before, int64_t i)
{
    return before >= 0 && needs[before].read && needs[before].first == needs[i].first &&
           needs[before].columns == needs[i].columns;
}

/* Where all n blocks from `at` on read whole tiles, one each for all of K: how many are different,
 * 0 where they have to be looked at. */
static int64_t tiles_read(const struct units *u, const struct waves *w, const struct place *at,
                          int64_t n)
{
    const struct nest *nest = w->nest;
    if (u->s->cfg.edge != EDGE_FULL || u->s->cfg.dataflow != FLOW_WS)
        return 0;
    if (!u->s->cfg.broadcast || (!nest->inner && nest->tiles > 1 && n <= nest->tiles))
        return n;
    return nest->inner ? (at->block + n - 1) / nest->n_block + 1 : 0;
}

/* Columns of weights that are read for n blocks from the t-th on: for each, but where its array has
 * them, or another one of the wave that has them read as well, the block before or that of the tile
 * before. */
static int64_t wave_columns(const struct units *u, const struct waves *w, int64_t t, int64_t n,
                            bool finds)
{
    const struct nest *nest = w->nest;
    const bool may_find = u->tiles_k == 1 && (t >= w->n_array || nest->keeps);
    struct need needs[MAX_ARRAY];
    int64_t columns = 0;
    struct place at = place_at(w, t), was = place_at(w, block_before(w, t));
    if (!may_find && !finds && tiles_read(u, w, &at, n) > 0)
        return tiles_read(u, w, &at, n) * u->s->cfg.cols;
    for (int64_t i = 0; i < n; i++) {
        needs[i] = need_of(u, nest, &at);
        needs[i].read = may_find || !finds;
        if (may_find && needs[i].columns <= u->s->cfg.cols) {
            const struct need last = need_of(u, nest, &was);
            needs[i].read = last.first != needs[i].first || last.columns > u->s->cfg.cols;
        }
        const bool shared =
            u->s->cfg.broadcast && (serves(needs, i - 1, i) || serves(needs, i - w->n_inner, i));
        columns += needs[i].read && !shared ? needs[i].columns : 0;
        next_place(nest, &at);
        next_place(nest, &was);
        if (was.group == nest->groups) /* arrays beyond have one block less */
            was = place_at(w, MAX(n_all(nest) - w->n_array, 0));
    }
    return columns;
}

/* Others wait for tiles while this array has its own: they are late until it waits for its next. */
static void others_read(struct units *u, double columns)
{
    const uint64_t there = units_others_read(u, columns), now = u->free[UNIT_MATRIX];
    u->late = MAX(u->late, there > now ? there - now : 0);
}

/* What all arrays of the wave that begins with block `first` take at once, by what the one does
 * that is followed. */
static void share(struct units *u, const struct waves *w, int64_t first, int64_t t,
                  const struct block *b)
{
    const struct nest *n = w->nest;
    const int64_t busy = MIN(w->n_array, n_all(n) - first);
    const bool finds = b->reuse_weights || (b->reuse && !n->is);
    u->crowd = (double)busy / (double)core_ports(u->s);
    if (u->l->from_buffer)
        return;
    const struct place at = place_at(w, t);
    const int64_t all = wave_columns(u, w, first, busy, finds);
    u->late = finds ? u->late : 0;
    if (!finds)
        u->reads = (double)all / (double)need_of(u, n, &at).columns;
    else if (all > 0)
        others_read(u, (double)all);
}

/* The first block of a wave that is no smaller than others. */
static int64_t largest(const struct waves *w, int64_t first)
{
    const struct nest *n = w->nest;
    const int64_t busy = MIN(w->n_array, n_all(n) - first);
    struct place at = place_at(w, first);
    for (int64_t i = 0; i < busy; i++) {
        if (at.block < n->n_block - 1)
            return i;
        next_place(n, &at);
    }
    return 0;
}

static void run_wave(struct units *u, const void *arg, int64_t i)
{
    const struct waves *w = arg;
    const int64_t first = (w->first + i) * w->n_array;
    const int64_t t = first + (w->coupled ? largest(w, first) : w->array);
    if (t >= n_all(w->nest))
        return;
    const struct place at = place_at(w, t);
    struct block b = nest_block(u, w->nest, &at);
    if (first > 0 || w->nest->keeps) {
        const struct place was = place_at(w, block_before(w, t));
        const struct block before = nest_block(u, w->nest, &was);
        nest_find(u, &b, &before, first > 0 && at.group == was.group && at.tile == was.tile);
    } else {
        nest_find_first(u, &b);
    }
    share(u, w, first, t, &b);
    units_block(u, &b);
    u->ahead.tile = nest_one_tile(u, &b) ? b.tile + 1 : 0;
}

/* After so many times `a` it comes out nearest to a multiple of b. */
static int64_t period_of(int64_t a, int64_t b)
{
    enum { MOST = 16 };
    int64_t best = 1;
    double least = 1;
    for (int64_t p = 1; p <= MOST && least > 0; p++) {
        const int64_t over = p * a % b;
        const double off = (double)MIN(over, b - over) / (double)(p * a);
        if (off < least) {
            least = off;
            best = p;
        }
    }
    return best;
}

/* Those that begin in blocks [from, to). */
static void run_waves(struct units *u, const struct waves *w, int64_t from, int64_t to,
                      int64_t period)
{
    struct waves some = *w;
    some.first = int64_div_up(from, w->n_array);
    const int64_t n = int64_div_up(to, w->n_array) - some.first;
    units_repeat(u, n, nest_alike(u, period) * period, run_wave, &some);
}

/* Waves that are larger than what is repeated in them. */
static void run_large_waves(struct units *u, const struct waves *w, int64_t from, int64_t to,
                            int64_t size)
{
    int64_t period = period_of(w->n_array, size);
    if (w->nest->is && !w->nest->inner)
        period *= nest_aligned(u, period * w->n_array / w->n_inner);
    run_waves(u, w, from, to, period);
}

static int64_t period_of_items(const struct units *u, const struct waves *w, int64_t size)
{
    const int64_t p = period_of(size, w->n_array);
    return p * nest_alike(u, (p * size + w->n_array / 2) / w->n_array);
}

static void run_outer(struct units *u, const void *arg, int64_t i)
{
    const struct waves *w = arg;
    const int64_t from = w->begin + i * w->n_inner;
    const bool across = w->nest->is && w->nest->inner;
    run_waves(u, w, from, from + w->n_inner, across ? nest_aligned(u, w->n_array) : 1);
}

static void run_group(struct units *u, const void *arg, int64_t i)
{
    struct waves w = *(const struct waves *)arg;
    w.begin = i * in_group(w.nest);
    const bool across = w.nest->is && !w.nest->inner;
    if (w.n_inner >= w.n_array)
        units_repeat(u, w.n_outer,
                     period_of_items(u, &w, w.n_inner) * (across ? nest_aligned(u, 1) : 1),
                     run_outer, &w);
    else
        run_large_waves(u, &w, w.begin, w.begin + in_group(w.nest), w.n_inner);
}

/* The array that has the most rows of sums to make. Of many waves it is the first: blocks at the
 * edges, which are smaller, come to it no more often than to others. */
static int64_t busiest(const struct units *u, const struct waves *w)
{
    enum { MANY = 8 };
    const struct nest *n = w->nest;
    const int64_t n_block = n_all(n);
    int64_t rows[MAX_ARRAY] = {0}, most = 0;
    struct place at = {0};
    if (n->size % u->l->tiling.block_m == 0 || n_block > MANY * w->n_array)
        return 0;
    for (int64_t t = 0, array = 0; t < n_block; t++) {
        rows[array] += units_part(n->size, u->l->tiling.block_m, at.block);
        array = array + 1 < w->n_array ? array + 1 : 0;
        next_place(n, &at);
    }
    for (int64_t i = 1; i < w->n_array; i++)
        most = rows[i] > rows[most] ? i : most;
    return most;
}

void wave_run(struct units *u, const struct nest *n)
{
    struct waves w = {.nest = n,
                      .n_array = u->s->cfg.n_array,
                      .n_inner = n->inner ? n->n_block : n->tiles,
                      .n_outer = n->inner ? n->tiles : n->n_block};
    const int64_t size = in_group(n);
    w.coupled = u->s->cfg.broadcast && n->inner != n->is;
    w.array = w.coupled ? 0 : busiest(u, &w);
    u->abreast = u->abreast_ports = true;
    u->late = 0;
    if (size >= w.n_array)
        units_repeat(u, n->groups, period_of_items(u, &w, size), run_group, &w);
    else
        run_large_waves(u, &w, 0, n_all(n), size);
    u->free[UNIT_ACTIVATION] += u->late;
}
