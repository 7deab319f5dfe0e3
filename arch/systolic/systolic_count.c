/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: MACs, bytes and energy of each instruction, and what bounds a layer. */
#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_count.h"
#include "arch/systolic/systolic_stream.h"
#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "sim/base/size.h"

/* Values of k that a matrix instruction works off. */
static int64_t k_of(const struct systolic *s, const struct plan_layer *l, const struct insn *in)
{
    if (s->cfg.dataflow != FLOW_WS)
        return l->gemm.k;
    const int64_t k0 = in->k0 * s->cfg.rows;
    return MIN(in->repeat * s->cfg.rows, l->gemm.k - k0);
}

/* What comes from the memory of weights, or of a layer that is streamed over the host link. */
static void count_weights(const struct systolic *s, const struct plan_layer *pl, uint64_t bytes,
                          struct tally *l)
{
    const double byte_pj = pl->streamed ? s->cfg.energy.host_byte_pj : s->read_byte_pj;
    l->bytes[machine_index(s->machine, pl->streamed ? ROLE_INPUTS : ROLE_WEIGHTS)].read += bytes;
    systolic_spend(s, l->energy_pj, pl->streamed ? ENERGY_HOST : ENERGY_WEIGHTS,
                   (double)bytes * byte_pj);
}

/* What k values of m rows take from the unified buffer. */
static void count_inputs(const struct systolic *s, const struct plan *p, const struct insn *in,
                         int64_t k, struct tally *l)
{
    const struct plan_layer *pl = &p->layers[in->layer];
    const uint64_t bytes = (uint64_t)(in->m * k) * number_bytes(p->formats[pl->in[0]]);
    l->bytes[machine_index(s->machine, ROLE_ACTIVATIONS)].read += bytes;
    systolic_spend(s, l->energy_pj, ENERGY_BUFFER, (double)bytes * s->cfg.energy.buffer_byte_pj);
}

static void count_matrix(const struct systolic *s, const struct plan *p, const struct insn *in,
                         struct tally *l)
{
    const struct systolic_energy *e = &s->cfg.energy;
    const struct plan_layer *pl = &p->layers[in->layer];
    const uint64_t m = (uint64_t)in->m, n = (uint64_t)in->n, k = (uint64_t)k_of(s, pl, in);
    const uint64_t useful = m * n * k / (uint64_t)pl->packed;
    l->macs += useful;
    const uint64_t passes = systolic_row_cyc(s, p->formats[pl->in[0]], pl->weight_format);
    const uint64_t sum = systolic_sum_bytes(p, pl);
    const int64_t sum_k = pl->sum_k ? pl->sum_k : pl->gemm.k;
    const uint64_t n_sum = (uint64_t)int64_div_up((int64_t)k, sum_k); /* that join a result */
    if (s->cfg.dataflow != FLOW_IS) /* where they stay, they come with SHIFT_INPUTS */
        count_inputs(s, p, in, (int64_t)k, l);
    systolic_spend(s, l->energy_pj, ENERGY_MATRIX, (double)(useful * passes) * e->mac_pj);
    /* Every sum is written; all but the first are added to one that is read. */
    systolic_spend(s, l->energy_pj, ENERGY_ACCUMULATORS,
                   (double)(m * n * sum * (2 * n_sum - (in->k0 == 0))) * e->accumulator_byte_pj);
}

static void count_output(const struct systolic *s, uint64_t bytes_out, uint64_t bytes_in,
                         struct tally *l)
{
    const struct systolic_energy *e = &s->cfg.energy;
    l->bytes[machine_index(s->machine, ROLE_ACTIVATIONS)].write += bytes_out;
    l->bytes[machine_index(s->machine, ROLE_ACTIVATIONS)].read += bytes_in;
    systolic_spend(s, l->energy_pj, ENERGY_BUFFER,
                   (double)(bytes_out + bytes_in) * e->buffer_byte_pj);
}

static void count_activate(const struct systolic *s, const struct plan *p, const struct insn *in,
                           struct tally *l)
{
    const struct systolic_energy *e = &s->cfg.energy;
    const struct plan_layer *pl = &p->layers[in->layer];
    const int64_t values = in->m * in->n;
    const int64_t added = pl->added ? values : 0;
    count_output(s, in->count, (uint64_t)(added * plan_element_bytes(p, pl->in[pl->added])), l);
    systolic_spend(s, l->energy_pj, ENERGY_ACCUMULATORS,
                   (double)(values * (int64_t)systolic_sum_bytes(p, pl)) * e->accumulator_byte_pj);
    systolic_spend(s, l->energy_pj, ENERGY_ACTIVATION, (double)(values + added) * e->activation_pj);
}

static void count_vector(const struct systolic *s, const struct plan *p, const struct insn *in,
                         struct tally *l)
{
    const struct plan_step *st = &p->steps[in->step];
    const struct plan_layer *pl = &p->layers[in->layer];
    uint64_t bytes_in = 0, values_in = 0, bytes_out = 0;
    if (pl->permute) { /* read once, as many as are written */
        values_in = (uint64_t)(st->region.n_image * st->region.n_row) *
                    (uint64_t)(plan_out_row_bytes(p, pl) / plan_element_bytes(p, pl->out));
        bytes_in = values_in * (uint64_t)plan_element_bytes(p, pl->in[0]);
    }
    for (int j = 0; j < pl->n_in && !pl->permute; j++) {
        const uint64_t values = (uint64_t)(plan_pixels_read(p, pl, j, &st->region) *
                                           plan_channels_read(p, pl, j, &st->region)) *
                                systolic_reads(p, pl);
        values_in += values;
        bytes_in += values * (uint64_t)plan_element_bytes(p, pl->in[j]);
    }
    for (int k = 0; k < pl->n_out; k++) {
        const struct region r = plan_output_region(p, pl, k, &st->region);
        bytes_out += plan_region_bytes(p, pl->outs[k], &r);
    }
    count_output(s, bytes_out, bytes_in, l);
    systolic_spend(s, l->energy_pj, ENERGY_ACTIVATION,
                   (double)values_in * s->cfg.energy.activation_pj);
}

/* Indices are read in the buffer, rows written there. */
static void count_rows(const struct systolic *s, const struct plan *p, const struct insn *in,
                       struct tally *l)
{
    const struct plan_layer *pl = &p->layers[in->layer];
    const uint64_t bytes = in->count * (uint64_t)lookup_row_bytes(p, pl);
    count_weights(s, pl, bytes, l);
    count_output(s, bytes, in->count * (uint64_t)plan_element_bytes(p, pl->in[0]), l);
}

/* From or to where the value lies outside the chip. */
static void count_transfer(const struct systolic *s, const struct plan *p, const struct insn *in,
                           struct tally *l)
{
    const int value = p->steps[in->step].value;
    const bool is_read = in->op == INSN_READ_HOST, link = systolic_crosses_link(s, p, value);
    struct record_bytes *bytes = &l->bytes[p->homes[value].outside];
    const double byte_pj = link      ? s->cfg.energy.host_byte_pj
                           : is_read ? s->read_byte_pj
                                     : s->write_byte_pj;
    *(is_read ? &bytes->read : &bytes->write) += in->count;
    systolic_spend(s, l->energy_pj, link ? ENERGY_HOST : ENERGY_WEIGHTS,
                   (double)in->count * byte_pj);
    count_output(s, is_read ? in->count : 0, is_read ? 0 : in->count, l);
}

void systolic_count_insn(const struct systolic *s, const struct plan *p, const struct insn *in,
                         struct tally *l)
{
    const struct systolic_energy *e = &s->cfg.energy;
    uint64_t tiles_bytes;
    switch ((enum opcode)in->op) {
    case INSN_READ_HOST:
    case INSN_WRITE_HOST:
        count_transfer(s, p, in, l);
        break;
    case INSN_READ_PARAMETERS:
        count_weights(s, &p->layers[in->layer], in->count, l);
        count_output(s, in->count, 0, l);
        break;
    case INSN_READ_ROWS:
        count_rows(s, p, in, l);
        break;
    case INSN_SHIFT_INPUTS:
        count_inputs(s, p, in, p->layers[in->layer].gemm.k, l);
        break;
    case INSN_READ_WEIGHTS:
        tiles_bytes = systolic_read_bytes(s, p, in);
        if (systolic_from_buffer(&p->layers[in->layer]))
            count_output(s, 0, tiles_bytes, l);
        else
            count_weights(s, &p->layers[in->layer], tiles_bytes, l);
        /* In and out, of the FIFO of each array that it is for. */
        systolic_spend(s, l->energy_pj, ENERGY_FIFO,
                       (double)(2 * (uint64_t)insn_n_array(in) * tiles_bytes) * e->fifo_byte_pj);
        break;
    case INSN_MATRIX_MULTIPLY:
    case INSN_CONVOLVE:
        count_matrix(s, p, in, l);
        break;
    case INSN_ACTIVATE:
        count_activate(s, p, in, l);
        break;
    case INSN_NORMALIZE_POOL:
        count_vector(s, p, in, l);
        break;
    case INSN_HOST_OPERATOR:
        l->host_cyc = systolic_host_cyc(s, p, &p->layers[in->layer]);
        break;
    case INSN_SYNC_SET:
    case INSN_SYNC_WAIT:
    case N_INSN:
        break;
    }
}

/* Cycles that a layer's bytes take of the memory of a role: of a DRAM for everything weights as
 * well as transfers. */
static double memory_cyc(const struct systolic *s, const struct record_layer *l,
                         enum machine_role role)
{
    const struct record_bytes *bytes = &l->bytes[machine_index(s->machine, role)];
    const double rate = machine_memory(s->machine, role)->bytes_per_cyc;
    return rate > 0 ? (double)(bytes->read + bytes->write) / rate : 0;
}

/* What occupies a layer longest: its own work, weights that the array waits for, or memories and
 * links that it transfers over. Where none takes half of its cycles, it waits for something else:
 * SCALE-Sim's, for the array to load, fill and drain. */
void systolic_count_layer_end(const struct systolic *s, struct record_layer *l, uint64_t work_cyc)
{
    systolic_spend(s, l->energy_pj, ENERGY_IDLE,
                   (double)l->cycles / s->clock_hz * s->cfg.energy.idle_w * 1e12);
    const double weights =
        (double)(l->stall_cyc[CAUSE_WEIGHT_STALL] + l->stall_cyc[CAUSE_WEIGHT_SHIFT]);
    const double transfers = MAX(memory_cyc(s, l, ROLE_INPUTS), memory_cyc(s, l, ROLE_SPILL));
    const double memory = MAX(weights, transfers), work = (double)work_cyc;
    if (l->cycles == 0)
        l->bound = BOUND_NONE;
    else if (s->cfg.timing == TIMING_SCALESIM) /* a fold loads, fills and drains, or it streams */
        l->bound = work_cyc < l->cycles - work_cyc ? BOUND_LATENCY : BOUND_COMPUTE;
    else if (MAX(memory, work) < (double)l->cycles / 2)
        l->bound = BOUND_SYNC;
    else
        l->bound = memory > work ? BOUND_MEMORY : BOUND_COMPUTE;
}
