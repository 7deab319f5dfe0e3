/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's contents: making room for them and giving it back. */
#include "arch/systolic/systolic_func.h"
#include "arch/systolic/systolic_product.h"
#include "sim/base/error.h"

static bool try_alloc(void **p, uint64_t bytes, GError **error)
{
    *p = g_try_malloc0(bytes);
    return *p || error_set(error, ERROR_LIMIT,
                           "no memory for %" G_GUINT64_FORMAT " MiB of "
                           "modelled memory",
                           bytes >> 20);
}

/* Host memory holds what crosses the link: inputs of the graph, outputs and spilled values. */
static bool init_host(struct machine_state *m, GError **error)
{
    const struct graph *g = m->plan->graph;
    if (!try_alloc((void **)&m->host, (uint64_t)g->n_value * sizeof(void *), error))
        return false;
    for (int i = 0; i < m->plan->n_step; i++) {
        const struct plan_step *s = &m->plan->steps[i];
        if ((s->kind != STEP_LOAD && s->kind != STEP_STORE) || m->host[s->value])
            continue;
        const struct dims d = dims_of(&g->values[s->value].shape);
        if (!try_alloc(&m->host[s->value], (uint64_t)(d.n * plan_image_bytes(m->plan, s->value)),
                       error))
            return false;
        if (g->values[s->value].kind != VALUE_NODE)
            storage_to_nhwc(m->host[s->value], &m->io->host[s->value],
                            quant_storage(m->plan, m->plan->quant, s->value));
    }
    return true;
}

static uint64_t widest(const struct plan *p)
{
    size_t bytes = 1;
    for (int i = 0; i < p->n_layer; i++)
        bytes = MAX(bytes, number_bytes(p->layers[i].weight_format));
    return bytes;
}

static bool init_array(const struct machine_state *m, struct array_state *a, GError **error)
{
    const uint64_t rows = (uint64_t)m->self->cfg.rows, cols = (uint64_t)m->self->cfg.cols;
    const uint64_t entries = (uint64_t)m->self->cfg.accumulators;
    const uint64_t tile = rows * cols * widest(m->plan), inputs = rows * cols * sizeof(int64_t);
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

/* Each step's part of the output is complete when all instructions that may be the last are done.
 */
static bool init_steps(struct machine_state *m, GError **error)
{
    const GArray *insns = ((const struct program *)m->plan->program)->insns;
    const uint64_t n = (uint64_t)m->plan->n_step;
    if (!try_alloc((void **)&m->n_left, n * sizeof(*m->n_left), error) ||
        !try_alloc((void **)&m->pooled, n * sizeof(*m->pooled), error))
        return false;
    for (guint i = 0; i < insns->len; i++) {
        const struct insn *in = &g_array_index(insns, struct insn, i);
        m->n_left[in->step] += in->last_of_chunk;
    }
    return true;
}

bool state_init(struct machine_state *m, const struct systolic *s, const struct plan *p,
                struct arch_io *io, GError **error)
{
    *m = (struct machine_state){.self = s, .plan = p, .io = io};
    const uint64_t rows = (uint64_t)s->cfg.rows, cols = (uint64_t)s->cfg.cols;
    const uint64_t entries = (uint64_t)s->cfg.accumulators;
    const uint64_t padded = product_padded((int64_t)cols);
    const uint64_t lines =
        MAX(entries, cols); /* of a product: a block's rows, or a tile of inputs' */
    const uint64_t square = cols * cols * sizeof(int64_t);
    const bool is = s->cfg.dataflow == FLOW_IS;
    const uint64_t buffer_bytes = s->machine->memories[MEM_BUFFER].size_bytes;
    if (sram_init(&m->buffer, "unified_buffer", buffer_bytes, true) && init_arrays(m, error) &&
        init_steps(m, error) &&
        (!is || (try_alloc(&m->square, square, error) &&
                 try_alloc(&m->turned, cols * sizeof(int64_t), error))) &&
        try_alloc(&m->lhs, lines * rows * sizeof(double), error) &&
        try_alloc(&m->rhs, rows * padded * sizeof(double), error) &&
        try_alloc(&m->sums, lines * cols * sizeof(double), error) && init_host(m, error))
        return true;
    if (error && !*error)
        error_set(error, ERROR_LIMIT, "no memory for a unified buffer of %" G_GUINT64_FORMAT " MiB",
                  buffer_bytes >> 20);
    state_clear(m);
    return false;
}

void state_clear(struct machine_state *m)
{
    if (m->host)
        for (int i = 0; i < m->plan->graph->n_value; i++)
            g_free(m->host[i]);
    g_free(m->host);
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
    move_table_clear(&m->moves);
    g_free(m->lhs);
    g_free(m->rhs);
    g_free(m->sums);
    sram_clear(&m->buffer);
}
