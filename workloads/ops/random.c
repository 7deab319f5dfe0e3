/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers: functions of the seed and the place alone, so that every run gives the same. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/base/error.h"
#include "workloads/ops/infer.h"
#include "workloads/ops/layout.h"

#define FIELD_SEED                                                                                 \
    {"seed", CFG_FLOAT, offsetof(struct random_attr, seed_given), -0x1p62, 0x1p62, "0.0", NULL,    \
     "Seed; the same one gives the same numbers.", NULL}
#define FIELDS(name, first, first_def, first_text, second, second_def, second_text)                \
    static const struct cfg_field name##_fields[] = {                                              \
        {"shape", CFG_INTS, offsetof(struct random_attr, shape), 0, 0x1p40, "", NULL,              \
         "Dimensions; those of the input where there is one.", NULL},                              \
        {first, CFG_FLOAT, offsetof(struct random_attr, a), -1e30, 1e30, first_def, NULL,          \
         first_text, NULL},                                                                        \
        {second, CFG_FLOAT, offsetof(struct random_attr, b), -1e30, 1e30, second_def, NULL,        \
         second_text, NULL},                                                                       \
        FIELD_SEED,                                                                                \
        {"type", CFG_ENUM, offsetof(struct random_attr, type), 0, 0, "fp32", NULL,                 \
         "Number format.", number_names},                                                          \
        {0},                                                                                       \
    };
FIELDS(uniform, "low", "0.0", "Lower bound.", "high", "1.0", "Upper bound, not reached.")
FIELDS(normal, "mean", "0.0", "Mean.", "scale", "1.0", "Standard deviation.")
static const struct cfg_field seed_fields[] = {FIELD_SEED, {0}};

static uint64_t seed_of(const struct random_attr *a)
{
    uint64_t bits;
    memcpy(&bits, &a->seed_given, sizeof(bits)); /* a fraction is a seed as well */
    return bits;
}

static bool random_infer(const struct op_infer *c, GError **error)
{
    struct random_attr *a = c->attr;
    if (a->shape.n > SHAPE_MAX_DIM)
        return error_set(error, ERROR_INPUT, "more than %d dimensions", SHAPE_MAX_DIM);
    c->out[0].shape = shape_make(a->shape.n, a->shape.v);
    c->out[0].type = (enum number)a->type;
    return number_is_float(c->out[0].type) ||
           error_set(error, ERROR_INPUT, "%s is no format of floating point",
                     number_names[a->type]);
}

static bool like_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].shape = c->in[0]->shape;
    c->out[0].type = number_is_float(c->in[0]->type) ? c->in[0]->type : NUMBER_fp32;
    return true;
}

enum { STREAM_FIRST, STREAM_SECOND, STREAM_RETRY };

/* n numbers in [0, 1) of a stream, in fp32. */
static float *uniform(const struct op_call *c, int64_t n, uint64_t stream, GError **error)
{
    float *x = g_try_malloc_n((gsize)MAX(n, 1), sizeof(float));
    if (!x) {
        error_set(error, ERROR_LIMIT, "no memory for random numbers");
        return NULL;
    }
    tensor_fill_uniform(x, (size_t)n, 0.5f, seed_of(c->attr), stream);
    for (int64_t i = 0; i < n; i++)
        x[i] += 0.5f;
    return x;
}

static bool store(const struct op_call *c, float *x)
{
    number_convert(c->out[0]->data, c->out[0]->type, x, NUMBER_fp32,
                   (size_t)shape_count(&c->out[0]->shape));
    g_free(x);
    return true;
}

static bool random_uniform_forward(const struct op_call *c, GError **error)
{
    const struct random_attr *a = c->attr;
    const int64_t n = shape_count(&c->out[0]->shape);
    float *x = uniform(c, n, STREAM_FIRST, error);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = (float)(a->a + (a->b - a->a) * (double)x[i]);
    return x && store(c, x);
}

/* Box and Muller 1958: a normal number of two uniform ones. */
static bool normal(const struct op_call *c, double most, GError **error)
{
    const struct random_attr *a = c->attr;
    const int64_t n = shape_count(&c->out[0]->shape);
    float *x = uniform(c, n, STREAM_FIRST, error);
    float *y = x ? uniform(c, n, STREAM_SECOND, error) : NULL;
    for (int64_t i = 0; y && i < n; i++) {
        double u = x[i], v = y[i], z;
        for (uint64_t retry = STREAM_RETRY;; retry += 2) {
            z = sqrt(-2 * log(1 - u)) * cos(2 * G_PI * v);
            if (fabs(z) <= most)
                break;
            float pair[2]; /* a stream for each place and try */
            tensor_fill_uniform(pair, 2, 0.5f, seed_of(a),
                                retry * 0x9e3779b97f4a7c15 + (uint64_t)i);
            u = (double)pair[0] + 0.5;
            v = (double)pair[1] + 0.5;
        }
        x[i] = (float)(a->a + a->b * z);
    }
    bool ok = y != NULL;
    g_free(y);
    if (!ok)
        g_free(x);
    return ok && store(c, x);
}

static bool random_normal_forward(const struct op_call *c, GError **error)
{
    return normal(c, INFINITY, error);
}

static bool random_truncated_normal_forward(const struct op_call *c, GError **error)
{
    return normal(c, 2, error);
}

/* 1 with the probability that the input tells. */
static bool bernoulli_forward(const struct op_call *c, GError **error)
{
    const int64_t n = shape_count(&c->out[0]->shape);
    float *x = uniform(c, n, STREAM_FIRST, error);
    for (int64_t i = 0; x && i < n; i++) {
        const double p = number_get_fp64(c->in[0]->data, c->in[0]->type, (size_t)i);
        x[i] = (double)x[i] < p;
    }
    return x && store(c, x);
}

/* Fisher and Yates, from the last slice down. */
static bool shuffle_forward(const struct op_call *c, GError **error)
{
    const struct shape *s = &c->in[0]->shape;
    const int64_t n = s->n_dim ? s->dim[0] : 1;
    const size_t block = tensor_bytes(c->in[0]) / (size_t)n;
    float *x = uniform(c, n, STREAM_FIRST, error);
    char *data = c->out[0]->data, *spare = g_try_malloc(block);
    if (x && spare)
        memcpy(data, c->in[0]->data, tensor_bytes(c->in[0]));
    for (int64_t i = n - 1; x && spare && i > 0; i--) {
        int64_t k = MIN((int64_t)((double)x[i] * (double)(i + 1)), i);
        memcpy(spare, data + (size_t)i * block, block);
        memmove(data + (size_t)i * block, data + (size_t)k * block, block);
        memcpy(data + (size_t)k * block, spare, block);
    }
    bool ok = x && (spare || error_set(error, ERROR_LIMIT, "no memory for a slice"));
    g_free(x);
    g_free(spare);
    return ok;
}

#define OPERATOR(op_name, text, table, n_in, infer_fn, forward_fn)                                 \
    const struct op op_##op_name = {                                                               \
        .name = #op_name,                                                                          \
        .summary = text,                                                                           \
        .fields = table,                                                                           \
        .attr_size = sizeof(struct random_attr),                                                   \
        .min_data = n_in,                                                                          \
        .max_data = n_in,                                                                          \
        .types = OP_ANY,                                                                           \
        .is_random = true,                                                                         \
        .infer = infer_fn,                                                                         \
        .forward = forward_fn,                                                                     \
    };
OPERATOR(random_uniform, "Random numbers between two bounds.", uniform_fields, 0, random_infer,
         random_uniform_forward)
OPERATOR(random_normal, "Random numbers of a normal distribution.", normal_fields, 0, random_infer,
         random_normal_forward)
OPERATOR(random_truncated_normal, "The same, within two standard deviations.", normal_fields, 0,
         random_infer, random_truncated_normal_forward)
OPERATOR(random_uniform_like, "Random numbers between two bounds, of its input's shape.",
         uniform_fields, 1, like_infer, random_uniform_forward)
OPERATOR(random_normal_like, "Random numbers of a normal distribution, of its input's shape.",
         normal_fields, 1, like_infer, random_normal_forward)
OPERATOR(bernoulli, "1 with the probability that the input tells, else 0.", seed_fields, 1,
         infer_as_first, bernoulli_forward)
OPERATOR(shuffle, "The input's slices along the first dimension in a random order.", seed_fields, 1,
         infer_as_first, shuffle_forward)
