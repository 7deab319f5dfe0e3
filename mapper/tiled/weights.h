/* SPDX-License-Identifier: Apache-2.0 */
/* Where parameters lie. */
#pragma once

#include "mapper/plan.h"

/* Addresses of all parameters. Where the machine can stream them, the weight memory has those of
 * each layer, in the network's order, that still find room there as a whole, beside
 * plan->activation_bytes where it is shared; the others', which are streamed, get addresses behind
 * its last. Where it cannot, all have addresses in it, and the family tells if they do not fit. */
void weights_place(struct plan *p);
