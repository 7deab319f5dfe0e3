/* SPDX-License-Identifier: Apache-2.0 */
/* What no mapping of a layer goes below (docs/mapping.md, "The bound"). */
#include "arch/systolic/systolic.h"
#include "arch/systolic/systolic_core.h"
#include "mapper/plan_input.h"
#include "mapper/values/lookup.h"
#include "mapper/values/permute.h"
#include "sim/base/size.h"

/* A row enters the array each cycle, or each of its passes, for every tile of what stays there. */
static double array_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l)
{
    const struct gemm *g = &l->gemm;
    const bool os = s->cfg.dataflow == FLOW_OS, is = s->cfg.dataflow == FLOW_IS;
    const double tiles = (double)(g->groups * int64_div_up(os ? g->m : g->k, s->cfg.rows) *
                                  int64_div_up(is ? g->m : g->n, s->cfg.cols));
    return tiles *
           (double)(os   ? g->k
                    : is ? g->n
                         : g->m) *
           (double)systolic_row_cyc(s, p->formats[l->in[0]], l->weight_format) /
           (double)s->cfg.n_array;
}

/* Every row of sums passes the activation unit. */
static double activate_cyc(const struct systolic *s, const struct plan *p,
                           const struct plan_layer *l)
{
    const struct gemm *g = &l->gemm;
    const bool is = s->cfg.dataflow == FLOW_IS;
    return (double)(g->groups * int64_div_up(is ? g->m : g->n, s->cfg.cols)) *
           (double)systolic_activate_cyc(s, p, l, is ? g->n : g->m) / (double)s->cfg.n_array;
}

/* Bytes a cycle; 0: any number. */
static double fetch_rate(const struct systolic *s, const struct plan_layer *l)
{
    if (l->streamed)
        return machine_memory(s->machine, ROLE_INPUTS)->bytes_per_cyc;
    return s->memory->model == DRAM_IDEAL ? 0 : s->memory->bandwidth_gb_s * 1e9 / s->clock_hz;
}

/* Every tile comes at least once, but those that lie in the FIFO and the shadow registers when the
 * layer before ends; those of a parameter that several layers read may stay. */
static double fetch_cyc(const struct systolic *s, const struct plan_layer *l)
{
    const double rate = fetch_rate(s, l);
    const double tiles = (double)(l->gemm.groups * int64_div_up(l->gemm.n, s->cfg.cols) *
                                  int64_div_up(l->gemm.k, s->cfg.rows));
    const double tile = (double)systolic_tile_bytes(s, l);
    const double ahead = (double)(s->cfg.n_array * (s->cfg.fifo_tiles + 1)) * tile;
    const double used = (double)(l->gemm.groups * l->gemm.n * l->gemm.k / l->packed) *
                        (double)number_bytes(l->weight_format);
    if (l->stationary_is_activation || l->weights_of != l->index || rate <= 0)
        return 0;
    return MAX((s->cfg.edge == EDGE_FULL ? tiles * tile : used) - ahead, 0) / rate;
}

/* An address a cycle, and the bytes of all rows. */
static double rows_cyc(const struct systolic *s, const struct plan *p, const struct plan_layer *l)
{
    const double rows = (double)dims_of(&p->graph->values[l->out].shape).n;
    const double rate = fetch_rate(s, l);
    return MAX(rows, rate > 0 ? rows * (double)lookup_row_bytes(p, l) / rate : 0);
}

static int64_t columns_read(const struct plan *p, const struct plan_layer *l, int i_in)
{
    const int64_t w = plan_in_dims(p, l, i_in).w;
    return plan_cuts_columns(p, l) ? MIN(plan_columns_needed(p, l, i_in), w) : w;
}

uint64_t systolic_bound(const void *self, const struct plan *p, int i_layer)
{
    const struct systolic *s = self;
    const struct plan_layer *l = &p->layers[i_layer];
    if (s->cfg.timing == TIMING_SCALESIM)
        return systolic_scalesim_layer_cyc(s, l);
    if (l->kind == LAYER_MATRIX) /* a row of one of several arrays takes a whole cycle */
        return (uint64_t)MAX(MAX(array_cyc(s, p, l), fetch_cyc(s, l)),
                             MAX(activate_cyc(s, p, l), 1));
    if (l->kind == LAYER_LOOKUP)
        return (uint64_t)rows_cyc(s, p, l);
    uint64_t cycles = 0;
    const struct dims o = dims_of(&p->graph->values[l->out].shape);
    const struct region all = region_whole(&o);
    if (l->permute)
        return permute_beats(p, l, &all, systolic_path_bytes(s), s->cfg.transposes) /
               (uint64_t)s->cfg.n_array;
    for (int j = 0; j < l->n_in; j++) {
        const struct dims d = plan_in_dims(p, l, j);
        const int64_t pixels = l->broadcast >> j & 1
                                   ? plan_pixels_read(p, l, j, &all)
                                   : d.n * plan_rows_needed(p, l, j) * columns_read(p, l, j);
        cycles += (uint64_t)pixels * systolic_reads(p, l) * systolic_pixel_cyc(s, p, l, j, &all);
    }
    return cycles / (uint64_t)s->cfg.n_array;
}
