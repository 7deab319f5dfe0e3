/* SPDX-License-Identifier: Apache-2.0 */
/* Names into references, references into an order of execution. */
#include "sim/base/error.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"

#define CYCLE_MAX_NAMED 16

char *draft_suggest(const struct graph_draft *d, const char *word, bool with_inputs)
{
    g_autofree const char **names = g_new(const char *, d->values->len);
    size_t n = 0;
    for (guint i = 0; i < d->values->len; i++)
        if (with_inputs || DRAFT_VALUE(d, i)->kind == VALUE_NODE)
            names[n++] = DRAFT_VALUE(d, i)->name;
    return message_suggest(word, names, n);
}

bool draft_resolve(struct graph *g, struct draft_node *n, bool is_end, GError **error)
{
    for (int i = 0; i < n->n_input; i++) {
        n->in[i] = draft_find_value(g, n->inputs[i]);
        if (n->in[i] < 0 && n->inputs[i][0] != '\0' && is_end) {
            g_autofree char *suggestion = draft_suggest(g->draft, n->inputs[i], true);
            return message_layer(error, n->origin, n->name, "unknown input '%s'%s", n->inputs[i],
                                 suggestion);
        }
    }
    return true;
}

bool draft_can_infer(const struct graph_draft *d, const struct draft_node *n)
{
    for (int i = 0; i < n->n_input; i++)
        if (n->in[i] < 0 ? n->inputs[i][0] != '\0' : !DRAFT_VALUE(d, n->in[i])->is_ready)
            return false;
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
                         "layers wait for each other in a cycle: %s%s%s; a state among them would "
                         "make a delay of one step",
                         names->str, n > CYCLE_MAX_NAMED ? "... -> " : "", last->name);
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
        int value = node->in[top->i_input++];
        int ref = value < 0 ? -1 : DRAFT_VALUE(s->draft, value)->node;
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
