/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/total.h"

const struct record_layer *total_layer(struct arena *arena, const struct record *r)
{
    struct record_layer *total = record_layers_new(arena, r, 1);
    total->index = -1;
    total->name = "total";
    total->macs = record_macs(r);
    total->cycles = total->end_cycle = r->total_cyc;
    total->peak_macs_per_cycle = r->peak_macs_per_cycle;
    total->check = r->check;
    total->bound_cyc = record_bound_cyc(r);
    for (int i = 0; i < r->n_memory; i++) {
        total->bytes[i] = record_memory_bytes(r, i);
        total->compulsory[i] = record_compulsory_bytes(r, i);
    }
    for (int i_layer = 0; i_layer < r->n_layer; i_layer++) {
        const struct record_layer *l = &r->layers[i_layer];
        for (int i = 0; i < r->n_cause; i++)
            total->stall_cyc[i] += l->stall_cyc[i];
        for (int i = 0; i < r->n_component; i++)
            total->energy_pj[i] += l->energy_pj[i];
    }
    return total;
}
