/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_state.h"
#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

/* The machine's contents: making room for them and giving it back. */

static bool try_alloc(void **p, uint64_t bytes, GError **error)
{
    *p = g_try_malloc0(MAX(bytes, 1));
    return *p || error_set(error, ERROR_LIMIT,
                           "no memory for %" G_GUINT64_FORMAT " MiB of "
                           "modelled memory",
                           bytes >> 20);
}

static uint64_t weight_memory_bytes(const struct plan *p)
{
    return MAX(p->weight_bytes + p->streamed_bytes, 1);
}

static uint64_t widest(const struct plan *p)
{
    size_t bytes = 1;
    for (int i = 0; i < p->n_layer; i++)
        bytes = MAX(bytes, number_bytes(p->layers[i].weight_format));
    return bytes;
}

static uint64_t tile_bytes(const struct machine_state *m)
{
    return (uint64_t)(m->self->cfg.rows * m->self->cfg.cols) * widest(m->plan);
}

static bool init_array(const struct machine_state *m, struct array_state *a, GError **error)
{
    const uint64_t rows = (uint64_t)m->self->cfg.rows, cols = (uint64_t)m->self->cfg.cols;
    const uint64_t entries = (uint64_t)m->self->cfg.accumulators;
    const uint64_t tile = tile_bytes(m), inputs = rows * cols * sizeof(int64_t);
    return try_alloc(&a->accumulators, entries * cols * sizeof(int64_t), error) &&
           try_alloc((void **)&a->array, tile, error) &&
           try_alloc((void **)&a->shadow, tile, error) &&
           (m->self->cfg.dataflow != FLOW_IS ||
            (try_alloc((void **)&a->inputs, inputs, error) &&
             try_alloc((void **)&a->shadow_inputs, inputs, error)));
}

static bool init_arrays(struct machine_state *m, GError **error)
{
    const int64_t n = m->self->cfg.n_array;
    if (!try_alloc((void **)&m->arrays, (uint64_t)n * sizeof(*m->arrays), error))
        return false;
    for (int64_t i = 0; i < n; i++)
        if (!init_array(m, &m->arrays[i], error))
            return false;
    return true;
}

static bool init_steps(struct machine_state *m, GError **error)
{
    const uint64_t n = (uint64_t)m->plan->n_step;
    return try_alloc((void **)&m->n_left, n * sizeof(*m->n_left), error) &&
           try_alloc((void **)&m->pooled, n * sizeof(*m->pooled), error);
}

bool systolic_state_init(struct machine_state *m, const struct systolic *s, const struct plan *p,
                         GError **error)
{
    *m = (struct machine_state){.self = s, .plan = p};
    const uint64_t rows = (uint64_t)s->cfg.rows, cols = (uint64_t)s->cfg.cols;
    const uint64_t entries = (uint64_t)s->cfg.accumulators;
    const uint64_t padded = systolic_state_padded((int64_t)cols);
    const uint64_t lines =
        MAX(entries, cols); /* of a product: a block's rows, or a tile of inputs' */
    const uint64_t square = cols * cols * sizeof(int64_t);
    const bool is = s->cfg.dataflow == FLOW_IS;
    const uint64_t buffer_bytes = machine_memory(s->machine, ROLE_ACTIVATIONS)->size_bytes;
    if (sram_init(&m->buffer, "unified_buffer", buffer_bytes, true) && init_arrays(m, error) &&
        init_steps(m, error) &&
        (!is || (try_alloc(&m->square, square, error) &&
                 try_alloc(&m->turned, cols * sizeof(int64_t), error))) &&
        try_alloc(&m->lhs, lines * rows * sizeof(double), error) &&
        try_alloc(&m->rhs, rows * padded * sizeof(double), error) &&
        try_alloc(&m->sums, lines * cols * sizeof(double), error) &&
        try_alloc(&m->row, MAX(rows, cols) * sizeof(double), error) &&
        try_alloc(&m->stored_row, cols * sizeof(double), error) &&
        transfers_init(&m->transfers, p, error) &&
        try_alloc((void **)&m->weights, weight_memory_bytes(p), error))
        return true;
    if (error && !*error)
        error_set(error, ERROR_LIMIT, "no memory for a unified buffer of %" G_GUINT64_FORMAT " MiB",
                  buffer_bytes >> 20);
    systolic_state_clear(m);
    return false;
}

void systolic_state_clear(struct machine_state *m)
{
    transfers_clear(&m->transfers);
    for (int64_t i = 0; m->arrays && i < m->self->cfg.n_array; i++) {
        g_free(m->arrays[i].accumulators);
        g_free(m->arrays[i].array);
        g_free(m->arrays[i].shadow);
        g_free(m->arrays[i].inputs);
        g_free(m->arrays[i].shadow_inputs);
    }
    g_free(m->arrays);
    g_free(m->n_left);
    g_free(m->pooled);
    g_free(m->square);
    g_free(m->turned);
    permute_table_clear(&m->moves);
    g_free(m->lhs);
    g_free(m->rhs);
    g_free(m->sums);
    g_free(m->row);
    g_free(m->stored_row);
    g_free(m->weights);
    sram_clear(&m->buffer);
}

/* Each step's part of the output is complete when all instructions that may be the last are done.
 */
static void begin_steps(struct machine_state *m)
{
    struct insn in;
    const size_t n = (size_t)m->plan->n_step;
    memset(m->n_left, 0, n * sizeof(*m->n_left));
    memset(m->pooled, 0, n * sizeof(*m->pooled));
    for (size_t at = 0; systolic_program_next(m->plan->program, &at, WORK_OPS, &in);)
        m->n_left[in.step] += in.last_of_chunk;
}

void systolic_state_begin(struct machine_state *m)
{
    m->is_used = true;
    begin_steps(m);
    transfers_begin(&m->transfers);
    memset(m->io->saturated, 0, (size_t)m->plan->n_layer * sizeof(*m->io->saturated));
}

void systolic_state_forget(struct machine_state *m)
{
    const uint64_t rows = (uint64_t)m->self->cfg.rows, cols = (uint64_t)m->self->cfg.cols;
    if (!m->is_used)
        return;
    memset(m->buffer.data, 0, MIN(m->plan->activation_bytes, m->buffer.size_bytes));
    for (int64_t i = 0; i < m->self->cfg.n_array; i++) {
        struct array_state *a = &m->arrays[i];
        memset(a->accumulators, 0, (uint64_t)m->self->cfg.accumulators * cols * sizeof(int64_t));
        memset(a->array, 0, tile_bytes(m));
        memset(a->shadow, 0, tile_bytes(m));
        if (a->inputs) {
            memset(a->inputs, 0, rows * cols * sizeof(int64_t));
            memset(a->shadow_inputs, 0, rows * cols * sizeof(int64_t));
        }
    }
    transfers_forget(&m->transfers);
}

/* Parameters -> weight memory. */

/* One output's weights down a column of tiles, rows of which lie `pitch` bytes apart. Those of
 * packed groups are apart: each tap of the kernel has the channels of all groups. */
static void put_column(const struct plan_layer *l, int64_t n, const uint8_t *weight, int64_t size,
                       int64_t pitch, uint8_t *column)
{
    const struct gemm g = plan_operator_gemm(l);
    const int64_t channels = l->packed > 1 ? l->channels : g.k, block = n / g.n * channels;
    for (int64_t k = 0; k < g.k; k++) {
        const int64_t row = k / channels * channels * l->packed + block + k % channels;
        if (size == 1)
            column[row * pitch] = weight[k];
        else
            memcpy(column + row * pitch, weight + k * size, (size_t)size);
    }
}

/* Weight memory holds tiles, row by row of the array; of whole ones what an edge tile lacks is 0.
 * Tables lie there as they are. What is streamed lies behind them. */
void systolic_state_load(struct machine_state *m, struct arch_values *io)
{
    const struct plan *p = m->plan;
    const int64_t cols = m->self->cfg.cols;
    m->io = m->transfers.values = io;
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        const uint8_t *weight = io->quant->layers[i].weight;
        if (l->lookup && l->weights_of == i)
            memcpy(m->weights + l->weight_address, weight,
                   (size_t)(l->lookup->rows * lookup_row_bytes(p, l)));
        const int64_t size = (int64_t)number_bytes(l->weight_format);
        const int64_t k = l->kind == LAYER_MATRIX ? plan_operator_gemm(l).k : 0;
        const bool is_first =
            l->kind == LAYER_MATRIX && l->weights_of == i && !l->stationary_is_activation;
        for (int64_t c = 0; is_first && c < l->gemm.groups * l->gemm.n; c++) {
            const int64_t g = c / l->gemm.n, n = c % l->gemm.n, i_n = n / cols;
            uint8_t *column =
                m->weights + systolic_tile_address(m->self, l, g, i_n, 0) + n % cols * size;
            put_column(l, n, weight + c * k * size, size,
                       systolic_tile_pitch(m->self, l, i_n) * size, column);
        }
    }
}

/* The inputs of a product, as the systolic data setup reads them out of the unified buffer: patches
 * of a convolution, or rows of features. */

/* The window of a convolution's input, as the systolic data setup addresses it. */
struct window {
    struct dims in, out;
    int64_t kernel_w, channels, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t first_channel, out_row, out_col, out_cols;
    int64_t size;           /* of an element */
    int64_t in_row, in_col; /* at base */
    struct pitch pitch;
    const uint8_t *base;
};

static struct window window_of(const struct machine_state *m, const struct insn *in)
{
    const struct graph *g = m->plan->graph;
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    const struct node *n = &g->nodes[l->nodes[0]];
    const struct traits_window *a = &n->traits->window;
    struct window w = {
        .in = dims_of(&g->values[l->in[0]].shape),
        .out = dims_of(&g->values[n->out[0]].shape),
        .kernel_w = a->kernel[1],
        .stride_h = a->stride[0],
        .stride_w = a->stride[1],
        .dilation_h = a->dilation[0],
        .dilation_w = a->dilation[1],
        .pad_top = a->pad[0],
        .pad_left = a->pad[1],
    };
    const struct region needed = plan_input_pixels(m->plan, l, 0, &st->region);
    w.in_row = needed.row;
    w.in_col = needed.col;
    w.pitch = plan_pitch(m->plan, l->in[0], &needed);
    w.channels = w.in.c / l->gemm.groups;
    w.first_channel = in->group * w.channels;
    /* Only whole images are pooled: a part of one is of the convolution's own pixels. */
    const struct dims o = plan_dims(m->plan, l->out);
    w.out_row = st->region.n_row == o.h ? 0 : st->region.row;
    w.out_col = st->region.col;
    w.out_cols = st->region.n_col == o.w ? w.out.w : st->region.n_col;
    w.size = plan_element_bytes(m->plan, l->in[0]);
    w.base = m->buffer.data + st->in_address[0];
    return w;
}

/* n values of one row of the patch matrix, from the k-th on; k counts row, column, channel of the
 * kernel. Values outside the image are 0. */
static void gather_window(const struct window *w, int64_t row, int64_t rows_per_image, int64_t k,
                          int64_t n, uint8_t *out)
{
    const int64_t image = row / rows_per_image, pixel = row % rows_per_image;
    const int64_t y = (pixel / w->out_cols + w->out_row) * w->stride_h - w->pad_top;
    const int64_t x = (pixel % w->out_cols + w->out_col) * w->stride_w - w->pad_left;
    const uint8_t *base = w->base + image * w->pitch.image + w->first_channel * w->size;
    int64_t tap = k / w->channels, c = k % w->channels;
    while (n > 0) {
        const int64_t iy = y + tap / w->kernel_w * w->dilation_h;
        const int64_t ix = x + tap % w->kernel_w * w->dilation_w;
        const int64_t run = MIN(n, w->channels - c);
        if (iy < 0 || iy >= w->in.h || ix < 0 || ix >= w->in.w)
            memset(out, 0, (size_t)(run * w->size));
        else
            memcpy(out,
                   base + (iy - w->in_row) * w->pitch.row + (ix - w->in_col) * w->pitch.pixel +
                       c * w->size,
                   (size_t)(run * w->size));
        out += run * w->size;
        n -= run;
        tap++;
        c = 0;
    }
}

static void gather_features(const struct machine_state *m, const struct insn *in, int64_t row,
                            int64_t k, int64_t n, void *out)
{
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    const int64_t size = plan_element_bytes(m->plan, l->in[0]);
    if (l->stationary_is_activation) /* of a stack of matrices */
        row += (in->group - plan_first_matrix(l, &st->region)) * l->gemm.m;
    memcpy(out, m->buffer.data + st->in_address[0] + (row * l->gemm.k + k) * size,
           (size_t)(n * size));
}

static bool is_convolution(const struct machine_state *m, const struct insn *in)
{
    return in->op == INSN_CONVOLVE ||
           (in->op == INSN_SHIFT_INPUTS &&
            traits_convolves(plan_layer_traits(m->plan, &m->plan->layers[in->layer])));
}

static void gather_buffer(const struct machine_state *m, const struct insn *in, int64_t row,
                          int64_t k, int64_t n, void *out)
{
    if (!is_convolution(m, in)) {
        gather_features(m, in, row, k, n, out);
        return;
    }
    const struct window w = window_of(m, in);
    const struct plan_layer *l = &m->plan->layers[in->layer];
    const struct plan_step *st = &m->plan->steps[in->step];
    gather_window(&w, row, plan_gemm_rows(m->plan, l, &st->region) / st->region.n_image, k, n, out);
}

static int64_t input_bytes(const struct machine_state *m, const struct insn *in)
{
    return plan_element_bytes(m->plan, m->plan->layers[in->layer].in[0]);
}

void systolic_state_shift_inputs(struct machine_state *m, const struct insn *in, uint32_t i_k)
{
    const int64_t rows = m->self->cfg.rows, k0 = i_k * rows, size = input_bytes(m, in);
    const int64_t k = MIN(rows, m->plan->layers[in->layer].gemm.k - k0);
    for (int64_t i = 0; i < in->m; i++)
        gather_buffer(m, in, in->m0 + i, k0, k,
                      state_array(m, in)->shadow_inputs + i * rows * size);
}

void systolic_state_swap_inputs(struct machine_state *m, int array)
{
    struct array_state *a = &m->arrays[array];
    uint8_t *inputs = a->inputs;
    a->inputs = a->shadow_inputs;
    a->shadow_inputs = inputs;
}

void systolic_state_gather(const struct machine_state *m, const struct insn *in, int64_t row,
                           int64_t k, int64_t n, void *out)
{
    const int64_t rows = m->self->cfg.rows, size = input_bytes(m, in);
    if (m->self->cfg.dataflow == FLOW_IS)
        memcpy(out, state_array(m, in)->inputs + ((row - in->m0) * rows + k % rows) * size,
               (size_t)(n * size));
    else
        gather_buffer(m, in, row, k, n, out);
}

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
    const int64_t i = (int64_t)((tile - l->weight_address) / systolic_tile_bytes(m->self, l));
    const int64_t k0 = i % tiles_k * rows, n0 = i / tiles_k % tiles_n * cols;
    const uint8_t *matrix = matrix_at(m, l, i / (tiles_k * tiles_n));
    memset(out, 0, systolic_tile_bytes(m->self, l));
    for (int64_t k = k0; k < MIN(k0 + rows, l->gemm.k); k++)
        for (int64_t c = n0; c < MIN(n0 + cols, l->gemm.n); c++)
            memcpy(out + ((k - k0) * cols + c - n0) * size,
                   matrix + (l->turned ? c * l->gemm.k + k : k * l->gemm.n + c) * size,
                   (size_t)size);
}

/* A tile of weights, where it lies for the unit. */
static const uint8_t *tile_at(const struct machine_state *m, const struct plan_layer *l,
                              uint64_t tile)
{
    return l->resident ? m->buffer.data + l->resident_address + (tile - l->weight_address)
                       : m->weights + tile;
}

/* What an edge tile lacks is 0. */
static void shift_trimmed(struct machine_state *m, uint64_t tile, const struct plan_layer *l,
                          uint8_t *out)
{
    const int64_t rows = m->self->cfg.rows, cols = m->self->cfg.cols;
    const int64_t size = (int64_t)number_bytes(l->weight_format);
    const int64_t in_group = (int64_t)(tile - l->weight_address) / size % (l->gemm.k * l->gemm.n);
    const int64_t i_n = in_group / (cols * l->gemm.k), pitch = systolic_tile_pitch(m->self, l, i_n);
    const int64_t k0 = (in_group - i_n * cols * l->gemm.k) / pitch;
    const uint8_t *from = tile_at(m, l, tile);
    memset(out, 0, systolic_tile_bytes(m->self, l));
    for (int64_t r = 0; r < MIN(rows, l->gemm.k - k0); r++)
        memcpy(out + r * cols * size, from + r * pitch * size, (size_t)(pitch * size));
}

void systolic_state_shift_in(struct machine_state *m, int array, uint64_t tile,
                             const struct plan_layer *l)
{
    if (l->stationary_is_activation) {
        shift_from_buffer(m, tile, l, m->arrays[array].shadow);
        return;
    }
    if (m->self->cfg.edge == EDGE_TRIMMED)
        shift_trimmed(m, tile, l, m->arrays[array].shadow);
    else
        memcpy(m->arrays[array].shadow, tile_at(m, l, tile), systolic_tile_bytes(m->self, l));
}

void systolic_state_swap(struct machine_state *m, int array)
{
    struct array_state *a = &m->arrays[array];
    uint8_t *weights = a->array;
    a->array = a->shadow;
    a->shadow = weights;
}

static int64_t sum_bytes(const struct machine_state *m, const struct insn *in)
{
    return (int64_t)systolic_sum_bytes(m->plan, &m->plan->layers[in->layer]);
}

const void *systolic_state_sums(const struct machine_state *m, const struct insn *in, int64_t i,
                                int64_t j, int64_t n)
{
    const int64_t cols = m->self->cfg.cols, size = sum_bytes(m, in);
    const char *first = (const char *)state_array(m, in)->accumulators + in->first * cols * size;
    if (m->self->cfg.dataflow != FLOW_IS)
        return first + (i * cols + j) * size;
    for (int64_t c = 0; c < n; c++)
        memcpy((char *)m->turned + c * size, first + ((j + c) * cols + i) * size, (size_t)size);
    return m->turned;
}
