/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of a graph's life: inputs and nodes are added in any order. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/graph.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"

#define NAME_MAX_BYTES 255

static void free_array(void *array)
{
    g_array_free(array, TRUE);
}

struct graph_draft *draft_new(struct arena *a)
{
    struct graph_draft *d = ARENA_NEW(a, struct graph_draft);
    d->values = g_array_new(FALSE, TRUE, sizeof(struct draft_value));
    d->nodes = g_array_new(FALSE, TRUE, sizeof(struct draft_node));
    d->node_names = g_hash_table_new(g_str_hash, g_str_equal);
    arena_own(a, d->values, free_array);
    arena_own(a, d->nodes, free_array);
    arena_own(a, d->node_names, (GDestroyNotify)g_hash_table_unref);
    return d;
}

int draft_find_value(const struct graph *g, const char *name)
{
    return GPOINTER_TO_INT(g_hash_table_lookup(g->by_name, name)) - 1;
}

int draft_add_value(struct graph *g, struct draft_value v)
{
    if (draft_find_value(g, v.name) >= 0)
        return -1;
    g_array_append_val(g->draft->values, v);
    int index = (int)g->draft->values->len - 1;
    g_hash_table_insert(g->by_name, (void *)v.name, GINT_TO_POINTER(index + 1));
    return index;
}

void draft_set_data(struct graph *g, struct draft_value *v, GBytes *data)
{
    v->data = arena_own(g->arena, g_bytes_ref(data), (GDestroyNotify)g_bytes_unref);
    v->what.known = g_bytes_get_data(data, NULL);
}

/* Names go into tables, files and terminals: NULL where that is safe, else what is wrong. */
static const char *name_fault(const char *name)
{
    size_t n = strlen(name);
    if (n == 0)
        return "the name is empty";
    if (n > NAME_MAX_BYTES)
        return "the name is longer than 255 bytes";
    if (!g_utf8_validate(name, -1, NULL))
        return "the name is not UTF-8";
    for (const char *p = name; *p; p = g_utf8_next_char(p))
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return "the name holds a control character";
    return NULL;
}

int graph_add_input(struct graph *g, const char *name, int n_dim, const int64_t *dim,
                    GError **error)
{
    if (n_dim < 0 || n_dim >= SHAPE_MAX_DIM) {
        error_set(error, ERROR_INPUT, "input '%s': %d dimensions, at most %d besides the batch",
                  name, n_dim, SHAPE_MAX_DIM - 1);
        return -1;
    }
    struct shape shape = {.n_dim = n_dim + 1, .dim = {g->batch}};
    for (int i = 0; i < n_dim; i++)
        shape.dim[i + 1] = dim[i];
    return graph_add_input_shape(g, name, &shape, error);
}

int graph_add_input_shape(struct graph *g, const char *name, const struct shape *shape,
                          GError **error)
{
    const char *why;
    if (!name_fault(name) && !shape_check(shape, &why)) {
        error_set(error, ERROR_INPUT, "input '%s', batch %" G_GINT64_FORMAT ": %s", name, g->batch,
                  why);
        return -1;
    }
    return graph_add_input_typed(g, name, NUMBER_fp32, shape, 0, error);
}

/* Adds a value that no node makes; false with what is wrong behind "KIND 'NAME'". */
static bool add_given(struct graph *g, const char *kind, struct draft_value v, GError **error)
{
    const char *why = name_fault(v.name);
    if (why)
        return error_set(error, ERROR_INPUT, "%s: %s", kind, why);
    v.name = arena_strdup(g->arena, v.name);
    v.is_ready = true;
    v.node = -1;
    return draft_add_value(g, v) >= 0 ||
           error_set(error, ERROR_INPUT, "%s '%s': the name is already in use", kind, v.name);
}

int graph_add_input_typed(struct graph *g, const char *name, enum number type,
                          const struct shape *shape, int64_t below, GError **error)
{
    const char *why;
    if (!name_fault(name) && !shape_fits(shape, &why)) {
        error_set(error, ERROR_INPUT, "input '%s': %s", name, why);
        return -1;
    }
    const struct draft_value v = {.name = name,
                                  .kind = VALUE_INPUT,
                                  .what = {.type = type, .shape = *shape},
                                  .below = below > 0 ? below : 2};
    return add_given(g, "input", v, error) ? g->draft->n_input++ : -1;
}

void graph_know_input(struct graph *g, const char *name, GBytes *data)
{
    int i = draft_find_value(g, name);
    g_assert(i >= 0 && DRAFT_VALUE(g->draft, i)->kind == VALUE_INPUT);
    draft_set_data(g, DRAFT_VALUE(g->draft, i), data);
}

bool graph_add_variable(struct graph *g, const char *name, const struct shape *shape,
                        int64_t fan_in, GError **error)
{
    const char *why;
    if (!shape_check(shape, &why))
        return error_set(error, ERROR_INPUT, "variable '%s': %s", name, why);
    const struct draft_value v = {.name = name,
                                  .kind = VALUE_PARAM,
                                  .what = {.type = NUMBER_fp32, .shape = *shape},
                                  .fan_in = fan_in};
    return add_given(g, "variable", v, error);
}

bool graph_add_constant(struct graph *g, const char *name, enum number type,
                        const struct shape *shape, GBytes *data, GError **error)
{
    const char *why;
    if (!shape_fits(shape, &why))
        return error_set(error, ERROR_INPUT, "constant '%s': %s", name, why);
    g_assert(g_bytes_get_size(data) == (size_t)shape_count(shape) * number_bytes(type));
    const struct draft_value v = {.name = name,
                                  .kind = VALUE_PARAM,
                                  .what = {.type = type, .shape = *shape},
                                  .is_constant = true};
    if (!add_given(g, "constant", v, error))
        return false;
    draft_set_data(g, DRAFT_VALUE(g->draft, g->draft->values->len - 1), data);
    return true;
}

/* One element, or those of one sample. */
static bool check_first(const struct graph *g, enum number type, const struct shape *shape,
                        bool is_batched, GBytes *first, GError **error)
{
    const int64_t n = shape_count(shape) / (is_batched ? g->batch : 1);
    g_assert(!first || g_bytes_get_size(first) % number_bytes(type) == 0);
    const gsize size = first ? g_bytes_get_size(first) / number_bytes(type) : 1;
    return size == 1 || (int64_t)size == n ||
           error_set(error, ERROR_INPUT,
                     "its first content has %" G_GSIZE_FORMAT " elements, not %" G_GINT64_FORMAT
                     " or one for all",
                     size, n);
}

bool graph_add_state(struct graph *g, const char *name, enum number type, const struct shape *shape,
                     bool is_batched, GBytes *first, GError **error)
{
    const char *why;
    const struct draft_value v = {.name = name,
                                  .kind = VALUE_STATE,
                                  .what = {.type = type, .shape = *shape},
                                  .is_batched = is_batched};
    if (!add_given(g, "state", v, error))
        return false;
    if (!shape_check(shape, &why))
        return error_set(error, ERROR_INPUT, "state '%s': %s", name, why);
    if (is_batched && (shape->n_dim == 0 || shape->dim[0] % g->batch != 0))
        return error_set(error, ERROR_INPUT,
                         "state '%s': the batch of %" G_GINT64_FORMAT
                         " is not its leading dimension",
                         name, g->batch);
    if (!check_first(g, type, shape, is_batched, first, error)) {
        g_prefix_error(error, "state '%s': ", name);
        return false;
    }
    if (first)
        DRAFT_VALUE(g->draft, g->draft->values->len - 1)->first =
            arena_own(g->arena, g_bytes_ref(first), (GDestroyNotify)g_bytes_unref);
    return true;
}

bool graph_set_next(struct graph *g, const char *state, const char *next, const char *origin,
                    GError **error)
{
    const int i = draft_find_value(g, state);
    struct draft_value *v = i < 0 ? NULL : DRAFT_VALUE(g->draft, i);
    const char *why = !v                       ? "there is no such state or parameter"
                      : v->kind == VALUE_INPUT ? "it is an input"
                      : v->is_constant         ? "it is a constant"
                      : v->kind == VALUE_NODE  ? "it is made by a layer"
                      : v->next_name           ? "it has a next already"
                                               : NULL;
    if (why)
        return error_set(error, ERROR_INPUT, "%s%sstate '%s': %s", origin ? origin : "",
                         origin ? ": " : "", state, why);
    v->next_name = arena_strdup(g->arena, next);
    v->next_origin = arena_strdup(g->arena, origin);
    return true;
}

bool graph_peek(const struct graph *g, const char *name, struct operand *out)
{
    int i = draft_find_value(g, name);
    if (i < 0 || !DRAFT_VALUE(g->draft, i)->is_ready)
        return false;
    *out = DRAFT_VALUE(g->draft, i)->what;
    return true;
}

bool graph_is_constant(const struct graph *g, const char *name)
{
    int i = draft_find_value(g, name);
    return i >= 0 && DRAFT_VALUE(g->draft, i)->is_constant;
}

bool graph_has_node(const struct graph *g, const char *name)
{
    return g_hash_table_contains(g->draft->node_names, name);
}

static const char **copy_strings(struct arena *a, const char *const *strings, int n)
{
    const char **copy = ARENA_ARRAY(a, const char *, (size_t)n);
    for (int i = 0; i < n; i++)
        copy[i] = arena_strdup(a, strings[i]);
    return copy;
}

/* The strings are copied too, so that attributes can be handed from graph to graph. */
static void *copy_attr(struct arena *a, const struct op *op, const void *attr)
{
    if (op->attr_size == 0)
        return NULL;
    char *copy = arena_alloc(a, op->attr_size);
    memcpy(copy, attr, op->attr_size);
    for (const struct cfg_field *f = op->fields; f && f->path; f++) {
        if (f->type == CFG_STRING) {
            const char **s = (const char **)(copy + f->offset);
            *s = arena_strdup(a, *s);
        } else if (f->type == CFG_STRINGS) {
            struct cfg_strings *s = (struct cfg_strings *)(copy + f->offset);
            s->v = copy_strings(a, s->v, s->n);
        }
    }
    return copy;
}

static bool name_used(const struct graph *g, const char *name, const char *taken,
                      const char *origin, GError **error)
{
    const struct draft_value *v = DRAFT_VALUE(g->draft, draft_find_value(g, taken));
    const bool is_own = v->node == (int)g->draft->nodes->len; /* of the node that is being added */
    const char *where = v->kind == VALUE_INPUT   ? "an input"
                        : v->kind == VALUE_STATE ? "a state"
                        : v->node < 0            ? "a constant"
                        : is_own                 ? "another output of the layer"
                                                 : DRAFT_NODE(g->draft, v->node)->origin;
    return message_layer(error, origin, name, "the name is already in use%s%s", where ? " by " : "",
                         where ? where : "");
}

static bool check_new_node(const struct graph *g, const char *name, const struct op *op,
                           int n_input, int n_output, const char *origin, GError **error)
{
    const struct graph_draft *d = g->draft;
    const char *why = name_fault(name);
    if (why)
        return error_set(error, ERROR_INPUT, "%s%slayer: %s", origin ? origin : "",
                         origin ? ": " : "", why);
    if (d->nodes->len >= GRAPH_MAX_NODE)
        return message_layer(error, origin, name, "more than %d layers", GRAPH_MAX_NODE);
    void *other;
    if (g_hash_table_lookup_extended(d->node_names, name, NULL, &other)) {
        const char *where = DRAFT_NODE(d, GPOINTER_TO_INT(other))->origin;
        return message_layer(error, origin, name, "the name is already in use%s%s",
                             where ? " by " : "", where ? where : "");
    }
    int max_in = op->params ? op->max_data + OP_MAX_PARAM : op->max_data;
    if (n_input < op->min_data || n_input > MIN(max_in, OP_MAX_IN)) {
        g_autofree char *range =
            op->min_data == op->max_data
                ? g_strdup_printf("%d", op->min_data)
                : g_strdup_printf("%d to %d", op->min_data, MIN(op->max_data, OP_MAX_IN));
        return message_layer(error, origin, name, "%d inputs, operator '%s' takes %s", n_input,
                             op->name, range);
    }
    if (n_output < 1 || n_output > MAX(op->max_out, 1))
        return message_layer(error, origin, name, "%d outputs, operator '%s' has at most %d",
                             n_output, op->name, MAX(op->max_out, 1));
    return true;
}

/* The last input is present, and those that must be, but for those whose elements are attributes
 * once they are known. */
static bool check_absent(const struct op *op, const char *name, const char *const *inputs,
                         int *n_input, const char *origin, GError **error)
{
    while (*n_input > op->min_data && inputs[*n_input - 1][0] == '\0')
        --*n_input;
    for (int i = 0; i < op->min_data; i++)
        if (inputs[i][0] == '\0' && !(op->known >> i & 1))
            return message_layer(error, origin, name, "input %d of operator '%s' is absent", i + 1,
                                 op->name);
    return true;
}

static bool add_outputs(struct graph *g, const struct draft_node *n, int index,
                        const char *const *outputs, GError **error)
{
    for (int i = 0; i < n->n_out; i++) {
        n->out[i] = -1;
        if (i > 0 && outputs[i][0] == '\0')
            continue;
        const char *why = name_fault(outputs[i]);
        if (why)
            return message_layer(error, n->origin, n->name, "output %d: %s", i + 1, why);
        const struct draft_value v = {
            .name = arena_strdup(g->arena, outputs[i]), .kind = VALUE_NODE, .node = index};
        n->out[i] = draft_add_value(g, v);
        if (n->out[i] < 0)
            return name_used(g, n->name, outputs[i], n->origin, error);
    }
    return true;
}

bool graph_add_node_outputs(struct graph *g, const char *name, const struct op *op,
                            const void *attr, const char *const *inputs, int n_input,
                            const char *const *outputs, int n_output, const char *origin,
                            GError **error)
{
    struct graph_draft *d = g->draft;
    if (!check_new_node(g, name, op, n_input, n_output, origin, error) ||
        !check_absent(op, name, inputs, &n_input, origin, error))
        return false;
    struct arena *a = g->arena;
    if (!attr && op->attr_size && !(attr = op_default_attr(op, a, error))) {
        g_prefix_error(error, "layer '%s': ", name);
        return false;
    }
    struct draft_node node = {
        .name = arena_strdup(a, name),
        .origin = arena_strdup(a, origin),
        .op = op,
        .attr = copy_attr(a, op, attr),
        .inputs = copy_strings(a, inputs, n_input),
        .in = ARENA_ARRAY(a, int, (size_t)MAX(n_input, op->max_data) + OP_MAX_PARAM),
        .n_input = n_input,
        .out = ARENA_ARRAY(a, int, (size_t)n_output),
        .n_out = n_output,
        .precision = -1,
        .weight_precision = -1,
    };
    int index = (int)d->nodes->len;
    if (!add_outputs(g, &node, index, outputs, error))
        return false;
    g_array_append_val(d->nodes, node);
    g_hash_table_insert(d->node_names, (void *)node.name, GINT_TO_POINTER(index));
    return draft_resolve(g, DRAFT_NODE(d, index), false, error) &&
           (!draft_can_infer(d, DRAFT_NODE(d, index)) || draft_infer(g, index, error));
}

bool graph_add_node(struct graph *g, const char *name, const struct op *op, const void *attr,
                    const char *const *inputs, int n_input, const char *origin, GError **error)
{
    return graph_add_node_outputs(g, name, op, attr, inputs, n_input, &name, 1, origin, error);
}

void graph_set_precision(struct graph *g, int precision, int weight_precision)
{
    g_assert(g->draft && g->draft->nodes->len > 0);
    struct draft_node *n = DRAFT_NODE(g->draft, g->draft->nodes->len - 1);
    n->precision = precision;
    n->weight_precision = weight_precision;
}
