/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .net files (docs/nets.md). */
#include <string.h>

#include "sim/base/error.h"
#include "sim/cfg/cfg.h"
#include "workloads/message.h"
#include "workloads/net_repeat.h"
#include "workloads/net.h"

/* A file's settings at the top level; NULL: absent. */
struct net_file {
    const char *path;
    config_setting_t *name, *source, *let, *inputs, *layers, *outputs;
};

/* A file on its way into a graph. */
struct builder {
    const struct net_file *f;
    struct graph *g;
    struct arena *scratch;
    const char *previous; /* the value that a layer without inputs reads; in the scratch arena */
    int n_layer;          /* so far, for names */
};

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

struct input {
    const char *name;
    struct cfg_ints shape;
    int type;
    int64_t below;
};

static const struct cfg_field input_fields[] = {
    {"name", CFG_STRING, offsetof(struct input, name), 0, 0, "data", NULL, "name of the input",
     NULL},
    {"shape", CFG_INTS, offsetof(struct input, shape), 1, 0x1p40, "", NULL,
     "dimensions without the batch; none: a number for each sample", NULL},
    {"type", CFG_ENUM, offsetof(struct input, type), 0, 0, "fp32", NULL, "number format",
     number_names},
    {"below", CFG_INT, offsetof(struct input, below), 1, 0x1p62, "2", NULL,
     "seeded integers are below it", NULL},
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
    const char *const names[] = {"name", "source", "let", "inputs", "layers", "outputs"};
    config_setting_t **const slots[] = {&f->name,   &f->source, &f->let,
                                        &f->inputs, &f->layers, &f->outputs};
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

static bool add_input(struct graph *g, const struct input *input, GError **error)
{
    struct shape shape = {.n_dim = input->shape.n + 1, .dim = {g->batch}};
    if (shape.n_dim > SHAPE_MAX_DIM || input->type == NUMBER_fp32)
        return graph_add_input(g, input->name, input->shape.n, input->shape.v, error) >= 0;
    for (int i = 0; i < input->shape.n; i++)
        shape.dim[i + 1] = input->shape.v[i];
    return graph_add_input_typed(g, input->name, (enum number)input->type, &shape, input->below,
                                 error) >= 0;
}

/* The first one is what the first layer reads. */
static bool read_one_input(struct builder *b, const struct repeat_scope *names,
                           const config_setting_t *group, GError **error)
{
    struct input input = {0};
    const struct cfg_table table = {input_fields, &input};
    if (!config_setting_get_member(group, "shape"))
        return error_set(error, ERROR_INPUT, "%s:%d: setting 'shape' is missing", b->f->path,
                         config_setting_source_line(group));
    config_t doc;
    config_setting_t *copy = repeat_expand(names, group, b->f->path, &doc, error);
    if (!copy)
        return false;
    if (config_setting_get_member(group, "repeat"))
        config_setting_remove(copy, "repeat");
    struct cfg *cfg = cfg_from_group(b->f->path, copy, error);
    bool ok = cfg && cfg_apply(cfg, &table, 1, b->scratch, error);
    cfg_free(cfg);
    config_destroy(&doc);
    if (!ok)
        return false;
    b->previous = b->previous ? b->previous : input.name;
    if (add_input(b->g, &input, error))
        return true;
    g_prefix_error(error, "%s:%d: ", b->f->path, config_setting_source_line(group));
    return false;
}

static bool read_input(struct builder *b, const struct repeat_scope *names,
                       const config_setting_t *group, GError **error)
{
    const config_setting_t *repeat = config_setting_get_member(group, "repeat");
    const int64_t n = repeat ? repeat_count(names, repeat, b->f->path, error) : 1;
    if (!repeat || n < 0)
        return n >= 0 && read_one_input(b, names, group, error);
    if (n > GRAPH_MAX_NODE)
        return error_set(error, ERROR_INPUT, "%s:%d: more than %d inputs", b->f->path,
                         config_setting_source_line(group), GRAPH_MAX_NODE);
    bool ok = true;
    for (int64_t step = 0; ok && step < n; step++) {
        struct repeat_scope own;
        repeat_scope_init(&own, names);
        ok = repeat_set_step(&own, repeat, step, b->f->path, error) &&
             read_one_input(b, &own, group, error);
        repeat_scope_clear(&own);
    }
    return ok;
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
static bool add_layer(struct builder *b, struct cfg *cfg, const char *origin, const char *name,
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

static bool read_layer(struct builder *b, const struct repeat_scope *names,
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

static bool read_layers(struct builder *b, const struct repeat_scope *names,
                        const config_setting_t *layers, int64_t times, int depth, GError **error);

/* `times` tells how often the repetition is itself repeated: the product is bounded at once. */
static bool read_repetition(struct builder *b, const struct repeat_scope *names,
                            const config_setting_t *group, int64_t times, int depth, GError **error)
{
    const char *file = b->f->path;
    const int line = (int)config_setting_source_line(group);
    const config_setting_t *repeat = NULL, *layers = NULL;
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        bool is_repeat = strcmp(config_setting_name(s), "repeat") == 0;
        if (!is_repeat && strcmp(config_setting_name(s), "layers") != 0)
            return error_set(error, ERROR_INPUT, "%s:%d: a repetition has 'repeat' and 'layers', "
                                                 "not '%s'", file, line, config_setting_name(s));
        *(is_repeat ? &repeat : &layers) = s;
    }
    if (!layers || !config_setting_is_list(layers) || depth == REPEAT_MAX_DEPTH)
        return error_set(error, ERROR_INPUT, "%s:%d: a repetition needs layers = ( ... ), and goes "
                                             "%d deep at most", file, line, REPEAT_MAX_DEPTH);
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

static bool read_layers(struct builder *b, const struct repeat_scope *names,
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

static bool read_let(const struct net_file *f, struct repeat_scope *names, GError **error)
{
    if (f->let && !config_setting_is_group(f->let))
        return error_set(error, ERROR_INPUT,
                         "%s:%d: 'let' must be a group: let = { hidden = 768; }", f->path,
                         config_setting_source_line(f->let));
    for (int i = 0; f->let && i < config_setting_length(f->let); i++) {
        const config_setting_t *value = config_setting_get_elem(f->let, (unsigned)i);
        if (!repeat_set(names, config_setting_name(value), value, f->path, error))
            return false;
    }
    return true;
}

static bool fill(struct builder *b, struct repeat_scope *names, GError **error)
{
    const struct net_file *f = b->f;
    if (!check_list(f, f->inputs, "inputs", "{ name = \"data\"; shape = [3, 224, 224]; }", error) ||
        !check_list(f, f->layers, "layers", "{ op = \"relu\"; }", error) ||
        !read_let(f, names, error))
        return false;
    for (int i = 0; i < config_setting_length(f->inputs); i++)
        if (!read_input(b, names, config_setting_get_elem(f->inputs, (unsigned)i), error))
            return false;
    return read_layers(b, names, f->layers, 1, 0, error) && finish(f, b->g, b->scratch, error);
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
        struct builder b = {.f = &f, .g = g, .scratch = scratch};
        struct repeat_scope names;
        repeat_scope_init(&names, NULL);
        if (!fill(&b, &names, error)) {
            graph_free(g);
            g = NULL;
        }
        repeat_scope_clear(&names);
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
