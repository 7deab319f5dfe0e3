/* SPDX-License-Identifier: Apache-2.0 */
/* accsim show plan: the mapped program. */
#include <inttypes.h>
#include <string.h>

#include "app/app.h"
#include "app/emit.h"
#include "sim/base/error.h"

static json_t *plan_doc(const struct accsim *a, const char *text)
{
    const struct record *r = accsim_record(a);
    json_t *doc = emit_doc("accsim-plan/1");
    json_put_text(doc, "arch", r->arch_name);
    json_put_text(doc, "net", r->net_name);
    json_put_count(doc, "batch", r->batch);
    json_t *lines = json_array();
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        json_array_append_new(lines, json_stringn(line, n));
        line += n + (line[n] == '\n');
    }
    json_object_set_new(doc, "lines", lines);
    return doc;
}

bool show_plan(const struct options *o, GError **error)
{
    if (!options_need_machine_and_net(o, "show plan", error))
        return false;
    if (strcmp(o->arch, "reference") == 0)
        return error_set(error, ERROR_INPUT,
                         "'reference' has no plan: it runs the network as it is");
    struct accsim_options run = run_options(o);
    run.mode = ACCSIM_TIMING; /* a plan depends on no value */
    struct accsim *a = accsim_new(&run, error);
    if (!a)
        return false;
    emit_message("warning", accsim_graph(a)->warning);
    g_autofree char *plan = accsim_plan_text(a);
    GString *text = g_string_new(NULL);
    g_string_printf(text, "# %" PRIu64 " mappings of layers looked at\n",
                    accsim_mapping(a).n_tried);
    g_string_append(text, plan); /* can be longer than a format may make */
    if (!g_utf8_validate(text->str, (gssize)text->len, NULL)) {
        g_autofree char *valid = g_utf8_make_valid(text->str, (gssize)text->len);
        g_string_assign(text, valid);
    }
    json_t *doc = o->json ? plan_doc(a, text->str) : NULL; /* both can be large */
    bool ok = emit(o, text, doc, error);
    accsim_free(a);
    return ok;
}
