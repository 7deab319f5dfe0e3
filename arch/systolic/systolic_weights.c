/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters -> weight memory. */
#include <inttypes.h>
#include <string.h>

#include "arch/systolic/systolic_core.h"
#include "arch/systolic/systolic_lower.h"
#include "mapper/lookup.h"
#include "sim/base/error.h"
#include "sim/base/size.h"

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
bool weights_pack(const struct systolic *s, struct plan *p, struct program *program, GError **error)
{
    const int64_t cols = s->cfg.cols;
    const uint64_t bytes = p->weight_bytes + p->streamed_bytes;
    program->weights = g_try_malloc0(MAX(bytes, 1));
    if (!program->weights)
        return error_set(error, ERROR_LIMIT, "no memory for %" PRIu64 " MiB of weights",
                         bytes >> 20);
    arena_own(p->arena, program->weights, g_free);
    for (int i = 0; i < p->n_layer; i++) {
        const struct plan_layer *l = &p->layers[i];
        const uint8_t *weight = p->quant->layers[i].weight;
        if (l->lookup && l->weights_of == i)
            memcpy(program->weights + l->weight_address, weight,
                   (size_t)(l->lookup->rows * lookup_row_bytes(p, l)));
        const int64_t size = (int64_t)number_bytes(l->weight_format);
        const int64_t k = l->kind == LAYER_MATRIX ? plan_operator_gemm(l).k : 0;
        const bool is_first = l->kind == LAYER_MATRIX && l->weights_of == i && !l->from_buffer;
        for (int64_t c = 0; is_first && c < l->gemm.groups * l->gemm.n; c++) {
            const int64_t g = c / l->gemm.n, n = c % l->gemm.n, i_n = n / cols;
            uint8_t *column =
                program->weights + core_tile_address(s, l, g, i_n, 0) + n % cols * size;
            put_column(l, n, weight + c * k * size, size, core_tile_pitch(s, l, i_n) * size,
                       column);
        }
    }
    return true;
}

bool weights_fit(const struct systolic *s, const struct plan *p, GError **error)
{
    const uint64_t capacity = s->machine->memories[MEM_WEIGHTS].size_bytes;
    if (p->weight_bytes <= capacity)
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: its weights fill %" PRIu64 " KiB of tiles of %" PRId64 " x %" PRId64
                     "; memory.weights of %s has %" PRIu64
                     " KiB; with memory.weights.overflow = \"stream\" layers that find no room "
                     "would fetch theirs over the host link",
                     p->graph->name, p->weight_bytes / 1024, s->cfg.rows, s->cfg.cols,
                     p->machine->name, capacity / 1024);
}
