/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a .net file: a node each, and repetitions of them. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/net_file.h"

/* What every layer has, beside its operator's attributes. */
struct layer {
    const char *name, *op;
    struct cfg_strings inputs, outputs;
    int precision, weight_precision; /* in precision_names[] */
};

static const char *const precision_names[] = {
    "machine",
#define NUMBER(name, bits, help) #name,
#include "workloads/tensor/numbers.def"
#undef NUMBER
    NULL,
};
_Static_assert(G_N_ELEMENTS(precision_names) == NUMBER_COUNT + 2, "one name a number format");

static const struct cfg_field layer_fields[] = {
    {"name", CFG_STRING, offsetof(struct layer, name), 0, 0, "", NULL,
     "name of the layer; default: its operator and its place in the file", NULL},
    {"op", CFG_STRING, offsetof(struct layer, op), 0, 0, NULL, NULL, "operator", NULL},
    {"inputs", CFG_STRINGS, offsetof(struct layer, inputs), 0, 0, "", NULL,
     "layers or inputs that it reads; default: the layer before it", NULL},
    {"outputs", CFG_STRINGS, offsetof(struct layer, outputs), 0, 0, "", NULL,
     "names of its outputs, of operators with several; default: one, named as the layer", NULL},
    {"precision", CFG_ENUM, offsetof(struct layer, precision), 0, 0, "machine", NULL,
     "number format of matrix operands and of what the layer makes", precision_names},
    {"weight_precision", CFG_ENUM, offsetof(struct layer, weight_precision), 0, 0, "machine", NULL,
     "number format of its weights, where it is another", precision_names},
    {0},
};

/* Inserts "layer 'NAME': " behind the "file:line: " that cfg's messages begin with. */
static void name_layer(GError **error, const char *file, const char *name)
{
    if (!error || !*error)
        return;
    const char *rest = (*error)->message;
    if (g_str_has_prefix(rest, file) && rest[strlen(file)] == ':') {
        rest += strlen(file) + 1;
        rest += strspn(rest, "0123456789");
        rest += strspn(rest, ": ");
    }
    int n_head = (int)(rest - (*error)->message);
    char *message = g_strdup_printf("%.*slayer '%s': %s", n_head, (*error)->message, name, rest);
    g_free((*error)->message);
    (*error)->message = message;
}

static const struct op *find_op(const struct cfg *cfg, const char *origin, const char *layer,
                                GError **error)
{
    const char *name = cfg_peek_string(cfg, "op");
    if (!name) {
        message_layer(error, origin, layer, "needs a string 'op', the operator");
        return NULL;
    }
    const struct op *op = op_find(name);
    if (op)
        return op;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (int i = 0; op_table[i]; i++)
        g_ptr_array_add(names, (void *)op_table[i]->name);
    g_autofree char *suggestion =
        message_suggest(name, (const char *const *)names->pdata, names->len);
    message_layer(error, cfg_origin(cfg, "op"), layer, "unknown operator '%s'%s", name, suggestion);
    return NULL;
}

/* Parses the attributes and adds the node. */
static bool add_layer(struct net_builder *b, struct cfg *cfg, const char *origin, const char *name,
                      GError **error)
{
    const struct op *op = find_op(cfg, origin, name, error);
    if (!op)
        return false;
    struct layer layer = {0};
    void *attr = arena_alloc(b->scratch, MAX(op->attr_size, 1));
    const struct cfg_table tables[] = {{layer_fields, &layer}, {op->fields, attr}};
    if (!cfg_apply(cfg, tables, op->fields ? 2 : 1, b->scratch, error)) {
        name_layer(error, b->f->path, name);
        return false;
    }
    const bool reads_previous = layer.inputs.n == 0 && op->min_data > 0;
    const char *const *inputs = reads_previous ? &b->previous : layer.inputs.v;
    const char *const *outputs = layer.outputs.n ? layer.outputs.v : &name;
    if (!graph_add_node_outputs(b->g, name, op, attr, inputs, MAX(layer.inputs.n, reads_previous),
                                outputs, MAX(layer.outputs.n, 1), origin, error))
        return false;
    graph_set_precision(b->g, layer.precision - 1, layer.weight_precision - 1);
    b->previous = outputs[0];
    return true;
}

static bool read_layer(struct net_builder *b, const struct repeat_scope *names,
                       const config_setting_t *group, GError **error)
{
    config_t doc;
    const config_setting_t *copy = repeat_expand(names, group, b->f->path, &doc, error);
    if (!copy)
        return false;
    const char *origin =
        arena_printf(b->scratch, "%s:%d", b->f->path, config_setting_source_line(group));
    struct cfg *cfg = cfg_from_group(b->f->path, copy, error);
    bool ok = cfg != NULL;
    if (cfg) {
        const char *op = cfg_peek_string(cfg, "op"), *given = cfg_peek_string(cfg, "name");
        const char *name = given ? arena_strdup(b->scratch, given)
                                 : arena_printf(b->scratch, "%s%d", op ? op : "layer", b->n_layer);
        b->n_layer++;
        ok = add_layer(b, cfg, origin, name, error);
    }
    cfg_free(cfg);
    config_destroy(&doc);
    return ok;
}

static bool read_layers(struct net_builder *b, const struct repeat_scope *names,
                        const config_setting_t *layers, int64_t times, int depth, GError **error);

/* `times` tells how often the repetition is itself repeated: the product is bounded at once. */
static bool read_repetition(struct net_builder *b, const struct repeat_scope *names,
                            const config_setting_t *group, int64_t times, int depth, GError **error)
{
    const char *file = b->f->path;
    const int line = (int)config_setting_source_line(group);
    const config_setting_t *repeat = NULL, *layers = NULL;
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        bool is_repeat = strcmp(config_setting_name(s), "repeat") == 0;
        if (!is_repeat && strcmp(config_setting_name(s), "layers") != 0)
            return error_set(error, ERROR_INPUT,
                             "%s:%d: a repetition has 'repeat' and 'layers', "
                             "not '%s'",
                             file, line, config_setting_name(s));
        *(is_repeat ? &repeat : &layers) = s;
    }
    if (!layers || !config_setting_is_list(layers) || depth == REPEAT_MAX_DEPTH)
        return error_set(error, ERROR_INPUT,
                         "%s:%d: a repetition needs layers = ( ... ), and goes "
                         "%d deep at most",
                         file, line, REPEAT_MAX_DEPTH);
    const int64_t n = repeat_count(names, repeat, file, error);
    if (n < 0)
        return false;
    if (n > GRAPH_MAX_NODE / times / MAX(config_setting_length(layers), 1))
        return error_set(error, ERROR_INPUT, "%s:%d: more than %d layers", file, line,
                         GRAPH_MAX_NODE);
    bool ok = true;
    for (int64_t step = 0; ok && step < n; step++) {
        struct repeat_scope own;
        repeat_scope_init(&own, names);
        repeat_set_text(&own, "in", b->previous);
        ok = repeat_set_step(&own, repeat, step, file, error) &&
             read_layers(b, &own, layers, times * n, depth + 1, error);
        repeat_scope_clear(&own);
    }
    return ok;
}

static bool read_layers(struct net_builder *b, const struct repeat_scope *names,
                        const config_setting_t *layers, int64_t times, int depth, GError **error)
{
    for (int i = 0; i < config_setting_length(layers); i++) {
        const config_setting_t *group = config_setting_get_elem(layers, (unsigned)i);
        if (!config_setting_is_group(group))
            return error_set(error, ERROR_INPUT,
                             "%s:%d: a layer must be a group: { op = \"relu\"; }", b->f->path,
                             config_setting_source_line(layers));
        bool is_repetition = config_setting_get_member(group, "repeat") != NULL;
        if (is_repetition ? !read_repetition(b, names, group, times, depth, error)
                          : !read_layer(b, names, group, error))
            return false;
    }
    return true;
}

bool net_layers(struct net_builder *b, const struct repeat_scope *names, GError **error)
{
    return read_layers(b, names, b->f->layers, 1, 0, error);
}
