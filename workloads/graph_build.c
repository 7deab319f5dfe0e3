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
    d->inputs = g_array_new(FALSE, TRUE, sizeof(struct draft_input));
    d->nodes = g_array_new(FALSE, TRUE, sizeof(struct draft_node));
    d->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    arena_own(a, d->inputs, free_array);
    arena_own(a, d->nodes, free_array);
    arena_own(a, d->by_name, (GDestroyNotify)g_hash_table_unref);
    return d;
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
    struct graph_draft *d = g->draft;
    const char *why = name_fault(name);
    if (why) {
        error_set(error, ERROR_INPUT, "input: %s", why);
        return -1;
    }
    if (!shape_check(shape, &why)) {
        error_set(error, ERROR_INPUT, "input '%s', batch %" G_GINT64_FORMAT ": %s", name, g->batch,
                  why);
        return -1;
    }
    if (g_hash_table_contains(d->by_name, name)) {
        error_set(error, ERROR_INPUT, "input '%s': the name is already in use", name);
        return -1;
    }
    int index = (int)d->inputs->len;
    struct draft_input input = {.name = arena_strdup(g->arena, name), .shape = *shape};
    g_array_append_val(d->inputs, input);
    g_hash_table_insert(d->by_name, (void *)input.name, GINT_TO_POINTER(~index));
    return index;
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

static bool check_new_node(const struct graph *g, const char *name, const char *origin,
                           GError **error)
{
    const struct graph_draft *d = g->draft;
    const char *why = name_fault(name);
    if (why)
        return error_set(error, ERROR_INPUT, "%s%slayer: %s", origin ? origin : "",
                         origin ? ": " : "", why);
    if (d->nodes->len >= GRAPH_MAX_NODE)
        return message_layer(error, origin, name, "more than %d layers", GRAPH_MAX_NODE);
    void *ref;
    if (!g_hash_table_lookup_extended(d->by_name, name, NULL, &ref))
        return true;
    int other = GPOINTER_TO_INT(ref);
    const char *where = other < 0 ? "an input" : DRAFT_NODE(d, other)->origin;
    return message_layer(error, origin, name, "the name is already in use%s%s", where ? " by " : "",
                         where ? where : "");
}

bool graph_add_node(struct graph *g, const char *name, const struct op *op, const void *attr,
                    const char *const *inputs, int n_input, const char *origin, GError **error)
{
    if (!check_new_node(g, name, origin, error))
        return false;
    if (n_input < op->min_data || n_input > op->max_data || n_input > OP_MAX_IN) {
        g_autofree char *range =
            op->min_data == op->max_data
                ? g_strdup_printf("%d", op->min_data)
                : g_strdup_printf("%d to %d", op->min_data, MIN(op->max_data, OP_MAX_IN));
        return message_layer(error, origin, name, "%d inputs, operator '%s' takes %s", n_input,
                             op->name, range);
    }
    struct arena *a = g->arena;
    struct graph_draft *d = g->draft;
    struct draft_node node = {
        .name = arena_strdup(a, name),
        .origin = arena_strdup(a, origin),
        .op = op,
        .attr = copy_attr(a, op, attr),
        .inputs = copy_strings(a, inputs, n_input),
        .n_input = n_input,
        .precision = -1,
    };
    int index = (int)d->nodes->len;
    g_array_append_val(d->nodes, node);
    g_hash_table_insert(d->by_name, (void *)node.name, GINT_TO_POINTER(index));
    return true;
}

void graph_set_precision(struct graph *g, enum number precision)
{
    g_assert(g->draft && g->draft->nodes->len > 0);
    DRAFT_NODE(g->draft, g->draft->nodes->len - 1)->precision = (int)precision;
}
