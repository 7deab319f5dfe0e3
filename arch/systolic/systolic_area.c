/* SPDX-License-Identifier: Apache-2.0 */
/* The die, block by block: docs/energy.md, "Area". */
#include "arch/systolic/systolic.h"
#include "sim/base/error.h"
#include "sim/parts/area.h"

static const double um2_per_mm2 = 1e6, sum_bits = 32, bits_per_byte = 8;

static void add(struct machine *m, const char *name, double mm2, double leakage_w)
{
    if (mm2 > 0)
        m->areas[m->n_area++] = (struct record_area){name, mm2, leakage_w};
}

static void add_logic(const struct systolic *s, struct machine *m, const char *name,
                      double cells_um2)
{
    add(m, name, cells_um2 / s->cfg.area.logic_utilization / um2_per_mm2,
        area_logic_leakage_w(cells_um2, (double)s->cfg.technology_nm));
}

static void add_sram(const struct systolic *s, struct machine *m, const char *name, double bytes,
                     bool two_port)
{
    const double bits = bits_per_byte * bytes, nm = (double)s->cfg.technology_nm;
    const double cells_um2 = area_sram_cells_um2(bits, two_port, nm);
    add(m, name, cells_um2 / s->cfg.area.sram_efficiency / um2_per_mm2,
        area_sram_leakage_w(bits, two_port, nm));
}

/* A multiplier and an adder, and registers for what stays, for what passes by and for the sum; with
 * shadow registers for what will stay next. */
static double matrix_um2(const struct systolic *s)
{
    const struct systolic_cfg *c = &s->cfg;
    const double nm = (double)c->technology_nm, n_mac = (double)(c->rows * c->cols);
    const double operand_bits = bits_per_byte * (double)number_bytes(s->native);
    const double bits = (c->double_buffer ? 3 : 2) * operand_bits + sum_bits;
    return n_mac * (area_mac_um2(s->native, nm) + area_register_um2(bits, nm));
}

/* Each row's inputs enter a cycle behind those of the row above: a triangle of registers. */
static double setup_um2(const struct systolic *s)
{
    const double rows = (double)s->cfg.rows;
    const double bits = rows * (rows - 1) / 2 * bits_per_byte * (double)number_bytes(s->native);
    return area_register_um2(bits, (double)s->cfg.technology_nm);
}

static double activation_um2(const struct systolic *s)
{
    const double n_lane =
        (double)(s->cfg.activation_values > 0 ? s->cfg.activation_values : s->cfg.cols);
    return n_lane * area_lane_um2((double)s->cfg.technology_nm);
}

static double memory_phy_mm2(const struct systolic *s)
{
    const struct dram_cfg *d = &s->cfg.weights;
    const int width_bits = d->standard > 0 ? dram_standards[d->standard].width_bits : 0;
    return area_memory_phy_mm2(dram_standard_names[d->standard],
                               (double)(d->n_channel * width_bits), (double)s->cfg.technology_nm);
}

/* On the die: of activations, and of weights where they share it. */
static double buffer_bytes(const struct systolic_cfg *c)
{
    return 1024 * (c->shared ? MAX(c->buffer_kib, c->weights.size_kib) : c->buffer_kib);
}

bool systolic_fill_area(const struct systolic *s, const char *file, struct machine *m,
                        GError **error)
{
    const struct systolic_cfg *c = &s->cfg;
    const double tile_bytes = (double)(c->rows * c->cols) * (double)number_bytes(s->native);
    const double entry_bytes = (double)c->cols * sum_bits / bits_per_byte;
    const double n = (double)c->n_array;
    add_logic(s, m, "matrix_unit", n * matrix_um2(s));
    add_logic(s, m, "data_setup", n * setup_um2(s));
    add_logic(s, m, "activation_unit", n * activation_um2(s));
    add_sram(s, m, "unified_buffer", buffer_bytes(c), false);
    /* A sum is read, added to and written each cycle; a tile arrives while another leaves. */
    add_sram(s, m, "accumulators", n * (double)c->accumulators * entry_bytes, true);
    add_sram(s, m, "weight_fifo", n * (double)c->fifo_tiles * tile_bytes, true);
    add(m, "memory_phy", memory_phy_mm2(s), 0);
    add(m, "host_phy", area_pcie_phy_mm2((double)c->area.host_lanes), 0);
    double placed_mm2 = 0;
    for (int i = 0; i < m->n_area; i++)
        placed_mm2 += m->areas[i].mm2;
    if (c->area.placed <= c->area.control)
        return error_set(
            error, ERROR_INPUT,
            "%s: area.placed = %g leaves nothing beside area.control = %g: it is to be "
            "larger",
            file, c->area.placed, c->area.control);
    m->area_mm2 = c->area_mm2;
    if (m->area_mm2 <= 0)
        m->area_mm2 = placed_mm2 / (c->area.placed - c->area.control);
    add(m, "control", c->area.control * m->area_mm2, 0);
    /* add() leaves it out where a die is given that is smaller than its blocks. */
    add(m, "unplaced", m->area_mm2 * (1 - c->area.control) - placed_mm2, 0);
    return true;
}
