/* SPDX-License-Identifier: Apache-2.0 */
/* Yes or no of one element. */
#include <math.h>
#include <stddef.h>

#include "workloads/ops/elementwise.h"
#include "workloads/ops/infer.h"

static bool predicate_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].shape = c->in[0]->shape;
    c->out[0].type = NUMBER_bool;
    return true;
}

static void is_nan(void *y, const void *const *in, int64_t n, const struct elementwise_scalars *s)
{
    (void)s;
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)y)[i] = isnan(((const double *)in[0])[i]);
}

static void is_inf(void *y, const void *const *in, int64_t n, const struct elementwise_scalars *s)
{
    const double *x = in[0];
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)y)[i] = isinf(x[i]) && s->i[x[i] > 0];
}

static void is_zero(void *y, const void *const *in, int64_t n, const struct elementwise_scalars *s)
{
    (void)s;
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)y)[i] = !((const uint8_t *)in[0])[i];
}

static bool run(const struct op_call *c, elementwise_fn fn, enum number as, int64_t negative,
                int64_t positive)
{
    const struct elementwise e = {.fn = fn,
                                  .n_in = 1,
                                  .in = {c->in[0]},
                                  .in_as = {as},
                                  .out_as = NUMBER_bool,
                                  .out = c->out[0],
                                  .scalars = {.i = {negative, positive}}};
    elementwise_run(&e, c->threads);
    return true;
}

static bool isnan_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return run(c, is_nan, NUMBER_fp64, 0, 0);
}

static bool isinf_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct isinf_attr *a = c->attr;
    return run(c, is_inf, NUMBER_fp64, a->detect_negative, a->detect_positive);
}

static bool not_forward(const struct op_call *c, GError **error)
{
    (void)error;
    return run(c, is_zero, NUMBER_bool, 0, 0);
}

static const struct cfg_field isinf_fields[] = {
    {"detect_negative", CFG_BOOL, offsetof(struct isinf_attr, detect_negative), 0, 0, "true", NULL,
     "Minus infinity counts.", NULL},
    {"detect_positive", CFG_BOOL, offsetof(struct isinf_attr, detect_positive), 0, 0, "true", NULL,
     "Plus infinity counts.", NULL},
    {0},
};

const struct op op_isnan = {.name = "isnan",
                            .summary = "Is it no number?",
                            .min_data = 1,
                            .max_data = 1,
                            .types = OP_FLOAT,
                            .infer = predicate_infer,
                            .forward = isnan_forward};
const struct op op_isinf = {.name = "isinf",
                            .summary = "Is it infinite?",
                            .fields = isinf_fields,
                            .attr_size = sizeof(struct isinf_attr),
                            .min_data = 1,
                            .max_data = 1,
                            .types = OP_FLOAT,
                            .infer = predicate_infer,
                            .forward = isinf_forward};
const struct op op_not = {.name = "not",
                          .summary = "Is it 0 (false)?",
                          .min_data = 1,
                          .max_data = 1,
                          .types = OP_ANY,
                          .infer = predicate_infer,
                          .forward = not_forward};
