/* SPDX-License-Identifier: Apache-2.0 */
/* From what the processes counted to the record. */
#include <string.h>

#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_sim.h"
#include "arch/systolic/systolic_stream.h"
#include "sim/parts/cycles.h"
#include "sim/stat/power.h"

/* Power over time: what each unit spent on a step, over the cycles in which it was at the step. */

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
                            ? machine_memory(s->self->machine, ROLE_INPUTS)->bytes_per_cyc
                            : s->self->stream_bytes_per_cyc;
    if (in->unit != UNIT_WEIGHTS || rate <= 0)
        return span;
    const uint64_t takes_cyc = (uint64_t)((double)systolic_read_bytes(s->self, s->plan, in) / rate);
    span.start_cyc = MIN(span.start_cyc, span.end_cyc - MIN(span.end_cyc, takes_cyc));
    return span;
}

static double insn_pj(const struct systolic *self, const struct plan *p, const struct insn *in)
{
    struct tally l = {0};
    double pj = 0;
    systolic_count_insn(self, p, in, &l);
    for (int i = 0; i < self->machine->n_component; i++)
        pj += l.energy_pj[i];
    return pj;
}

/* By instructions; returns what they spent. */
static double add_steps(const struct sim *s, struct record *r)
{
    double sum_pj = 0;
    struct insn in;
    for (size_t at = 0; systolic_program_next(s->program, &at, WORK_OPS, &in);) {
        const double pj = insn_pj(s->self, s->plan, &in);
        if (pj <= 0)
            continue;
        const struct step_span span = span_of(s, &in);
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
        for (int c = 0; c < r->n_component; c++)
            pj += l->energy_pj[c];
        power_add(r, at_cyc, at_cyc + (double)l->cycles, pj);
        at_cyc += (double)l->cycles;
        sum_pj += pj;
    }
    return sum_pj;
}

/* What no instruction spent (idle power) is spent all the time. */
static void power_collect(const struct sim *s, struct record *r)
{
    power_begin(r);
    const double counted_pj = s && s->step_spans ? add_steps(s, r) : add_layers(r);
    const double rest_pj = record_energy_j(r) * 1e12 - counted_pj;
    power_add(r, 0, (double)r->total_cyc, MAX(rest_pj, 0)); /* but for rounding */
}

/* What memory and link moved is what the layers were charged for. */
static void check_traffic(const struct sim *s, const struct record *r)
{
    const struct machine *m = s->self->machine;
    const struct record_bytes weights = record_memory_bytes(r, machine_index(m, ROLE_WEIGHTS));
    const struct record_bytes inputs = record_memory_bytes(r, machine_index(m, ROLE_INPUTS));
    if (!machine_shares_weights(m)) { /* else they are counted with activations */
        g_assert(s->core.memory.read_bytes == weights.read);
        g_assert(s->core.memory.write_bytes == weights.write);
    }
    if (systolic_has_link(s->self))
        g_assert(s->core.host.sent_bytes == inputs.read + inputs.write);
}

static void put_tally(struct record_layer *l, const struct tally *from)
{
    memcpy(l->bytes, from->bytes, sizeof(from->bytes));
    memcpy(l->energy_pj, from->energy_pj, sizeof(from->energy_pj));
    l->macs = from->macs;
    l->host_cyc = from->host_cyc;
}

static void collect_event(const struct sim *s, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        put_tally(l, &s->layers[i]);
        memcpy(l->stall_cyc, s->layers[i].stall_cyc, sizeof(s->layers[i].stall_cyc));
    }
    check_traffic(s, r);
    shares_collect(s->shares, r);
    const int n = (int)s->self->cfg.n_array;
    for (int i = 0; i < n; i++)
        shares_add_waits(s->shares, (const struct shares_wait *)s->arrays[i].waits->data,
                         s->arrays[i].waits->len, r);
    for (int i = 0; i < r->n_layer; i++) /* means over the arrays */
        for (int c = 0; c < N_CAUSE; c++)
            r->layers[i].stall_cyc[c] /= (uint64_t)n;
}

static void add_unit(struct record *r, const char *name, uint64_t count, uint64_t busy_cyc)
{
    const struct record_unit unit = {.name = name, .count = count, .busy_cyc = busy_cyc};
    record_add_unit(r, &unit);
}

static bool is_scalesim(const struct systolic *self)
{
    return self->cfg.timing == TIMING_SCALESIM;
}

/* Cycles in which the array and the activation unit work on a layer; of several arrays the mean. */
struct work_cyc {
    uint64_t array, pass;
};

/* Of all arrays; as SCALE-Sim counts only matrix layers take time, each as a whole. */
static void add_work(const struct systolic *self, const struct plan *p, const struct insn *in,
                     struct work_cyc *work)
{
    if (in->op == INSN_NORMALIZE_POOL)
        work->pass += systolic_share_cyc(self, in->count);
    else if (in->op == INSN_MATRIX_MULTIPLY || in->op == INSN_CONVOLVE)
        work->array += systolic_active_cyc(self, p, in);
}

static void finish_work(const struct systolic *self, const struct plan *p, struct work_cyc *work)
{
    for (int i = 0; i < p->n_layer; i++)
        work[i] =
            is_scalesim(self)
                ? (struct work_cyc){.array = systolic_scalesim_active_cyc(self, &p->layers[i])}
                : (struct work_cyc){work[i].array / (uint64_t)self->cfg.n_array, work[i].pass};
}

/* By layer; the caller frees it. */
static struct work_cyc *work_cycles(const struct systolic *self, const struct plan *p)
{
    struct work_cyc *work = g_new0(struct work_cyc, p->n_layer);
    struct insn in;
    const uint32_t ops = 1 << INSN_MATRIX_MULTIPLY | 1 << INSN_CONVOLVE | 1 << INSN_NORMALIZE_POOL;
    for (size_t at = 0; !is_scalesim(self) && systolic_program_next(p->program, &at, ops, &in);)
        add_work(self, p, &in, &work[in.layer]);
    finish_work(self, p, work);
    return work;
}

/* Bytes, MACs, energy and work follow from the program; cycles and stalls are there already. */
static void collect_analytic(const struct systolic *self, const struct plan *p,
                             struct work_cyc *work, struct record *r)
{
    struct insn in;
    g_autofree struct tally *layers = g_new0(struct tally, p->n_layer);
    r->total_cyc = 0;
    for (size_t at = 0; systolic_program_next(p->program, &at, WORK_OPS, &in);) {
        systolic_count_insn(self, p, &in, &layers[in.layer]);
        add_work(self, p, &in, &work[in.layer]);
    }
    finish_work(self, p, work);
    for (int i = 0; i < r->n_layer; i++) {
        put_tally(&r->layers[i], &layers[i]);
        r->total_cyc += r->layers[i].cycles;
    }
}

/* Cycles are those of the process; what the program moves is counted all the same. */
static void collect_scalesim(const struct sim *s, struct work_cyc *work, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++) {
        r->layers[i].start_cycle = s->layers[i].start_cyc;
        r->layers[i].end_cycle = s->layers[i].end_cyc;
        r->layers[i].cycles = s->layers[i].end_cyc - s->layers[i].start_cyc;
    }
    collect_analytic(s->self, s->plan, work, r);
}

/* What the analytic model takes for alike may come to a little less than what the arrays do. */
static void bound_layers(const struct work_cyc *work, struct record *r)
{
    uint64_t later = 0;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const uint64_t cycles = MAX(l->cycles, work[i].array);
        uint64_t idle = cycles - work[i].array;
        l->start_cycle += later;
        later += cycles - l->cycles;
        l->end_cycle += later;
        l->cycles = cycles;
        for (int c = CAUSE_WEIGHT_STALL; c <= CAUSE_WEIGHT_SHIFT; c++) {
            l->stall_cyc[c] = MIN(l->stall_cyc[c], idle);
            idle -= l->stall_cyc[c];
        }
    }
    r->total_cyc += later;
}

static void finish_layers(const struct systolic *self, const struct plan *p,
                          const struct work_cyc *work, struct record *r)
{
    uint64_t stall_cyc[N_CAUSE] = {0};
    struct record_unit matrix = {.name = "matrix_unit",
                                 .count = (uint64_t)self->cfg.n_array,
                                 .causes = r->causes,
                                 .n_cause = N_CAUSE,
                                 .stall_cyc = stall_cyc};
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const uint64_t known =
            work[i].array + l->stall_cyc[CAUSE_WEIGHT_STALL] + l->stall_cyc[CAUSE_WEIGHT_SHIFT];
        g_assert(known <= l->cycles);
        l->stall_cyc[CAUSE_NON_MATRIX] = l->cycles - known;
        const struct plan_layer *pl = &p->layers[i];
        if (pl->kind == LAYER_MATRIX) {
            l->peak_macs_per_cycle =
                (double)(self->cfg.n_array * self->cfg.rows * self->cfg.cols) /
                (double)systolic_row_cyc(self, p->formats[pl->in[0]], pl->weight_format);
            matrix.useful_cyc += (double)l->macs / l->peak_macs_per_cycle;
        }
        systolic_count_layer_end(self, l, work[i].array + work[i].pass);
        if (pl->kind == LAYER_LOOKUP && l->cycles > 0)
            l->bound = BOUND_MEMORY; /* it does nothing but read */
        matrix.busy_cyc += work[i].array;
        for (int c = 0; c < N_CAUSE; c++)
            stall_cyc[c] += l->stall_cyc[c];
    }
    record_add_unit(r, &matrix);
}

/* What it carried, tiles that are streamed among it, and the descriptors set up for it. */
static uint64_t link_busy_cyc(const struct sim *s, const struct record *r)
{
    const struct dma *d = &s->core.dma;
    return MIN(cycles_ceil(s->core.host.carried_cyc) + d->n_block * d->setup_cyc, r->total_cyc);
}

/* What moved through it, at its peak or as its rows and banks took. */
static uint64_t dram_busy_cyc(const struct sim *s, const struct record *r)
{
    const struct dram *d = &s->core.memory;
    const struct record_dram *banks = &r->drams[machine_index(s->self->machine, ROLE_WEIGHTS)];
    const double peak_cyc = (double)(d->read_bytes + d->write_bytes) * d->cyc_per_byte;
    return MIN(banks->known ? banks->busy_cyc : cycles_ceil(peak_cyc), r->total_cyc);
}

bool systolic_estimate(const void *self, const struct plan *p, struct record *r, GError **error)
{
    (void)error;
    g_autofree struct work_cyc *work = g_new0(struct work_cyc, p->n_layer);
    systolic_cost_layers(self, p, r);
    collect_analytic(self, p, work, r);
    if (!is_scalesim(self))
        bound_layers(work, r);
    finish_layers(self, p, work, r);
    systolic_price_memory(self, r);
    power_collect(NULL, r);
    return true;
}

bool systolic_collect(void *run, struct record *r, GError **error)
{
    struct sim *s = run;
    if (s->error) {
        g_propagate_error(error, g_steal_pointer(&s->error));
        return false;
    }
    g_autofree struct work_cyc *work = work_cycles(s->self, s->plan);
    if (is_scalesim(s->self))
        collect_scalesim(s, work, r);
    else
        collect_event(s, r);
    finish_layers(s->self, s->plan, work, r);
    if (!is_scalesim(s->self))
        dram_collect(&s->core.memory, r->total_cyc,
                     &r->drams[machine_index(s->self->machine, ROLE_WEIGHTS)]);
    systolic_price_memory(s->self, r);
    power_collect(s, r);
    if (is_scalesim(s->self))
        return true;
    uint64_t busy_cyc = 0;
    for (int64_t i = 0; i < s->self->cfg.n_array; i++)
        busy_cyc += s->arrays[i].units[UNIT_ACTIVATION].busy_cyc;
    const uint64_t n_array = (uint64_t)s->self->cfg.n_array;
    add_unit(r, "activation_unit", n_array, busy_cyc / n_array);
    if (systolic_has_dram(s->self))
        add_unit(r, "dram", 1, dram_busy_cyc(s, r));
    if (systolic_has_link(s->self))
        add_unit(r, "host_link", 1, link_busy_cyc(s, r));
    return true;
}
