/* SPDX-License-Identifier: Apache-2.0 */
/* Values from nothing but attributes: constants, ranges, unit matrices. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define LD G_GINT64_FORMAT

#define FIELD_SHAPE                                                                                \
    {"shape", CFG_INTS, offsetof(struct create_attr, shape), 0, 0x1p40, "", NULL,                  \
     "Dimensions; an input overrides it.", NULL}
#define FIELD_TYPE(attr)                                                                           \
    {"type", CFG_ENUM, offsetof(struct attr, type), 0, 0, "fp32", NULL, "Number format.",          \
     number_names}

static const struct cfg_field fill_fields[] = {
    FIELD_SHAPE,
    {"value", CFG_FLOAT, offsetof(struct create_attr, value), -1e300, 1e300, "0.0", NULL,
     "Every element.", NULL},
    FIELD_TYPE(create_attr),
    {0},
};
static const struct cfg_field shape_fields[] = {FIELD_SHAPE, FIELD_TYPE(create_attr), {0}};

static bool fill_infer(const struct op_infer *c, GError **error)
{
    struct create_attr *a = c->attr;
    if (!infer_ints(c, 0, &a->shape, error))
        return false;
    if (a->shape.n > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "more than %d dimensions", SHAPE_MAX_DIM);
    c->out[0].shape = shape_make(a->shape.n, a->shape.v);
    c->out[0].type = (enum number)a->type;
    return true;
}

/* The first element, then copies of what is there. */
static void repeat(struct tensor *t, const void *element)
{
    const size_t size = number_bytes(t->type), total = tensor_bytes(t);
    if (total == 0)
        return;
    memcpy(t->data, element, size);
    for (size_t done = size; done < total; done *= 2)
        memcpy((char *)t->data + done, t->data, MIN(done, total - done));
}

static bool fill_with(const struct op_call *c, double value)
{
    uint64_t element;
    number_convert(&element, c->out[0]->type, &value, NUMBER_fp64, 1);
    repeat(c->out[0], &element);
    return true;
}

static bool fill_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return fill_with(c, ((const struct create_attr *)c->attr)->value);
}

static bool zeros_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return fill_with(c, 0);
}

static bool ones_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return fill_with(c, 1);
}

static const struct cfg_field range_fields[] = {
    {"start", CFG_FLOAT, offsetof(struct range_attr, start), -1e300, 1e300, "0.0", NULL,
     "First element; inputs override this and what follows.", NULL},
    {"limit", CFG_FLOAT, offsetof(struct range_attr, limit), -1e300, 1e300, "0.0", NULL,
     "Where it ends, not reached itself.", NULL},
    {"delta", CFG_FLOAT, offsetof(struct range_attr, delta), -1e300, 1e300, "1.0", NULL,
     "Difference of two neighbours.", NULL},
    FIELD_TYPE(range_attr),
    {0},
};

/* Integers beyond 2^53 are refused: the attributes are fp64. */
static bool take_number(const struct op_infer *c, int i, double *out, int *type, GError **error)
{
    const struct operand *in = infer_input(c, i);
    if (!in)
        return true;
    if (shape_count(&in->shape) != 1)
        return error_set(error, ERROR_INPUT, "input %d is no single number", i + 1);
    *out = number_get_fp64(in->known, in->type, 0);
    *type = (int)in->type;
    return fabs(*out) <= 0x1p53 ||
           error_set(error, ERROR_UNSUPPORTED, "input %d is beyond 2^53", i + 1);
}

static bool range_infer(const struct op_infer *c, GError **error)
{
    struct range_attr *a = c->attr;
    double *const numbers[] = {&a->start, &a->limit, &a->delta};
    for (int i = 0; i < 3; i++)
        if (!take_number(c, i, numbers[i], &a->type, error))
            return false;
    double n = ceil((a->limit - a->start) / a->delta);
    if (a->delta == 0 || !(n <= 0x1p40))
        return error_set(error, ERROR_INPUT, "the range has no end, or more than 2^40 elements");
    c->out[0].shape = (struct shape){1, {n > 0 ? (int64_t)n : 0}};
    c->out[0].type = (enum number)a->type;
    return true;
}

static bool range_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct range_attr *a = c->attr;
    const enum number type = c->out[0]->type;
    for (int64_t i = 0; i < c->out[0]->shape.dim[0]; i++) {
        const double x = a->start + (double)i * a->delta;
        number_cast((char *)c->out[0]->data + (size_t)i * number_bytes(type), type, &x,
                    NUMBER_fp64, 1);
    }
    return true;
}

static const struct cfg_field linspace_fields[] = {
    {"start", CFG_FLOAT, offsetof(struct range_attr, start), -1e300, 1e300, NULL, NULL,
     "First element.", NULL},
    {"stop", CFG_FLOAT, offsetof(struct range_attr, limit), -1e300, 1e300, NULL, NULL,
     "Last element.", NULL},
    {"num", CFG_INT, offsetof(struct range_attr, num), 1, 0x1p40, NULL, NULL,
     "How many elements.", NULL},
    FIELD_TYPE(range_attr),
    {0},
};

static bool linspace_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    const struct range_attr *a = c->attr;
    c->out[0].shape = (struct shape){1, {a->num}};
    c->out[0].type = (enum number)a->type;
    return true;
}

static bool linspace_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct range_attr *a = c->attr;
    const enum number type = c->out[0]->type;
    for (int64_t i = 0; i < a->num; i++) {
        const double t = a->num > 1 ? (double)i / (double)(a->num - 1) : 0;
        const double x = i == a->num - 1 && i > 0 ? a->limit : a->start + t * (a->limit - a->start);
        number_cast((char *)c->out[0]->data + (size_t)i * number_bytes(type), type, &x,
                    NUMBER_fp64, 1);
    }
    return true;
}

static const struct cfg_field eye_fields[] = {
    {"rows", CFG_INT, offsetof(struct eye_attr, rows), 1, 0x1p31, NULL, NULL, "Rows.", NULL},
    {"cols", CFG_INT, offsetof(struct eye_attr, cols), 0, 0x1p31, "0", NULL,
     "Columns; 0: as many as rows.", NULL},
    {"offset", CFG_INT, offsetof(struct eye_attr, offset), -0x1p31, 0x1p31, "0", NULL,
     "Which diagonal: above the main one, or below.", NULL},
    FIELD_TYPE(eye_attr),
    {0},
};
static const char *const like_types[] = {
    "input",
#define NUMBER(name, bits, help) #name,
#include "workloads/tensor/numbers.def"
#undef NUMBER
    NULL,
};
static const struct cfg_field eye_like_fields[] = {
    {"k", CFG_INT, offsetof(struct eye_like_attr, k), -0x1p31, 0x1p31, "0", NULL,
     "Which diagonal: above the main one, or below.", NULL},
    {"dtype", CFG_ENUM, offsetof(struct eye_like_attr, dtype), 0, 0, "input", NULL,
     "Number format.", like_types},
    {0},
};

static bool eye_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    const struct eye_attr *a = c->attr;
    c->out[0].shape = (struct shape){2, {a->rows, a->cols ? a->cols : a->rows}};
    c->out[0].type = (enum number)a->type;
    return true;
}

static bool eye_like_infer(const struct op_infer *c, GError **error)
{
    const struct eye_like_attr *a = c->attr;
    c->out[0].shape = c->in[0]->shape;
    if (a->dtype)
        c->out[0].type = (enum number)(a->dtype - 1);
    return c->in[0]->shape.n_dim == 2 ||
           error_set(error, ERROR_INPUT, "the input is no matrix");
}

static bool diagonal(const struct op_call *c, int64_t offset)
{
    const enum number type = c->out[0]->type;
    const int64_t *dim = c->out[0]->shape.dim;
    const double one = 1;
    memset(c->out[0]->data, 0, tensor_bytes(c->out[0])); /* 0 in every format */
    for (int64_t i = 0; i < dim[0]; i++)
        if (i + offset >= 0 && i + offset < dim[1])
            number_convert((char *)c->out[0]->data +
                               (size_t)(i * dim[1] + i + offset) * number_bytes(type),
                           type, &one, NUMBER_fp64, 1);
    return true;
}

static bool eye_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return diagonal(c, ((const struct eye_attr *)c->attr)->offset);
}

static bool eye_like_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return diagonal(c, ((const struct eye_like_attr *)c->attr)->k);
}

#define OPERATOR(op_name, text, table, attr, least, most, known_bits, infer_fn)                    \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct attr),                                                          \
        .min_data = least,                                                                         \
        .max_data = most,                                                                          \
        .types = OP_ANY,                                                                           \
        .known = known_bits,                                                                       \
        .takes_empty = true,                                                                       \
        .infer = infer_fn,                                                                         \
        .forward = op_name##_forward,                                                              \
    };
OPERATOR(fill, "One number everywhere.", fill_fields, create_attr, 0, 1, 1, fill_infer)
OPERATOR(zeros, "Zeros.", shape_fields, create_attr, 0, 1, 1, fill_infer)
OPERATOR(ones, "Ones.", shape_fields, create_attr, 0, 1, 1, fill_infer)
OPERATOR(range, "Numbers at equal distances up to a limit.", range_fields, range_attr, 0, 3, 7,
         range_infer)
OPERATOR(linspace, "As many numbers as asked for at equal distances between two.", linspace_fields,
         range_attr, 0, 0, 0, linspace_infer)
OPERATOR(eye, "Ones on a diagonal.", eye_fields, eye_attr, 0, 0, 0, eye_infer)
OPERATOR(eye_like, "Ones on a diagonal of a matrix of its input's shape.", eye_like_fields,
         eye_like_attr, 1, 1, 0, eye_like_infer)
