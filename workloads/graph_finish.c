/* SPDX-License-Identifier: Apache-2.0 */
/* The second half: order, what waited for a later name, outputs, numbers. */
#include "sim/base/error.h"
#include "workloads/graph.h"
#include "workloads/graph_draft.h"
#include "workloads/message.h"

struct finish {
    struct graph *g;
    struct graph_draft *draft;
    int n_node;
    int *order;      /* the nodes' indices in the draft, in order of execution */
    bool *is_needed; /* by the node's index in the draft */
    int *number;     /* by the value's index in the draft: its index in g, or -1 */
    int *outputs;    /* value indices in the draft */
    int n_output;
    int *states, *nexts; /* value indices in the draft, side by side */
    int n_state;
};

static bool infer_all(struct finish *f, GError **error)
{
    for (int i = 0; i < f->n_node; i++) /* others read no more what they were told */
        if (!DRAFT_NODE(f->draft, i)->is_ready &&
            !draft_resolve(f->g, DRAFT_NODE(f->draft, i), true, error))
            return false;
    if (!draft_sort(f->draft, f->order, error))
        return false;
    for (int i = 0; i < f->n_node; i++)
        if (!DRAFT_NODE(f->draft, f->order[i])->is_ready && !draft_infer(f->g, f->order[i], error))
            return false;
    return true;
}

static bool named_outputs(struct finish *f, const char *const *outputs, int n_output,
                          GError **error)
{
    struct graph *g = f->g;
    const char *file = g->file ? g->file : g->name;
    for (int i = 0; i < n_output; i++) {
        int value = draft_find_value(g, outputs[i]);
        if (value < 0) {
            g_autofree char *suggestion = draft_suggest(f->draft, outputs[i], false);
            return error_set(error, ERROR_INPUT, "%s: output '%s' is no layer%s", file, outputs[i],
                             suggestion);
        }
        for (int k = 0; k < f->n_output; k++)
            if (f->outputs[k] == value)
                return error_set(error, ERROR_INPUT, "%s: output '%s' is named twice", file,
                                 outputs[i]);
        f->outputs[f->n_output++] = value;
    }
    return true;
}

static bool state_error(const struct draft_value *v, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static bool state_error(const struct draft_value *v, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return error_set(error, ERROR_INPUT, "%s%sstate '%s': %s", v->next_origin ? v->next_origin : "",
                     v->next_origin ? ": " : "", v->name, what);
}

/* A state and its next are the same kind of tensor: what one step writes the next one reads. */
static bool check_next(const struct draft_value *v, const struct draft_value *next, GError **error)
{
    if (next->what.type == v->what.type && shape_equal(&next->what.shape, &v->what.shape))
        return true;
    struct arena *a = arena_new();
    state_error(v, error, "it is %s of shape %s, its next '%s' is %s of shape %s",
                number_names[v->what.type], shape_text(&v->what.shape, 0, a), next->name,
                number_names[next->what.type], shape_text(&next->what.shape, 0, a));
    arena_free(a);
    return false;
}

static bool find_nexts(struct finish *f, GError **error)
{
    for (guint i = 0; i < f->draft->values->len; i++) {
        const struct draft_value *v = DRAFT_VALUE(f->draft, i);
        if (v->kind == VALUE_STATE && !v->next_name)
            return state_error(v, error, "it has no next");
        if (!v->next_name)
            continue;
        const int next = draft_find_value(f->g, v->next_name);
        if (next < 0) {
            g_autofree char *suggestion = draft_suggest(f->draft, v->next_name, true);
            return state_error(v, error, "its next '%s' is no layer, input or state%s",
                               v->next_name, suggestion);
        }
        if (!check_next(v, DRAFT_VALUE(f->draft, next), error))
            return false;
        f->states[f->n_state] = (int)i;
        f->nexts[f->n_state++] = next;
    }
    return true;
}

/* Every node's first output that no node reads, folded ones among them. */
static void default_outputs(struct finish *f)
{
    bool *is_read = g_new0(bool, f->draft->values->len);
    for (int i = 0; i < f->n_node; i++) {
        const struct draft_node *n = DRAFT_NODE(f->draft, i);
        for (int k = 0; k < n->n_input; k++) {
            int value = draft_find_value(f->g, n->inputs[k]);
            if (value >= 0)
                is_read[value] = true;
        }
    }
    for (int i = 0; i < f->n_node; i++) {
        const struct draft_node *n = DRAFT_NODE(f->draft, f->order[i]);
        bool any = false;
        for (int k = 0; k < n->n_out; k++)
            any |= n->out[k] >= 0 && is_read[n->out[k]];
        for (int k = 0; !any && k < n->n_out; k++)
            if (n->out[k] >= 0)
                f->outputs[f->n_output++] = n->out[k];
    }
    g_free(is_read);
}

static void need(struct finish *f, int value)
{
    const struct draft_value *v = DRAFT_VALUE(f->draft, value);
    if (v->kind == VALUE_NODE && !v->is_constant)
        f->is_needed[v->node] = true;
}

/* From the outputs and the nexts of states back: a node that none of them needs is left out. */
static void find_needed(struct finish *f)
{
    for (int i = 0; i < f->n_output; i++)
        need(f, f->outputs[i]);
    for (int i = 0; i < f->n_state; i++)
        need(f, f->nexts[i]);
    for (int i = f->n_node - 1; i >= 0; i--) {
        const struct draft_node *n = DRAFT_NODE(f->draft, f->order[i]);
        if (f->is_needed[f->order[i]])
            for (int k = 0; k < n->n_in; k++)
                if (n->in[k] >= 0)
                    need(f, n->in[k]);
    }
}

/* `maker` is the index in the draft of the node that is being added, which makes the value or asked
 * for it where that is so; -1: none is. */
static int number_value(struct finish *f, int draft_index, int maker)
{
    if (f->number[draft_index] >= 0)
        return f->number[draft_index];
    struct graph *g = f->g;
    const struct draft_value *v = DRAFT_VALUE(f->draft, draft_index);
    g->values[g->n_value] = (struct value){
        .index = g->n_value,
        .name = v->name,
        .kind = v->is_constant ? VALUE_PARAM : v->kind,
        .type = v->what.type,
        .shape = v->what.shape,
        .node = v->node >= 0 && v->node == maker && !v->is_constant ? g->n_node - 1 : -1,
        .fan_in = v->fan_in,
        .is_statistic = v->is_statistic,
        .center = v->center,
        .spread = v->spread,
        .below = v->below,
        .data = v->is_constant ? v->data : NULL,
        .known = v->kind == VALUE_INPUT ? v->data : NULL,
        .next = -1,
        .is_batched = v->is_batched,
        .first = v->first,
    };
    return f->number[draft_index] = g->n_value++;
}

static void add_node(struct finish *f, int draft_index)
{
    struct graph *g = f->g;
    const struct draft_node *d = DRAFT_NODE(f->draft, draft_index);
    struct node *n = &g->nodes[g->n_node];
    *n = (struct node){.index = g->n_node++,
                       .name = d->name,
                       .op = d->op,
                       .attr = d->attr,
                       .n_in = d->n_in,
                       .n_data = d->n_data,
                       .in = d->in,
                       .n_out = d->n_out,
                       .out = d->out,
                       .precision = d->precision,
                       .weight_precision = d->weight_precision,
                       .origin = d->origin,
                       .macs = d->macs};
    for (int i = 0; i < n->n_in; i++)
        n->in[i] = n->in[i] < 0 ? -1 : number_value(f, n->in[i], draft_index);
    for (int i = 0; i < n->n_out; i++)
        n->out[i] = n->out[i] < 0 ? -1 : number_value(f, n->out[i], draft_index);
}

static void make_values(struct finish *f)
{
    struct graph *g = f->g;
    size_t n = f->draft->values->len;
    g->values = ARENA_ARRAY(g->arena, struct value, n);
    g->nodes = ARENA_ARRAY(g->arena, struct node, (size_t)f->n_node);
    g->inputs = ARENA_ARRAY(g->arena, int, (size_t)f->draft->n_input);
    for (size_t i = 0; i < n; i++) {
        f->number[i] = -1;
        if (DRAFT_VALUE(f->draft, i)->kind == VALUE_INPUT)
            g->inputs[g->n_input++] = number_value(f, (int)i, -1);
    }
    for (int i = 0; i < f->n_node; i++)
        if (f->is_needed[f->order[i]])
            add_node(f, f->order[i]);
    g->outputs = ARENA_ARRAY(g->arena, int, (size_t)f->n_output);
    for (int i = 0; i < f->n_output; i++)
        g->outputs[g->n_output++] = number_value(f, f->outputs[i], -1);
    g->states = ARENA_ARRAY(g->arena, int, (size_t)f->n_state);
    for (int i = 0; i < f->n_state; i++) {
        const int state = number_value(f, f->states[i], -1);
        g->states[g->n_state++] = state;
        g->values[state].next = number_value(f, f->nexts[i], -1);
    }
    g_hash_table_remove_all(g->by_name);
    for (int i = 0; i < g->n_value; i++)
        g_hash_table_insert(g->by_name, (void *)g->values[i].name, GINT_TO_POINTER(i + 1));
}

static struct operand operand_of(const struct value *v)
{
    return (struct operand){v->type, v->shape, v->data ? g_bytes_get_data(v->data, NULL) : NULL};
}

/* What each node is to hardware, now that its types, shapes and parameters are known. */
static void tell_traits(const struct graph *g, struct node *n)
{
    struct operand in[OP_MAX_IN], out[OP_MAX_OUT];
    const struct operand *refs[OP_MAX_IN];
    const struct op *op = n->op;
    struct traits *t = ARENA_NEW(g->arena, struct traits);
    *t = (struct traits){.kind = op->forward ? op->kind : TRAITS_VIEW,
                         .reads = op->reads,
                         .is_sparse = op->is_sparse,
                         .window = {{1, 1}, {1, 1}, {1, 1}, {0}}};
    n->traits = t;
    if (!op->traits)
        return;
    for (int i = 0; i < n->n_in; i++) {
        refs[i] = n->in[i] < 0 ? NULL : &in[i];
        if (refs[i])
            in[i] = operand_of(&g->values[n->in[i]]);
    }
    for (int i = 0; i < n->n_out; i++)
        out[i] = n->out[i] < 0 ? (struct operand){0} : operand_of(&g->values[n->out[i]]);
    const struct op_infer call = {n->attr, refs, n->n_in, out, n->n_out};
    op->traits(&call, t);
}

/* A node that reads a value twice is one reader; each state that a value becomes is another. */
static void count_readers(struct graph *g)
{
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            bool is_first = n->in[k] >= 0;
            for (int before = 0; before < k; before++)
                is_first &= n->in[before] != n->in[k];
            if (is_first)
                g->values[n->in[k]].n_reader++;
        }
    }
    for (int i = 0; i < g->n_output; i++)
        g->values[g->outputs[i]].n_reader++;
    for (int i = 0; i < g->n_state; i++)
        g->values[g->values[g->states[i]].next].n_reader++;
}

static bool finish(struct finish *f, const char *const *outputs, int n_output, GError **error)
{
    if (!infer_all(f, error) || !find_nexts(f, error) ||
        !named_outputs(f, outputs, n_output, error))
        return false;
    if (n_output == 0)
        default_outputs(f);
    find_needed(f);
    make_values(f);
    count_readers(f->g);
    for (int i = 0; i < f->g->n_node; i++)
        tell_traits(f->g, &f->g->nodes[i]);
    return true;
}

bool graph_finish(struct graph *g, const char *const *outputs, int n_output, GError **error)
{
    g_assert(g->draft);
    struct finish f = {.g = g, .draft = g->draft, .n_node = (int)g->draft->nodes->len};
    if (f.n_node == 0 && n_output == 0)
        return error_set(error, ERROR_INPUT, "%s: no layers", g->file ? g->file : g->name);
    f.order = ARENA_ARRAY(g->arena, int, (size_t)f.n_node);
    f.is_needed = ARENA_ARRAY(g->arena, bool, (size_t)f.n_node);
    size_t most = g->draft->values->len; /* parameters are yet to come */
    for (int i = 0; i < f.n_node; i++)
        most += OP_MAX_PARAM;
    f.number = ARENA_ARRAY(g->arena, int, most);
    f.outputs = ARENA_ARRAY(g->arena, int, most);
    f.states = ARENA_ARRAY(g->arena, int, most);
    f.nexts = ARENA_ARRAY(g->arena, int, most);
    if (!finish(&f, outputs, n_output, error))
        return false;
    g->draft = NULL;
    return true;
}
