/* SPDX-License-Identifier: Apache-2.0 */
/* accsim show net: a network layer by layer. */
#include "app/app.h"
#include "app/emit.h"
#include "app/table.h"
#include "workloads/net.h"

/* What one layer, or the network, computes and touches; of the whole batch. */
struct work {
    uint64_t macs, parameters;
    double weight_bytes, input_bytes, output_bytes;
};

static double value_bytes(const struct graph *g, int value, enum number precision)
{
    const struct value *v = &g->values[value];
    const size_t size = v->type == NUMBER_fp32 ? number_bytes(precision) : number_bytes(v->type);
    return (double)shape_count(&v->shape) * (double)size;
}

static bool is_first_reader(const struct graph *g, const struct node *n, int value)
{
    if (g->values[value].n_reader == 1)
        return true;
    for (int i = 0; i < n->index; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == value)
                return false;
    return true;
}

static struct work node_work(const struct graph *g, const struct node *n, enum number precision)
{
    if (n->precision >= 0)
        precision = (enum number)n->precision;
    struct work w = {.macs = n->macs};
    for (int i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i] < 0 ? NULL : &g->values[n->in[i]];
        if (!v || v->kind != VALUE_PARAM)
            continue;
        /* What several layers share counts with the first. */
        if (value_is_parameter(v) && is_first_reader(g, n, v->index))
            w.parameters += (uint64_t)shape_count(&v->shape);
        w.weight_bytes += value_bytes(g, v->index, precision);
    }
    if (!n->op->forward) /* the same bytes in another shape: nothing moves */
        return w;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && g->values[n->in[i]].kind != VALUE_PARAM)
            w.input_bytes += value_bytes(g, n->in[i], precision);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] >= 0)
            w.output_bytes += value_bytes(g, n->out[i], precision);
    return w;
}

static void add_work(struct work *sum, const struct work *w)
{
    sum->macs += w->macs;
    sum->parameters += w->parameters;
    sum->weight_bytes += w->weight_bytes;
    sum->input_bytes += w->input_bytes;
    sum->output_bytes += w->output_bytes;
}

/* MACs per byte read or written once; 0 where there are none. */
static double intensity(const struct work *w)
{
    double bytes = w->weight_bytes + w->input_bytes + w->output_bytes;
    return bytes > 0 ? (double)w->macs / bytes : 0;
}

static void add_row(struct table *t, const char *index, const char *name, const char *op,
                    const char *shape, const struct work *w)
{
    double activation_bytes = w->input_bytes + w->output_bytes;
    table_row(t, index, name, op, shape, w->macs ? number_count(w->macs).text : "-",
              w->parameters ? number_count(w->parameters).text : "-",
              w->weight_bytes > 0 ? number_size(w->weight_bytes).text : "-",
              activation_bytes > 0 ? number_size(activation_bytes).text : "-",
              w->macs ? number_fixed(intensity(w), 2).text : "-");
}

static void emit_work(json_t *object, const struct work *w)
{
    json_put_count(object, "macs", w->macs);
    json_put_count(object, "parameters", w->parameters);
    json_put_count(object, "weight_bytes", (uint64_t)w->weight_bytes);
    json_put_count(object, "input_bytes", (uint64_t)w->input_bytes);
    json_put_count(object, "output_bytes", (uint64_t)w->output_bytes);
    if (w->macs)
        json_put_real(object, "macs_per_byte", intensity(w));
}

static json_t *shape_doc(const struct shape *s)
{
    json_t *dims = json_array();
    for (int i = 0; i < s->n_dim; i++)
        json_array_append_new(dims, json_integer(s->dim[i]));
    return dims;
}

static json_t *layer_doc(const struct graph *g, const struct node *n, const struct work *w)
{
    json_t *layer = json_object();
    json_put_count(layer, "index", (uint64_t)n->index);
    json_put_text(layer, "name", n->name);
    json_put_text(layer, "op", n->op->name);
    json_object_set_new(layer, "shape", shape_doc(&g->values[n->out[0]].shape));
    if (n->precision >= 0)
        json_put_text(layer, "precision", number_names[n->precision]);
    emit_work(layer, w);
    return layer;
}

static json_t *states_doc(const struct graph *g)
{
    json_t *states = json_array();
    for (int i = 0; i < g->n_state; i++) {
        const struct value *v = &g->values[g->states[i]];
        json_t *state = json_object();
        json_put_text(state, "name", v->name);
        json_put_text(state, "type", number_names[v->type]);
        json_object_set_new(state, "shape", shape_doc(&v->shape));
        json_put_text(state, "next", g->values[v->next].name);
        json_array_append_new(states, state);
    }
    return states;
}

static void print_states(const struct graph *g, struct arena *arena, GString *out)
{
    static const char *const headings[] = {"state", "type", "shape", "next"};
    struct table *t = table_new("llll", headings);
    for (int i = 0; i < g->n_state; i++) {
        const struct value *v = &g->values[g->states[i]];
        table_row(t, v->name, number_names[v->type], shape_text(&v->shape, 0, arena),
                  g->values[v->next].name);
    }
    g_string_append_c(out, '\n');
    table_print(t, out);
}

static json_t *net_doc(const struct graph *g, enum number precision)
{
    json_t *doc = emit_doc("accsim-net/1");
    json_put_text(doc, "name", g->name);
    json_put_text(doc, "file", g->file);
    json_put_text(doc, "source", g->source);
    json_put_count(doc, "batch", (uint64_t)g->batch);
    json_put_text(doc, "precision", number_names[precision]);
    json_t *layers = json_array();
    struct work total = {0};
    for (int i = 0; i < g->n_node; i++) {
        struct work w = node_work(g, &g->nodes[i], precision);
        json_array_append_new(layers, layer_doc(g, &g->nodes[i], &w));
        add_work(&total, &w);
    }
    json_object_set_new(doc, "layers", layers);
    if (g->n_state > 0)
        json_object_set_new(doc, "states", states_doc(g));
    json_t *totals = json_object();
    json_put_count(totals, "layers", (uint64_t)g->n_node);
    emit_work(totals, &total);
    json_object_set_new(doc, "totals", totals);
    return doc;
}

static GString *net_text(const struct graph *g, enum number precision)
{
    static const char *const headings[] = {"",        "layer",       "operator",
                                           "output",  "MACs",        "parameters",
                                           "weights", "activations", "MACs/byte"};
    GString *out = g_string_new(NULL);
    struct table *head = table_new("ll", NULL);
    table_row(head, "network", g->name);
    if (g->file)
        table_row(head, "file", g->file);
    if (g->source)
        table_row(head, "source", g->source);
    g_autofree char *of =
        g_strdup_printf("of the whole batch of %s, in %s", number_count((uint64_t)g->batch).text,
                        number_names[precision]);
    table_row(head, "figures", of);
    table_print(head, out);
    g_string_append_c(out, '\n');

    struct table *t = table_new("rlllrrrrr", headings);
    struct arena *arena = arena_new();
    struct work total = {0};
    for (int i = 0; i < g->n_node; i++) {
        const struct node *n = &g->nodes[i];
        struct work w = node_work(g, n, precision);
        add_row(t, number_count((uint64_t)n->index).text, n->name, n->op->name,
                shape_text(&g->values[n->out[0]].shape, 1, arena), &w);
        add_work(&total, &w);
    }
    add_row(t, "", "total", "", "", &total);
    table_print(t, out);
    g_string_append(out, "\nActivations: what a layer reads and writes; MACs/byte: MACs by weights "
                         "and activations.\n");
    if (g->n_state > 0)
        print_states(g, arena, out);
    arena_free(arena);
    return out;
}

bool show_net(const struct options *o, GError **error)
{
    g_auto(GStrv) dirs = accsim_net_dirs();
    const struct net_options options = {.batch = MAX(o->batch, 1),
                                        .any_batch = o->batch == 0,
                                        .shapes = (const char *const *)o->shape};
    struct graph *g = net_load(o->words[0], (const char *const *)dirs, &options, error);
    if (!g)
        return false;
    emit_message("warning", g->warning);
    enum number precision = o->precision < 0 ? NUMBER_fp32 : (enum number)o->precision;
    bool ok = emit(o, net_text(g, precision), net_doc(g, precision), error);
    graph_free(g);
    return ok;
}
