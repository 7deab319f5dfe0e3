/* SPDX-License-Identifier: Apache-2.0 */
/* The file, its inputs and outputs. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/message.h"
#include "workloads/onnx/import.h"
#include "workloads/onnx/wire.h"

static const char *dims_text(const struct onnx *o, const char *name)
{
    size_t n = strlen(name);
    for (const char *const *s = o->options->shapes; s && *s; s++)
        if (strncmp(*s, name, n) == 0 && (*s)[n] == '=')
            return *s + n + 1;
    return NULL;
}

/* "1x3x224x224"; false where that is no shape. */
static bool parse_dims(const char *text, struct shape *out)
{
    g_auto(GStrv) words = g_strsplit_set(text, "x,", -1);
    out->n_dim = 0;
    for (char **w = words; *w; w++) {
        guint64 dim;
        if (out->n_dim == SHAPE_MAX_DIM ||
            !g_ascii_string_to_unsigned(*w, 10, 1, G_MAXINT64, &dim, NULL))
            return false;
        out->dim[out->n_dim++] = (int64_t)dim;
    }
    return true;
}

static bool bad_dims(const struct onnx *o, const char *name, const char *text, GError **error)
{
    return error_set(error, ERROR_INPUT,
                     "%s: --shape %s=%s: expected dimensions, as in %s=1x3x224x224", o->file, name,
                     text, name);
}

/* A dimension that the file leaves open: by its name, the batch where it leads, else an error. */
static bool free_dim(const struct onnx *o, const char *input, int i,
                     const Onnx__TensorShapeProto__Dimension *d, int64_t *out, GError **error)
{
    bool is_named =
        d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && d->dim_param[0];
    const char *text = is_named ? dims_text(o, d->dim_param) : NULL;
    struct shape one;
    if (text) {
        if (!parse_dims(text, &one) || one.n_dim != 1)
            return bad_dims(o, d->dim_param, text, error);
        *out = one.dim[0];
        return true;
    }
    if (i == 0) {
        *out = o->batch;
        return true;
    }
    return error_set(error, ERROR_INPUT,
                     "%s: dimension %d of input '%s'%s%s is free: give --shape %s=DIMS (or an "
                     "input file)",
                     o->file, i, input, is_named ? ", " : "", is_named ? d->dim_param : "", input);
}

static const struct tensor *fed_tensor(const struct onnx *o, const char *name)
{
    return o->options->known ? g_hash_table_lookup(o->options->known, name) : NULL;
}

/* What the file says of dimension i; 0: it is free. */
static int64_t declared_dim(const Onnx__TensorShapeProto *p, int i)
{
    const Onnx__TensorShapeProto__Dimension *d = p->dim[i];
    const bool is_given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    return is_given && d->dim_value > 0 ? d->dim_value : 0;
}

/* The leading dimension is a batch of any size: it is free, or 1. */
static bool is_batch_open(const Onnx__TensorShapeProto *p)
{
    return p && p->n_dim > 0 && declared_dim(p, 0) <= 1;
}

/* Whether a shape from `origin` is one that the file allows for the input. */
static bool check_declared(const struct onnx *o, const char *name, const Onnx__TensorShapeProto *p,
                           const struct shape *shape, const char *origin, GError **error)
{
    if (!p)
        return true;
    bool fits = (int)p->n_dim == shape->n_dim;
    g_autoptr(GString) declared = g_string_new(NULL);
    for (int i = 0; i < (int)p->n_dim; i++) {
        const int64_t dim = declared_dim(p, i);
        if (dim > 0)
            g_string_append_printf(declared, "%s%" G_GINT64_FORMAT, i ? "x" : "", dim);
        else
            g_string_append_printf(declared, "%s?", i ? "x" : "");
        fits &= dim == 0 || (i == 0 && dim == 1) || !fits || dim == shape->dim[i];
    }
    if (fits)
        return true;
    return error_set(error, ERROR_INPUT, "%s: input '%s' is declared as %s, %s is %s", o->file,
                     name, p->n_dim ? declared->str : "a number", origin,
                     shape_text(shape, 0, o->arena));
}

/* What --shape says, else the tensor that will be fed, else the file with its leading 1 taken for
 * a batch. */
static bool input_shape(const struct onnx *o, const char *name, const Onnx__TensorShapeProto *p,
                        struct shape *out, GError **error)
{
    const char *text = dims_text(o, name);
    const struct tensor *fed = fed_tensor(o, name);
    if (text && !parse_dims(text, out))
        return bad_dims(o, name, text, error);
    if (text && !check_declared(o, name, p, out, "--shape", error))
        return false;
    if (fed && !check_declared(o, name, p, &fed->shape, "the tensor that is fed", error))
        return false;
    if (text && fed && !shape_equal(out, &fed->shape))
        return error_set(error, ERROR_INPUT, "%s: --shape %s=%s, but the tensor that is fed is %s",
                         o->file, name, text, shape_text(&fed->shape, 0, o->arena));
    if (fed)
        *out = fed->shape;
    if (text || fed)
        return true;
    if (!p)
        return error_set(error, ERROR_INPUT, "%s: input '%s' has no shape: give --shape %s=DIMS",
                         o->file, name, name);
    if (p->n_dim > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "%s: input '%s' has more than %d dimensions", o->file,
                         name, SHAPE_MAX_DIM);
    out->n_dim = (int)p->n_dim;
    for (int i = 0; i < out->n_dim; i++) {
        const int64_t dim = declared_dim(p, i);
        if (dim > 0)
            out->dim[i] = i == 0 && dim == 1 ? o->batch : dim;
        else if (!free_dim(o, name, i, p->dim[i], &out->dim[i], error))
            return false;
    }
    return true;
}

/* Integers are shapes and indices; a whole image is not needed before the run. */
#define KNOWN_MAX_BYTES (1 << 16)

static void tell_known(struct onnx *o, const char *name, enum number type,
                       const struct shape *shape)
{
    const struct tensor *fed = fed_tensor(o, name);
    if (!fed || !shape_equal(&fed->shape, shape) ||
        (size_t)shape_count(shape) * number_bytes(type) > KNOWN_MAX_BYTES)
        return;
    size_t n = (size_t)shape_count(shape), size = n * number_bytes(type);
    void *data = g_malloc(MAX(size, 1));
    number_convert(data, type, fed->data, fed->type, n);
    GBytes *bytes = g_bytes_new_take(data, size);
    graph_know_input(o->g, name, bytes);
    g_bytes_unref(bytes);
}

static bool import_input(struct onnx *o, const Onnx__ValueInfoProto *p, GError **error)
{
    const char *name = p->name ? p->name : "";
    enum number type;
    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: input '%s' is a sequence, a map or optional, which is not supported",
                         o->file, name);
    const Onnx__TypeProto__Tensor *t = p->type->tensor_type;
    if (!onnx_number(t->elem_type, &type))
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: input '%s' is of data type %d (text, complex or unknown)", o->file,
                         name, t->elem_type);
    struct shape shape;
    if (!input_shape(o, name, t->shape, &shape, error))
        return false;
    if (graph_add_input_typed(o->g, name, type, &shape, 0, error) < 0) {
        g_prefix_error(error, "%s: ", o->file);
        return false;
    }
    tell_known(o, name, type, &shape);
    onnx_set_value(o, name, name);
    return true;
}

static bool is_initialiser(const Onnx__GraphProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_initializer; i++)
        if (g_strcmp0(p->initializer[i]->name, name) == 0)
            return true;
    return false;
}

static const Onnx__TensorShapeProto *declared_shape(const Onnx__ValueInfoProto *p)
{
    const Onnx__TypeProto *t = p->type;
    return t && t->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? t->tensor_type->shape : NULL;
}

/* The leading dimension of an input that is open in the file and settled by --shape or by the
 * tensor that will be fed; 0: it is not. */
static int64_t settled_batch(const struct onnx *o, const Onnx__ValueInfoProto *input)
{
    const char *name = input->name ? input->name : "";
    const Onnx__TensorShapeProto *p = declared_shape(input);
    if (!is_batch_open(p))
        return 0;
    const bool is_named =
        p->dim[0]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    const struct tensor *fed = fed_tensor(o, name);
    const char *text = dims_text(o, name);
    if (!text && !fed && is_named)
        text = dims_text(o, p->dim[0]->dim_param);
    struct shape shape;
    if (fed)
        return fed->shape.n_dim > 0 ? fed->shape.dim[0] : 0;
    return text && parse_dims(text, &shape) && shape.n_dim > 0 ? shape.dim[0] : 0;
}

/* The network's batch, of which leading dimensions that are open are: what one of them is settled
 * to or, where none is open, the leading dimension that all inputs have, or 1; if --batch asks for
 * one, it is that, or an error. */
static bool find_batch(struct onnx *o, const Onnx__GraphProto *p, GError **error)
{
    const char *of = NULL;
    int64_t open = 0, fixed = 0;
    bool is_open = false;
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__TensorShapeProto *shape = declared_shape(p->input[i]);
        if (is_initialiser(p, p->input[i]->name) || !shape || shape->n_dim == 0)
            continue;
        is_open |= is_batch_open(shape);
        const int64_t settled = settled_batch(o, p->input[i]), leading = declared_dim(shape, 0);
        fixed = fixed == 0 || fixed == leading ? leading : 1;
        if (settled > 0 && (!of || settled == o->options->batch)) {
            open = settled;
            of = p->input[i]->name;
        }
    }
    const int64_t own = is_open ? open : MAX(fixed, 1);
    o->batch = own > 0 ? own : o->options->batch;
    o->g->batch = o->batch;
    if (o->options->any_batch || o->batch == o->options->batch)
        return true;
    return error_set(error, ERROR_INPUT,
                     "%s: %s%s%s a batch of %" G_GINT64_FORMAT
                     ", --batch asks for %" G_GINT64_FORMAT,
                     o->file, of ? "input '" : "its inputs have", of ? of : "", of ? "' has" : "",
                     o->batch, o->options->batch);
}

/* Old files list the initialisers among the inputs too. */
static bool import_inputs(struct onnx *o, const Onnx__GraphProto *p, GError **error)
{
    if (!find_batch(o, p, error))
        return false;
    for (size_t i = 0; i < p->n_input; i++)
        if (!is_initialiser(p, p->input[i]->name) && !import_input(o, p->input[i], error))
            return false;
    return true;
}

static bool has_dim(const Onnx__ValueInfoProto *p, const char *name)
{
    const Onnx__TensorShapeProto *shape = declared_shape(p);
    for (size_t i = 0; shape && i < shape->n_dim; i++)
        if (shape->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
            strcmp(shape->dim[i]->dim_param, name) == 0)
            return true;
    return false;
}

/* Every --shape is of an input or a free dimension: a misspelt one changes nothing unseen. */
static bool check_shapes(const struct onnx *o, const Onnx__GraphProto *p, GError **error)
{
    for (const char *const *s = o->options->shapes; s && *s; s++) {
        g_autofree char *name = g_strndup(*s, strcspn(*s, "="));
        bool is_known = false;
        for (size_t i = 0; i < p->n_input && !is_known; i++)
            is_known = g_strcmp0(p->input[i]->name, name) == 0 || has_dim(p->input[i], name);
        if (!is_known)
            return error_set(error, ERROR_INPUT,
                             "%s: --shape %s: no input or free dimension has the name '%s'",
                             o->file, *s, name);
    }
    return true;
}

static bool find_opset(struct onnx *o, const Onnx__ModelProto *m, GError **error)
{
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *s = m->opset_import[i];
        if (!s->domain || s->domain[0] == '\0' || strcmp(s->domain, "ai.onnx") == 0)
            o->opset = s->version;
    }
    if (o->opset >= ONNX_MIN_OPSET && o->opset <= ONNX_MAX_OPSET)
        return true;
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: operator set %" G_GINT64_FORMAT " is not supported, %d to %d are",
                     o->file, o->opset, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
}

static bool finish(struct onnx *o, const Onnx__GraphProto *p, GError **error)
{
    const char **outputs = ARENA_ARRAY(o->arena, const char *, p->n_output);
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        if (onnx_sequence(o, name))
            return error_set(error, ERROR_UNSUPPORTED,
                             "%s: output '%s' is a sequence, which is not supported", o->file,
                             name);
        if (!onnx_value(o, name))
            return error_set(error, ERROR_INPUT, "%s: nothing makes the output '%s'", o->file,
                             name);
        outputs[i] = name;
    }
    return graph_finish(o->g, outputs, (int)p->n_output, error);
}

static bool import_model(struct onnx *o, Onnx__ModelProto *m, GError **error)
{
    Onnx__GraphProto *p = m->graph;
    if (!p || p->n_output == 0)
        return error_set(error, ERROR_INPUT, "%s: the model has no graph with outputs", o->file);
    if (m->n_functions > 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: functions of the model's own are not supported", o->file);
    for (size_t i = 0; i < p->n_output; i++)
        if (p->output[i]->name)
            g_hash_table_add(o->outputs, p->output[i]->name);
    onnx_push_scope(o, "");
    return find_opset(o, m, error) && check_shapes(o, p, error) && import_inputs(o, p, error) &&
           onnx_import_nodes(o, p, error) && finish(o, p, error);
}

static char *default_name(const char *file)
{
    char *name = g_path_get_basename(file);
    if (g_str_has_suffix(name, ".onnx"))
        name[strlen(name) - strlen(".onnx")] = '\0';
    return name;
}

static struct graph *read_model(Onnx__ModelProto *m, const char *file,
                                const struct net_options *options, GError **error)
{
    g_autofree char *name = default_name(file);
    struct onnx o = {.file = file, .options = options, .arena = arena_new()};
    o.g = graph_new(name, file, options->batch);
    o.outputs = g_hash_table_new(g_str_hash, g_str_equal);
    arena_own(o.arena, o.outputs, (GDestroyNotify)g_hash_table_unref);
    if (m->producer_name && m->producer_name[0])
        o.g->source = arena_printf(o.g->arena, "%s %s", m->producer_name,
                                   m->producer_version ? m->producer_version : "");
    if (!import_model(&o, m, error)) {
        graph_free(o.g);
        o.g = NULL;
    }
    arena_free(o.arena);
    return o.g;
}

struct graph *onnx_read(const char *file, const struct net_options *options, GError **error)
{
    struct wire w;
    if (!wire_read(&w, file, &onnx__model_proto__descriptor, error))
        return NULL;
    struct graph *g = read_model(w.message, file, options, error);
    wire_clear(&w);
    return g;
}

bool onnx_read_tensor(const char *file, struct tensor *out, char **name, GError **error)
{
    struct wire w;
    if (!wire_read(&w, file, &onnx__tensor_proto__descriptor, error))
        return false;
    const Onnx__TensorProto *t = w.message;
    GBytes *data = NULL;
    bool ok = onnx_tensor(file, t, &out->type, &out->shape, &data, error);
    if (ok) {
        GBytes *whole = data;
        size_t size = tensor_bytes(out);
        out->data = g_malloc(MAX(size, 1));
        if (size > 0) /* the data of empty bytes are NULL */
            memcpy(out->data, g_bytes_get_data(whole, NULL), size);
        g_bytes_unref(whole);
        if (name)
            *name = g_strdup(t->name);
    }
    wire_clear(&w);
    return ok;
}
