/* SPDX-License-Identifier: Apache-2.0 */
#include "app/emit.h"

#include <stdlib.h>
#include <string.h>

#include "app/signals.h"
#include "sim/base/out.h"

/* Writing to a pipe may take for ever and leaves nothing behind: there Ctrl-C works at once. */
static bool is_replaced(const char *path)
{
    return strcmp(path, "-") != 0 &&
           (g_file_test(path, G_FILE_TEST_IS_REGULAR) || !g_file_test(path, G_FILE_TEST_EXISTS));
}

void emit_message(const char *kind, const char *text)
{
    if (!text)
        return;
    g_autofree char *plain = g_strdup(text);
    for (char *c = plain; *c; c++)
        if (g_ascii_iscntrl(*c) && *c != '\n')
            *c = '?';
    fprintf(stderr, "accsim: %s: %s\n", kind, plain);
}

bool emit_text(const char *path, char *text, GError **error)
{
    bool hold = is_replaced(path);
    if (hold)
        signals_hold();
    bool ok = out_write(path, text, strlen(text), error);
    if (hold)
        signals_release();
    g_free(text);
    return ok;
}

/* 15 digits: a number comes back as it was written in a file: 0.1, and not 0.10000000000000001. */
static char *dump(const json_t *doc)
{
    char *json = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    g_assert(json);
    char *text = g_strconcat(json, "\n", NULL);
    free(json);
    return text;
}

bool emit(const struct options *o, GString *text, json_t *doc, GError **error)
{
    bool ok = !o->json || emit_text(o->json, dump(doc), error);
    if (ok && options_want_text(o))
        ok = emit_text("-", g_string_free(text, FALSE), error);
    else
        g_string_free(text, TRUE);
    json_decref(doc);
    return ok;
}

json_t *emit_doc(const char *schema)
{
    json_t *doc = json_object();
    json_put_text(doc, "schema", schema);
    return doc;
}
