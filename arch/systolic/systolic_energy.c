/* SPDX-License-Identifier: Apache-2.0 */
/* Energies that the machine's file does not give: from the tables of its process node. */
#include "arch/systolic/systolic.h"
#include "sim/parts/technology.h"

static void fill(double *pj, double from_table)
{
    if (*pj < 0)
        *pj = from_table;
}

void systolic_fill_energy(struct systolic *s)
{
    const struct systolic_cfg *c = &s->cfg;
    struct systolic_energy *e = &s->cfg.energy;
    const double nm = (double)c->technology_nm;
    const double tile_bytes = (double)(c->rows * c->cols) * (double)number_bytes(s->native);
    const double sum_bytes = 4;
    fill(&e->mac_pj, technology_mac_pj(s->native, nm));
    fill(&e->weight_byte_pj, technology_dram_pj_per_byte(dram_standard_names[c->weights.standard]));
    /* A memory a column of the array, for a tile's part of the FIFO and for its sums. */
    fill(&e->fifo_byte_pj,
         technology_sram_pj_per_byte(tile_bytes * (double)c->fifo_tiles / (double)c->cols, nm));
    fill(&e->buffer_byte_pj, technology_sram_pj_per_byte(c->buffer_kib * 1024, nm));
    fill(&e->accumulator_byte_pj,
         technology_sram_pj_per_byte((double)c->accumulators * sum_bytes, nm));
    fill(&e->activation_pj, technology_scale_pj(nm));
}

void systolic_fill_idle(struct systolic *s)
{
    double leakage_w = 0;
    for (int i = 0; i < s->machine->n_area; i++)
        leakage_w += s->machine->areas[i].leakage_w;
    fill(&s->cfg.energy.idle_w, leakage_w);
}
