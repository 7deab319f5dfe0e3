/* SPDX-License-Identifier: Apache-2.0 */
/* array.timing = "scalesim": the cycles that SCALE-Sim v3 counts, one layer after the other, and
 * the process that lets them pass (docs/systolic.md, "As SCALE-Sim counts"). */
#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_func.h"
#include "arch/systolic/systolic_sim.h"
#include "sim/base/size.h"

/* Folds of one group, the rows that stream in each and the cycles that each takes. */
struct scalesim_fold {
    uint64_t n_fold, streamed, cycles;
};

/* K and N, K and M, or M and N lie along rows and columns; what is left streams. */
static struct scalesim_fold fold_of(const struct systolic *s, const struct gemm *g)
{
    const int64_t along_rows = s->cfg.dataflow == FLOW_OS ? g->m : g->k;
    const int64_t along_cols = s->cfg.dataflow == FLOW_IS ? g->m : g->n;
    const int64_t streamed = s->cfg.dataflow == FLOW_WS   ? g->m
                             : s->cfg.dataflow == FLOW_OS ? g->k
                                                          : g->n;
    const uint64_t load = s->cfg.dataflow == FLOW_OS ? 0 : (uint64_t)s->cfg.rows;
    return (struct scalesim_fold){
        .n_fold = (uint64_t)(int64_div_up(along_rows, s->cfg.rows) *
                             int64_div_up(along_cols, s->cfg.cols)),
        .streamed = (uint64_t)streamed,
        .cycles = load + (uint64_t)(s->cfg.rows + s->cfg.cols + streamed) - 2,
    };
}

uint64_t systolic_scalesim_layer_cyc(const struct systolic *s, const struct plan_layer *l)
{
    if (l->kind != LAYER_MATRIX)
        return 0;
    const struct scalesim_fold f = fold_of(s, &l->gemm);
    return (uint64_t)l->gemm.groups * (f.n_fold * f.cycles - 1);
}

uint64_t systolic_scalesim_active_cyc(const struct systolic *s, const struct plan_layer *l)
{
    if (l->kind != LAYER_MATRIX)
        return 0;
    const struct scalesim_fold f = fold_of(s, &l->gemm);
    /* A 1 x 1 array fills in no time, so that the cycle which the count leaves out is a busy one.
     */
    return MIN((uint64_t)l->gemm.groups * f.n_fold * f.streamed, systolic_scalesim_layer_cyc(s, l));
}

void systolic_scalesim_process(void *arg)
{
    struct sim *s = arg;
    for (int i = 0; i < s->plan->n_layer; i++) {
        s->layers[i].start_cyc = sk_now();
        sk_wait_cycles(systolic_scalesim_layer_cyc(s->self, &s->plan->layers[i]));
        s->layers[i].end_cyc = sk_now();
    }
    if (s->state && !systolic_func_replay(s->state, &s->error))
        sk_stop();
}
