/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of schema accsim-run/1, and beside them what a record needs to be read back: the
 * machine's tables of causes, memories and components, and each layer's shape. */
#include "reports/report.h"

#include <glib.h>
#include <jansson.h>
#include <stdlib.h>

#include "reports/json_parts.h"

static json_t *record_object(const struct record *r)
{
    json_t *o = json_object();
    json_put_text(o, "schema", "accsim-run/1");
    json_put_text(o, "version", r->version);
    json_put_text(o, "command", r->command);
    json_put_count(o, "seed", r->seed);
    json_put_text(o, "mode", r->mode);
    json_put_text(o, "fidelity", r->fidelity);
    json_object_set_new(o, "arch", json_arch(r));
    json_object_set_new(o, "net", json_net(r));
    json_object_set_new(o, "totals", json_totals(r));
    json_t *layers = json_array(), *units = json_array();
    for (int i = 0; i < r->n_layer; i++)
        json_array_append_new(layers, json_layer(r, &r->layers[i]));
    for (int i = 0; i < r->n_unit; i++)
        json_array_append_new(units, json_unit(r, &r->units[i]));
    json_object_set_new(o, "layers", layers);
    json_object_set_new(o, "units", units);
    json_t *memories = json_memories(r);
    if (json_array_size(memories) > 0)
        json_object_set(o, "memories", memories);
    json_decref(memories);
    if (r->n_power > 0)
        json_object_set_new(o, "power", json_power(r));
    json_put_object(o, "check", json_net_check(r));
    json_put_named(o, r);
    return o;
}

char *report_json(const struct record *r)
{
    json_t *o = record_object(r);
    char *body = json_dumps(o, JSON_INDENT(2));
    g_assert(body);
    json_decref(o);
    char *text = g_strconcat(body, "\n", NULL);
    free(body);
    return text;
}
