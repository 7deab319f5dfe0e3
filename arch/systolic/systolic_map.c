/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering: steps -> instructions. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_lower.h"
#include "sim/base/size.h"

static void lower_transfer(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_HOST, s->after_compute, step);
    struct insn *in =
        issue_insn(w, s->kind == STEP_LOAD ? INSN_READ_HOST : INSN_WRITE_HOST, UNIT_HOST, 1, step);
    in->count = (uint64_t)(s->region.n_image * s->region.n_row * plan_row_bytes(w->plan, s->value));
    in->last_of_chunk = s->kind == STEP_STORE && w->plan->layers[s->layer].kind != LAYER_HOST;
    issue_set(w, UNIT_HOST, 1, step);
    issue_step_done(w, UNIT_HOST, step);
}

/* Where nothing of a layer's output goes to the host, a chunk of it is complete with the last
 * instruction of the activation unit: with several arrays, any of the step can be the last. */
static void mark_last(struct lowering *w, const struct plan_step *s)
{
    if (w->plan->layers[s->layer].stores)
        return;
    for (guint i = w->insns->len; i > 0; i--) {
        struct insn *in = &g_array_index(w->insns, struct insn, i - 1);
        if (&w->plan->steps[in->step] != s)
            return;
        if (in->op != INSN_ACTIVATE && in->op != INSN_NORMALIZE_POOL && in->op != INSN_READ_ROWS)
            continue;
        in->last_of_chunk = true;
        if (w->n_array == 1)
            return;
    }
}

static void lower_vector(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_load, step);
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_compute, step); /* at the others */
    issue_wait_for_step(w, UNIT_ACTIVATION, s->after_store, step);
    issue_insn(w, INSN_NORMALIZE_POOL, UNIT_ACTIVATION, all_arrays(w), step)->count =
        core_vector_cyc(w->self, w->plan, s);
    issue_set(w, UNIT_ACTIVATION, all_arrays(w), step);
    issue_step_done(w, UNIT_ACTIVATION, step);
}

static void lower_lookup(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    issue_wait_for_step(w, UNIT_HOST, s->after_compute, step);
    issue_insn(w, INSN_READ_ROWS, UNIT_HOST, 1, step)->count = (uint64_t)s->region.n_image;
    issue_set(w, UNIT_HOST, 1, step);
    issue_step_done(w, UNIT_HOST, step);
}

static void lower_step(struct lowering *w, int step)
{
    const struct plan_step *s = &w->plan->steps[step];
    switch (s->kind) {
    case STEP_LOAD:
    case STEP_STORE:
        lower_transfer(w, step);
        break;
    case STEP_HOST:
        issue_insn(w, INSN_HOST_OPERATOR, UNIT_HOST, 1, step);
        issue_step_done(w, UNIT_HOST, step);
        break;
    case STEP_COMPUTE:
        for (int i = 0; i < w->n_array && s->pass != w->pass; i++)
            w->arrays[i].n_block = w->arrays[i].place = 0;
        w->pass = s->pass;
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
    enum { PER_BLOCK = 9, PER_STEP = 8 };
    const bool is = s->cfg.dataflow == FLOW_IS;
    double n = (double)p->n_step * PER_STEP;
    for (int i = 0; i < p->n_step; i++) {
        const struct plan_step *st = &p->steps[i];
        const struct plan_layer *l = &p->layers[st->layer];
        if (st->kind != STEP_COMPUTE || l->kind != LAYER_MATRIX)
            continue;
        const int64_t blocks = plan_block_rows(p, l, &st->region);
        const int64_t across = is ? plan_gemm_rows(p, l, &st->region) : l->gemm.n;
        const int parts = systolic_parts(s, l);
        const int64_t between = parts > 1 ? 2 * int64_div_up(l->gemm.k, s->cfg.rows) : 0;
        n += (double)(PER_BLOCK * parts + between) * (double)plan_groups(l, &st->region) *
             (double)int64_div_up(blocks, l->tiling.block_m) *
             (double)int64_div_up(across, s->cfg.cols);
    }
    return plan_within_limit(p, n, sizeof(struct insn), "instructions", error);
}

bool systolic_lower(const void *self, struct plan *p, GError **error)
{
    const struct systolic *s = self;
    struct program *program = ARENA_NEW(p->arena, struct program);
    if (!weights_fit(s, p, error) || !program_fits(s, p, error) ||
        (p->quant && !weights_pack(s, p, program, error)))
        return false;
    const size_t n = (size_t)s->cfg.n_array, n_unit = 1 + n * (N_UNIT - 1);
    struct lowering w = {
        .self = s,
        .plan = p,
        .insns = g_array_new(FALSE, TRUE, sizeof(struct insn)),
        .n_array = (int)n,
        .n_unit = (int)n_unit,
        .sets = ARENA_ARRAY(p->arena, uint64_t, n_unit),
        .waited = ARENA_ARRAY(p->arena, uint64_t, n_unit * n_unit),
        .done = ARENA_ARRAY(p->arena, uint64_t, (size_t)p->n_step * n),
        .done_unit = ARENA_ARRAY(p->arena, enum unit, (size_t)p->n_step),
        .arrays = ARENA_ARRAY(p->arena, struct lowered_array, n),
        .pass = -1,
    };
    for (size_t i = 0; i < n; i++) {
        w.arrays[i].drained = g_new0(uint64_t, MAX(s->cfg.accumulators, 2));
        w.arrays[i].weight_tile = -1;
    }
    program->done = w.done;
    for (int i = 0; i < p->n_step; i++)
        lower_step(&w, i);
    issue_ahead(w.insns);
    program->n_meeting = issue_meetings(w.insns);
    program->insns = arena_own(p->arena, w.insns, (GDestroyNotify)g_array_unref);
    for (size_t i = 0; i < n; i++)
        g_free(w.arrays[i].drained);
    p->program = program;
    return true;
}
