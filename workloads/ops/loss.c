/* SPDX-License-Identifier: Apache-2.0 */
/* Losses: of classes (scores [N, C, d...], targets [N, d...], a weight for each class), and of
 * numbers (two values of one shape). */
#include <math.h>
#include <stddef.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/neural.h"

static const char *const reductions[] = {"none", "mean", "sum", NULL};
#define FIELD_REDUCTION                                                                            \
    {"reduction", CFG_ENUM, offsetof(struct loss_attr, reduction), 0, 0, "mean", NULL,             \
     "Each loss, their mean (by the classes' weights), or their sum.", reductions}

static const struct cfg_field class_fields[] = {
    FIELD_REDUCTION,
    {"ignore_index", CFG_FLOAT, offsetof(struct loss_attr, ignore_index), -1e300, 1e300, "1e300",
     NULL, "Class that does not count.", NULL},
    {0},
};
static const struct cfg_field number_fields[] = {FIELD_REDUCTION, {0}};
static const struct cfg_field huber_fields[] = {
    FIELD_REDUCTION,
    {"delta", CFG_FLOAT, offsetof(struct loss_attr, delta), 1e-30, 1e30, "1.0", NULL,
     "Where the square becomes a line.", NULL},
    {0},
};

static bool class_infer(const struct op_infer *c, GError **error)
{
    const struct shape *x = &c->in[0]->shape, *t = &c->in[1]->shape;
    bool fits = x->n_dim >= 2 && t->n_dim == x->n_dim - 1 && t->dim[0] == x->dim[0] &&
                (c->in[1]->type == NUMBER_int64 || c->in[1]->type == NUMBER_int32);
    for (int d = 1; fits && d < t->n_dim; d++)
        fits = t->dim[d] == x->dim[d + 1];
    const struct operand *weight = infer_input(c, 2);
    if (!fits || (weight && shape_count(&weight->shape) != x->dim[1]))
        return error_set(error, ERROR_INPUT, "scores, targets and weights do not fit together");
    if (((const struct loss_attr *)c->attr)->reduction == LOSS_NONE)
        c->out[0].shape = *t;
    if (c->n_out > 1)
        c->out[1].shape = *x;
    return true;
}

/* -log of the probability of the target, by `log_prob` at a place of the scores. */
struct classes {
    const struct op_call *c;
    int64_t n_class, inner;
    double sum, weights;
};

static bool add_loss(struct classes *l, int64_t i, double (*log_prob)(const struct classes *l,
                                                                      int64_t first, int64_t class),
                     GError **error)
{
    const struct op_call *c = l->c;
    const struct loss_attr *a = c->attr;
    const int64_t target = number_get_int64(c->in[1]->data, c->in[1]->type, (size_t)i);
    const int64_t first = i / l->inner * l->n_class * l->inner + i % l->inner;
    double loss = 0, weight = 0;
    if ((double)target != a->ignore_index) {
        if (target < 0 || target >= l->n_class)
            return error_set(error, ERROR_INPUT, "class %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT,
                             target, l->n_class);
        weight = c->n_in > 2 && c->in[2] ? (double)((const float *)c->in[2]->data)[target] : 1;
        loss = -weight * log_prob(l, first, target);
    }
    if (a->reduction == LOSS_NONE)
        ((float *)c->out[0]->data)[i] = (float)loss;
    l->sum += loss;
    l->weights += weight;
    return true;
}

static bool class_loss(const struct op_call *c,
                       double (*log_prob)(const struct classes *l, int64_t first, int64_t class),
                       GError **error)
{
    const struct loss_attr *a = c->attr;
    struct classes l = {c, c->in[0]->shape.dim[1], shape_count_from(&c->in[0]->shape, 2), 0, 0};
    for (int64_t i = 0; i < shape_count(&c->in[1]->shape); i++)
        if (!add_loss(&l, i, log_prob, error))
            return false;
    if (a->reduction != LOSS_NONE)
        *(float *)c->out[0]->data = (float)(a->reduction == LOSS_MEAN ? l.sum / l.weights : l.sum);
    return true;
}

static double given(const struct classes *l, int64_t first, int64_t class)
{
    return (double)((const float *)l->c->in[0]->data)[first + class * l->inner];
}

static double log_softmax(const struct classes *l, int64_t first, int64_t class)
{
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < l->n_class; k++)
        most = fmax(most, given(l, first, k));
    for (int64_t k = 0; k < l->n_class; k++)
        sum += exp(given(l, first, k) - most);
    return given(l, first, class) - most - log(sum);
}

static bool nll_loss_forward(const struct op_call *c, GError **error)
{
    return class_loss(c, given, error);
}

static bool cross_entropy_forward(const struct op_call *c, GError **error)
{
    const struct classes l = {c, c->in[0]->shape.dim[1], shape_count_from(&c->in[0]->shape, 2), 0,
                              0};
    const int64_t n = shape_count(&c->in[0]->shape);
    for (int64_t i = 0; c->n_out > 1 && c->out[1] && i < n; i++) {
        const int64_t class = i / l.inner % l.n_class;
        ((float *)c->out[1]->data)[i] = (float)log_softmax(&l, i - class * l.inner, class);
    }
    return class_loss(c, log_softmax, error);
}

static bool number_infer(const struct op_infer *c, GError **error)
{
    if (!shape_equal(&c->in[0]->shape, &c->in[1]->shape))
        return error_set(error, ERROR_INPUT, "the inputs have different shapes");
    if (((const struct loss_attr *)c->attr)->reduction == LOSS_NONE)
        c->out[0].shape = c->in[0]->shape;
    return true;
}

static bool number_loss(const struct op_call *c, double (*loss)(double x, double y, double delta))
{
    const struct loss_attr *a = c->attr;
    const float *x = c->in[0]->data, *y = c->in[1]->data;
    const int64_t n = shape_count(&c->in[0]->shape);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double one = loss((double)x[i], (double)y[i], a->delta);
        sum += one;
        if (a->reduction == LOSS_NONE)
            ((float *)c->out[0]->data)[i] = (float)one;
    }
    if (a->reduction != LOSS_NONE)
        *(float *)c->out[0]->data = (float)(a->reduction == LOSS_MEAN ? sum / (double)n : sum);
    return true;
}

#define OPERATOR(op_name, text, table, least, most, most_out, infer_fn)                            \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct loss_attr),                                                     \
        .min_data = least,                                                                         \
        .max_data = most,                                                                          \
        .max_out = most_out,                                                                       \
        .infer = infer_fn,                                                                         \
        .forward = op_name##_forward,                                                              \
    };
#define NUMBER_LOSS(name, text, table, expr)                                                       \
    static double name##_of(double x, double y, double delta)                                      \
    {                                                                                              \
        (void)delta;                                                                               \
        return expr;                                                                               \
    }                                                                                              \
    static bool name##_forward(const struct op_call *c, GError **error)                            \
    {                                                                                              \
        (void)error;                                                                               \
        return number_loss(c, name##_of);                                                          \
    }                                                                                              \
    OPERATOR(name, text, table, 2, 2, 1, number_infer)
OPERATOR(nll_loss, "Minus the logarithm of the target's probability, from logarithms.",
         class_fields, 2, 3, 1, class_infer)
OPERATOR(cross_entropy, "Minus the logarithm of the target's probability, from scores; also all "
         "logarithms.", class_fields, 2, 3, 2, class_infer)
NUMBER_LOSS(mse_loss, "Squared difference.", number_fields, (x - y) * (x - y))
NUMBER_LOSS(l1_loss, "Absolute difference.", number_fields, fabs(x - y))
NUMBER_LOSS(huber_loss, "Squared difference, a line from delta on (Huber 1964).", huber_fields,
            fabs(x - y) <= delta ? 0.5 * (x - y) * (x - y)
                                 : delta * (fabs(x - y) - 0.5 * delta))
NUMBER_LOSS(bce_loss, "Binary cross-entropy of a probability x and a target y.", number_fields,
            -(y * log(x) + (1 - y) * log(1 - x)))
NUMBER_LOSS(kl_div_loss, "Divergence of a target y from the logarithm x of a probability.",
            number_fields, y > 0 ? y * (log(y) - x) : 0)
