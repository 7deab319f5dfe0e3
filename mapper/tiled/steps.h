/* SPDX-License-Identifier: Apache-2.0 */
/* The list of steps. */
#pragma once

#include "mapper/plan.h"

/* Fills plan->steps. ERROR_LIMIT where there would be too many. */
bool steps_make(struct plan *p, GError **error);
