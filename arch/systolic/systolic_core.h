/* SPDX-License-Identifier: Apache-2.0 */
/* State and timing rules: pure functions of state and time. docs/systolic.md gives each formula. */
#pragma once

#include "arch/systolic/systolic_insn.h"
#include "arch/systolic/systolic_machine.h"
#include "sim/parts/dma.h"

/* Tiles come from the unified buffer: of another layer's values, or of weights that stay there. */
static inline bool systolic_from_buffer(const struct plan_layer *l)
{
    return l->stationary_is_activation || l->resident;
}

/* Time is an argument. */
struct systolic_core {
    struct dram memory; /* that weights lie in, and in a machine with one memory everything else */
    struct link host;   /* where there is one */
    struct arbiter memory_ports, host_ports; /* of weights, and of the DMA engine */
    struct dma dma;
    uint64_t
        buffer_busy_ports; /* until when the buffer's ports are taken: a cycle of each counts */
};
/* Bytes of a burst of the DMA engine. */
uint64_t systolic_burst_bytes(const struct systolic *s);
void systolic_core_init(struct systolic_core *c, const struct systolic *s);
void systolic_core_clear(struct systolic_core *c);
/* Arrays that the buffer serves in the same cycle. */
int64_t systolic_core_ports(const struct systolic *s);
/* The cycle in which an array that asks at now_cyc has read from the buffer for `cycles`. Where
 * there are fewer ports than arrays, those that ask share them. */
uint64_t systolic_buffer_ready(struct systolic_core *c, const struct systolic *s, uint64_t cycles,
                               uint64_t now_cyc);
/* What each array's activation unit takes for its share of a pass of `cycles`, rounded up. */
uint64_t systolic_share_cyc(const struct systolic *s, uint64_t cycles);
/* Bytes of a whole weight tile. */
uint64_t systolic_tile_bytes(const struct systolic *s, const struct plan_layer *l);
/* Where a tile of a layer's weights lies, by columns of tiles: the i_k-th one down the i_n-th
 * column of a group. With array.edge = "full" edge tiles are padded to whole ones, else trimmed;
 * tiles of other layers' values, which lie in no memory, are numbered as whole ones. */
uint64_t systolic_tile_address(const struct systolic *s, const struct plan_layer *l, int64_t group,
                               int64_t i_n, int64_t i_k);
/* Values from a row of a tile to the next one, of the i_n-th column of tiles. */
int64_t systolic_tile_pitch(const struct systolic *s, const struct plan_layer *l, int64_t i_n);
/* The ports that a layer's weights come through: of their memory, or, if it is streamed, of the
 * host link. */
struct arbiter *systolic_weight_ports(struct systolic_core *c, const struct plan_layer *l);
/* Those that a transfer of the value goes through. */
struct arbiter *systolic_transfer_ports(struct systolic_core *c, const struct systolic *s,
                                        const struct plan *p, int value);
/* When a row of a table that is asked for now arrives. */
uint64_t systolic_read_row(struct systolic_core *c, const struct plan_layer *l,
                           const struct dram_request *r, uint64_t now_cyc);
/* Passes of one row of inputs through the array: operands of twice the native width go through in
 * two pieces, those of both sides in four. */
uint64_t systolic_row_cyc(const struct systolic *s, enum number in, enum number weight);
/* Cycles of so many rows of a layer's operands. */
uint64_t systolic_rows_cyc(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l, int64_t rows);
/* Bytes of a sum in the accumulators: products of 16-bit integers need two entries a sum. */
uint64_t systolic_sum_bytes(const struct plan *p, const struct plan_layer *l);
/* Whether a layer's tiles, transposed in the buffer, are shifted in from the side, by columns. */
bool systolic_shifts_sideways(const struct systolic *s, const struct plan_layer *l);
/* Cycles to shift in so many rows (or columns) of what stays in the array: one of native operands a
 * cycle. */
uint64_t systolic_shift_cyc(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, int64_t rows);
/* Whose sums are in the array or leave it: the last stream's, or with os the last block's. Sums of
 * the next one must not catch up with them. */
struct in_array {
    bool any;         /* false: nothing has been multiplied yet */
    uint64_t end_cyc; /* its last row has entered */
    int64_t rows;     /* of the array that it uses */
};
/* The first cycle in which the array itself lets a stream start, since the foot of a column gives
 * one sum a cycle. */
uint64_t systolic_stream_start(const struct systolic *s, const struct in_array *before,
                               int64_t rows, uint64_t stream_cyc, bool begins, bool ends);
/* Cycles of Activate of m rows of sums, at the rate of the activation unit: whole rows, also where
 * fewer columns are used, one a cycle at most. A row of sums lies at one address of all columns'
 * RAMs (Jouppi et al. 2017, section 2); nothing published says that unused ones save time. What is
 * added to the sums comes over the path that results leave by, a row at a time. */
uint64_t systolic_activate_cyc(const struct systolic *s, const struct plan *p,
                               const struct plan_layer *l, int64_t m);
/* Cycles of one pixel of an input, as a region of the output needs it, on the path between buffer
 * and activation unit, which is as wide as a row of the array. */
uint64_t systolic_pixel_cyc(const struct systolic *s, const struct plan *p,
                            const struct plan_layer *l, int i_in, const struct region *out);
int64_t systolic_path_bytes(const struct systolic *s); /* of the activation unit, a cycle */
/* Cycles of a layer on the host, at its rates. */
uint64_t systolic_host_cyc(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l);
/* Cycles that so many bytes of a tile take from the unified buffer to the array: a row of the
 * array's values a cycle, or one value a cycle of a tile that is transposed on its way. */
uint64_t systolic_buffer_tile_cyc(const struct systolic *s, const struct plan_layer *l,
                                  uint64_t bytes);
/* How often a pass reads its operands: once, but for operators over rows. */
uint64_t systolic_reads(const struct plan *p, const struct plan_layer *l);
/* Cycles of a pass from buffer to buffer (NORMALIZE_POOL): those of each pixel of each operand. */
uint64_t systolic_vector_cyc(const struct systolic *s, const struct plan *p,
                             const struct plan_step *st);
/* When the shift of a tile can start: it has arrived and the shadow registers are free. */
uint64_t systolic_shift_start(uint64_t arrival_cyc, uint64_t shadow_free_cyc);
