/* SPDX-License-Identifier: Apache-2.0 */
/* Choice and conversion, element by element: clip, where, cast, identity. */
#include <math.h>
#include <stddef.h>

#include "sim/base/clones.h"
#include "sim/base/error.h"
#include "workloads/ops/elementwise.h"
#include "workloads/ops/infer.h"

#define CLIP(fn, type, lo, hi)                                                                     \
    VECTOR_CLONES                                                                                  \
    static void fn(void *out, const void *const *in, int64_t n,                                    \
                   const struct elementwise_scalars *s)                                            \
    {                                                                                              \
        const type *p = in[0], least = (type)(lo), most = (type)(hi);                              \
        type *q = out;                                                                             \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++)                                       \
        {                                                                                          \
            const type x = p[i] < least ? least : p[i];                                            \
            q[i] = x > most ? most : x;                                                            \
        }                                                                                          \
    }
CLIP(clip_fp32, float, s->f[0], s->f[1])
CLIP(clip_fp64, double, s->f[0], s->f[1])
CLIP(clip_int64, int64_t, s->i[0], s->i[1])
CLIP(clip_uint64, uint64_t, s->i[0], s->i[1])

static const struct cfg_field clip_fields[] = {
    {"min", CFG_FLOAT, offsetof(struct clip_attr, min), -1e300, 1e300, "-1e300", NULL,
     "Lower bound, where no second input gives it.", NULL},
    {"max", CFG_FLOAT, offsetof(struct clip_attr, max), -1e300, 1e300, "1e300", NULL,
     "Upper bound, where no third input gives it.", NULL},
    {0},
};

static bool clip_infer(const struct op_infer *c, GError **error)
{
    for (int i = 1; i < c->n_in; i++)
        if (c->in[i] && shape_count(&c->in[i]->shape) != 1)
            return error_set(error, ERROR_INPUT, "input %d is no single number", i + 1);
    return infer_one_type(c, error) && infer_as_first(c, error);
}

/* A bound as a number of fp64 and of 64 bits. */
static void bound(const struct tensor *t, double attr, int i, struct elementwise_scalars *s,
                  enum number as)
{
    s->f[i] = t                ? number_get_fp64(t->data, t->type, 0)
              : attr >= 1e300  ? INFINITY
              : attr <= -1e300 ? -INFINITY
                               : attr;
    if (t && !number_is_float(t->type))
        s->i[i] = number_get_int64(t->data, t->type, 0);
    else
        number_convert(&s->i[i], as == NUMBER_uint64 ? NUMBER_uint64 : NUMBER_int64, &s->f[i],
                       NUMBER_fp64, 1);
}

static bool clip_forward(const struct op_call *c, GError **error)
{
    (void)error;
    const struct clip_attr *a = c->attr;
    const enum number as = elementwise_canonical(c->in[0]->type);
    struct elementwise e = {
        .n_in = 1, .in = {c->in[0]}, .in_as = {as}, .out_as = as, .out = c->out[0]};
    e.fn = as == NUMBER_fp32    ? clip_fp32
           : as == NUMBER_fp64  ? clip_fp64
           : as == NUMBER_int64 ? clip_int64
                                : clip_uint64;
    bound(c->n_in > 1 ? c->in[1] : NULL, a->min, 0, &e.scalars, as);
    bound(c->n_in > 2 ? c->in[2] : NULL, a->max, 1, &e.scalars, as);
    elementwise_run(&e, c->threads);
    return true;
}

/* Bounds that are inputs are not known here. */
static void clip_traits(const struct op_infer *c, struct traits *t)
{
    const struct clip_attr *a = c->attr;
    t->element = (struct traits_element){.clamps = c->n_in == 1, .lo = a->min, .hi = a->max};
}

const struct op op_clip = {.name = "clip",
                           .summary = "x, or the nearest bound beyond.",
                           .fields = clip_fields,
                           .attr_size = sizeof(struct clip_attr),
                           .min_data = 1,
                           .max_data = 3,
                           .in_place = true,
                           .types = OP_NUMBER,
                           .kind = TRAITS_ELEMENT,
                           .reads = 1,
                           .infer = clip_infer,
                           .forward = clip_forward,
                           .traits = clip_traits};

/* Elements are moved by their size. */
#define WHERE(fn, type)                                                                            \
    static void fn(void *out, const void *const *in, int64_t n,                                    \
                   const struct elementwise_scalars *s)                                            \
    {                                                                                              \
        const uint8_t *which = in[0];                                                              \
        const type *yes = in[1], *no = in[2];                                                      \
        (void)s;                                                                                   \
        for (int64_t i = 0; i < n; i++)                                                            \
            ((type *)out)[i] = which[i] ? yes[i] : no[i];                                          \
    }
WHERE(where_1, uint8_t)
WHERE(where_2, uint16_t)
WHERE(where_4, uint32_t)
WHERE(where_8, uint64_t)

static bool where_infer(const struct op_infer *c, GError **error)
{
    if (c->in[0]->type != NUMBER_bool || c->in[1]->type != c->in[2]->type)
        return error_set(error, ERROR_INPUT,
                         "the first input is no bool, or the others are of two formats");
    c->out[0].type = c->in[1]->type;
    return infer_broadcast(c, &c->out[0].shape, error);
}

static bool where_forward(const struct op_call *c, GError **error)
{
    (void)error;
    static const elementwise_fn by_size[] = {
        [1] = where_1, [2] = where_2, [4] = where_4, [8] = where_8};
    const enum number type = c->out[0]->type;
    const struct elementwise e = {.fn = by_size[number_bytes(type)],
                                  .n_in = 3,
                                  .in = {c->in[0], c->in[1], c->in[2]},
                                  .in_as = {NUMBER_bool, type, type},
                                  .out_as = type,
                                  .out = c->out[0]};
    elementwise_run(&e, c->threads);
    return true;
}

const struct op op_where = {.name = "where",
                            .summary = "The second input where the first is true, else the third.",
                            .min_data = 3,
                            .max_data = 3,
                            .types = OP_ANY,
                            .infer = where_infer,
                            .forward = where_forward};

static const struct cfg_field cast_fields[] = {
    {"to", CFG_ENUM, offsetof(struct cast_attr, to), 0, 0, NULL, NULL, "Number format.",
     number_names},
    {0},
};

static bool cast_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].shape = c->in[0]->shape;
    c->out[0].type = (enum number)((const struct cast_attr *)c->attr)->to;
    return true;
}

static bool cast_like_infer(const struct op_infer *c, GError **error)
{
    (void)error;
    c->out[0].shape = c->in[0]->shape;
    c->out[0].type = c->in[1]->type;
    return true;
}

static bool cast_forward(const struct op_call *c, GError **error)
{
    (void)error;
    number_cast(c->out[0]->data, c->out[0]->type, c->in[0]->data, c->in[0]->type,
                (size_t)shape_count(&c->out[0]->shape));
    return true;
}

const struct op op_cast = {.name = "cast",
                           .summary = "The same numbers in another format: fractions are cut off, "
                                      "integers wrap.",
                           .fields = cast_fields,
                           .attr_size = sizeof(struct cast_attr),
                           .min_data = 1,
                           .max_data = 1,
                           .types = OP_ANY,
                           .takes_empty = true,
                           .infer = cast_infer,
                           .forward = cast_forward};
const struct op op_cast_like = {.name = "cast_like",
                                .summary = "The first input in the format of the second.",
                                .min_data = 2,
                                .max_data = 2,
                                .types = OP_ANY,
                                .takes_empty = true,
                                .infer = cast_like_infer,
                                .forward = cast_forward};
const struct op op_identity = {.name = "identity",
                               .summary = "Its input.",
                               .min_data = 1,
                               .max_data = 1,
                               .types = OP_ANY,
                               .takes_empty = true,
                               .infer = infer_as_first};
