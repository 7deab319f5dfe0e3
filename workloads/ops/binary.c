/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two elements, with NumPy's broadcasting: a row each. */
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
    static void fn(void *out, const void *const *in, int64_t n,                                    \
                   const struct elementwise_scalars *s)                                            \
    {                                                                                              \
        const from *p = in[0], *q = in[1];                                                         \
        to *r = out;                                                                               \
        (void)s;                                                                                   \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)                                       \
        {                                                                                          \
            const from x = p[i], y = q[i];                                                         \
            (void)x, (void)y;                                                                      \
            r[i] = (to)(expr);                                                                     \
        }                                                                                          \
    }

/* Division of integers cuts off; by 0 it gives 0, and the one quotient that does not fit wraps. */
static int64_t div_int64(int64_t x, int64_t y)
{
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t fmod_int64(int64_t x, int64_t y)
{
    return y == 0 || y == -1 ? 0 : x % y;
}

/* With the sign of the divisor. */
static int64_t mod_int64(int64_t x, int64_t y)
{
    int64_t r = fmod_int64(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static double mod_fp64(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

/* By squaring, modulo 2^64; of a negative exponent, as a fraction is cut off. */
static uint64_t pow_uint64(uint64_t x, uint64_t n)
{
    uint64_t r = 1;
    for (; n > 0; n >>= 1, x *= x)
        r *= n & 1 ? x : 1;
    return r;
}

static int64_t pow_int64(int64_t x, int64_t n)
{
    if (n >= 0)
        return (int64_t)pow_uint64((uint64_t)x, (uint64_t)n);
    return x == 1 ? 1 : x == -1 ? (n % 2 ? -1 : 1) : 0;
}

static uint64_t shift_left(uint64_t x, uint64_t n)
{
    return n < 64 ? x << n : 0;
}

static uint64_t shift_right(uint64_t x, uint64_t n)
{
    return n < 64 ? x >> n : 0;
}

#define WRAP(op) (int64_t)((uint64_t)x op(uint64_t) y)
/* M(name, fp32, fp64, int64, uint64): the result has the operands' format. A NaN wins. */
#define MATH_ROWS(M)                                                                               \
    M(add, x + y, x + y, WRAP(+), x + y)                                                           \
    M(sub, x - y, x - y, WRAP(-), x - y)                                                           \
    M(mul, x *y, x *y, WRAP(*), x *y)                                                              \
    M(div, x / y, x / y, div_int64(x, y), y ? x / y : 0)                                           \
    M(mod, (float)mod_fp64(x, y), mod_fp64(x, y), mod_int64(x, y), y ? x % y : 0)                  \
    M(fmod, fmodf(x, y), fmod(x, y), fmod_int64(x, y), y ? x % y : 0)                              \
    M(pow, powf(x, y), pow(x, y), pow_int64(x, y), pow_uint64(x, y))                               \
    M(max, x > y || x != x ? x : y, x > y || x != x ? x : y, x > y ? x : y, x > y ? x : y)         \
    M(min, x < y || x != x ? x : y, x < y || x != x ? x : y, x < y ? x : y, x < y ? x : y)         \
    M(squared_difference, (x - y) * (x - y), (x - y) * (x - y), WRAP(-) * WRAP(-),                 \
      (x - y) * (x - y))                                                                           \
    M(prelu, x < 0 ? x * y : x, x < 0 ? x * y : x, x < 0 ? WRAP(*) : x, x)                         \
    M(atan2, atan2f(x, y), atan2(x, y), 0, 0)                                                      \
    M(left, 0, 0, 0, shift_left(x, y))                                                             \
    M(right, 0, 0, 0, shift_right(x, y))
/* C(name, expression): the result is a bool. */
#define COMPARE_ROWS(C)                                                                            \
    C(equal, x == y)                                                                               \
    C(not_equal, x != y)                                                                           \
    C(less, x < y)                                                                                 \
    C(greater, x > y)                                                                              \
    C(less_equal, x <= y)                                                                          \
    C(greater_equal, x >= y)                                                                       \
    C(and, x &&y)                                                                                  \
    C(or, x || y)                                                                                  \
    C(xor, !x != !y)

#define KERNELS_MATH(name, e32, e64, e_int, e_uint)                                                \
    KERNEL(run_##name##_fp32, float, float, e32)                                                   \
    KERNEL(run_##name##_fp64, double, double, e64)                                                 \
    KERNEL(run_##name##_int64, int64_t, int64_t, e_int)                                            \
    KERNEL(run_##name##_uint64, uint64_t, uint64_t, e_uint)
#define KERNELS_COMPARE(name, e)                                                                   \
    KERNEL(run_##name##_fp32, float, uint8_t, e)                                                   \
    KERNEL(run_##name##_fp64, double, uint8_t, e)                                                  \
    KERNEL(run_##name##_int64, int64_t, uint8_t, e)                                                \
    KERNEL(run_##name##_uint64, uint64_t, uint8_t, e)
MATH_ROWS(KERNELS_MATH)
COMPARE_ROWS(KERNELS_COMPARE)

struct binary {
    elementwise_fn fp32, fp64, int64, uint64;
};

enum binary_index {
#define INDEX(name, ...) BINARY_##name,
    MATH_ROWS(INDEX) COMPARE_ROWS(INDEX)
};

static const struct binary binaries[] = {
#define ROW(name, ...)                                                                             \
    {run_##name##_fp32, run_##name##_fp64, run_##name##_int64, run_##name##_uint64},
    MATH_ROWS(ROW) COMPARE_ROWS(ROW)};

static void run(const struct op_call *c, enum binary_index index, enum number as,
                const struct tensor *x, const struct tensor *y)
{
    const struct binary *b = &binaries[index];
    struct elementwise e = {.n_in = 2, .in = {x, y}, .in_as = {as, as}, .out = c->out[0]};
    e.out_as = index >= BINARY_equal ? NUMBER_bool : as;
    e.fn = as == NUMBER_fp32    ? b->fp32
           : as == NUMBER_fp64  ? b->fp64
           : as == NUMBER_int64 ? b->int64
                                : b->uint64;
    elementwise_run(&e, c->threads);
}

static bool infer_math(const struct op_infer *c, GError **error)
{
    c->out[0].type = c->in[0]->type;
    return infer_one_type(c, error) && infer_broadcast(c, &c->out[0].shape, error);
}

static bool infer_compare(const struct op_infer *c, GError **error)
{
    c->out[0].type = NUMBER_bool;
    return infer_one_type(c, error) && infer_broadcast(c, &c->out[0].shape, error);
}

/* What is behind infer_fn are further members of struct op. */
#define BINARY(op_name, n_read, text, formats, infer_fn, ...)                                      \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        run(c, BINARY_##op_name, elementwise_canonical(c->in[0]->type), c->in[0], c->in[1]);       \
        return true;                                                                               \
    }                                                                                              \
    const struct op op_##op_name = {.name = #op_name,                                              \
                                    .summary = text,                                               \
                                    .min_data = 2,                                                 \
                                    .max_data = 2,                                                 \
                                    .in_place = true,                                              \
                                    .types = formats,                                              \
                                    .kind = TRAITS_ELEMENT,                                        \
                                    .reads = n_read,                                               \
                                    .infer = infer_fn,                                             \
                                    .forward = op_name##_forward,                                  \
                                    __VA_ARGS__};

static void add_traits(const struct op_infer *c, struct traits *t)
{
    (void)c;
    t->element.adds = true;
}
BINARY(add, 1, "Sum of two values.", OP_NUMBER, infer_math, .traits = add_traits)

BINARY(sub, 1, "Difference of two values.", OP_NUMBER, infer_math)
BINARY(mul, 1, "Product of two values, element by element.", OP_NUMBER, infer_math)
BINARY(div, 1, "Quotient; of integers cut off, and 0 where the divisor is 0.", OP_NUMBER,
       infer_math)
BINARY(squared_difference, 1, "Square of the difference.", OP_NUMBER, infer_math)
BINARY(prelu, 0, "x, or x times the second input below 0.", OP_NUMBER, infer_math)
BINARY(atan2, 0, "Angle of the point (y, x), y being the first input.", OP_FLOAT, infer_math)
BINARY(equal, 0, "Is x = y?", OP_ANY, infer_compare)
BINARY(not_equal, 0, "Is x different from y?", OP_ANY, infer_compare)
BINARY(less, 0, "Is x < y?", OP_NUMBER, infer_compare)
BINARY(greater, 0, "Is x > y?", OP_NUMBER, infer_compare)
BINARY(less_equal, 0, "Is x <= y?", OP_NUMBER, infer_compare)
BINARY(greater_equal, 0, "Is x >= y?", OP_NUMBER, infer_compare)
BINARY(and, 0, "Are both not 0 (true)?", OP_ANY, infer_compare)
BINARY(or, 0, "Is one of them not 0 (true)?", OP_ANY, infer_compare)
BINARY(xor, 0, "Is exactly one of them not 0 (true)?", OP_ANY, infer_compare)

/* The base's format; a fraction as an integer's exponent needs fp64 in between. */
static bool pow_infer(const struct op_infer *c, GError **error)
{
    if (c->in[1]->type == NUMBER_bool)
        return error_set(error, ERROR_UNSUPPORTED, "an exponent in bool");
    return infer_broadcast(c, &c->out[0].shape, error);
}

static bool pow_forward(const struct op_call *c, GError **error)
{
    (void)error;
    enum number as = elementwise_canonical(c->in[0]->type);
    if (!number_is_float(as) && number_is_float(c->in[1]->type))
        as = NUMBER_fp64;
    run(c, BINARY_pow, as, c->in[0], c->in[1]);
    return true;
}

const struct op op_pow = {.name = "pow",
                          .summary = "The first input to the power of the second.",
                          .min_data = 2,
                          .max_data = 2,
                          .types = OP_NUMBER,
                          .kind = TRAITS_ELEMENT,
                          .reads = 1,
                          .infer = pow_infer,
                          .forward = pow_forward};

static const struct cfg_field mod_fields[] = {
    {"fmod", CFG_BOOL, offsetof(struct mod_attr, fmod), 0, 0, "false", NULL,
     "The sign is the dividend's, as C has it, not the divisor's.", NULL},
    {0},
};

static bool mod_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct mod_attr *a = c->attr;
    run(c, a->fmod ? BINARY_fmod : BINARY_mod, elementwise_canonical(c->in[0]->type), c->in[0],
        c->in[1]);
    return true;
}

const struct op op_mod = {.name = "mod",
                          .summary =
                              "Remainder of a division; 0 where the divisor is the integer 0.",
                          .fields = mod_fields,
                          .attr_size = sizeof(struct mod_attr),
                          .min_data = 2,
                          .max_data = 2,
                          .types = OP_NUMBER,
                          .infer = infer_math,
                          .forward = mod_forward};

static const char *const directions[] = {"left", "right", NULL};
static const struct cfg_field bitshift_fields[] = {
    {"direction", CFG_ENUM, offsetof(struct bitshift_attr, direction), 0, 0, NULL, NULL,
     "To which side.", directions},
    {0},
};

static bool bitshift_infer(const struct op_infer *c, GError **error)
{
    if (number_is_signed(c->in[0]->type))
        return error_set(error, ERROR_UNSUPPORTED, "%s has a sign", number_names[c->in[0]->type]);
    return infer_math(c, error);
}

static bool bitshift_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct bitshift_attr *a = c->attr;
    run(c, a->direction ? BINARY_right : BINARY_left, NUMBER_uint64, c->in[0], c->in[1]);
    return true;
}

const struct op op_bitshift = {.name = "bitshift",
                               .summary = "Bits of an unsigned number moved left or right.",
                               .fields = bitshift_fields,
                               .attr_size = sizeof(struct bitshift_attr),
                               .min_data = 2,
                               .max_data = 2,
                               .types = OP_NUMBER,
                               .infer = bitshift_infer,
                               .forward = bitshift_forward};

/* Any number of inputs: the first two, then what there is and the next. */
static bool run_all(const struct op_call *c, enum binary_index index)
{
    static const struct shape scalar = {0};
    const enum number as = elementwise_canonical(c->in[0]->type);
    const uint64_t zeros = 0;
    struct tensor zero = {c->in[0]->type, scalar, (void *)&zeros};
    if (c->n_in == 1)
        run(c, BINARY_add, as, c->in[0], &zero);
    else
        run(c, index, as, c->in[0], c->in[1]);
    for (int i = 2; i < c->n_in; i++)
        run(c, index, as, c->out[0], c->in[i]);
    return true;
}

static bool mean_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const double n = c->n_in;
    run_all(c, BINARY_add);
    uint64_t divisor;
    number_convert(&divisor, c->out[0]->type, &n, NUMBER_fp64, 1);
    const struct tensor t = {c->out[0]->type, {0}, &divisor};
    run(c, BINARY_div, elementwise_canonical(t.type), c->out[0], &t);
    return true;
}

#define VARIADIC(op_name, kernel, n_read, text, formats)                                           \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .min_data = 1,                                                                             \
        .max_data = OP_MAX_IN,                                                                     \
        .types = formats,                                                                          \
        .kind = TRAITS_ELEMENT,                                                                    \
        .reads = n_read,                                                                           \
        .infer = infer_math,                                                                       \
        .forward = kernel,                                                                         \
    };
#define VARIADIC_OF(op_name, kernel, n_read, text)                                                 \
    static bool op_name##_forward(const struct op_call *c, GError **error)                         \
    {                                                                                              \
        (void)error;                                                                               \
        return run_all(c, BINARY_##kernel);                                                        \
    }                                                                                              \
    VARIADIC(op_name, op_name##_forward, n_read, text, OP_NUMBER)
VARIADIC_OF(max, max, 1, "The largest of its inputs, element by element.")
VARIADIC_OF(min, min, 1, "The smallest of its inputs, element by element.")
VARIADIC_OF(sum, add, 0, "Sum of its inputs, element by element.")
VARIADIC(mean, mean_forward, 0, "Mean of its inputs, element by element.", OP_FLOAT)
