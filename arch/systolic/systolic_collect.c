/* SPDX-License-Identifier: Apache-2.0 */
/* From what the processes counted to the record. */
#include <string.h>

#include "arch/systolic/systolic_sim.h"

/* When the next layer that computes on the machine begins to; compute_cyc NULL: not known. */
static uint64_t next_compute_cyc(const struct record *r, const uint64_t *compute_cyc, int i)
{
    for (int j = i + 1; compute_cyc && j < r->n_layer; j++)
        if (compute_cyc[j] != UINT64_MAX)
            return compute_cyc[j];
    return UINT64_MAX;
}

/* A layer's share of the total runs from the end of the layers before it to its own end, or to
 * where a later layer begins to compute: layers compute behind a full barrier, but an output may
 * still be on its way to the host then. The last share ends with the run. What the array did not do
 * otherwise in a share is non_matrix. */
static void share_cycles(struct record *r, const uint64_t *compute_cyc)
{
    uint64_t before = 0;
    for (int i = 0; i < r->n_layer; i++)
        r->total_cyc = MAX(r->total_cyc, r->layers[i].end_cycle);
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        uint64_t end = MIN(l->end_cycle, next_compute_cyc(r, compute_cyc, i));
        end = i + 1 < r->n_layer ? MAX(before, end) : r->total_cyc;
        l->cycles = end - before;
        before = end;
    }
}

/* A wait at the barrier between layers lies in the share of the layer waited for: each span is cut
 * at the ends of the shares. */
static void share_waits(const struct sim *s, struct record *r)
{
    int i = 0;
    uint64_t end = r->n_layer ? r->layers[0].cycles : 0;
    for (guint j = 0; j < s->waits->len; j++) {
        const struct wait_span *w = &g_array_index(s->waits, struct wait_span, j);
        for (uint64_t at = w->start_cyc; at < w->end_cyc;) {
            while (at >= end && i + 1 < r->n_layer)
                end += r->layers[++i].cycles;
            const uint64_t until = at < end ? MIN(w->end_cyc, end) : w->end_cyc;
            r->layers[i].stall_cyc[w->cause] += until - at;
            at = until;
        }
    }
}

/* What memory and link moved is what the layers were charged for. */
static void check_traffic(const struct sim *s, const struct record *r)
{
    const struct record_bytes host = record_memory_bytes(r, MEM_HOST);
    g_assert(s->core.weights.read_bytes == record_memory_bytes(r, MEM_WEIGHTS).read);
    g_assert(s->core.host.sent_bytes == host.read + host.write);
}

static void collect_event(const struct sim *s, struct record *r)
{
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const struct record_layer *from = &s->layers[i];
        memcpy(l->stall_cyc, from->stall_cyc, sizeof(l->stall_cyc));
        memcpy(l->bytes, from->bytes, sizeof(l->bytes));
        memcpy(l->energy_pj, from->energy_pj, sizeof(l->energy_pj));
        l->macs = from->macs;
        l->start_cycle = from->start_cycle;
        l->end_cycle = from->end_cycle;
    }
    check_traffic(s, r);
    share_cycles(r, s->compute_cyc);
    share_waits(s, r);
}

/* Bytes, MACs and energy follow from the program; cycles and stalls are there already. */
static void collect_analytic(const struct systolic *self, const struct plan *p, struct record *r)
{
    const struct program *program = p->program;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        memset(l->bytes, 0, sizeof(l->bytes));
        memset(l->energy_pj, 0, sizeof(l->energy_pj));
        l->macs = 0;
    }
    for (guint i = 0; i < program->insns->len; i++) {
        const struct insn *in = &g_array_index(program->insns, struct insn, i);
        count_insn(self, p, in, &r->layers[in->layer]);
    }
    share_cycles(r, NULL);
}

/* Cycles in which the array computed: a row of each block for each of its tiles. */
static uint64_t array_cyc(const struct insn *in)
{
    const bool is_matrix = in->op == INSN_MATRIX_MULTIPLY || in->op == INSN_CONVOLVE;
    return is_matrix ? in->repeat * core_matrix_cyc(in->m) : 0;
}

static uint64_t pass_cyc(const struct insn *in)
{
    return in->op == INSN_NORMALIZE_POOL ? in->count : 0;
}

/* A sum over the program, by layer. */
static uint64_t *sum_cycles(const struct plan *p, uint64_t (*cycles)(const struct insn *in))
{
    const struct program *program = p->program;
    uint64_t *sum = ARENA_ARRAY(p->arena, uint64_t, (size_t)p->n_layer);
    for (guint i = 0; i < program->insns->len; i++) {
        const struct insn *in = &g_array_index(program->insns, struct insn, i);
        sum[in->layer] += cycles(in);
    }
    return sum;
}

static void add_unit(struct record *r, const char *name, uint64_t busy_cyc)
{
    r->units[r->n_unit++] = (struct record_unit){.name = name, .busy_cyc = busy_cyc};
}

static void finish_layers(const struct systolic *self, const struct plan *p, struct record *r)
{
    const uint64_t *active = sum_cycles(p, array_cyc), *pass = sum_cycles(p, pass_cyc);
    struct record_unit matrix = {.name = "matrix_unit"};
    matrix.useful_cyc = (double)record_macs(r) / (double)self->tile_bytes;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const uint64_t known =
            active[i] + l->stall_cyc[CAUSE_WEIGHT_STALL] + l->stall_cyc[CAUSE_WEIGHT_SHIFT];
        g_assert(known <= l->cycles);
        l->stall_cyc[CAUSE_NON_MATRIX] = l->cycles - known;
        l->peak_macs_per_cycle = p->layers[i].kind == LAYER_MATRIX ? (double)self->tile_bytes : 0;
        count_layer_end(self, l, active[i] + pass[i]);
        matrix.busy_cyc += active[i];
        for (int c = 0; c < N_CAUSE; c++)
            matrix.stall_cyc[c] += l->stall_cyc[c];
    }
    r->units[r->n_unit++] = matrix;
}

bool systolic_collect(const void *self, const struct plan *p, void *run, struct record *r,
                      GError **error)
{
    struct sim *s = run;
    if (s && s->error) {
        g_propagate_error(error, s->error);
        return false;
    }
    if (s)
        collect_event(s, r);
    else
        collect_analytic(self, p, r);
    finish_layers(self, p, r);
    if (!s)
        return true;
    add_unit(r, "activation_unit", s->units[UNIT_ACTIVATION].busy_cyc);
    add_unit(r, "host_link", s->units[UNIT_HOST].busy_cyc);
    if (s->state)
        state_clear(s->state);
    return true;
}
