/* SPDX-License-Identifier: Apache-2.0 */
/* The analytic model: closed forms of what the processes do, a layer at a time
 * (docs/systolic-analytic.md). A layer is a row of chunks, a chunk a row of blocks, a block a row
 * of tiles; each level's period is that of its slowest stage. */
#include <math.h>

#include "arch/systolic/systolic.h"
#include "mapper/lookup.h"
#include "sim/base/size.h"

/* What a chunk of a layer costs each resource, in cycles; of several arrays the first one, which
 * has the most blocks. */
struct chunk_cost {
    double fetch;    /* the weight memory */
    double n_tile;   /* tiles fetched for the array */
    double n_read;   /* and for all arrays, each tile once for those that it is read for together */
    double compute;  /* array and activation unit in turn, weights always there */
    double mixed;    /* the same with every tile at least its fetch time apart */
    double drain;    /* of its last block */
    double activate; /* of its last block, by the activation unit */
    double first, shift; /* the first tile: on the bus, and into the array */
    double last;         /* what follows the last tile's arrival, but for `drain` */
    double load, store;
    double rows; /* the weight memory with rows of a table */
};

static double link_cyc(const struct systolic *s, double bytes)
{
    return bytes / s->machine->memories[MEM_HOST].bytes_per_cyc +
           (s->cfg.host_latency_ns + s->cfg.dma_setup_ns) * 1e-9 * s->clock_hz;
}

/* Of the mean tile of a layer: those at its edges may be small. */
static double tile_bytes(const struct systolic *s, const struct plan_layer *l)
{
    const struct gemm *g = &l->gemm;
    if (s->cfg.edge == EDGE_FULL || l->kind != LAYER_MATRIX)
        return (double)core_tile_bytes(s, l);
    return (double)(g->n * g->k) * (double)number_bytes(l->weight_format) /
           (double)(int64_div_up(g->k, s->cfg.rows) * int64_div_up(g->n, s->cfg.cols));
}

/* Cycles for which a tile keeps its slot once it is there: it is shifted in, or streams. */
static double held_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l)
{
    const int64_t rows = s->cfg.rows;
    if (l->kind != LAYER_MATRIX)
        return (double)rows; /* whatever comes next: a whole tile */
    if (s->cfg.dataflow == FLOW_WS) {
        const bool sideways = core_shifts_sideways(s, l);
        const int64_t most = sideways ? s->cfg.cols : rows, used = sideways ? l->gemm.n : l->gemm.k;
        return (double)core_shift_cyc(s, p, l, s->cfg.edge == EDGE_FULL ? most : MIN(used, most));
    }
    return (double)core_rows_cyc(
        s, p, l, s->cfg.dataflow == FLOW_OS ? MIN(l->gemm.k, rows) : MIN(l->gemm.n, s->cfg.cols));
}

/* Cycles of a tile on the memory's bus. */
static double bus_cyc(const struct systolic *s, const struct plan_layer *l)
{
    return s->stream_bytes_per_cyc > 0 ? tile_bytes(s, l) / s->stream_bytes_per_cyc : 0;
}

/* Cycles from one tile to the next when only weights are waited for: the memory's bandwidth sets
 * them (of `bank`: what a stream gets of it), or its latency where the FIFO is too shallow: each
 * tile holds a slot from its request until it is shifted in, or has streamed. For each of an
 * array's tiles the memory reads `reads`, those of the other arrays among them. */
static double tile_fetch_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l, double reads)
{
    if (l->from_buffer) {
        const double by_path = (double)core_buffer_tile_cyc(s, l, (uint64_t)tile_bytes(s, l));
        return MAX(by_path, (by_path + held_cyc(s, p, l)) / (double)s->cfg.fifo_tiles);
    }
    if (s->stream_bytes_per_cyc == 0)
        return 0;
    const double by_bus = reads * bus_cyc(s, l);
    const double in_slot = s->first_byte_cyc + by_bus + held_cyc(s, p, l);
    return MAX(by_bus, in_slot / (double)s->cfg.fifo_tiles);
}

static double region_bytes(const struct plan *p, int value, const struct region *r, int64_t n_row)
{
    return (double)(r->n_image * n_row * plan_row_bytes(p, value));
}

static void cost_transfers(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, const struct region *r, struct chunk_cost *c)
{
    for (int j = 0; j < l->n_in && l->loads >> j; j++) {
        if (!(l->loads >> j & 1))
            continue;
        struct region load;
        int64_t row, n_row;
        plan_input_rows(p, l, j, r, &row, &n_row);
        if (!plan_is_mapped(p, l, j))
            c->load += link_cyc(s, region_bytes(p, l->in[j], r, n_row));
        else if (plan_load_region(p, l, j, r, &load))
            c->load += link_cyc(s, region_bytes(p, l->in[j], &load, load.n_row));
    }
    if (l->stores)
        c->store = link_cyc(s, region_bytes(p, l->out, r, r->n_row));
}

/* How the sums of a block leave the accumulators, in cycles. */
struct drain {
    double all;      /* from the end of the product until all are gone */
    double activate; /* of the activation unit alone */
    double issue;    /* of the controller: an instruction a cycle */
    double blocks; /* beyond the product, until the next block has what it overwrites, of pieces */
};

/* Pieces leave one after the other: the i-th is complete after (i + 1) pieces of the last tile of
 * k, and its place is free when it and all before have left. The next block's first tile of k finds
 * `spare` places free, then follows the pieces; its end is what may come late. */
static struct drain drain_of(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l, double entries, double row_cyc,
                             double latency)
{
    const bool pieces = systolic_parts(s, l) > 1;
    const struct places places = systolic_places(s, p, l);
    const double rows = pieces ? MIN(entries, (double)places.rows) : entries;
    const double n = ceil(entries / rows), enter = rows * row_cyc;
    const double leave = (double)core_activate_cyc(s, (int64_t)rows);
    const double slower = MAX(enter, leave), faster = MIN(enter, leave);
    struct drain d = {.activate = n * leave, .issue = n * INSN_PER_PIECE};
    d.all = latency + n * slower + faster - entries * row_cyc;
    const double follow = pieces ? MAX(2 * n - (double)places.n, 0) : n; /* pieces that wait */
    const double late = latency + faster + MAX(slower + follow * enter, follow * slower + enter);
    d.blocks = follow > 0 ? MAX(late - 2 * entries * row_cyc, 0) : 0;
    return d;
}

/* Cycles between the starts of blocks whose product takes so long: the array's; the activation
 * unit's; where one half of the accumulators waits for the other, both in turn;
 * where blocks follow each other, until what the next one overwrites has left. */
static double block_period(const struct plan_layer *l, double product, const struct drain *d)
{
    const double waits = l->tiling.double_buffer ? (product + d->all) / 2 : product + d->blocks;
    return MAX(MAX(product, d->activate), waits);
}

/* Blocks of a layer that are alike: `entries` rows of sums each; `across` rows or columns of the
 * product lie along the array's columns. */
struct block_class {
    double entries, across, n_block;
    bool reuse; /* what stays in the array is the block's before; os: the weights in the FIFO are */
    bool reuse_weights; /* is */
    double shift_cyc;   /* of a row of what stays */
    double reads;       /* see tile_fetch_cyc() */
    double crowd;       /* arrays that want to read the buffer, for each that can */
    double n_tile;      /* that the blocks have in turn: */
    bool shared;        /* a tile serves all blocks that come before the next one's */
    bool begins;        /* the first one is the layer's first */
    bool even;          /* blocks of the layer, in number */
};

/* Rows of the array that the i-th of n tiles along them pays for. */
static double rows_used(const struct systolic *s, double size, double i)
{
    const double rows = (double)s->cfg.rows;
    return s->cfg.edge == EDGE_FULL ? rows : MIN(rows, size - i * rows);
}

/* Cycles of a block's product, alone and with its weights, and the tiles fetched for it. */
struct product_cost {
    double alone, with_fetch, n_tile;
};

/* Adds n stays of `alone` cycles each, for each of which n_tile tiles are fetched. */
static void add_stays(struct product_cost *c, double n, double alone, double n_tile, double fetch)
{
    c->alone += n * alone;
    c->with_fetch += n * MAX(alone, n_tile * fetch);
    c->n_tile += n * n_tile;
}

/* A tile is shifted in and rows stream past it. */
static double stay_cyc(const struct systolic *s, bool reuse, double shift, double stream)
{
    if (reuse)
        return stream;
    return s->cfg.double_buffer ? MAX(stream, shift) : stream + shift;
}

/* Rows stream past `rows` rows of sums, which then move down. */
static double stay_os_cyc(const struct systolic *s, double rows, double stream)
{
    return s->cfg.double_buffer ? MAX(stream, rows) : stream + rows - 1;
}

/* os: R rows of sums after the other, each with all tiles of K. Returns the rows that drain last.
 */
static double cost_os(const struct systolic *s, const struct plan_layer *l,
                      const struct block_class *b, double row_cyc, double fetch,
                      struct product_cost *c)
{
    const double tiles_k = (double)int64_div_up(l->gemm.k, s->cfg.rows);
    const double n = (double)int64_div_up((int64_t)b->entries, s->cfg.rows);
    const double stream = (double)l->gemm.k * row_cyc, last = rows_used(s, b->entries, n - 1);
    const bool many = tiles_k > 1; /* one tile stays in the FIFO */
    add_stays(c, n - 1, stay_os_cyc(s, (double)s->cfg.rows, stream), many ? tiles_k : 0, fetch);
    add_stays(c, 1, stay_os_cyc(s, last, stream), many || !b->reuse ? tiles_k : 0, fetch);
    return last;
}

/* ws and is: one tile of what stays after the other. */
static double cost_tiles(const struct systolic *s, const struct plan_layer *l,
                         const struct block_class *b, double row_cyc, double fetch,
                         struct product_cost *c)
{
    const bool is = s->cfg.dataflow == FLOW_IS;
    const double tiles_k = (double)int64_div_up(l->gemm.k, s->cfg.rows);
    const double stream = b->entries * row_cyc;
    const double weights = is ? ceil(b->entries / (double)s->cfg.cols) : 1;
    const double n_tile = (is ? b->reuse_weights : b->reuse) ? 0 : weights;
    const double rows = (double)s->cfg.rows, last = rows_used(s, (double)l->gemm.k, tiles_k - 1);
    add_stays(c, tiles_k - 1, stay_cyc(s, b->reuse, rows * b->shift_cyc, stream), n_tile, fetch);
    add_stays(c, 1, stay_cyc(s, b->reuse, last * b->shift_cyc, stream), n_tile, fetch);
    return tiles_k > 1 ? rows : last; /* sums of the tile before leave ahead */
}

/* A tile that has arrived is shifted in, and its rows stream. */
static double last_cyc(const struct systolic *s, const struct plan_layer *l,
                       const struct block_class *b, double row_cyc)
{
    if (s->cfg.dataflow != FLOW_WS)
        return 0; /* it streams itself */
    const double last_tile = (double)(int64_div_up(l->gemm.k, s->cfg.rows) - 1);
    return rows_used(s, (double)l->gemm.k, last_tile) * b->shift_cyc + b->entries * row_cyc;
}

static void cost_blocks(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        const struct block_class *b, struct chunk_cost *c)
{
    const double fetch = tile_fetch_cyc(s, p, l, b->reads), e = b->entries;
    const double cols = (double)s->cfg.cols;
    const double row_cyc =
        (double)core_rows_cyc(s, p, l, 1) * (s->cfg.dataflow == FLOW_IS ? 1 : b->crowd);
    const bool os = s->cfg.dataflow == FLOW_OS;
    struct product_cost product = {0};
    const double rows = (os ? cost_os : cost_tiles)(s, l, b, row_cyc, fetch, &product);
    const double across = s->cfg.edge == EDGE_FULL ? cols : MIN(cols, b->across);
    const double latency = (double)flow_latency_cyc(s, (int64_t)rows, (int64_t)across);
    const struct drain drain = drain_of(s, p, l, e, row_cyc, latency);
    const double waits = block_period(l, product.with_fetch, &drain);
    const bool one = s->cfg.n_array == 1; /* several share what these terms tell of */
    const double issue = one ? drain.issue : 0;
    const double alone = MAX(block_period(l, product.alone, &drain), issue);
    const double mixed = MAX(waits, issue);
    c->fetch += b->n_block * product.n_tile * fetch;
    c->n_tile += b->n_block * product.n_tile;
    c->n_read += b->n_block * product.n_tile * b->reads;
    c->compute += b->n_block * alone;
    c->mixed += b->n_block * mixed;
    if (b->begins) { /* its instructions are issued while inputs and weights are on their way */
        c->compute -= alone - block_period(l, product.alone, &drain);
        c->mixed -= mixed - waits;
    }
    /* The periods have a part of it already: halves wait for each other from the third block on,
     * the first two follow each other. A small block waits for a larger one to leave. */
    const double waited = waits - product.with_fetch;
    const bool halves = l->tiling.double_buffer && waits > drain.activate;
    const double queue = MAX(c->activate - MAX(drain.activate, product.with_fetch), 0);
    const double blocks = halves && b->even ? 2 : 1;
    c->activate = drain.activate;
    c->drain = MAX(
        drain.all + (one ? queue : 0) - waited * (one || !l->tiling.double_buffer ? blocks : 0), 0);
    if (one && b->reuse && s->cfg.dataflow == FLOW_WS) {
        c->last += b->n_block / b->n_tile * alone;
        return;
    }
    c->last = product.n_tile > 0 ? last_cyc(s, l, b, row_cyc) : 0;
    c->last += one && b->shared ? alone - e * row_cyc : drain.all - c->drain;
}

/* How the blocks of a nest are dealt to several arrays, one after the other. */
struct dealt {
    struct {
        double n_block; /* of the first array */
        double read;    /* blocks whose weights are read meanwhile, for whatever arrays */
    } kinds[8];         /* see kind_of() */
};

/* Blocks are alike that are the last of their tile, or find what stays, or their weights. */
static int kind_of(bool last, bool reuse, bool reuse_weights)
{
    return last << 2 | reuse << 1 | reuse_weights;
}

enum { MOST_DEALT = 1 << 8 }; /* blocks of a nest that are looked at; more are as these */

/* What block t of a nest needs: which weights, which inputs (of `is`); whether they are where the
 * array's block before has left them. */
struct place {
    int64_t weights, inputs;
    bool last, finds_weights, finds_inputs;
};

/* A nest of `tiles` in each of the groups, each with n_block blocks. */
struct nest {
    int64_t groups, tiles, n_block;
    double tiles_a_block;       /* of weights, where inputs stay */
    bool inner, is;             /* the blocks of a tile follow one another; inputs stay */
    bool fits, one_tile, keeps; /* one tile of K; of weights; the chunk before ended so as well */
    int64_t n_array;
    bool broadcast;
};

static struct place place_of(const struct nest *n, int64_t group, int64_t tile, int64_t block)
{
    const int64_t first = group * n->tiles * n->n_block;
    const int64_t weights = n->is ? (int64_t)((double)block * n->tiles_a_block) : tile;
    return (struct place){.weights = first + weights,
                          .inputs = first + (n->is ? tile : block),
                          .last = block == n->n_block - 1};
}

static struct place place_at(const struct nest *n, int64_t t)
{
    const int64_t in_group = n->tiles * n->n_block, i = t % in_group;
    return place_of(n, t / in_group, n->inner ? i / n->n_block : i % n->tiles,
                    n->inner ? i % n->n_block : i / n->tiles);
}

/* The first `some` of n_all blocks, in order. */
static void lay_places(const struct nest *n, int64_t some, int64_t n_all, struct place *places)
{
    int64_t group = 0, tile = 0, block = 0;
    for (int64_t t = 0; t < some; t++) {
        int64_t *fast = n->inner ? &block : &tile, *slow = n->inner ? &tile : &block;
        places[t] = place_of(n, group, tile, block);
        if (++*fast == (n->inner ? n->n_block : n->tiles)) {
            *fast = 0;
            ++*slow;
        }
        if (*slow == (n->inner ? n->tiles : n->n_block)) {
            *slow = 0;
            group++;
        }
        if (t >= n->n_array) {
            const struct place *was = &places[t - n->n_array];
            places[t].finds_weights = n->one_tile && places[t].weights == was->weights;
            places[t].finds_inputs = n->fits && places[t].inputs == was->inputs;
        } else if (n->keeps && n->one_tile) {
            const int64_t before = t + (n_all - 1 - t) / n->n_array * n->n_array;
            places[t].finds_weights = place_at(n, before).weights == places[t].weights;
        }
    }
}

/* Whether weights are read for the block `before` of the wave that begins with `first`, which block
 * t needs as well. */
static bool are_read(const struct place *places, int64_t before, int64_t first, int64_t t)
{
    return before >= first && places[before].weights == places[t].weights &&
           !places[before].finds_weights;
}

/* A block's weights are read for it, but where another array of its wave has them read, as the
 * block before or that of the tile, or range, before. */
static struct dealt deal(const struct nest *n)
{
    struct dealt d = {0};
    struct place places[MOST_DEALT];
    const int64_t n_all = n->groups * n->tiles * n->n_block;
    const int64_t some = MIN(n_all, MOST_DEALT / n->n_array * n->n_array);
    const int64_t period = n->inner == n->is ? (n->is ? n->n_block : n->tiles) : 1;
    const double times = (double)n_all / (double)some;
    int kind = 0;
    lay_places(n, some, n_all, places);
    for (int64_t t = 0, first = 0; t < some; t++) {
        const struct place *at = &places[t];
        if (t == first + n->n_array)
            first = t;
        if (t == first) {
            const bool reuse = n->is ? at->finds_inputs : at->finds_weights;
            const int now = kind_of(at->last, reuse, at->finds_weights);
            d.kinds[now].n_block += times;
            /* What others read counts for what this array read last. */
            kind = t == 0 || !at->finds_weights ? now : kind;
        }
        const bool shared = n->broadcast && (are_read(places, t - 1, first, t) ||
                                             are_read(places, t - period, first, t));
        d.kinds[kind].read += at->finds_weights || shared ? 0 : times;
    }
    return d;
}

static void cost_dealt(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       const struct nest *n, struct block_class b, int64_t size,
                       struct chunk_cost *c)
{
    const struct dealt d = deal(n);
    const double last = (double)(size - (n->n_block - 1) * l->tiling.block_m);
    const double busy = (double)MIN(n->n_array, n->groups * n->tiles * n->n_block);
    b.crowd = MAX(1.0, busy / (double)core_ports(s));
    b.shift_cyc *= n->is ? b.crowd : 1;
    for (int i = 0; i < (int)G_N_ELEMENTS(d.kinds); i++) {
        b.entries = i >> 2 ? last : (double)l->tiling.block_m;
        b.reuse = i >> 1 & 1;
        b.reuse_weights = i & 1;
        b.n_block = d.kinds[i].n_block;
        b.reads = b.n_block > 0 ? d.kinds[i].read / b.n_block : 1;
        if (b.n_block > 0)
            cost_blocks(s, p, l, &b, c);
    }
}

/* The row blocks of one output tile, or where inputs stay the column blocks of one tile of them:
 * `tiles` in each group, `across` wide. */
static void cost_nest(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                      int64_t size, double groups, double tiles, double across, bool is_first,
                      struct chunk_cost *c)
{
    const double n = groups * tiles;
    const int64_t n_block = int64_div_up(size, l->tiling.block_m);
    const double last = (double)(size - (n_block - 1) * l->tiling.block_m);
    const bool is = s->cfg.dataflow == FLOW_IS, fits = l->gemm.k <= s->cfg.rows;
    /* With what stays outside and one tile in k, blocks share it; one alone serves all chunks. */
    const bool inner = l->tiling.order == (is ? ORDER_MN : ORDER_NM);
    const bool reuse = fits && (inner || n == 1);
    const bool held = !is && fits && n == 1 && !is_first && !l->from_buffer;
    const bool one_tile = is && fits && l->tiling.block_m <= s->cfg.cols;
    const bool again = one_tile && (n_block == 1 || !inner); /* the same weights for n tiles */
    const bool ws = s->cfg.dataflow == FLOW_WS;
    const int64_t chunks = l->n_pass > 1 ? 1 : plan_n_chunk(p, l);
    /* From the side as many lines enter as there are columns, whatever the rows are. */
    const double lines = core_shifts_sideways(s, l) ? (double)s->cfg.cols / (double)s->cfg.rows : 1;
    struct block_class b = {.entries = n_block > 1 ? (double)l->tiling.block_m : last,
                            .across = across,
                            .n_block = again ? 1 : n,
                            .shift_cyc = lines * (double)core_shift_cyc(s, p, l, 1),
                            .reads = 1,
                            .crowd = 1,
                            .n_tile = n,
                            .begins = is_first,
                            .shared = ws && reuse && (n_block > 1 || (n == 1 && chunks > 1)),
                            .even = n_block * (int64_t)n * chunks % 2 == 0,
                            .reuse = held};
    if (s->cfg.n_array > 1) {
        const struct nest nest = {.groups = (int64_t)groups,
                                  .tiles = (int64_t)tiles,
                                  .n_block = n_block,
                                  .tiles_a_block = (double)l->tiling.block_m / (double)s->cfg.cols,
                                  .inner = inner,
                                  .is = is,
                                  .fits = fits,
                                  .one_tile = is ? one_tile : fits,
                                  .keeps = !is_first && !l->from_buffer,
                                  .n_array = s->cfg.n_array,
                                  .broadcast = s->cfg.broadcast};
        cost_dealt(s, p, l, &nest, b, size, c);
        return;
    }
    cost_blocks(s, p, l, &b, c);
    b.begins = false;
    b.reuse_weights = true;
    b.n_block = n - 1;
    if (again && n > 1)
        cost_blocks(s, p, l, &b, c);
    b.reuse = reuse;
    b.reuse_weights = again;
    b.n_block = (double)(n_block - 2) * n;
    if (n_block > 2)
        cost_blocks(s, p, l, &b, c);
    b.entries = last;
    b.n_block = n;
    if (n_block > 1)
        cost_blocks(s, p, l, &b, c);
}

/* Of a pass that is one of many: what the controller issues of a chunk, an instruction a cycle. A
 * pass and a transfer have a Sync set each; what waits for them a Sync wait. */
static double chunk_issue_cyc(const struct systolic *s, const struct plan *p,
                              const struct plan_layer *l)
{
    const int loads = __builtin_popcount(l->loads);
    if (s->cfg.n_array > 1 || l->n_pass > 1 || plan_n_chunk(p, l) == 1)
        return 0;
    return 2 + (loads > 0) + 3 * loads + 3 * l->stores;
}

/* An address a cycle, and the latency of the last one. */
static void cost_rows(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                      const struct region *r, struct chunk_cost *c)
{
    const double n = (double)r->n_image, rate = s->stream_bytes_per_cyc;
    const double row = rate > 0 ? (double)lookup_row_bytes(p, l) / rate : 0;
    c->rows = n * row;
    c->compute = c->mixed =
        s->cfg.dma_setup_ns * 1e-9 * s->clock_hz + MAX(n * row, n - 1 + row) + s->first_byte_cyc;
}

/* before: the chunk before it, NULL for the layer's first. begins: the run's first. */
static struct chunk_cost cost_chunk(const struct systolic *s, const struct plan *p,
                                    const struct plan_layer *l, const struct region *r,
                                    const struct chunk_cost *before, bool begins)
{
    struct chunk_cost c = {.activate = before ? before->activate : 0};
    const bool is_first = !before;
    cost_transfers(s, p, l, r, &c);
    if (l->kind == LAYER_VECTOR) {
        const struct plan_step step = {.layer = l->index, .region = *r};
        c.compute = (double)core_share_cyc(s, core_vector_cyc(s, p, &step));
        c.mixed = c.compute = MAX(c.compute, chunk_issue_cyc(s, p, l));
        return c;
    }
    if (l->kind == LAYER_LOOKUP) {
        cost_rows(s, p, l, r, &c);
        return c;
    }
    if (s->cfg.dataflow == FLOW_WS && begins && s->cfg.n_array == 1) {
        c.first = bus_cyc(s, l);
        const int64_t shifted = (int64_t)rows_used(s, (double)l->gemm.k, 0);
        c.shift =
            MIN((double)core_shift_cyc(s, p, l, shifted),
                (double)core_rows_cyc(s, p, l, MIN(l->tiling.block_m, plan_gemm_rows(p, l, r))));
    }
    const int64_t rows = plan_gemm_rows(p, l, r);
    const bool is = s->cfg.dataflow == FLOW_IS;
    const int64_t across = is ? rows : l->gemm.n, tiles = int64_div_up(across, s->cfg.cols);
    cost_nest(s, p, l, is ? l->gemm.n : rows, (double)plan_groups(l, r), (double)tiles,
              tiles > 1 ? (double)s->cfg.cols : (double)across, is_first, &c);
    if (is && is_first) { /* behind the barrier */
        const int64_t shifted = (int64_t)rows_used(s, (double)l->gemm.k, 0);
        c.compute += (double)core_shift_cyc(s, p, l, shifted);
        c.mixed += (double)core_shift_cyc(s, p, l, shifted);
    }
    return c;
}

static void add_chunk(struct chunk_cost *sum, const struct chunk_cost *c, double n)
{
    sum->fetch += n * c->fetch;
    sum->n_tile += n * c->n_tile;
    sum->n_read += n * c->n_read;
    sum->compute += n * c->compute;
    sum->mixed += n * c->mixed;
    sum->load += n * c->load;
    sum->store += n * c->store;
    sum->rows += n * c->rows;
    sum->drain = c->drain;
    /* The tile that serves all chunks came with the first. */
    sum->first = MAX(sum->first, c->first);
    sum->shift = MAX(sum->shift, c->shift);
    sum->last = c->n_tile > 0 || c->fetch > 0 ? c->last : sum->last + n * c->last;
}

/* The layer's cycles by resource, and the parts at its ends that have nothing to hide behind. */
struct layer_cost {
    struct chunk_cost sum;
    double first_load, last_store;
    double by_link; /* cycles when the link sets the pace: computing shows for one chunk */
};

static struct layer_cost cost_layer(const struct systolic *s, const struct plan *p,
                                    const struct plan_layer *l, bool begins)
{
    struct layer_cost cost = {0};
    const int64_t n = plan_n_chunk(p, l);
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, n - 1);
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    const int64_t n_last = l->chunk_row < o.h ? o.n : 1; /* each image ends with a short one */
    const struct chunk_cost a = cost_chunk(s, p, l, &first, NULL, begins);
    const struct chunk_cost i = cost_chunk(s, p, l, &first, &a, false);
    const struct chunk_cost z = cost_chunk(s, p, l, &last, n == 1 ? NULL : &a, begins && n == 1);
    cost.first_load = a.load;
    cost.last_store = z.store;
    if (n > 1)
        add_chunk(&cost.sum, &a, 1);
    add_chunk(&cost.sum, &i, (double)MAX(n - n_last - 1, 0));
    add_chunk(&cost.sum, &z, (double)n_last);
    /* After the last load the last chunk is computed while the one before it is stored. No store
     * begins before the first chunk is computed. */
    const double last_shown = MAX(z.mixed - a.store, 0);
    if (n > 1)
        cost.by_link =
            MAX(cost.sum.load + cost.sum.store + last_shown, a.load + a.mixed + cost.sum.store) +
            cost.sum.drain;
    if (l->kind == LAYER_LOOKUP) /* the link's engine reads the rows, one thing after the other */
        cost.by_link = cost.sum.load + cost.sum.mixed + cost.sum.store;
    return cost;
}

/* Bytes that a layer on the host makes cross the link: what it reads and nobody stored before. */
static double host_store_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l)
{
    double cycles = 0;
    for (int j = 0; j < l->n_in; j++) {
        const struct home *h = &p->homes[l->in[j]];
        if (!h->loaded && h->resident && !h->stored)
            cycles += link_cyc(s, (double)(shape_count(&p->graph->values[l->in[j]].shape) *
                                           plan_element_bytes(p, l->in[j])));
    }
    return cycles;
}

static void finish(struct cost_state *state, double cycles, struct record_layer *out)
{
    out->cycles = (uint64_t)(cycles + 0.5);
    out->start_cycle = state->now_cyc;
    state->now_cyc += out->cycles;
    out->end_cycle = state->now_cyc;
}

/* The FIFO and the shadow registers are what can be filled ahead of a layer. */
static double ahead_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        const struct chunk_cost *c)
{
    const bool shadow = s->cfg.double_buffer && s->cfg.dataflow == FLOW_WS;
    const double reads = c->n_tile > 0 ? c->n_read / c->n_tile : 1;
    return (double)(s->cfg.fifo_tiles + (shadow ? 1 : 0)) * tile_fetch_cyc(s, p, l, reads);
}

/* Before the first tile of a run is on its way: the loads of two chunks are issued ahead of it, an
 * instruction and its set each, and a wait; and the memory has its latency, which tiles that find a
 * free slot do not wait for once more. */
static double begin_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        double n_tile, const struct cost_state *state)
{
    const int n_load = __builtin_popcount(l->loads);
    if (state->now_cyc > 0 || l->kind != LAYER_MATRIX || s->stream_bytes_per_cyc == 0 ||
        s->cfg.n_array > 1)
        return 0;
    const double by_bus = bus_cyc(s, l);
    const double free_slots = MIN(n_tile, (double)s->cfg.fifo_tiles);
    const double issued = n_load > 0 ? 1 + 2 * n_load * (double)MIN(plan_n_chunk(p, l), 2) : 0;
    return s->first_byte_cyc + issued - free_slots * (tile_fetch_cyc(s, p, l, 1) - by_bus);
}

/* From the first product to the last sum drained, with so much of the weights there already. */
static double body_cyc(const struct chunk_cost *c, double prefetched)
{
    const double stalls = c->mixed - c->compute, left = c->fetch - prefetched;
    const double first =
        c->n_tile > 0 && prefetched < c->first ? c->first - prefetched + c->shift : 0;
    return MAX(MAX(c->mixed - MIN(prefetched, stalls), c->compute + first),
               left > 0 ? left + c->last : 0);
}

/* While the last tile is shifted in, used and drained, tiles of what comes next arrive. */
static double prefetch_after(const struct systolic *s, const struct plan *p,
                             const struct plan_layer *l, const struct chunk_cost *c, double cycles,
                             double before)
{
    const bool is_matrix = l->kind == LAYER_MATRIX;
    const double tail =
        is_matrix ? (double)core_shift_cyc(s, p, l, s->cfg.rows) + c->drain : cycles - c->rows;
    if (l->from_buffer) /* in order: what comes next is asked for behind the last tile */
        return tail;
    const double slack = cycles - c->rows - MAX(c->fetch - before, 0);
    return MIN(ahead_cyc(s, p, l, c), MAX(slack, tail) + MAX(before - c->fetch, 0));
}

/* Of the stalls for weights, each tile's shift is the part that ends them. */
static void put_weights(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        double n_tile, double n_read, double exposed, struct record_layer *out)
{
    const bool ws = s->cfg.dataflow == FLOW_WS;
    if (!l->from_buffer)
        out->bytes[MEM_WEIGHTS].read = (uint64_t)(n_read * tile_bytes(s, l) + 0.5);
    const double shift =
        ws ? MIN(exposed, n_tile * (double)core_shift_cyc(s, p, l, s->cfg.rows)) : 0;
    out->stall_cyc[CAUSE_WEIGHT_SHIFT] = (uint64_t)shift;
    out->stall_cyc[CAUSE_WEIGHT_STALL] = (uint64_t)(exposed - shift);
}

/* A layer that shares its group: a pass a chunk, each behind a barrier, while the host link moves
 * what the chunks before and behind need. The group's last layer bears what the link takes longer
 * than all computing. */
static void cost_passes(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                        struct cost_state *state, struct record_layer *out)
{
    const struct plan_group *g = &p->groups[l->group];
    const bool is_first = l->index == g->first, is_last = l->index == g->last;
    const struct region first = plan_chunk(p, l, 0), last = plan_chunk(p, l, l->n_pass - 1);
    const bool begins = is_first && state->now_cyc == 0;
    const struct chunk_cost b = cost_chunk(s, p, l, &first, NULL, begins);
    const struct chunk_cost a = cost_chunk(s, p, l, &first, NULL, false);
    const struct chunk_cost z = cost_chunk(s, p, l, &last, NULL, false);
    const double n = (double)MIN(plan_n_full_turn(p, l), l->n_pass - 1),
                 before = state->prefetch_cyc;
    const double n_z = (double)l->n_pass - n; /* the last one, or all shorter ones */
    if (is_first)
        state->group_cyc = state->link_cyc = 0;
    const double load = is_first ? a.load : 0, store = is_last ? z.store : 0;
    const double begin = body_cyc(&b, MIN(ahead_cyc(s, p, l, &a), before + load) -
                                          begin_cyc(s, p, l, a.n_tile, state)) +
                         a.drain;
    const double again = body_cyc(&a, before) + a.drain, end = body_cyc(&z, before) + z.drain;
    double cycles = load + begin + (n - 1) * again + n_z * end + store;
    const double exposed =
        cycles - load - store - n * (a.compute + a.drain) - n_z * (z.compute + z.drain);
    state->group_cyc += cycles;
    state->link_cyc += n * (a.load + a.store) + n_z * (z.load + z.store);
    if (is_last) {
        const double by_link = state->link_cyc + state->group_cyc / (double)l->n_pass;
        cycles += MAX(by_link - state->group_cyc, 0);
    }
    finish(state, cycles, out);
    state->prefetch_cyc = prefetch_after(s, p, l, &z, end, before);
    put_weights(s, p, l, n * a.n_tile + n_z * z.n_tile, n * a.n_read + n_z * z.n_read,
                MAX(exposed, 0), out);
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)load;
}

/* A layer that is alone in its group. */
static void cost_alone(const struct systolic *s, const struct plan *p, const struct plan_layer *l,
                       struct cost_state *state, struct record_layer *out)
{
    const struct layer_cost c = cost_layer(s, p, l, state->now_cyc == 0);
    /* What another layer makes cannot come before it has. */
    const double ahead = MIN(ahead_cyc(s, p, l, &c.sum), state->prefetch_cyc + c.first_load);
    const double prefetched = l->from_buffer ? 0 : ahead - begin_cyc(s, p, l, c.sum.n_tile, state);
    const double body = body_cyc(&c.sum, prefetched);
    /* Either the array sets the pace, or the host link does. */
    const double by_array = c.first_load + body + c.sum.drain + c.last_store;
    const double cycles = MAX(by_array, c.by_link);
    finish(state, cycles, out);
    state->prefetch_cyc = prefetch_after(s, p, l, &c.sum, cycles, state->prefetch_cyc);
    put_weights(s, p, l, c.sum.n_tile, c.sum.n_read, MAX(body - c.sum.compute, 0), out);
    out->stall_cyc[CAUSE_INPUT] = (uint64_t)(cycles - body - c.sum.drain - c.last_store);
}

void systolic_cost(const void *self, const struct plan *p, int i_layer, struct cost_state *state,
                   struct record_layer *out)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    if (s->cfg.timing == TIMING_SCALESIM) {
        finish(state, (double)scalesim_layer_cyc(s, l), out);
    } else if (l->kind == LAYER_HOST) {
        const double cycles = host_store_cyc(s, p, l) + (double)core_host_cyc(s, p, l);
        finish(state, cycles, out);
        const struct chunk_cost none = {0};
        state->prefetch_cyc = MIN(ahead_cyc(s, p, l, &none), state->prefetch_cyc + cycles);
    } else if (l->n_pass > 1) {
        cost_passes(s, p, l, state, out);
    } else {
        cost_alone(s, p, l, state, out);
    }
}
