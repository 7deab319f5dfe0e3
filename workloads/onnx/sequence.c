/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of tensors, as far as their lengths and positions are known: lists of names while a
 * model is read, and nothing at all when it runs. */
#include <string.h>

#include "workloads/onnx/convert.h"

/* The sequence that input 0 names; NULL on error. */
static GPtrArray *sequence_of(const struct onnx_node *n, GError **error)
{
    GPtrArray *s = n->p->n_input > 0 ? onnx_sequence(n->o, n->p->input[0]) : NULL;
    if (!s)
        onnx_refuse(n, error, "a sequence that is not known before the run");
    return s;
}

static GPtrArray *copy(const GPtrArray *s)
{
    GPtrArray *c = g_ptr_array_sized_new(s->len + 1);
    for (guint i = 0; i < s->len; i++)
        g_ptr_array_add(c, s->pdata[i]);
    return c;
}

static bool give(struct onnx_node *n, GPtrArray *s)
{
    onnx_set_sequence(n->o, n->p->output[0], s);
    return true;
}

/* Input i as a position in a sequence of n_elem; negative ones count from the end. */
static bool position(const struct onnx_node *n, int i, int64_t n_elem, int64_t absent, int64_t *out,
                     GError **error)
{
    int n_v;
    *out = absent;
    if (onnx_has(n, i) && !onnx_known_ints(n, i, out, 1, &n_v))
        return onnx_refuse(n, error, "a position that is not known before the run");
    *out += *out < 0 ? n_elem : 0;
    return (*out >= 0 && *out < n_elem) ||
           onnx_refuse(n, error, "position %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, *out,
                       n_elem);
}

bool onnx_convert_sequence_empty(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row, (void)error;
    return give(n, g_ptr_array_new());
}

bool onnx_convert_sequence_construct(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    for (int i = 0; i < n->n_in; i++)
        if (!onnx_has(n, i))
            return onnx_refuse(n, error, "no tensor for input %d", i);
    GPtrArray *s = g_ptr_array_new();
    for (int i = 0; i < n->n_in; i++)
        g_ptr_array_add(s, (void *)n->in[i]);
    return give(n, s);
}

bool onnx_convert_sequence_insert(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    GPtrArray *s = sequence_of(n, error);
    int64_t at;
    if (!s || !position(n, 2, (int64_t)s->len + 1, s->len, &at, error))
        return false;
    int64_t given;
    int n_v;
    if (onnx_has(n, 2) && onnx_known_ints(n, 2, &given, 1, &n_v) && given < 0)
        at--; /* -1 is before the last element, not behind it */
    if (at < 0 || !onnx_has(n, 1))
        return onnx_refuse(n, error, "this position");
    GPtrArray *c = copy(s);
    g_ptr_array_insert(c, (gint)at, (void *)n->in[1]);
    return give(n, c);
}

bool onnx_convert_sequence_erase(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    GPtrArray *s = sequence_of(n, error);
    int64_t at;
    if (!s || !position(n, 1, s->len, (int64_t)s->len - 1, &at, error))
        return false;
    GPtrArray *c = copy(s);
    g_ptr_array_remove_index(c, (guint)at);
    return give(n, c);
}

bool onnx_convert_sequence_at(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    GPtrArray *s = sequence_of(n, error);
    int64_t at;
    return s && position(n, 1, s->len, 0, &at, error) && onnx_alias(n, 0, s->pdata[at], error);
}

bool onnx_convert_sequence_length(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    GPtrArray *s = sequence_of(n, error);
    if (!s)
        return false;
    const struct shape scalar = {0};
    const int64_t length = s->len;
    return onnx_add_constant(n, n->out[0], NUMBER_int64, &scalar,
                             g_bytes_new(&length, sizeof(length)), error);
}

bool onnx_convert_concat_from_sequence(struct onnx_node *n, const struct onnx_op *row,
                                       GError **error)
{
    (void)row;
    GPtrArray *s = sequence_of(n, error);
    if (!s || s->len == 0 || s->len > OP_MAX_IN)
        return s ? onnx_refuse(n, error, "a sequence of %u", s->len) : false;
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_int(&a, "axis", onnx_attr_int(n, "axis", 0));
    bool ok = onnx_emit(n, onnx_attr_int(n, "new_axis", 0) ? "stack" : "concat", &a,
                        (const char *const *)s->pdata, (int)s->len, n->out, 1, error);
    onnx_attrs_clear(&a);
    return ok;
}

/* Sizes of the parts: of `split`, a size or a list of them, else 1 each. */
static bool part_sizes(struct onnx_node *n, int64_t whole, int64_t *sizes, int *n_part,
                       GError **error)
{
    int64_t step = 1;
    int n_v = 0;
    bool is_list = onnx_has(n, 1) && onnx_operand(n, 1).shape.n_dim == 1;
    if (is_list)
        return onnx_known_ints(n, 1, sizes, OP_MAX_OUT, n_part) ||
               onnx_refuse(n, error, "sizes that are not known before the run");
    if (onnx_has(n, 1) && !onnx_known_ints(n, 1, &step, 1, &n_v))
        return onnx_refuse(n, error, "a size that is not known before the run");
    if (step < 1 || (whole + step - 1) / step > OP_MAX_OUT)
        return onnx_refuse(n, error, "parts of %" G_GINT64_FORMAT, step);
    for (*n_part = 0; whole > 0; whole -= step)
        sizes[(*n_part)++] = MIN(step, whole);
    return true;
}

static bool split(struct onnx_node *n, int64_t axis, const int64_t *sizes, int n_part,
                  const char **parts, GError **error)
{
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_int(&a, "axis", axis);
    onnx_attrs_ints(&a, "split", sizes, (size_t)n_part);
    bool ok = onnx_emit(n, "split", &a, n->in, 1, parts, n_part, error);
    onnx_attrs_clear(&a);
    return ok;
}

bool onnx_convert_split_to_sequence(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    const struct shape shape = onnx_operand(n, 0).shape;
    int64_t axis = onnx_attr_int(n, "axis", 0), sizes[OP_MAX_OUT];
    axis += axis < 0 ? shape.n_dim : 0;
    int n_part;
    if (axis < 0 || axis >= shape.n_dim)
        return onnx_refuse(n, error, "axis %" G_GINT64_FORMAT, axis);
    if (!part_sizes(n, shape.dim[axis], sizes, &n_part, error))
        return false;
    bool is_squeezed = !onnx_has(n, 1) && onnx_attr_int(n, "keepdims", 1) == 0;
    const char *parts[OP_MAX_OUT];
    for (int i = 0; i < n_part; i++)
        parts[i] = onnx_made_name(n);
    if (!split(n, axis, sizes, n_part, parts, error))
        return false;
    GPtrArray *s = g_ptr_array_new();
    for (int i = 0; i < n_part; i++) {
        struct onnx_attrs a;
        onnx_attrs_init(&a);
        onnx_attrs_ints(&a, "axes", &axis, 1);
        const char *one = is_squeezed ? onnx_made_name(n) : parts[i];
        bool ok = !is_squeezed || onnx_emit(n, "squeeze", &a, &parts[i], 1, &one, 1, error);
        onnx_attrs_clear(&a);
        if (!ok) {
            g_ptr_array_unref(s);
            return false;
        }
        g_ptr_array_add(s, (void *)one);
    }
    return give(n, s);
}
