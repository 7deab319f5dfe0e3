/* SPDX-License-Identifier: Apache-2.0 */
/* What instructions do to the machine's contents. */
#include <string.h>

#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_func.h"
#include "arch/systolic/systolic_product.h"
#include "arch/systolic/systolic_stream.h"
#include "arch/systolic/systolic_vector.h"
#include "mapper/values/lookup.h"

static int64_t sum_bytes(const struct machine_state *m, const struct insn *in)
{
    return (int64_t)systolic_sum_bytes(m->plan, &m->plan->layers[in->layer]);
}

/* Column j of the square, an output channel of the rows in the array, is a row of sums in the
 * accumulators, added to what is there unless it is the first. */
static void turn_square(struct machine_state *m, const struct product *p)
{
    const struct insn *in = p->insn;
    const int64_t cols = m->self->cfg.cols, size = sum_bytes(m, in);
    for (int64_t j = 0; j < p->n; j++) {
        for (int64_t i = 0; i < in->m; i++) {
            char *sum =
                (char *)state_array(m, in)->accumulators + ((in->first + j) * cols + i) * size;
            const char *part = (const char *)m->square + (i * cols + j) * size;
            if (p->is_first)
                memcpy(sum, part, (size_t)size);
            else if (number_is_float(p->in))
                *(float *)sum += *(const float *)part;
            else if (size == sizeof(int32_t))
                *(int32_t *)sum += *(const int32_t *)part;
            else
                *(int64_t *)sum += *(const int64_t *)part;
        }
    }
}

/* As long as the product is made, the square takes the place of the accumulators. */
static void multiply_square(struct machine_state *m, const struct product *p)
{
    struct array_state *array = state_array(m, p->insn);
    void *accumulators = array->accumulators;
    struct insn in = *p->insn;
    struct product part = *p;
    in.first = 0;
    part.insn = &in;
    part.is_first = true;
    array->accumulators = m->square;
    systolic_product_run(m, &part);
    array->accumulators = accumulators;
    turn_square(m, p);
}

void systolic_func_multiply(struct machine_state *m, const struct insn *in, uint32_t i_k)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const int64_t rows = m->self->cfg.rows;
    const struct product p = {
        .insn = in,
        .in = m->plan->formats[l->in[0]],
        .weight = l->weight_format,
        .k0 = i_k * rows,
        .k = MIN(rows, l->gemm.k - i_k * rows),
        .n0 = in->n0 % m->self->cfg.cols,
        .n = in->n,
        .is_first = i_k == 0,
    };
    g_assert(in->first + systolic_entries((enum dataflow)m->self->cfg.dataflow, in->m, in->n) <=
             m->self->cfg.accumulators);
    if (m->self->cfg.dataflow == FLOW_IS)
        multiply_square(m, &p);
    else
        systolic_product_run(m, &p);
}

static void transfer(struct machine_state *m, const struct insn *in)
{
    const struct plan_step *s = &m->plan->steps[in->step];
    const size_t bytes = transfers_extent(&m->transfers, s);
    if (in->op == INSN_READ_HOST)
        transfers_in(&m->transfers, s, sram_write(&m->buffer, s->address, bytes));
    else
        transfers_out(&m->transfers, s, sram_read(&m->buffer, s->address, bytes));
}

/* Rows of a table; a sought row that there is none of is the user's fault. */
static bool read_rows(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *s = &p->steps[in->step];
    const size_t bytes = (size_t)lookup_row_bytes(p, l);
    const uint8_t *table = m->weights + l->weight_address;
    const uint8_t *indices = m->buffer.data + s->in_address[0];
    uint8_t *out = sram_write(&m->buffer, s->address, bytes * in->count);
    for (size_t i = 0; i < in->count; i++) {
        const int64_t index = number_get_int64(indices, p->formats[l->in[0]], i);
        const int64_t row = lookup_row(p, l, index, error);
        if (row < 0)
            return false;
        if (row == l->lookup->padding)
            memset(out + i * bytes, 0, bytes);
        else
            memcpy(out + i * bytes, table + (size_t)row * bytes, bytes);
    }
    return true;
}

bool systolic_func_execute(struct machine_state *m, const struct insn *in, GError **error)
{
    bool ok = true;
    if (in->op == INSN_READ_HOST || in->op == INSN_WRITE_HOST)
        transfer(m, in);
    else if (in->op == INSN_HOST_OPERATOR)
        ok = transfers_on_host(&m->transfers, &m->plan->layers[in->layer], error);
    else if (in->op == INSN_READ_ROWS)
        ok = read_rows(m, in, error);
    else if (in->op == INSN_READ_PARAMETERS)
        memcpy(sram_write(&m->buffer, m->plan->steps[in->step].address, in->count),
               m->weights + m->plan->layers[in->layer].weight_address, in->count);
    else if (in->op == INSN_ACTIVATE)
        systolic_vector_activate(m, in);
    else if (in->op == INSN_NORMALIZE_POOL)
        ok = systolic_vector_pass(m, in, error);
    if (ok && in->last_of_chunk && --m->n_left[in->step] == 0)
        transfers_keep(&m->transfers, &m->plan->steps[in->step], m->buffer.data);
    return ok;
}

/* The program in program order, without a clock: the values alone. Program order is one that the
 * Sync instructions allow, so the values are those of an event run. */

static void replay_stream(struct machine_state *m, const struct insn *in, uint32_t i)
{
    const struct stream t = systolic_stream(m->self, m->plan, in, i);
    const bool ws = m->self->cfg.dataflow == FLOW_WS;
    if (t.pass.takes && !ws) {
        systolic_state_shift_inputs(m, &t.in, t.pass.i_k);
        systolic_state_swap_inputs(m, insn_array(in));
    }
    if (ws ? t.pass.takes : t.pass.fetches) {
        systolic_state_shift_in(m, insn_array(in), t.tile, &m->plan->layers[in->layer]);
        systolic_state_swap(m, insn_array(in));
    }
    systolic_func_multiply(m, &t.in, (uint32_t)t.pass.i_k);
}

bool systolic_func_replay(struct machine_state *m, GError **error)
{
    struct insn in;
    bool ok = true;
    systolic_state_begin(m);
    for (size_t at = 0; ok && systolic_program_next(m->plan->program, &at, WORK_OPS, &in);) {
        for (uint32_t j = 0; j < in.repeat && in.unit == UNIT_MATRIX; j++)
            replay_stream(m, &in, j);
        if (in.unit != UNIT_MATRIX)
            ok = systolic_func_execute(m, &in, error);
    }
    return ok;
}
