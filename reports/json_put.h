/* SPDX-License-Identifier: Apache-2.0 */
/* Sets a member of a JSON object, o[key]. What does not apply is left out: a text that is NULL, a
 * number that is NaN or infinite, which JSON does not know, and an object without members. Bytes of
 * a text that are no UTF-8 become U+FFFD; json_put_object() takes `member` over. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

void json_put_text(json_t *o, const char *key, const char *s);
void json_put_item(json_t *array, const char *s); /* behind the array's last */
void json_put_count(json_t *o, const char *key, uint64_t v);
void json_put_real(json_t *o, const char *key, double v);
void json_put_bool(json_t *o, const char *key, bool v);
void json_put_object(json_t *o, const char *key, json_t *member);
