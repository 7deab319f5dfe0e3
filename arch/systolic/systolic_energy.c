/* SPDX-License-Identifier: Apache-2.0 */
/* Energies that the machine's file does not give: from the tables of its process node. */
#include "arch/systolic/systolic.h"
#include "sim/base/error.h"
#include "sim/parts/technology.h"

static const double not_given = -1;

static void fill(double *pj, double from_table)
{
    if (*pj < 0)
        *pj = from_table;
}

bool systolic_check_energy(const struct systolic *s, const char *file, GError **error)
{
    for (const struct cfg_field *f = systolic_fields; f->path; f++) {
        if (f->type != CFG_FLOAT || !g_str_has_prefix(f->path, "energy."))
            continue;
        const double value = G_STRUCT_MEMBER(double, &s->cfg, f->offset);
        if (value < 0 && value != not_given)
            return error_set(error, ERROR_INPUT,
                             "%s: %s = %g: it is to be -1, which leaves it to the tables, or from "
                             "0 on",
                             file, f->path, value);
    }
    return true;
}

void systolic_fill_energy(struct systolic *s)
{
    const struct systolic_cfg *c = &s->cfg;
    struct systolic_energy *e = &s->cfg.energy;
    const double nm = (double)c->technology_nm;
    const double tile_bytes = (double)(c->rows * c->cols) * (double)number_bytes(s->native);
    const char *standard = dram_standard_names[c->weights.standard];
    const double sum_bytes = 4;
    fill(&e->mac_pj, technology_mac_pj(s->native, nm));
    s->has_prices = e->weight_byte_pj < 0 && dram_prices(&c->weights, &s->prices);
    if (s->has_prices)
        e->weight_byte_pj = s->prices.read_pj_per_byte;
    fill(&e->weight_byte_pj, technology_dram_pj_per_byte(standard));
    /* A memory a column of the array, for a tile's part of the FIFO and for its sums. */
    fill(&e->fifo_byte_pj,
         technology_sram_pj_per_byte(tile_bytes * (double)c->fifo_tiles / (double)c->cols, nm));
    fill(&e->buffer_byte_pj, technology_sram_pj_per_byte(c->buffer_kib * 1024, nm));
    fill(&e->accumulator_byte_pj,
         technology_sram_pj_per_byte((double)c->accumulators * sum_bytes, nm));
    fill(&e->activation_pj, technology_scale_pj(nm));
    /* Without lanes of its own a machine keeps in off-chip memory what does not fit on the die. */
    fill(&e->host_byte_pj, c->area.host_lanes > 0 ? technology_pcie_pj_per_byte()
                                                  : technology_dram_pj_per_byte(standard));
}

void systolic_fill_idle(struct systolic *s)
{
    double leakage_w = 0;
    for (int i = 0; i < s->machine->n_area; i++)
        leakage_w += s->machine->areas[i].leakage_w;
    fill(&s->cfg.energy.idle_w, leakage_w);
}

/* Without events a stream opens each row once, and refreshes come when they are due. */
static void expect_commands(const struct systolic *s, const struct record *r, double *n_activate,
                            double *n_refresh)
{
    const struct dram_cfg *d = &s->cfg.weights;
    const struct dram_standard *standard = &dram_standards[d->standard];
    const double bytes = (double)record_memory_bytes(r, MEM_WEIGHTS).read;
    *n_activate = bytes / standard->row_bytes;
    *n_refresh =
        record_seconds(r) / (standard->tREFI.ns * 1e-9) * (double)(d->n_channel * d->n_rank);
}

void systolic_price_memory(const struct systolic *s, struct record *r)
{
    struct record_dram *d = &r->drams[MEM_WEIGHTS];
    const double bytes = (double)record_memory_bytes(r, MEM_WEIGHTS).read;
    double n_activate = (double)d->activates, n_refresh = (double)d->refreshes;
    if (!s->has_prices || r->total_cyc == 0)
        return;
    if (!d->known)
        expect_commands(s, r, &n_activate, &n_refresh);
    d->priced = true;
    d->access_pj = bytes * s->prices.read_pj_per_byte;
    d->activate_pj = n_activate * s->prices.activate_pj;
    d->refresh_pj = n_refresh * s->prices.refresh_pj;
    d->background_pj = s->prices.background_w * record_seconds(r) * 1e12;
    for (int i = 0; i < r->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        const double of_bytes = bytes > 0 ? (double)l->bytes[MEM_WEIGHTS].read / bytes : 0;
        const double of_time = (double)l->cycles / (double)r->total_cyc;
        l->energy_pj[ENERGY_WEIGHTS] +=
            of_bytes * d->activate_pj + of_time * (d->refresh_pj + d->background_pj);
    }
}
