/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of .net files (docs/nets.md). */
#include <math.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/net.h"
#include "workloads/net_file.h"

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

struct state {
    const char *name, *next;
    struct cfg_ints shape;
    int type;
    bool batch;
};

/* And `first`, a number or a list of any length. */
static const struct cfg_field state_fields[] = {
    {"name", CFG_STRING, offsetof(struct state, name), 0, 0, NULL, NULL, "name of the state", NULL},
    {"shape", CFG_INTS, offsetof(struct state, shape), 1, 0x1p40, "", NULL,
     "dimensions without the batch; none: a number for each sample", NULL},
    {"next", CFG_STRING, offsetof(struct state, next), 0, 0, NULL, NULL,
     "the value that is its content in the step after", NULL},
    {"type", CFG_ENUM, offsetof(struct state, type), 0, 0, "fp32", NULL, "number format",
     number_names},
    {"batch", CFG_BOOL, offsetof(struct state, batch), 0, 0, "true", NULL,
     "each sample has its own; else there is one, and its shape is the whole", NULL},
    {0},
};

static bool collect(const config_t *doc, struct net_file *f, GError **error)
{
    const char *const names[] = {"name", "source", "let", "inputs", "states", "layers", "outputs"};
    config_setting_t **const slots[] = {&f->name,   &f->source, &f->let,    &f->inputs,
                                        &f->states, &f->layers, &f->outputs};
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

/* Fills a struct from a group. */
static bool read_fields(const struct net_builder *b, const config_setting_t *group,
                        const struct cfg_field *fields, void *out, GError **error)
{
    const struct cfg_table table = {fields, out};
    if (!config_setting_get_member(group, "shape"))
        return error_set(error, ERROR_INPUT, "%s:%d: setting 'shape' is missing", b->f->path,
                         config_setting_source_line(group));
    struct cfg *cfg = cfg_from_group(b->f->path, group, error);
    const bool ok = cfg && cfg_apply(cfg, &table, 1, b->scratch, error);
    cfg_free(cfg);
    return ok;
}

/* The first one is what the first layer reads. */
static bool read_input(struct net_builder *b, config_setting_t *group, GError **error)
{
    struct input input = {0};
    if (!read_fields(b, group, input_fields, &input, error))
        return false;
    b->previous = b->previous ? b->previous : input.name;
    return add_input(b->g, &input, error);
}

/* A number or a list of them, both as whole numbers and not: their format is not known yet. */
struct elements {
    int n;
    bool is_whole;
    int64_t *whole;
    double *real;
};

/* Takes the setting 'first' out of the group. */
static bool take_elements(const struct net_builder *b, config_setting_t *group,
                          struct elements *out, GError **error)
{
    const config_setting_t *s = config_setting_get_member(group, "first");
    if (!s)
        return true;
    const bool is_list = config_setting_is_list(s) || config_setting_is_array(s);
    out->n = is_list ? config_setting_length(s) : 1;
    out->is_whole = true;
    out->whole = ARENA_ARRAY(b->scratch, int64_t, (size_t)out->n);
    out->real = ARENA_ARRAY(b->scratch, double, (size_t)out->n);
    bool ok = out->n > 0;
    for (int i = 0; ok && i < out->n; i++) {
        const config_setting_t *e = is_list ? config_setting_get_elem(s, (unsigned)i) : s;
        const int type = config_setting_type(e);
        ok = type == CONFIG_TYPE_FLOAT || type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
        out->is_whole &= type != CONFIG_TYPE_FLOAT;
        out->whole[i] = type == CONFIG_TYPE_FLOAT ? 0 : config_setting_get_int64(e);
        out->real[i] =
            type == CONFIG_TYPE_FLOAT ? config_setting_get_float(e) : (double)out->whole[i];
        ok &= isfinite(out->real[i]);
    }
    if (!ok)
        return error_set(error, ERROR_INPUT,
                         "%s:%d: setting 'first' must be a number or a list of them", b->f->path,
                         config_setting_source_line(s));
    config_setting_remove(group, "first");
    return true;
}

/* Whole numbers keep all their bits. */
static GBytes *convert_elements(const struct elements *e, enum number type)
{
    if (e->n == 0)
        return NULL;
    const gsize n_byte = (gsize)e->n * number_bytes(type);
    char *data = g_malloc(n_byte);
    if (e->is_whole)
        number_convert(data, type, e->whole, NUMBER_int64, (size_t)e->n);
    else
        number_convert(data, type, e->real, NUMBER_fp64, (size_t)e->n);
    return g_bytes_new_take(data, n_byte);
}

static bool add_state(struct graph *g, const struct state *s, GBytes *first, GError **error)
{
    struct shape shape = {.n_dim = s->shape.n + s->batch, .dim = {g->batch}};
    if (shape.n_dim > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "state '%s': %d dimensions, at most %d", s->name,
                         s->shape.n, SHAPE_MAX_DIM - s->batch);
    for (int i = 0; i < s->shape.n; i++)
        shape.dim[i + s->batch] = s->shape.v[i];
    return graph_add_state(g, s->name, (enum number)s->type, &shape, s->batch, first, error);
}

static bool read_state(struct net_builder *b, config_setting_t *group, GError **error)
{
    struct state state = {0};
    struct elements elements = {0};
    if (!take_elements(b, group, &elements, error) ||
        !read_fields(b, group, state_fields, &state, error))
        return false;
    const char *origin =
        arena_printf(b->scratch, "%s:%d", b->f->path, config_setting_source_line(group));
    GBytes *first = convert_elements(&elements, (enum number)state.type);
    const bool ok = add_state(b->g, &state, first, error);
    g_bytes_unref(first);
    return ok && graph_set_next(b->g, state.name, state.next, origin, error);
}

/* Reads one group of a list, with what `names` name in its place. */
typedef bool (*read_group_fn)(struct net_builder *b, config_setting_t *group, GError **error);

static bool read_once(struct net_builder *b, const struct repeat_scope *names,
                      const config_setting_t *group, read_group_fn read, GError **error)
{
    config_t doc;
    config_setting_t *copy = repeat_expand(names, group, b->f->path, &doc, error);
    if (!copy)
        return false;
    if (config_setting_get_member(group, "repeat"))
        config_setting_remove(copy, "repeat");
    GError *why = NULL;
    const bool ok = read(b, copy, &why);
    config_destroy(&doc);
    if (ok)
        return true;
    if (!g_str_has_prefix(why->message, b->f->path)) /* what the graph refuses */
        g_prefix_error(&why, "%s:%d: ", b->f->path, config_setting_source_line(group));
    g_propagate_error(error, why);
    return false;
}

/* As often as the group says. */
static bool read_group(struct net_builder *b, const struct repeat_scope *names,
                       const config_setting_t *group, read_group_fn read, GError **error)
{
    const config_setting_t *repeat = config_setting_get_member(group, "repeat");
    const int64_t n = repeat ? repeat_count(names, repeat, b->f->path, error) : 1;
    if (!repeat || n < 0)
        return n >= 0 && read_once(b, names, group, read, error);
    if (n > GRAPH_MAX_NODE)
        return error_set(error, ERROR_INPUT, "%s:%d: 'repeat' is more than %d", b->f->path,
                         config_setting_source_line(group), GRAPH_MAX_NODE);
    bool ok = true;
    for (int64_t step = 0; ok && step < n; step++) {
        struct repeat_scope own;
        repeat_scope_init(&own, names);
        ok = repeat_set_step(&own, repeat, step, b->f->path, error) &&
             read_once(b, &own, group, read, error);
        repeat_scope_clear(&own);
    }
    return ok;
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

static bool fill(struct net_builder *b, struct repeat_scope *names, GError **error)
{
    const struct net_file *f = b->f;
    if (!check_list(f, f->inputs, "inputs", "{ name = \"data\"; shape = [3, 224, 224]; }", error) ||
        (f->states && !check_list(f, f->states, "states",
                                  "{ name = \"sum\"; shape = [10]; next = \"total\"; }", error)) ||
        !check_list(f, f->layers, "layers", "{ op = \"relu\"; }", error) ||
        !read_let(f, names, error))
        return false;
    for (int i = 0; i < config_setting_length(f->inputs); i++)
        if (!read_group(b, names, config_setting_get_elem(f->inputs, (unsigned)i), read_input,
                        error))
            return false;
    for (int i = 0; f->states && i < config_setting_length(f->states); i++)
        if (!read_group(b, names, config_setting_get_elem(f->states, (unsigned)i), read_state,
                        error))
            return false;
    return net_layers(b, names, error) && finish(f, b->g, b->scratch, error);
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
        struct net_builder b = {.f = &f, .g = g, .scratch = scratch};
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
