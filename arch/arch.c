/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include <string.h>

#ifndef ARCH_FAMILIES /* a test builds the table with more in it */
#define ARCH_FAMILIES "arch/families.def"
#endif

#define FAMILY(name) extern const struct arch_family arch_##name;
#include ARCH_FAMILIES
#undef FAMILY

const struct arch_family *const arch_families[] = {
#define FAMILY(name) &arch_##name,
#include ARCH_FAMILIES
#undef FAMILY
    NULL,
};

void arch_sum_costs(const struct arch_family *f, const void *self, const struct plan *p,
                    struct record *r)
{
    r->total_cyc = 0;
    for (int i = 0; i < p->n_layer; i++) {
        struct record_layer *l = &r->layers[i];
        l->cycles = (uint64_t)(f->cost(self, p, &p->layers[i], i > 0).cycles + 0.5);
        l->start_cycle = r->total_cyc;
        l->end_cycle = r->total_cyc += l->cycles;
    }
}

const struct arch_family *arch_find(const char *name)
{
    for (int i = 0; arch_families[i]; i++)
        if (!strcmp(arch_families[i]->name, name))
            return arch_families[i];
    return NULL;
}
