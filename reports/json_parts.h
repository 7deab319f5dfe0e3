/* SPDX-License-Identifier: Apache-2.0 */
/* Inside reports/: what the parts of the JSON rendering share. Values returned are new references,
 * which the caller takes over. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/stat/record.h"

/* A member of an object; what does not apply is left out: a text that is NULL, a number that is NaN
 * or infinite, which JSON does not know, and an object without members, which is taken over. */
void json_put_text(json_t *o, const char *key, const char *s);
void json_put_count(json_t *o, const char *key, uint64_t v);
void json_put_real(json_t *o, const char *key, double v);
void json_put_bool(json_t *o, const char *key, bool v);
void json_put_object(json_t *o, const char *key, json_t *member);

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
