/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of products, recurrent layers, attention and quantised arithmetic. */
#pragma once

#include "workloads/op.h"

struct gemm_attr {
    double alpha, beta;
    bool trans_a, trans_b;
};

struct einsum_attr {
    const char *equation;
};

enum direction { DIRECTION_FORWARD, DIRECTION_REVERSE, DIRECTION_BIDIRECTIONAL };

/* Gates in ONNX's order: lstm i o f c, gru z r h. Weight [directions, gates hidden, input],
 * recurrent [directions, gates hidden, hidden], bias [directions, 2 gates hidden], peephole
 * [directions, 3 hidden]. */
struct recurrent_attr {
    int64_t hidden;
    int direction;
    struct cfg_strings activations;
    double clip; /* 0: none */
    bool input_forget, linear_before_reset, bias, peephole;
    int64_t layout; /* 1: batch first */
};

struct attention_attr {
    int64_t heads;
    double scale; /* 0: 1 / sqrt(d) */
    bool causal;
};

struct batched_product_attr {
    bool transpose; /* the second operand's matrices */
};

struct scaled_softmax_attr {
    double scale;
    bool masked;
};

struct embedding_attr {
    int64_t rows, width, padding_idx;
};

struct quantise_attr {
    int64_t axis;
    int type; /* enum number, where no zero point tells it */
};

struct tensordot_attr {
    struct cfg_ints axes_a, axes_b;
};

enum norm_kind { NORM_L1, NORM_L2, NORM_INF };

struct vector_norm_attr {
    int p;
    struct cfg_ints axes;
    bool keepdims;
};

struct diag_attr {
    int64_t k;
};

struct window_function_attr {
    int64_t size;
    bool periodic;
    int type;
};

struct dft_attr {
    int64_t axis;
    bool inverse, onesided;
    int64_t length; /* 0: the input's */
};
