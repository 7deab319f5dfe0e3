/* SPDX-License-Identifier: Apache-2.0 */
/* The family's mapping space: how a product is packed, and which blocks, loop orders and ways to
 * share the accumulators are worth trying for it (docs/mapping.md). */
#include <inttypes.h>
#include <stddef.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_choice.h"
#include "arch/systolic/systolic_core.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* int8: the bias takes the place of one product at least. */
enum { MAX_K = INT32_MAX / (127 * 127) - 1 };

const char *const systolic_loop_order_names[] = {"nm", "mn", NULL};

const struct cfg_field systolic_choices[] = {
    {"block_rows", CFG_INT, offsetof(struct systolic_choice, block_m), 1, 1e15, NULL, NULL,
     "rows of a block of partial sums", NULL},
    {"order", CFG_ENUM, offsetof(struct systolic_choice, order), 0, 0, "nm", NULL,
     "which loop is outer: output tiles (nm) or row blocks (mn)", systolic_loop_order_names},
    {"halves", CFG_BOOL, offsetof(struct systolic_choice, double_buffer), 0, 0, "false", NULL,
     "two blocks take turns in the accumulators", NULL},
    {"parts", CFG_INT, offsetof(struct systolic_choice, parts), 1, MAX_PARTS, "1", NULL,
     "parts in which a block leaves the accumulators", NULL},
    {.path = NULL},
};
G_STATIC_ASSERT(sizeof(struct systolic_choice) <= sizeof(struct choice));

int64_t systolic_block_rows(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, const struct region *out)
{
    return s->cfg.dataflow == FLOW_IS ? plan_gemm_columns(p, l, out) : plan_gemm_rows(p, l, out);
}

/* Sums that the accumulators hold at a time, a column. */
static int64_t sums_held(const struct systolic *s, const struct plan *p, const struct plan_layer *l)
{
    return s->cfg.accumulators / plan_sum_words(p, l);
}

/* A block has a multiple of so many rows, but for the last. */
static int64_t block_unit(const struct systolic *s)
{
    return s->cfg.dataflow == FLOW_OS ? s->cfg.rows : s->cfg.dataflow == FLOW_IS ? s->cfg.cols : 1;
}

/* Parts in which a block may leave, at most: where the queue of the activation unit holds a whole
 * block's, the array need not wait. */
static int64_t most_parts(const struct systolic *s)
{
    return s->cfg.dataflow == FLOW_WS ? CLAMP(s->cfg.queue_depth / INSN_AT_ACTIVATION, 1, MAX_PARTS)
                                      : 1;
}

/* A part has seven instructions, each of which takes the chip 10 to 20 cycles (Jouppi et al. 2017,
 * section 2): fewer rows would cost more than they hide. */
static int64_t least_part_rows(const struct systolic *s)
{
    return MAX(s->cfg.rows / 4, 1);
}

/* Sums of products of int8 fill 32 bits; those of other formats are kept wider, or in fp32. */
static bool sums_fit(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                     GError **error)
{
    const struct node *n = &p->graph->nodes[l->nodes[0]];
    if (sums_held(s, p, l) < 1)
        return error_set(
            error, ERROR_UNSUPPORTED,
            "%s: layer '%s': a sum of %s products takes two entries of the accumulators; "
            "%s has one",
            n->origin, n->name, number_names[l->format], p->machine->name);
    const bool is_int8 = p->formats[l->in[0]] == NUMBER_int8 && l->weight_format == NUMBER_int8;
    if (!is_int8 || l->gemm.k <= MAX_K)
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: layer '%s': sums of %" PRId64 " products could overflow the accumulators "
                     "of %s; at most %d are safe",
                     n->origin, n->name, l->gemm.k, p->machine->name, MAX_K);
}

/* A group of a depthwise convolution has a kernel's few products: as many groups as fit share a
 * tile, their weights block by block on its diagonal, zeros elsewhere. */
static void pack_groups(const struct systolic *s, struct plan_layer *l)
{
    struct gemm *g = &l->gemm;
    const bool packs = s->cfg.pack_groups && s->cfg.timing != TIMING_SCALESIM;
    for (int64_t n = 2; packs && !l->stationary_is_activation && n <= g->groups; n++)
        if (g->groups % n == 0 && n * g->k <= s->cfg.rows && n * g->n <= s->cfg.cols)
            l->packed = n;
    g->groups /= l->packed;
    g->n *= l->packed;
    g->k *= l->packed;
}

bool systolic_prepare(const void *self, const struct plan *p, struct plan_layer *l, GError **error)
{
    const struct systolic *s = self;
    pack_groups(s, l);
    const struct gemm *g = &l->gemm;
    const bool whole = s->cfg.edge == EDGE_FULL; /* tiles, by columns, groups outside */
    const int64_t k = whole ? int64_div_up(g->k, s->cfg.rows) * s->cfg.rows : g->k;
    const int64_t n = whole ? int64_div_up(g->n, s->cfg.cols) * s->cfg.cols : g->n;
    l->stored_bytes = (uint64_t)(g->groups * k * n) * number_bytes(l->weight_format);
    /* With ws and is sums of R products leave the array; with os they stay until all are added. */
    l->sum_k = s->cfg.dataflow == FLOW_OS ? 0 : s->cfg.rows;
    l->channel_unit = s->cfg.timing == TIMING_SCALESIM ? 0 : s->cfg.cols; /* whole tiles */
    l->rows_at_once = s->cfg.dataflow == FLOW_IS ? 0 : sums_held(s, p, l);
    return sums_fit(s, p, l, error);
}

/* Whether the accumulators hold blocks as chosen. */
static bool is_possible(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        const struct systolic_choice *c)
{
    const int64_t entries = sums_held(s, p, l);
    if (c->parts == 1)
        return c->block_m <= (c->double_buffer ? entries / 2 : entries);
    const int64_t rows = int64_div_up(c->block_m, c->parts);
    return !c->double_buffer && c->parts <= most_parts(s) && l->gemm.k > s->cfg.rows &&
           rows >= least_part_rows(s) && int64_div_up(c->block_m, rows) * rows <= entries;
}

/* How many block counts beyond the fewest possible are tried, by enum machine_search. */
static const int64_t extra_blocks[] = {0, 3, INT64_MAX / 2};

/* How blocks share the accumulators. The heuristic takes the first ones that are possible. */
static const struct {
    int parts;
    bool double_buffer;
} sharings[] = {{1, true},   {4, false},  {16, false}, {1, false},  {2, false},
                {3, false},  {5, false},  {6, false},  {8, false},  {12, false},
                {20, false}, {24, false}, {32, false}, {48, false}, {64, false}};
enum { HEURISTIC_SHARINGS = 3 };

struct trial {
    const struct systolic *s;
    const struct plan *p;
    const struct plan_layer *l;
    union {
        struct choice whole;
        struct systolic_choice own;
    } choice;
    int64_t rows, n_tile; /* of a chunk: to be cut into blocks, each of so many tiles across */
    int64_t before;       /* rows of the block tried last; 0: none */
    bool is_heuristic;
    void (*visit)(const struct choice *c, void *user);
    void *user;
};

/* A block in whole units, as far as they fit. */
static int64_t whole_units(const struct systolic *s, int64_t block_m, int64_t cap)
{
    const int64_t unit = block_unit(s), whole = int64_div_up(block_m, unit) * unit;
    if (whole <= cap)
        return whole;
    if (cap < unit)
        return MIN(block_m, cap);
    return block_m > unit ? cap / unit * unit : block_m;
}

/* Blocks of so many rows, if they are other than those before and possible: in both loop orders,
 * where there are two loops. */
static bool try_block(struct trial *t, int64_t rows)
{
    struct systolic_choice *c = &t->choice.own;
    c->block_m = rows;
    if (rows == t->before || !is_possible(t->s, t->p, t->l, c))
        return false;
    t->before = rows;
    const bool one = t->is_heuristic || t->n_tile == 1 || rows >= t->rows;
    for (int order = ORDER_NM; order <= (one ? ORDER_NM : ORDER_MN); order++) {
        c->order = order;
        t->visit(&t->choice.whole, t->user);
    }
    return true;
}

/* Blocks of an n-th of the rows. */
static bool try_block_count(struct trial *t, int64_t rows, int64_t n, int64_t cap)
{
    return try_block(t, MIN(whole_units(t->s, int64_div_up(rows, n), cap), rows));
}

/* The least count above n whose blocks, rounded as above, are smaller than those of block_m rows.
 */
static int64_t next_count(const struct systolic *s, int64_t rows, int64_t n, int64_t block_m)
{
    const int64_t unit = block_unit(s);
    const int64_t next = block_m > unit && block_m % unit == 0 ? block_m - unit : block_m - 1;
    return next < 1 ? INT64_MAX : MAX(n + 1, int64_div_up(rows, next));
}

/* Several arrays: the fewest blocks of which each array has as many as any other. */
static int64_t even_blocks(const struct trial *t, int64_t fewest)
{
    const int64_t n_array = t->s->cfg.n_array, tiles = t->l->gemm.groups * t->n_tile;
    const int64_t unit = n_array / int64_gcd(n_array, tiles);
    return int64_div_up(fewest, unit) * unit;
}

/* Block counts around those that keep all arrays busy. Blocks shorter than the array is high are
 * left out: a tile is shifted in no faster than that. */
static bool try_even_blocks(struct trial *t, int64_t fewest, int64_t cap)
{
    const int64_t even = even_blocks(t, fewest), most = MAX(fewest, t->rows / t->s->cfg.rows);
    t->before = 0;
    bool any = 2 * even <= most && try_block_count(t, t->rows, 2 * even, cap);
    for (int64_t n = MIN(even, most); n > fewest; n = int64_div_up(n, 2))
        any = try_block_count(t, t->rows, n, cap) || any;
    return any;
}

/* Equal blocks, as few as the accumulators allow and a few more: small blocks drain sooner. Whether
 * any was possible. */
static bool try_blocks_in(struct trial *t, int parts, bool double_buffer)
{
    const enum machine_search search = t->p->machine->search;
    const int64_t entries = sums_held(t->s, t->p, t->l);
    const int64_t cap = double_buffer ? entries / 2 : entries / parts * parts;
    if (cap < 1)
        return false;
    const int64_t fewest = int64_div_up(t->rows, cap);
    const int64_t most = MIN(t->rows, fewest + extra_blocks[search]);
    t->choice.own.double_buffer = double_buffer;
    t->choice.own.parts = parts;
    bool any = t->s->cfg.n_array > 1 && try_even_blocks(t, fewest, cap);
    t->before = 0;
    /* All full but for the last one, which drains the sooner; or no longer than a tile takes to be
     * shifted in. */
    if (!t->is_heuristic) {
        const int64_t tile = whole_units(t->s, t->s->cfg.rows, cap);
        any = try_block(t, MIN(whole_units(t->s, cap, cap), t->rows)) || any;
        any = (fewest == 1 && tile < t->rows && try_block(t, tile)) || any;
    }
    for (int64_t n = fewest; n <= most; n = next_count(t->s, t->rows, n, t->choice.own.block_m))
        any = try_block_count(t, t->rows, n, cap) || any;
    /* The last chunk may be smaller, and have a block less where they are cut for it. */
    const struct region last = plan_chunk(t->p, t->l, plan_n_chunk(t->p, t->l) - 1);
    const int64_t rows = systolic_block_rows(t->s, t->p, t->l, &last);
    const int64_t fewer = int64_div_up(rows, cap);
    if (fewer < fewest)
        any = try_block_count(t, rows, fewer, cap) || any;
    return any;
}

void systolic_candidates(const void *self, const struct plan *p, const struct plan_layer *l,
                         void (*visit)(const struct choice *c, void *user), void *user)
{
    const struct systolic *s = self;
    const struct region chunk = plan_chunk(p, l, 0);
    const int64_t across =
        s->cfg.dataflow == FLOW_IS ? plan_gemm_rows(p, l, &chunk) : plan_gemm_columns(p, l, &chunk);
    struct trial t = {.s = s,
                      .p = p,
                      .l = l,
                      .rows = systolic_block_rows(s, p, l, &chunk),
                      .n_tile = int64_div_up(across, s->cfg.cols),
                      .is_heuristic = p->machine->search == SEARCH_HEURISTIC,
                      .visit = visit,
                      .user = user};
    int n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(sharings); i++) {
        n += try_blocks_in(&t, sharings[i].parts, sharings[i].double_buffer);
        if (t.is_heuristic && n == HEURISTIC_SHARINGS)
            return;
    }
}

/* Parts of a block of the size given. */
static bool check_parts(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        const char *origin, GError **error)
{
    const struct systolic_choice *c = systolic_choice(l);
    if (is_possible(s, p, l, c))
        return true;
    if (c->double_buffer || l->gemm.k <= s->cfg.rows || most_parts(s) == 1)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': parts = %" PRId64 ": %s, so 1 is right", origin, l->name,
                         c->parts,
                         c->double_buffer ? "halves leave the accumulators whole"
                                          : "its blocks leave the accumulators whole");
    return error_set(error, ERROR_INPUT,
                     "%s: layer '%s': parts = %" PRId64 ": 1 to %" PRId64
                     " pieces, at least %" PRId64 " of block_rows = %" PRId64
                     " in each and room for whole ones",
                     origin, l->name, c->parts, most_parts(s), least_part_rows(s), c->block_m);
}

bool systolic_check_choice(const void *self, const struct plan *p, const struct plan_layer *l,
                           const char *origin, GError **error)
{
    const struct systolic *s = self;
    const struct systolic_choice *c = systolic_choice(l);
    const struct region chunk = plan_chunk(p, l, 0);
    const int64_t entries = sums_held(s, p, l), unit = block_unit(s);
    const int64_t rows = systolic_block_rows(s, p, l, &chunk);
    const int64_t most = MIN(c->double_buffer ? entries / 2 : entries, rows);
    const bool is_whole = c->block_m % unit == 0 || c->block_m == rows || c->block_m < unit;
    if (c->block_m > most || !is_whole)
        return error_set(error, ERROR_INPUT,
                         "%s: layer '%s': block_rows = %" PRId64 ": 1 to %" PRId64
                         " fit, in whole units of %" PRId64,
                         origin, l->name, c->block_m, most, unit);
    return check_parts(s, p, l, origin, error);
}
