/* SPDX-License-Identifier: Apache-2.0 */
/* What `accsim validate` compares: quantities of a record, by name. */
#pragma once

#include <stdbool.h>

#include "sim/stat/record.h"

/* "active", "stall:CAUSE", ... (docs/validation.md) of a run; `plain` is the same run without
 * settings of its own. False where the record has no such thing. */
bool validate_quantity(const char *name, const struct record *r, const struct record *plain,
                       double *out);
