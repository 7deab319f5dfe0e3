/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_product.h"

#include <cblas.h>
#include <string.h>

#include "sim/base/clones.h"

enum {
    EXACT_K = 1024, /* products of int8 that fp32 sums exactly: 1024 * 128 * 128 = 2^24 */
    SMALL_M = 8,    /* below this many rows the conversion of a tile costs more than it saves */
    LANES = 8,      /* of a vector */
    ROWS = 4,       /* and vectors a row, held in registers at once */
    VECTORS = 2,
    COLUMNS = LANES * VECTORS,
};

G_STATIC_ASSERT(STATE_COLUMNS % COLUMNS == 0);

VECTOR_CLONES static void add_scaled_row(int32_t *acc, const int8_t *w, int32_t x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += x * w[i];
}

VECTOR_CLONES static void to_float(float *dst, const int8_t *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = src[i];
}

VECTOR_CLONES static void add_sums(int32_t *acc, const float *sums, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += (int32_t)sums[i];
}

static void add_wide_sums(int64_t *acc, const double *sums, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] += (int64_t)sums[i];
}

static void int8_small(struct machine_state *m, const struct product *p, int32_t *acc)
{
    const int64_t cols = m->self->cfg.cols;
    int8_t *x = m->row;
    for (int64_t i = 0; i < p->insn->m; i++) {
        systolic_state_gather(m, p->insn, p->insn->m0 + i, p->k0, p->k, x);
        for (int64_t k = 0; k < p->k; k++)
            if (x[k])
                add_scaled_row(acc + i * cols,
                               (int8_t *)state_array(m, p->insn)->array + k * cols + p->n0, x[k],
                               p->n);
    }
}

/* Rows [first, first + k) of the tile, k <= EXACT_K. */
static void int8_blas(struct machine_state *m, const struct product *p, int32_t *acc, int64_t first,
                      int64_t k)
{
    const int64_t cols = m->self->cfg.cols;
    float *lhs = m->lhs, *rhs = m->rhs, *sums = m->sums;
    int8_t *x = m->row;
    for (int64_t i = 0; i < p->insn->m; i++) {
        systolic_state_gather(m, p->insn, p->insn->m0 + i, p->k0 + first, k, x);
        to_float(lhs + i * k, x, k);
    }
    for (int64_t i = 0; i < k; i++)
        to_float(rhs + i * p->n,
                 (int8_t *)state_array(m, p->insn)->array + (first + i) * cols + p->n0, p->n);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->insn->m, (int)p->n, (int)k, 1.0f,
                lhs, (int)k, rhs, (int)p->n, 0.0f, sums, (int)p->n);
    for (int64_t i = 0; i < p->insn->m; i++)
        add_sums(acc + i * cols, sums + i * p->n, p->n);
}

static void int8_product(struct machine_state *m, const struct product *p)
{
    int32_t *acc =
        (int32_t *)state_array(m, p->insn)->accumulators + p->insn->first * m->self->cfg.cols;
    if (p->is_first)
        memset(acc, 0, (size_t)(p->insn->m * m->self->cfg.cols) * sizeof(*acc));
    if (p->insn->m < SMALL_M) {
        int8_small(m, p, acc);
        return;
    }
    for (int64_t first = 0; first < p->k; first += EXACT_K)
        int8_blas(m, p, acc, first, MIN(EXACT_K, p->k - first));
}

/* The block's inputs and the tile as `wide`, rows of `stride` columns; what is beyond n is 0. */
static void load_operands(struct machine_state *m, const struct product *p, enum number wide,
                          int64_t stride)
{
    const size_t out = number_bytes(wide), in = number_bytes(p->weight);
    uint8_t *x = m->row;
    for (int64_t i = 0; i < p->insn->m; i++) {
        systolic_state_gather(m, p->insn, p->insn->m0 + i, p->k0, p->k, x);
        number_convert((uint8_t *)m->lhs + (size_t)(i * p->k) * out, wide, x, p->in, (size_t)p->k);
    }
    for (int64_t i = 0; i < p->k; i++) {
        uint8_t *row = (uint8_t *)m->rhs + (size_t)(i * stride) * out;
        number_convert(row, wide,
                       state_array(m, p->insn)->array +
                           (size_t)(i * m->self->cfg.cols + p->n0) * in,
                       p->weight, (size_t)p->n);
        memset(row + (size_t)p->n * out, 0, (size_t)(stride - p->n) * out);
    }
}

/* A product of 16-bit integers has 30 bits: fp64 sums 2^23 of them exactly, in any order. */
static void wide_product(struct machine_state *m, const struct product *p)
{
    const int64_t cols = m->self->cfg.cols;
    int64_t *acc = (int64_t *)state_array(m, p->insn)->accumulators + p->insn->first * cols;
    if (p->is_first)
        memset(acc, 0, (size_t)(p->insn->m * cols) * sizeof(*acc));
    load_operands(m, p, NUMBER_fp64, p->n);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->insn->m, (int)p->n, (int)p->k,
                1.0, m->lhs, (int)p->k, m->rhs, (int)p->n, 0.0, m->sums, (int)p->n);
    for (int64_t i = 0; i < p->insn->m; i++)
        add_wide_sums(acc + i * cols, (double *)m->sums + i * p->n, p->n);
}

typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));

/* `rows` rows of x times VECTORS vectors of columns of w, each sum in the order of k: from 0, then
 * added to acc, or from acc on. */
static inline __attribute__((always_inline)) void float_block(float *acc, int64_t acc_stride,
                                                              const float *x, const float *w,
                                                              int64_t w_stride, int64_t k,
                                                              int64_t n, int rows, bool go_on)
{
    lanes sum[ROWS][VECTORS] = {{{0}}};
    for (int r = 0; go_on && r < rows; r++)
        for (int64_t j = 0; j < n; j++)
            sum[r][j / LANES][j % LANES] = acc[r * acc_stride + j];
    for (int64_t i = 0; i < k; i++) {
        const lanes *row = (const lanes *)(w + i * w_stride);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++)
                sum[r][v] += x[r * k + i] * row[v];
    }
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++)
            acc[r * acc_stride + j] =
                (go_on ? 0 : acc[r * acc_stride + j]) + sum[r][j / LANES][j % LANES];
}

VECTOR_CLONES static void float_sums(float *acc, int64_t acc_stride, const float *x, const float *w,
                                     int64_t w_stride, int64_t m, int64_t n, int64_t k, bool go_on)
{
    for (int64_t j = 0; j < n; j += COLUMNS) {
        const int64_t some = n - j < COLUMNS ? n - j : COLUMNS;
        int64_t i = 0;
        for (; i + ROWS <= m; i += ROWS)
            float_block(acc + i * acc_stride + j, acc_stride, x + i * k, w + j, w_stride, k, some,
                        ROWS, go_on);
        for (; i < m; i++)
            float_block(acc + i * acc_stride + j, acc_stride, x + i * k, w + j, w_stride, k, some,
                        1, go_on);
    }
}

static void float_product(struct machine_state *m, const struct product *p)
{
    const int64_t cols = m->self->cfg.cols, stride = (int64_t)systolic_state_padded(p->n);
    float *acc = (float *)state_array(m, p->insn)->accumulators + p->insn->first * cols;
    if (p->is_first)
        memset(acc, 0, (size_t)(p->insn->m * cols) * sizeof(*acc));
    load_operands(m, p, NUMBER_fp32, stride);
    float_sums(acc, cols, m->lhs, m->rhs, stride, p->insn->m, p->n, p->k,
               m->self->cfg.dataflow == FLOW_OS);
}

void systolic_product_run(struct machine_state *m, const struct product *p)
{
    if (number_is_float(p->in))
        float_product(m, p);
    else if (p->in == NUMBER_int8 && p->weight == NUMBER_int8)
        int8_product(m, p);
    else
        wide_product(m, p);
}
