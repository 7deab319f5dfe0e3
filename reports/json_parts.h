/* SPDX-License-Identifier: Apache-2.0 */
/* Inside reports/: what the parts of the JSON rendering share. Values returned are new references,
 * which the caller takes over. */
#pragma once

#include <jansson.h>

#include "reports/json_put.h"
#include "sim/stat/record.h"

/* The machine and the network, as the record describes them. */
json_t *json_arch(const struct record *r);
json_t *json_net(const struct record *r);
/* What the run found. json_memories() is an array without elements where no memory has banks. */
json_t *json_totals(const struct record *r);
json_t *json_layer(const struct record *r, const struct record_layer *l);
json_t *json_unit(const struct record *r, const struct record_unit *u);
json_t *json_memories(const struct record *r);
json_t *json_power(const struct record *r);
json_t *json_net_check(const struct record *r);
/* What one family alone tells, into the whole document and into a layer of it. */
void json_put_named(json_t *o, const struct record *r);
void json_put_tables(json_t *o, const struct record_table *tables, int n);
/* Names, units and sentences of it, into `arch`. */
void json_put_named_legends(json_t *o, const struct record *r);
json_t *json_legend(const struct stat_desc *d);
json_t *json_causes(const struct record_cause *causes, int n);
