/* SPDX-License-Identifier: Apache-2.0 */
/* What a matrix instruction is made of in each dataflow (docs/systolic.md, "Dataflows"). */
#include "arch/systolic/systolic_core.h"
#include "sim/base/size.h"

static const struct plan_layer *layer_of(const struct plan *p, const struct insn *in)
{
    return &p->layers[in->layer];
}

static int64_t tiles_k(const struct systolic *s, const struct plan_layer *l)
{
    return int64_div_up(l->gemm.k, s->cfg.rows);
}

static int64_t part(int64_t size, int64_t tile, int64_t i)
{
    return MIN(tile, size - i * tile);
}

/* A stream as the dataflow cuts it: `entering` rows. */
struct cut {
    struct stream stream;
    int64_t entering;
};

/* ws: a tile of weights stays, the rows of the block stream past it. */
static struct cut cut_ws(const struct insn *in, uint32_t i)
{
    const uint32_t i_k = (uint32_t)in->k0 + i;
    return (struct cut){.stream = {.in = *in, .i_k = i_k, .begins = true, .ends = true},
                        .entering = in->m};
}

/* os: the sums of R rows stay, all tiles of K stream past them, a row a cycle. */
static struct cut cut_os(const struct systolic *s, const struct insn *in,
                         const struct plan_layer *l, int64_t k_tiles, uint32_t i)
{
    const int64_t i_block = i / k_tiles, i_k = i % k_tiles;
    struct cut c = {
        .stream = {.in = *in, .i_k = (uint32_t)i_k, .begins = i_k == 0, .ends = i_k == k_tiles - 1},
        .entering = part(l->gemm.k, s->cfg.rows, i_k)};
    c.stream.in.m0 += i_block * s->cfg.rows;
    c.stream.in.first += i_block * s->cfg.rows;
    c.stream.in.m = part(in->m, s->cfg.rows, i_block);
    return c;
}

/* is: a tile of inputs stays, the columns of the weights stream past it, tile by tile. */
static struct cut cut_is(const struct systolic *s, const struct insn *in, uint32_t i)
{
    const int64_t cols = s->cfg.cols, n_tile = flow_tiles_n(s, in);
    const int64_t i_k = i / n_tile, i_n = i % n_tile, tile_n = in->n0 / cols + i_n;
    struct cut c = {
        .stream = {.in = *in, .i_k = (uint32_t)i_k, .begins = i_n == 0, .ends = i_n == n_tile - 1}};
    struct insn *sub = &c.stream.in;
    sub->tile_n = (int32_t)tile_n;
    sub->n0 = MAX(in->n0, tile_n * cols);
    sub->n = MIN(in->n0 + in->n, (tile_n + 1) * cols) - sub->n0;
    sub->first += sub->n0 - in->n0;
    c.entering = sub->n;
    return c;
}

static struct cut cut_of(const struct systolic *s, const struct plan_layer *l,
                         const struct insn *in, uint32_t i)
{
    switch ((enum dataflow)s->cfg.dataflow) {
    case FLOW_OS:
        return cut_os(s, in, l, tiles_k(s, l), i);
    case FLOW_IS:
        return cut_is(s, in, i);
    case FLOW_WS:
    default:
        return cut_ws(in, i);
    }
}

struct stream flow_stream(const struct systolic *s, const struct plan *p, const struct insn *in,
                          uint32_t i)
{
    const struct plan_layer *l = layer_of(p, in);
    const struct cut c = cut_of(s, l, in, i);
    const bool trimmed = s->cfg.edge == EDGE_TRIMMED;
    struct stream t = c.stream;
    t.tile = core_tile_address(s, l, in->group, t.in.tile_n, t.i_k);
    t.stream_cyc = core_rows_cyc(s, p, l, c.entering);
    t.rows = s->cfg.rows;
    t.cols = s->cfg.cols;
    if (trimmed) {
        t.rows = s->cfg.dataflow == FLOW_OS ? t.in.m : part(l->gemm.k, s->cfg.rows, t.i_k);
        t.cols = s->cfg.dataflow == FLOW_IS ? t.in.m : t.in.n;
    }
    return t;
}

uint32_t flow_n_stream(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    const int64_t k_tiles = tiles_k(s, layer_of(p, in));
    if (s->cfg.dataflow == FLOW_OS)
        return (uint32_t)(int64_div_up(in->m, s->cfg.rows) * k_tiles);
    return (uint32_t)(s->cfg.dataflow == FLOW_IS ? flow_tiles_n(s, in) * k_tiles : k_tiles);
}

bool flow_one_tile(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    return tiles_k(s, layer_of(p, in)) == 1 && flow_tiles_n(s, in) == 1;
}

int64_t flow_tiles_n(const struct systolic *s, const struct insn *in)
{
    return (in->n0 + in->n - 1) / s->cfg.cols - in->n0 / s->cfg.cols + 1;
}

int64_t flow_entries(const struct systolic *s, const struct insn *in)
{
    return s->cfg.dataflow == FLOW_IS ? in->n : in->m;
}

uint64_t flow_active_cyc(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    const struct plan_layer *l = layer_of(p, in);
    int64_t rows = tiles_k(s, l) * in->n;
    if (s->cfg.dataflow == FLOW_OS)
        rows = int64_div_up(in->m, s->cfg.rows) * l->gemm.k;
    else if (s->cfg.dataflow == FLOW_WS)
        rows = in->repeat * in->m;
    return core_rows_cyc(s, p, l, rows);
}

uint64_t flow_latency_cyc(const struct systolic *s, int64_t rows, int64_t cols)
{
    /* os: the sums leave one after the other, once the lowest row has its last. */
    const int64_t drain = s->cfg.dataflow == FLOW_OS ? rows - 1 : 0;
    return (uint64_t)(rows + cols - 1 + drain);
}

uint64_t flow_tile_bytes(const struct systolic *s, const struct plan *p, const struct stream *t)
{
    const struct plan_layer *l = layer_of(p, &t->in);
    if (s->cfg.edge == EDGE_FULL)
        return core_tile_bytes(s, l);
    return (uint64_t)(part(l->gemm.k, s->cfg.rows, t->i_k) *
                      part(l->gemm.n, s->cfg.cols, t->in.tile_n)) *
           number_bytes(l->weight_format);
}

uint64_t flow_read_bytes(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    uint64_t bytes = 0;
    if (s->cfg.edge == EDGE_FULL)
        return in->repeat * core_tile_bytes(s, layer_of(p, in));
    for (uint32_t i = 0; i < in->repeat; i++) {
        const struct stream t = flow_stream(s, p, in, i);
        bytes += flow_tile_bytes(s, p, &t);
    }
    return bytes;
}
