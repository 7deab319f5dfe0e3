/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include <string.h>

#define FAMILY(name) extern const struct arch_family arch_##name;
#include "arch/families.def"
#undef FAMILY

const struct arch_family *const arch_families[] = {
#define FAMILY(name) &arch_##name,
#include "arch/families.def"
#undef FAMILY
    NULL,
};

const struct arch_family *arch_find(const char *name)
{
    for (int i = 0; arch_families[i]; i++)
        if (!strcmp(arch_families[i]->name, name))
            return arch_families[i];
    return NULL;
}
