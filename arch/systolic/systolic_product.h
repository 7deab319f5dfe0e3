/* SPDX-License-Identifier: Apache-2.0 */
/* The products of the array, bit by bit. Sums of integers are exact. Sums of
 * floating-point numbers are made in fp32 as they flow down a column: from 0 over the rows of the
 * tile, each product rounded and then each sum; the sum then joins the accumulator. Where sums stay
 * in the array (os), they go on from one tile to the next instead. */
#pragma once

#include "arch/systolic/systolic_state.h"

/* A block of rows times the tile in the array. */
struct product {
    const struct insn *insn;
    enum number in, weight; /* formats of the operands */
    int64_t k0, k;          /* rows of the tile that are used, from row k0 of the weights */
    int64_t n0, n;          /* its columns, from its n0-th */
    bool is_first;          /* sums start from 0 */
};

void systolic_product_run(struct machine_state *m, const struct product *p);
