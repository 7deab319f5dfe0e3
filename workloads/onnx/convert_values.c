/* SPDX-License-Identifier: Apache-2.0 */
/* Constants, shapes, and what operators of older sets said otherwise. */
#include <string.h>

#include "workloads/onnx/convert.h"

bool onnx_convert_identity(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    GPtrArray *sequence = n->p->n_input > 0 ? onnx_sequence(n->o, n->p->input[0]) : NULL;
    if (!sequence)
        return onnx_has(n, 0) ? onnx_alias(n, 0, n->in[0], error)
                              : onnx_refuse(n, error, "no input");
    onnx_set_sequence(n->o, n->p->output[0], g_ptr_array_ref(sequence));
    return true;
}

/* Floats or integers of an attribute as a tensor of its own. */
static bool constant_of_list(struct onnx_node *n, const void *data, size_t count, size_t size,
                             enum number type, bool is_list, GError **error)
{
    const struct shape shape = {is_list ? 1 : 0, {(int64_t)count}};
    return onnx_add_constant(n, n->out[0], type, &shape, g_bytes_new(data, count * size), error);
}

static bool constant_of_tensor(struct onnx_node *n, Onnx__TensorProto *t, GError **error)
{
    enum number type;
    struct shape shape;
    GBytes *data;
    return onnx_tensor(n->o->file, t, &type, &shape, &data, error) &&
           onnx_add_constant(n, n->out[0], type, &shape, data, error);
}

bool onnx_convert_constant(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    const Onnx__AttributeProto *p = n->p->n_attribute == 1 ? n->p->attribute[0] : NULL;
    const char *name = p && p->name ? p->name : "";
    if (strcmp(name, "value") == 0 && p->t)
        return constant_of_tensor(n, p->t, error);
    if (strcmp(name, "value_float") == 0)
        return constant_of_list(n, &p->f, 1, sizeof(float), NUMBER_fp32, false, error);
    if (strcmp(name, "value_floats") == 0)
        return constant_of_list(n, p->floats, p->n_floats, sizeof(float), NUMBER_fp32, true, error);
    if (strcmp(name, "value_int") == 0)
        return constant_of_list(n, &p->i, 1, sizeof(int64_t), NUMBER_int64, false, error);
    if (strcmp(name, "value_ints") == 0)
        return constant_of_list(n, p->ints, p->n_ints, sizeof(int64_t), NUMBER_int64, true, error);
    return onnx_refuse(n, error, "attribute '%s'", name);
}

/* One element, expanded to the shape: exact in every format. */
bool onnx_convert_constant_of_shape(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    const Onnx__AttributeProto *p = onnx_attr(n, "value");
    const float zero = 0;
    enum number type = NUMBER_fp32;
    struct shape one = {0};
    GBytes *data = NULL;
    if (p && p->t && !onnx_tensor(n->o->file, p->t, &type, &one, &data, error))
        return false;
    if (!data)
        data = g_bytes_new(&zero, sizeof(zero));
    if (shape_count(&one) != 1) {
        g_bytes_unref(data);
        return onnx_refuse(n, error, "a value of several elements");
    }
    const char *in[] = {onnx_made_name(n), n->in[0]};
    one.n_dim = 0;
    return onnx_add_constant(n, in[0], type, &one, data, error) &&
           onnx_emit(n, "expand", NULL, in, 2, n->out, 1, error);
}

/* Before set 7 the second input was aligned at `axis`, and only where asked for. */
static bool align(struct onnx_node *n, int64_t axis, GError **error)
{
    const struct shape a = onnx_operand(n, 0).shape, b = onnx_operand(n, 1).shape;
    int64_t behind[SHAPE_MAX_DIM];
    int n_behind = 0;
    axis = axis < 0 ? axis + a.n_dim : axis;
    for (int64_t d = axis + b.n_dim; d < a.n_dim; d++)
        behind[n_behind++] = d - axis;
    if (n_behind == 0)
        return true;
    struct onnx_attrs u;
    onnx_attrs_init(&u);
    onnx_attrs_ints(&u, "axes", behind, (size_t)n_behind);
    const char *wide = onnx_made_name(n);
    bool ok = onnx_emit(n, "unsqueeze", &u, &n->in[1], 1, &wide, 1, error);
    onnx_attrs_clear(&u);
    n->in[1] = wide;
    return ok;
}

bool onnx_convert_binary(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    if (n->o->opset >= 7)
        return onnx_convert_plain(n, row, error);
    const struct onnx_op old = {row->name, row->op, "-broadcast -axis", 0, NULL};
    const struct shape a = onnx_operand(n, 0).shape, b = onnx_operand(n, 1).shape;
    if (!shape_equal(&a, &b) && !onnx_attr_int(n, "broadcast", 0))
        return onnx_refuse(n, error, "broadcasting without its attribute");
    return (!onnx_attr(n, "axis") || align(n, onnx_attr_int(n, "axis", 0), error)) &&
           onnx_convert_plain(n, &old, error);
}

/* Before set 7 a row of slopes belonged to the channels. */
bool onnx_convert_prelu(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    bool is_row = onnx_operand(n, 1).shape.n_dim == 1;
    return (n->o->opset >= 7 || !is_row || align(n, 1, error)) && onnx_convert_plain(n, row, error);
}

/* One input: another name. */
bool onnx_convert_concat(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    return n->n_in == 1 ? onnx_alias(n, 0, n->in[0], error) : onnx_convert_plain(n, row, error);
}

/* Since set 11: x, roi, scales, sizes; set 10: x, scales, then asymmetric. */
bool onnx_convert_resize(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    if (n->o->opset >= 11)
        return onnx_convert_plain(n, row, error);
    return onnx_convert_upsample(n, row, error);
}

bool onnx_convert_upsample(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    const Onnx__AttributeProto *scales = onnx_attr(n, "scales");
    const char *in[] = {n->in[0], "", n->n_in > 1 ? n->in[1] : ""};
    if (scales && n->n_in == 1) {
        const struct shape shape = {1, {(int64_t)scales->n_floats}};
        in[2] = onnx_made_name(n);
        if (!onnx_add_constant(n, in[2], NUMBER_fp32, &shape,
                               g_bytes_new(scales->floats, scales->n_floats * sizeof(float)),
                               error))
            return false;
    }
    const struct onnx_op quiet = {row->name, row->op, "-scales", 0, NULL};
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    bool ok = onnx_attrs_take(&a, n, &quiet, error);
    onnx_attrs_string(&a, "coordinate_transformation_mode", "asymmetric");
    onnx_attrs_string(&a, "nearest_mode", "floor");
    ok = ok && onnx_emit(n, row->op, &a, in, 3, n->out, 1, error);
    onnx_attrs_clear(&a);
    return ok;
}
