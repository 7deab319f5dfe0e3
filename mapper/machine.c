/* SPDX-License-Identifier: Apache-2.0 */
#include "mapper/machine.h"

const char *const machine_role_names[N_ROLE] = {"activations", "weights", "inputs", "spill"};
const char *const machine_search_names[] = {"heuristic", "search", "exhaustive", NULL};
const char *const machine_objective_names[] = {"cycles", "traffic", NULL};
