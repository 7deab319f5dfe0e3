/* SPDX-License-Identifier: Apache-2.0 */
/* From a converted node into the graph. */
#include <stdarg.h>
#include <string.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"
#include "workloads/onnx/import.h"

bool onnx_refuse(const struct onnx_node *n, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: operator '%s' (node '%s', opset %" G_GINT64_FORMAT "): %s is not "
                     "supported",
                     n->o->file, n->p->op_type, n->name, n->o->opset, what);
}

/* Words of enumerations are lower case in our tables; yes and no are numbers in the model's. */
static void adapt(struct onnx_attrs *a, const struct op *op)
{
    for (const struct cfg_field *f = op->fields; f && f->path; f++) {
        config_setting_t *s = config_setting_get_member(a->root, f->path);
        if (!s)
            continue;
        if (f->type == CFG_BOOL && config_setting_type(s) == CONFIG_TYPE_INT64)
            onnx_attrs_bool(a, f->path, config_setting_get_int64(s) != 0);
        if (f->type == CFG_ENUM && config_setting_type(s) == CONFIG_TYPE_STRING) {
            g_autofree char *lower = g_ascii_strdown(config_setting_get_string(s), -1);
            config_setting_set_string(s, lower);
        }
        for (int i = 0; f->type == CFG_STRINGS && i < config_setting_length(s); i++) {
            const char *text = config_setting_get_string_elem(s, i);
            g_autofree char *lower = text ? g_ascii_strdown(text, -1) : NULL;
            if (lower)
                config_setting_set_string_elem(s, i, lower);
        }
    }
}

/* cfg's message without the line of a file that nobody wrote. */
static bool pass_message(const struct onnx_node *n, GError *why, GError **error)
{
    const char *line = g_str_has_prefix(why->message, n->o->file) ? why->message : NULL;
    const char *what = line ? strstr(line + strlen(n->o->file), ": ") : NULL;
    error_set(error, ERROR_UNSUPPORTED,
              "%s: operator '%s' (node '%s', opset %" G_GINT64_FORMAT "): %s", n->o->file,
              n->p->op_type, n->name, n->o->opset, what ? what + strlen(": ") : why->message);
    g_error_free(why);
    return false;
}

static bool apply(struct onnx_node *n, const struct op *op, const struct onnx_attrs *attrs,
                  void *attr, GError **error)
{
    struct onnx_attrs none;
    onnx_attrs_init(&none);
    GError *why = NULL;
    if (attrs)
        adapt((struct onnx_attrs *)attrs, op);
    struct cfg *cfg = cfg_from_group(n->o->file, attrs ? attrs->root : none.root, &why);
    static const struct cfg_field no_fields[] = {{0}};
    const struct cfg_table table = {op->fields ? op->fields : no_fields, attr};
    bool ok = cfg && cfg_apply(cfg, &table, 1, n->o->arena, &why);
    cfg_free(cfg);
    onnx_attrs_clear(&none);
    return ok || pass_message(n, why, error);
}

static const char *unused_name(const struct onnx_node *n, int made)
{
    return made == 0 ? n->name : arena_printf(n->o->arena, "%s.%d", n->name, made);
}

bool onnx_emit(struct onnx_node *n, const char *op_name, const struct onnx_attrs *attrs,
               const char *const *in, int n_in, const char *const *out, int n_out, GError **error)
{
    const struct op *op = op_find(op_name);
    if (!op)
        return onnx_refuse(n, error, "our operator '%s'", op_name);
    void *attr = arena_alloc(n->o->arena, MAX(op->attr_size, 1));
    if (!apply(n, op, attrs, attr, error))
        return false;
    return graph_add_node_outputs(n->o->g, unused_name(n, n->n_made++), op, attr, in, n_in, out,
                                  n_out, n->o->file, error);
}

bool onnx_emit_node(struct onnx_node *n, const char *op, const struct onnx_attrs *attrs,
                    GError **error)
{
    return onnx_emit(n, op, attrs, n->in, n->n_in, n->out, n->n_out, error);
}

const char *onnx_made_name(struct onnx_node *n)
{
    return arena_printf(n->o->arena, "%s/%d", n->name, n->n_made++);
}

bool onnx_alias(struct onnx_node *n, int i_out, const char *value, GError **error)
{
    const char *name = n->p->output[i_out];
    if (n->o->scope->outer == NULL && g_hash_table_contains(n->o->outputs, name))
        return onnx_emit(n, "identity", NULL, &value, 1, &n->out[i_out], 1, error);
    onnx_set_value(n->o, name, value);
    return true;
}

bool onnx_add_constant(struct onnx_node *n, const char *name, enum number type,
                       const struct shape *shape, GBytes *data, GError **error)
{
    bool ok = graph_add_constant(n->o->g, name, type, shape, data, error);
    g_bytes_unref(data);
    if (!ok)
        g_prefix_error(error, "%s: ", n->o->file);
    return ok;
}

const char *onnx_add_ints(struct onnx_node *n, const int64_t *v, int n_v, GError **error)
{
    const char *name = onnx_made_name(n);
    const struct shape shape = {1, {n_v}};
    GBytes *data = g_bytes_new(v, (gsize)n_v * sizeof(*v));
    return onnx_add_constant(n, name, NUMBER_int64, &shape, data, error) ? name : NULL;
}

bool onnx_has(const struct onnx_node *n, int i)
{
    return i < n->n_in && n->in[i][0] != '\0';
}

struct operand onnx_operand(const struct onnx_node *n, int i)
{
    struct operand what = {0};
    bool ok = graph_peek(n->o->g, n->in[i], &what);
    g_assert(ok); /* nodes come in order, so that all before is inferred */
    return what;
}

bool onnx_known_ints(const struct onnx_node *n, int i, int64_t *v, int most, int *n_v)
{
    const struct operand what = onnx_operand(n, i);
    int64_t count = shape_count(&what.shape);
    bool is_one = most > 1 || count == 1; /* a list may be empty, a number not */
    if (!what.known || count > most || !is_one || number_is_float(what.type))
        return false;
    for (int64_t k = 0; k < count; k++)
        v[k] = number_get_int64(what.known, what.type, (size_t)k);
    *n_v = (int)count;
    return true;
}
