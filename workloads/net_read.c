/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .net files (docs/nets.md). */
#include <string.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"
#include "workloads/message.h"
#include "workloads/net.h"

/* A file's settings at the top level; NULL: absent. */
struct net_file {
    const char *path;
    config_setting_t *name, *source, *inputs, *layers, *outputs;
};

/* What every layer has, beside its operator's attributes. */
struct layer {
    const char *name, *op;
    struct cfg_strings inputs;
    int precision; /* in precision_names[] */
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
    {"precision", CFG_ENUM, offsetof(struct layer, precision), 0, 0, "machine", NULL,
     "number format of matrix operands", precision_names},
    {0},
};

struct input {
    const char *name;
    struct cfg_ints shape;
};

static const struct cfg_field input_fields[] = {
    {"name", CFG_STRING, offsetof(struct input, name), 0, 0, "data", NULL, "name of the input",
     NULL},
    {"shape", CFG_INTS, offsetof(struct input, shape), 1, 0x1p40, NULL, NULL,
     "dimensions without the batch", NULL},
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

static bool collect(const config_t *doc, struct net_file *f, GError **error)
{
    const char *const names[] = {"name", "source", "inputs", "layers", "outputs"};
    config_setting_t **const slots[] = {&f->name, &f->source, &f->inputs, &f->layers, &f->outputs};
    config_setting_t *root = config_root_setting(doc);
    for (int i = 0; i < config_setting_length(root); i++) {
        config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
        size_t k = 0;
        while (k < G_N_ELEMENTS(names) && strcmp(names[k], config_setting_name(s)) != 0)
            k++;
        if (k == G_N_ELEMENTS(names)) {
            g_autofree char *suggestion = message_suggest(config_setting_name(s), names, k);
            error_set(error, ERROR_INPUT, "%s:%d: unknown setting '%s'%s", f->path,
                      config_setting_source_line(s), config_setting_name(s), suggestion);
            return false;
        }
        *slots[k] = s;
    }
    return true;
}

/* *out stays as it is where the setting is absent. */
static bool read_string(const struct net_file *f, const config_setting_t *s, const char **out,
                        GError **error)
{
    if (!s)
        return true;
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return error_set(error, ERROR_INPUT, "%s:%d: '%s' must be a string", f->path,
                         config_setting_source_line(s), config_setting_name(s));
    *out = config_setting_get_string(s);
    return true;
}

/* A list of groups that is not empty; `form` shows one. */
static bool check_list(const struct net_file *f, const config_setting_t *s, const char *name,
                       const char *form, GError **error)
{
    if (!s || (config_setting_is_list(s) && config_setting_length(s) == 0))
        return error_set(error, ERROR_INPUT, "%s: no %s: expected %s = ( %s )", f->path, name, name,
                         form);
    bool ok = config_setting_is_list(s);
    for (int i = 0; ok && i < config_setting_length(s); i++)
        ok = config_setting_is_group(config_setting_get_elem(s, (unsigned)i));
    return ok || error_set(error, ERROR_INPUT, "%s:%d: '%s' must be a list of groups: %s = ( %s )",
                           f->path, config_setting_source_line(s), name, name, form);
}

/* Returns the input's name, in the scratch arena; NULL on error. */
static const char *read_input(const struct net_file *f, const config_setting_t *group,
                              struct graph *g, struct arena *scratch, GError **error)
{
    struct input input = {0};
    const struct cfg_table table = {input_fields, &input};
    struct cfg *cfg = cfg_from_group(f->path, group, error);
    bool ok = cfg && cfg_apply(cfg, &table, 1, scratch, error);
    cfg_free(cfg);
    if (!ok)
        return NULL;
    if (graph_add_input(g, input.name, input.shape.n, input.shape.v, error) >= 0)
        return input.name;
    g_prefix_error(error, "%s:%d: ", f->path, config_setting_source_line(group));
    return NULL;
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

/* Parses the attributes and adds the node; `previous` is read where no inputs are named. */
static bool add_layer(const struct net_file *f, struct cfg *cfg, const char *origin,
                      const char *name, struct graph *g, const char *previous,
                      struct arena *scratch, GError **error)
{
    const struct op *op = find_op(cfg, origin, name, error);
    if (!op)
        return false;
    struct layer layer = {0};
    void *attr = arena_alloc(scratch, op->attr_size);
    const struct cfg_table tables[] = {{layer_fields, &layer}, {op->fields, attr}};
    if (!cfg_apply(cfg, tables, op->fields ? 2 : 1, scratch, error)) {
        name_layer(error, f->path, name);
        return false;
    }
    const char *const *inputs = layer.inputs.n > 0 ? layer.inputs.v : &previous;
    if (!graph_add_node(g, name, op, attr, inputs, MAX(layer.inputs.n, 1), origin, error))
        return false;
    if (layer.precision > 0)
        graph_set_precision(g, (enum number)(layer.precision - 1));
    return true;
}

/* Returns the layer's name, in the scratch arena, for the next one to read; NULL on error. */
static const char *read_layer(const struct net_file *f, int i_layer, struct graph *g,
                              const char *previous, struct arena *scratch, GError **error)
{
    const config_setting_t *group = config_setting_get_elem(f->layers, (unsigned)i_layer);
    const char *origin = arena_printf(scratch, "%s:%d", f->path, config_setting_source_line(group));
    struct cfg *cfg = cfg_from_group(f->path, group, error);
    if (!cfg)
        return NULL;
    const char *op = cfg_peek_string(cfg, "op"), *given = cfg_peek_string(cfg, "name");
    const char *name = given ? arena_strdup(scratch, given)
                             : arena_printf(scratch, "%s%d", op ? op : "layer", i_layer);
    bool ok = add_layer(f, cfg, origin, name, g, previous, scratch, error);
    cfg_free(cfg);
    return ok ? name : NULL;
}

/* Fills outputs[], which has room for all; the strings live as long as the document. */
static bool read_outputs(const struct net_file *f, const char **outputs, GError **error)
{
    if (config_setting_type(f->outputs) == CONFIG_TYPE_STRING)
        return read_string(f, f->outputs, &outputs[0], error);
    bool ok = config_setting_is_aggregate(f->outputs) && config_setting_length(f->outputs) > 0;
    for (int i = 0; ok && i < config_setting_length(f->outputs); i++) {
        outputs[i] = config_setting_get_string_elem(f->outputs, i);
        ok = outputs[i] != NULL;
    }
    return ok || error_set(error, ERROR_INPUT,
                           "%s:%d: 'outputs' must be a list of layers' names: [\"fc8\"]", f->path,
                           config_setting_source_line(f->outputs));
}

static bool finish(const struct net_file *f, struct graph *g, struct arena *scratch, GError **error)
{
    if (!f->outputs)
        return graph_finish(g, NULL, 0, error);
    int n = MAX(config_setting_length(f->outputs), 1);
    const char **outputs = ARENA_ARRAY(scratch, const char *, (size_t)n);
    return read_outputs(f, outputs, error) && graph_finish(g, outputs, n, error);
}

static bool fill(const struct net_file *f, struct graph *g, struct arena *scratch, GError **error)
{
    if (!check_list(f, f->inputs, "inputs", "{ name = \"data\"; shape = [3, 224, 224]; }", error) ||
        !check_list(f, f->layers, "layers", "{ op = \"relu\"; }", error))
        return false;
    const char *first = NULL;
    for (int i = 0; i < config_setting_length(f->inputs); i++) {
        const config_setting_t *group = config_setting_get_elem(f->inputs, (unsigned)i);
        const char *name = read_input(f, group, g, scratch, error);
        if (!name)
            return false;
        first = first ? first : name;
    }
    const char *previous = first;
    for (int i = 0; previous && i < config_setting_length(f->layers); i++)
        previous = read_layer(f, i, g, previous, scratch, error);
    return previous && finish(f, g, scratch, error);
}

static char *default_name(const char *file)
{
    char *name = g_path_get_basename(file);
    if (g_str_has_suffix(name, ".net"))
        name[strlen(name) - strlen(".net")] = '\0';
    return name;
}

static struct graph *read_doc(const config_t *doc, const char *file, int64_t batch, GError **error)
{
    struct net_file f = {.path = file};
    g_autofree char *base = default_name(file);
    const char *name = base, *source = NULL;
    struct graph *g = NULL;
    if (collect(doc, &f, error) && read_string(&f, f.name, &name, error) &&
        read_string(&f, f.source, &source, error)) {
        struct arena *scratch = arena_new();
        g = graph_new(name, file, batch);
        g->source = arena_strdup(g->arena, source);
        if (!fill(&f, g, scratch, error)) {
            graph_free(g);
            g = NULL;
        }
        arena_free(scratch);
    }
    return g;
}

struct graph *net_read(const char *file, int64_t batch, GError **error)
{
    config_t doc;
    if (!cfg_parse_file(file, &doc, error))
        return NULL;
    struct graph *g = read_doc(&doc, file, batch, error);
    config_destroy(&doc);
    return g;
}
