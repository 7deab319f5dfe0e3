/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element: a row each, with the formula in the canonical formats that it is
 * defined for. x is the element, a and b the attributes. */
#include <math.h>
#include <stddef.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/ops.h"
#include "workloads/ops/vector_math.h"

#define KERNEL(fn, from, to, expr)                                                                 \
    VECTOR_CLONES                                                                                  \
    static void fn(void *y, const void *const *in, int64_t n, const struct elementwise_scalars *s) \
    {                                                                                              \
        const from *p = in[0];                                                                     \
        to *q = y;                                                                                 \
        const from a = (from)s->f[0], b = (from)s->f[1];                                           \
        (void)a, (void)b;                                                                          \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)                                       \
        {                                                                                          \
            const from x = p[i];                                                                   \
            q[i] = (to)(expr);                                                                     \
        }                                                                                          \
    }

static inline double square_root_of_one_over(double x)
{
    return 1 / sqrt(x);
}

static int64_t negate(int64_t x)
{
    return (int64_t)(0 - (uint64_t)x);
}

/* F(name, fp32, fp64): floating point alone. N(name, fp32, fp64, int64): numbers. */
#define FLOAT_ROWS(F)                                                                              \
    F(reciprocal, 1 / x, 1 / x)                                                                    \
    F(sqrt, sqrtf(x), sqrt(x))                                                                     \
    F(rsqrt, 1 / sqrtf(x), square_root_of_one_over(x))                                             \
    F(floor, floorf(x), floor(x))                                                                  \
    F(ceil, ceilf(x), ceil(x))                                                                     \
    F(round, rintf(x), rint(x))                                                                    \
    F(exp, vm_exp(x), exp(x))                                                                      \
    F(log, logf(x), log(x))                                                                        \
    F(sin, sinf(x), sin(x))                                                                        \
    F(cos, cosf(x), cos(x))                                                                        \
    F(tan, tanf(x), tan(x))                                                                        \
    F(asin, asinf(x), asin(x))                                                                     \
    F(acos, acosf(x), acos(x))                                                                     \
    F(atan, atanf(x), atan(x))                                                                     \
    F(sinh, sinhf(x), sinh(x))                                                                     \
    F(cosh, coshf(x), cosh(x))                                                                     \
    F(tanh, vm_tanh(x), tanh(x))                                                                   \
    F(asinh, asinhf(x), asinh(x))                                                                  \
    F(acosh, acoshf(x), acosh(x))                                                                  \
    F(atanh, atanhf(x), atanh(x))                                                                  \
    F(erf, vm_erf(x), erf(x))                                                                      \
    F(sigmoid, vm_sigmoid(x), 1 / (1 + exp(-x)))                                                   \
    F(softplus, (x > 0 ? x : 0) + log1pf(vm_exp(-vm_abs(x))), fmax(x, 0) + log1p(exp(-fabs(x))))   \
    F(softsign, x / (1 + vm_abs(x)), x / (1 + fabs(x)))                                            \
    F(hardswish,                                                                                   \
      x *(x <= -3  ? 0                                                                             \
          : x >= 3 ? 1                                                                             \
                   : x / 6 + 0.5f),                                                                \
      x *(x <= -3  ? 0                                                                             \
          : x >= 3 ? 1                                                                             \
                   : x / 6 + 0.5))                                                                 \
    F(mish, x *vm_tanh((x > 0 ? x : 0) + log1pf(vm_exp(-vm_abs(x)))),                              \
      x *tanh(fmax(x, 0) + log1p(exp(-fabs(x)))))                                                  \
    F(gelu_exact, 0.5f * x * (1 + vm_erf(x * 0.70710678f)), x * 0.5 * (1 + erf(x * M_SQRT1_2)))    \
    F(gelu_tanh, 0.5f * x * (1 + vm_tanh(0.79788456f * (x + 0.044715f * x * x * x))),              \
      0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))))                       \
    F(swish, x *vm_sigmoid(a *x), x / (1 + exp(-a * x)))                                           \
    F(leaky_relu, x < 0 ? a * x : x, x < 0 ? a * x : x)                                            \
    F(elu, x < 0 ? a * (expm1f(x)) : x, x < 0 ? a * expm1(x) : x)                                  \
    F(selu, x > 0 ? b * x : b * (a * expm1f(x)), x > 0 ? b * x : b * (a * expm1(x)))               \
    F(celu, x > 0 ? x : a * expm1f(x / a), x > 0 ? x : a * expm1(x / a))                           \
    F(hard_sigmoid, fminf(fmaxf(a *x + b, 0), 1), fmin(fmax(a *x + b, 0), 1))                      \
    F(thresholded_relu, x > a ? x : 0, x > a ? x : 0)                                              \
    F(shrink, x<-a ? x + b : x> a ? x - b : 0, x<-a ? x + b : x> a ? x - b : 0)
#define NUMBER_ROWS(N)                                                                             \
    N(abs, vm_abs(x), fabs(x), x < 0 ? negate(x) : x)                                              \
    N(neg, -x, -x, negate(x))                                                                      \
    N(square, x *x, x *x, (int64_t)((uint64_t)x * (uint64_t)x))                                    \
    N(sign, (float)((x > 0) - (x < 0)), (x > 0) - (x < 0), (x > 0) - (x < 0))                      \
    N(relu, x < 0 ? 0 : x, x < 0 ? 0 : x, x < 0 ? 0 : x)

#define KERNELS_FLOAT(name, e32, e64)                                                              \
    KERNEL(run_##name##_fp32, float, float, e32)                                                   \
    KERNEL(run_##name##_fp64, double, double, e64)
#define KERNELS_NUMBER(name, e32, e64, e_int)                                                      \
    KERNELS_FLOAT(name, e32, e64)                                                                  \
    KERNEL(run_##name##_int64, int64_t, int64_t, e_int)
FLOAT_ROWS(KERNELS_FLOAT)
NUMBER_ROWS(KERNELS_NUMBER)

struct unary {
    elementwise_fn fp32, fp64, int64;
};

static const struct unary unaries[] = {
#define ROW_FLOAT(name, e32, e64) {run_##name##_fp32, run_##name##_fp64, NULL},
#define ROW_NUMBER(name, e32, e64, e_int)                                                          \
    {run_##name##_fp32, run_##name##_fp64, run_##name##_int64},
    FLOAT_ROWS(ROW_FLOAT) NUMBER_ROWS(ROW_NUMBER)};

enum unary_index {
#define INDEX(name, ...) UNARY_##name,
    FLOAT_ROWS(INDEX) NUMBER_ROWS(INDEX)
};

static bool run(const struct op_call *c, enum unary_index index, const double *scalars)
{
    const struct unary *u = &unaries[index];
    const enum number as = elementwise_canonical(c->in[0]->type);
    struct elementwise e = {
        .n_in = 1, .in = {c->in[0]}, .in_as = {as}, .out_as = as, .out = c->out[0]};
    e.fn = as == NUMBER_fp32 ? u->fp32 : as == NUMBER_fp64 ? u->fp64 : u->int64;
    if (scalars)
        e.scalars = (struct elementwise_scalars){{scalars[0], scalars[1]}, {0}};
    elementwise_run(&e, c->threads);
    return true;
}

/* uint64 is no signed number, and passes through where nothing is negative. */
static bool infer_number(const struct op_infer *c, GError **error)
{
    if (c->in[0]->type == NUMBER_uint64)
        return error_set(error, ERROR_UNSUPPORTED, "uint64 is not computed with");
    return infer_as_first(c, error);
}

/* What is behind infer_fn are further members of struct op. */
#define OPERATOR(op_name, kernel, n_read, text, formats, infer_fn, ...)                            \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        return run(c, UNARY_##kernel, NULL);                                                       \
    }                                                                                              \
    const struct op op_##op_name = {.name = #op_name,                                              \
                                    .summary = text,                                               \
                                    .min_data = 1,                                                 \
                                    .max_data = 1,                                                 \
                                    .in_place = true,                                              \
                                    .types = formats,                                              \
                                    .kind = TRAITS_ELEMENT,                                        \
                                    .reads = n_read,                                               \
                                    .infer = infer_fn,                                             \
                                    .forward = op_name##_forward,                                  \
                                    __VA_ARGS__};
#define PLAIN_FLOAT(name, n_read, text)  OPERATOR(name, name, n_read, text, OP_FLOAT, infer_as_first)
#define PLAIN_NUMBER(name, n_read, text) OPERATOR(name, name, n_read, text, OP_NUMBER, infer_number)

PLAIN_NUMBER(abs, 1, "Absolute value.")
PLAIN_NUMBER(neg, 1, "The negative.")
PLAIN_NUMBER(square, 1, "The square.")
PLAIN_NUMBER(sign, 0, "-1, 0 or 1.")

static void rectify_traits(const struct op_infer *c, struct traits *t)
{
    (void)c;
    t->element = (struct traits_element){.clamps = true, .lo = 0, .hi = INFINITY};
}
OPERATOR(relu, relu, 1, "Rectifier: the larger of x and 0.", OP_NUMBER, infer_number,
         .traits = rectify_traits)

PLAIN_FLOAT(reciprocal, 1, "1 / x.")
PLAIN_FLOAT(sqrt, 1, "Square root.")
PLAIN_FLOAT(rsqrt, 1, "1 / square root.")
PLAIN_FLOAT(floor, 0, "The largest integer that is not above x.")
PLAIN_FLOAT(ceil, 0, "The smallest integer that is not below x.")
PLAIN_FLOAT(round, 0, "The nearest integer, of two the even one.")
PLAIN_FLOAT(exp, 1, "Exponential.")
PLAIN_FLOAT(log, 1, "Natural logarithm.")
PLAIN_FLOAT(sin, 1, "Sine.")
PLAIN_FLOAT(cos, 1, "Cosine.")
PLAIN_FLOAT(tan, 0, "Tangent.")
PLAIN_FLOAT(asin, 0, "Arc sine.")
PLAIN_FLOAT(acos, 0, "Arc cosine.")
PLAIN_FLOAT(atan, 0, "Arc tangent.")
PLAIN_FLOAT(sinh, 0, "Hyperbolic sine.")
PLAIN_FLOAT(cosh, 0, "Hyperbolic cosine.")
PLAIN_FLOAT(tanh, 1, "Hyperbolic tangent.")
PLAIN_FLOAT(asinh, 0, "Inverse hyperbolic sine.")
PLAIN_FLOAT(acosh, 0, "Inverse hyperbolic cosine.")
PLAIN_FLOAT(atanh, 0, "Inverse hyperbolic tangent.")
PLAIN_FLOAT(erf, 1, "Error function.")
PLAIN_FLOAT(sigmoid, 1, "Logistic function 1 / (1 + e^-x).")
PLAIN_FLOAT(softplus, 1, "log(1 + e^x).")
PLAIN_FLOAT(softsign, 1, "x / (1 + |x|).")
PLAIN_FLOAT(hardswish, 1, "x times max(0, min(1, x / 6 + 1/2)).")
PLAIN_FLOAT(mish, 1, "x tanh(softplus(x)).")

/* Attributes of one or two numbers. */
#define SCALAR(i, name, def, text)                                                                 \
    {                                                                                              \
        name, CFG_FLOAT, offsetof(struct scalars_attr, v) + (i) * sizeof(double), -1e30, 1e30,     \
            def, NULL, text, NULL                                                                  \
    }
#undef OPERATOR
#define OPERATOR(op_name, kernel, text, formats, infer_fn, ...)                                    \
    static const struct cfg_field op_name##_fields[] = {__VA_ARGS__, {0}};                         \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        return run(c, UNARY_##kernel, ((const struct scalars_attr *)c->attr)->v);                  \
    }                                                                                              \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = op_name##_fields,                                                                \
        .attr_size = sizeof(struct scalars_attr),                                                  \
        .min_data = 1,                                                                             \
        .max_data = 1,                                                                             \
        .in_place = true,                                                                          \
        .types = formats,                                                                          \
        .kind = TRAITS_ELEMENT,                                                                    \
        .reads = 1,                                                                                \
        .infer = infer_fn,                                                                         \
        .forward = op_name##_forward,                                                              \
    };
#define WITH(name, text, ...) OPERATOR(name, name, text, OP_FLOAT, infer_as_first, __VA_ARGS__)

WITH(swish, "x times the logistic function of beta x.",
     SCALAR(0, "beta", "1.0", "Steepness of the logistic function."))
WITH(leaky_relu, "x, or alpha x below 0.", SCALAR(0, "alpha", "0.01", "Slope below 0."))
WITH(elu, "x, or alpha (e^x - 1) below 0.", SCALAR(0, "alpha", "1.0", "Factor below 0."))
WITH(selu, "gamma times x, or gamma alpha (e^x - 1) below 0.",
     SCALAR(0, "alpha", "1.67326319217681884765625", "Factor below 0."),
     SCALAR(1, "gamma", "1.05070102214813232421875", "Factor everywhere."))
WITH(celu, "x, or alpha (e^(x / alpha) - 1) below 0.",
     SCALAR(0, "alpha", "1.0", "Factor and scale below 0."))
WITH(hard_sigmoid, "max(0, min(1, alpha x + beta)).", SCALAR(0, "alpha", "0.2", "Slope."),
     SCALAR(1, "beta", "0.5", "Value at 0."))
WITH(thresholded_relu, "x above alpha, else 0.", SCALAR(0, "alpha", "1.0", "Threshold."))
WITH(shrink, "x moved by bias towards 0 beyond lambd, else 0.",
     SCALAR(0, "lambd", "0.5", "Threshold."), SCALAR(1, "bias", "0.0", "Shift."))

static const char *const approximations[] = {"none", "tanh", NULL};
static const struct cfg_field gelu_fields[] = {
    {"approximate", CFG_ENUM, offsetof(struct gelu_attr, approximate), 0, 0, "none", NULL,
     "With the error function, or its usual approximation by tanh.", approximations},
    {0},
};

static bool gelu_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct gelu_attr *a = c->attr;
    return run(c, a->approximate ? UNARY_gelu_tanh : UNARY_gelu_exact, NULL);
}

const struct op op_gelu = {
    .name = "gelu",
    .summary = "x times the normal distribution function of x (Hendrycks, Gimpel 2016).",
    .fields = gelu_fields,
    .attr_size = sizeof(struct gelu_attr),
    .min_data = 1,
    .max_data = 1,
    .in_place = true,
    .types = OP_FLOAT,
    .kind = TRAITS_ELEMENT,
    .reads = 1,
    .infer = infer_as_first,
    .forward = gelu_forward,
};
