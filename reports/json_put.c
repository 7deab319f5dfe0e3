/* SPDX-License-Identifier: Apache-2.0 */
#include "reports/json_put.h"

#include <glib.h>
#include <inttypes.h>
#include <math.h>

void json_put_text(json_t *o, const char *key, const char *s)
{
    if (!s)
        return;
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    json_object_set_new(o, key, json_string(valid));
}

void json_put_item(json_t *array, const char *s)
{
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    json_array_append_new(array, json_string(valid));
}

void json_put_count(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key,
                        v <= INT64_MAX ? json_integer((json_int_t)v) : json_sprintf("%" PRIu64, v));
}

void json_put_real(json_t *o, const char *key, double v)
{
    if (isfinite(v))
        json_object_set_new(o, key, json_real(v));
}

void json_put_bool(json_t *o, const char *key, bool v)
{
    json_object_set_new(o, key, json_boolean(v));
}

void json_put_object(json_t *o, const char *key, json_t *member)
{
    if (json_object_size(member) > 0)
        json_object_set_new(o, key, member);
    else
        json_decref(member);
}
