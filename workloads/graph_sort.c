/* SPDX-License-Identifier: Apache-2.0 */
/* Names into references, references into an order of execution. */
#include "sim/base/error.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"

#define CYCLE_MAX_NAMED 16

char *draft_suggest(const struct graph_draft *d, const char *word, bool with_inputs)
{
    size_t n_input = with_inputs ? d->inputs->len : 0, n = n_input + d->nodes->len;
    g_autofree const char **names = g_new(const char *, n);
    for (size_t i = 0; i < n; i++)
        names[i] = i < n_input ? DRAFT_INPUT(d, i)->name : DRAFT_NODE(d, i - n_input)->name;
    return message_suggest(word, names, n);
}

bool draft_resolve(struct graph *g, GError **error)
{
    struct graph_draft *d = g->draft;
    for (guint i = 0; i < d->nodes->len; i++) {
        struct draft_node *node = DRAFT_NODE(d, i);
        node->refs = ARENA_ARRAY(g->arena, int, (size_t)node->n_input);
        for (int k = 0; k < node->n_input; k++) {
            void *ref;
            if (!g_hash_table_lookup_extended(d->by_name, node->inputs[k], NULL, &ref)) {
                g_autofree char *suggestion = draft_suggest(d, node->inputs[k], true);
                return message_layer(error, node->origin, node->name, "unknown input '%s'%s",
                                     node->inputs[k], suggestion);
            }
            node->refs[k] = GPOINTER_TO_INT(ref);
        }
    }
    return true;
}

/* A depth-first walk with a stack of its own: a chain may be as deep as the graph is long. */
struct frame {
    int node;
    int i_input; /* the next to be looked at */
};

enum node_state { NODE_NEW, NODE_OPEN, NODE_DONE };

struct sort {
    const struct graph_draft *draft;
    enum node_state *state; /* open: on the stack */
    struct frame *stack;
    int n_stack;
    int *order;
    int n_order;
};

/* The cycle is what lies on the stack from `first` up; each node there reads the one above it. */
static bool cycle_error(const struct sort *s, int first, GError **error)
{
    int bottom = s->n_stack - 1;
    while (s->stack[bottom].node != first)
        bottom--;
    g_autoptr(GString) names = g_string_new(NULL);
    int n = s->n_stack - bottom;
    for (int i = 0; i < MIN(n, CYCLE_MAX_NAMED); i++)
        g_string_append_printf(names, "%s -> ",
                               DRAFT_NODE(s->draft, s->stack[s->n_stack - 1 - i].node)->name);
    const struct draft_node *last = DRAFT_NODE(s->draft, s->stack[s->n_stack - 1].node);
    return message_layer(error, last->origin, last->name,
                         "layers wait for each other in a cycle: %s%s%s", names->str,
                         n > CYCLE_MAX_NAMED ? "... -> " : "", last->name);
}

static void push(struct sort *s, int node)
{
    s->state[node] = NODE_OPEN;
    s->stack[s->n_stack++] = (struct frame){.node = node};
}

/* Places `root` behind everything that it needs and that is not placed yet. */
static bool place(struct sort *s, int root, GError **error)
{
    push(s, root);
    while (s->n_stack > 0) {
        struct frame *top = &s->stack[s->n_stack - 1];
        const struct draft_node *node = DRAFT_NODE(s->draft, top->node);
        if (top->i_input == node->n_input) {
            s->state[top->node] = NODE_DONE;
            s->order[s->n_order++] = top->node;
            s->n_stack--;
            continue;
        }
        int ref = node->refs[top->i_input++];
        if (ref < 0 || s->state[ref] == NODE_DONE)
            continue;
        if (s->state[ref] == NODE_OPEN)
            return cycle_error(s, ref, error);
        push(s, ref);
    }
    return true;
}

bool draft_sort(const struct graph_draft *d, int *order, GError **error)
{
    int n = (int)d->nodes->len;
    struct sort s = {.draft = d, .order = order};
    s.state = g_new0(enum node_state, n);
    s.stack = g_new(struct frame, n);
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        if (s.state[i] == NODE_NEW)
            ok = place(&s, i, error);
    g_free(s.state);
    g_free(s.stack);
    return ok;
}
