/* SPDX-License-Identifier: Apache-2.0 */
/* What instructions do to the machine's contents. */
#include <string.h>

#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_func.h"
#include "arch/systolic/systolic_product.h"
#include "arch/systolic/systolic_vector.h"
#include "mapper/host.h"
#include "mapper/lookup.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* A matrix of a stack, of which a chunk is there. */
static const uint8_t *matrix_at(const struct machine_state *m, const struct plan_layer *l,
                                int64_t i_matrix)
{
    const int64_t per_chunk = l->chunk_image / l->gemm.m;
    const int64_t size = plan_element_bytes(m->plan, l->in[1]);
    return m->buffer.data + l->stationary_address[i_matrix / per_chunk] +
           i_matrix % per_chunk * l->gemm.k * l->gemm.n * size;
}

/* A tile of another layer's values, put together in the array's order: rows of k, which may lie
 * side by side in the buffer. */
static void shift_from_buffer(struct machine_state *m, uint64_t tile, const struct plan_layer *l,
                              uint8_t *out)
{
    const int64_t rows = m->self->cfg.rows, cols = m->self->cfg.cols;
    const int64_t size = plan_element_bytes(m->plan, l->in[1]);
    const int64_t tiles_k = int64_div_up(l->gemm.k, rows), tiles_n = int64_div_up(l->gemm.n, cols);
    const int64_t i = (int64_t)((tile - l->weight_address) / core_tile_bytes(m->self, l));
    const int64_t k0 = i % tiles_k * rows, n0 = i / tiles_k % tiles_n * cols;
    const uint8_t *matrix = matrix_at(m, l, i / (tiles_k * tiles_n));
    memset(out, 0, core_tile_bytes(m->self, l));
    for (int64_t k = k0; k < MIN(k0 + rows, l->gemm.k); k++)
        for (int64_t c = n0; c < MIN(n0 + cols, l->gemm.n); c++)
            memcpy(out + ((k - k0) * cols + c - n0) * size,
                   matrix + (l->turned ? c * l->gemm.k + k : k * l->gemm.n + c) * size,
                   (size_t)size);
}

static const uint8_t *weights_at(const struct machine_state *m, uint64_t address)
{
    return ((const struct program *)m->plan->program)->weights + address;
}

/* What an edge tile lacks is 0. */
static void shift_trimmed(struct machine_state *m, uint64_t tile, const struct plan_layer *l,
                          uint8_t *out)
{
    const int64_t rows = m->self->cfg.rows, cols = m->self->cfg.cols;
    const int64_t size = (int64_t)number_bytes(l->weight_format);
    const int64_t in_group = (int64_t)(tile - l->weight_address) / size % (l->gemm.k * l->gemm.n);
    const int64_t i_n = in_group / (cols * l->gemm.k), pitch = core_tile_pitch(m->self, l, i_n);
    const int64_t k0 = (in_group - i_n * cols * l->gemm.k) / pitch;
    const uint8_t *from = weights_at(m, tile);
    memset(out, 0, core_tile_bytes(m->self, l));
    for (int64_t r = 0; r < MIN(rows, l->gemm.k - k0); r++)
        memcpy(out + r * cols * size, from + r * pitch * size, (size_t)(pitch * size));
}

void state_shift_in(struct machine_state *m, int array, uint64_t tile, const struct plan_layer *l)
{
    if (l->from_buffer) {
        shift_from_buffer(m, tile, l, m->arrays[array].shadow);
        return;
    }
    if (m->self->machine->trims_tiles)
        shift_trimmed(m, tile, l, m->arrays[array].shadow);
    else
        memcpy(m->arrays[array].shadow, weights_at(m, tile), core_tile_bytes(m->self, l));
}

void state_swap(struct machine_state *m, int array)
{
    struct array_state *a = &m->arrays[array];
    uint8_t *weights = a->array;
    a->array = a->shadow;
    a->shadow = weights;
}

static int64_t sum_bytes(const struct machine_state *m, const struct insn *in)
{
    return (int64_t)core_sum_bytes(m->plan, &m->plan->layers[in->layer]);
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
    product_run(m, &part);
    array->accumulators = accumulators;
    turn_square(m, p);
}

const void *state_sums(const struct machine_state *m, const struct insn *in, int64_t i, int64_t j,
                       int64_t n)
{
    const int64_t cols = m->self->cfg.cols, size = sum_bytes(m, in);
    const char *first = (const char *)state_array(m, in)->accumulators + in->first * cols * size;
    if (m->self->cfg.dataflow != FLOW_IS)
        return first + (i * cols + j) * size;
    for (int64_t c = 0; c < n; c++)
        memcpy((char *)m->turned + c * size, first + ((j + c) * cols + i) * size, (size_t)size);
    return m->turned;
}

void state_multiply(struct machine_state *m, const struct insn *in, uint32_t i_k)
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
    g_assert(in->first + flow_entries(m->self, in) <= m->self->cfg.accumulators);
    if (m->self->cfg.dataflow == FLOW_IS)
        multiply_square(m, &p);
    else
        product_run(m, &p);
}

static void transfer(struct machine_state *m, const struct insn *in)
{
    const struct plan_step *s = &m->plan->steps[in->step];
    const int64_t row_bytes = plan_row_bytes(m->plan, s->value);
    const size_t bytes = (size_t)(s->region.n_image * s->region.n_row * row_bytes);
    char *host = (char *)m->host[s->value] + s->region.row * row_bytes +
                 s->region.image * plan_image_bytes(m->plan, s->value);
    if (in->op == INSN_READ_HOST)
        memcpy(sram_write(&m->buffer, s->address, bytes), host, bytes);
    else
        memcpy(host, sram_read(&m->buffer, s->address, bytes), bytes);
}

/* Rows of a table; a sought row that there is none of is the user's fault. */
static bool read_rows(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *s = &p->steps[in->step];
    const size_t bytes = (size_t)lookup_row_bytes(p, l);
    const uint8_t *table = weights_at(m, l->weight_address);
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

static bool host_operator(struct machine_state *m, const struct insn *in, GError **error)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    struct tensor *host = m->io->host;
    if (!host_compute(m->plan, m->plan->quant, l, host, m->host, error))
        return false;
    const struct node *n = &m->plan->graph->nodes[l->nodes[0]];
    for (int i = 0; i < n->n_out; i++) {
        const int v = n->out[i];
        if (v >= 0 && m->host[v]) /* layers on the machine read it */
            storage_to_nhwc(m->host[v], &host[v], quant_storage(m->plan, m->plan->quant, v));
    }
    return true;
}

/* Keeps a chunk of a layer's output as it stands when it is complete. */
static void capture(struct machine_state *m, const struct insn *in)
{
    const struct plan *p = m->plan;
    const struct plan_layer *l = &p->layers[in->layer];
    const struct plan_step *s = &p->steps[in->step];
    const struct region *r = &s->region;
    const size_t at =
        (size_t)(r->image * plan_image_bytes(p, l->out) + r->row * plan_row_bytes(p, l->out));
    const size_t bytes = (size_t)(r->n_image * r->n_row * plan_row_bytes(p, l->out));
    const uint8_t *from = in->op == INSN_WRITE_HOST ? (const uint8_t *)m->host[l->out] + at
                                                    : m->buffer.data + s->address;
    if (m->io->out[in->layer])
        memcpy((uint8_t *)m->io->out[in->layer] + at, from, bytes);
}

bool state_execute(struct machine_state *m, const struct insn *in, GError **error)
{
    bool ok = true;
    if (in->op == INSN_READ_HOST || in->op == INSN_WRITE_HOST)
        transfer(m, in);
    else if (in->op == INSN_HOST_OPERATOR)
        ok = host_operator(m, in, error);
    else if (in->op == INSN_READ_ROWS)
        ok = read_rows(m, in, error);
    else if (in->op == INSN_ACTIVATE)
        vector_activate(m, in);
    else if (in->op == INSN_NORMALIZE_POOL)
        ok = vector_pass(m, in, error);
    if (ok && in->last_of_chunk && --m->n_left[in->step] == 0)
        capture(m, in);
    return ok;
}
