/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters, inputs and their ranges. */
#include "app/run/internal.h"
#include "mapper/values/autoflex.h"
#include "mapper/values/quant.h"
#include "sim/base/error.h"
#include "workloads/ref/ref.h"

/* Of a calibration run: enough for ranges, and a small part of the run's own time. */
enum { CALIBRATION_BATCH = 8 };

bool values_within_memory(const struct accsim *a, GError **error)
{
    const uint64_t limit = a->options.memory_limit_bytes;
    /* fp32 parameters and their int8 copies. */
    double need = (double)graph_parameters(a->whole) * 6, largest = 0;
    for (int v = 0; v < a->whole->n_value; v++) {
        const struct value *value = &a->whole->values[v];
        const double n = (double)shape_count(&value->shape);
        if (value->kind == VALUE_INPUT)
            need += n * 4;
        if (value->kind != VALUE_PARAM)
            largest = MAX(largest, n);
    }
    for (int i = 0; i < a->whole->n_state; i++) {
        const struct value *value = &a->whole->values[a->whole->states[i]];
        const double bytes = (double)shape_count(&value->shape) * (double)number_bytes(value->type);
        need += bytes * (value->kind == VALUE_STATE ? 3 : 2); /* as given, old and new */
    }
    need += largest * 8; /* an activation read and one written */
    /* int8 of what the machine makes, which is not all of it. */
    for (int v = 0; v < a->graph->n_value && a->machine; v++)
        if (a->graph->values[v].kind == VALUE_NODE)
            need += (double)shape_count(&a->graph->values[v].shape);
    if (need <= (double)limit)
        return true;
    return error_set(error, ERROR_LIMIT,
                     "%s at batch %" G_GINT64_FORMAT
                     " needs about %.0f MiB of memory to compute its values, "
                     "the limit is %.0f MiB%s",
                     a->whole->name, a->whole->batch, need / 0x1p20, (double)limit / 0x1p20,
                     a->machine ? "; --mode timing computes none" : "");
}

/* What the caller of the library has set of its own graph. */
static bool take_given(const struct accsim *a, struct values *v, GError **error)
{
    const struct values *given = a->options.values;
    for (int i = 0; given && i < given->graph->n_value; i++) {
        const struct value *value = &given->graph->values[i];
        if (given->at[i].data && value->kind != VALUE_NODE && !value->data &&
            !values_set(v, value->name, given->at[i].data, error))
            return false;
    }
    return true;
}

/* Values of a graph from files or seeded. */
static struct values *load_values(const struct accsim *a, const struct graph *g, GError **error)
{
    struct values *v = values_new(g);
    if (take_given(a, v, error) &&
        (!a->options.weights || values_load(v, VALUE_PARAM, a->options.weights, error)) &&
        (!a->options.input || load_inputs(a->options.input, DATA_TEST, v, error)) &&
        values_seed(v, a->options.seed, error))
        return v;
    values_free(v);
    return NULL;
}

/* Moves what the chosen layers need out of values of the whole network. */
static struct values *narrow(const struct accsim *a, struct values *from, struct values *fetched)
{
    struct values *v = values_new(a->asked);
    for (int i = 0; i < a->asked->n_value; i++) {
        const struct value *value = &a->asked->values[i];
        if (value->kind == VALUE_NODE)
            continue;
        const int j = graph_find_value(a->whole, value->name)->index;
        struct tensor *t = fetched->at[j].data ? &fetched->at[j] : &from->at[j];
        v->at[i] = *t;
        *t = (struct tensor){0};
    }
    return v;
}

/* Values of the layers asked for; NULL on error. Takes those of the whole network. */
static struct values *select_values(const struct accsim *a, struct values *v, GError **error)
{
    if (a->asked == a->whole)
        return v;
    /* Layers alone read what the layers before them make in fp32. */
    g_autofree bool *want = g_new0(bool, (gsize)a->whole->n_value);
    for (int i = 0; i < a->asked->n_input; i++) {
        const char *name = a->asked->values[a->asked->inputs[i]].name;
        const struct value *value = graph_find_value(a->whole, name);
        want[value->index] = value->kind == VALUE_NODE;
    }
    struct values *fetched = values_new(a->whole);
    const bool ok = ref_run(a->whole, a->options.threads, v, fetched, want, NULL, NULL, error);
    struct values *own = ok ? narrow(a, v, fetched) : NULL;
    values_free(fetched);
    values_free(v);
    return own;
}

bool make_values(struct accsim *a, GError **error)
{
    progress(a, "values", 0);
    struct values *v = load_values(a, a->whole, error);
    v = v ? select_values(a, v, error) : NULL;
    if (!v || !a->expansion) {
        a->values = v;
        return v != NULL;
    }
    a->values = values_new(a->graph);
    const bool ok = expand_values(a->expansion, v, a->values, error);
    values_free(v);
    return ok;
}

struct observation {
    struct accsim *a;
    float *max_abs, *flex_scale;
};

/* Autoflex sees one image after the other, as it would in use. */
static void observe_flexpoint(const struct observation *o, const struct graph *g, int value,
                              const struct tensor *t)
{
    const int64_t n_image = t->shape.n_dim > 0 && t->shape.dim[0] == g->batch ? g->batch : 1;
    const int64_t n = t->type == NUMBER_fp32 ? shape_count(&t->shape) / n_image : 0;
    struct autoflex state = {.scale = 1};
    for (int64_t i = 0; i < n_image && n > 0; i++) {
        const struct tensor image = {NUMBER_fp32, shape_make(1, (int64_t[]){n}),
                                     (float *)t->data + i * n};
        const double max = quant_max_abs(&image);
        if (i == 0)
            autoflex_start(&state, max);
        autoflex_observe(&state, max);
    }
    o->flex_scale[value] = state.scale;
}

static bool observe(const struct graph *g, int value, const struct tensor *t, void *user,
                    GError **error)
{
    struct observation *o = user;
    progress(o->a, "calibrating", (double)value / g->n_value);
    observe_flexpoint(o, g, value, t);
    return quant_observe(g, value, t, o->max_abs, error);
}

/* The graph and values that ranges are taken from. Parameters are borrowed. */
static bool calibration_set(const struct accsim *a, const struct values *from, struct graph **g,
                            struct values **v, GError **error)
{
    const int64_t batch = a->graph->batch;
    *v = NULL;
    *g =
        graph_rebatch(a->graph, a->options.calibrate ? batch : MIN(batch, CALIBRATION_BATCH), NULL);
    if (!*g) /* shapes that are fixed to the batch */
        *g = graph_rebatch(a->graph, batch, error);
    if (!*g)
        return false;
    *v = values_new(*g);
    if (a->options.calibrate && !load_inputs(a->options.calibrate, DATA_TRAIN, *v, error))
        return false;
    for (int i = 0; i < (*g)->n_value; i++) {
        if ((*v)->at[i].data || (*g)->values[i].kind == VALUE_NODE)
            continue;
        (*v)->at[i] = from->at[i];
        (*v)->at[i].shape = (*g)->values[i].shape; /* the first images of the batch */
    }
    return true;
}

static void return_borrowed(const struct values *from, struct values *v)
{
    for (int i = 0; v && i < from->graph->n_value; i++)
        if (v->at[i].data == from->at[i].data)
            v->at[i].data = NULL;
    values_free(v);
}

bool calibrate(struct accsim *a, const struct values *given, bool is_needed,
               struct quant_ranges *ranges, GError **error)
{
    struct graph *g;
    struct values *v;
    float *max_abs = ARENA_ARRAY(a->arena, float, (size_t)a->graph->n_value);
    float *flex_scale = ARENA_ARRAY(a->arena, float, (size_t)a->graph->n_value);
    struct observation o = {a, max_abs, flex_scale};
    *ranges = (struct quant_ranges){max_abs, flex_scale};
    if (!is_needed)
        return true;
    bool ok = calibration_set(a, given, &g, &v, error);
    for (int i = 0; ok && i < g->n_input; i++) {
        max_abs[g->inputs[i]] = quant_max_abs(&v->at[g->inputs[i]]);
        observe_flexpoint(&o, g, g->inputs[i], &v->at[g->inputs[i]]);
    }
    ok = ok && ref_run(g, a->options.threads, v, NULL, NULL, observe, &o, error);
    return_borrowed(given, v);
    graph_free(g);
    return ok;
}
