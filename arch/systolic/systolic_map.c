/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering: steps -> instructions. */
#include <inttypes.h>
#include <string.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_choice.h"
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_stream.h"
#include "mapper/values/lookup.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* What lowering knows of one array. */
struct lowered_array {
    uint64_t *drained; /* by place in the accumulators: the activation unit's counter when its
                        * sums have left */
    int64_t n_block;   /* of the turn so far */
    int64_t place;     /* of the next piece in the accumulators */
    struct held held;  /* of the last block */
    size_t last_place; /* of its last instruction at the array */
};

struct lowering {
    const struct systolic *self;
    struct plan *plan;
    struct program *program;
    int n_array, n_unit;
    uint64_t *sets;   /* Sync set instructions emitted so far, by unit: see unit_index() */
    uint64_t *waited; /* [n_unit][n_unit]: up to which count the first has waited for the second */
    uint64_t *done;   /* by step and array: see struct program */
    enum unit *done_unit; /* by step: whose counter that is */
    struct lowered_array *arrays;
    int turn;          /* of the last computation */
    size_t step_place; /* of the first instruction of this step */
};

static inline uint64_t one_array(int array)
{
    return UINT64_C(1) << array;
}

static inline uint64_t all_arrays(const struct lowering *w)
{
    return UINT64_MAX >> (MAX_ARRAY - w->n_array);
}

/* Instructions in program order, and what each unit waits for. */

/* Of all units of the machine. */
static int unit_index(enum unit unit, int array)
{
    return unit == UNIT_HOST ? 0 : 1 + array * (N_UNIT - 1) + (int)unit - 1;
}

static uint64_t *sets_of(const struct lowering *w, enum unit unit, int array)
{
    return &w->sets[unit_index(unit, array)];
}

static uint64_t issue_n_set(const struct lowering *w, enum unit unit, int array)
{
    return *sets_of(w, unit, array);
}

static uint64_t *waited_of(const struct lowering *w, enum unit unit, int array, enum unit on,
                           int on_array)
{
    return &w->waited[unit_index(unit, array) * w->n_unit + unit_index(on, on_array)];
}

/* Returns its place. */
static size_t issue_insn(struct lowering *w, const struct insn *in)
{
    return systolic_program_append(w->program, in);
}

static void issue_set(struct lowering *w, enum unit unit, uint64_t arrays, int step)
{
    issue_insn(w, &(struct insn){
                      .op = INSN_SYNC_SET, .unit = (uint8_t)unit, .arrays = arrays, .step = step});
    for (; arrays; arrays &= arrays - 1)
        ++*sets_of(w, unit, __builtin_ctzll(arrays));
}

static void issue_wait(struct lowering *w, enum unit unit, enum unit on, int array, uint64_t count,
                       int step)
{
    uint64_t *waited = waited_of(w, unit, array, on, array);
    if (unit == on || count <= *waited)
        return; /* a unit works in order; what it has waited for stays true */
    *waited = count;
    issue_insn(w, &(struct insn){.op = INSN_SYNC_WAIT,
                                 .unit = (uint8_t)unit,
                                 .on = (uint8_t)on,
                                 .on_array = (int8_t)array,
                                 .arrays = one_array(array),
                                 .step = step,
                                 .count = count});
}

/* Notes that these units wait for the step `after`; false where they are known to have. */
static bool note_wait(struct lowering *w, enum unit unit, uint64_t arrays, int after)
{
    const enum unit on = w->done_unit[after];
    bool is_new = false;
    for (; arrays; arrays &= arrays - 1) {
        const int array = __builtin_ctzll(arrays);
        for (int i = 0; i < (on == UNIT_HOST ? 1 : w->n_array); i++) {
            const uint64_t count = w->done[after * w->n_array + i];
            uint64_t *waited = waited_of(w, unit, array, on, i);
            if ((unit == on && i == array) || count <= *waited)
                continue;
            *waited = count;
            is_new = true;
        }
    }
    return is_new;
}

static void issue_wait_for_step(struct lowering *w, enum unit unit, int after, int step)
{
    const uint64_t arrays = unit == UNIT_HOST ? 1 : all_arrays(w);
    if (after < 0 || !note_wait(w, unit, arrays, after))
        return;
    const bool one = w->n_array == 1 || w->done_unit[after] == UNIT_HOST;
    issue_insn(w, &(struct insn){.op = INSN_SYNC_WAIT,
                                 .unit = (uint8_t)unit,
                                 .on = (uint8_t)w->done_unit[after],
                                 .on_array = one ? 0 : ALL_ARRAYS,
                                 .arrays = arrays,
                                 .step = step,
                                 .count = one ? w->done[after * w->n_array] : (uint64_t)after});
}

/* What comes later is done later at each unit, but not at all of them: all that was to be done by
 * the end of the step counts. */
static void issue_step_done(struct lowering *w, enum unit unit, int step)
{
    for (int i = 0; i < (unit == UNIT_HOST ? 1 : w->n_array); i++)
        w->done[step * w->n_array + i] = *sets_of(w, unit, i);
    w->done_unit[step] = unit;
}

/* A step's tile nest: blocks of partial sums, dealt to the arrays, and the pieces of a block. */

/* One block of partial sums: its tiles, the products, and the drain through the activation unit. */
static struct insn insn_of_block(enum opcode op, enum unit unit, const struct insn *block)
{
    struct insn in = *block;
    in.op = (uint8_t)op;
    in.unit = (uint8_t)unit;
    return in;
}

/* Values that the first `rows` rows of a step's product become, for one output column: pooling on
 * the way out makes fewer of them. */
static int64_t values_out(const struct plan *p, const struct plan_step *s, int64_t rows)
{
    const struct plan_layer *l = &p->layers[s->layer];
    if (l->stationary_is_activation)
        return rows;
    return rows * (s->region.n_image * s->region.n_row * s->region.n_col) /
           plan_gemm_rows(p, l, &s->region);
}

/* A block that is dealt to an array. */
struct dealt {
    struct insn insn;
    struct block block; /* what the rules see of it */
};

/* Blocks that are dealt to the arrays, one to each, and are worked off side by side. */
struct deal {
    struct cut cut;
    struct dealt blocks[MAX_ARRAY];
    int n;
};

/* What the array has of it from the block before, which then has to leave it there. */
static void find_held(struct lowering *w, const struct cut *cut, struct dealt *d)
{
    struct lowered_array *a = &w->arrays[insn_array(&d->insn)];
    systolic_reuse(cut, &d->block, &a->held);
    a->held = systolic_held(cut, &d->block);
    d->insn.reuse = d->block.reuse;
    d->insn.reuse_weights = d->block.reuse_weights;
    if (d->block.reuse)
        systolic_program_mark(w->program, a->last_place, MARK_KEEP);
    if (d->block.reuse_weights)
        systolic_program_mark(w->program, a->last_place, MARK_KEEP_WEIGHTS);
}

static void emit_weights(struct lowering *w, const struct cut *cut, const struct dealt *dealt,
                         uint64_t arrays)
{
    const struct insn *block = &dealt->insn;
    const struct plan_step *s = &w->plan->steps[block->step];
    if (w->plan->layers[s->layer].stationary_is_activation) { /* made by a layer before */
        issue_wait_for_step(w, UNIT_WEIGHTS, s->after_load, block->step);
        issue_wait_for_step(w, UNIT_WEIGHTS, s->after_compute, block->step);
    }
    if (s->after_weights >= 0)
        issue_wait_for_step(w, UNIT_WEIGHTS, s->after_weights, block->step);
    struct insn read = insn_of_block(INSN_READ_WEIGHTS, UNIT_WEIGHTS, block);
    read.arrays = arrays;
    read.first = (int64_t)dealt->block.tile;
    read.repeat = (uint32_t)systolic_n_fetched(cut, &dealt->block);
    issue_insn(w, &read);
}

static void emit_inputs(struct lowering *w, const struct insn *block, const struct plan_layer *l)
{
    if (w->self->cfg.dataflow != FLOW_IS || block->reuse)
        return;
    struct insn in = insn_of_block(INSN_SHIFT_INPUTS, UNIT_INPUTS, block);
    in.repeat = (uint32_t)int64_div_up(l->gemm.k, w->self->cfg.rows);
    issue_insn(w, &in);
}

/* What several arrays need next is read once for all of them. */
static void lower_weights(struct lowering *w, const struct deal *deal)
{
    const struct cut *cut = &deal->cut;
    uint64_t served = 0;
    for (int i = 0; i < deal->n; i++) {
        const struct dealt *d = &deal->blocks[i];
        uint64_t arrays = d->insn.arrays;
        if (served & arrays || !systolic_reads_weights(cut, &d->block))
            continue;
        for (int j = i + 1; w->self->cfg.broadcast && j < deal->n; j++)
            if (systolic_reads_weights(cut, &deal->blocks[j].block) &&
                systolic_same_weights(cut, &d->block, &deal->blocks[j].block))
                arrays |= deal->blocks[j].insn.arrays;
        emit_weights(w, cut, d, arrays);
        served |= arrays;
    }
}

/* Where a block's sums go, and what its array has of it already. */
static void prepare_block(struct lowering *w, const struct cut *cut, struct dealt *d)
{
    const struct plan_layer *l = &w->plan->layers[d->insn.layer];
    const struct lowered_array *a = &w->arrays[insn_array(&d->insn)];
    const int64_t half = systolic_choice(l)->double_buffer ? a->n_block % 2 : 0;
    d->insn.first = half * (w->self->cfg.accumulators / 2);
    d->block = systolic_block(w->self, w->plan, &d->insn);
    find_held(w, cut, d);
}

static void emit_product(struct lowering *w, const struct insn *rows, int64_t k0, uint32_t repeat)
{
    const struct plan_layer *l = &w->plan->layers[rows->layer];
    const bool is_conv = traits_convolves(plan_layer_traits(w->plan, l));
    struct insn in =
        insn_of_block(is_conv ? INSN_CONVOLVE : INSN_MATRIX_MULTIPLY, UNIT_MATRIX, rows);
    in.k0 = (int32_t)k0;
    in.repeat = repeat;
    w->arrays[insn_array(rows)].last_place = issue_insn(w, &in);
}

/* Rows of a block, complete, leave their place in the accumulators. */
static void emit_drain(struct lowering *w, const struct insn *rows, int64_t place)
{
    const struct plan_step *s = &w->plan->steps[rows->step];
    const int array = insn_array(rows);
    issue_set(w, UNIT_MATRIX, rows->arrays, rows->step);
    issue_wait(w, UNIT_ACTIVATION, UNIT_MATRIX, array, issue_n_set(w, UNIT_MATRIX, array),
               rows->step);
    struct insn in = insn_of_block(INSN_ACTIVATE, UNIT_ACTIVATION, rows);
    in.count =
        (uint64_t)((values_out(w->plan, s, rows->m0 + rows->m) - values_out(w->plan, s, rows->m0)) *
                   rows->n * plan_element_bytes(w->plan, w->plan->layers[s->layer].out));
    issue_insn(w, &in);
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

static void lower_block(struct lowering *w, const struct cut *cut, const struct dealt *d)
{
    const struct insn *block = &d->insn;
    const struct plan_layer *l = &w->plan->layers[block->layer];
    struct lowered_array *a = &w->arrays[insn_array(block)];
    const int half = systolic_choice(l)->double_buffer ? (int)(a->n_block % 2) : 0;
    emit_inputs(w, block, l);
    a->n_block++;
    if (systolic_parts(w->self, l) > 1) {
        lower_pieces(w, *block);
        return;
    }
    /* What this block overwrites must have been drained. */
    issue_wait(w, UNIT_MATRIX, UNIT_ACTIVATION, insn_array(block), a->drained[half], block->step);
    emit_product(w, block, 0,
                 (uint32_t)(systolic_n_stay(cut, &d->block) * systolic_n_passing(cut, &d->block)));
    emit_drain(w, block, half);
}

static void lower_deal(struct lowering *w, struct deal *deal)
{
    for (int i = 0; i < deal->n; i++)
        prepare_block(w, &deal->cut, &deal->blocks[i]);
    lower_weights(w, deal);
    for (int i = 0; i < deal->n; i++)
        lower_block(w, &deal->cut, &deal->blocks[i]);
    deal->n = 0;
}

/* The next block of a nest goes to the next array. */
static void deal_block(struct lowering *w, struct deal *deal, struct insn block)
{
    block.arrays = one_array(deal->n);
    deal->blocks[deal->n++].insn = block;
    if (deal->n == w->n_array)
        lower_deal(w, deal);
}

/* The tile nest of one step: groups, then output tiles and row blocks in the order chosen. */
static void blocks_lower(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    const struct plan_layer *l = &w->plan->layers[s->layer];
    const int64_t rows = plan_gemm_rows(w->plan, l, &s->region), cols = w->self->cfg.cols;
    const bool is = w->self->cfg.dataflow == FLOW_IS;
    const int64_t block_m = is ? cols : systolic_choice(l)->block_m,
                  block_n = is ? systolic_choice(l)->block_m : cols;
    const int64_t columns = plan_gemm_columns(w->plan, l, &s->region), n_begin = s->region.channel;
    const int64_t n_m = int64_div_up(rows, block_m), n_n = int64_div_up(columns, block_n);
    const bool n_outer = systolic_choice(l)->order == ORDER_NM;
    struct deal deal = {.cut = systolic_cut(w->self, w->plan, l)};
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
            const int64_t n0 = n_begin + (n_outer ? i / n_m : i % n_n) * block_n;
            deal_block(w, &deal,
                       (struct insn){.step = step,
                                     .layer = s->layer,
                                     .group = (int32_t)g,
                                     .tile_n = (int32_t)(n0 / cols),
                                     .m0 = m0,
                                     .m = MIN(block_m, rows - m0),
                                     .n0 = n0,
                                     .n = MIN(block_n, n_begin + columns - n0)});
        }
    }
    lower_deal(w, &deal);
    issue_step_done(w, UNIT_ACTIVATION, step);
}

static bool weights_fit(const struct systolic *s, const struct plan *p, GError **error)
{
    const uint64_t capacity = machine_memory(s->machine, ROLE_WEIGHTS)->size_bytes;
    if (p->weight_bytes <= capacity)
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: its weights fill %" PRIu64 " KiB of tiles of %" PRId64 " x %" PRId64
                     "; memory.%s of %s has %" PRIu64 " KiB%s",
                     p->graph->name, p->weight_bytes / 1024, s->cfg.rows, s->cfg.cols,
                     systolic_has_dram(s) ? "dram" : "weights", p->machine->name, capacity / 1024,
                     systolic_has_dram(s)
                         ? ""
                         : "; with memory.weights.overflow = \"stream\" layers that find no room "
                           "would fetch theirs over the host link");
}

/* Lowering: steps -> instructions. */

/* At the host, which alone is for the only array as well. */
static struct insn insn_of_step(enum opcode op, int step)
{
    return (struct insn){.op = (uint8_t)op, .unit = UNIT_HOST, .arrays = 1, .step = step};
}

/* The instruction that the step is. */
static void issue_for_step(struct lowering *w, const struct insn *in)
{
    issue_insn(w, in);
    issue_set(w, in->unit, in->arrays, in->step);
    issue_step_done(w, in->unit, in->step);
}

static void lower_transfer(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_HOST, s->after_compute, step);
    struct insn in = insn_of_step(s->kind == STEP_LOAD ? INSN_READ_HOST : INSN_WRITE_HOST, step);
    in.count = plan_region_bytes(w->plan, s->value, &s->region);
    in.first = (int64_t)plan_outside_address(w->plan, s->value, &s->region);
    in.last_of_chunk = s->kind == STEP_STORE && w->plan->layers[s->layer].kind != LAYER_HOST;
    issue_for_step(w, &in);
}

/* Where not all of a layer's outputs go to the host, a chunk of the others is complete with the
 * last instruction of the activation unit: with several arrays, any of the step can be the last. */
static void mark_last(struct lowering *w, const struct plan_step *s)
{
    const struct plan_layer *l = &w->plan->layers[s->layer];
    if (__builtin_popcount(l->stores) == l->n_out)
        return;
    const struct program *p = w->program;
    size_t last = SIZE_MAX;
    for (size_t at = w->step_place; at < p->code.n_byte; at += systolic_program_bytes(p, at)) {
        const enum opcode op = systolic_program_op(p, at);
        if (op != INSN_ACTIVATE && op != INSN_NORMALIZE_POOL && op != INSN_READ_ROWS)
            continue;
        last = at;
        if (w->n_array > 1)
            systolic_program_mark(w->program, at, MARK_LAST_OF_CHUNK);
    }
    if (last != SIZE_MAX)
        systolic_program_mark(w->program, last, MARK_LAST_OF_CHUNK);
}

static void lower_vector(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_load, step);
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_compute, step); /* at the others */
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_store, step);
    struct insn in = insn_of_step(INSN_NORMALIZE_POOL, step);
    in.unit = UNIT_ACTIVATION;
    in.arrays = all_arrays(w);
    in.count = systolic_vector_cyc(w->self, w->plan, s);
    issue_for_step(w, &in);
}

static void lower_weights_step(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_HOST, s->after_compute, step);
    struct insn in = insn_of_step(INSN_READ_PARAMETERS, step);
    in.count = w->plan->layers[s->layer].stored_bytes;
    issue_for_step(w, &in);
}

static void lower_lookup(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_HOST, s->after_compute, step);
    struct insn in = insn_of_step(INSN_READ_ROWS, step);
    in.count = (uint64_t)s->region.n_image;
    issue_for_step(w, &in);
}

static void lower_step(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    w->step_place = w->program->code.n_byte;
    switch (s->kind) {
    case STEP_LOAD:
    case STEP_STORE:
        lower_transfer(w, step);
        break;
    case STEP_WEIGHTS:
        lower_weights_step(w, step);
        break;
    case STEP_HOST:
        issue_insn(w, &(struct insn){.op = INSN_HOST_OPERATOR, .arrays = 1, .step = step});
        issue_step_done(w, UNIT_HOST, step);
        break;
    case STEP_COMPUTE:
        for (int i = 0; i < w->n_array && s->turn != w->turn; i++)
            w->arrays[i].n_block = w->arrays[i].place = 0;
        w->turn = s->turn;
        if (w->plan->layers[s->layer].kind == LAYER_MATRIX)
            blocks_lower(w, step);
        else if (w->plan->layers[s->layer].kind == LAYER_LOOKUP)
            lower_lookup(w, step);
        else
            lower_vector(w, step);
        mark_last(w, s);
        break;
    }
}

/* Instructions of a matrix layer's blocks and of everybody's transfers: a bound, for memory's sake.
 */
static bool program_fits(const struct systolic *s, const struct plan *p, GError **error)
{
    /* Bytes: measured, some 13 of the program, 2 of who issues it and 2 of when it is done. */
    enum { PER_BLOCK = 9, PER_STEP = 8, INSN_BYTES = 20 };
    const bool is = s->cfg.dataflow == FLOW_IS;
    double n = (double)p->n_step * PER_STEP;
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step *st = &p->steps[i];
        const struct plan_layer *l = &p->layers[st->layer];
        if (st->kind != STEP_COMPUTE || l->kind != LAYER_MATRIX)
            continue;
        const int64_t blocks = systolic_block_rows(s, p, l, &st->region);
        const int64_t across =
            is ? plan_gemm_rows(p, l, &st->region) : plan_gemm_columns(p, l, &st->region);
        const int64_t parts = systolic_parts(s, l);
        const int64_t between = parts > 1 ? 2 * int64_div_up(l->gemm.k, s->cfg.rows) : 0;
        n += (double)(PER_BLOCK * parts + between) * (double)plan_groups(l, &st->region) *
             (double)int64_div_up(blocks, systolic_choice(l)->block_m) *
             (double)int64_div_up(across, s->cfg.cols);
    }
    return plan_within_limit(p, n, INSN_BYTES, "instructions", error);
}

static void free_code(void *program)
{
    g_free(((struct program *)program)->code.bytes);
}

bool systolic_lower(const void *self, struct plan *p, GError **error)
{
    const struct systolic *s = self;
    struct program *program = arena_own(p->arena, ARENA_NEW(p->arena, struct program), free_code);
    if (!weights_fit(s, p, error) || !program_fits(s, p, error))
        return false;
    const size_t n = (size_t)s->cfg.n_array, n_unit = 1 + n * (N_UNIT - 1);
    struct lowering w = {
        .self = s,
        .plan = p,
        .program = program,
        .n_array = (int)n,
        .n_unit = (int)n_unit,
        .sets = ARENA_ARRAY(p->arena, uint64_t, n_unit),
        .waited = ARENA_ARRAY(p->arena, uint64_t, n_unit * n_unit),
        .done = ARENA_ARRAY(p->arena, uint64_t, (size_t)p->n_step * n),
        .done_unit = ARENA_ARRAY(p->arena, enum unit, (size_t)p->n_step),
        .arrays = ARENA_ARRAY(p->arena, struct lowered_array, n),
        .turn = -1,
    };
    for (size_t i = 0; i < n; i++)
        w.arrays[i].drained = g_new0(uint64_t, MAX(s->cfg.accumulators, 2));
    program->steps = p->steps;
    program->done = w.done;
    for (int i = 0; i < p->n_step; i++)
        lower_step(&w, i);
    systolic_program_read_ahead(program);
    for (size_t i = 0; i < n; i++)
        g_free(w.arrays[i].drained);
    p->program = program;
    return true;
}
