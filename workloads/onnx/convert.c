/* SPDX-License-Identifier: Apache-2.0 */
#include "workloads/onnx/convert.h"

#include <string.h>

bool onnx_convert_plain(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    bool ok = onnx_attrs_take(&a, n, row, error) && onnx_emit_node(n, row->op, &a, error);
    onnx_attrs_clear(&a);
    return ok;
}

/* conv1d, conv2d, conv3d by the input's dimensions. */
bool onnx_convert_by_rank(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    static const char *const ranks[] = {"1d", "2d", "3d"};
    int n_space = onnx_operand(n, 0).shape.n_dim - 2;
    if (n_space < 1 || n_space > 3)
        return onnx_refuse(n, error, "an input of %d dimensions", n_space + 2);
    g_autofree char *op = g_strconcat(row->op, ranks[n_space - 1], NULL);
    const struct onnx_op by_rank = {row->name, op, row->attrs, 0, NULL};
    const struct shape weight = onnx_has(n, 1) ? onnx_operand(n, 1).shape : (struct shape){0};
    if (weight.n_dim != n_space + 2)
        return onnx_refuse(n, error, "a weight of %d dimensions", weight.n_dim);
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_ints(&a, "kernel", weight.dim + 2, (size_t)n_space);
    bool ok = onnx_attrs_take(&a, n, &by_rank, error);
    if (strcmp(row->op, "conv") == 0)
        onnx_attrs_int(&a, "channels", weight.dim[0]);
    ok = ok && onnx_emit_node(n, op, &a, error);
    onnx_attrs_clear(&a);
    return ok;
}

/* Windows move by 1 where no strides are given. */
bool onnx_convert_pool(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_int(&a, "stride", 1);
    bool ok = onnx_attrs_take(&a, n, row, error) && onnx_emit_node(n, row->op, &a, error);
    onnx_attrs_clear(&a);
    return ok;
}

/* Before set 14 the outputs of training could be named by inference too. */
bool onnx_convert_batch_norm(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    if (n->o->opset < 9 && onnx_attr_int(n, "spatial", 1) != 1)
        return onnx_refuse(n, error, "spatial = 0");
    if (n->o->opset < 7 && onnx_attr_int(n, "is_test", 0) != 1)
        return onnx_refuse(n, error, "training mode");
    const struct onnx_op quiet = {row->name, row->op, "training_mode=training -spatial -is_test", 0,
                                  NULL};
    if (n->o->opset < 14)
        n->n_out = 1;
    return onnx_convert_plain(n, &quiet, error);
}

/* The identity at inference; a mask is all true. */
bool onnx_convert_dropout(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    (void)row;
    int64_t is_training = 0;
    int n_v = 0;
    if (n->o->opset >= 12 && onnx_has(n, 2) &&
        (!onnx_known_ints(n, 2, &is_training, 1, &n_v) || is_training))
        return onnx_refuse(n, error, "training mode");
    if (n->n_out > 1) {
        struct operand x = onnx_operand(n, 0);
        size_t count = (size_t)shape_count(&x.shape);
        if (count > G_MAXINT32)
            return onnx_refuse(n, error, "a mask of %zu elements", count);
        /* All true since set 10; before, the mask had the input's format. */
        enum number type = n->o->opset >= 10 ? NUMBER_bool : x.type;
        const struct shape one = {0};
        void *element = g_malloc0(8);
        number_convert(element, type, &(const uint8_t){1}, NUMBER_bool, 1);
        GBytes *data = g_bytes_new_take(element, number_bytes(type));
        const char *value = onnx_made_name(n);
        const char *shape = onnx_add_ints(n, x.shape.dim, x.shape.n_dim, error);
        const char *in[] = {value, shape};
        if (!shape || !onnx_add_constant(n, value, type, &one, data, error) ||
            !onnx_emit(n, "expand", NULL, in, 2, &n->out[1], 1, error))
            return false;
    }
    return onnx_alias(n, 0, n->in[0], error);
}

bool onnx_convert_lrn(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    onnx_attrs_float(&a, "k", 1.0);
    bool ok = onnx_attrs_take(&a, n, row, error) && onnx_emit_node(n, row->op, &a, error);
    onnx_attrs_clear(&a);
    return ok;
}

/* Before set 13 all from `axis` (1) on was one dimension. */
bool onnx_convert_softmax(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    const struct shape shape = onnx_operand(n, 0).shape;
    int64_t axis = onnx_attr_int(n, "axis", n->o->opset < 13 ? 1 : -1);
    int64_t from_start = axis < 0 ? axis + shape.n_dim : axis;
    bool is_coerced = n->o->opset < 13 && from_start != shape.n_dim - 1 && from_start >= 0;
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    bool ok = onnx_attrs_take(&a, n, row, error);
    onnx_attrs_int(&a, "axis", is_coerced ? -1 : axis);
    if (ok && !is_coerced) {
        ok = onnx_emit_node(n, row->op, &a, error);
    } else if (ok) {
        const char *rows = onnx_made_name(n), *done = onnx_made_name(n);
        struct onnx_attrs f, r;
        onnx_attrs_init(&f);
        onnx_attrs_init(&r);
        onnx_attrs_int(&f, "axis", from_start);
        onnx_attrs_ints(&r, "shape", shape.dim, (size_t)shape.n_dim);
        ok = onnx_emit(n, "flatten", &f, n->in, 1, &rows, 1, error) &&
             onnx_emit(n, row->op, &a, &rows, 1, &done, 1, error) &&
             onnx_emit(n, "reshape", &r, &done, 1, n->out, 1, error);
        onnx_attrs_clear(&f);
        onnx_attrs_clear(&r);
    }
    onnx_attrs_clear(&a);
    return ok;
}

static bool is_constant(const struct onnx_node *n, int i)
{
    return onnx_operand(n, i).known != NULL && graph_is_constant(n->o->g, n->in[i]);
}

/* A constant matrix [K, N] as the [N, K] of a fully connected layer's weight; NULL on error. */
static const char *transposed(struct onnx_node *n, int i, GError **error)
{
    const char *name = onnx_made_name(n);
    return onnx_emit(n, "transpose", NULL, &n->in[i], 1, &name, 1, error) ? name : NULL;
}

/* A product with a constant matrix is a fully connected layer over the last dimension. */
bool onnx_convert_matmul(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    const struct operand a = onnx_operand(n, 0), b = onnx_operand(n, 1);
    if (b.shape.n_dim != 2 || a.shape.n_dim < 2 || !is_constant(n, 1) || is_constant(n, 0) ||
        b.type == NUMBER_fp64 || !number_is_float(b.type) || shape_count(&b.shape) == 0)
        return onnx_convert_plain(n, row, error);
    const char *weight = transposed(n, 1, error);
    const char *in[] = {n->in[0], weight};
    struct onnx_attrs f;
    onnx_attrs_init(&f);
    onnx_attrs_int(&f, "features", b.shape.dim[1]);
    onnx_attrs_int(&f, "axis", -1);
    onnx_attrs_bool(&f, "bias", false);
    bool ok = weight && onnx_emit(n, "fc", &f, in, 2, n->out, 1, error);
    onnx_attrs_clear(&f);
    return ok;
}

static bool is_one(const struct onnx_node *n, const char *name)
{
    const Onnx__AttributeProto *p = onnx_attr(n, name);
    return !p || p->f == 1.0f;
}

/* A B + C with a constant matrix B and a row C is a fully connected layer. */
bool onnx_convert_gemm(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    const struct operand a = onnx_operand(n, 0), b = onnx_operand(n, 1);
    bool trans_b = onnx_attr_int(n, "transB", 0) != 0;
    int64_t features = b.shape.n_dim == 2 ? b.shape.dim[trans_b ? 0 : 1] : 0;
    const struct shape c = onnx_has(n, 2) ? onnx_operand(n, 2).shape : (struct shape){0};
    bool is_row = !onnx_has(n, 2) || (c.n_dim == 1 && c.dim[0] == features);
    if (a.shape.n_dim != 2 || b.shape.n_dim != 2 || !is_row || !is_one(n, "alpha") ||
        !is_one(n, "beta") || onnx_attr_int(n, "transA", 0) || !is_constant(n, 1) ||
        is_constant(n, 0) || (b.type != NUMBER_fp32))
        return onnx_convert_plain(n, row, error);
    const char *weight = trans_b ? n->in[1] : transposed(n, 1, error);
    const char *in[] = {n->in[0], weight, onnx_has(n, 2) ? n->in[2] : ""};
    struct onnx_attrs f;
    onnx_attrs_init(&f);
    onnx_attrs_int(&f, "features", features);
    onnx_attrs_bool(&f, "bias", onnx_has(n, 2));
    bool ok = weight && onnx_emit(n, "fc", &f, in, onnx_has(n, 2) ? 3 : 2, n->out, 1, error);
    onnx_attrs_clear(&f);
    return ok;
}

/* Ours read what is data first: x, lengths, initial states; then the weights. */
bool onnx_convert_recurrent(struct onnx_node *n, const struct onnx_op *row, GError **error)
{
    enum { X, W, R, B, LENGTHS, H, C, P };
    bool is_lstm = strcmp(row->op, "lstm") == 0;
    static const int lstm[] = {X, LENGTHS, H, C, W, R, B, P}, others[] = {X, LENGTHS, H, W, R, B};
    const int *order = is_lstm ? lstm : others;
    const char *in[8];
    int n_in = is_lstm ? 8 : 6;
    for (int i = 0; i < n_in; i++)
        in[i] = onnx_has(n, order[i]) ? n->in[order[i]] : "";
    const char *out[3] = {"", "", ""};
    for (int i = 0; i < n->n_out && i < 3; i++)
        out[i] = n->out[i];
    if (out[0][0] == '\0')
        out[0] = onnx_made_name(n);
    struct onnx_attrs a;
    onnx_attrs_init(&a);
    bool ok = onnx_attrs_take(&a, n, row, error) &&
              onnx_emit(n, row->op, &a, in, n_in, out, MAX(n->n_out, 1), error);
    onnx_attrs_clear(&a);
    return ok;
}
