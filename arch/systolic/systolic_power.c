/* SPDX-License-Identifier: Apache-2.0 */
/* Power over time: what each unit spent on a step, over the cycles in which it was at the step. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_sim.h"
#include "sim/stat/power.h"

void power_note(struct sim *s, enum unit unit, int step, uint64_t start_cyc, uint64_t end_cyc)
{
    struct step_span *span = &s->step_spans[(size_t)step * N_UNIT + unit];
    if (span->end_cyc == 0 || start_cyc < span->start_cyc)
        span->start_cyc = start_cyc;
    span->end_cyc = MAX(span->end_cyc, end_cyc);
}

static bool has_span(const struct step_span *span)
{
    return span->end_cyc > 0;
}

/* When a unit was at a step; weights, whose unit only asks for them, come until the array has them:
 * as long as they take at the rate of the memory, or of the link, at least. */
static struct step_span span_of(const struct sim *s, const struct insn *in)
{
    const struct step_span *spans = &s->step_spans[(size_t)in->step * N_UNIT];
    struct step_span span = spans[in->unit == UNIT_WEIGHTS ? UNIT_MATRIX : in->unit];
    for (int u = 0; u < N_UNIT && !has_span(&span); u++)
        span = spans[u];
    const double rate = s->plan->layers[in->layer].streamed
                            ? s->self->machine->memories[MEM_HOST].bytes_per_cyc
                            : s->self->stream_bytes_per_cyc;
    if (in->unit != UNIT_WEIGHTS || rate <= 0)
        return span;
    const uint64_t takes_cyc = (uint64_t)((double)flow_read_bytes(s->self, s->plan, in) / rate);
    span.start_cyc = MIN(span.start_cyc, span.end_cyc - MIN(span.end_cyc, takes_cyc));
    return span;
}

static double insn_pj(const struct systolic *self, const struct plan *p, const struct insn *in)
{
    struct record_layer l = {0};
    double pj = 0;
    count_insn(self, p, in, &l);
    for (int i = 0; i < N_ENERGY; i++)
        pj += l.energy_pj[i];
    return pj;
}

/* By instructions; returns what they spent. */
static double add_steps(const struct sim *s, struct record *r)
{
    double sum_pj = 0;
    for (guint i = 0; i < s->program->insns->len; i++) {
        const struct insn *in = &g_array_index(s->program->insns, struct insn, i);
        const double pj = insn_pj(s->self, s->plan, in);
        if (pj <= 0)
            continue;
        const struct step_span span = span_of(s, in);
        power_add(r, (double)span.start_cyc, (double)span.end_cyc, pj);
        sum_pj += pj;
    }
    return sum_pj;
}

/* Without events a layer's energy is spent evenly over its share of the time. */
static double add_layers(struct record *r)
{
    double sum_pj = 0, at_cyc = 0;
    for (int i = 0; i < r->n_layer; i++) {
        const struct record_layer *l = &r->layers[i];
        double pj = 0;
        for (int c = 0; c < N_ENERGY; c++)
            pj += l->energy_pj[c];
        power_add(r, at_cyc, at_cyc + (double)l->cycles, pj);
        at_cyc += (double)l->cycles;
        sum_pj += pj;
    }
    return sum_pj;
}

/* What no instruction spent (idle power) is spent all the time. */
void power_collect(const struct sim *s, struct record *r)
{
    power_begin(r);
    const double counted_pj = s && s->step_spans ? add_steps(s, r) : add_layers(r);
    const double rest_pj = record_energy_j(r) * 1e12 - counted_pj;
    power_add(r, 0, (double)r->total_cyc, MAX(rest_pj, 0)); /* but for rounding */
}
