/* SPDX-License-Identifier: Apache-2.0 */
/* What the family decides of a product. */
#pragma once

#include "arch/systolic/systolic_machine.h"

/* What is decided of a product, in place of struct choice. From the outside: chunks, groups, then n
 * tiles and m blocks in `order`, then k tiles, whose partial sums stay in the accumulators. */
enum loop_order { ORDER_NM, ORDER_MN }; /* which loop is outer: output tiles or row blocks */
extern const char *const systolic_loop_order_names[];
enum { MAX_PARTS = 64 };

struct __attribute__((may_alias)) systolic_choice {
    int64_t block_m;    /* rows of a block of partial sums; see systolic_block_rows() */
    int order;          /* enum loop_order */
    bool double_buffer; /* two blocks take turns in the accumulators */
    /* Without double_buffer, where k has several tiles: into so many parts of rows the block's
     * first and last tile of k are cut. A part of the last tile is drained as soon as it is
     * complete, and the next block's first tile overwrites it as soon as that is done. */
    int64_t parts;
};
static inline const struct systolic_choice *systolic_choice(const struct plan_layer *l)
{
    return (const struct systolic_choice *)&l->choice;
}

/* Pieces that the first and the last tile of k of a layer's blocks are cut into: choice.parts,
 * where that means something. */
static inline int64_t systolic_parts(const struct systolic *s, const struct plan_layer *l)
{
    return systolic_choice(l)->double_buffer || l->gemm.k <= s->cfg.rows
               ? 1
               : systolic_choice(l)->parts;
}

/* Pieces lie in places of equal size in the accumulators, taken in turn: rows of a place, and how
 * many there are. */
struct places {
    int64_t rows, n;
};
static inline struct places systolic_places(const struct systolic *s, const struct plan *p,
                                            const struct plan_layer *l)
{
    const int64_t rows =
        (systolic_choice(l)->block_m + systolic_choice(l)->parts - 1) / systolic_choice(l)->parts;
    return (struct places){rows, s->cfg.accumulators / plan_sum_words(p, l) / rows};
}

/* What block_m cuts of a region: rows of its product, or the columns where
 * inputs stay. */
int64_t systolic_block_rows(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, const struct region *out);
