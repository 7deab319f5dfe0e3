/* SPDX-License-Identifier: Apache-2.0 */
/* Topology files of SCALE-Sim (docs/nets.md). */
#pragma once

#include "workloads/net.h"

/* Each row is a layer by itself with an input of its own. Errors name the line. */
struct graph *net_csv_read(const char *file, const struct net_options *options, GError **error);
