/* SPDX-License-Identifier: Apache-2.0 */
/* A step's tile nest: blocks of partial sums, dealt to the arrays, and the pieces of a block. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_lower.h"
#include "sim/base/size.h"

/* One block of partial sums: its tiles, the products, and the drain through the activation unit. */
static struct insn *emit_block(struct lowering *w, enum opcode op, enum unit unit,
                               const struct insn *block)
{
    struct insn *in = issue_insn(w, op, unit, block->arrays, block->step);
    *in = *block;
    in->op = (uint8_t)op;
    in->unit = (uint8_t)unit;
    return in;
}

/* Values that the first `rows` rows of a step's product become, for one output column: pooling on
 * the way out makes fewer of them. */
static int64_t values_out(const struct plan *p, const struct plan_step *s, int64_t rows)
{
    const struct plan_layer *l = &p->layers[s->layer];
    const int64_t w = dims_of(&p->graph->values[l->out].shape).w;
    if (l->from_buffer)
        return rows;
    return rows * (s->region.n_image * s->region.n_row * w) / plan_gemm_rows(p, l, &s->region);
}

/* What is in the array, or with os and is at the head of the weight FIFO, is used again by the next
 * block where it is the only one of this block. */
static void reuse_weights(struct lowering *w, struct insn *block)
{
    struct lowered_array *a = &w->arrays[insn_array(block)];
    const bool stay = w->self->cfg.dataflow == FLOW_WS;
    const int64_t tile = (int64_t)flow_stream(w->self, w->plan, block, 0).tile;
    const bool one_tile = flow_one_tile(w->self, w->plan, block);
    const bool again = one_tile && a->weight_tile == tile;
    a->weight_tile = one_tile ? tile : -1;
    *(stay ? &block->reuse : &block->reuse_weights) = again;
    if (again) {
        struct insn *last = &g_array_index(w->insns, struct insn, a->last_matrix);
        *(stay ? &last->keep : &last->keep_weights) = true;
    }
}

/* A tile of inputs that has all of K stays for all blocks of its columns. */
static void reuse_inputs(struct lowering *w, struct insn *block, const struct plan_layer *l)
{
    const struct lowered_array *a = &w->arrays[insn_array(block)];
    struct insn *last = &g_array_index(w->insns, struct insn, a->last_matrix);
    block->reuse = l->gemm.k <= w->self->cfg.rows && a->n_block > 0 && last->step == block->step &&
                   last->group == block->group && last->m0 == block->m0;
    if (block->reuse)
        last->keep = true;
}

static bool needs_weights(const struct lowering *w, const struct insn *block)
{
    return !block->reuse_weights && !(block->reuse && w->self->cfg.dataflow == FLOW_WS);
}

static void emit_weights(struct lowering *w, const struct insn *block, uint64_t arrays)
{
    const struct plan_step *s = &w->plan->steps[block->step];
    if (w->plan->layers[s->layer].from_buffer) { /* made by a layer before */
        issue_wait_for_step(w, UNIT_WEIGHTS, s->after_load, block->step);
        issue_wait_for_step(w, UNIT_WEIGHTS, s->after_compute, block->step);
    }
    struct insn *read = emit_block(w, INSN_READ_WEIGHTS, UNIT_WEIGHTS, block);
    read->arrays = arrays;
    read->first = (int64_t)flow_stream(w->self, w->plan, block, 0).tile;
    read->repeat =
        flow_one_tile(w->self, w->plan, block) ? 1 : flow_n_stream(w->self, w->plan, block);
}

static void emit_inputs(struct lowering *w, const struct insn *block, const struct plan_layer *l)
{
    if (w->self->cfg.dataflow == FLOW_IS && !block->reuse)
        emit_block(w, INSN_SHIFT_INPUTS, UNIT_INPUTS, block)->repeat =
            (uint32_t)int64_div_up(l->gemm.k, w->self->cfg.rows);
}

/* Blocks that are dealt to the arrays, one to each, and are worked off side by side. */
struct wave {
    struct insn blocks[MAX_ARRAY];
    int n;
};

/* All that two blocks take from weight memory is the same, tile by tile: with `os` each R rows need
 * all of it anew. */
static bool same_weights(const struct lowering *w, const struct insn *a, const struct insn *b)
{
    return a->group == b->group && a->tile_n == b->tile_n &&
           flow_tiles_n(w->self, a) == flow_tiles_n(w->self, b) &&
           (w->self->cfg.dataflow != FLOW_OS ||
            int64_div_up(a->m, w->self->cfg.rows) == int64_div_up(b->m, w->self->cfg.rows));
}

/* What several arrays need next is read once for all of them. */
static void lower_weights(struct lowering *w, const struct wave *wave)
{
    uint64_t served = 0;
    for (int i = 0; i < wave->n; i++) {
        const struct insn *block = &wave->blocks[i];
        uint64_t arrays = block->arrays;
        if (served & block->arrays || !needs_weights(w, block))
            continue;
        for (int j = i + 1; w->self->cfg.broadcast && j < wave->n; j++)
            if (needs_weights(w, &wave->blocks[j]) && same_weights(w, block, &wave->blocks[j]))
                arrays |= wave->blocks[j].arrays;
        emit_weights(w, block, arrays);
        served |= arrays;
    }
}

/* Where a block's sums go, and what its array has of it already. */
static void prepare_block(struct lowering *w, struct insn *block)
{
    const struct plan_layer *l = &w->plan->layers[w->plan->steps[block->step].layer];
    const struct lowered_array *a = &w->arrays[insn_array(block)];
    const int64_t half = l->tiling.double_buffer ? a->n_block % 2 : 0;
    block->first = half * (w->self->cfg.accumulators / 2);
    if (w->self->cfg.dataflow == FLOW_IS)
        reuse_inputs(w, block, l);
    reuse_weights(w, block);
}

static void emit_product(struct lowering *w, const struct insn *rows, int64_t k0, uint32_t repeat)
{
    const struct plan_layer *l = &w->plan->layers[rows->layer];
    const bool is_conv = plan_layer_node(w->plan, l, "conv2d");
    struct insn *in =
        emit_block(w, is_conv ? INSN_CONVOLVE : INSN_MATRIX_MULTIPLY, UNIT_MATRIX, rows);
    in->k0 = (int32_t)k0;
    in->repeat = repeat;
    w->arrays[insn_array(rows)].last_matrix = w->insns->len - 1;
}

/* Rows of a block, complete, leave their place in the accumulators. */
static void emit_drain(struct lowering *w, const struct insn *rows, int64_t place)
{
    const struct plan_step *s = &w->plan->steps[rows->step];
    const int array = insn_array(rows);
    issue_set(w, UNIT_MATRIX, rows->arrays, rows->step);
    issue_wait(w, UNIT_ACTIVATION, UNIT_MATRIX, array, issue_n_set(w, UNIT_MATRIX, array),
               rows->step);
    emit_block(w, INSN_ACTIVATE, UNIT_ACTIVATION, rows)->count =
        (uint64_t)((values_out(w->plan, s, rows->m0 + rows->m) - values_out(w->plan, s, rows->m0)) *
                   rows->n * plan_element_bytes(w->plan, w->plan->layers[s->layer].out));
    issue_set(w, UNIT_ACTIVATION, rows->arrays, rows->step);
    w->arrays[array].drained[place] = issue_n_set(w, UNIT_ACTIVATION, array);
}

/* `n` pieces of a block's rows from the i-th on. */
static struct insn pieces_of(const struct insn *block, const struct places *places, int64_t i,
                             int64_t n)
{
    struct insn pieces = *block;
    pieces.m0 += i * places->rows;
    pieces.m = MIN(n * places->rows, block->m - i * places->rows);
    pieces.first = (block->first + i) % places->n * places->rows;
    pieces.reuse = i > 0;
    pieces.keep = pieces.m0 + pieces.m < block->m0 + block->m;
    return pieces;
}

/* Tiles of k between the first and the last one, for all rows: in two where the block goes on in
 * the first place of the accumulators. */
static void lower_between(struct lowering *w, const struct insn *block, const struct places *places,
                          int64_t n, int64_t tiles_k)
{
    const int64_t before = MIN(n, places->n - block->first);
    if (before == n && tiles_k > 2) {
        const struct insn all = pieces_of(block, places, 0, n);
        emit_product(w, &all, 1, (uint32_t)(tiles_k - 2));
        return;
    }
    for (int64_t k = 1; k < tiles_k - 1; k++) {
        const struct insn begin = pieces_of(block, places, 0, before);
        const struct insn end = pieces_of(block, places, before, n - before);
        emit_product(w, &begin, k, 1);
        emit_product(w, &end, k, 1);
    }
}

/* A block of several pieces, block->first is the place of the first one: those of the first tile of
 * k wait until what lay in their places has left, those of the last one leave while others are
 * worked off. */
static void lower_pieces(struct lowering *w, struct insn block)
{
    const struct plan_layer *l = &w->plan->layers[block.layer];
    const struct places places = systolic_places(w->self, w->plan, l);
    const int64_t tiles_k = int64_div_up(l->gemm.k, w->self->cfg.rows);
    const int64_t n = int64_div_up(block.m, places.rows);
    struct lowered_array *a = &w->arrays[insn_array(&block)];
    block.first = a->place;
    for (int64_t i = 0; i < n; i++) {
        const struct insn piece = pieces_of(&block, &places, i, 1);
        issue_wait(w, UNIT_MATRIX, UNIT_ACTIVATION, insn_array(&block),
                   a->drained[(block.first + i) % places.n], block.step);
        emit_product(w, &piece, 0, 1);
    }
    lower_between(w, &block, &places, n, tiles_k);
    for (int64_t i = 0; i < n; i++) {
        const struct insn piece = pieces_of(&block, &places, i, 1);
        emit_product(w, &piece, tiles_k - 1, 1);
        emit_drain(w, &piece, (block.first + i) % places.n);
    }
    a->place = (block.first + n) % places.n;
}

static void lower_block(struct lowering *w, const struct insn *block)
{
    const struct plan_layer *l = &w->plan->layers[block->layer];
    struct lowered_array *a = &w->arrays[insn_array(block)];
    const int half = l->tiling.double_buffer ? (int)(a->n_block % 2) : 0;
    emit_inputs(w, block, l);
    a->n_block++;
    if (systolic_parts(w->self, l) > 1) {
        lower_pieces(w, *block);
        return;
    }
    /* What this block overwrites must have been drained. */
    issue_wait(w, UNIT_MATRIX, UNIT_ACTIVATION, insn_array(block), a->drained[half], block->step);
    emit_product(w, block, 0, flow_n_stream(w->self, w->plan, block));
    emit_drain(w, block, half);
}

static void lower_wave(struct lowering *w, struct wave *wave)
{
    for (int i = 0; i < wave->n; i++)
        prepare_block(w, &wave->blocks[i]);
    lower_weights(w, wave);
    for (int i = 0; i < wave->n; i++)
        lower_block(w, &wave->blocks[i]);
    wave->n = 0;
}

/* The next block of a nest goes to the next array. */
static void deal_block(struct lowering *w, struct wave *wave, struct insn block)
{
    block.arrays = one_array(wave->n);
    wave->blocks[wave->n++] = block;
    if (wave->n == w->n_array)
        lower_wave(w, wave);
}

/* The tile nest of one step: groups, then output tiles and row blocks in the order chosen. */
void blocks_lower(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    const struct plan_layer *l = &w->plan->layers[s->layer];
    const int64_t rows = plan_gemm_rows(w->plan, l, &s->region), cols = w->self->cfg.cols;
    const bool is = w->self->cfg.dataflow == FLOW_IS;
    const int64_t block_m = is ? cols : l->tiling.block_m, block_n = is ? l->tiling.block_m : cols;
    const int64_t n_m = int64_div_up(rows, block_m), n_n = int64_div_up(l->gemm.n, block_n);
    const bool n_outer = l->tiling.order == ORDER_NM;
    struct wave wave = {.n = 0};
    issue_wait_for_step(w, UNIT_MATRIX, s->after_load, step);
    issue_wait_for_step(w, UNIT_MATRIX, s->after_compute, step);
    if (is) {
        issue_wait_for_step(w, UNIT_INPUTS, s->after_load, step);
        issue_wait_for_step(w, UNIT_INPUTS, s->after_compute, step);
    }
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_store, step);
    const int64_t first = plan_first_matrix(l, &s->region);
    for (int64_t g = first; g < first + plan_groups(l, &s->region); g++) {
        for (int64_t i = 0; i < n_m * n_n; i++) {
            const int64_t m0 = (n_outer ? i % n_m : i / n_n) * block_m;
            const int64_t n0 = (n_outer ? i / n_m : i % n_n) * block_n;
            deal_block(w, &wave,
                       (struct insn){.step = step,
                                     .layer = s->layer,
                                     .group = (int32_t)g,
                                     .tile_n = (int32_t)(n0 / cols),
                                     .m0 = m0,
                                     .m = MIN(block_m, rows - m0),
                                     .n0 = n0,
                                     .n = MIN(block_n, l->gemm.n - n0)});
        }
    }
    lower_wave(w, &wave);
    issue_step_done(w, UNIT_ACTIVATION, step);
}
