/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/systolic/systolic_stream.h"

#include "arch/systolic/systolic_core.h"

struct cut systolic_cut(const struct systolic *s, const struct plan *p, const struct plan_layer *l)
{
    return (struct cut){.flow = (enum dataflow)s->cfg.dataflow,
                        .trimmed = s->cfg.edge == EDGE_TRIMMED,
                        .sideways = systolic_shifts_sideways(s, l),
                        .rows = s->cfg.rows,
                        .cols = s->cfg.cols,
                        .k = l->gemm.k,
                        .n = l->gemm.n,
                        .tiles_k = int64_div_up(l->gemm.k, s->cfg.rows),
                        .row_cyc = systolic_rows_cyc(s, p, l, 1),
                        .line_cyc = systolic_shift_cyc(s, p, l, 1),
                        .value_bytes = number_bytes(l->weight_format),
                        .tile_bytes = systolic_tile_bytes(s, l)};
}

/* A step's number is that of its chunk. */
struct block systolic_block(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    const int64_t cols = s->cfg.cols, tile_n = in->n0 / cols;
    return (struct block){.chunk = in->step + 1,
                          .group = in->group,
                          .m0 = in->m0,
                          .m = in->m,
                          .n0 = in->n0,
                          .n = in->n,
                          .tile_n = tile_n,
                          .n_tile = (in->n0 + in->n - 1) / cols - tile_n + 1,
                          .tile =
                              systolic_tile_address(s, &p->layers[in->layer], in->group, tile_n, 0),
                          .reuse = in->reuse,
                          .reuse_weights = in->reuse_weights};
}

struct stream systolic_stream(const struct systolic *s, const struct plan *p, const struct insn *in,
                              uint32_t i)
{
    const struct plan_layer *l = &p->layers[in->layer];
    const struct cut c = systolic_cut(s, p, l);
    const struct block b = systolic_block(s, p, in);
    const int64_t n = systolic_n_passing(&c, &b);
    struct stream t = {.in = *in, .pass = systolic_pass(&c, &b, in->k0 + i / n, i % n)};
    t.tile = systolic_tile_address(s, l, in->group, t.pass.tile_n, t.pass.i_k);
    t.one_tile = systolic_one_tile(&c, &b);
    t.bytes = systolic_part_bytes(&c, t.pass.i_k, t.pass.tile_n);
    t.in.tile_n = (int32_t)t.pass.tile_n;
    t.in.m0 = t.pass.m0;
    t.in.m = t.pass.m;
    t.in.n0 = t.pass.n0;
    t.in.n = t.pass.n;
    t.in.first += systolic_entries(c.flow, t.pass.m0 - in->m0, t.pass.n0 - in->n0);
    return t;
}

uint64_t systolic_active_cyc(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    const struct cut c = systolic_cut(s, p, &p->layers[in->layer]);
    const struct block b = systolic_block(s, p, in);
    if (c.flow == FLOW_WS)
        return systolic_enter_cyc(&c, in->repeat * in->m);
    return systolic_enter_cyc(&c, systolic_n_stay(&c, &b) * (c.flow == FLOW_OS ? c.k : in->n));
}

uint64_t systolic_read_bytes(const struct systolic *s, const struct plan *p, const struct insn *in)
{
    const struct cut c = systolic_cut(s, p, &p->layers[in->layer]);
    const struct block b = systolic_block(s, p, in);
    const int64_t n = systolic_n_passing(&c, &b);
    uint64_t bytes = 0;
    for (int64_t i = 0; i < in->repeat; i++) {
        const struct pass t = systolic_pass(&c, &b, i / n, i % n);
        bytes += systolic_part_bytes(&c, t.i_k, t.tile_n);
    }
    return bytes;
}
